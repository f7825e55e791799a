/**
 * A change to the registry: one transaction, its audit events, the facts it amounts to, and the
 * policy epoch. Steps (functions that take a `Change`) compose: one of them is an API call, many of
 * them a world file. All changes wait for each other on the registry's lock, so a step may read,
 * decide and write without a race. Locks are taken in one order: registry, rows, gate, epoch; so a
 * long change holds up neither tokens nor the ends of consents and grants.
 */
import { sql } from 'drizzle-orm';
import { type AuditEvent, record } from '../audit/store.js';
import { type Database, type Executor, isDuplicate } from '../db/database.js';
import { concludeTold, type Ended, type Receipt, receiptFor } from '../revocation/receipt.js';
import { bumpEpoch, closeGate, type Stop } from '../revocation/store.js';
import { collectStops } from './collected.js';

export interface Change {
  readonly tx: Executor;
  /** Who does it: an id, `admin` or `cli`. */
  readonly by: string;
  /** Appends one audit event on this transaction. */
  record(event: Omit<AuditEvent, 'by'>): Promise<void>;
  /**
   * The same for an event that may be a stop's: appended when the change is over, with the receipt of
   * the change, if anything was stopped since the last such event; `of` the change, if anything was.
   */
  recordStop(event: Omit<AuditEvent, 'by'>, of?: 'step' | 'change'): Promise<void>;
  /**
   * Stops what hangs on a key when the change commits. Only in a change that may narrow. `ends` is
   * for the receipt: whose end it is.
   */
  stop(stop: Omit<Stop, 'by'> & { readonly ends?: Ended | undefined }): void;
  /** For the receipt: what ends with this change and needs no fact. */
  end(ended: Ended): void;
  /**
   * Work for the end of a change that may narrow, when nothing is issued and nothing decided before is
   * written any more: looking for live tokens misses none then, and `notBefore` is newer than all of
   * it. Reads, `stop`, and rows that the change holds already.
   */
  whenClosed(work: () => Promise<void>): void;
}

export type Step<T> = (change: Change) => Promise<T>;

/** A step run as a change of its own. */
export type RunStep = <T>(db: Database, by: string, step: Step<T>) => Promise<T>;

const changeOn = (
  tx: Executor,
  by: string,
  stops: Pick<Change, 'stop' | 'end' | 'whenClosed' | 'recordStop'>,
): Change => ({
  tx,
  by,
  record: (event) => record(tx, { ...event, by }),
  ...stops,
});

/** First half of the advisory lock of changes to the registry; the second is the schema's hash. */
const REGISTRY_LOCK = 0x6265_6772;

