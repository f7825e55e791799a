// The two databases a store suite runs on, each empty but migrated.
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Database } from '../../src/broker/db/database.js';
import { openPglite } from '../../src/broker/db/pglite.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { createTestDatabase } from './postgres.js';

export interface OpenedDatabase {
  readonly db: Database;
  /** PostgreSQL only: for a second process on the same database. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

export async function openTestPostgres(): Promise<OpenedDatabase> {
  const database = await createTestDatabase();
  const db = await openPostgres({ url: database.url });
  return {
    db,
    url: database.url,
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}

/**
 * In memory, from an image made once a run: creating one afresh takes seconds. Files run beside each
 * other, so the image appears under its name only when it is whole: half of one does not start.
 */
export async function openTestPglite(): Promise<OpenedDatabase> {
  const path = join(inject('scratchDir'), 'pglite-image.tar');
  const known = await readFile(path).catch(() => undefined);
  if (known !== undefined) {
    const db = await openPglite({ image: new Blob([known]) });
    return { db, url: undefined, close: () => db.close() };
  }
  const db = await openPglite({});
  const image = await (await db.dump?.())?.arrayBuffer();
  if (image !== undefined) {
    const draft = `${path}.${randomUUID()}`;
    await writeFile(draft, Buffer.from(image));
    await rename(draft, path);
  }
  return { db, url: undefined, close: () => db.close() };
}

export const DATABASES = [
  ['PostgreSQL', openTestPostgres],
  ['PGlite', openTestPglite],
] as const;
