/**
 * What an assertion comes to, written at once: its single use, the consent that the enterprise's policy
 * is, and the grant under it. A user's own live consent for the same client, agent and resource is what
 * it hangs on then, and stays as it is: there is one place where a user ends what acts for them.
 */
import { sql } from 'drizzle-orm';
import { grants } from '../../../schema/index.js';
import { type AuditEvent, record, underRequest } from '../audit/store.js';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import { consentEnded } from '../delegation/ends.js';
import { type ConsentSubject, findLiveConsent, type GrantRow } from '../delegation/store.js';
import { newId } from '../ids.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';

export interface NewAssertion {
  readonly issuer: string;
  readonly subject: string;
  readonly jti: string;
  /** Seconds: until then it could be shown again. */
  readonly expiresAt: number;
  readonly about: ConsentSubject;
  /** What the enterprise allows of what was asked. */
  readonly scopes: readonly string[];
  /** The user was found by address: the subject means them from now on. */
  readonly link: boolean;
  /** Of the facts it was decided on. */
  readonly epoch: number;
  readonly requestId: string;
}

/** What stopped it: used before, or the facts it was decided on are old. */
export type Outcome = GrantRow | 'used' | 'stale' | 'recycled';

const undo = new WeakMap<Error, Outcome>();

/** @returns the grant, or why there is none; then nothing was written */
export async function writeAssertion(db: Database, asserted: NewAssertion): Promise<Outcome> {
  try {
    return await underRequest(db, asserted.requestId).transaction(async (tx) => {
      // The gate's lock is held until the end: whoever stops anything waits, and then stops this too.
      if (!(await stands(tx, asserted.epoch))) throw undone('stale');
      if (!(await useUp(tx, asserted))) throw undone('used');
      if (asserted.link && !(await link(tx, asserted))) throw undone('recycled');
      return grantUnder(tx, asserted, await consentFor(tx, asserted));
    });
  } catch (error) {
    const outcome = error instanceof Error ? undo.get(error) : undefined;
    if (outcome === undefined) throw error;
    return outcome;
  }
}

function undone(outcome: Outcome): Error {
  const error = new Error('nothing of it is written');
  undo.set(error, outcome);
  return error;
}

async function stands(tx: Executor, epoch: number): Promise<boolean> {
  const rows = await tx.execute(sql`select behalf_stands(${epoch}::bigint) as stands`);
  return rowsOf<{ stands: boolean }>(rows)[0]?.stands === true;
}

/** Whichever process asks: one of however many wins (D6). Kept longer than it could be shown. */
async function useUp(tx: Executor, { issuer, jti, expiresAt }: NewAssertion): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into artifacts (model, id, payload, expires_at)
    values ('Assertion', encode(sha256(convert_to(${JSON.stringify([issuer, jti])}, 'UTF8')), 'hex'),
      '{}', to_timestamp(${expiresAt}::bigint) + interval '5 minutes')
    on conflict (model, id) do nothing returning 1`);
  return rowsOf(rows).length > 0;
}

/**
 * An address that goes to somebody else at the issuer brings another subject: it does not inherit what
 * the first one was (incident 30).
 */
async function link(tx: Executor, { issuer, subject, about }: NewAssertion): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into user_identities (issuer, subject, user_id, created_by)
    select ${issuer}, ${subject}, ${about.userId}, ${issuer}
    where not exists (select from user_identities
      where issuer = ${issuer} and user_id = ${about.userId})
    on conflict (issuer, subject) do nothing returning 1`);
  if (rowsOf(rows).length === 0) return isLinked(tx, issuer, subject, about.userId);
  const detail = { noun: 'identity', id: subject, issuer };
  await record(tx, { type: 'registry.created', by: issuer, sub: about.userId, detail });
  return true;
}

/** Another request was first, with the same. */
async function isLinked(tx: Executor, issuer: string, subject: string, userId: string) {
  const rows = await tx.execute(sql`select 1 from user_identities
    where issuer = ${issuer} and subject = ${subject} and user_id = ${userId}`);
  return rowsOf(rows).length > 0;
}

