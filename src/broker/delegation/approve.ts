/**
 * Writes what a user decided: the consent, the grant for this authorization and their audit events,
 * all or nothing. What only adds is one statement; what takes something back closes the gate first,
 * so that no token in flight slips past it.
 */
import { type SQL, sql } from 'drizzle-orm';
import { underRequest } from '../audit/store.js';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import { newId } from '../ids.js';
import { narrowTold, receiptFor } from '../revocation/receipt.js';
import { type DecisionFacts, onlyAdds } from './coverage.js';
import { consentEnded, markConsentEnded } from './ends.js';
import type { TakenAway } from './policy.js';
import {
  type ConsentRow,
  type ConsentSubject,
  findLiveConsent,
  type NewGrant,
  type Origin,
} from './store.js';
import {
  keptTerms,
  keptTermsFacts,
  type Terms,
  termsFacts,
  termsHash,
  widenedTerms,
} from './terms.js';

export interface Approval extends ConsentSubject {
  readonly clientHash: string;
  /** What the page said of everything it offered. */
  readonly terms: Terms;
  /** Everything the page showed. */
  readonly offered: readonly string[];
  /** What was ticked and is still allowed. */
  readonly granted: readonly string[];
  /** For the audit: what was asked for, and who took what of it away. */
  readonly asked: string;
  readonly takenAway: readonly TakenAway[];
  /** How many actors may follow the agent. */
  readonly helpers: number;
  readonly lifeSeconds: number;
  /** Of the facts it was decided on: whatever narrows counts the epoch up. */
  readonly epoch: number;
}

/**
 * A live consent for the same subject is widened in place; if the new decision takes something back,
 * or what was agreed to has changed, it ends, and with it everything it gave, so that unticking a
 * scope means what it says. Undefined when something changed since the facts it was decided on, or
 * whoever decided is signed out: then it is to be decided again.
 */
export async function approve(
  db: Database,
  approval: Approval,
  origin: Origin,
): Promise<NewGrant | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const grant = (await add(db, approval, origin)) ?? (await replace(db, approval, origin));
    if (grant !== undefined) return grant === STALE ? undefined : grant;
  }
  throw new Error('the consent kept changing while it was written');
}

/** Windows of one person that decide in the same instant; each round, one of them is done. */
const ATTEMPTS_MAX = 5;

async function add(
  db: Database,
  approval: Approval,
  origin: Origin,
): Promise<NewGrant | Stale | undefined> {
  // Most who see the page decide for the first time: whoever does not, finds one in the way.
  const first = await writeConsent(db.orm, inserted(approval, origin), approval, origin);
  if (first !== undefined) return first;
  const earlier = await findLiveConsent(db.orm, approval);
  if (earlier === undefined || !onlyAdds(factsOf(earlier), factsOf(approval))) return undefined;
  return writeConsent(db.orm, widened(earlier, approval, origin), approval, origin);
}

/** Ends what stands in the way and writes the decision; undefined when another window was first. */
async function replace(
  db: Database,
  approval: Approval,
  origin: Origin,
): Promise<NewGrant | Stale | undefined> {
  try {
    const { result } = await narrowTold(underRequest(db, origin.requestId), async (tx) => {
      const live = await findLiveConsent(tx, approval);
      // What only adds meanwhile ends nothing.
      if (live === undefined || onlyAdds(factsOf(live), factsOf(approval))) throw OVERTAKEN;
      const stops = [await markConsentEnded(tx, live, 'replaced', approval.userId)];
      const receipt = await receiptFor(tx, [{ kind: 'consents', ids: [live.id] }]);
      const grant = await writeConsent(tx, inserted(approval, origin), approval, origin);
      if (grant === undefined) throw OVERTAKEN;
      if (grant === STALE) throw STALE;
      const events = [consentEnded(live, 'replaced', approval.userId)];
      return { stops, receipt, events, result: grant };
    });
    return result;
  } catch (error) {
    if (error === OVERTAKEN) return undefined;
    if (error === STALE) return STALE;
    throw error;
  }
}

const OVERTAKEN = new Error('the consent changed meanwhile');
/** What was decided under does not stand any more. */
const STALE = Symbol('stale');
type Stale = typeof STALE;

/**
 * Whether what was decided under still stands: the facts, and the session it was decided in, if that is
 * known. Holds the gate's lock until the statement is over: what closes it says since when only then.
 */
const stands = (epoch: number, { session }: Origin): SQL => sql`
  (behalf_stands(${epoch}::bigint)
    and (${session}::text = '' or exists (
      select from user_sessions s where ${session}::text in (s.id, s.uid) and s.ended_at is null
        and (s.id <> s.uid or s.expires_at > clock_timestamp()))))`;

const factsOf = (decided: ConsentRow | Approval): DecisionFacts => ({
  ...decided,
  terms: 'termsHash' in decided ? keptTermsFacts(decided) : termsFacts(decided.terms),
});

/** Arrays travel as JSON: both databases read it alike. */
const list = (texts: readonly string[]): SQL =>
  sql`array(select jsonb_array_elements_text(${JSON.stringify(texts)}::text::jsonb))`;
const json = (value: unknown): SQL => sql`${JSON.stringify(value)}::text::jsonb`;
const until = (lifeSeconds: number): SQL =>
  sql`clock_timestamp() + make_interval(secs => ${lifeSeconds}::float8)`;

