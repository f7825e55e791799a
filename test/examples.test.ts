// Every example runs against a real broker and a real tool server, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startIndexServer } from '../examples/demo/servers.js';
import { createBrowserless, type Visitor, walkPages } from '../examples/demo/walk-pages.js';
import { check } from '../examples/story.js';
import { startToolServer } from '../examples/tool-server.js';
import { createAgentHost } from '../src/agent/index.js';
import { type Broker, createBroker } from '../src/broker/app.js';
import { freePort, testConfig } from './support/broker.js';
import { type OpenedDatabase, openTestPostgres } from './support/databases.js';
import { eventually } from './support/eventually.js';
import { ROOT } from './support/repository.js';

const VISITOR = { email: 'ana@example.com', password: 'correct horse battery staple' };

let opened: OpenedDatabase;
let broker: Broker;
let tools: Awaited<ReturnType<typeof startToolServer>>;
let index: Awaited<ReturnType<typeof startIndexServer>>;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  opened = await openTestPostgres();
  const [port, toolPort, indexPort, callbackPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  broker = await createBroker(testConfig(port, { logLevel: 'silent' }), { db: opened.db });
  await broker.listen();
  const { issuer } = broker.config;
  const resource = `http://127.0.0.1:${toolPort}/mcp`;
  const indexResource = `http://127.0.0.1:${indexPort}/mcp`;
  const redirectUri = `http://127.0.0.1:${callbackPort}/callback`;
  const world = (await readFile(join(ROOT, 'examples/team.yaml'), 'utf8'))
    .replaceAll('http://127.0.0.1:4100/mcp', resource)
    .replaceAll('http://127.0.0.1:4101/mcp', indexResource)
    .replaceAll('http://127.0.0.1:4200/callback', redirectUri);
  const { secrets } = await broker.applyWorld(world);
  folder = await mkdtemp(join(tmpdir(), 'behalf-examples-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  tools = await startToolServer(toolPort, folder, { issuer, resource });
  index = await startIndexServer(indexPort, { issuer, resource: indexResource });
  environment = {
    ISSUER: issuer,
    RESOURCE: resource,
    REDIRECT_URI: redirectUri,
    AGENT_ID: 'agt_scribe',
    AGENT_SECRET: secrets.agt_scribe as string,
    CLIENT_ID: 'cli_desk',
    CLIENT_SECRET: secrets.cli_desk as string,
    HELPER_ID: 'agt_checker',
    HELPER_SECRET: secrets.agt_checker as string,
    COURIER_SECRET: secrets.agt_courier as string,
    FILES_SECRET: secrets.cli_files as string,
    NEXT_RESOURCE: indexResource,
  };
});
afterAll(async () => {
  await Promise.all([tools.close(), index.close()]);
  await broker.close();
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

const TSX = join(ROOT, 'node_modules/tsx/dist/cli.mjs');

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill();
});

/** Runs a program that asks a person at a browser, who answers. */
async function runWithUser(args: readonly string[], visitor: Visitor, more = environment) {
  const program = run(args, more);
  const url = await new Promise<string>((resolve) => {
    program.onSaid((said) => {
      const match = /^open (\S+)/m.exec(said);
      if (match !== null) resolve(match[1] as string);
    });
  });
  await fetch(await walkPages(createBrowserless(broker.config.issuer), url, visitor));
  return program.ended;
}

/** Starts a program; resolves with what it said when it ends. */
function run(args: readonly string[], more: Record<string, string> = {}) {
  const child: ChildProcess = spawn(process.execPath, [TSX, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let said = '';
  const heard: ((said: string) => void)[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      for (const listener of heard) listener(said);
    });
  }
  const ended = new Promise<{ code: number | null; said: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, said }));
  });
  return {
    ended,
    onSaid: (listener: (said: string) => void) => void heard.push(listener),
    stop: () => child.kill(),
  };
}

