// A browser-based MCP client in a real browser: page, MCP server and broker on three origins. What a
// browser lets a page read (CORS, Fetch §3.2) is part of every step from the first 401 to the tool (Q18, Q23).
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startToolServer } from '../../examples/tool-server.js';
import { type Broker, createBroker } from '../../src/broker/app.js';
import { freePort, testConfig } from '../support/broker.js';
import { type Browser, launchBrowser } from '../support/browser.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { ROOT } from '../support/repository.js';
import { startWeb } from '../support/web.js';

const ANA = { email: 'ana@example.com', password: 'correct horse battery staple' };
const PAGE = '<!doctype html><title>waiting</title><script src="/page.js" defer></script>';

let opened: OpenedDatabase;
let broker: Broker;
let browser: Browser;
let folder: string;
let server: string;
let origin: string;
let documentUrl: string;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  [opened, browser] = await Promise.all([openTestPostgres(), launchBrowser()]);
  const [port, filesPort, pagePort] = await Promise.all([freePort(), freePort(), freePort()]);
  origin = `http://127.0.0.1:${pagePort}`;
  server = `http://127.0.0.1:${filesPort}/mcp`;
  const config = testConfig(port, { logLevel: 'silent' });
  const web = await startWeb(['127.0.0.1']);
  closing.push(web.close);
  documentUrl = `https://127.0.0.1:${web.port}/client.json`;
  web.put(documentUrl, {
    client_id: documentUrl,
    client_name: 'Web Desk',
    redirect_uris: [`${origin}/callback`],
    token_endpoint_auth_method: 'none',
  });
  broker = await createBroker(config, { db: opened.db, outbound: { ca: web.outbound.ca } });
  await broker.listen();
  const world = (await readFile(join(ROOT, 'examples/world.yaml'), 'utf8'))
    .replaceAll('http://127.0.0.1:4100/mcp', server)
    .replace(
      'clients:\n',
      `clients:\n  - { id: cli_web, name: Web Desk, kind: app, redirectUris: ["${origin}/callback"] }\n`,
    );
  await broker.applyWorld(world);
  folder = await mkdtemp(join(tmpdir(), 'behalf-web-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  const { issuer } = broker.config;
  closing.push((await startToolServer(filesPort, folder, { issuer, resource: server })).close);
  closing.push(await servePage(pagePort));
});
afterAll(async () => {
  await browser?.close();
  await Promise.all(closing.map((close) => close()));
  await broker?.close();
  await opened?.close();
  await rm(folder, { recursive: true, force: true });
});

async function servePage(port: number): Promise<() => unknown> {
  const entry = fileURLToPath(new URL('./support/mcp-page.ts', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    logLevel: 'error',
  });
  const script = outputFiles[0]?.text ?? '';
  const http = createServer((req, res) => {
    const isScript = req.url === '/page.js';
    res.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    res.end(isScript ? script : PAGE);
  }).listen(port, '127.0.0.1');
  return () => {
    http.closeAllConnections();
    http.close();
  };
}

describe.each(['v1', 'v2'] as const)('SDK %s in a web page', (generation) => {
  it.each([
    ['registered by an operator', () => ({ clientId: 'cli_web' }), 0],
    ['registering itself', () => ({}), 1],
    ['by its document', () => ({ clientMetadataUrl: documentUrl }), 0],
  ])('goes from the first 401 to the tool, %s', async (_way, wayIn, registers) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const sent: string[] = [];
    page.on('request', (request) => sent.push(`${request.method()} ${request.url()}`));
    const task = JSON.stringify({ generation, server, ...wayIn() });
    await page.goto(`${origin}/?${new URLSearchParams({ task })}`);
    await page.waitForURL(`${broker.config.issuer}/**`);
    await page.getByLabel('E-mail address').fill(ANA.email);
    await page.getByLabel('Password').fill(ANA.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    await page.waitForURL(`${origin}/callback**`);
    await expect.poll(() => page.title()).not.toBe('waiting');
    expect(await page.title()).toBe('done: [{"type":"text","text":"hello"}]');
    const registrations = sent.filter((one) => one === `POST ${broker.config.issuer}/register`);
    expect(registrations).toHaveLength(registers);
    await context.close();
  });
});
