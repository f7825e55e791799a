// Whatever may happen once, and rotation, by the ten thousand: `npm run soak`. As part of `npm test`
// by the handful, so that the soak cannot rot. Sizes: SOAK_TRIALS, SOAK_PARALLEL, SOAK_SECONDS (of
// rotation), SOAK_RATE_MIN (requests a second while keys rotate; 0 on a machine that is busy), SOAK_STOPS
// (asked about at another process), SOAK_KILLS (each database), SOAK_ONLY (names of races, comma-separated).

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../races/support/cluster.js';
import { createCodeSource } from '../races/support/codes.js';
import { runChains } from './chains.js';
import { runKills } from './kill.js';
import { createRaces, type Race } from './races.js';
import {
  type Figures,
  ROTATION_CONFIG,
  runRace,
  runRotation,
  sustainedRate,
  tableOf,
} from './run.js';
import { runStale } from './stale.js';

const isSoak = process.env.MODE === 'soak';
const sizeOf = (name: string, soak: number, smoke: number): number =>
  Number(process.env[name] ?? (isSoak ? soak : smoke));
const TRIALS = sizeOf('SOAK_TRIALS', 10_000, 3);
const PARALLEL = sizeOf('SOAK_PARALLEL', 20, 10);
const SECONDS = sizeOf('SOAK_SECONDS', 300, 0);
/** A figure of a machine that does nothing else: asked of a soak alone. */
const RATE_MIN = sizeOf('SOAK_RATE_MIN', 200, 0);
const STOPS = sizeOf('SOAK_STOPS', 100_000, 40);
const KILLS = sizeOf('SOAK_KILLS', 500, 0);
const ONLY = process.env.SOAK_ONLY?.split(',');
/** Days: a soak ends when it is done. */
const TIMEOUT_MS = isSoak ? 7 * 24 * 3600 * 1000 : 120_000;

const RACES = [
  'codes',
  'refresh tokens',
  'actor tokens',
  'client assertions',
  'pushed requests',
  'interactions',
].filter((name) => ONLY === undefined || ONLY.includes(name));

let cluster: Cluster;
let races: ReadonlyMap<string, Race>;
const figures: Figures[] = [];
beforeAll(async () => {
  cluster = await startCluster(ROTATION_CONFIG);
  const all = await createRaces(cluster, await createCodeSource(cluster));
  races = new Map(all.map((race) => [race.name, race]));
});
afterAll(async () => {
  if (isSoak) process.stdout.write(`\n${tableOf(figures)}\n`);
  await cluster.close();
});

const kept = <Kind extends Figures>(row: Kind): Kind => {
  figures.push(row);
  return row;
};

describe.each([
  ['one process', () => [cluster.origins[0]]],
  ['two processes', () => [...cluster.origins]],
] as const)('%s', (_name, origins) => {
  it.each(RACES)('%s: exactly one winner in each trial', { timeout: TIMEOUT_MS }, async (name) => {
    const race = races.get(name) as Race;
    const row = kept(await runRace(race, origins(), { trials: TRIALS, parallel: PARALLEL }));
    expect(row.wrong).toEqual([]);
  });

  it('keys rotate under load: every request is answered, every token verified (DESIGN §9.8)', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const until = { tokens: 1000, rotations: 2, seconds: SECONDS };
    const row = kept(await runRotation(cluster, origins(), until));
    expect(row.wrong).toEqual([]);
    expect(row.rotations).toBeGreaterThanOrEqual(2);
    expect(row.rate).toBeGreaterThanOrEqual(RATE_MIN);
  });
});

it('a stop at one process is known at the other by the next request (G8)', {
  timeout: TIMEOUT_MS,
}, async () => {
  expect(kept(await runStale(cluster, STOPS)).wrong).toEqual([]);
  // One by one: each is a sign-in, a consent and four hops.
  if (isSoak) expect(kept(await runChains(cluster, Math.ceil(STOPS / 200))).wrong).toEqual([]);
});

it.each(['PostgreSQL', 'PGlite'] as const)('kill -9 on %s loses nothing acknowledged (G5)', {
  timeout: TIMEOUT_MS,
}, async (kind) => {
  expect(kept(await runKills(kind, KILLS)).wrong).toEqual([]);
});

describe('the table', () => {
  it('names what was wrong, so that a soak that fails says why', () => {
    const row = { what: 'codes', processes: 2, trials: 1, attempts: 20, seconds: 1.25 };
    expect(
      tableOf([{ ...row, wrong: ['2 winners instead of one', '2 winners instead of one'] }]),
    ).toBe(
      [
        'what   processes  trials  attempts  seconds  rate  wrong',
        'codes  2          1       20        1.3            2',
        '! codes: 2 winners instead of one',
      ].join('\n'),
    );
  });

  it('takes for kept up what the slowest ten seconds had, a standstill as well', () => {
    expect(sustainedRate([3000, 2000, 2500, 10], 30.5)).toBe(200);
    expect(sustainedRate([3000, 0, 2500], 30)).toBe(0);
    expect(sustainedRate([3000], 21)).toBe(0);
    expect(sustainedRate([1000], 4)).toBe(250);
    const row = { what: 'rotation (2)', processes: 1, trials: 9, attempts: 18, seconds: 4 };
    expect(tableOf([{ ...row, rate: 200.7, wrong: [] }]).split('\n')[1]).toBe(
      'rotation (2)  1          9       18        4.0      200/s  0',
    );
  });

  it('counts a trial without a winner, with two, and an answer that is neither', async () => {
    const raceOf = (
      ...outcomes: readonly ('lost' | { won: string } | { wrong: string })[]
    ): Race => ({
      name: 'told',
      prepare: async () => [async (n) => outcomes[n] as 'lost'],
    });
    const wrongOf = async (race: Race) =>
      (await runRace(race, ['here'], { trials: 1, parallel: 3 })).wrong;
    expect(await wrongOf(raceOf({ won: 'a' }, 'lost', 'lost'))).toEqual([]);
    expect(await wrongOf(raceOf({ won: 'a' }, { won: 'a' }, 'lost'))).toEqual([]);
    expect(await wrongOf(raceOf('lost', 'lost', 'lost'))).toEqual(['0 winners instead of one']);
    expect(await wrongOf(raceOf({ won: 'a' }, { won: 'b' }, 'lost'))).toEqual([
      '2 winners instead of one',
    ]);
    expect(await wrongOf(raceOf({ won: 'a' }, { wrong: '500' }, 'lost'))).toEqual(['500']);
  });
});
