// Two containers on one volume (G23): process ids say nothing there, so the holder's beat does.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { isLocked, lockDirectory } from '../../src/broker/db/directory-lock.js';

const HERE = { place: 'one host, one namespace', beatMs: 5, watchMs: 500 };
/** A process id that nobody has: above the greatest there may be. */
const NOBODY = 4_194_400;

let directory: string;
let path: string;
let beat: NodeJS.Timeout | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(inject('scratchDir'), 'volume-'));
  path = join(directory, 'behalf.lock.1');
});
afterEach(() => {
  clearInterval(beat);
  rmSync(directory, { recursive: true, force: true });
});

/** The lock of a process in another container. */
const elsewhere = (pid: number, more: object = {}) =>
  writeFileSync(
    path,
    JSON.stringify({ pid, startedAt: '1', place: 'elsewhere', host: 'web-2', ...more }),
  );
const beating = () => {
  let seconds = 1_000_000;
  beat = setInterval(() => {
    seconds += 1;
    utimesSync(path, seconds, seconds);
  }, 5);
};

describe('a data directory whose lock was taken in another container', () => {
  it('is refused while the holder beats, though no process here has its id, and whatever its clock says', async () => {
    elsewhere(NOBODY);
    beating();
    await expect(lockDirectory(directory, HERE)).rejects.toThrow(
      `${directory} is in use by process ${NOBODY} on web-2: only one process may open an embedded database. Stop it, or use DATABASE_URL.`,
    );
    expect(await isLocked(directory, HERE)).toBe(true);
  });

  it('is refused while the holder beats, though its process id is our own', async () => {
    elsewhere(process.pid);
    beating();
    await expect(lockDirectory(directory, HERE)).rejects.toThrow('on web-2');
  });

  it('is recovered when nothing beats, though a process here has its id', async () => {
    elsewhere(process.pid);
    const quick = { ...HERE, watchMs: 50 };
    expect(await isLocked(directory, quick)).toBe(false);
    await (await lockDirectory(directory, quick)).release();
  });

  it('is free at once when it was given back', async () => {
    elsewhere(NOBODY, { released: true });
    const forever = { ...HERE, watchMs: 3_600_000 };
    await (await lockDirectory(directory, forever)).release();
  });

  it('is free when it is given back while we watch', async () => {
    const theirs = await lockDirectory(directory, {
      ...HERE,
      place: 'elsewhere',
      beatMs: 3_600_000,
    });
    const ours = lockDirectory(directory, { ...HERE, watchMs: 2_000 });
    await theirs.release();
    await (await ours).release();
  });
});

describe('a holder', () => {
  it('beats: another container is refused for as long as it lives', async () => {
    const held = await lockDirectory(directory, HERE);
    await expect(lockDirectory(directory, { ...HERE, place: 'elsewhere' })).rejects.toThrow(
      `in use by process ${process.pid} on `,
    );
    held.assertHeld();
    await held.release();
  });

  it('that stood still for too long and was taken over writes nothing more, and gives back nothing', async () => {
    const still = await lockDirectory(directory, { ...HERE, beatMs: 3_600_000, watchMs: 20 });
    const taken = await lockDirectory(directory, { ...HERE, place: 'elsewhere', watchMs: 20 });
    expect(() => still.assertHeld()).toThrow('taken over by another process');
    taken.assertHeld();
    await still.release();
    taken.assertHeld();
    await expect(lockDirectory(directory, HERE)).rejects.toThrow('is in use by process');
    await taken.release();
  });
});