describe('examples/', () => {
  it('m2m.ts gets a token with one call, and exits 1 when refused', async () => {
    const alone = {
      ...environment,
      CLIENT_ID: environment.AGENT_ID as string,
      CLIENT_SECRET: environment.AGENT_SECRET as string,
    };
    expect(await run(['examples/m2m.ts'], alone).ended).toEqual({
      code: 0,
      said: 'a token for files:list files:read\n',
    });
    const wrong = { ...alone, CLIENT_SECRET: 'x'.repeat(43) };
    expect(await run(['examples/m2m.ts'], wrong).ended).toEqual({
      code: 1,
      said: 'refused: invalid_client\n',
    });
  });

  it('agent-host.ts asks the user, calls a tool for them, and ends what it began', async () => {
    const { code, said } = await runWithUser(['examples/agent-host.ts'], VISITOR);
    expect(said).toMatch(/agt_scribe acts for usr_[\w-]+: files:list files:read/);
    expect(said).toContain('list_files → 200');
    expect(said).toContain('notes.txt');
    expect(code).toBe(0);
    const [live] = await opened.db.run<{ n: number }>(
      'select count(*)::int as n from grants where ended_at is null',
    );
    expect(live?.n).toBe(0);
  });

  it('hand-off.ts gives part of the work to a helper, where the user allowed one', async () => {
    const allowed = await runWithUser(['examples/hand-off.ts'], { ...VISITOR, helpers: 1 });
    expect(allowed.said).toMatch(/agt_checker does this for usr_[\w-]+: files:list\n/);
    expect(allowed.said).toContain('list_files → 200');
    expect(allowed.said).toContain('notes.txt');
    expect(allowed.code).toBe(0);
  });

  it('hand-off.ts exits 1 for a helper that takes no work from the agent', async () => {
    const other = {
      ...environment,
      HELPER_ID: 'agt_courier',
      HELPER_SECRET: environment.COURIER_SECRET as string,
    };
    const refused = await runWithUser(['examples/hand-off.ts'], { ...VISITOR, helpers: 1 }, other);
    expect(refused.said).toContain('invalid_request');
    expect(refused.code).toBe(1);
  });

  it('onward.ts calls the next server for whoever called, and for nobody else', async () => {
    const {
      ISSUER: issuer = '',
      RESOURCE: resource = '',
      REDIRECT_URI: redirectUri = '',
    } = environment;
    const agent = createAgentHost({
      issuer,
      agent: { id: 'agt_scribe', auth: { secret: environment.AGENT_SECRET as string } },
      client: {
        id: 'cli_desk',
        auth: { secret: environment.CLIENT_SECRET as string },
        redirectUri,
      },
    });
    const request = { resource, scope: 'files:read', prompt: 'consent' };
    const { url, transaction } = await agent.beginDelegation(request);
    const callback = await walkPages(createBrowserless(issuer), url.href, VISITOR);
    const { accessToken } = await (await agent.completeDelegation(callback, transaction)).token();
    const asServer = {
      ...environment,
      CLIENT_ID: 'cli_files',
      CLIENT_SECRET: environment.FILES_SECRET as string,
      TOKEN: accessToken,
    };
    const { code, said } = await run(['examples/onward.ts'], asServer).ended;
    expect(said).toMatch(/^cli_files ← agt_scribe for usr_[\w-]+: index:search\n/);
    expect(said).toContain('search → 200');
    expect(said).toContain('notes.txt: first shelf');
    expect(code).toBe(0);

    const forged = { ...asServer, TOKEN: `${accessToken.slice(0, -8)}AAAAAAAA` };
    expect(await run(['examples/onward.ts'], forged).ended).toEqual({
      code: 1,
      said: 'refused: signature_invalid\n',
    });
    const unedged = { ...asServer, NEXT_RESOURCE: 'http://127.0.0.1:9/mcp' };
    expect(await run(['examples/onward.ts'], unedged).ended).toEqual({
      code: 1,
      said: 'refused: invalid_target\n',
    });
  });

  it('introspection.ts asks the broker about a token, and exits 1 when it is told something else', async () => {
    const asServer = {
      ...environment,
      SERVER_ID: 'cli_files',
      SERVER_SECRET: environment.FILES_SECRET as string,
    };
    const { code, said } = await run(['examples/introspection.ts'], asServer).ended;
    expect([code, said.match(/^✓/gm)?.length, said.match(/^✗/gm)]).toEqual([0, 5, null]);
    const stranger = { ...asServer, SERVER_SECRET: 'x'.repeat(43) };
    const refused = await run(['examples/introspection.ts'], stranger).ended;
    expect(refused.said).toContain('✗ a good token');
    expect(refused.code).toBe(1);
  });

  it('serve-tools.ts runs it: 401 with where to go, before anything else (RFC 9728 §5.1)', async () => {
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}/mcp`;
    const program = run(['examples/serve-tools.ts'], {
      ISSUER: broker.config.issuer,
      RESOURCE: resource,
      FOLDER: folder,
    });
    await new Promise<void>((resolve) => {
      program.onSaid((said) => said.includes('protecting') && resolve());
    });
    const answer = await eventually(() => fetch(resource, { method: 'POST', body: '{}' }));
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer scope="files:read", resource_metadata="http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp"`,
    );
    program.stop();
    await program.ended;
  });

  it.each([
    ['tool-server.ts', 41],
    ['agent-host.ts', 60],
    ['hand-off.ts', 60],
    ['onward.ts', 60],
  ])('%s is at most %i lines long', async (name, most) => {
    const lines = (await readFile(join(ROOT, 'examples', name), 'utf8')).trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(most);
  });
});

