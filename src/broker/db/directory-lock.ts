/**
 * A lock file of our own: PGlite takes none, and two processes on one directory lose data
 * (threats.md §0.8). The holder is named by process id and start time, so a killed process's lock,
 * or one whose id was given to another program, is recovered; a living one's never.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DirectoryLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  /** From /proc where there is one: tells a process from a later one with the same id. */
  readonly startedAt: string | undefined;
}

const LOCK_FILE = 'behalf.lock';
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
  const path = join(directory, LOCK_FILE);
  const mine = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const holder: Holder = { pid: process.pid, startedAt: await startTime(process.pid) };
  await writeFile(mine, JSON.stringify(holder), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      // A hard link appears whole or not at all, and only if nobody holds the name.
      if (await tryLink(mine, path)) return { release: () => unlink(path).catch(() => {}) };
      const other = await readHolder(path);
      if (other !== undefined && (await isAlive(other))) {
        throw new Error(
          `${directory} is in use by process ${other.pid}: only one process may open an embedded database. Stop it, or use DATABASE_URL.`,
        );
      }
      // Move the dead lock aside: of several who try, one succeeds, and checks that it was the dead one.
      const aside = `${mine}.stale`;
      await rename(path, aside).catch(() => {});
      const moved = await readHolder(aside);
      if (moved !== undefined && (await isAlive(moved))) await tryLink(aside, path);
      await unlink(aside).catch(() => {});
    }
    throw new Error(`could not lock ${directory}: several processes are starting in it`);
  } finally {
    await unlink(mine).catch(() => {});
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false;
    throw error;
  }
}
