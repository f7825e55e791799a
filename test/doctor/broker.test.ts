// `behalf doctor` at real ones: a broker and a server protected by the guard; and the installation itself,
// fit, and broken in each way it knows.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startToolServer } from '../../examples/tool-server.js';
import type { Config } from '../../src/broker/config.js';
import { KNOWN_CLIENTS } from '../../src/broker/doctor/clients.js';
import { checkInstallation, type InstallationDeps } from '../../src/broker/doctor/installation.js';
import { record, see } from '../../src/broker/doctor/record.js';
import { walk } from '../../src/broker/doctor/steps.js';
import { registrationDefaults } from '../../src/broker/registration-settings.js';
import { freePort, startTestBroker, type TestBroker } from '../support/broker.js';
import { ROOT } from '../support/repository.js';

const CLIENT = 'cli_everybody';

interface Protected {
  readonly t: TestBroker;
  readonly resource: string;
  close(): Promise<void>;
}

/** A broker, and a server behind its guard that serves this folder. */
async function startProtected(files: string, config: Partial<Config>): Promise<Protected> {
  const t = await startTestBroker({ config });
  const port = await freePort();
  const resource = `http://127.0.0.1:${port}/mcp`;
  const scope = (title: string, base: boolean) => ({
    title,
    risk: 'read' as const,
    restricted: false,
    implies: [],
    base,
  });
  await t.broker.registry.resources.create('admin', {
    identifier: resource,
    name: 'Files',
    scopes: {
      'files:list': scope('List', true),
      'files:read': scope('Read', true),
      'files:write': scope('Write', false),
      'files:delete': scope('Delete', false),
    },
  });
  const server = await startToolServer(port, files, { issuer: t.issuer, resource });
  const close = async (): Promise<void> => {
    await server.close();
    await t.close();
  };
  return { t, resource, close };
}

let t: TestBroker;
let folder: string;
let resource: string;
let closed: Protected;
let open: Protected;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-doctor-'));
  const files = join(folder, 'files');
  await mkdir(files);
  await writeFile(join(files, 'notes.txt'), 'hello');
  const registration = { ...registrationDefaults(), mode: 'off' as const };
  closed = await startProtected(files, { registration, clientDocuments: 'off' });
  open = await startProtected(files, {});
  ({ t, resource } = closed);
  await t.broker.registry.clients.create('admin', {
    id: CLIENT,
    kind: 'app',
    name: 'Everybody',
    auth: 'none',
    redirectUris: [...new Set(KNOWN_CLIENTS.map(({ redirectUri }) => redirectUri))],
  });
});
afterAll(async () => {
  await open?.close();
  await closed?.close();
  await rm(folder, { recursive: true, force: true });
});

const isBad = ({ outcome }: { readonly outcome: string }): boolean => outcome !== 'ok';

describe('a server protected by the guard, and a broker', () => {
  it('let every known client in that was registered beforehand', async () => {
    const recording = await record({ server: resource, fetch, clientId: CLIENT });
    const walks = KNOWN_CLIENTS.map(({ name }, n) => ({
      name,
      failed: walk(recording, KNOWN_CLIENTS[n] as never).filter(isBad),
    }));
    expect(walks).toEqual(KNOWN_CLIENTS.map(({ name }) => ({ name, failed: [] })));
  });

  it('let every known client in that registers itself (RFC 7591)', async () => {
    const recording = await record({ server: open.resource, fetch, register: true });
    const itself = KNOWN_CLIENTS.filter(({ documentUrl }) => documentUrl === undefined);
    const walks = itself.map((client) => walk(recording, client).filter(isBad));
    expect(itself.length).toBeGreaterThan(2);
    expect(walks).toEqual(itself.map(() => []));
  });

  it('and say of one whose redirect URI nobody registered that it is that', async () => {
    const redirectUri = 'https://other.example/callback';
    const recording = await record({ server: resource, fetch, clientId: CLIENT, redirectUri });
    const steps = walk(recording, KNOWN_CLIENTS[0] as never);
    expect(steps.at(-1)).toMatchObject({
      step: 'authorize',
      outcome: 'failed',
      cure: `register exactly this redirect URI for the client: ${redirectUri}`,
    });
  });
});

