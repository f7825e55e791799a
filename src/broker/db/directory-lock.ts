/**
 * A lock of our own: PGlite takes none, and two processes on one directory lose data (threats.md
 * §0.8). The holder is named by process id and start time, so a killed process's lock, or one whose
 * id was given to another program, is recovered; a living one's never.
 *
 * Locks are numbered, and the greatest number is the one that counts. A number is taken by a hard
 * link, which only one process can make, and only when the number before it was given back or its
 * holder is dead. A lock that counts is never moved or removed, because between looking at a dead
 * lock and removing it by name, a living one may have taken the name.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DirectoryLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** From /proc where there is one: tells a process from a later one with the same id. */
  readonly startedAt: string | undefined;
  readonly released?: true;
}

const LOCK_FILE = /^behalf\.lock\.(\d{1,15})$/;
const ATTEMPTS_MAX = 5;

async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.released === true) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as { code?: string }).code === 'ESRCH') return false;
  }
  const startedAt = await startTime(holder.pid);
  return (
    holder.startedAt === undefined || startedAt === undefined || startedAt === holder.startedAt
  );
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Holder;
    return Number.isSafeInteger(value.pid) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock of a data directory, creating the directory (mode 0700) if need be.
 *
 * @throws Error naming the holder when a living process has it
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pathOf = (number: number): string => join(directory, `behalf.lock.${number}`);
  const mine = join(directory, `behalf.lock-${process.pid}-${randomBytes(4).toString('hex')}`);
  const holder: Holder = { pid: process.pid, startedAt: await startTime(process.pid) };
  await writeFile(mine, JSON.stringify(holder), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const last = (await numbersIn(directory)).at(-1) ?? 0;
      const other = await readHolder(pathOf(last));
      if (other !== undefined && (await isAlive(other))) {
        throw new Error(
          `${directory} is in use by process ${other.pid}: only one process may open an embedded database. Stop it, or use DATABASE_URL.`,
        );
      }
      const number = last + 1;
      // A hard link appears whole or not at all, and only if nobody holds the name.
      if (!(await tryLink(mine, pathOf(number)))) continue;
      const numbers = await numbersIn(directory);
      if (numbers.at(-1) === number) {
        for (const old of numbers.slice(0, -1)) await remove(pathOf(old));
        return { release: () => giveBack(pathOf(number), holder) };
      }
      // Too slow: others took and gave back this number and the next meanwhile.
      await remove(pathOf(number));
    }
    throw new Error(`could not lock ${directory}: several processes are starting in it`);
  } finally {
    await remove(mine);
  }
}

/** Whether a living process holds a data directory; one that does not exist is free. */
export async function isLocked(directory: string): Promise<boolean> {
  const numbers = await numbersIn(directory).catch(() => []);
  const holder = await readHolder(join(directory, `behalf.lock.${numbers.at(-1) ?? 0}`));
  return holder !== undefined && (await isAlive(holder));
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
