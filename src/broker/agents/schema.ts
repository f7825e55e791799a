/** Input and output shapes of agents. Status is no field of a patch: it has operations of its own. */
import { z } from 'zod';
import { jwksSchema, newCredentialViewSchema } from '../clients/credential-schema.js';
import { redirectUrisSchema } from '../clients/redirect-uri-schema.js';
import { chosenIdPattern } from '../ids.js';
import {
  displayText,
  LIST_MAX,
  NAME_CHARS_MAX,
  strict,
  TEXT_CHARS_MAX,
} from '../registry/fields.js';

export const agentIdSchema = z
  .string()
  .regex(chosenIdPattern('agt'), 'must be "agt_" and 1 to 100 of A-Z a-z 0-9 _ -');
const clientIdSchema = z
  .string()
  .regex(chosenIdPattern('cli'), 'must be the id of a client (cli_…)');

export const agentAuthSchema = z.enum([
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]);

const described = {
  name: displayText(NAME_CHARS_MAX),
  description: displayText(TEXT_CHARS_MAX),
  owner: displayText(200),
  purpose: displayText(TEXT_CHARS_MAX),
  clients: z.array(clientIdSchema).max(LIST_MAX),
  /** The agent may itself be the OAuth client of a code flow (`client_auth`). */
  redirectUris: redirectUrisSchema,
  auth: agentAuthSchema,
};

export const newAgentSchema = strict({
  id: agentIdSchema.optional(),
  name: described.name,
  description: described.description.optional(),
  owner: described.owner,
  purpose: described.purpose.optional(),
  clients: described.clients.optional(),
  redirectUris: described.redirectUris.optional(),
  auth: described.auth.optional(),
  jwks: jwksSchema.optional(),
});

export const agentPatchSchema = strict({
  name: described.name.optional(),
  description: described.description.nullable().optional(),
  owner: described.owner.optional(),
  purpose: described.purpose.nullable().optional(),
  clients: described.clients.optional(),
  redirectUris: described.redirectUris.optional(),
  auth: described.auth.optional(),
});

export const agentStatusSchema = strict({
  status: z.enum(['active', 'blocked']),
  reason: displayText(TEXT_CHARS_MAX).optional(),
});

export const agentViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  owner: z.string(),
  purpose: z.string().nullable(),
  status: z.enum(['active', 'blocked', 'retired']),
  status_reason: z.string().nullable(),
  clients: z.array(z.string()),
  redirect_uris: z.array(z.string()),
  auth: agentAuthSchema,
  created_at: z.string(),
});

export const createdAgentViewSchema = agentViewSchema.extend({
  credential: newCredentialViewSchema.optional(),
});

export type NewAgent = z.infer<typeof newAgentSchema>;
export type AgentPatch = z.infer<typeof agentPatchSchema>;
export type AgentStatus = z.infer<typeof agentStatusSchema>;
