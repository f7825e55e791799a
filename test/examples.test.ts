// Every example runs against a real broker and a real tool server, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBrowserless, walkPages } from '../examples/demo/walk-pages.js';
import { startToolServer } from '../examples/tool-server.js';
import { type Broker, createBroker } from '../src/broker/app.js';
import { freePort, testConfig } from './support/broker.js';
import { type OpenedDatabase, openTestPostgres } from './support/databases.js';
import { ROOT } from './support/repository.js';

const VISITOR = { email: 'ana@example.com', password: 'correct horse battery staple' };

let opened: OpenedDatabase;
let broker: Broker;
let tools: Awaited<ReturnType<typeof startToolServer>>;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  opened = await openTestPostgres();
  const [port, toolPort, callbackPort] = await Promise.all([freePort(), freePort(), freePort()]);
  broker = await createBroker(testConfig(port, { logLevel: 'silent' }), { db: opened.db });
  await broker.listen();
  const { issuer } = broker.config;
  const resource = `http://127.0.0.1:${toolPort}/mcp`;
  const redirectUri = `http://127.0.0.1:${callbackPort}/callback`;
  const world = (await readFile(join(ROOT, 'examples/world.yaml'), 'utf8'))
    .replaceAll('http://127.0.0.1:4100/mcp', resource)
    .replaceAll('http://127.0.0.1:4200/callback', redirectUri);
  const { secrets } = await broker.applyWorld(world);
  folder = await mkdtemp(join(tmpdir(), 'behalf-examples-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  tools = await startToolServer(toolPort, folder, { issuer, resource });
  environment = {
    ISSUER: issuer,
    RESOURCE: resource,
    REDIRECT_URI: redirectUri,
    AGENT_ID: 'agt_scribe',
    AGENT_SECRET: secrets.agt_scribe as string,
    CLIENT_ID: 'cli_desk',
    CLIENT_SECRET: secrets.cli_desk as string,
  };
});
afterAll(async () => {
  await tools.close();
  await broker.close();
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

const TSX = join(ROOT, 'node_modules/tsx/dist/cli.mjs');

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill();
});

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
    const program = run(['examples/agent-host.ts'], environment);
    const url = await new Promise<string>((resolve) => {
      program.onSaid((said) => {
        const match = /^open (\S+)$/m.exec(said);
        if (match !== null) resolve(match[1] as string);
      });
    });
    const callback = await walkPages(createBrowserless(broker.config.issuer), url, VISITOR);
    await fetch(callback);
    const { code, said } = await program.ended;
    expect(said).toMatch(/agt_scribe acts for usr_[\w-]+: files:list files:read/);
    expect(said).toContain('list_files → 200');
    expect(said).toContain('notes.txt');
    expect(code).toBe(0);
    const [live] = await opened.db.run<{ n: number }>(
      'select count(*)::int as n from grants where ended_at is null',
    );
    expect(live?.n).toBe(0);
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
    const answer = await vi.waitFor(() => fetch(resource, { method: 'POST', body: '{}' }));
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer scope="files:read", resource_metadata="http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp"`,
    );
    program.stop();
    await program.ended;
  });

  it('tool-server.ts protects four tools in at most 40 lines', async () => {
    const lines = (await readFile(join(ROOT, 'examples/tool-server.ts'), 'utf8'))
      .trim()
      .split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
  });
});

describe('npm run demo', () => {
  it('tells the whole story and leaves nothing behind', async () => {
    const { code, said } = await run(['examples/demo/main.ts', '--yes']).ended;
    expect(said).toContain('read_file    → Water the plants on Friday.');
    expect(said).toContain('delete_file  → 403 actor_unauthorized');
    expect(said).toMatch(
      /Scribe, for Ana Example, through Example Desk, was refused delete_file .* Scribe does not hold files:delete/,
    );
    expect(said).toContain('write_file   → 403 insufficient_scope');
    expect(said).toMatch(/was refused write_file .* Ana Example did not grant files:write/);
    expect(said).toMatch(/read_file {4}→ 401 invalid_token, \d+ ms after the block/);
    expect(said).toContain('The end. Nothing is left behind.');
    expect(code).toBe(0);
  });

  it('waits for a person at a browser when nobody says --yes', async () => {
    const program = run(['examples/demo/main.ts']);
    const link = await new Promise<string>((resolve) => {
      program.onSaid((said) => {
        const match = /Open {3}(http:\S+)/.exec(said);
        if (match !== null && said.includes('allow what is ticked')) resolve(match[1] as string);
      });
    });
    const first = await fetch(link, { redirect: 'manual' });
    const url = first.headers.get('location') as string;
    const callback = await walkPages(createBrowserless(new URL(url).origin), url, VISITOR);
    expect(await (await fetch(callback)).text()).toContain('Thank you');
    const { code, said } = await program.ended;
    expect(said).toContain('The end. Nothing is left behind.');
    expect(code).toBe(0);
  });
});
