/** `behalf`: serve, migrate, apply, a command a noun, and a token for debugging. */
import { access, open, readFile, unlink, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { openAdmin } from './cli/admin.js';
import { ask, readAnswer } from './cli/ask.js';
import { addDoctor } from './cli/doctor.js';
import { addExplain } from './cli/explain.js';
import { addNouns } from './cli/noun.js';
import { NOUNS } from './cli/nouns.js';
import { describePlan, describeUnnamed, type LeftAlone, type PlanLine } from './cli/plan.js';
import { print } from './cli/print.js';
import { readConfig } from './config.js';
import { openDatabase } from './db/open.js';

export function createCli(): Command {
  const program = new Command('behalf')
    .description('an OAuth 2.1 server in which an AI agent is a principal of its own')
    .option('--json', 'machine-readable output')
    .showHelpAfterError();
  program.command('serve').description('run the broker').action(serve);
  program.command('migrate').description('apply pending migrations').action(migrate);
  program
    .command('apply <file>')
    .description('make the registry what a world file says')
    .option('--dry-run', 'print what would change, from what to what, and change nothing')
    .option(
      '--secrets <file>',
      'write generated secrets there (mode 0600) instead of printing them',
    )
    .action(apply);
  program
    .command('token <id>')
    .description(
      'get a token with client_credentials, for debugging; the secret is read from SECRET',
    )
    .requiredOption('--resource <uri>')
    .option('--scope <scope>')
    .action(token);
  addExplain(program);
  addDoctor(program);
  addNouns(program, NOUNS);
  return program;
}

async function serve(): Promise<void> {
  // Only this command needs the engine: the others start faster without it.
  const { createBroker } = await import('./app.js');
  const config = readConfig();
  const broker = await createBroker(config);
  const { port } = await broker.listen().catch(async (error: unknown) => {
    await broker.close();
    throw error;
  });
  process.stderr.write(`behalf: ${config.issuer} (listening on ${config.host}:${port})\n`);
  let stopping = false;
  const stop = (): void => {
    // Whoever asks twice does not want to wait.
    if (stopping) process.exit(1);
    stopping = true;
    broker.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function migrate(_options: object, command: Command): Promise<void> {
  const db = await openDatabase(readConfig());
  await db.close();
  const json = command.optsWithGlobals().json === true;
  if (json) print({ migrated: true }, { json });
  else process.stdout.write('the schema is up to date\n');
}

interface Outcome extends LeftAlone {
  readonly plan: readonly PlanLine[];
  readonly secrets: Readonly<Record<string, string>>;
}

async function apply(
  file: string,
  options: { readonly dryRun?: boolean; readonly secrets?: string },
  command: Command,
): Promise<void> {
  const text = await readFile(file, 'utf8');
  const taken = options.secrets !== undefined && (await exists(options.secrets));
  const admin = await openAdmin(readConfig());
  try {
    const body = { text, dry_run: options.dryRun === true };
    if (taken && options.dryRun !== true) {
      const rehearsal = { text, dry_run: true };
      const { plan } = (await admin.call('post', '/world', { body: rehearsal })) as Outcome;
      if (plan.some(mayMakeSecret)) {
        throw new Error(
          `${options.secrets} exists already, and secrets are shown only once: name another file`,
        );
      }
    }
    const send = () => admin.call('post', '/world', { body }) as Promise<Outcome>;
    const into = taken || options.dryRun === true ? undefined : options.secrets;
    const outcome = await (into === undefined ? send() : keepSecrets(into, send));
    const kept = into !== undefined && Object.keys(outcome.secrets).length > 0;
    const secrets = kept ? {} : outcome.secrets;
    if (command.optsWithGlobals().json === true) print({ ...outcome, secrets }, { json: true });
    else process.stdout.write(describe(outcome, secrets, options.secrets));
  } finally {
    await admin.close();
  }
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Asked before anything is applied: a secret that cannot be written afterwards would be lost. */
const mayMakeSecret = ({ noun, action, fields }: Outcome['plan'][number]): boolean =>
  (noun === 'agent' || noun === 'client') && (action === 'create' || fields.includes('auth'));

/**
 * Makes the file before anything is applied, never over what somebody already keeps: a secret whose
 * file turns out not to be writable afterwards would be lost. It stays only if there is one.
 */
async function keepSecrets(file: string, send: () => Promise<Outcome>): Promise<Outcome> {
  await (await open(file, 'wx', 0o600)).close();
  let kept = false;
  try {
    const outcome = await send();
    kept = Object.keys(outcome.secrets).length > 0;
    if (kept) await writeFile(file, `${JSON.stringify(outcome.secrets, null, 2)}\n`);
    return outcome;
  } finally {
    if (!kept) await unlink(file);
  }
}

function describe(outcome: Outcome, secrets: Outcome['secrets'], file: string | undefined): string {
  const lines = [...describePlan(outcome.plan), ...describeUnnamed(outcome)];
  const shown = Object.entries(secrets).map(([id, secret]) => `secret     ${id} ${secret}`);
  const kept = file !== undefined && shown.length === 0 && Object.keys(outcome.secrets).length > 0;
  return `${[...lines, ...shown, ...(kept ? [`secrets    written to ${file}`] : [])].join('\n')}\n`;
}

async function token(
  id: string,
  options: { readonly resource: string; readonly scope?: string },
  command: Command,
): Promise<void> {
  const { issuer, debugSecret } = readConfig();
  if (debugSecret === undefined) throw new Error('set SECRET to the secret of the agent or client');
  const response = await ask(issuer, '/token', {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${debugSecret}`)}` },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: options.resource,
      ...(options.scope === undefined ? {} : { scope: options.scope }),
    }),
  });
  const answer = await readAnswer<Record<string, unknown>>(response);
  print(answer, { json: command.optsWithGlobals().json === true });
  if (!response.ok) process.exitCode = 1;
}
