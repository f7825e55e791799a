// Servers under measurement, each in a process of its own and, where the machine has a second core to
// put the load on, pinned to the first.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type Child, startChild } from '../store/support/child.js';
import { freePort } from '../support/broker.js';
import { createTestDatabase } from '../support/postgres.js';

export const RESOURCE = 'https://files.example/mcp';

export interface StockArgument {
  readonly issuer: string;
  readonly port: number;
  /** Absent: clients in memory, no database at all. */
  readonly databaseUrl?: string;
  readonly resource: string;
  readonly clients: readonly string[];
}

export interface BehalfArgument extends StockArgument {
  readonly databaseUrl: string;
  /** Whether the gate records. */
  readonly records: boolean;
  /** Whether the world is written; else it stands in the database already. */
  readonly seed: boolean;
}

export interface Server {
  readonly name: string;
  readonly origin: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** CPU seconds so far, of all threads. */
  cpuSeconds(): number;
  rssMegabytes(): number;
  close(): Promise<void>;
}

const CLOCK_TICKS = 100;
const PAGE_BYTES = 4096;

/** To the first core, threads that are there and threads to come. No harm where it cannot be done. */
function pin(pid: number): void {
  if (availableParallelism() > 1) spawnSync('taskset', ['-acp', '0', String(pid)]);
}

function statOf(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** What a server says when it is there: its clients' secrets, and its port if it chose one. */
interface Ready {
  readonly secrets: Readonly<Record<string, string>>;
  readonly port?: number;
}

export async function serverOf(
  name: string,
  origin: string | ((ready: Ready) => string),
  child: Child,
  more: () => Promise<void> = async () => undefined,
): Promise<Server> {
  const ready = await child.next<Ready>();
  pin(child.pid);
  return {
    name,
    origin: typeof origin === 'string' ? origin : origin(ready),
    secrets: ready.secrets,
    cpuSeconds: () => {
      const stat = statOf(child.pid);
      return (Number(stat[11]) + Number(stat[12])) / CLOCK_TICKS;
    },
    rssMegabytes: () => (Number(statOf(child.pid)[21]) * PAGE_BYTES) / 1e6,
    close: async () => {
      child.kill('SIGKILL');
      await child.ended;
      await more();
    },
  };
}

export async function startStock(
  name: string,
  clients: readonly string[],
  postgresUrl: string | undefined,
): Promise<Server> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const database =
    postgresUrl === undefined
      ? undefined
      : await createTestDatabase({ server: postgresUrl, template: null });
  const argument: StockArgument = {
    issuer,
    port,
    resource: RESOURCE,
    clients,
    ...(database === undefined ? {} : { databaseUrl: database.url }),
  };
  const child = startChild(import.meta.url, './servers/stock.ts', argument);
  return serverOf(name, issuer, child, async () => database?.drop());
}

export interface BehalfOptions {
  readonly clients: readonly string[];
  readonly postgresUrl: string;
  readonly records?: boolean;
}

/** One broker, and replicas beside it on the same database. */
export async function startBehalf(
  name: string,
  { clients, postgresUrl, records = true }: BehalfOptions,
): Promise<Server & { replica(): Promise<Server> }> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const database = await createTestDatabase({ server: postgresUrl });
  const argument = { issuer, databaseUrl: database.url, resource: RESOURCE, clients, records };
  const start = (at: number, seed: boolean) =>
    startChild(import.meta.url, './servers/behalf.ts', {
      ...argument,
      port: at,
      seed,
    } satisfies BehalfArgument);
  const first = await serverOf(name, issuer, start(port, true), () => database.drop());
  return {
    ...first,
    async replica() {
      const at = await freePort();
      return serverOf(`${name}, replica`, `http://127.0.0.1:${at}`, start(at, false));
    },
  };
}
