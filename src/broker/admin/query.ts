/** Query parameters of lists: bounded, and refused when unknown. */
import { z } from 'zod';
import { agentStates } from '../agents/schema.js';
import { clientAuthSchema, clientOriginSchema } from '../clients/schema.js';
import { displayText, instantField, strict, TEXT_CHARS_MAX } from '../registry/fields.js';
import { PAGE_MAX } from '../registry/page.js';
import { TRUST_PURPOSES } from '../trust/schema.js';

const limit = z.coerce.number().int().min(1).max(PAGE_MAX).optional();
const word = z.string().min(1).max(500).optional();

/** Seconds ahead; ten years is for ever. */
const within = z.coerce.number().int().min(1).max(315_360_000).optional();

export const agentQuery = strict({
  cursor: word,
  limit,
  status: z.enum(agentStates).optional(),
  owner: word,
  tag: word,
  client: word,
  external_id: word,
  q: word,
  expiring_within_seconds: within,
});
export const clientQuery = strict({
  cursor: word,
  limit,
  status: z.enum(['active', 'retired']).optional(),
  kind: z.enum(['app', 'service']).optional(),
  origin: clientOriginSchema.optional(),
  auth: clientAuthSchema.optional(),
  agent: word,
  q: word,
  expiring_within_seconds: within,
});
export const credentialQuery = strict({ expiring_within_seconds: within });
export const resourceQuery = strict({
  cursor: word,
  limit,
  status: z.enum(['active', 'retired']).optional(),
  q: word,
  client: word,
  downstream: word,
});
export const trustedIssuerQuery = strict({
  cursor: word,
  limit,
  status: z.enum(['active', 'retired']).optional(),
  purpose: z.enum(TRUST_PURPOSES).optional(),
  q: word,
});
export const pageQuery = strict({ cursor: word, limit });
export const userQuery = strict({
  cursor: word,
  limit,
  email: word,
  status: z.enum(['active', 'disabled', 'retired']).optional(),
  role: word,
  q: word,
});
export const roleQuery = strict({ cursor: word, limit, q: word });
export const permissionQuery = strict({
  cursor: word,
  limit,
  principal: word,
  resource: word,
  scope: word,
});
const live = z.enum(['true', 'false']).optional();
export const delegationQuery = strict({
  cursor: word,
  limit,
  user: word,
  agent: word,
  client: word,
  resource: word,
  live,
});
export const grantQuery = strict({ ...delegationQuery.shape, consent: word });
/** Why something is ended; in the query, because a DELETE has no body (RFC 9110 §9.3.5). */
export const endQuery = strict({ reason: displayText(TEXT_CHARS_MAX).optional() });
const instant = instantField('must be an instant, as 2026-01-31T12:00:00Z').optional();
export const auditQuery = strict({
  cursor: word,
  limit,
  type: word,
  sub: word,
  agent: word,
  /** An agent or service, anywhere in a chain. */
  actor: word,
  client: word,
  resource: word,
  grant: word,
  consent: word,
  jti: z.string().min(1).max(1100).optional(),
  /** A role, credential, signing key or browser session, or whoever a permission is of. */
  about: word,
  by: word,
  request: word,
  since: instant,
  until: instant,
});
export const revocationQuery = strict({
  cursor: word,
  limit,
  key: z.string().min(1).max(1100).optional(),
  by: word,
  always: z.enum(['true', 'false']).optional(),
});
