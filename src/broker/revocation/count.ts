/**
 * Counts what a stop ends, in one statement and by indexes; only tokens of the last hour are looked
 * at, because none lives longer. The gate must be closed and the facts not yet written: nothing is
 * issued meanwhile, and what was stopped before does not count again.
 */
import { type SQL, sql } from 'drizzle-orm';
import { type Executor, rowsOf } from '../db/database.js';
import { type Ended, type Hanging, hanging, list } from './ended.js';
import { AWAY_SECONDS } from './followers.js';

/** Every prefix of a token's id that could be a token's: its own, its parent's, and so on. */
const PREFIXES = sql`array(select array_to_string(path[1:n], '.')
  from string_to_array(e.jti, '.') as path, generate_subscripts(path, 1) as n)`;

/** What would stop a token (`revocationKeys`); who acted or fronted before stands in its ancestors. */
const KEYS = sql`array[e.sub, e.client_id, e.agent_id, 'kid:' || (e.detail->>'kid')]
  || ${PREFIXES}
  || case when e.detail->>'parent' is null then '{}'::text[] else array(
    select unnest(array[p.client_id, p.agent_id]) from audit_events p
    where p.type = 'token.issued' and p.jti = any(${PREFIXES})) end`;

/** Recorded, unexpired, and no fact yet about any of their keys. */
const liveTokens = (tokens: SQL): SQL => sql`
  select e.id, e.jti, e.detail from (${tokens}) e
  where (e.detail->>'exp')::bigint > extract(epoch from clock_timestamp())
    and not exists (
      select 1 from revocations f where f.key = any(${KEYS})
        and (f.always or floor(extract(epoch from f.revoked_at)) >= (e.detail->>'iat')::bigint))`;

/** Grants alive: nobody else in their story was stopped since. A paused agent's grants wait. */
const liveGrants =
  ({ parties }: Hanging) =>
  (which: SQL): SQL =>
    sql`
  select g.id from grants g join consents c on c.id = g.consent_id
  where ${which}
    and g.expires_at > clock_timestamp() and c.expires_at > clock_timestamp()
    and not exists (select 1 from users u where u.id = g.user_id and u.id <> all(${list(parties)})
      and (u.status <> 'active' or u.not_before > g.created_at))
    and not exists (select 1 from agents a where a.id in (g.agent_id, g.client_id)
      and a.id <> all(${list(parties)})
      and (a.status not in ('active', 'paused') or a.not_before > g.created_at))
    and not exists (select 1 from clients k where k.id = g.client_id and k.id <> all(${list(parties)})
      and (k.status <> 'active' or k.not_before > g.created_at))`;

const liveConsents = (which: SQL): SQL => sql`
  select k.id from consents k where ${which} and k.expires_at > clock_timestamp()`;

const NO_TOKENS = sql`select 0::bigint as id, ''::text as jti, '{}'::jsonb as detail where false`;

/** Work that went on from one actor to others, by what the last of them holds. */
const CHAINS = sql`
  select from live where detail->'earlier_actors' is not null
    and not exists (select from live d where d.detail->>'parent' = live.jti)`;

/** Each row once, whoever ends it; undefined where there is nothing to look for. */
const together = (parts: readonly SQL[]): SQL | undefined =>
  parts.length === 0 ? undefined : sql.join([...parts], sql` union `);

const NONE = sql`0`;
const countOf = (rows: SQL | undefined): SQL =>
  rows === undefined ? NONE : sql`(select count(*)::int from (${rows}) as counted)`;

const artifactsOf = (model: string, grants: SQL | undefined): SQL =>
  grants === undefined
    ? NONE
    : countOf(sql`select 1 from artifacts t where t.model = ${model} and t.consumed_at is null
        and t.expires_at > clock_timestamp() and t.grant_id in (${grants})`);

export interface Counts {
  /** On the database's clock. */
  readonly endedAt: Date;
  /** Recorded, unexpired, and alive until then. */
  readonly accessTokens: number;
  /** Of these, what was exchanged from another: helpers and services further down. */
  readonly exchangedTokens: number;
  /** How many ways work went on from one actor to others, each counted at its end. */
  readonly helperChains: number;
  readonly refreshTokens: number;
  readonly grants: number;
  readonly consents: number;
  /** Whether anybody follows the feed who could confirm it. */
  readonly isFollowed: boolean;
}

/** Everything is counted once, however many of these ends it. Of no ends, only the time is told. */
export async function countEnded(tx: Executor, ended: readonly Ended[]): Promise<Counts> {
  const what = hanging(ended);
  const tokens = together(what.tokens.map(liveTokens));
  const grants = together(what.grants.map(liveGrants(what)));
  const waiting = together([...what.grants, ...what.waiting].map(liveGrants(what)));
  const rows = await tx.execute(sql`
    with live as materialized (${tokens ?? NO_TOKENS})
    select
      to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "endedAt",
      ${countOf(sql`select from live`)} as "accessTokens",
      ${countOf(sql`select from live where detail->>'parent' is not null`)} as "exchangedTokens",
      ${countOf(CHAINS)} as "helperChains",
      -- The engine's own opaque ones, for userinfo.
      ${artifactsOf('AccessToken', waiting)} as "opaqueTokens",
      ${artifactsOf('RefreshToken', grants)} as "refreshTokens",
      ${countOf(grants)} as "grants",
      ${countOf(together(what.consents.map(liveConsents)))} as "consents",
      exists (select from feed_followers
        where seen_at > clock_timestamp() - make_interval(secs => ${AWAY_SECONDS}::float8)) as "isFollowed"`);
  const [row] = rowsOf<CountRow>(rows);
  if (row === undefined) throw new Error('a statement without conditions gave no row');
  const { endedAt, opaqueTokens, ...counts } = row;
  return {
    ...counts,
    endedAt: new Date(endedAt),
    accessTokens: counts.accessTokens + opaqueTokens,
  };
}

type CountRow = Omit<Counts, 'endedAt'> & {
  readonly endedAt: string;
  readonly opaqueTokens: number;
};