async function lockRegistry(tx: Executor): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${REGISTRY_LOCK}, hashtext(current_schema()))`);
}

/** For a change that takes nothing away from anyone: no lock on the gate. */
export const widening: RunStep = (db, by, step) =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    const result = await step(changeOn(tx, by, stopsNothing(tx, by)));
    await bumpEpoch(tx);
    return result;
  });

function stopsNothing(tx: Executor, by: string): Parameters<typeof changeOn>[2] {
  const refuse = (): never => {
    throw new Error('a change that stops something must be narrowing');
  };
  return {
    stop: refuse,
    end: refuse,
    whenClosed: refuse,
    recordStop: (event) => record(tx, { ...event, by }),
  };
}

/**
 * For somebody who was not there before and of whom nothing was known: no cache holds an absence, so
 * no decision is made again, however many come.
 */
export const arriving: RunStep = (db, by, step) =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    return step(changeOn(tx, by, stopsNothing(tx, by)));
  });

/**
 * For a change that may take something away. The gate closes when the work is done, and only for as
 * long as facts and epoch take: a token that passes it before was recorded before, so the facts,
 * stamped afterwards, stop it; one that comes after finds the new epoch and is decided again.
 */
export const narrowing: RunStep = (db, by, step) =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    const { result, ended, ...told } = await runThenClose(tx, by, step);
    const receipt = ended.length === 0 ? undefined : await receiptFor(tx, ended);
    await concludeTold(tx, { ...told, receipt });
    return result;
  });

/** What a change came to, and what it ended. */
export interface Stopped<T> {
  readonly result: T;
  readonly receipt: Receipt;
}

/** A narrowing change that says what it ended. */
export const stopping = <T>(db: Database, by: string, step: Step<T>): Promise<Stopped<T>> =>
  db.transaction(async (tx) => {
    await lockRegistry(tx);
    return counted(tx, by, step);
  });

/**
 * The same, beside a long change rather than after it. Only for a step that locks the row it reads
 * and decides on.
 */
export const stoppingAtOnce = <T>(db: Database, by: string, step: Step<T>): Promise<Stopped<T>> =>
  db.transaction((tx) => counted(tx, by, step));

async function counted<T>(tx: Executor, by: string, step: Step<T>): Promise<Stopped<T>> {
  const { result, ended, ...told } = await runThenClose(tx, by, step);
  const receipt = await receiptFor(tx, ended);
  return { result, receipt: await concludeTold(tx, { ...told, receipt }) };
}

/** Runs a step, closes the gate, and does what had to wait for that. */
async function runThenClose<T>(tx: Executor, by: string, step: Step<T>) {
  const collected = collectStops(by);
  const result = await step(changeOn(tx, by, collected.stops));
  await record(tx, ...collected.early());
  await closeGate(tx);
  return { result, ...(await collected.whenClosed()) };
}

/** First half of the advisory lock of long changes; the second is the schema's hash. */
const LONG_LOCK = 0x6265_6c67;
/** A rehearsal that met somebody else's new id is begun again; the third meeting is an error. */
const REHEARSALS_MAX = 3;

/**
 * The database for changes of many steps, and for rehearsals: they wait for each other here, before
 * they hold a lock that a stop needs.
 */
export const oneAtATime = (db: Database): Database => ({
  ...db,
  transaction: (work) =>
    db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(${LONG_LOCK}, hashtext(current_schema()))`);
      return work(tx);
    }),
});

/**
 * Runs a step to see what it would do, and takes everything back: no event, no fact, no epoch. Other
 * changes do not wait for it: it takes neither the registry's lock nor the gate's.
 */
export const rehearsing: RunStep = async (db, by, step) => {
  for (let rehearsal = 1; ; rehearsal += 1) {
    try {
      return await takenBack(db, by, step);
    } catch (error) {
      if (!isDuplicate(error) || rehearsal === REHEARSALS_MAX) throw error;
    }
  }
};

async function takenBack<T>(db: Database, by: string, step: Step<T>): Promise<T> {
  const taken: { result?: T } = {};
  const takeBack = new Error('taken back');
  try {
    await oneAtATime(db).transaction(async (tx) => {
      taken.result = await step({
        tx,
        by,
        record: async () => {},
        recordStop: async () => {},
        stop: () => {},
        end: () => {},
        whenClosed: () => {},
      });
      throw takeBack;
    });
  } catch (error) {
    if (error !== takeBack) throw error;
  }
  return taken.result as T;
}

/** The database's clock, for the columns that are compared with tokens. */
export const databaseNow = sql`clock_timestamp()` as unknown as Date;

/** The fields of a patch that would change something. */
export function changedFields<Patch extends object>(row: object, patch: Patch): Array<keyof Patch> {
  const current = row as Record<PropertyKey, unknown>;
  return (Object.keys(patch) as Array<keyof Patch>).filter(
    (field) => patch[field] !== undefined && !isSame(current[field], patch[field]),
  );
}

/** Whether two values of plain data are the same; jsonb does not keep the order of keys. */
export const isSame = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

const canonical = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
      : part,
  );

/** A list as it is stored where order means nothing. */
export const sortedSet = (values: readonly string[]): string[] => [...new Set(values)].sort();

/** A copy whose lists of these names are stored the one way. */
export const sortedLists = <Input extends object>(
  input: Input,
  names: readonly (keyof Input)[],
): Input => ({
  ...input,
  ...Object.fromEntries(
    names.flatMap((name) => {
      const list = input[name] as readonly string[] | undefined;
      return list === undefined ? [] : [[name, sortedSet(list)]];
    }),
  ),
});
