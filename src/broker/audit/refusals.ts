/**
 * Refusals that anybody can cause, without proving who they are: recorded one by one up to a number
 * a minute and network, beyond that only counted, and told as one event. A flood makes the audit
 * grow by what it can be read through, never by what was sent.
 */
import type { Database } from '../db/database.js';
import { type AuditEvent, record } from './store.js';

export interface RefusalLog {
  /** Records the refusal, or counts it. */
  note(event: AuditEvent, address: string): Promise<void>;
  /** Tells what was only counted so far; a minute begins. */
  flush(): Promise<void>;
}

export interface RefusalLogDeps {
  readonly db: Database;
  readonly now: () => number;
  /** What one subscriber holds. */
  readonly networkOf: (address: string) => string;
  /** For one network. */
  readonly perMinute?: number | undefined;
}

export const REFUSALS_PER_MINUTE = 120;
/** For all networks together: this many times one network's. */
const NETWORKS_HEARD = 25;
const MINUTE_MS = 60_000;

export function createRefusalLog(deps: RefusalLogDeps): RefusalLog {
  const { db, now, networkOf, perMinute = REFUSALS_PER_MINUTE } = deps;
  const total = perMinute * NETWORKS_HEARD;
  let startedAtMs = now();
  let recorded = 0;
  let counted = 0;
  /** No more entries than events were recorded. */
  let byNetwork = new Map<string, number>();

  const flush = async (): Promise<void> => {
    const [count, since] = [counted, new Date(startedAtMs).toISOString()];
    [startedAtMs, recorded, counted, byNetwork] = [now(), 0, 0, new Map()];
    if (count === 0) return;
    const reason = `${count} more refusals of callers nobody knows were counted, not recorded`;
    const detail = { code: 'too_many', reason, count, since };
    await record(db.orm, { type: 'request.refused', by: 'system', detail });
  };
  return {
    flush,
    note: async (event, address) => {
      if (now() - startedAtMs >= MINUTE_MS) await flush();
      const network = networkOf(address);
      const heard = byNetwork.get(network) ?? 0;
      if (recorded >= total || heard >= perMinute) {
        counted += 1;
        return;
      }
      recorded += 1;
      byNetwork.set(network, heard + 1);
      await record(db.orm, event);
    },
  };
}
