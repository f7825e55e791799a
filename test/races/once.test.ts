// Client assertions, pushed requests and interactions: whatever may happen once happens once, at 200
// × 20, on one process and on two (DESIGN §9.3, K5, PA1, A8, I8). The soak runs the same
// races by the ten thousand.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRaces, type Race } from '../soak/races.js';
import { runRace } from '../soak/run.js';
import { type Cluster, startCluster } from './support/cluster.js';
import { createCodeSource } from './support/codes.js';

const SIZE = { trials: 200, parallel: 20 };

let cluster: Cluster;
let races: ReadonlyMap<string, Race>;
beforeAll(async () => {
  cluster = await startCluster();
  const all = await createRaces(cluster, await createCodeSource(cluster));
  races = new Map(all.map((race) => [race.name, race]));
});
afterAll(() => cluster.close());

describe.each([
  ['one process', () => [cluster.origins[0]]],
  ['two processes', () => [...cluster.origins]],
] as const)('%s', (_name, origins) => {
  it.each([
    'client assertions',
    'pushed requests',
    'interactions',
  ])('200 %s, each used 20 times at once: exactly one wins, everyone else is told so', {
    timeout: 600_000,
  }, async (name) => {
    const { wrong } = await runRace(races.get(name) as Race, origins(), SIZE);
    expect(wrong).toEqual([]);
  });
});

it('leaves nothing behind for those who lost: no live grant without a code', async () => {
  // A code is swept when it ends, after a minute: only grants whose code cannot have ended tell anything.
  const rows = await cluster.opened.db.run<{ orphans: number }>(
    `select count(*)::int as orphans from grants g where g.ended_at is null
     and g.created_at > clock_timestamp() - interval '55 seconds'
     and not exists (select from artifacts a where a.grant_id = g.id)`,
  );
  expect(rows).toEqual([{ orphans: 0 }]);
});
