/** PGlite: PostgreSQL in this process, in a data directory that only this process may open. */
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import * as schema from '../../../schema/index.js';
import type { Database, Executor } from './database.js';
import { lockDirectory } from './directory-lock.js';
import { MIGRATIONS_FOLDER } from './migrations.js';

export interface PgliteOptions {
  /** Absent: in memory. */
  readonly directory?: string | undefined;
  /** A dumped data directory to start from (tests, fast first start). */
  readonly image?: Blob | undefined;
}

/** Opens and migrates. Survives a crash of the process, not of the machine's power. */
export async function openPglite(options: PgliteOptions = {}): Promise<Database> {
  const lock = options.directory === undefined ? undefined : await lockDirectory(options.directory);
  let pg: PGlite;
  try {
    pg = await PGlite.create({
      ...(options.directory === undefined ? {} : { dataDir: `${options.directory}/pglite` }),
      ...(options.image === undefined ? {} : { loadDataDir: options.image }),
    });
  } catch (error) {
    await lock?.release();
    throw error;
  }
  let statements = 0;
  /** Called before every statement, drizzle's by way of its logger. */
  const count = (): void => {
    lock?.assertHeld();
    statements += 1;
  };
  const orm = drizzle(pg, { schema, logger: { logQuery: count } }) as unknown as Executor;
  await migrate(drizzle(pg), {
    migrationsFolder: MIGRATIONS_FOLDER,
    migrationsSchema: 'public',
    migrationsTable: 'behalf_migrations',
  });

  return {
    kind: 'pglite',
    orm,
    run: async <Row extends object>(text: string, params: readonly unknown[] = []) => {
      count();
      const result = await pg.query<Row>(text, params as unknown[]);
      return result.rows;
    },
    transaction: (work) => orm.transaction((tx) => work(tx as unknown as Executor)),
    listen: async (channel, onNotice) => {
      await pg.listen(channel, onNotice);
    },
    roundTrips: () => statements,
    dump: () => pg.dumpDataDir('none'),
    close: async () => {
      await pg.close();
      await lock?.release();
    },
  };
}