describe('the stories that run by themselves', () => {
  /** What each needs others to be there for; every other file is a story. */
  const WITH_OTHERS = [
    ...['agent-host', 'hand-off', 'introspection', 'm2m', 'onward', 'serve-tools'],
    ...['story', 'tool-server'],
  ];
  const stories = readdirSync(join(ROOT, 'examples'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -3))
    .filter((name) => !WITH_OTHERS.includes(name));

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('are these', () => {
    expect(stories).toEqual([
      ...[
        'agent-only',
        'express',
        'hono',
        'protect-server',
        'revocation',
        'step-up',
        'tool-scopes',
      ],
    ]);
  });

  it.each(stories)('%s.ts: everything is as it should be', async (name) => {
    const said: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
    await import(`../examples/${name}.ts`);
    expect(said.length).toBeGreaterThanOrEqual(3);
    expect(said.filter((line) => !line.startsWith('✓'))).toEqual([]);
    expect(process.exitCode ?? 0).toBe(0);
  });

  it('exit with 1 when something is not', async () => {
    const said: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
    const before = process.exitCode;
    check('one and one', 1 + 1, 3);
    const after = process.exitCode;
    process.exitCode = before;
    expect([said, after]).toEqual([['✗ one and one: 2', '  should have been 3'], 1]);
  });
});

describe('npm run demo', () => {
  it('tells the whole story and leaves nothing behind', { timeout: 120_000 }, async () => {
    const { code, said } = await run(['examples/demo/main.ts', '--yes']).ended;
    expect(said).toContain('read_file    → Water the plants on Friday.');
    expect(said).toContain('delete_file  → 403 actor_unauthorized');
    expect(said).toMatch(
      /Scribe, for Ana Example, through Example Desk, was refused delete_file .* Scribe does not hold files:delete/,
    );
    expect(said).toContain('write_file   → 403 insufficient_scope');
    expect(said).toMatch(/was refused write_file .* Ana Example did not grant files:write/);
    expect(said).toContain('act          agt_checker ← agt_scribe');
    expect(said).toMatch(/scope {8}files:list, for \d{2,3} of Scribe's \d{3} seconds/);
    expect(said).toContain('list_files   → notes.txt');
    expect(said).toMatch(
      /Checker, handed on by Scribe, for Ana Example, through Example Desk, was allowed list_files /,
    );
    expect(said).toMatch(
      /"act": \{\s+"sub": "cli_files",[^{}]+"service",\s+"act": \{\s+"sub": "agt_checker",[^{}]+"act": \{\s+"sub": "agt_scribe"/,
    );
    expect(said).toMatch(
      /Example Files server, called by Checker, handed on by Scribe, for Ana Example, through Example Desk, was allowed search /,
    );
    expect(said).toContain('exchange     → 400 invalid_request');
    expect(said).toMatch(
      /Courier, with a token of Scribe, for Ana Example, .*was refused a token .*takes no work from/,
    );
    for (const who of ['Scribe', 'Checker', 'file server'])
      expect(said).toMatch(new RegExp(`→ 401 invalid_token, ${who}, \\d+ ms after the withdrawal`));
    expect(said).toMatch(/Keys in use \(access tokens\) +4\n/);
    expect(said).toMatch(/read_file {4}→ 401 invalid_token, \d+ ms after the block/);
    expect(said).toContain('The end. Nothing is left behind.');
    expect(code).toBe(0);
  });

  it('waits for a person at a browser when nobody says --yes', { timeout: 120_000 }, async () => {
    const program = run(['examples/demo/main.ts']);
    const link = await new Promise<string>((resolve) => {
      program.onSaid((said) => {
        const match = /Open {3}(http:\S+)/.exec(said);
        if (match !== null && said.includes('up to 1 helper')) resolve(match[1] as string);
      });
    });
    const first = await fetch(link, { redirect: 'manual' });
    const url = first.headers.get('location') as string;
    const visitor = { ...VISITOR, helpers: 1 };
    const callback = await walkPages(createBrowserless(new URL(url).origin), url, visitor);
    expect(await (await fetch(callback)).text()).toContain('Thank you');
    const { code, said } = await program.ended;
    expect(said).toContain('The end. Nothing is left behind.');
    expect(code).toBe(0);
  });
});
