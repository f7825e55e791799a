// kill −9 at random points (G5): a broker in a process of its own is killed in the middle of code
// exchange, consent, refresh, exchange, every kind of stop, and key rotation. What was acknowledged is
// kept in a journal on this side; the next process is asked about all of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import type { TestBroker } from '../support/broker.js';
import {
  checkAudit,
  checkRefreshTokens,
  checkStates,
  checkTokens,
  createJournal,
  type Journal,
  stoppedTokens,
} from './kill-journal.js';
import { type Kind, openPlace } from './kill-places.js';
import { ROUNDS, workOn } from './kill-work.js';
import type { Figures } from './run.js';

const KILL_WITHIN_MS = 150;
const ANSWERS_MAX = 6;
const WARM_UP_MAX_MS = 2000;
const LOOK_MS = 5;
/** Asked about again after each kill; everything that was stopped is asked about once more at the end. */
const REMEMBERED = 20;
/** For the first of its kind: whatever the machine has to do besides. */
const FIRST_MAX_MS = 60_000;

export async function runKills(kind: Kind, kills: number): Promise<Figures> {
  const startedAt = performance.now();
  const place = await openPlace(kind);
  const t = place as unknown as TestBroker;
  const journal = createJournal();
  const browser = createBrowserless(t.issuer);
  let child = await place.start();
  for (let n = 0; n < kills; n += 1) {
    const [tokens, off] = [journal.tokens.length, journal.off.length];
    const { steps, once } = ROUNDS[n % ROUNDS.length] as (typeof ROUNDS)[number];
    const works = workOn({ t, journal, browser }, steps, n + 1);
    await underWay(journal, once);
    child.kill('SIGKILL');
    await child.ended;
    await works;
    child = await place.start();
    const remembered = Math.min(tokens, journal.tokens.length - REMEMBERED);
    journal.wrong.push(
      ...(await checkTokens(t, journal, journal.tokens.slice(Math.max(0, remembered)))),
      ...(await checkRefreshTokens(t, journal, journal.tokens.slice(tokens))),
      ...(await checkStates(t, journal.off.slice(off))),
    );
  }
  journal.wrong.push(
    ...(await checkTokens(t, journal, stoppedTokens(journal))),
    ...(await checkStates(t, journal.off)),
    ...(await checkAudit(t)),
    ...ROUNDS.slice(0, kills)
      .filter(({ once }) => !journal.done.has(once))
      .map(({ once }) => `${once}: never came to its end`),
  );
  child.kill();
  await child.ended;
  await place.close();
  return {
    what: `kill -9, ${kind} (${journal.tokens.length} tokens, ${journal.stopped.size} stops)`,
    processes: 1,
    trials: kills,
    attempts: journal.tokens.length + journal.stopped.size,
    seconds: (performance.now() - startedAt) / 1000,
    wrong: journal.wrong,
  };
}

/**
 * Somewhere in a flow: a random number of answers from now, and a random time after that; not before
 * what this round is about was done once, so that every kind of stop is among what is remembered.
 */
async function underWay(journal: Journal, once: string): Promise<void> {
  const answers = (): number => journal.tokens.length + journal.stopped.size;
  const isFirst = !journal.done.has(once);
  const enough = answers() + Math.floor(Math.random() * ANSWERS_MAX);
  const isEnough = (): boolean => (isFirst ? journal.done.has(once) : answers() >= enough);
  const most = isFirst ? FIRST_MAX_MS : WARM_UP_MAX_MS;
  for (let waited = 0; !isEnough() && waited < most; waited += LOOK_MS) await sleep(LOOK_MS);
  await sleep(Math.random() * KILL_WITHIN_MS);
}
