// A private temporary folder that is gone when the process that made it is gone, however it went.
// A tiny guard shell holds the reading end of a pipe; when the pipe closes (normal end, SIGINT,
// SIGKILL), it ends the one process it was told of and removes the folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Scratch {
  /** Absolute path, mode 0755, reachable by every user of this machine. */
  readonly dir: string;
  /** Names the process to end (SIGQUIT, then SIGKILL after 5 s) when the folder goes; null for none. */
  guard(pid: number | null): void;
  /** Ends the guarded process and removes the folder. */
  dispose(): Promise<void>;
}

const GUARD = `
pid=
while IFS= read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  [ "$n" -ge 100 ] && kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1" || { sleep 0.5; rm -rf "$1"; }
`;

/** Creates the folder. */
export function createScratch(label: string): Scratch {
  const dir = mkdtempSync(join(traversableTmp(), `behalf-${label}-`));
  chmodSync(dir, 0o755);
  // Detached: a Ctrl-C in the terminal reaches the whole process group, and must not reach the guard.
  const shell = spawn('/bin/sh', ['-c', GUARD, 'sh', dir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.unref();
  const pipe = shell.stdin;
  if (pipe === null) throw new Error('The guard of a temporary folder has no pipe.');
  pipe.on('error', () => {});
  (pipe as unknown as { unref?: () => void }).unref?.();
  const ended = exitOf(shell);
  return {
    dir,
    guard: (pid) => void pipe.write(`${pid ?? ''}\n`),
    dispose: async () => {
      shell.ref();
      pipe.end();
      await ended;
    },
  };
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** The first temporary folder that users other than this one can enter too. */
function traversableTmp(): string {
  for (const candidate of [tmpdir(), '/tmp', '/var/tmp']) {
    if (isWritable(candidate) && isOpenToOthers(candidate)) return candidate;
  }
  throw new Error(
    'No temporary folder that other users can enter: looked at TMPDIR, /tmp, /var/tmp.',
  );
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isOpenToOthers(path: string): boolean {
  if ((statSync(path).mode & 0o001) === 0) return false;
  const parent = dirname(path);
  return parent === path || isOpenToOthers(parent);
}
