/** Signs a checkpoint of the audit every minute in which something was recorded, and at the end. */
import type { Logger } from 'pino';
import type { Database } from '../db/database.js';
import type { KeyRing } from '../keys/ring.js';
import { makeCheckpoint } from './checkpoints.js';

const EVERY_MS = 60_000;

export function startCheckpoints(deps: {
  readonly db: Database;
  readonly issuer: string;
  readonly keys: Pick<KeyRing, 'keyFor'>;
  readonly now: () => number;
  readonly log: Logger;
}): { stop(): Promise<void> } {
  const { db, issuer, keys, now, log } = deps;
  const sign = async (): Promise<void> => {
    try {
      const checkpoint = await makeCheckpoint(db, {
        issuer,
        key: keys.keyFor('ES256'),
        nowMs: now(),
      });
      // Whoever keeps the log elsewhere can prove later that the audit was not cut back.
      if (checkpoint !== undefined) log.info({ checkpoint }, 'audit checkpoint');
    } catch (err) {
      log.warn({ err }, 'no audit checkpoint was signed; it will be tried again');
    }
  };
  const timer = setInterval(() => void sign(), EVERY_MS).unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await sign();
    },
  };
}
