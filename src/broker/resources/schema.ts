/** Input and output shapes of resources. */
import { z } from 'zod';
import { SIGNING_ALGS } from '../../protocol/index.js';
import { clientIdNamed } from '../clients/client-id-schema.js';
import { TOKEN_TTL_MAX_SECONDS, TOKEN_TTL_MIN_SECONDS } from '../limits.js';
import {
  displayText,
  LIST_MAX,
  NAME_CHARS_MAX,
  plainAscii,
  strict,
  TEXT_CHARS_MAX,
} from '../registry/fields.js';

export const IDENTIFIER_CHARS_MAX = 500;
const SCOPES_MAX = 100;
export const TOOLS_MAX = 500;
const TOOL_SCOPES_MAX = 20;
const EDGES_MAX = 20;
const EDGE_SCOPES_MAX = 20;
/** Shorter than walking through the pages, nobody could ever satisfy it. */
const REAUTH_MIN_SECONDS = 60;
const REAUTH_MAX_SECONDS = 30 * 24 * 3600;

export const identifierSchema = plainAscii(IDENTIFIER_CHARS_MAX);
const scopeName = z.string().min(1).max(128);
const PRINCIPAL = /^(?:cli|agt)_[A-Za-z0-9_-]{1,100}$/;
const principalId = z.string().regex(PRINCIPAL, 'must be the id of a client or agent');
const principalOrDocument = clientIdNamed('must be the id of a client or agent', PRINCIPAL);

const bounded = <Value extends z.ZodType>(key: z.ZodString, value: Value, entriesMax: number) =>
  z
    .record(key, value)
    .refine(
      (record) => Object.keys(record).length <= entriesMax,
      `must have at most ${entriesMax} entries`,
    );

export const scopeSchema = strict({
  title: displayText(NAME_CHARS_MAX),
  description: displayText(TEXT_CHARS_MAX).optional(),
  risk: z.enum(['read', 'write', 'destructive']),
  restricted: z.boolean().default(false),
  implies: z.array(scopeName).max(SCOPES_MAX).default([]),
  base: z.boolean().default(false),
  /** Granting it asks for a sign-in no older than this. */
  reauthSeconds: z.number().int().min(REAUTH_MIN_SECONDS).max(REAUTH_MAX_SECONDS).optional(),
});

const edgeSchema = strict({
  resource: identifierSchema,
  scopes: bounded(scopeName, z.array(scopeName).min(1).max(EDGE_SCOPES_MAX), SCOPES_MAX).refine(
    (map) => Object.keys(map).length > 0,
    'must map at least one scope',
  ),
});

const fields = {
  name: displayText(NAME_CHARS_MAX),
  description: displayText(TEXT_CHARS_MAX),
  scopes: bounded(scopeName, scopeSchema, SCOPES_MAX),
  /** Tool names: SEP-986 of MCP. */
  tools: bounded(
    z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9_./-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ . / -'),
    z.array(scopeName).max(TOOL_SCOPES_MAX),
    TOOLS_MAX,
  ),
  client: principalId,
  clients: z.array(principalOrDocument).max(LIST_MAX),
  downstream: z.array(edgeSchema).max(EDGES_MAX),
  requireUser: z.boolean(),
  signingAlg: z.enum(SIGNING_ALGS),
  tokenTtlSeconds: z.number().int().min(TOKEN_TTL_MIN_SECONDS).max(TOKEN_TTL_MAX_SECONDS),
};

export const newResourceSchema = strict({
  identifier: identifierSchema,
  name: fields.name,
  description: fields.description.nullable().optional(),
  scopes: fields.scopes,
  tools: fields.tools.optional(),
  client: fields.client.nullable().optional(),
  clients: fields.clients.nullable().optional(),
  downstream: fields.downstream.optional(),
  requireUser: fields.requireUser.optional(),
  signingAlg: fields.signingAlg.optional(),
  tokenTtlSeconds: fields.tokenTtlSeconds.optional(),
});

export const resourcePatchSchema = strict({
  name: fields.name.optional(),
  description: fields.description.nullable().optional(),
  scopes: fields.scopes.optional(),
  tools: fields.tools.optional(),
  client: fields.client.nullable().optional(),
  clients: fields.clients.nullable().optional(),
  downstream: fields.downstream.optional(),
  requireUser: fields.requireUser.optional(),
  signingAlg: fields.signingAlg.optional(),
  tokenTtlSeconds: fields.tokenTtlSeconds.optional(),
});

/** SHA-256 as base64url. */
export const toolHashSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'must be a SHA-256 in base64url');

/** A changed tool, as exactly the definition that was looked at. */
export const acceptedToolSchema = strict({
  tool: z.string().min(1).max(128),
  schemaHash: toolHashSchema,
});

export const toolsViewSchema = z.object({
  resource: z.string(),
  published_at: z.string().nullable(),
  published_by: z.string().nullable(),
  drift: z.number(),
  items: z.array(
    z.object({
      tool: z.string(),
      state: z.enum(['known', 'new', 'changed', 'removed', 'not_published']),
      scopes: z.array(z.string()).nullable(),
      schema_hash: z.string().nullable(),
      accepted_hash: z.string().nullable(),
      since: z.string().nullable(),
    }),
  ),
});

export const scopeViewSchema = z.object({
  title: z.string(),
  description: z.string().nullable(),
  risk: z.enum(['read', 'write', 'destructive']),
  restricted: z.boolean(),
  implies: z.array(z.string()),
  base: z.boolean(),
  reauth_seconds: z.number().nullable(),
});

export const resourceViewSchema = z.object({
  identifier: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  scopes: z.record(z.string(), scopeViewSchema),
  tools: z.record(z.string(), z.array(z.string())),
  client: z.string().nullable(),
  clients: z.array(z.string()).nullable(),
  downstream: z.array(
    z.object({ resource: z.string(), scopes: z.record(z.string(), z.array(z.string())) }),
  ),
  require_user: z.boolean(),
  signing_alg: z.string(),
  token_ttl_seconds: z.number(),
  status: z.enum(['active', 'retired']),
  created_at: z.string(),
});

export type AcceptedTool = z.infer<typeof acceptedToolSchema>;
export type NewEdge = z.infer<typeof edgeSchema>;
export type NewResource = z.infer<typeof newResourceSchema>;
export type ResourcePatch = z.infer<typeof resourcePatchSchema>;
