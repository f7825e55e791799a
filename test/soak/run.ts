// Runs races and rotations, and says what came of them as rows of a table.
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, jwtVerify } from 'jose';
import { createVerifier } from '../../src/verifier/index.js';
import { type Cluster, inBatches } from '../races/support/cluster.js';
import { activeKey, admin } from '../support/keys.js';
import { AGENT, FILES } from '../support/world.js';
import type { Outcome, Race, Trial } from './races.js';

export interface Figures {
  readonly what: string;
  readonly processes: number;
  readonly trials: number;
  readonly attempts: number;
  readonly seconds: number;
  /** Requests a second, kept up; absent where the time is not of requests alone. */
  readonly rate?: number;
  /** Each in a sentence; none is the only good number. */
  readonly wrong: readonly string[];
}

/** Trials prepared together: what they contend for lives for a minute. */
const PREPARED = 40;
/** Trials that run at the same time: more would only make the queues longer than the races. */
const AT_ONCE = 5;

export async function runRace(
  race: Race,
  origins: readonly string[],
  size: { readonly trials: number; readonly parallel: number },
): Promise<Figures> {
  const startedAt = performance.now();
  const wrong: string[] = [];
  for (let left = size.trials; left > 0; left -= PREPARED) {
    const trials = await race.prepare(Math.min(left, PREPARED), size.parallel);
    const problems = await inBatches(trials, AT_ONCE, (trial) =>
      runTrial(trial, origins, size.parallel),
    );
    wrong.push(...problems.flat());
  }
  return {
    what: race.name,
    processes: origins.length,
    trials: size.trials,
    attempts: size.trials * size.parallel,
    seconds: (performance.now() - startedAt) / 1000,
    wrong,
  };
}

async function runTrial(
  trial: Trial,
  origins: readonly string[],
  parallel: number,
): Promise<string[]> {
  const outcomes = await Promise.all(
    Array.from({ length: parallel }, (_, n) => trial(n, origins[n % origins.length] as string)),
  );
  const won = new Set(
    outcomes.flatMap((one) => (typeof one === 'object' && 'won' in one ? [one.won] : [])),
  );
  const odd = outcomes.flatMap((one: Outcome) =>
    typeof one === 'object' && 'wrong' in one ? [one.wrong] : [],
  );
  return won.size === 1 ? odd : [...odd, `${won.size} winners instead of one`];
}

/** What a broker must have been started with: a lead longer than the verifiers' cache. */
export const ROTATION_CONFIG = { keyLeadSeconds: 3 };
const CACHE_SECONDS = 1;
const WORKERS = 8;
const PAUSE_MS = 250;

/** What is kept up is kept up in each of these, the slowest too: a mean would hide a standstill. */
export const RATE_WINDOW_SECONDS = 10;

/** @param answered how many in each window; a run shorter than one is taken as a whole */
export function sustainedRate(answered: readonly number[], seconds: number): number {
  const whole = Math.floor(seconds / RATE_WINDOW_SECONDS);
  if (whole === 0) return (answered[0] ?? 0) / seconds;
  const windows = Array.from({ length: whole }, (_, n) => answered[n] ?? 0);
  return windows.reduce((least, one) => Math.min(least, one)) / RATE_WINDOW_SECONDS;
}

/**
 * Tokens are issued by every process and verified at once, by our verifier and by jose, while keys
 * rotate as often as the lead allows. Neither verifier may ask again for a key it does not know:
 * only a key that was published before it signed is known.
 */
export async function runRotation(
  cluster: Cluster,
  origins: readonly string[],
  until: { readonly tokens: number; readonly rotations: number; readonly seconds: number },
): Promise<Figures & { readonly rotations: number; readonly rate: number }> {
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  const answered: number[] = [];
  const check = createChecks(cluster);
  const wrong: string[] = [];
  const kids = new Set<string>();
  let tokens = 0;
  let rotations = 0;
  const isEnough = (): boolean =>
    wrong.length > 100 ||
    (tokens >= until.tokens && rotations >= until.rotations && elapsed() >= until.seconds);
  const work = async (origin: string): Promise<void> => {
    while (!isEnough()) {
      const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
      const { status, body } = await cluster.post(origin, '/token', fields, AGENT);
      if (status !== 200) wrong.push(`not issued: ${status} ${JSON.stringify(body)}`);
      else {
        kids.add(decodeProtectedHeader(body.access_token).kid as string);
        wrong.push(...(await check.verify(body.access_token)));
        tokens += 1;
        const window = Math.floor(elapsed() / RATE_WINDOW_SECONDS);
        answered[window] = (answered[window] ?? 0) + 1;
      }
    }
  };
  const rotate = async (): Promise<void> => {
    while (!isEnough()) {
      // Refused until the next key has been published for long enough.
      const { status, body } = await admin(cluster, 'POST', '/keys/rotate', {});
      if (status === 200) rotations += 1;
      else if (status !== 409) wrong.push(`not rotated: ${status} ${JSON.stringify(body)}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const workers = Array.from({ length: WORKERS }, (_, n) =>
    work(origins[n % origins.length] as string),
  );
  await Promise.all([...workers, rotate()]);
  const seconds = elapsed();
  const { body } = await admin(cluster, 'GET', '/keys');
  if (kids.size < rotations) wrong.push(`only ${kids.size} keys signed in ${rotations} rotations`);
  activeKey(body.items);
  await check.close();
  return {
    what: `rotation (${rotations})`,
    processes: origins.length,
    trials: tokens,
    attempts: tokens * 2,
    seconds,
    rate: sustainedRate(answered, seconds),
    wrong,
    rotations,
  };
}

function createChecks({ issuer }: Cluster) {
  const verifier = createVerifier({
    issuer,
    resource: FILES,
    jwksCache: { maxAgeSeconds: CACHE_SECONDS, cooldownSeconds: CACHE_SECONDS },
  });
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    cacheMaxAge: CACHE_SECONDS * 1000,
    // An unknown key is never asked for: it fails at once.
    cooldownDuration: 24 * 3600 * 1000,
    [customFetch]: fetch,
  });
  const problem = (who: string) => (error: unknown) => [`${who}: ${String(error)}`];
  return {
    verify: async (token: string): Promise<string[]> => {
      const problems = await Promise.all([
        verifier.verify(token).then(() => [], problem('our verifier')),
        jwtVerify(token, keys, { issuer, audience: FILES }).then(() => [], problem('jose')),
      ]);
      return problems.flat();
    },
    close: () => verifier.close(),
  };
}

const COLUMNS = ['what', 'processes', 'trials', 'attempts', 'seconds', 'rate', 'wrong'] as const;

export function tableOf(figures: readonly Figures[]): string {
  const rows = figures.map((row) => [
    row.what,
    String(row.processes),
    String(row.trials),
    String(row.attempts),
    row.seconds.toFixed(1),
    row.rate === undefined ? '' : `${Math.floor(row.rate)}/s`,
    String(row.wrong.length),
  ]);
  const all = [[...COLUMNS], ...rows];
  const widths = COLUMNS.map((_, at) => Math.max(...all.map((row) => (row[at] as string).length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] as number))
      .join('  ')
      .trimEnd();
  const problems = figures.flatMap(({ what, wrong }) =>
    [...new Set(wrong)].slice(0, 20).map((sentence) => `! ${what}: ${sentence}`),
  );
  return [...all.map(line), ...problems].join('\n');
}
