// The second check, where messages enter the server: v2 of the SDK, with the HTTP edge out of the way,
// in memory and over stdio's factory; and the look at the tools before anything starts (V7).
import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../../src/testing/index.js';
import { createVerifier, type Verifier } from '../../src/verifier/index.js';
import { defineToolPolicy, type McpGuard, protectMcpServer } from '../../src/verifier/mcp/index.js';
import { serverV2, TOOLS } from './support/mcp-frameworks.js';

const RESOURCE = 'https://files.example/mcp';
const REVISION = '2026-07-28';
const tools = { read_file: 'files:read', write_file: 'files:write', delete_file: 'files:delete' };

let issuer: TestIssuer;
let verifier: Verifier;
let guard: McpGuard;
let executed: string[];
beforeEach(async () => {
  issuer = await createTestIssuer({ resource: RESOURCE, heartbeatMs: 100 });
  verifier = createVerifier({ issuer: issuer.issuer, resource: RESOURCE, fetch: issuer.fetch });
  guard = protectMcpServer(verifier, defineToolPolicy({ tools }));
  executed = [];
  return () => verifier.close();
});

const make = () => serverV2({ guard, executed });
const caller = async () => verifier.verify(await issuer.delegatedToken());

/** A request of 2026-07-28, as a client of v2 sends it. */
function modern(method: string, params: Record<string, unknown> = {}): Request {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': REVISION,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return new Request(RESOURCE, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': REVISION,
      'mcp-method': method,
      ...(typeof params.name === 'string' ? { 'mcp-name': params.name } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
}

describe('v2 servers behind an edge that let everything through', () => {
  it('refuse a call without a caller, and with a made-up one (VF17)', async () => {
    const handler = createMcpHandler(guard.factory(make));
    const forged = {
      token: 't',
      clientId: 'c',
      scopes: [],
      extra: { context: { can: () => true } },
    };
    for (const options of [undefined, { authInfo: forged }]) {
      const response = await handler.fetch(modern('tools/call', { name: 'read_file' }), options);
      expect(await response.json()).toMatchObject({
        error: { code: -32003, data: { error: 'missing_token' } },
      });
    }
    expect(executed).toEqual([]);
  });

  it('refuse by the same policy, and show only this caller’s tools, as private', async () => {
    const handler = createMcpHandler(guard.factory(make));
    const authInfo = await verifier.verifyAccessToken(await issuer.delegatedToken());
    const ask = async (method: string, params?: Record<string, unknown>) =>
      (await handler.fetch(modern(method, params), { authInfo })).json();
    expect(await ask('tools/call', { name: 'delete_file' })).toMatchObject({
      error: { code: -32003, data: { error: 'actor_unauthorized' } },
    });
    expect(await ask('tools/call', { name: 'read_file' })).toMatchObject({ result: {} });
    expect(executed).toEqual(['read_file']);
    const { result } = await ask('tools/list');
    expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(['read_file']);
    expect(result.cacheScope).toBe('private');
  });

  it('serve a caller of their own where the transport authenticates nobody', async () => {
    const server = await guard.factory(make, { context: await caller() })({});
    const [near, far] = InMemoryTransport.createLinkedPair();
    await server.connect(far);
    const client = new Client({ name: 'host', version: '1.0.0' });
    await client.connect(near);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_file']);
    await client.callTool({ name: 'read_file' });
    await expect(client.callTool({ name: 'write_file' })).rejects.toMatchObject({ code: -32003 });
    expect(executed).toEqual(['read_file']);
    await client.close();
  });
});

describe('one connection, one principal (V13)', () => {
  it('refuses a second caller on the connection of the first', async () => {
    const sent: object[] = [];
    const inner = {
      start: async () => {},
      close: async () => {},
      send: async (message: object) => void sent.push(message),
      onmessage: undefined as ((message: object, extra?: object) => void) | undefined,
    };
    await guard.connect(make(), inner);
    const call = async (id: number, user: string) => {
      const token = await issuer.delegatedToken({ user });
      const authInfo = await verifier.verifyAccessToken(token);
      const params = { name: 'read_file', arguments: {} };
      inner.onmessage?.({ jsonrpc: '2.0', id, method: 'tools/call', params }, { authInfo });
    };
    await call(1, 'usr_alice');
    await expect.poll(() => sent).toHaveLength(1);
    await call(2, 'usr_eve');
    await expect.poll(() => sent).toHaveLength(2);
    expect(sent[0]).toMatchObject({ id: 1, result: {} });
    expect(sent[1]).toMatchObject({ id: 2, error: { data: { error: 'access_denied' } } });
    expect(executed).toEqual(['read_file']);
  });
});

describe('drift between policy and server stops the start', () => {
  const withTools = (names: readonly string[], Server: typeof McpServer) => () => {
    const server = new Server({ name: 'files', version: '1.0.0' });
    for (const name of names) server.registerTool(name, {}, async () => ({ content: [] }));
    return server;
  };

  describe.each([
    ['v1', McpServerV1 as unknown as typeof McpServer],
    ['v2', McpServer],
  ])('SDK %s', (_generation, Server) => {
    it.each([
      ['a tool without policy', [...TOOLS, 'new_tool'], 'tools without a policy: new_tool'],
      [
        'a policy without tool',
        ['read_file', 'write_file'],
        'policies without a tool: delete_file',
      ],
      ['no tools at all', [], 'policies without a tool: read_file, write_file, delete_file'],
    ])('%s', async (_what, names, message) => {
      const factory = withTools(names, Server);
      await expect(guard.start(factory)).rejects.toThrow(message);
      // And at the first connection, for whoever does not ask before.
      const [, far] = InMemoryTransport.createLinkedPair();
      await expect(guard.connect(factory(), far)).rejects.toThrow(message);
      await expect(guard.factory(factory)({})).rejects.toThrow(message);
    });

    it('starts with the tools of the policy, and lets nobody see that it looked', async () => {
      const factory = withTools(TOOLS, Server);
      await guard.start(factory);
      const [near, far] = InMemoryTransport.createLinkedPair();
      const heard: unknown[] = [];
      near.onmessage = (message) => void heard.push(message);
      await near.start();
      await guard.connect(factory(), far);
      expect(heard).toEqual([]);
    });
  });

  it('asks for every page of the tools', async () => {
    const pages: Record<string, { tools: object[]; nextCursor?: string }> = {
      first: { tools: [{ name: 'read_file', inputSchema: { type: 'object' } }], nextCursor: 'b' },
      b: {
        tools: ['write_file', 'delete_file', 'late_tool'].map((name) => ({
          name,
          inputSchema: { type: 'object' },
        })),
      },
    };
    const paged = () => {
      const { server } = new McpServer(
        { name: 'files', version: '1' },
        { capabilities: { tools: {} } },
      );
      server.setRequestHandler(
        'tools/list',
        ({ params }) => pages[params?.cursor ?? 'first'] as never,
      );
      return server;
    };
    await expect(guard.start(paged)).rejects.toThrow('tools without a policy: late_tool');
  });

  it('says how to start a server that cannot list its tools without a caller', async () => {
    const shy = () => {
      const { server } = new McpServer(
        { name: 'files', version: '1' },
        { capabilities: { tools: {} } },
      );
      server.setRequestHandler('tools/list', (_request, extra) => {
        guard.context(extra);
        return { tools: [] };
      });
      return server;
    };
    await expect(guard.start(shy)).rejects.toThrow('name them with checkTools()');
    guard.checkTools(TOOLS);
    const [, far] = InMemoryTransport.createLinkedPair();
    await expect(guard.connect(shy(), far)).resolves.toBeUndefined();
  });
});
