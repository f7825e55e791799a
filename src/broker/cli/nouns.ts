/** One command a noun: list, get, create, and what the noun can have done to it. */
import type { Command } from 'commander';
import type { Operation } from '../admin/operation.js';
import { readConfig } from '../config.js';
import { openAdmin } from './admin.js';
import { print } from './print.js';

/** Runs one operation and prints its answer. */
export async function run(
  command: Command,
  method: Operation['method'],
  path: string,
  given: { body?: object; query?: Record<string, string | undefined>; columns?: string[] } = {},
): Promise<void> {
  const admin = await openAdmin(readConfig());
  try {
    const answer = await admin.call(method, path, given);
    const { columns } = given;
    const json = command.optsWithGlobals().json === true;
    print(answer, { json, ...(columns === undefined ? {} : { columns }) });
  } finally {
    await admin.close();
  }
}

const at = (noun: string, id: string): string => `/${noun}/${encodeURIComponent(id)}`;
const jsonBody = (value: string): object => {
  try {
    return JSON.parse(value) as object;
  } catch {
    throw new Error(`--data must be JSON: ${value.slice(0, 60)}`);
  }
};

/** list, get, create, change and retire, as every noun has them. */
function addCommon(command: Command, noun: string, columns: string[]): void {
  command
    .command('list')
    .description(`list ${noun}`)
    .option('--limit <count>')
    .option('--cursor <cursor>')
    .action((options: Record<string, string>, self: Command) =>
      run(self, 'get', `/${noun}`, { query: options, columns }),
    );
  command
    .command('get <id>')
    .description('show one')
    .action((id: string, _options, self: Command) => run(self, 'get', at(noun, id)));
  command
    .command('create')
    .description('create from the fields of the admin API; a generated secret is shown once')
    .requiredOption('--data <json>')
    .action(({ data }: { data: string }, self: Command) =>
      run(self, 'post', `/${noun}`, { body: jsonBody(data) }),
    );
  command
    .command('change <id>')
    .description('change fields')
    .requiredOption('--data <json>')
    .action((id: string, { data }: { data: string }, self: Command) =>
      run(self, 'patch', at(noun, id), { body: jsonBody(data) }),
    );
  command
    .command('retire <id>')
    .description('retire; the id is never used again')
    .action((id: string, _options, self: Command) => run(self, 'delete', at(noun, id)));
}

function addCredentials(command: Command, noun: 'agents' | 'clients'): void {
  command
    .command('credentials <id>')
    .description('list credentials')
    .action((id: string, _options, self: Command) =>
      run(self, 'get', `${at(noun, id)}/credentials`),
    );
  command
    .command('add-secret <id>')
    .description('add a generated secret, shown once')
    .action((id: string, _options, self: Command) =>
      run(self, 'post', `${at(noun, id)}/credentials`, { body: { kind: 'secret' } }),
    );
  command
    .command('remove-credential <id> <credential>')
    .description('remove a credential; what it obtained stops')
    .action((id: string, credential: string, _options, self: Command) =>
      run(self, 'delete', `${at(noun, id)}/credentials/${encodeURIComponent(credential)}`),
    );
}

function addStatus(command: Command, verb: string, status: string, description: string): void {
  command
    .command(`${verb} <id>`)
    .description(description)
    .option('--reason <sentence>')
    .action((id: string, { reason }: { reason?: string }, self: Command) =>
      run(self, 'put', `${at('agents', id)}/status`, {
        body: { status, ...(reason === undefined ? {} : { reason }) },
      }),
    );
}

export function addNouns(program: Command): void {
  const agent = program.command('agent').description('agents: identities that act');
  addCommon(agent, 'agents', ['id', 'name', 'owner', 'status', 'clients']);
  addCredentials(agent, 'agents');
  addStatus(agent, 'block', 'blocked', 'stop an agent everywhere, now');
  addStatus(agent, 'unblock', 'active', 'let it act again; what was stopped stays stopped');

  const client = program.command('client').description('OAuth clients: apps and services');
  addCommon(client, 'clients', ['id', 'name', 'kind', 'auth', 'status']);
  addCredentials(client, 'clients');

  addCommon(
    program.command('resource').description('protected MCP servers and APIs'),
    'resources',
    ['identifier', 'name', 'signing_alg', 'token_ttl_seconds', 'status'],
  );
  addCommon(program.command('user').description('people'), 'users', [
    'id',
    'email',
    'name',
    'roles',
    'status',
  ]);
  addAudit(program);
}

function addAudit(program: Command): void {
  program
    .command('audit')
    .description('what happened, newest first, in sentences')
    .option('--type <type>')
    .option('--agent <id>')
    .option('--user <id>')
    .option('--client <id>')
    .option('--limit <count>')
    .action(({ user, ...query }: Record<string, string | undefined>, self: Command) =>
      run(self, 'get', '/audit', { query: { ...query, sub: user }, columns: ['at', 'sentence'] }),
    );
}
