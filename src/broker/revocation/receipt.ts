/**
 * Receipts: what a stop ended. Counted in the stop's own transaction, under the gate's exclusive
 * lock and before its facts are written: nothing is issued meanwhile, and what was stopped before
 * does not count again. One statement, by indexes; only tokens of the last hour are looked at,
 * because none lives longer.
 */
import { eq, type SQL, sql } from 'drizzle-orm';
import { policyEpoch } from '../../../schema/index.js';
import type { Database, Executor } from '../db/database.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';
import { AWAY_SECONDS } from './followers.js';
import { closeGate, conclude, type Stop } from './store.js';

export interface Receipt {
  /** On the database's clock. */
  readonly endedAt: Date;
  /** Recorded, unexpired, and alive until then. */
  readonly accessTokens: number;
  /** Of these, what was exchanged from another: helpers and services further down. */
  readonly exchangedTokens: number;
  readonly refreshTokens: number;
  readonly grants: number;
  readonly consents: number;
  /** The newest fact: a follower that has applied it has applied the whole stop. Absent: foreseen. */
  readonly revocation?: number | undefined;
  /** Whether anybody follows the feed who could confirm it. */
  readonly isFollowed: boolean;
}

/** Whose end it is. */
export type Ended =
  /** Live until this transaction. */
  | { readonly kind: 'consents'; readonly ids: readonly string[] }
  | { readonly kind: 'grant'; readonly id: string }
  | { readonly kind: 'credential'; readonly id: string; readonly principal: string }
  | {
      readonly kind: 'agent' | 'client' | 'user';
      readonly id: string;
      /** Tokens: grants and consents wait. Grants: what hangs on them too. Consents: everything. */
      readonly reach: 'tokens' | 'grants' | 'consents';
      /** Its `notBefore` until now: what is older had ended already. */
      readonly since: Date;
    };

type Party = Extract<Ended, { readonly reach: string }>;

/** Audit columns hold who acts; of a client, whoever the token was for. */
const COLUMN = { agent: sql`agent_id`, client: sql`client_id`, user: sql`user_id` };

/** Rows of `audit_events e`. */
function tokensOf(ended: Ended): SQL {
  switch (ended.kind) {
    case 'consents':
      return sql`e.grant_id in (select id from grants where consent_id = any(${list(ended.ids)}))`;
    case 'grant':
      return sql`e.grant_id = ${ended.id}`;
    case 'credential':
      return sql`e.sub = ${ended.principal} and split_part(e.jti, '.', 1) = ${ended.id}`;
    case 'user':
      return sql`e.sub = ${ended.id}`;
    case 'agent':
      return sql`e.id in (${actedIn(sql`p.agent_id = ${ended.id}`)})`;
    case 'client':
      return sql`(e.sub = ${ended.id}
        or e.grant_id in (select id from grants where client_id = ${ended.id})
        or e.id in (${actedIn(sql`(p.agent_id = ${ended.id} or (p.client_id = ${ended.id}
          and p.agent_id in (select id from agents where ${ended.id} = any(clients))))`)}))`;
  }
}

const RECENT = sql.raw(`clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})`);

/** Every prefix of a token id that could be a token's: its own, its parent's, and so on. */
const prefixesOf = (jti: SQL): SQL => sql`select array_to_string(path[1:n], '.')
  from string_to_array(${jti}, '.') as path, generate_subscripts(path, 1) as n`;

/**
 * Tokens in whose story somebody acted: theirs, and what was exchanged from them. Looked for among
 * the tokens of the same grant or root, so that no more is read than hangs on them.
 */
const actedIn = (acts: SQL): SQL => sql`
  with theirs as materialized (
    select p.id, p.jti, p.sub, p.grant_id from audit_events p
    where p.type = 'token.issued' and p.at > ${RECENT} and ${acts})
  select id from theirs
  union select d.id from audit_events d
  where d.type = 'token.issued' and d.at > ${RECENT} and d.detail->>'parent' is not null
    and d.id in (
      select g.id from audit_events g where g.grant_id in (select grant_id from theirs)
      union all
      select s.id from audit_events s where s.grant_id is null
        and s.sub in (select sub from theirs where grant_id is null))
    and exists (select 1 from theirs where jti in (${prefixesOf(sql`d.jti`)}))`;

/** Rows of `grants g` joined to their `consents c`; what this very transaction ended still counts. */
function grantsOf(ended: Ended): SQL {
  switch (ended.kind) {
    case 'consents':
      return sql`c.id = any(${list(ended.ids)}) and g.ended_at is null`;
    case 'grant':
      return sql`g.id = ${ended.id} and c.ended_at is null`;
    case 'credential':
      return sql`false`;
    default:
      return sql`g.${COLUMN[ended.kind]} = ${ended.id} and g.ended_at is null
        and c.ended_at is null and g.created_at >= ${instant(ended.since)}`;
  }
}

function consentsOf(ended: Ended): SQL {
  if (ended.kind === 'consents') return sql`k.id = any(${list(ended.ids)})`;
  if (!isParty(ended) || ended.reach !== 'consents') return sql`false`;
  return sql`k.${COLUMN[ended.kind]} = ${ended.id} and k.ended_at is null`;
}

const isParty = (ended: Ended): ended is Party => 'reach' in ended;
const reachesGrants = (ended: Ended): boolean => !isParty(ended) || ended.reach !== 'tokens';
const list = (ids: readonly string[]): SQL => sql`${`{${ids.join(',')}}`}::text[]`;
const instant = (at: Date): SQL => sql`${at.toISOString()}::timestamptz`;
const selfOf = (ended: Ended): string => ('id' in ended ? ended.id : '');

