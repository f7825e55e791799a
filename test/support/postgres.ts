// Databases for tests: a fresh one for each file, copied from a template that is migrated once per
// run. Nothing here is shared between files but the server.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from './postgres-server.js';

export { type Postgres, type PostgresOptions, startPostgres } from './postgres-server.js';

export interface DatabaseTemplate {
  /** Names the content: two templates with the same key are the same database. */
  readonly key: string;
  /** Fills the empty database at `url`; runs once per server, and must close its connections. */
  prepare(url: string): Promise<void>;
}

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Drops the database, cutting whoever is still connected. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Default: the migrations in schema/migrations. `null` gives an empty database. */
  readonly template?: DatabaseTemplate | null;
  /** Default: the server that vitest's global set-up started. */
  readonly server?: string;
}

const MIGRATIONS = fileURLToPath(new URL('../../schema/migrations', import.meta.url));

/** Creates a database that nobody else uses. Call it in `beforeAll`, and `drop` in `afterAll`. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = options.server ?? (await providedServer());
  const template = options.template === undefined ? migrated() : options.template;
  const name = `test_${randomBytes(8).toString('hex')}`;
  const sql = connect(server);
  try {
    const source = template === null ? 'template1' : await ensureTemplate(server, template);
    await sql.unsafe(`create database ${name} template ${source}`);
  } finally {
    await sql.end();
  }
  return { name, url: databaseUrl(server, name), drop: () => drop(server, name) };
}

/** Vitest is imported late, so that benchmarks and the demo can use this file without it. */
async function providedServer(): Promise<string> {
  const { inject } = await import('vitest');
  const url = inject('postgresUrl');
  if (!url) throw new Error('No PostgreSQL: the global set-up of vitest did not start one.');
  return url;
}

/** The template of the migrations as they stand on disk, or none while there are none. */
export function migrated(): DatabaseTemplate | null {
  if (!existsSync(join(MIGRATIONS, 'meta', '_journal.json'))) return null;
  const hash = createHash('sha256');
  for (const file of readdirSync(MIGRATIONS).sort()) {
    if (file.endsWith('.sql')) hash.update(file).update(readFileSync(join(MIGRATIONS, file)));
  }
  return { key: `migrated ${hash.digest('hex')}`, prepare: applyMigrations };
}

/** By the broker's own function, so that a broker started on the copy finds nothing left to do. */
async function applyMigrations(url: string): Promise<void> {
  const { migratePostgres } = await import('../../src/broker/db/postgres.js');
  await migratePostgres({ url });
}

/** Builds the template unless it stands; workers that come at the same time wait for the first. */
async function ensureTemplate(server: string, template: DatabaseTemplate): Promise<string> {
  const name = `template_${createHash('sha256').update(template.key).digest('hex').slice(0, 16)}`;
  const sql = connect(server);
  try {
    await sql`select pg_advisory_lock(hashtext(${name}))`;
    const found = await sql`select 1 from pg_database where datname = ${name}`;
    if (found.length === 0) {
      // Renamed only when complete: a template that failed half-way is never copied.
      const draft = `${name}_draft`;
      await sql.unsafe(`drop database if exists ${draft} with (force)`);
      await sql.unsafe(`create database ${draft} template template1`);
      await template.prepare(databaseUrl(server, draft));
      await sql.unsafe(`alter database ${draft} rename to ${name}`);
    }
    return name;
  } finally {
    await sql.end();
  }
}

async function drop(server: string, name: string): Promise<void> {
  const sql = connect(server);
  try {
    await sql.unsafe(`drop database if exists ${name} with (force)`);
  } finally {
    await sql.end();
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
