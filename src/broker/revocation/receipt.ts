/**
 * Receipts: what a stop ended. Counted in the stop's own transaction, under the gate's exclusive
 * lock and before its facts are written: nothing is issued meanwhile, and what was stopped before
 * does not count again. One statement, by indexes; only tokens of the last hour are looked at,
 * because none lives longer.
 */
import { eq, type SQL, sql } from 'drizzle-orm';
import { policyEpoch } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';

export interface Receipt {
  /** On the database's clock. */
  readonly endedAt: Date;
  /** Recorded, unexpired, and alive until then. */
  readonly accessTokens: number;
  readonly refreshTokens: number;
  readonly grants: number;
  readonly consents: number;
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
    case 'agent':
      return sql`e.agent_id = ${ended.id}`;
    case 'user':
      return sql`e.sub = ${ended.id}`;
    case 'client':
      return sql`(e.sub = ${ended.id}
        or e.grant_id in (select id from grants where client_id = ${ended.id}))`;
  }
}

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
  select 1 from audit_events e, string_to_array(e.jti, '.') as path
  where e.type = 'token.issued' and ${tokensOf(ended)}
    and e.at > clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})
    and (e.detail->>'exp')::bigint > extract(epoch from clock_timestamp())
    and not exists (
      select 1 from revocations f
      where (f.key in (e.sub, e.client_id, e.agent_id) or f.key in
          (select array_to_string(path[1:n], '.') from generate_subscripts(path, 1) as n))
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
      // The engine's own opaque ones, for userinfo.
      opaqueTokens: count(ofGrants(ended, 'AccessToken')),
      refreshTokens: whole ? count(ofGrants(ended, 'RefreshToken')) : NONE,
      grants: whole ? count(liveGrants(ended)) : NONE,
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
  refreshTokens: one.refreshTokens + other.refreshTokens,
  grants: one.grants + other.grants,
  consents: one.consents + other.consents,
});
