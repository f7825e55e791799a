// The guard in the real http server, Express, Koa, Hono and bare fetch, with the real servers of both
// MCP SDK generations behind it, and the real clients of both in front.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAMEWORKS, type FrameworkWorld, startFramework } from './support/mcp-frameworks.js';
import { call } from './support/mcp-world.js';

const REVISION = '2026-07-28';
const agentScope = 'files:read files:write';

/** What is used of a client, whatever its generation. */
interface AnyClient {
  callTool(call: { name: string }): Promise<unknown>;
  listTools(): Promise<{ tools: readonly { name: string }[] }>;
  close(): Promise<void>;
}

const headersOf = (token: string) => ({
  requestInit: { headers: { authorization: `Bearer ${token}` } },
});

async function connectV1(url: string, token: string): Promise<AnyClient> {
  const client = new ClientV1({ name: 'host', version: '1.0.0' });
  await client.connect(new TransportV1(new URL(url), headersOf(token)) as Transport);
  return client;
}

async function connectV2(url: string, token: string, pin?: string): Promise<AnyClient> {
  const negotiation = pin === undefined ? {} : { versionNegotiation: { mode: { pin } } };
  const client = new ClientV2({ name: 'host', version: '1.0.0' }, negotiation);
  await client.connect(new TransportV2(new URL(url), headersOf(token)));
  return client;
}

const CLIENTS: Readonly<Record<string, (url: string, token: string) => Promise<AnyClient>>> = {
  'client v1': connectV1,
  'client v2': (url, token) => connectV2(url, token),
};
const MODERN = {
  'client v2 of 2026-07-28': (url: string, token: string) => connectV2(url, token, REVISION),
};

describe.each(Object.entries(FRAMEWORKS))('%s', (name, listenerOf) => {
  let world: FrameworkWorld;
  beforeAll(async () => {
    world = await startFramework(listenerOf);
  });
  afterAll(() => world.close());

  const clients = Object.entries({ ...CLIENTS, ...(name.endsWith('v2') ? MODERN : {}) });

  it.each(
    clients,
  )('serves %s: sees its tools, calls one, and is known to it', async (_who, connect) => {
    const client = await connect(world.url, await world.issuer.delegatedToken({ agentScope }));
    try {
      const { tools } = await client.listTools();
      expect(tools.map((tool) => tool.name)).toEqual(['read_file', 'write_file']);
      expect(await client.callTool({ name: 'read_file' })).toMatchObject({
        content: [{ type: 'text', text: 'read_file for usr_alice by agt_scout through cli_host' }],
      });
      const before = [...world.executed];
      await expect(client.callTool({ name: 'write_file' })).rejects.toThrow();
      await expect(client.callTool({ name: 'delete_file' })).rejects.toThrow();
      expect(world.executed).toEqual(before);
    } finally {
      await client.close();
    }
  });

  it('answers 401, 403 with and without a way to step up, before anything runs', async () => {
    const token = await world.issuer.delegatedToken({ agentScope });
    const before = [...world.executed];
    const answers = await Promise.all([
      world.post(call('read_file')),
      world.post(call('write_file'), token),
      world.post(call('delete_file'), token),
      world.post([call('read_file', 1), call('delete_file', 2)], token),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 403, 403]);
    const errors = await Promise.all(answers.map((answer) => answer.json()));
    expect(errors.map(({ error }) => error)).toEqual([
      'missing_token',
      'insufficient_scope',
      'actor_unauthorized',
      'actor_unauthorized',
    ]);
    const challenges = answers.map(({ headers }) => headers.get('www-authenticate'));
    expect(challenges.map((challenge) => /scope="([^"]*)"/.exec(challenge ?? '')?.[1])).toEqual([
      'files:read',
      'files:read files:write',
      undefined,
      undefined,
    ]);
    expect(world.executed).toEqual(before);
  });

  it('serves its metadata at path and root (RFC 9728 §3.1), and answers a preflight', async () => {
    for (const path of ['/oauth-protected-resource/mcp', '/oauth-protected-resource']) {
      const response = await fetch(new URL(`/.well-known${path}`, world.url));
      expect(await response.json()).toMatchObject({ resource: world.url });
    }
    const preflight = await fetch(world.url, { method: 'OPTIONS' });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('never answers for the handler’s own mistake with more than "Internal error"', async () => {
    const response = await world.post(call('read_file'), await world.issuer.delegatedToken(), {
      'content-type': 'text/plain',
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(await response.text()).not.toMatch(/at .*\.[jt]s/);
  });
});

describe.each(
  Object.entries(FRAMEWORKS).filter(([name]) => /^(?:Express|Koa|Hono)/.test(name)),
)('%s', (_name, listenerOf) => {
  it('leaves other paths to the application', async () => {
    const world = await startFramework(listenerOf);
    const answer = await fetch(new URL('/hello', world.url));
    expect(await answer.text()).toBe('the application itself');
    await world.close();
  });
});
