/** Every operation of the admin API. */
import { DELEGATION_OPERATIONS } from './delegation-operations.js';
import { HISTORY_OPERATIONS } from './history-operations.js';
import { KEY_OPERATIONS } from './key-operations.js';
import type { Operation } from './operation.js';
import { PEOPLE_OPERATIONS } from './people-operations.js';
import { PRINCIPAL_OPERATIONS } from './principal-operations.js';
import { REGISTRATION_OPERATIONS } from './registration-operations.js';
import { RESOURCE_OPERATIONS } from './resource-operations.js';
import { TRUST_OPERATIONS } from './trust-operations.js';
import { WORLD_OPERATIONS } from './world-operations.js';

export const ADMIN_OPERATIONS: readonly Operation[] = [
  ...PRINCIPAL_OPERATIONS,
  ...REGISTRATION_OPERATIONS,
  ...PEOPLE_OPERATIONS,
  ...TRUST_OPERATIONS,
  ...RESOURCE_OPERATIONS,
  ...DELEGATION_OPERATIONS,
  ...HISTORY_OPERATIONS,
  ...KEY_OPERATIONS,
  ...WORLD_OPERATIONS,
];
