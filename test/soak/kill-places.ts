// Where a broker can be killed: on PostgreSQL, and on a data directory of its own. While one works, the
// next has loaded and waits.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPglite } from '../../src/broker/db/pglite.js';
import { type Child, startBundle } from '../store/support/child.js';
import { ADMIN_TOKEN, freePort, ROOT_SECRET } from '../support/broker.js';
import { bundleScript } from '../support/bundle.js';
import { openTestPostgres } from '../support/databases.js';
import { createScratch } from '../support/scratch.js';
import { type Secrets, seedWorld } from '../support/world.js';

export type Kind = 'PostgreSQL' | 'PGlite';

export interface Place {
  readonly issuer: string;
  readonly secrets: Secrets;
  /** Opens the database, in the process that waited for it, and answers. */
  start(): Promise<Child>;
  close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('./kill-process.ts', import.meta.url));

export async function openPlace(kind: Kind): Promise<Place> {
  const scratch = createScratch('kill');
  const bundle = await bundleScript(SCRIPT, scratch.dir);
  const { secrets, where, close } = await (kind === 'PGlite'
    ? directory(join(scratch.dir, 'data'))
    : server());
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const config = { issuer, port, secret: ROOT_SECRET, adminToken: ADMIN_TOKEN, ...where };
  const load = (): Child => startBundle(bundle, { ...config, more: { keyLeadSeconds: 0 } });
  let waiting = load();
  return {
    issuer,
    secrets,
    start: async () => {
      const child = waiting;
      await child.next();
      child.send({ open: true });
      await child.next();
      waiting = load();
      return child;
    },
    close: async () => {
      waiting.kill('SIGKILL');
      await waiting.ended;
      await close();
      await scratch.dispose();
    },
  };
}

async function server() {
  const opened = await openTestPostgres();
  const secrets = await seedWorld(opened.db);
  return { secrets, where: { databaseUrl: opened.url }, close: () => opened.close() };
}

async function directory(dataDir: string) {
  const db = await openPglite({ directory: dataDir });
  const secrets = await seedWorld(db);
  await db.close();
  return { secrets, where: { dataDir }, close: async () => {} };
}
