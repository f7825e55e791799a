/**
 * Who holds a lock, and whether it lives. Where process ids mean the same, by its id and start time;
 * from elsewhere, by whether its lock is touched while we look.
 */
import { readFile, readlink, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Holder {
  readonly pid: number;
  /** From /proc where there is one: tells a process from a later one with the same id. */
  readonly startedAt: string | undefined;
  /** Absent in the locks of earlier versions. */
  readonly place?: string | undefined;
  readonly host?: string | undefined;
  readonly released?: true;
}

/** Host, boot and process namespace: the same only where process ids can be compared. */
export async function thisPlace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return [hostname(), boot.trim(), namespace].join(' ');
}

export async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

export interface Watcher {
  readonly place: string;
  readonly watchMs: number;
}

export async function isAlive(path: string, holder: Holder, watcher: Watcher): Promise<boolean> {
  if (holder.released === true) return false;
  const isHere = holder.place === undefined || holder.place === watcher.place;
  return isHere ? isAliveHere(holder) : isTouched(path, watcher.watchMs);
}

const touchedAt = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );

const WATCH_STEPS = 20;

async function isTouched(path: string, watchMs: number): Promise<boolean> {
  const before = await touchedAt(path);
  for (let step = 0; step < WATCH_STEPS; step += 1) {
    await sleep(watchMs / WATCH_STEPS);
    // Given back, or taken over by somebody else, it is not that holder's any more.
    if ((await touchedAt(path)) !== before) {
      const holder = await readHolder(path);
      return holder !== undefined && holder.released !== true;
    }
  }
  return false;
}

async function isAliveHere(holder: Holder): Promise<boolean> {
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

export async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Holder;
    return Number.isSafeInteger(value.pid) ? value : undefined;
  } catch {
    return undefined;
  }
}
