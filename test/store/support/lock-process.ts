// A process that takes and gives back the lock of a data directory when it is told to.
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryLock, lockDirectory } from '../../../src/broker/db/directory-lock.js';

const { directory } = JSON.parse(process.argv[2] as string);
let lock: DirectoryLock | undefined;

/** Takes and gives back so many times without a pause; whoever finds another one inside has proved a fault. */
async function hammer(times: number): Promise<{ taken: number; met: number }> {
  const inside = join(directory, 'inside');
  const outcome = { taken: 0, met: 0 };
  while (outcome.taken < times) {
    const held = await lockDirectory(directory).catch(() => undefined);
    if (held === undefined) continue;
    outcome.taken += 1;
    try {
      closeSync(openSync(inside, 'wx'));
      await new Promise((resolve) => setImmediate(resolve));
      unlinkSync(inside);
    } catch {
      outcome.met += 1;
    }
    await held.release();
  }
  return outcome;
}

process.on('message', async (message: { take?: true; release?: true; hammerTimes?: number }) => {
  if (message.hammerTimes !== undefined) {
    process.send?.(await hammer(message.hammerTimes));
    return;
  }
  if (message.release === true) {
    await lock?.release();
    lock = undefined;
    process.send?.({ released: true });
    return;
  }
  try {
    lock = await lockDirectory(directory);
    process.send?.({ taken: true });
  } catch (error) {
    process.send?.({ refused: (error as Error).message });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
