/** Every noun of the command line. */
import { HISTORY_NOUNS } from './history-nouns.js';
import { KEY_NOUNS } from './key-nouns.js';
import type { Noun } from './noun.js';
import { PRINCIPAL_NOUNS } from './principal-nouns.js';
import { RESOURCE_NOUNS } from './resource-nouns.js';
import { TRUST_NOUNS } from './trust-nouns.js';

export const NOUNS: readonly Noun[] = [
  ...PRINCIPAL_NOUNS,
  ...RESOURCE_NOUNS,
  ...TRUST_NOUNS,
  ...HISTORY_NOUNS,
  ...KEY_NOUNS,
];
