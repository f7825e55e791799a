/** Forgets what has expired, a bounded number at a time, and never anything a check still needs. */
import type { Logger } from 'pino';
import { forgetUnusedDocuments } from './clients/document-store.js';
import type { Database } from './db/database.js';
import { eraseKeptAnswers } from './delegation/kept-answer.js';
import { sweepArtifacts } from './provider/adapter.js';
import { forgetRegistrations } from './registration/expiry-store.js';
import { forgetFollowers } from './revocation/followers.js';
import { forgetFacts } from './revocation/store.js';
import { forgetSessions } from './sessions/store.js';
import { forgetSignInFailures } from './users/throttle.js';

const EVERY_MS = 60_000;
const ROWS_MAX = 1000;
/** Together with ROWS_MAX, more a minute than a flood of unauthenticated requests can write. */
const ROUNDS_MAX = 100;

export function startSweeper(
  db: Database,
  log: Logger,
  now: () => number,
  refreshGraceSeconds: number,
  /** What else is due once a minute. */
  chores: readonly (() => Promise<void>)[] = [],
): { stop(): void } {
  const forget: readonly (() => Promise<number>)[] = [
    () => sweepArtifacts(db, ROWS_MAX),
    () => eraseKeptAnswers(db, refreshGraceSeconds, ROWS_MAX),
    () => forgetFacts(db.orm, ROWS_MAX),
    () => forgetFollowers(db.orm, ROWS_MAX),
    () => forgetSessions(db, ROWS_MAX),
    () => forgetRegistrations(db, ROWS_MAX),
    () => forgetSignInFailures(db, now(), ROWS_MAX),
    () => forgetUnusedDocuments(db, ROWS_MAX),
  ];
  let stopped = false;
  const sweep = async (): Promise<void> => {
    for (const chore of chores) await chore();
    for (const some of forget) {
      for (let round = 0; round < ROUNDS_MAX && !stopped; round += 1) {
        if ((await some()) < ROWS_MAX) break;
      }
    }
  };
  const timer = setInterval(() => {
    sweep().catch((err) => log.warn({ err }, 'the sweep failed; it will be tried again'));
  }, EVERY_MS);
  timer.unref();
  return {
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
