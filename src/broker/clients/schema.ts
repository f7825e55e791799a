/** Input and output shapes of clients. `kind` is for ever: an app and a service are trusted differently. */
import { z } from 'zod';
import { chosenIdPattern } from '../ids.js';
import {
  contactField,
  displayText,
  httpsUri,
  NAME_CHARS_MAX,
  strict,
  TEXT_CHARS_MAX,
} from '../registry/fields.js';
import { clientIdNamed } from './client-id-schema.js';
import { jwksSchema, newCredentialViewSchema } from './credential-schema.js';
import { profileFields, profileViewFields } from './profile.js';
import { redirectUrisSchema } from './redirect-uri-schema.js';

export const clientIdSchema = clientIdNamed('must be "cli_" and 1 to 100 of A-Z a-z 0-9 _ -');

/** Who put a client here. */
export const clientOriginSchema = z.enum(['operator', 'registration', 'document']);

export const clientAuthSchema = z.enum([
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
]);

/** What the client says of itself: shown to users as its own words, every one of them optional. */
const WORDS = {
  description: displayText(TEXT_CHARS_MAX),
  clientUri: httpsUri,
  logoUri: httpsUri,
  policyUri: httpsUri,
  contact: contactField,
};

/** Named here once, so that nothing that may be set can be forgotten where it is reset. */
export const CLIENT_WORDS = Object.keys(WORDS) as ReadonlyArray<keyof typeof WORDS>;

const described = {
  name: displayText(NAME_CHARS_MAX),
  redirectUris: redirectUrisSchema,
  auth: clientAuthSchema,
  /** RFC 9126 §6. */
  requirePar: z.boolean(),
  /** RFC 9101 §10.5. */
  requireSignedRequest: z.boolean(),
  /** RFC 8693: unless it says so, whoever proves who they are may. */
  mayExchange: z.boolean(),
  ...profileFields,
};

export const newClientSchema = strict({
  id: clientIdSchema.optional(),
  kind: z.enum(['app', 'service']),
  ...z.object(described).partial().shape,
  name: described.name,
  ...z.object(WORDS).partial().shape,
  jwks: jwksSchema.optional(),
});

export const clientPatchSchema = strict({
  ...z.object(described).partial().shape,
  ...(Object.fromEntries(
    Object.entries(WORDS).map(([name, word]) => [name, word.nullable().optional()]),
  ) as { [Name in keyof typeof WORDS]: z.ZodOptional<z.ZodNullable<(typeof WORDS)[Name]>> }),
  /** The agent it always acts as; the agent names its clients first. */
  agentId: z
    .string()
    .regex(chosenIdPattern('agt'), 'must be the id of an agent (agt_…)')
    .nullable()
    .optional(),
});

export const clientViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['app', 'service']),
  /** Who put it here: an operator, itself, or a document at its URL. */
  origin: clientOriginSchema,
  software_id: z.string().nullable(),
  software_version: z.string().nullable(),
  description: z.string().nullable(),
  client_uri: z.string().nullable(),
  logo_uri: z.string().nullable(),
  policy_uri: z.string().nullable(),
  contact: z.string().nullable(),
  redirect_uris: z.array(z.string()),
  agent_id: z.string().nullable(),
  require_par: z.boolean(),
  require_signed_request: z.boolean(),
  may_exchange: z.boolean(),
  ...profileViewFields,
  auth: clientAuthSchema,
  status: z.enum(['active', 'retired']),
  /** When the next of its credentials expires. */
  credentials_expire_at: z.string().nullable(),
  /** Of one that registered itself: last seen, to the minute. */
  last_used_at: z.string().nullable(),
  /** Retired from then on, unless it is seen again. */
  registration_expires_at: z.string().nullable(),
  created_at: z.string(),
});

export const createdClientViewSchema = clientViewSchema.extend({
  credential: newCredentialViewSchema.optional(),
});

export type NewClient = z.infer<typeof newClientSchema>;
export type ClientPatch = z.infer<typeof clientPatchSchema>;
