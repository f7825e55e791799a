/** What administrators are shown of each noun: the view schemas' fields, and no others. */
import { z } from 'zod';
import { agentViewSchema, createdAgentViewSchema } from '../agents/schema.js';
import type { RecordedEvent } from '../audit/store.js';
import { credentialViewSchema, newCredentialViewSchema } from '../clients/credential-schema.js';
import type { AddedCredential } from '../clients/credentials.js';
import { clientViewSchema, createdClientViewSchema } from '../clients/schema.js';
import type { Explanation } from '../explain/service.js';
import { permissionViewSchema, roleViewSchema } from '../permissions/schema.js';
import type { Stopped } from '../registry/change.js';
import type { Page } from '../registry/page.js';
import { resourceViewSchema, scopeViewSchema, toolsViewSchema } from '../resources/schema.js';
import type { Confirmation } from '../revocation/followers.js';
import type { KeptReceipt, Receipt } from '../revocation/receipt.js';
import { userViewSchema } from '../users/schema.js';
import { toWire } from './operation.js';

type Row = Readonly<Record<string, unknown>>;
type View = (row: object) => Record<string, unknown>;

const view =
  (schema: z.ZodObject, names = Object.keys(schema.shape)): View =>
  (row) =>
    toWire(row as Row, 'rule' in row ? names : names.filter((name) => name !== 'rule'));

export const agentView = view(agentViewSchema);
export const clientView = view(clientViewSchema);
const scopeView = view(scopeViewSchema);
export const resourceView: View = (row) => {
  const shown = view(resourceViewSchema)(row);
  const scopes = Object.entries(shown.scopes as Record<string, object>);
  return { ...shown, scopes: Object.fromEntries(scopes.map(([n, one]) => [n, scopeView(one)])) };
};
const toolView = view(toolsViewSchema.shape.items.element);
export const toolsView: View = (report) => ({
  ...view(toolsViewSchema)(report),
  items: (report as { items: readonly object[] }).items.map(toolView),
});
export const permissionView = view(permissionViewSchema);
export const roleView = view(roleViewSchema);
export const credentialView = view(credentialViewSchema);
export const userView: View = (row) => ({
  ...toWire(row as Row, Object.keys(userViewSchema.shape)),
  has_password: (row as { passwordHash?: string | null }).passwordHash !== null,
});

/** The one answer that holds a secret. */
export const addedCredentialView = (added: AddedCredential): Record<string, unknown> => ({
  ...credentialView(added),
  ...(added.secret === undefined ? {} : { secret: added.secret }),
});

export const withCredential = (
  shown: Record<string, unknown>,
  credential: AddedCredential | undefined,
): Record<string, unknown> =>
  credential === undefined ? shown : { ...shown, credential: addedCredentialView(credential) };

export const consentViewSchema = z.object({
  id: z.string(),
  user_id: z.string(),
  client_id: z.string(),
  agent_id: z.string(),
  resource: z.string(),
  offered: z.array(z.string()),
  granted: z.array(z.string()),
  helpers: z.number(),
  created_at: z.string(),
  expires_at: z.string(),
  ended_at: z.string().nullable(),
  ended_reason: z.string().nullable(),
  ended_by: z.string().nullable(),
});
/** Also what the page said when it was agreed to: too much for a list. */
export const wholeConsentViewSchema = consentViewSchema.extend({
  terms: z.record(z.string(), z.unknown()),
});
export const grantViewSchema = z.object({
  id: z.string(),
  consent_id: z.string(),
  user_id: z.string(),
  client_id: z.string(),
  agent_id: z.string(),
  resource: z.string(),
  scopes: z.array(z.string()),
  actor_proof: z.string().nullable(),
  actor_credential_id: z.string().nullable(),
  auth_time: z.string().nullable(),
  acr: z.string().nullable(),
  created_at: z.string(),
  expires_at: z.string(),
  ended_at: z.string().nullable(),
  ended_reason: z.string().nullable(),
  ended_by: z.string().nullable(),
});
/** What a stop ended. */
export const receiptViewSchema = z.object({
  ended_at: z.string(),
  access_tokens: z.number().int(),
  /** Of these, what helpers and services further down held. */
  exchanged_tokens: z.number().int(),
  /** Ways that work had gone on from one actor to others. */
  helper_chains: z.number().int(),
  refresh_tokens: z.number().int(),
  grants: z.number().int(),
  consents: z.number().int(),
  /** Which servers have confirmed it: `GET /revocations/{id}`. Null: nothing was stopped. */
  revocation: z.number().nullable(),
});
export const receiptAnswerSchema = z.object({ receipt: receiptViewSchema });
export const revocationViewSchema = z.object({
  id: z.number(),
  key: z.string(),
  revoked_at: z.string(),
  always: z.boolean(),
  until: z.string(),
  reason: z.string(),
  by: z.string(),
});
const followerSchema = z.object({
  client_id: z.string(),
  resource: z.string(),
  instance: z.string(),
});
/** A fact, what the stop it is part of ended, and which followers have applied it since when. */
export const confirmedRevocationViewSchema = revocationViewSchema.extend({
  /** Null: it ended nothing, as when a block is lifted. */
  receipt: receiptViewSchema.nullable(),
  confirmed_by: z.array(followerSchema.extend({ at: z.string() })),
  waiting_for: z.array(followerSchema.extend({ seen_at: z.string() })),
});
export const eventViewSchema = z.object({
  id: z.number(),
  at: z.string(),
  type: z.string(),
  by: z.string().nullable(),
  jti: z.string().nullable(),
  sub: z.string().nullable(),
  agent_id: z.string().nullable(),
  client_id: z.string().nullable(),
  resource: z.string().nullable(),
  grant_id: z.string().nullable(),
  request_id: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
  sentence: z.string(),
});

