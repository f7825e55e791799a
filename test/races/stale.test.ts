// Two brokers on one PostgreSQL (DESIGN §13, G8): what is stopped at one is dead at the other by the
// next request. The soak runs it a hundred thousand times.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runChains } from '../soak/chains.js';
import { runStale } from '../soak/stale.js';
import { type Cluster, startCluster } from './support/cluster.js';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.close());

it('1,000 stops at one process, asked about at the other at once: never stale', {
  timeout: 300_000,
}, async () => {
  const { wrong } = await runStale(cluster, 1000);
  expect(wrong).toEqual([]);
});

it('chains of four across both, the consent or the first token ended at one: all of them dead at the other', {
  timeout: 300_000,
}, async () => {
  const { wrong } = await runChains(cluster, 8);
  expect(wrong).toEqual([]);
});
