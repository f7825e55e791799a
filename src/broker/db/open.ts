/** Opens the database the configuration names, migrated. */
import type { Config } from '../config.js';
import type { Database } from './database.js';
import { openPglite } from './pglite.js';
import { migratePostgres, openPostgres } from './postgres.js';

/**
 * @param options.migrate apply pending migrations first (default); PGlite always does
 * @throws Error when another process holds the data directory, or PostgreSQL does not answer
 */
export async function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'dataDir'>,
  options: { readonly migrate?: boolean } = {},
): Promise<Database> {
  if (config.databaseUrl === undefined) return openPglite({ directory: config.dataDir });
  if (options.migrate !== false) await migratePostgres({ url: config.databaseUrl });
  return openPostgres({ url: config.databaseUrl });
}
