/**
 * `behalf doctor`: whether the installation is fit; and, of an MCP server, which of the clients people
 * use get in, at which step the others fail, and what cures it.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { safeText } from '../audit/safe-text.js';
import { type Config, readConfig } from '../config.js';
import { isLocked } from '../db/directory-lock.js';
import { openDatabase } from '../db/open.js';
import { KNOWN_CLIENTS } from '../doctor/clients.js';
import { checkInstallation, type InstallationDeps } from '../doctor/installation.js';
import { record, see } from '../doctor/record.js';
import { type Step, walk } from '../doctor/steps.js';
import { print } from './print.js';

interface Finding {
  readonly of: string;
  readonly fit: boolean;
  readonly steps: readonly Step[];
}

interface Options {
  readonly clientId?: string;
  readonly redirectUri?: string;
  readonly register?: boolean;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor [server]')
    .description(
      'check the installation; or which MCP clients get in at a server, and what stops them',
    )
    .option('--client-id <id>', 'a client registered beforehand, tried for each of them')
    .option('--redirect-uri <uri>', 'a redirect URI of that client')
    .option('--register', 'let each client that would register itself do so')
    .action(async (server: string | undefined, options: Options, command: Command) => {
      const findings =
        server === undefined ? [await ofInstallation()] : await ofServer(server, options);
      if (findings.some(({ fit }) => !fit)) process.exitCode = 1;
      if (command.optsWithGlobals().json === true) return print({ findings }, { json: true });
      process.stdout.write(`${findings.flatMap(describe).join('\n')}\n`);
    });
}

const finding = (of: string, steps: readonly Step[]): Finding => ({
  of,
  fit: steps.every(({ outcome }) => outcome !== 'failed'),
  steps,
});

async function ofServer(server: string, options: Options): Promise<readonly Finding[]> {
  if (!/^https?:\/\//.test(server) || !URL.canParse(server))
    throw new Error(
      'name the address of an MCP server, as users type it: https://files.example/mcp',
    );
  const recording = await record({ server, fetch, ...options });
  return KNOWN_CLIENTS.map((client) => finding(client.name, walk(recording, client)));
}

async function ofInstallation(): Promise<Finding> {
  const of = 'this installation';
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    const says = (error as Error).message.replaceAll(/\n\s*-\s*/g, ' ');
    const cure = 'correct the environment: the README lists every variable.';
    return finding(of, [{ step: 'configuration', outcome: 'failed', says, cure }]);
  }
  const db = await database(config);
  try {
    const deps = { config, db, see: (url: string) => see(fetch, url), now: Date.now };
    return finding(of, await checkInstallation(deps));
  } finally {
    if ('orm' in db) await db.close();
  }
}

/** Makes nothing: an embedded database is opened only where there is one and nobody holds it. */
async function database(config: Config): Promise<InstallationDeps['db']> {
  const unseen = (why: string) => ({ outcome: 'not tried' as const, why });
  if (config.databaseUrl === undefined) {
    const exists = await access(join(config.dataDir, 'pglite')).then(
      () => true,
      () => false,
    );
    if (!exists) return unseen(`there is none in ${config.dataDir} yet: the first start makes it`);
    if (await isLocked(config.dataDir)) return unseen('a running broker holds it');
  }
  try {
    const db = await openDatabase(config, { migrate: false });
    await db.run('select 1').catch(async (error: unknown) => {
      await db.close();
      throw error;
    });
    return db;
  } catch (error) {
    return { outcome: 'failed', why: `it cannot be opened: ${(error as Error).message}` };
  }
}

const LINE_CHARS_MAX = 2000;
const MARKS = { ok: 'ok  ', failed: 'FAIL', 'not tried': '-   ' } as const;

/** For people: what is fine in a line, what is not with its cure. */
export function describe({ of, fit, steps }: Finding): string[] {
  const lines = steps.flatMap(({ step, outcome, says, cure }) => [
    `  ${MARKS[outcome]} ${step}: ${says}`,
    ...(cure === undefined ? [] : [`       ${cure}`]),
  ]);
  const untried = steps.some(({ outcome }) => outcome === 'not tried');
  const verdict = !fit ? 'does not get in' : untried ? 'gets in, as far as was tried' : 'gets in';
  const head =
    of === 'this installation' ? `${of}: ${fit ? 'fit' : 'not fit'}` : `${of}: ${verdict}`;
  return [head, ...lines].map((line) => safeText(line, LINE_CHARS_MAX));
}
