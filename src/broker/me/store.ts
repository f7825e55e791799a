/**
 * What a user sees of the own consents: who acts, where, since when, when last. Reads only, always
 * by the user's id, in a number of statements that does not grow with what is found.
 */
import type { RecordedEvent } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';

export interface MyConsent {
  readonly id: string;
  readonly userId: string;
  /** Empty: the client acts for itself. */
  readonly agentId: string;
  readonly agentName: string;
  readonly agentOwner: string | undefined;
  /** draft | active | paused | blocked | retired; undefined without an agent. */
  readonly agentStatus: string | undefined;
  readonly clientId: string;
  readonly clientName: string;
  /** Empty: identity only. */
  readonly resource: string;
  readonly resourceName: string;
  readonly granted: readonly string[];
  /** Scope → its title, as it was agreed to. */
  readonly titles: Readonly<Record<string, string>>;
  readonly helpers: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | undefined;
  readonly endedReason: string | undefined;
  readonly endedBy: string | undefined;
  /** When a token was last issued under it. */
  readonly lastUsedAt: Date | undefined;
}

interface Row {
  readonly id: string;
  readonly user_id: string;
  readonly agent_id: string;
  readonly agent_name: string | null;
  readonly agent_owner: string | null;
  readonly agent_status: string | null;
  readonly client_id: string;
  readonly client_name: string | null;
  readonly resource: string;
  readonly resource_name: string | null;
  readonly granted: readonly string[];
  readonly titles: Readonly<Record<string, string>> | null;
  readonly helpers: number;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly ended_at: Date | null;
  readonly ended_reason: string | null;
  readonly ended_by: string | null;
  readonly last_used_at: Date | null;
}

/** Names of today; titles of scopes as they were agreed to. A client may be an agent itself. */
const SELECT = `
select c.id, c.user_id, c.agent_id, a.name as agent_name, a.owner as agent_owner, a.status as agent_status,
  c.client_id, coalesce(k.name, o.name) as client_name, c.resource, r.name as resource_name,
  c.granted, c.helpers, c.created_at, c.expires_at, c.ended_at, c.ended_reason, c.ended_by,
  (select jsonb_object_agg(key, value ->> 'title')
   from jsonb_each(coalesce(c.terms -> 'scopes', '{}'))) as titles,
  (select max(e.at) from grants g
   join audit_events e on e.grant_id = g.id and e.type = 'token.issued'
   where g.consent_id = c.id) as last_used_at
from consents c
left join agents a on a.id = c.agent_id
left join clients k on k.id = c.client_id
left join agents o on o.id = c.client_id
left join resources r on r.identifier = c.resource
where c.user_id = $1 and `;

const LIVE = 'c.ended_at is null and c.expires_at > clock_timestamp()';
/** How long, and how many of them, what is over stays on the page. */
const OVER = `not (${LIVE})
  and coalesce(c.ended_at, c.expires_at) > clock_timestamp() - interval '30 days'
order by coalesce(c.ended_at, c.expires_at) desc, c.id limit 20`;

/** All that is live, the newest first, and what was over lately. */
export async function listMyConsents(
  db: Database,
  userId: string,
): Promise<{ readonly live: readonly MyConsent[]; readonly over: readonly MyConsent[] }> {
  const [live, over] = await Promise.all([
    db.run<Row>(`${SELECT} ${LIVE} order by c.created_at desc, c.id`, [userId]),
    db.run<Row>(`${SELECT} ${OVER}`, [userId]),
  ]);
  return { live: live.map(fromRow), over: over.map(fromRow) };
}

const OWN_SERVERS = `
select r.identifier, r.name from resources r
where r.identifier in (select jsonb_array_elements_text($2::text::jsonb))
  and (exists (select from consents c where c.user_id = $1 and c.resource = r.identifier)
    or exists (select from audit_events e where e.sub = $1 and e.type = 'token.issued'
      and e.resource = r.identifier
      and e.at > clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})))`;

/**
 * The names of those resources that a user has allowed something at, or that hold a token in the
 * user's name: which others there are is nobody's business.
 */
export async function namesOfOwn(
  db: Database,
  userId: string,
  resources: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.run<{ identifier: string; name: string }>(OWN_SERVERS, [
    userId,
    JSON.stringify(resources),
  ]);
  return new Map(rows.map(({ identifier, name }) => [identifier, name]));
}

/** One of the user's consents, live or not; somebody else's does not exist. */
export async function findMyConsent(
  db: Database,
  userId: string,
  id: string,
): Promise<MyConsent | undefined> {
  const [row] = await db.run<Row>(`${SELECT} c.id = $2`, [userId, id]);
  return row === undefined ? undefined : fromRow(row);
}

const fromRow = (row: Row): MyConsent => ({
  id: row.id,
  userId: row.user_id,
  agentId: row.agent_id,
  agentName: row.agent_name ?? row.agent_id,
  agentOwner: row.agent_owner ?? undefined,
  agentStatus: row.agent_status ?? undefined,
  clientId: row.client_id,
  clientName: row.client_name ?? row.client_id,
  resource: row.resource,
  resourceName: row.resource_name ?? row.resource,
  granted: row.granted,
  titles: row.titles ?? {},
  helpers: row.helpers,
  createdAt: new Date(row.created_at),
  expiresAt: new Date(row.expires_at),
  endedAt: dateOf(row.ended_at),
  endedReason: row.ended_reason ?? undefined,
  endedBy: row.ended_by ?? undefined,
  lastUsedAt: dateOf(row.last_used_at),
});

const dateOf = (value: Date | null): Date | undefined =>
  value === null ? undefined : new Date(value);

/**
 * What happened under a consent. What a resource server reports counts only of a token that was
 * issued for that very resource: nobody else writes into this history.
 */
const TIMELINE = `
select e.id, e.at, e.type, e.by, e.jti, e.sub, e.agent_id, e.client_id, e.resource, e.detail
from audit_events e
where e.sub = $1 and ($3::bigint is null or e.id < $3::bigint)
  and (e.grant_id in (select id from grants where consent_id = $2)
    or e.detail ->> 'consent' = $2
    or (split_part(e.jti, '.', 1) = $2 and exists (select from audit_events i
        where i.type = 'token.issued' and i.jti = e.jti and i.resource = e.resource)))
order by e.id desc limit $4::int`;

/** Newest first, older than the event `before`. */
export async function timelineOf(
  db: Database,
  of: { readonly userId: string; readonly consentId: string },
  page: { readonly before: number | undefined; readonly limit: number },
): Promise<RecordedEvent[]> {
  const rows = await db.run<Record<string, never>>(TIMELINE, [
    of.userId,
    of.consentId,
    page.before ?? null,
    page.limit,
  ]);
  return rows.map((row) => ({
    id: Number(row.id),
    at: new Date(row.at as unknown as string),
    type: row.type as unknown as RecordedEvent['type'],
    by: row.by ?? undefined,
    jti: row.jti ?? undefined,
    sub: row.sub ?? undefined,
    agentId: row.agent_id ?? undefined,
    clientId: row.client_id ?? undefined,
    resource: row.resource ?? undefined,
    detail: row.detail ?? {},
  }));
}
