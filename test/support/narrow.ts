// A stop made by hand, as the broker makes its own: the gate closes first, then facts and epoch.
import type { Database, Executor } from '../../src/broker/db/database.js';
import { closeGate, conclude, type Stop } from '../../src/broker/revocation/store.js';

export const narrow = <T>(
  db: Database,
  work: (tx: Executor) => Promise<{ readonly stops: readonly Stop[]; readonly result: T }>,
): Promise<T> =>
  db.transaction(async (tx) => {
    await closeGate(tx);
    const { stops, result } = await work(tx);
    await conclude(tx, stops);
    return result;
  });
