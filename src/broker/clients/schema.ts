/** Input and output shapes of clients. `kind` is for ever: an app and a service are trusted differently. */
import { z } from 'zod';
import { chosenIdPattern } from '../ids.js';
import { displayText, NAME_CHARS_MAX, strict } from '../registry/fields.js';
import { jwksSchema, newCredentialViewSchema } from './credential-schema.js';
import { redirectUrisSchema } from './redirect-uri-schema.js';

export const clientIdSchema = z
  .string()
  .regex(chosenIdPattern('cli'), 'must be "cli_" and 1 to 100 of A-Z a-z 0-9 _ -');

export const clientAuthSchema = z.enum([
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]);

export const newClientSchema = strict({
  id: clientIdSchema.optional(),
  name: displayText(NAME_CHARS_MAX),
  kind: z.enum(['app', 'service']),
  redirectUris: redirectUrisSchema.optional(),
  auth: clientAuthSchema.optional(),
  jwks: jwksSchema.optional(),
});

export const clientPatchSchema = strict({
  name: displayText(NAME_CHARS_MAX).optional(),
  redirectUris: redirectUrisSchema.optional(),
  auth: clientAuthSchema.optional(),
});

export const clientViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['app', 'service']),
  redirect_uris: z.array(z.string()),
  auth: clientAuthSchema,
  status: z.enum(['active', 'retired']),
  created_at: z.string(),
});

export const createdClientViewSchema = clientViewSchema.extend({
  credential: newCredentialViewSchema.optional(),
});

export type NewClient = z.infer<typeof newClientSchema>;
export type ClientPatch = z.infer<typeof clientPatchSchema>;
