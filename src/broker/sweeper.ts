/** Forgets what has expired, a bounded number at a time, and never anything a check still needs. */
import type { Logger } from 'pino';
import type { Database } from './db/database.js';
import { sweepArtifacts } from './provider/adapter.js';
import { forgetFacts } from './revocation/store.js';
import { forgetSignInFailures } from './users/throttle.js';

const EVERY_MS = 60_000;
const ROWS_MAX = 1000;

export function startSweeper(db: Database, log: Logger, now: () => number): { stop(): void } {
  const sweep = async (): Promise<void> => {
    try {
      const artifacts = await sweepArtifacts(db, ROWS_MAX);
      const facts = await forgetFacts(db.orm, ROWS_MAX);
      const failures = await forgetSignInFailures(db, now(), ROWS_MAX);
      log.debug({ artifacts, facts, failures }, 'forgot what had expired');
    } catch (error) {
      log.warn({ err: error }, 'the sweep failed; it will be tried again');
    }
  };
  const timer = setInterval(() => void sweep(), EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