interface Under {
  readonly id: string;
  /** Milliseconds. */
  readonly expires_at_ms: number;
  readonly created: boolean;
}

/** No page showed it and no code flow ever reuses it: what a page would have shown is not in it. */
const hashOf = (issuer: string): string => `id_jag ${issuer}`;

async function consentFor(tx: Executor, asserted: NewAssertion): Promise<Under> {
  const made = await upsertConsent(tx, asserted);
  if (made !== undefined) {
    if (made.created) await record(tx, consentEvent(asserted, made.id));
    return made;
  }
  const own = await findLiveConsent(tx, asserted.about);
  if (own === undefined) throw undone('stale');
  if (own.expiresAt.getTime() > (await clock(tx))) {
    return { id: own.id, expires_at_ms: own.expiresAt.getTime(), created: false };
  }
  // Run out, and in the way: nothing of it is alive.
  await tx.execute(sql`update consents set ended_at = clock_timestamp(), ended_reason = 'expired',
    ended_by = 'system' where id = ${own.id}`);
  await record(tx, consentEnded(own, 'expired', 'system'));
  return consentFor(tx, asserted);
}

async function clock(tx: Executor): Promise<number> {
  const rows = await tx.execute(
    sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`,
  );
  return Number(rowsOf<{ ms: number }>(rows)[0]?.ms);
}

async function upsertConsent(
  tx: Executor,
  { issuer, about, scopes }: NewAssertion,
): Promise<Under | undefined> {
  const list = sql`array(select jsonb_array_elements_text(${JSON.stringify(scopes)}::text::jsonb))`;
  const rows = await tx.execute(sql`
    insert into consents as c (id, user_id, client_id, client_hash, agent_id, resource, offered, granted,
      helpers, expires_at)
    values (${newId('cns')}, ${about.userId}, ${about.clientId}, ${hashOf(issuer)}, ${about.agentId},
      ${about.resource}, ${list}, ${list}, 0,
      clock_timestamp() + make_interval(secs => ${TOKEN_TTL_MAX_SECONDS}))
    on conflict (user_id, client_id, agent_id, resource) where ended_at is null do update set
      expires_at = greatest(c.expires_at, excluded.expires_at),
      offered = array(select distinct unnest(c.offered || excluded.offered) order by 1),
      granted = array(select distinct unnest(c.granted || excluded.granted) order by 1)
      where c.client_hash = excluded.client_hash
    returning id, extract(epoch from expires_at)::float8 * 1000 as expires_at_ms, (xmax = 0) as created`);
  return rowsOf<Under>(rows)[0];
}

const consentEvent = (
  { issuer, subject, jti, about, scopes }: NewAssertion,
  consent: string,
): AuditEvent => ({
  type: 'consent.granted',
  by: issuer,
  sub: about.userId,
  clientId: about.clientId,
  agentId: about.agentId || undefined,
  resource: about.resource,
  detail: { consent, granted: scopes, asserted_by: issuer, asserted_sub: subject, assertion: jti },
});

async function grantUnder(
  tx: Executor,
  { issuer, jti, about, scopes }: NewAssertion,
  consent: Under,
): Promise<GrantRow> {
  const endsAt = Math.min(consent.expires_at_ms, (await clock(tx)) + TOKEN_TTL_MAX_SECONDS * 1000);
  const [grant] = await tx
    .insert(grants)
    .values({
      id: newId('gnt'),
      consentId: consent.id,
      ...about,
      scopes: [...scopes],
      createdAt: sql`clock_timestamp()` as unknown as Date,
      expiresAt: new Date(Math.floor(endsAt)),
    })
    .returning();
  const row = grant as GrantRow;
  await record(tx, {
    type: 'grant.created',
    by: issuer,
    sub: about.userId,
    clientId: about.clientId,
    agentId: about.agentId || undefined,
    resource: about.resource,
    grantId: row.id,
    detail: { consent: consent.id, scope: scopes.join(' '), asserted_by: issuer, assertion: jti },
  });
  return row;
}
