// The broker as it is, with a world for the bench; or with a gate that answers without recording, to
// see what recording costs.
import { createBroker } from '../../../src/broker/app.js';
import type { Database } from '../../../src/broker/db/database.js';
import { openDatabase } from '../../../src/broker/db/open.js';
import type { BehalfArgument } from '../servers.js';

const { issuer, port, databaseUrl, resource, clients, records, seed }: BehalfArgument = JSON.parse(
  process.argv[2] as string,
);

interface Waiting {
  readonly n: number;
}

/** Says "issued" for every row of a batch, and asks the database nothing. */
const withoutRecords = (db: Database): Database => ({
  ...db,
  run: async <Row extends object>(text: string, params?: readonly unknown[]) => {
    if (!text.includes('behalf_issue(')) return db.run<Row>(text, params);
    const now = Math.floor(Date.now() / 1000);
    const batch = JSON.parse(String(params?.[0])) as Waiting[];
    return batch.map(({ n }) => ({
      n,
      outcome: 'issued',
      stopped_by: null,
      issued_at: now,
    })) as object[] as Row[];
  },
});

const resources = [
  {
    identifier: resource,
    name: 'Files',
    scopes: {
      'files:list': { title: 'See which files there are', risk: 'read', base: true },
      'files:read': { title: 'Read files', risk: 'read', base: true, implies: ['files:list'] },
    },
  },
];

/** World files are bounded: so many agents at once. */
const WORLD_MAX = 400;

const worldOf = (from: number) => {
  const ids = clients.slice(from, from + WORLD_MAX);
  return {
    resources,
    agents: ids.map((id, n) => ({
      id,
      name: id,
      owner: 'Bench',
      ...(from + n === 1 ? { takesWorkFrom: [clients[0]] } : {}),
    })),
    permissions: ids.map((id) => ({ principal: id, resource, scopes: ['files:read'] })),
  };
};

const opened = await openDatabase({ databaseUrl, dataDir: '/nonexistent' });
const broker = await createBroker(
  {
    issuer,
    host: '127.0.0.1',
    port,
    databaseUrl,
    dataDir: '/nonexistent',
    secret: 'root-secret-for-benchmarks-0123456789abcdef',
    previousSecret: undefined,
    adminToken: 'admin-token-for-benchmarks-0123456789abcdef',
    production: false,
    logLevel: 'silent',
  },
  { db: records ? opened : withoutRecords(opened) },
);
const secrets: Record<string, string> = {};
for (let from = 0; seed && from < clients.length; from += WORLD_MAX) {
  // JSON is YAML.
  Object.assign(secrets, (await broker.applyWorld(JSON.stringify(worldOf(from)))).secrets);
}
await broker.listen();
process.send?.({ secrets });
process.on('disconnect', () => process.exit(0));
