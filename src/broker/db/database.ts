/**
 * One face for two databases: PostgreSQL (production, replicas) and PGlite in a data directory
 * (embedded default). Ordinary queries go through drizzle; the few hot statements are raw and
 * prepared. Owns connections, migrations and the notice channel, and knows no table.
 */
import type { ExtractTablesWithRelations } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type * as schema from '../../../schema/index.js';

type Schema = typeof schema;

/** What stores take as their first argument: the database itself, or a transaction on it. */
export type Executor = PgDatabase<PgQueryResultHKT, Schema, ExtractTablesWithRelations<Schema>>;

export interface Database {
  readonly kind: 'postgres' | 'pglite';
  readonly orm: Executor;
  /**
   * Runs one prepared statement outside any transaction. JSON parameters are passed as text and
   * cast (`$1::text::jsonb`). Never call it inside `transaction`: on PGlite that would wait for
   * itself.
   */
  run<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** READ COMMITTED. Inside, use only `tx`. */
  transaction<T>(work: (tx: Executor) => Promise<T>): Promise<T>;
  /** Calls back on every notice sent with `notify`; misses none while connected. */
  listen(channel: string, onNotice: () => void): Promise<void>;
  /** Statements sent so far, transaction control included: for budgets in tests. */
  readonly roundTrips: () => number;
  /** PGlite only: the data directory as an image, from which another opens in a fraction of the time. */
  readonly dump?: () => Promise<Blob>;
  close(): Promise<void>;
}

/** The one channel; its payload is nothing, the tables are the truth. */
export const NOTICE_CHANNEL = 'behalf_changed';

const UNAVAILABLE_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);
/** Classes of SQLSTATE that say "not now": connection, resources, operator, lock or statement timeout. */
const UNAVAILABLE_SQLSTATE = /^(08...|53...|57P0[1-5]|55P03|57014|40001|40P01|25006)$/;

/** Whether an error means the database could not answer now, rather than that the answer is no. */
export function isUnavailable(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code !== 'string') continue;
    if (UNAVAILABLE_CODES.has(code) || UNAVAILABLE_SQLSTATE.test(code)) return true;
  }
  return false;
}

/** Whether an error is a violated unique constraint (SQLSTATE 23505). */
export function isDuplicate(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if ((e as { code?: unknown }).code === '23505') return true;
  }
  return false;
}

/** The rows of a raw statement: one driver answers with them, the other with an object that has them. */
export const rowsOf = <Row>(answer: unknown): readonly Row[] =>
  (Array.isArray(answer) ? answer : (answer as { rows: Row[] }).rows) as readonly Row[];
