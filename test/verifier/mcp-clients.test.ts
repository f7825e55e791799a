// Unchanged MCP clients of both SDK generations against a real broker and a protected server, from the
// first 401 to the tool: they know nothing of agents, and the operator bound their client to one.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startIndexServer } from '../../examples/demo/servers.js';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import { startToolServer } from '../../examples/tool-server.js';
import { type Broker, createBroker } from '../../src/broker/app.js';
import { claimsOf, freePort, testConfig } from '../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { createProvider, decide, errorName, GENERATIONS } from '../support/mcp-host.js';
import { ROOT } from '../support/repository.js';

let opened: OpenedDatabase;
let broker: Broker;
let folder: string;
let resource: string;
let elsewhere: string;
let secret: string;
const servers: { close(): Promise<unknown> }[] = [];
beforeAll(async () => {
  opened = await openTestPostgres();
  const [port, filesPort, indexPort] = await Promise.all([freePort(), freePort(), freePort()]);
  broker = await createBroker(testConfig(port, { logLevel: 'silent' }), { db: opened.db });
  await broker.listen();
  const { issuer } = broker.config;
  resource = `http://127.0.0.1:${filesPort}/mcp`;
  elsewhere = `http://127.0.0.1:${indexPort}/mcp`;
  const world = (await readFile(join(ROOT, 'examples/team.yaml'), 'utf8'))
    .replaceAll('http://127.0.0.1:4100/mcp', resource)
    .replaceAll('http://127.0.0.1:4101/mcp', elsewhere)
    .replace('auth: client_secret_basic', 'auth: client_secret_basic\n    agent: agt_scribe');
  secret = (await broker.applyWorld(world)).secrets.cli_desk as string;
  folder = await mkdtemp(join(tmpdir(), 'behalf-clients-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  servers.push(await startToolServer(filesPort, folder, { issuer, resource }));
  servers.push(await startIndexServer(indexPort, { issuer, resource: elsewhere }));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await broker.close();
  await opened.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(Object.entries(GENERATIONS))('SDK %s', (_name, {
  client: create,
  transport: open,
}) => {
  it('reaches what it may, steps up once, and opens no browser for what the agent may not', async () => {
    const { provider, sentTo, kept } = createProvider({
      registered: { client_id: 'cli_desk', client_secret: secret },
      dropsRefreshTokens: true,
    });
    const browser = createBrowserless(broker.config.issuer);

    // From nothing but the URL: challenge, metadata, authorization server, sign-in, consent.
    const first = open(resource, provider);
    expect(await errorName(create().connect(first))).toBe('UnauthorizedError');
    expect(sentTo).toHaveLength(1);
    expect(sentTo[0]?.searchParams.get('resource')).toBe(resource);
    expect(sentTo[0]?.searchParams.get('scope')).toBe('files:read');
    await decide(browser, first, sentTo[0], ['files:list', 'files:read']);
    const claims = claimsOf(String(kept.tokens?.access_token));
    expect(claims).toMatchObject({
      aud: resource,
      scope: 'files:list files:read',
      agent_scope: 'files:list files:read files:write',
      act: { sub: 'agt_scribe' },
      actor_proof: 'client_binding',
    });

    const client = create();
    const transport = open(resource, provider);
    await client.connect(transport);
    const call = (name: string, more: object = {}) =>
      client.callTool({ name, arguments: { name: 'notes.txt', ...more } });
    expect(await call('read_file')).toMatchObject({ content: [{ text: 'hello' }] });
    // What the agent may ever use is shown, so that stepping up stays possible; the rest is not.
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(['list_files', 'read_file', 'write_file']);
    expect(sentTo).toHaveLength(1);

    // The user's side is short: the browser is opened, once.
    const short = call('write_file', { text: 'more' });
    expect(await errorName(short)).toBe('UnauthorizedError');
    expect(sentTo).toHaveLength(2);
    expect(sentTo[1]?.searchParams.get('scope')?.split(' ').sort()).toEqual([
      'files:list',
      'files:read',
      'files:write',
    ]);
    await decide(browser, transport, sentTo[1], ['files:list', 'files:read', 'files:write']);
    expect(await call('write_file', { text: 'more' })).toMatchObject({
      content: [{ text: 'done' }],
    });
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('more');
    expect(sentTo).toHaveLength(2);

    // The agent's side is short: no page could help, so nobody is sent to one.
    const denied = await call('delete_file').catch((error: unknown) => error);
    expect(String(denied)).toMatch(/403|actor_unauthorized|may not/);
    expect(sentTo).toHaveLength(2);
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('more');

    // Good here, and at no other server of the same issuer (V1).
    const answer = await fetch(elsewhere, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${kept.tokens?.access_token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
    await client.close();
    await writeFile(join(folder, 'notes.txt'), 'hello');
  });
});
