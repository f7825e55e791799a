// Starts and stops the broker's process and keeps what it printed.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface BrokerProcess {
  /** Everything it wrote to stdout and stderr so far. */
  output(): string;
  /** Sets the process's clock this far from the real one; the database's stays as it is. */
  setClock(ms: number): Promise<void>;
  /** Kills it, and starts it again: nothing is left but what the database holds. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const TSX = import.meta.resolve('tsx');
const SCRIPT = fileURLToPath(new URL('./broker-process.ts', import.meta.url));

export async function startBrokerProcess(
  settings: object,
  environment: Readonly<Record<string, string>> = {},
): Promise<BrokerProcess> {
  let output = '';
  const start = async () => {
    const child = spawn(process.execPath, ['--import', TSX, SCRIPT, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...environment },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    }
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    await message(child, ended, () => output);
    return { child, ended };
  };
  let running = await start();
  const stop = async (): Promise<void> => {
    running.child.kill();
    await running.ended;
  };
  return {
    output: () => output,
    setClock: async (clockMs) => {
      const { child, ended } = running;
      const answered = message(child, ended, () => output);
      child.send({ clockMs });
      await answered;
    },
    restart: async () => {
      await stop();
      running = await start();
    },
    stop,
  };
}

async function message(
  child: ChildProcess,
  ended: Promise<void>,
  output: () => string,
): Promise<void> {
  const heard = new Promise<void>((resolve) => child.once('message', () => resolve()));
  const died = ended.then(() => {
    throw new Error(`the broker's process ended:\n${output()}`);
  });
  await Promise.race([heard, died]);
}
