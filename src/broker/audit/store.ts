/**
 * The audit log: append-only, and the registry of issued tokens. This slice owns writing events and
 * reading them back; it decides nothing. State change and event go in one transaction.
 */
import { and, desc, eq, gte, lt, sql } from 'drizzle-orm';
import { auditEvents } from '../../../schema/index.js';
import type { Database, Executor } from '../db/database.js';

/** What happened. Adding a kind means adding its sentence in `sentence.ts`. */
export type AuditType =
  | 'token.issued'
  | 'token.refused'
  | 'sign_in.succeeded'
  | 'sign_in.failed'
  | 'session.ended'
  | 'consent.granted'
  | 'consent.denied'
  | 'consent.ended'
  | 'grant.created'
  | 'grant.ended'
  | 'token.revoked'
  | 'code.replayed'
  | 'refresh_token.replayed'
  | 'refresh_token.repeated'
  | 'request.refused'
  | 'tool.allowed'
  | 'tool.refused'
  | 'agent.activated'
  | 'agent.paused'
  | 'agent.resumed'
  | 'agent.blocked'
  | 'agent.unblocked'
  | 'user.disabled'
  | 'user.enabled'
  | 'registry.created'
  | 'registry.changed'
  | 'registry.retired'
  | 'credential.added'
  | 'credential.removed'
  | 'key.published'
  | 'key.activated'
  | 'key.retired'
  | 'key.resealed'
  | 'world.applied'
  | 'bootstrap.used';

