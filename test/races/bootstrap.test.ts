// M1, DESIGN §9.3: of many calls that make the first administrator with the bootstrap token, at the
// same moment and at two processes, one does; the token has ended for all others.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { ADMIN_TOKEN } from '../support/broker.js';
import { type Cluster, startCluster } from './support/cluster.js';

const isSoak = process.env.MODE === 'soak';
const TRIALS = isSoak ? Number(process.env.SOAK_TRIALS ?? 10_000) : 200;
const PARALLEL = isSoak ? Number(process.env.SOAK_PARALLEL ?? 20) : 20;
/** Days: a soak ends when it is done. */
const TIMEOUT_MS = isSoak ? 7 * 24 * 3600 * 1000 : 300_000;
const isWanted = process.env.SOAK_ONLY?.split(',').includes('bootstrap') ?? true;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  const racers = Array.from({ length: PARALLEL }, (_, n) => `agt_racer${n}`);
  await cluster.opened.db.transaction(async (tx) => {
    await tx
      .insert(tables.agents)
      .values(racers.map((id) => ({ id, name: id, owner: 'Ops', auth: 'client_secret_basic' })));
    // What they prove themselves by: without it nobody is an administrator.
    await tx.insert(tables.credentials).values(
      racers.map((id) => ({
        id: `crd_${id.slice(4)}`,
        principal: id,
        kind: 'secret',
        secretHash: '0'.repeat(64),
      })),
    );
  });
});
afterAll(() => cluster.close());

async function makeAdministrator(n: number): Promise<number> {
  const origin = cluster.origins[n % 2];
  const resource = encodeURIComponent(`${cluster.issuer}/admin`);
  const response = await fetch(`${origin}/admin/v1/permissions/agt_racer${n}/${resource}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ scopes: ['admin:security'] }),
  });
  await response.arrayBuffer();
  return response.status;
}

describe.runIf(isWanted || !isSoak)('the first administrator', () => {
  it(
    `is one, of ${PARALLEL} at once at two processes, ${TRIALS} times`,
    async () => {
      const outcomes = new Map<string, number>();
      for (let trial = 0; trial < TRIALS; trial += 1) {
        const statuses = await Promise.all(
          Array.from({ length: PARALLEL }, (_, n) => makeAdministrator(n)),
        );
        const { db } = cluster.opened;
        const made = await db.run("select from permissions where 'admin:security' = any(scopes)");
        const told = [...new Set(statuses)].sort().map((status) => {
          return `${statuses.filter((one) => one === status).length} × ${status}`;
        });
        const outcome = `${made.length} made; ${told.join(', ')}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        // Nobody administers again, and nobody has failed.
        await db.run("delete from permissions where 'admin:security' = any(scopes)");
        await db.run('delete from sign_in_failures');
      }
      expect(Object.fromEntries(outcomes)).toEqual({
        [`1 made; 1 × 200, ${PARALLEL - 1} × 401`]: TRIALS,
      });
    },
    TIMEOUT_MS,
  );
});
