/**
 * A lock of our own: PGlite takes none, and two processes on one directory lose data.
 * The holder is named by process id and start time, so a killed process's lock, or one whose
 * id was given to another program, is recovered; a living one's never.
 *
 * Process ids mean something only where they were given: two containers that share a volume may both
 * be process 1. So a holder also says where it runs, and touches its lock every few seconds; from
 * elsewhere it is watched, and dead only when nothing was touched for long. No two clocks are
 * compared. A holder that was stopped for so long (a paused machine) notices before its next
 * statement that its lock is gone.
 *
 * Locks are numbered, and the greatest number is the one that counts. A number is taken by a hard
 * link, which only one process can make, and only when the number before it was given back or its
 * holder is dead. A lock that counts is never moved or removed, because between looking at a dead
 * lock and removing it by name, a living one may have taken the name.
 */
import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Holder, isAlive, readHolder, startTime, thisPlace } from './lock-holder.js';

export interface DirectoryLock {
  /** @throws Error when another process has taken over: nothing may be written any more */
  assertHeld(): void;
  release(): Promise<void>;
}

export interface LockOptions {
  /** Where process ids are what they are here; found out by default. */
  readonly place?: string;
  readonly beatMs?: number;
  /** From elsewhere, a holder that does not touch its lock for so long is dead. */
  readonly watchMs?: number;
}

const LOCK_FILE = /^behalf\.lock\.(\d{1,15})$/;
const ATTEMPTS_MAX = 5;
const BEAT_MS = 2_000;
/** Longer than a database takes to open, during which nothing beats. */
const WATCH_MS = 30_000;

/**
 * Takes the lock of a data directory, creating the directory (mode 0700) if need be.
 *
 * @throws Error naming the holder when a living process has it
 */
export async function lockDirectory(
  directory: string,
  options: LockOptions = {},
): Promise<DirectoryLock> {
  const { beatMs = BEAT_MS, watchMs = WATCH_MS, place = await thisPlace() } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pathOf = (number: number): string => join(directory, `behalf.lock.${number}`);
  const mine = join(directory, `behalf.lock-${process.pid}-${randomBytes(4).toString('hex')}`);
  const startedAt = await startTime(process.pid);
  const holder: Holder = { pid: process.pid, startedAt, place, host: hostname() };
  await writeFile(mine, JSON.stringify(holder), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const last = (await numbersIn(directory)).at(-1) ?? 0;
      const other = await readHolder(pathOf(last));
      if (other !== undefined && (await isAlive(pathOf(last), other, { place, watchMs }))) {
        throw inUse(directory, other, place);
      }
      const number = last + 1;
      // A hard link appears whole or not at all, and only if nobody holds the name.
      if (!(await tryLink(mine, pathOf(number)))) continue;
      const numbers = await numbersIn(directory);
      if (numbers.at(-1) === number) {
        for (const old of numbers.slice(0, -1)) await remove(pathOf(old));
        return await keep(pathOf(number), holder, { beatMs, watchMs });
      }
      // Too slow: others took and gave back this number and the next meanwhile.
      await remove(pathOf(number));
    }
    throw new Error(`could not lock ${directory}: several processes are starting in it`);
  } finally {
    await remove(mine);
  }
}

function inUse(directory: string, { pid, place, host }: Holder, here: string): Error {
  const where = place === undefined || place === here ? '' : ` on ${host ?? 'another machine'}`;
  return new Error(
    `${directory} is in use by process ${pid}${where}: only one process may open an embedded database. Stop it, or use DATABASE_URL.`,
  );
}

/** Whether a living process holds a data directory; one that does not exist is free. */
export async function isLocked(directory: string, options: LockOptions = {}): Promise<boolean> {
  const { watchMs = WATCH_MS, place = await thisPlace() } = options;
  const numbers = await numbersIn(directory).catch(() => []);
  const path = join(directory, `behalf.lock.${numbers.at(-1) ?? 0}`);
  const holder = await readHolder(path);
  return holder !== undefined && (await isAlive(path, holder, { place, watchMs }));
}

/** Touches the lock while it is held. Through its handle: a lock that was taken over stays gone. */
async function keep(
  path: string,
  holder: Holder,
  { beatMs, watchMs }: { readonly beatMs: number; readonly watchMs: number },
): Promise<DirectoryLock> {
  const file: FileHandle = await open(path, 'r+');
  let aliveAtMs = performance.now();
  const isGone = (): boolean => fstatSync(file.fd).nlink === 0;
  const beat = async (): Promise<void> => {
    const now = new Date();
    await file.utimes(now, now);
    if (!isGone()) aliveAtMs = performance.now();
  };
  const timer = setInterval(() => void beat().catch(() => undefined), beatMs);
  timer.unref();
  return {
    assertHeld: () => {
      // Nobody takes over before `watchMs` of silence: until then it needs no look.
      if (performance.now() - aliveAtMs < watchMs / 2 || !isGone()) return;
      throw Object.assign(
        new Error(
          `the data directory was taken over by another process while this one stood still`,
        ),
        // SQLSTATE admin_shutdown: whoever asked may ask again elsewhere.
        { code: '57P01' },
      );
    },
    release: async () => {
      clearInterval(timer);
      await giveBack(path, holder);
      await file.close();
    },
  };
}

async function numbersIn(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  const numbers = names.flatMap((name) => LOCK_FILE.exec(name)?.[1] ?? []).map(Number);
  return numbers.sort((a, b) => a - b);
}

/** The number stays taken, so that a slow starter who saw the one before cannot take it again. */
async function giveBack(path: string, holder: Holder): Promise<void> {
  try {
    await writeFile(`${path}.released`, JSON.stringify({ ...holder, released: true }), {
      mode: 0o600,
    });
    await rename(`${path}.released`, path);
  } catch {
    // The directory is gone, or full: the lock is recovered once this process has ended.
  }
}

const remove = (path: string): Promise<void> => unlink(path).catch(() => {});

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false;
    throw error;
  }
}