export const consentView = view(consentViewSchema);
export const wholeConsentView = view(wholeConsentViewSchema);
export const grantView = view(grantViewSchema);
export const revocationView = view(revocationViewSchema);
export const confirmedRevocationView = (
  fact: object,
  receipt: KeptReceipt | undefined,
  followers: readonly Confirmation[],
) => ({
  ...revocationView(fact),
  receipt: receipt === undefined ? null : keptReceiptView(receipt),
  confirmed_by: followers
    .filter(({ at }) => at !== undefined)
    .map((one) => toWire({ ...one }, ['client_id', 'resource', 'instance', 'at'])),
  waiting_for: followers
    .filter(({ at }) => at === undefined)
    .map((one) => toWire({ ...one }, ['client_id', 'resource', 'instance', 'seen_at'])),
});
/** As it stands in the audit. */
const keptReceiptView = (receipt: KeptReceipt) =>
  Object.fromEntries(
    Object.keys(receiptViewSchema.shape).map((name) => [name, receipt[name as keyof KeptReceipt]]),
  );
export const receiptView = (receipt: Receipt) => ({
  ...view(receiptViewSchema)(receipt),
  revocation: receipt.revocation ?? null,
});
export const receiptAnswer = (receipt: Receipt) => ({ receipt: receiptView(receipt) });
export const eventView = (event: RecordedEvent, sentence: string): Record<string, unknown> => ({
  ...toWire(event as unknown as Row, Object.keys(eventViewSchema.shape)),
  sentence,
});

/** Of a bulk stop, done or foreseen. */
export const bulkAnswerSchema = receiptAnswerSchema.extend({ dry_run: z.boolean() });

/** What was changed, and what that stopped. */
export const stoppedSchema = (item: z.ZodObject) => item.extend({ receipt: receiptViewSchema });
export const stoppedView = ({ result, receipt }: Stopped<object>, each: View) => ({
  ...each(result),
  ...receiptAnswer(receipt),
});

export const pageView = <Item extends object>(page: Page<Item>, each: View) => ({
  items: page.items.map(each),
  next_cursor: page.nextCursor,
});
export const pageSchema = (item: z.ZodType) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

export {
  agentViewSchema,
  clientViewSchema,
  createdAgentViewSchema,
  createdClientViewSchema,
  credentialViewSchema,
  newCredentialViewSchema,
  permissionViewSchema,
  resourceViewSchema,
  roleViewSchema,
  toolsViewSchema,
  userViewSchema,
};

export const auditReportSchema = z.object({
  events: z.number(),
  chains: z.number(),
  checkpoints: z.number(),
  findings: z.array(
    z.object({
      kind: z.enum(['altered', 'missing', 'truncated', 'added', 'checkpoint']),
      chain: z.number().optional(),
      from: z.number().optional(),
      to: z.number().optional(),
      says: z.string(),
    }),
  ),
});

export const explanationSchema = z.object({
  about: z.enum(['event', 'token']),
  sentence: z.string(),
  state: z.enum(['alive', 'expired', 'stopped', 'not_recorded']).nullable(),
  expires_at: z.string().nullable(),
  event_id: z.number().nullable(),
  jti: z.string().nullable(),
  rule: z.string().nullable(),
  why: z.string().nullable(),
  asked: z.array(z.string()),
  granted: z.array(z.string()),
  taken_away: z.array(z.object({ scope: z.string(), by: z.array(z.string()) })),
  stops: z.array(
    z.object({ key: z.string(), revoked_at: z.string(), by: z.string(), reason: z.string() }),
  ),
  now: z.enum(['allowed', 'refused']).nullable(),
  now_why: z.string().nullable(),
  change: z.array(z.object({ says: z.string(), command: z.string().nullable() })).nullable(),
});
export const explanationView = ({ stops, ...rest }: Explanation): Record<string, unknown> => ({
  ...view(explanationSchema)(rest),
  stops: stops.map(({ revokedAt, ...stop }) => ({ ...stop, revoked_at: revokedAt.toISOString() })),
});
