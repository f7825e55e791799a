// A real child process running one of our scripts, spoken to over Node's IPC channel. It ends with
// its parent, however that went.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Child {
  readonly pid: number;
  /** The next message it sends. @throws Error with what it wrote to stderr when it ends instead */
  next<T>(): Promise<T>;
  send(message: object): void;
  /** Code or signal it ended with. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal?: NodeJS.Signals): void;
}

/** The compiler's loader, found from here: the child may run in another folder. */
const TSX = import.meta.resolve('tsx');

/** Runs `script` (a file beside `base`) with one JSON argument. */
export function startChild(base: string, script: string, argument: object): Child {
  const path = fileURLToPath(new URL(script, base));
  return start(['--import', TSX, path], script, argument);
}

/** Runs what is compiled already (`test/support/bundle.ts`). */
export const startBundle = (path: string, argument: object): Child => start([path], path, argument);

function start(run: readonly string[], script: string, argument: object): Child {
  const child = spawn(process.execPath, [...run, JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return handle(child, script);
}

function handle(child: ChildProcess, script: string): Child {
  const messages: unknown[] = [];
  let waiting: { resolve(message: unknown): void; reject(error: Error): void } | undefined;
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  child.on('message', (message) => {
    if (waiting === undefined) messages.push(message);
    else waiting.resolve(message);
    waiting = undefined;
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 0));
  });
  const silence = async (): Promise<never> => {
    const how = await ended;
    throw new Error(`${script} ended with ${how} and said nothing:\n${stderr}`);
  };
  return {
    pid: child.pid as number,
    next: <T>() => {
      if (messages.length > 0) return Promise.resolve(messages.shift() as T);
      const message = new Promise<unknown>((resolve, reject) => {
        waiting = { resolve, reject };
      });
      return Promise.race([message, silence()]) as Promise<T>;
    },
    send: (message) => void child.send(message),
    ended,
    kill: (signal = 'SIGTERM') => void child.kill(signal),
  };
}
