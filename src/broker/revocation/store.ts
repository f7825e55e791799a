/**
 * Stops (DESIGN §6). A stop is one short transaction: the caller's durable end, a fact for
 * self-contained tokens, the audit event. It takes the gate's lock exclusively before it stamps its
 * time and commits, so no token in flight can slip past it. Never a cascade.
 */
import { and, asc, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import { policyEpoch, revocations } from '../../../schema/index.js';
import { type Executor, NOTICE_CHANNEL } from '../db/database.js';
import { FACT_LIFE_SECONDS, GATE_LOCK } from '../limits.js';

export interface Stop {
  readonly key: string;
  /** Everything under the key, whenever issued (a path, a key id, a block), or only what is older. */
  readonly always: boolean;
  /** When what is stopped ended, if that was earlier than now. */
  readonly at?: Date | undefined;
  readonly reason: string;
  readonly by: string;
}

/**
 * Nothing is issued from here until the transaction ends: what was issued before is recorded, and
 * what comes after reads this transaction's epoch and facts.
 */
export async function closeGate(tx: Executor): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${GATE_LOCK}, hashtext(current_schema()))`);
}

/** Facts that were written together: the number of the newest, and how many they are. */
export interface Written {
  readonly newest: number | undefined;
  readonly count: number;
}

/** Stamps and writes facts, and counts the epoch up. The gate must be closed. */
export async function conclude(tx: Executor, stops: readonly Stop[]): Promise<Written> {
  const written = await insertFacts(tx, stops);
  await bumpEpoch(tx, written.newest);
  return written;
}

/** The newest fact about a key is the one that counts: lifting a block leaves "only what is older". */
async function insertFacts(tx: Executor, stops: readonly Stop[]): Promise<Written> {
  const newest = [...new Map(stops.map((stop) => [stop.key, stop])).values()];
  if (newest.length === 0) return { newest: undefined, count: 0 };
  await tx.delete(revocations).where(
    inArray(
      revocations.key,
      newest.map(({ key }) => key),
    ),
  );
  const until = sql`clock_timestamp() + make_interval(secs => ${FACT_LIFE_SECONDS})`;
  const facts = await tx
    .insert(revocations)
    .values(
      newest.map(({ at, ...stop }) => ({
        ...stop,
        revokedAt: at ?? (sql`clock_timestamp()` as unknown as Date),
        until: until as unknown as Date,
      })),
    )
    .returning({ id: revocations.id });
  return { newest: Math.max(...facts.map(({ id }) => id)), count: facts.length };
}

/** Tells every process that decisions made so far must be made again. Cheap; on every change. */
export async function bumpEpoch(tx: Executor, lastFact?: number): Promise<void> {
  await tx
    .update(policyEpoch)
    .set({ epoch: sql`${policyEpoch.epoch} + 1`, ...(lastFact === undefined ? {} : { lastFact }) })
    .where(eq(policyEpoch.id, 1));
  await tx.execute(sql`select pg_notify(${NOTICE_CHANNEL}, '')`);
}

/** When what a key stops was stopped, while that is still remembered. */
export async function factTime(tx: Executor, key: string): Promise<Date | undefined> {
  const [fact] = await tx
    .select({ revokedAt: revocations.revokedAt })
    .from(revocations)
    .where(eq(revocations.key, key));
  return fact?.revokedAt;
}

export interface FactRow {
  readonly id: number;
  readonly key: string;
  readonly revokedAt: Date;
  readonly always: boolean;
  readonly until: Date;
}

/** Facts after a cursor, oldest first. */
export async function factsAfter(db: Executor, after: number, limit: number): Promise<FactRow[]> {
  return db
    .select({
      id: revocations.id,
      key: revocations.key,
      revokedAt: revocations.revokedAt,
      always: revocations.always,
      until: revocations.until,
    })
    .from(revocations)
    .where(and(gt(revocations.id, after), gt(revocations.until, sql`clock_timestamp()`)))
    .orderBy(asc(revocations.id))
    .limit(limit);
}

/** The newest fact ever written; smaller than a follower's cursor only after a restore. */
export async function lastFactId(db: Executor): Promise<number> {
  const [row] = await db.select({ lastFact: policyEpoch.lastFact }).from(policyEpoch);
  return row?.lastFact ?? 0;
}

/** Forgets facts nothing alive can depend on; at most `limit` a call. */
export async function forgetFacts(db: Executor, limit: number): Promise<number> {
  const old = db
    .select({ id: revocations.id })
    .from(revocations)
    .where(lt(revocations.until, sql`clock_timestamp()`))
    .limit(limit);
  const gone = await db
    .delete(revocations)
    .where(sql`${revocations.id} in (${old})`)
    .returning({ id: revocations.id });
  return gone.length;
}
