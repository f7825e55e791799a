// The `behalf` command as people run it: processes of their own, on a data directory of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/broker.js';
import { ROOT, scratchFolder } from '../support/repository.js';

const WORLD = join(ROOT, 'examples/world.yaml');
const RESOURCE = 'http://127.0.0.1:4100/mcp';
let cwd: string;
let environment: Record<string, string | undefined>;

beforeAll(async () => {
  cwd = scratchFolder('cli');
  const port = await freePort();
  environment = {
    PATH: process.env.PATH,
    BEHALF_DATA_DIR: join(cwd, 'data'),
    BEHALF_PORT: String(port),
    BEHALF_ISSUER: `http://127.0.0.1:${port}`,
    BEHALF_LOG_LEVEL: 'silent',
  };
});

function start(args: readonly string[], more: Record<string, string> = {}): ChildProcess {
  const program = [
    '--import',
    join(ROOT, 'node_modules/tsx/dist/loader.mjs'),
    join(ROOT, 'src/broker/main.ts'),
  ];
  return spawn(process.execPath, [...program, ...args], {
    cwd,
    env: { ...environment, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function behalf(args: readonly string[], more: Record<string, string> = {}): Promise<Said> {
  const child = start(args, more);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

const json = async (...args: string[]) => {
  const { code, out, err } = await behalf(['--json', ...args]);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out);
};

const plan = (action: string) =>
  [
    'client cli_files',
    'client cli_desk',
    'agent agt_scribe',
    'user ana@example.com',
    `resource ${RESOURCE}`,
    `permission agt_scribe at ${RESOURCE}`,
  ]
    .map((line) => `${action.padEnd(10)} ${line}\n`)
    .join('');

describe('DESIGN §12: behalf, on the embedded database', () => {
  it('apply says with --dry-run what it would do, does it, and then has nothing to do', async () => {
    expect(await behalf(['apply', WORLD, '--dry-run'])).toEqual({
      code: 0,
      out: plan('create'),
      err: '',
    });
    const file = join(cwd, 'secrets.json');
    writeFileSync(file, 'somebody else’s');
    const refused = await behalf(['apply', WORLD, '--secrets', file]);
    expect(refused).toEqual({
      code: 1,
      out: '',
      err: `behalf: ${file} exists already, and secrets are shown only once: name another file\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe('somebody else’s');
    expect((await json('agent', 'list')).items).toEqual([]);
    const mine = join(cwd, 'mine.json');
    expect(await behalf(['apply', WORLD, '--secrets', mine])).toEqual({
      code: 0,
      out: `${plan('create')}secrets    written to ${mine}\n`,
      err: '',
    });
    expect(statSync(mine).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(mine, 'utf8'))).toEqual({
      cli_files: expect.stringMatching(/^[\w-]{43}$/),
      cli_desk: expect.stringMatching(/^[\w-]{43}$/),
      agt_scribe: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(await behalf(['apply', WORLD, '--secrets', mine])).toEqual({
      code: 0,
      out: plan('unchanged'),
      err: '',
    });
  }, 90_000);

  it('apply --dry-run tells what is not in the file, and that nothing is removed for it', async () => {
    const file = join(cwd, 'small.yaml');
    writeFileSync(file, 'roles: [night]\n');
    const ids = [
      'client cli_desk',
      'client cli_files',
      'agent agt_scribe',
      'user ana@example.com',
      `resource ${RESOURCE}`,
      `permission agt_scribe at ${RESOURCE}`,
    ];
    expect(await behalf(['apply', file, '--dry-run'])).toEqual({
      code: 0,
      out: `create     role night
${ids.map((one) => `not in file   ${one}\n`).join('')}What is not in the file is left alone: applying removes nothing.
`,
      err: '',
    });
    const told = await json('apply', file, '--dry-run');
    const items = (told.unnamed as { noun: string; id: string }[]).map(
      ({ noun, id }) => `${noun} ${id}`,
    );
    expect([items, told.unnamed_left_out]).toEqual([ids, 0]);
  }, 60_000);

  it('exits 1 with one sentence for an agent that is not there', async () => {
    expect(await behalf(['agent', 'get', 'agt_nobody'])).toEqual({
      code: 1,
      out: '',
      err: 'behalf: there is no agent "agt_nobody"\n',
    });
  });
});

describe('DESIGN §12: behalf, while serve holds the directory', () => {
  let server: ChildProcess;
  beforeAll(async () => {
    server = start(['serve']);
    await new Promise<void>((resolve, reject) => {
      server.once('close', () => reject(new Error('serve ended')));
      server.stderr?.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('listening on')) resolve();
      });
    });
  });
  afterAll(() => void server.kill('SIGKILL'));

  it('blocks and unblocks over the admin API, and the audit says who', async () => {
    const agent = await json('agent', 'get', 'agt_scribe');
    expect(agent).toMatchObject({ id: 'agt_scribe', status: 'active', status_reason: null });
    const stepped = {
      status_by: expect.any(String),
      status_at: expect.any(String),
      receipt: expect.any(Object),
    };
    expect(await json('agent', 'block', 'agt_scribe', '--reason', 'too busy')).toEqual({
      ...agent,
      ...stepped,
      status: 'blocked',
      status_reason: 'too busy',
    });
    expect(await json('agent', 'unblock', 'agt_scribe')).toEqual({ ...agent, ...stepped });
    const verified = await behalf(['audit', 'verify', '--json']);
    expect([verified.code, JSON.parse(verified.out).findings]).toEqual([0, []]);
    const { out } = await behalf(['audit', '--agent', 'agt_scribe', '--limit', '2']);
    const [more = '', end] = out.split('\n').slice(-2);
    expect([more, end]).toEqual([expect.stringMatching(/^more: --cursor \d+$/), '']);
    const told = out.split('\n').slice(0, -2);
    expect(told.map((line) => line.slice(26))).toEqual(
      ['Scribe was unblocked by admin', 'Scribe was blocked by admin: too busy'].flatMap(
        (line, n) => (n === 0 ? [expect.stringMatching(/sentence$/), line] : [line]),
      ),
    );
  });

  it('ends without a word when nobody reads on, as with | head', async () => {
    const child = start(['audit', '--format', 'jsonl']);
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    // Closed before the first line is written.
    child.stdout?.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, err]).toEqual([0, '']);
  });

  it('token gets one with SECRET, and exits 1 when it is refused', async () => {
    const { agt_scribe: SECRET } = JSON.parse(readFileSync(join(cwd, 'mine.json'), 'utf8'));
    const args = ['--json', 'token', 'agt_scribe', '--resource', RESOURCE];
    const [given, refused, none] = await Promise.all([
      behalf(args, { SECRET }),
      behalf(args, { SECRET: 'x'.repeat(43) }),
      behalf(args),
    ]);
    expect([given.code, JSON.parse(given.out)]).toEqual([
      0,
      expect.objectContaining({ access_token: expect.any(String), token_type: 'Bearer' }),
    ]);
    expect([refused.code, JSON.parse(refused.out).error]).toEqual([1, 'invalid_client']);
    expect([none.code, none.err]).toEqual([
      1,
      'behalf: set SECRET to the secret of the agent or client\n',
    ]);
  });

  it('goes on as an administrator of its own once the bootstrap token has ended', async () => {
    const { agt_scribe: secret } = JSON.parse(readFileSync(join(cwd, 'mine.json'), 'utf8'));
    const file = join(cwd, 'administrators.yaml');
    const resource = `${environment.BEHALF_ISSUER}/admin`;
    const scopes = '[admin:write, admin:security]';
    const permission = `{ principal: agt_scribe, resource: '${resource}', scopes: ${scopes} }`;
    writeFileSync(file, `permissions: [${permission}]`);
    const line = `permission agt_scribe at ${resource}\n`;
    expect((await behalf(['apply', file])).out).toBe(`create     ${line}`);
    const me = { BEHALF_ADMIN_CLIENT_ID: 'agt_scribe', BEHALF_ADMIN_CLIENT_SECRET: secret };
    // The second needs a scope more for what the file may say, and gets it.
    const [ended, listed, applied] = await Promise.all([
      behalf(['agent', 'list']),
      behalf(['--json', 'agent', 'list'], me),
      behalf(['apply', file], me),
    ]);
    expect(ended).toEqual({
      code: 1,
      out: '',
      err: 'behalf: The bootstrap token has ended: somebody holds admin:security. Send an access token for the admin API\n',
    });
    expect([listed.code, JSON.parse(listed.out).items.length]).toEqual([0, 1]);
    expect(applied).toEqual({ code: 0, out: `unchanged  ${line}`, err: '' });
  });

  it('says in one sentence that nobody, or somebody else, answers where the broker should be', async () => {
    const other = createServer((_req, res) => res.writeHead(502).end('<html>')).listen(0);
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const list = ['agent', 'list'];
    const token = ['token', 'agt_scribe', '--resource', RESOURCE];
    const said = await Promise.all([
      behalf(list, { BEHALF_ISSUER: nowhere }),
      behalf(token, { BEHALF_ISSUER: nowhere, SECRET: 'x' }),
      behalf(list, { BEHALF_ISSUER: elsewhere }),
    ]);
    other.close();
    const asked = 'is it still starting, or is BEHALF_ISSUER another?';
    const absent = `behalf: no broker answers at ${nowhere} (ECONNREFUSED): ${asked}\n`;
    const strange = `behalf: ${elsewhere}/admin/v1/agents? answered 502, and not as a broker does\n`;
    expect(said.map(({ err }) => err)).toEqual([absent, absent, strange]);
    expect(said.map(({ code, out }) => [code, out])).toEqual(Array(3).fill([1, '']));
  });

  it('serve ends with 0 on SIGTERM', async () => {
    server.removeAllListeners('close');
    const ended = new Promise((resolve) => server.once('close', (code) => resolve(code)));
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
