import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { call, type McpWorld, startMcpWorld } from './support/mcp-world.js';

let world: McpWorld;
beforeAll(async () => {
  world = await startMcpWorld({ stateful: true, report: true });
});
afterAll(() => world.close());

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
};

async function openSession(token: string): Promise<Record<string, string>> {
  const response = await world.post(initialize, token);
  expect(response.status).toBe(200);
  await response.text();
  return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
}

describe('MCP sessions belong to (issuer, subject, agent, client)', () => {
  it('serves the owner with a renewed token', async () => {
    const session = await openSession(await world.issuer.delegatedToken());
    const renewed = await world.issuer.delegatedToken();
    const response = await world.post(call('read_file'), renewed, session);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('read_file for usr_alice');
  });

  it.each([
    ['another user', { user: 'usr_mallory' }],
    ['another agent', { agent: 'agt_other' }],
    ['another client', { client: 'cli_other' }],
  ])('does not exist for %s', async (_who, options) => {
    const session = await openSession(await world.issuer.delegatedToken());
    const before = world.executed.length;
    const foreign = await world.issuer.delegatedToken(options);
    const response = await world.post(call('read_file'), foreign, session);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32001, message: 'Session not found' },
    });
    expect(world.executed.length).toBe(before);
  });

  it('is no credential: the session id alone is answered 401', async () => {
    const session = await openSession(await world.issuer.delegatedToken());
    expect((await world.post(call('read_file'), undefined, session)).status).toBe(401);
  });
});

describe('a stream ends with its token (DESIGN §6)', () => {
  it('ends a GET stream when the token is revoked, and refuses the next request', async () => {
    const claims = { jti: 'cns_s.gnt_s.t1' };
    const token = await world.issuer.delegatedToken({ claims });
    const session = await openSession(token);
    const headers = { ...session, authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    const stream = await fetch(world.url, { headers });
    expect(stream.status).toBe(200);
    const ended = stream.text();
    await world.issuer.revoke('cns_s');
    await ended;
    const response = await world.post(call('read_file'), token, session);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      error_description: 'The access token was revoked.',
    });
  });
});

describe('VF14 every tools/call decision is reported to the broker', () => {
  it('reports the allowed and the denied call, once each, without token or arguments', async () => {
    const claims = { jti: 'cns_r.gnt_r.t1' };
    const token = await world.issuer.delegatedToken({ claims });
    const session = await openSession(token);
    await (await world.post(call('read_file', 2), token, session)).text();
    await (await world.post(call('write_file', 3), token, session)).text();
    const mine = () => world.issuer.decisions.filter(({ jti }) => jti === claims.jti);
    await eventually(() => expect(mine()).toHaveLength(2));
    const common = {
      at: expect.any(Number),
      jti: claims.jti,
      sub: 'usr_alice',
      act: 'agt_scout',
      client_id: 'cli_host',
      resource: world.url,
      missing_user: [],
    };
    expect(mine()).toEqual([
      {
        ...common,
        allowed: true,
        tool: 'read_file',
        required: ['files:read'],
        missing_agent: [],
      },
      {
        ...common,
        allowed: false,
        tool: 'write_file',
        required: ['files:write'],
        missing_agent: ['files:write'],
        code: 'actor_unauthorized',
        reason: 'agent_scope_missing',
      },
    ]);
  });
});

describe('the check in process, for servers without an HTTP edge', () => {
  const open: Array<{ close(): Promise<void> }> = [];
  afterEach(async () => {
    for (const end of open.splice(0)) await end.close();
  });

  async function connectInMemory(token?: string) {
    const server = new McpServer({ name: 'files', version: '1.0.0' });
    const executed: string[] = [];
    for (const tool of ['read_file', 'write_file', 'delete_file'])
      server.registerTool(tool, {}, async () => {
        executed.push(tool);
        return { content: [] };
      });
    const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
    const context = token === undefined ? undefined : await world.verifier.verify(token);
    await world.guard.connect(server, serverSide, { context });
    const client = new Client({ name: 'host', version: '1.0.0' });
    open.push(client, server);
    return { client, clientSide, executed };
  }

  it('calls what the given caller may call, refuses and hides the rest', async () => {
    const { client, clientSide, executed } = await connectInMemory(
      await world.issuer.delegatedToken(),
    );
    await client.connect(clientSide);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_file']);
    await client.callTool({ name: 'read_file' });
    await expect(client.callTool({ name: 'write_file' })).rejects.toMatchObject({
      code: -32003,
      data: { error: 'actor_unauthorized' },
    });
    expect(executed).toEqual(['read_file']);
  });

  it('refuses everything where nobody was authenticated', async () => {
    const { client, clientSide } = await connectInMemory();
    await expect(client.connect(clientSide)).rejects.toMatchObject({
      code: -32003,
      data: { error: 'missing_token' },
    });
  });

  it('throws on drift between policy and tools, both ways', () => {
    const { guard } = world;
    expect(() => guard.checkTools(['read_file', 'write_file', 'delete_file'])).not.toThrow();
    expect(() => guard.checkTools(['read_file', 'write_file', 'delete_file', 'new'])).toThrow(
      'tools without a policy: new',
    );
    expect(() => guard.checkTools(['read_file', 'write_file'])).toThrow(
      'policies without a tool: delete_file',
    );
  });

  it('believes no context but its own verifier’s (VF17)', () => {
    const forged = { kind: 'user', can: () => true };
    expect(() => world.guard.context({ authInfo: { extra: { context: forged } } })).toThrow(
      TypeError,
    );
    expect(() => world.guard.context(undefined)).toThrow(TypeError);
  });
});