/** Nothing, when there is a live consent already. */
const inserted = (decided: Approval, origin: Origin): SQL => sql`
  insert into consents (id, user_id, client_id, client_hash, agent_id, resource, offered, granted,
    helpers, terms_hash, terms, expires_at)
  select ${newId('cns')}, ${decided.userId}, ${decided.clientId}, ${decided.clientHash},
    ${decided.agentId}, ${decided.resource}, ${list(decided.offered)}, ${list(decided.granted)},
    ${decided.helpers}::int, ${termsHash(decided.terms)}, ${json(decided.terms)},
    ${until(decided.lifeSeconds)}
  where ${stands(decided.epoch, origin)}
  on conflict (user_id, client_id, agent_id, resource) where ended_at is null do nothing
  returning *`;

const union = (one: readonly string[], other: readonly string[]): string[] =>
  [...new Set([...one, ...other])].sort();

/** Adds to the very row that was looked at; nothing, when it changed since. */
function widened(seen: ConsentRow, decided: Approval, origin: Origin): SQL {
  const terms = widenedTerms(keptTerms(seen), decided.terms);
  return sql`
  update consents set
    offered = ${list(union(seen.offered, decided.offered))},
    granted = ${list(union(seen.granted, decided.granted))},
    helpers = ${decided.helpers}::int,
    terms_hash = ${termsHash(terms)},
    terms = ${json(terms)},
    expires_at = ${until(decided.lifeSeconds)}
  where id = ${seen.id} and ended_at is null and client_hash = ${seen.clientHash}
    and terms_hash = ${seen.termsHash} and helpers = ${seen.helpers}::int
    and offered = ${list(seen.offered)} and granted = ${list(seen.granted)}
    and ${stands(decided.epoch, origin)}
  returning *`;
}

/** The grant under the consent that `row` writes, and both events; undefined when it wrote none. */
async function writeConsent(
  db: Executor,
  row: SQL,
  decided: Approval,
  origin: Origin,
): Promise<NewGrant | Stale | undefined> {
  const { asked, offered, granted, takenAway, helpers, epoch } = decided;
  const { isGood, grant } = await writeGrant(db, row, granted, origin, {
    stands: stands(epoch, origin),
    detail: { asked, offered, granted, taken_away: takenAway, helpers },
  });
  return isGood ? grant : STALE;
}

/** A fresh grant, never shared, under a consent that covers a request; undefined when either has changed. */
export async function createGrant(
  db: Executor,
  consent: Pick<ConsentRow, 'id'>,
  scopes: readonly string[],
  origin: Origin,
  epoch: number,
): Promise<NewGrant | undefined> {
  const row = sql`select * from consents
    where id = ${consent.id} and ended_at is null and ${stands(epoch, origin)}`;
  return (await writeGrant(db, row, scopes, origin)).grant;
}

interface GrantAnswer {
  readonly stands: boolean;
  readonly consent_id: string | null;
  readonly user_id: string;
  readonly client_id: string;
  readonly agent_id: string;
  readonly resource: string;
  readonly expires_at_ms: number;
}

async function writeGrant(
  db: Executor,
  consent: SQL,
  scopes: readonly string[],
  origin: Origin,
  decided?: { readonly stands: SQL; readonly detail: object },
): Promise<{ readonly isGood: boolean; readonly grant: NewGrant | undefined }> {
  const id = newId('gnt');
  const event = (type: string, grantId: string | null, detail: object): SQL => sql`
    select ${type}::text as type, user_id as by, user_id as sub, client_id,
      nullif(agent_id, '') as agent_id, nullif(resource, '') as resource,
      ${grantId}::text as grant_id, ${origin.requestId}::text as request_id,
      jsonb_build_object('consent', id) || ${json(detail)} as detail from consent`;
  const events = [
    ...(decided === undefined ? [] : [event('consent.granted', null, decided.detail)]),
    event('grant.created', id, { scope: scopes.join(' ') }),
  ];
  const rows = await db.execute(sql`
    with consent as (${consent}),
    given as (
      insert into grants (id, consent_id, user_id, client_id, agent_id, resource, scopes, expires_at, session_id)
      select ${id}::text, id, user_id, client_id, agent_id, resource, ${list(scopes)}, expires_at,
        (select s.id from user_sessions s where ${origin.session}::text in (s.id, s.uid))
      from consent returning *),
    recorded as (
      select behalf_record(jsonb_agg(to_jsonb(event))) from (${sql.join(events, sql` union all `)}) event)
    select ${decided?.stands ?? sql`true`} as stands, consent_id, user_id, client_id, agent_id, resource,
      extract(epoch from expires_at)::float8 * 1000 as expires_at_ms
    from (select 1) as one left join given on true left join recorded on true`);
  const [row] = rowsOf<GrantAnswer>(rows);
  if (row?.consent_id == null) return { isGood: row?.stands === true, grant: undefined };
  const grant = {
    id,
    consentId: row.consent_id,
    userId: row.user_id,
    clientId: row.client_id,
    agentId: row.agent_id,
    resource: row.resource,
    scopes: [...scopes],
    expiresAt: new Date(Math.round(row.expires_at_ms)),
  };
  return { isGood: true, grant };
}