export interface AuditEvent {
  readonly type: AuditType;
  /** An id (`authorOf`), `admin` (bootstrap bearer), `cli`, or `system`. */
  readonly by?: string | undefined;
  readonly jti?: string | undefined;
  readonly sub?: string | undefined;
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly resource?: string | undefined;
  readonly grantId?: string | undefined;
  readonly requestId?: string | undefined;
  /** Never a secret, never a raw token. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

export interface RecordedEvent extends AuditEvent {
  readonly id: number;
  readonly at: Date;
}

/** Who did something, in one word: somebody, or somebody and the agent that acted for them. */
export const authorOf = (id: string, actor?: string): string =>
  actor === undefined ? id : `${id} ${actor}`;

/** The column names the one whose authority it was; the detail, who acted. */
function attributed(event: AuditEvent): AuditEvent {
  const [by, act] = (event.by ?? '').split(' ');
  return act === undefined ? event : { ...event, by, detail: { ...event.detail, act } };
}

/** Of a transaction: the request it is part of. */
const requests = new WeakMap<object, string>();

/** The database as one request has it: whatever its transactions record names the request. */
export const underRequest = (db: Database, requestId: string): Database => ({
  ...db,
  transaction: (work) =>
    db.transaction((tx) => {
      requests.set(tx, requestId);
      return work(tx);
    }),
});

/** Appends events on the caller's transaction (or on their own). */
export async function record(db: Executor, ...events: readonly AuditEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(attributed).map(({ agentId, clientId, grantId, requestId, ...event }) =>
    storable({
      ...event,
      agent_id: agentId,
      client_id: clientId,
      grant_id: grantId,
      request_id: requestId ?? requests.get(db),
      detail: { ...event.detail },
    }),
  );
  await db.execute(sql`select behalf_record(${JSON.stringify(rows)}::text::jsonb)`);
}

/** PostgreSQL keeps neither NUL nor half a character: who sends them is recorded all the same (P9). */
export function storable<T>(value: T): T {
  if (typeof value === 'string') return value.replace(UNSTORABLE, '\ufffd') as T;
  if (Array.isArray(value)) return value.map(storable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [storable(name), storable(member)]),
  ) as T;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is what is taken out
const UNSTORABLE = /[\u0000\p{Surrogate}]/gu;

export interface AuditFilter {
  readonly type?: string | undefined;
  readonly sub?: string | undefined;
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly resource?: string | undefined;
  readonly grantId?: string | undefined;
  /** What a consent gave, and what became of it. */
  readonly consentId?: string | undefined;
  /** A token, and everything that was exchanged from it, or refused to be. */
  readonly jti?: string | undefined;
  /** Whoever acts, anywhere in the chain: now, or before it was handed on. */
  readonly actor?: string | undefined;
  /** What has no column: a role, credential, key or session, or the principal of a permission. */
  readonly about?: string | undefined;
  /** Who caused it. */
  readonly by?: string | undefined;
  readonly requestId?: string | undefined;
  readonly since?: Date | undefined;
  /** Not of this instant any more. */
  readonly until?: Date | undefined;
  /** Events older than this id. */
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
}

const PAGE_MAX = 200;

/** Newest first. */
export async function listEvents(db: Executor, filter: AuditFilter = {}): Promise<RecordedEvent[]> {
  const conditions = [
    filter.type === undefined ? undefined : eq(auditEvents.type, filter.type),
    filter.sub === undefined ? undefined : eq(auditEvents.sub, filter.sub),
    filter.agentId === undefined ? undefined : eq(auditEvents.agentId, filter.agentId),
    filter.clientId === undefined ? undefined : eq(auditEvents.clientId, filter.clientId),
    filter.resource === undefined ? undefined : eq(auditEvents.resource, filter.resource),
    filter.grantId === undefined ? undefined : eq(auditEvents.grantId, filter.grantId),
    filter.consentId === undefined ? undefined : ofConsent(filter.consentId),
    filter.jti === undefined ? undefined : below(filter.jti),
    filter.actor === undefined ? undefined : actedBy(filter.actor),
    filter.about === undefined ? undefined : isAbout(filter.about),
    filter.by === undefined ? undefined : eq(auditEvents.by, filter.by),
    filter.requestId === undefined ? undefined : eq(auditEvents.requestId, filter.requestId),
    filter.since === undefined ? undefined : gte(auditEvents.at, filter.since),
    filter.until === undefined ? undefined : lt(auditEvents.at, filter.until),
    filter.before === undefined ? undefined : lt(auditEvents.id, filter.before),
  ];
  const rows = await db
    .select()
    .from(auditEvents)
    .where(and(...conditions))
    .orderBy(desc(auditEvents.id))
    .limit(Math.min(filter.limit ?? 50, PAGE_MAX));
  return rows as RecordedEvent[];
}

export async function findEvent(db: Executor, id: number): Promise<RecordedEvent | undefined> {
  const [row] = await db.select().from(auditEvents).where(eq(auditEvents.id, id));
  return row as RecordedEvent | undefined;
}

/** The event that a token is. */
export async function findIssued(db: Executor, jti: string): Promise<RecordedEvent | undefined> {
  const [row] = await db
    .select()
    .from(auditEvents)
    .where(and(eq(auditEvents.jti, jti), eq(auditEvents.type, 'token.issued')));
  return row as RecordedEvent | undefined;
}

/** By the indexes of its grants and of its user: the consent itself is only in an event's detail. */
const ofConsent = (id: string) => sql`(
  ${auditEvents.grantId} in (select id from grants where consent_id = ${id})
  or (${auditEvents.sub} = (select user_id from consents where id = ${id})
    and ${auditEvents.detail} ->> 'consent' = ${id}))`;

/** A token, what came of it, and what was refused to come of it. */
const below = (jti: string) => {
  const path = sql`coalesce(${auditEvents.jti}, ${auditEvents.detail} ->> 'parent')`;
  return sql`(${path} = ${jti} or starts_with(${path}, ${`${jti}.`}))`;
};

const isAbout = (id: string) => sql`${id} in (
  ${auditEvents.detail} ->> 'id', ${auditEvents.detail} ->> 'principal',
  ${auditEvents.detail} ->> 'credential', ${auditEvents.detail} ->> 'kid',
  ${auditEvents.detail} ->> 'session')`;

const actedBy = (id: string) => sql`(
  ${auditEvents.agentId} = ${id} or ${auditEvents.sub} = ${id} or ${auditEvents.detail} ->> 'act' = ${id}
  or ${auditEvents.detail} -> 'earlier_actors' @> jsonb_build_array(${id}::text))`;

/** Whether a token was recorded under this grant since then: tells a replay from a retry. */
export async function grantHasTokens(db: Executor, grantId: string, since: Date): Promise<boolean> {
  const rows = await db
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.grantId, grantId),
        eq(auditEvents.type, 'token.issued'),
        gte(auditEvents.at, since),
      ),
    )
    .limit(1);
  return rows.length > 0;
}

/** Names behind the ids of events, for sentences. */
export type NamesOf = (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>;
