/** Input and output shapes of agents. Status is no field of a patch: it has operations of its own. */
import { z } from 'zod';
import { clientIdNamed } from '../clients/client-id-schema.js';
import { jwksSchema, newCredentialViewSchema } from '../clients/credential-schema.js';
import { profileFields, profileViewFields } from '../clients/profile.js';
import { redirectUrisSchema } from '../clients/redirect-uri-schema.js';
import { chosenIdPattern } from '../ids.js';
import {
  contactField,
  displayText,
  httpsUri,
  LIST_MAX,
  NAME_CHARS_MAX,
  strict,
  TEXT_CHARS_MAX,
  tagsField,
} from '../registry/fields.js';

export const agentIdSchema = z
  .string()
  .regex(chosenIdPattern('agt'), 'must be "agt_" and 1 to 100 of A-Z a-z 0-9 _ -');
const clientIdSchema = clientIdNamed('must be the id of a client (cli_…)');

export const agentAuthSchema = z.enum([
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'attest_jwt_client_auth',
]);

/** Plain text about an agent; every one of them may be left out. */
const TEXTS = {
  description: displayText(TEXT_CHARS_MAX),
  sponsor: displayText(NAME_CHARS_MAX * 2),
  purpose: displayText(TEXT_CHARS_MAX),
  vendor: displayText(NAME_CHARS_MAX),
  model: displayText(NAME_CHARS_MAX),
  version: displayText(NAME_CHARS_MAX),
  logoUri: httpsUri,
  contact: contactField,
  externalId: displayText(NAME_CHARS_MAX * 2),
};

/** Named here once, so that nothing that may be set can be forgotten where it is reset. */
export const AGENT_TEXTS = Object.keys(TEXTS) as ReadonlyArray<keyof typeof TEXTS>;

const described = {
  name: displayText(NAME_CHARS_MAX),
  owner: displayText(NAME_CHARS_MAX * 2),
  tags: tagsField,
  clients: z.array(clientIdSchema).max(LIST_MAX),
  /** The agent may itself be the OAuth client of a code flow (`client_auth`). */
  redirectUris: redirectUrisSchema,
  /** RFC 9126 §6, where it is one. */
  requirePar: z.boolean(),
  /** RFC 9101 §10.5. */
  requireSignedRequest: z.boolean(),
  /** RFC 8693: unless it says so, it may. */
  mayExchange: z.boolean(),
  ...profileFields,
  takesWorkFrom: z.array(agentIdSchema).max(LIST_MAX),
  auth: agentAuthSchema,
};

export const agentStates = ['draft', 'active', 'paused', 'blocked', 'retired'] as const;

export const newAgentSchema = strict({
  id: agentIdSchema.optional(),
  name: described.name,
  owner: described.owner,
  ...z.object(TEXTS).partial().shape,
  tags: described.tags.optional(),
  /** A draft is described and given keys before it may do anything. */
  status: z.enum(['draft', 'active']).optional(),
  clients: described.clients.optional(),
  redirectUris: described.redirectUris.optional(),
  requirePar: described.requirePar.optional(),
  requireSignedRequest: described.requireSignedRequest.optional(),
  mayExchange: described.mayExchange.optional(),
  ...z.object(profileFields).partial().shape,
  takesWorkFrom: described.takesWorkFrom.optional(),
  auth: described.auth.optional(),
  jwks: jwksSchema.optional(),
});

export const agentPatchSchema = strict({
  ...z.object(described).partial().shape,
  ...(Object.fromEntries(
    Object.entries(TEXTS).map(([name, text]) => [name, text.nullable().optional()]),
  ) as { [Name in keyof typeof TEXTS]: z.ZodOptional<z.ZodNullable<(typeof TEXTS)[Name]>> }),
});

export const agentStatusSchema = strict({
  status: z.enum(['active', 'paused', 'blocked', 'retired']),
  reason: displayText(TEXT_CHARS_MAX).optional(),
});

export const agentViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  owner: z.string(),
  sponsor: z.string().nullable(),
  purpose: z.string().nullable(),
  vendor: z.string().nullable(),
  model: z.string().nullable(),
  version: z.string().nullable(),
  logo_uri: z.string().nullable(),
  contact: z.string().nullable(),
  external_id: z.string().nullable(),
  tags: z.array(z.string()),
  status: z.enum(agentStates),
  status_reason: z.string().nullable(),
  status_by: z.string().nullable(),
  status_at: z.string().nullable(),
  clients: z.array(z.string()),
  redirect_uris: z.array(z.string()),
  require_par: z.boolean(),
  require_signed_request: z.boolean(),
  may_exchange: z.boolean(),
  ...profileViewFields,
  takes_work_from: z.array(z.string()),
  auth: agentAuthSchema,
  /** When the next of its credentials expires. */
  credentials_expire_at: z.string().nullable(),
  created_at: z.string(),
});

export const createdAgentViewSchema = agentViewSchema.extend({
  credential: newCredentialViewSchema.optional(),
});

export type NewAgent = z.infer<typeof newAgentSchema>;
export type AgentPatch = z.infer<typeof agentPatchSchema>;
export type AgentStatus = z.infer<typeof agentStatusSchema>;