/** Grants alive: nobody else in their story was stopped since. A paused agent's grants wait. */
const liveGrants = (ended: Ended): SQL => sql`
  select g.id from grants g join consents c on c.id = g.consent_id
  where ${grantsOf(ended)}
    and g.expires_at > clock_timestamp() and c.expires_at > clock_timestamp()
    and not exists (select 1 from users u where u.id = g.user_id and u.id <> ${selfOf(ended)}
      and (u.status <> 'active' or u.not_before > g.created_at))
    and not exists (select 1 from agents a where a.id in (g.agent_id, g.client_id)
      and a.id <> ${selfOf(ended)}
      and (a.status not in ('active', 'paused') or a.not_before > g.created_at))
    and not exists (select 1 from clients k where k.id = g.client_id and k.id <> ${selfOf(ended)}
      and (k.status <> 'active' or k.not_before > g.created_at))`;

/** Recorded, unexpired, and no fact yet about any of their keys (`revocationKeys`). */
const liveTokens = (ended: Ended): SQL => sql`
  select e.detail from audit_events e
  where e.type = 'token.issued' and ${tokensOf(ended)}
    and e.at > ${RECENT}
    and (e.detail->>'exp')::bigint > extract(epoch from clock_timestamp())
    and not exists (
      select 1 from revocations f
      where (f.key in (e.sub, e.client_id, e.agent_id) or f.key in (${prefixesOf(sql`e.jti`)})
          or (e.detail->>'parent' is not null and f.key in (
            select unnest(array[p.client_id, p.agent_id]) from audit_events p
            where p.type = 'token.issued' and p.jti in (${prefixesOf(sql`e.jti`)}))))
        and (f.always or floor(extract(epoch from f.revoked_at)) >= (e.detail->>'iat')::bigint))`;

const ofGrants = (ended: Ended, model: string): SQL => sql`
  select 1 from artifacts t where t.model = ${model} and t.consumed_at is null
    and t.expires_at > clock_timestamp() and t.grant_id in (${liveGrants(ended)})`;

const count = (rows: SQL) => sql<number>`(select count(*)::int from (${rows}) as counted)`;
const NONE = sql<number>`0`;

/** What these stops end. The gate must be closed, and their facts not yet written. */
export async function receiptFor(tx: Executor, ended: readonly Ended[]): Promise<Receipt> {
  // Something is always asked: an end of nothing happens at a time, too.
  const [first, ...others] = ended.length === 0 ? [NOTHING] : ended;
  let receipt = await countOne(tx, first as Ended);
  for (const other of others) receipt = addReceipts(receipt, await countOne(tx, other));
  return receipt;
}

const NOTHING: Ended = { kind: 'consents', ids: [] };

async function countOne(tx: Executor, ended: Ended): Promise<Receipt> {
  const whole = reachesGrants(ended);
  const [row] = await tx
    .select({
      endedAt: sql<string>`to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
      accessTokens: count(liveTokens(ended)),
      exchangedTokens: count(sql`select 1 from (${liveTokens(ended)}) as live
        where live.detail->>'parent' is not null`),
      // The engine's own opaque ones, for userinfo.
      opaqueTokens: count(ofGrants(ended, 'AccessToken')),
      refreshTokens: whole ? count(ofGrants(ended, 'RefreshToken')) : NONE,
      grants: whole ? count(liveGrants(ended)) : NONE,
      isFollowed: sql<boolean>`exists (select 1 from feed_followers
        where seen_at > clock_timestamp() - make_interval(secs => ${AWAY_SECONDS}))`,
      consents: count(sql`select 1 from consents k
        where ${consentsOf(ended)} and k.expires_at > clock_timestamp()`),
    })
    .from(policyEpoch)
    .where(eq(policyEpoch.id, 1));
  if (row === undefined) throw new Error('the policy epoch is gone');
  const { endedAt, opaqueTokens, ...counts } = row;
  return {
    ...counts,
    endedAt: new Date(endedAt),
    accessTokens: counts.accessTokens + opaqueTokens,
  };
}

export const addReceipts = (one: Receipt, other: Receipt): Receipt => ({
  endedAt: other.endedAt,
  accessTokens: one.accessTokens + other.accessTokens,
  exchangedTokens: one.exchangedTokens + other.exchangedTokens,
  refreshTokens: one.refreshTokens + other.refreshTokens,
  grants: one.grants + other.grants,
  consents: one.consents + other.consents,
  revocation: other.revocation ?? one.revocation,
  isFollowed: one.isFollowed || other.isFollowed,
});

interface Counted<R> {
  readonly stops: readonly Stop[];
  readonly result: R;
}

/** Writes the facts of what was counted, and says under which one it can be asked about. */
export async function concludeCounted<R extends Receipt | undefined>(
  tx: Executor,
  { stops, result }: Counted<R>,
): Promise<R> {
  const revocation = await conclude(tx, stops);
  return result === undefined ? result : { ...result, revocation };
}

/** `narrow` (`store.ts`) for a stop that says what it ended. */
export const narrowCounted = <R extends Receipt | undefined>(
  db: Database,
  work: (tx: Executor) => Promise<Counted<R>>,
): Promise<R> =>
  db.transaction(async (tx) => {
    await closeGate(tx);
    return concludeCounted(tx, await work(tx));
  });
