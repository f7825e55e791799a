/** Where the generated SQL lives, beside the schema, in the source tree and in the build alike. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from './database.js';

export const MIGRATIONS_FOLDER = fileURLToPath(
  new URL('../../../schema/migrations', import.meta.url),
);

/** First half of the advisory lock under which migrations run; the second is the schema's hash. */
export const MIGRATION_LOCK = 0x6265_6d67;

const MIGRATED = 'select coalesce(max(created_at), 0) >= $1::bigint as yes from behalf_migrations';

/** Whether a database has the tables this version needs. */
export async function isMigrated(db: Pick<Database, 'run'>): Promise<boolean> {
  const [row] = await db.run<{ yes: boolean }>(MIGRATED, [await newestMigration()]);
  return row?.yes === true;
}

/** When the newest migration of this version was made: what the migrator writes into its table. */
async function newestMigration(): Promise<number> {
  const journal = await readFile(join(MIGRATIONS_FOLDER, 'meta', '_journal.json'), 'utf8');
  const { entries } = JSON.parse(journal) as { entries: { when: number }[] };
  return Math.max(...entries.map(({ when }) => when));
}
