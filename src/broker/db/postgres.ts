/** PostgreSQL through `postgres`: a pool for drizzle, and a small pipelined one for raw statements. */
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import * as schema from '../../../schema/index.js';
import type { Database, Executor } from './database.js';
import { MIGRATION_LOCK, MIGRATIONS_FOLDER } from './migrations.js';

export interface PostgresOptions {
  readonly url: string;
  /** The tenant's schema in the database. */
  readonly searchPath?: string | undefined;
  readonly poolSize?: number | undefined;
}

/** drizzle replaces a client's serializers, so it has one of its own. */
const ORM_POOL_SIZE = 6;
/** Few connections, pipelined, beat many; but commits need more than one. */
const RAW_POOL_SIZE = 4;
const CONNECT_TIMEOUT_SECONDS = 2;

export async function openPostgres(options: PostgresOptions): Promise<Database> {
  let statements = 0;
  const shared = {
    onnotice: () => {},
    debug: () => {
      statements += 1;
    },
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    connection: {
      application_name: 'behalf',
      statement_timeout: 10_000,
      lock_timeout: 5_000,
      ...(options.searchPath === undefined ? {} : { search_path: options.searchPath }),
    },
  };
  const pooled = postgres(options.url, { ...shared, max: options.poolSize ?? ORM_POOL_SIZE });
  const raw = postgres(options.url, { ...shared, max: RAW_POOL_SIZE });
  const orm = drizzle(pooled, { schema }) as unknown as Executor;

  return {
    kind: 'postgres',
    orm,
    run: async <Row extends object>(text: string, params: readonly unknown[] = []) => {
      const rows = await raw.unsafe(text, params as never[], { prepare: true });
      return rows as unknown as Row[];
    },
    transaction: (work) => orm.transaction((tx) => work(tx as unknown as Executor)),
    listen: async (channel, onNotice) => {
      await raw.listen(channel, onNotice, onNotice);
    },
    roundTrips: () => statements,
    close: async () => {
      await Promise.all([pooled.end({ timeout: 5 }), raw.end({ timeout: 5 })]);
    },
  };
}

/**
 * Applies pending migrations. Safe to call from several processes at once: one migrates, the others
 * wait for it (an advisory lock on a connection of its own).
 */
export async function migratePostgres(options: PostgresOptions): Promise<void> {
  const connection =
    options.searchPath === undefined ? {} : { connection: { search_path: options.searchPath } };
  const sql = postgres(options.url, {
    max: 1,
    onnotice: () => {},
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    ...connection,
  });
  try {
    if (options.searchPath !== undefined) {
      await sql`create schema if not exists ${sql(options.searchPath)}`;
    }
    await sql`select pg_advisory_lock(${MIGRATION_LOCK}, hashtext(current_schema()))`;
    await migrate(drizzle(sql), {
      migrationsFolder: MIGRATIONS_FOLDER,
      migrationsSchema: options.searchPath ?? 'public',
      migrationsTable: 'behalf_migrations',
    });
  } finally {
    await sql.end({ timeout: 5 });
  }
}