describe('the installation', () => {
  const deps = (more: Partial<InstallationDeps> = {}): InstallationDeps => ({
    config: t.broker.config,
    db: t.opened.db,
    see: (url) => see(fetch, url),
    now: Date.now,
    ...more,
  });
  const check = async (more: Partial<InstallationDeps> = {}) =>
    (await checkInstallation(deps(more))).map(({ step, outcome }) => `${step}: ${outcome}`);
  const config = (more: object) => ({ config: { ...t.broker.config, ...more } });

  it('is fit', async () => {
    expect(await check()).toEqual([
      'database: ok',
      'migrations: ok',
      'keys: ok',
      'discovery: ok',
      'published keys: ok',
    ]);
  });

  it('is not, with a clock that is a minute off', async () => {
    const steps = await checkInstallation(deps({ now: () => Date.now() - 60_000 }));
    expect(steps[0]).toMatchObject({
      step: 'database',
      outcome: 'failed',
      says: expect.stringMatching(/clock is \d{5} ms ahead/),
      cure: expect.stringContaining('NTP'),
    });
  });

  it('is not, without its database', async () => {
    const db = { outcome: 'failed', why: 'it cannot be opened' } as const;
    expect(await check({ db })).toEqual([
      'database: failed',
      'discovery: ok',
      'published keys: ok',
    ]);
  });

  it('is not, with another secret than the keys were sealed with', async () => {
    const steps = await check(config({ secret: 'another-secret-0123456789-0123456789' }));
    expect(steps).toContain('keys: failed');
  });

  it('is not, when the issuer answers nobody, or is somebody else’s', async () => {
    const nobody = await check(config({ issuer: `http://127.0.0.1:${await freePort()}` }));
    expect(nobody.slice(3)).toEqual(['issuer: failed']);
    const document = (issuer: string) => async (url: string) => {
      const seen = await see(fetch, url);
      return url.includes('jwks') ? seen : { ...seen, json: { ...seen.json, issuer } };
    };
    expect(await check({ see: document(`${t.issuer}/`) })).toContain('discovery: failed');
  });

  it('is not, when one document is kept by a proxy, or the keys are', async () => {
    const kept = async (url: string) => {
      const seen = await see(fetch, url);
      return url.includes('openid') ? { ...seen, json: { ...seen.json, old: true } } : seen;
    };
    expect(await check({ see: kept })).toContain('discovery: failed');
    const keys = async (url: string) => {
      const seen = await see(fetch, url);
      return url.includes('jwks') ? { ...seen, json: { keys: [{ kid: 'old' }] } } : seen;
    };
    expect(await check({ see: keys })).toContain('published keys: failed');
  });

  it('is not, when migrations are pending', async () => {
    const rows = await t.opened.db.run<{ id: number; created_at: string }>(
      'delete from behalf_migrations where created_at = (select max(created_at) from behalf_migrations) returning *',
    );
    expect(await check()).toEqual([
      'database: ok',
      'migrations: failed',
      'discovery: ok',
      'published keys: ok',
    ]);
    expect(rows).toHaveLength(1);
  });
});

// Processes of their own take their time to start.
describe('the command', { timeout: 90_000 }, () => {
  const behalf = (args: readonly string[], environment: Record<string, string>) => {
    const loader = join(ROOT, 'node_modules/tsx/dist/loader.mjs');
    const main = join(ROOT, 'src/broker/main.ts');
    const child: ChildProcess = spawn(process.execPath, ['--import', loader, main, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, BEHALF_DATA_DIR: join(folder, 'none'), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
      child.once('close', (code) => resolve({ code, out, err })),
    );
  };

  it('exits with 0 when every client gets in, and with 1 when one does not', async () => {
    const fit = await behalf(['doctor', resource, '--client-id', CLIENT], {});
    expect([fit.code, fit.err]).toEqual([0, '']);
    expect(fit.out.match(/: gets in$/gm)).toHaveLength(KNOWN_CLIENTS.length);
    const stuck = await behalf(['--json', 'doctor', resource], {});
    const { findings } = JSON.parse(stuck.out);
    expect(stuck.code).toBe(1);
    expect(findings).toHaveLength(KNOWN_CLIENTS.length);
    expect(findings[0]).toMatchObject({ of: 'MCP SDK v1', fit: false });
    expect(findings[0].steps.at(-1)).toEqual({
      step: 'registration',
      outcome: 'failed',
      says: 'the server takes neither client metadata documents nor dynamic registration',
      cure: 'switch one of them on, or register MCP SDK v1 with `behalf client create --kind app`, give it that client_id and ask again with --client-id.',
    });
  });

  it('without a server checks the installation, and makes nothing', async () => {
    const alone = await behalf(['doctor'], { BEHALF_ISSUER: t.issuer });
    expect(alone.out.split('\n').slice(0, 3)).toEqual([
      'this installation: fit',
      expect.stringMatching(/^ {2}- {4}database: there is none in .* yet/),
      `  ok   discovery: 2 addresses, one document, ${t.issuer}`,
    ]);
    expect(alone.code).toBe(0);
    const wrong = await behalf(['doctor'], { BEHALF_ISSUER: 'broker' });
    expect([wrong.code, wrong.out]).toEqual([
      1,
      expect.stringContaining('FAIL configuration: Behalf cannot start: BEHALF_ISSUER must be'),
    ]);
    await expect(rm(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
