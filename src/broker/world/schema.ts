/** The shape of a world file: the same fields as the nouns' own input, with ids that the file chooses. */
import { z } from 'zod';
import { agentIdSchema, agentStates, agentStatusSchema, newAgentSchema } from '../agents/schema.js';
import { WORKLOADS_MAX, workloadRuleSchema } from '../clients/credential-schema.js';
import { clientIdSchema, newClientSchema } from '../clients/schema.js';
import { newRoleSchema, permissionSchema } from '../permissions/schema.js';
import { strict } from '../registry/fields.js';
import { newResourceSchema } from '../resources/schema.js';
import { newIdentitySchema, newTrustedIssuerSchema } from '../trust/schema.js';
import { newUserSchema, userStatusSchema } from '../users/schema.js';

/** One file is one transaction: this keeps it short. */
const ENTRIES_MAX = 500;
const PERMISSIONS_MAX = 2000;
const IDENTITIES_MAX = 20;

const list = <Entry extends z.ZodType>(entry: Entry, max = ENTRIES_MAX) =>
  z.array(entry).max(max).nullable().optional();

/** Which platform's tokens prove it; one left out is removed. */
const workloads = z.array(workloadRuleSchema).max(WORKLOADS_MAX).optional();

export const worldAgentSchema = strict({
  ...newAgentSchema.shape,
  id: agentIdSchema,
  status: z.enum(agentStates).optional(),
  statusReason: agentStatusSchema.shape.reason,
  workloads,
});

export const worldClientSchema = strict({
  ...newClientSchema.shape,
  id: clientIdSchema,
  /** The agent it always acts as. */
  agent: agentIdSchema.optional(),
  workloads,
});

export const worldUserSchema = strict({
  ...newUserSchema.shape,
  status: userStatusSchema.shape.status.optional(),
  statusReason: userStatusSchema.shape.reason,
  /** By which subjects trusted issuers mean them; one left out is removed. */
  identities: z.array(newIdentitySchema).max(IDENTITIES_MAX).optional(),
});

/** A role may be just its name. */
const worldRoleSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  newRoleSchema,
);

export const worldSchema = strict({
  roles: list(worldRoleSchema),
  clients: list(worldClientSchema),
  agents: list(worldAgentSchema),
  users: list(worldUserSchema),
  resources: list(newResourceSchema),
  permissions: list(permissionSchema, PERMISSIONS_MAX),
  trustedIssuers: list(newTrustedIssuerSchema),
});

export type WorldAgent = z.infer<typeof worldAgentSchema>;
export type WorldClient = z.infer<typeof worldClientSchema>;
export type WorldUser = z.infer<typeof worldUserSchema>;
export type World = z.infer<typeof worldSchema>;
