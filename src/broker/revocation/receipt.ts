/**
 * Receipts: what a stop ended (`count.ts`), kept in the stop's own audit event, so that it can be
 * asked for as long as there is an audit. Counted in the stop's own transaction, under the gate's
 * exclusive lock; who has confirmed it is asked of the followers whenever somebody wants to know.
 */
import { sql } from 'drizzle-orm';
import { type AuditEvent, record } from '../audit/store.js';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import { FACT_LIFE_SECONDS } from '../limits.js';
import { type Counts, countEnded } from './count.js';
import type { Ended } from './ended.js';
import type { RevocationRow } from './queries.js';
import { closeGate, conclude, type Stop } from './store.js';

export type { Ended } from './ended.js';

export interface Receipt extends Counts {
  /** The newest fact: a follower that has applied it has applied the whole stop. Absent: foreseen. */
  readonly revocation?: number | undefined;
}

/** What these stops end. The gate must be closed, and their facts not yet written. */
export const receiptFor = (tx: Executor, ended: readonly Ended[]): Promise<Receipt> =>
  countEnded(tx, ended);

export const addReceipts = (one: Receipt, other: Receipt): Receipt => ({
  endedAt: other.endedAt,
  accessTokens: one.accessTokens + other.accessTokens,
  exchangedTokens: one.exchangedTokens + other.exchangedTokens,
  helperChains: one.helperChains + other.helperChains,
  refreshTokens: one.refreshTokens + other.refreshTokens,
  grants: one.grants + other.grants,
  consents: one.consents + other.consents,
  revocation: other.revocation ?? one.revocation,
  isFollowed: one.isFollowed || other.isFollowed,
});

/** What a stop comes to, ready to be written. */
export interface Told<R extends Receipt | undefined = Receipt> {
  readonly stops: readonly Stop[];
  /** Undefined: nothing was live. */
  readonly receipt: R;
  /** Each will say the receipt of the whole stop. */
  readonly events: readonly AuditEvent[];
  /** What else happened. */
  readonly others?: readonly AuditEvent[];
}

/**
 * Writes the facts of what was counted, and the events, which say what it ended and under which fact
 * that can be asked about.
 */
export async function concludeTold<R extends Receipt | undefined>(
  tx: Executor,
  { stops, receipt, events, others = [] }: Told<R>,
): Promise<R> {
  const { newest, count } = await conclude(tx, stops);
  if (receipt === undefined) {
    await record(tx, ...events, ...others);
    return receipt;
  }
  const whole = { ...receipt, revocation: newest ?? receipt.revocation };
  const kept = { receipt: keptReceipt(whole, count) };
  const telling = events.map((event) => ({ ...event, detail: { ...event.detail, ...kept } }));
  await record(tx, ...telling, ...others);
  return whole;
}

/**
 * Runs a short change that narrows: `work` finds the gate closed, makes its durable changes, counts and
 * returns the facts and events they amount to. All of it commits together; the policy epoch counts
 * up, so no decision made under older facts is issued afterwards. What `work` writes (consents, grants,
 * what hangs on them, keys) must be nothing that somebody holds who waits for the gate: see
 * `registry/change.ts` for the others.
 */
export const narrowTold = <T>(
  db: Database,
  work: (tx: Executor) => Promise<Told & { readonly result: T }>,
): Promise<{ readonly result: T; readonly receipt: Receipt }> =>
  db.transaction(async (tx) => {
    await closeGate(tx);
    const { result, ...told } = await work(tx);
    return { result, receipt: await concludeTold(tx, told) };
  });

/** The same, for a stop that answers with what it ended and nothing else. */
export const narrowCounted = <R extends Receipt | undefined>(
  db: Database,
  work: (tx: Executor) => Promise<Told<R>>,
): Promise<R> =>
  db.transaction(async (tx) => {
    await closeGate(tx);
    return concludeTold(tx, await work(tx));
  });

/** A receipt in an event: what is asked live stays out. */
export interface KeptReceipt {
  readonly ended_at: string;
  readonly access_tokens: number;
  readonly exchanged_tokens: number;
  readonly helper_chains: number;
  readonly refresh_tokens: number;
  readonly grants: number;
  readonly consents: number;
  /** The newest of its facts; null: nothing was there to be stopped. */
  readonly revocation: number | null;
  /** How many facts it is, numbered up to the newest: the gate lets nobody else write between. */
  readonly facts: number;
}

const keptReceipt = (receipt: Receipt, facts: number): KeptReceipt => ({
  ended_at: receipt.endedAt.toISOString(),
  access_tokens: receipt.accessTokens,
  exchanged_tokens: receipt.exchangedTokens,
  helper_chains: receipt.helperChains,
  refresh_tokens: receipt.refreshTokens,
  grants: receipt.grants,
  consents: receipt.consents,
  revocation: receipt.revocation ?? null,
  facts,
});

/** Events of a stop follow its facts at once; transactions of thousands take a moment. */
const FOLLOW_WITHIN_SECONDS = 10;

/**
 * The receipt of the stop that a fact is part of. Facts say when they were written: the event is one
 * of the next, so that the log is not searched.
 */
export async function receiptOf(
  db: Executor,
  { id, until }: Pick<RevocationRow, 'id' | 'until'>,
): Promise<KeptReceipt | undefined> {
  const written = new Date(until.getTime() - FACT_LIFE_SECONDS * 1000).toISOString();
  const rows = await db.execute(sql`
    select detail -> 'receipt' as receipt from audit_events
    where at >= ${written}::timestamptz - interval '1 second'
      and at < ${written}::timestamptz + make_interval(secs => ${FOLLOW_WITHIN_SECONDS}::float8)
      and ${id}::bigint between (detail -> 'receipt' ->> 'revocation')::bigint
        - (detail -> 'receipt' ->> 'facts')::bigint + 1
        and (detail -> 'receipt' ->> 'revocation')::bigint
    order by at limit 1`);
  return rowsOf<{ readonly receipt: KeptReceipt }>(rows)[0]?.receipt;
}
