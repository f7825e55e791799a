import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, type McpWorld, startMcpWorld } from './support/mcp-world.js';

let world: McpWorld;
beforeAll(async () => {
  world = await startMcpWorld();
});
afterAll(() => world.close());

const names = (tools: ReadonlyArray<{ name: string }>) => tools.map(({ name }) => name);
const metadataUrl = () => world.url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp');

describe('MCP authorization: one tool call through the real SDK', () => {
  it('runs an allowed tool, which sees user, agent and client', async () => {
    const client = await world.connect(await world.issuer.delegatedToken());
    const result = await client.callTool({ name: 'read_file', arguments: {} });
    expect(result.content).toEqual([
      { type: 'text', text: 'read_file for usr_alice by agt_scout through cli_host' },
    ]);
  });

  it('refuses a tool the user has not allowed by a real HTTP 403 before it runs', async () => {
    const agentScope = 'files:read files:write';
    const client = await world.connect(await world.issuer.delegatedToken({ agentScope }));
    const before = [...world.executed];
    await expect(client.callTool({ name: 'write_file', arguments: {} })).rejects.toThrow();
    expect(world.executed).toEqual(before);
  });
});

describe('MCP tools/list (VF15, V7)', () => {
  const agentScope = 'files:read files:write';

  it('shows what the agent may ever use, and hides the rest and what has no policy', async () => {
    const client = await world.connect(await world.issuer.delegatedToken({ agentScope }));
    expect(names((await client.listTools()).tools)).toEqual(['read_file', 'write_file']);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: 'tool_without_policy', tool: 'secret_tool' }),
    );
  });

  it.each([
    ['filter', ['read_file']],
    ['all', ['read_file', 'write_file', 'delete_file']],
  ] as const)('shows by list mode %s: %j', async (list, expected) => {
    const other = await startMcpWorld({ list });
    const client = await other.connect(await other.issuer.delegatedToken({ agentScope }));
    expect(names((await client.listTools()).tools)).toEqual(expected);
    await other.close();
  });

  it('marks the list private for the revision that knows cacheScope, and not before', async () => {
    const token = await world.issuer.delegatedToken();
    const list = { jsonrpc: '2.0', id: 5, method: 'tools/list' };
    const read = async (version: string) => {
      const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': version } };
      const response = await world.post({ ...list, params: meta }, token);
      const data = /^data: (.+)$/m.exec(await response.text())?.[1] ?? '{}';
      return (JSON.parse(data) as { result: { cacheScope?: string } }).result.cacheScope;
    };
    expect(await read('2026-07-28')).toBe('private');
    expect(await read('2025-11-25')).toBeUndefined();
  });
});

describe('VF7, VF8: the answer to a call without the right', () => {
  it('is a bare 401 challenge without a token, with the scope to begin with', async () => {
    const response = await world.post(call('read_file'));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer scope="files:read", resource_metadata="${metadataUrl()}"`,
    );
    expect(await response.json()).toEqual({
      error: 'missing_token',
      error_description: 'An access token is required.',
    });
  });

  it('is 401 invalid_token for an expired token, even when it lacks the scope too', async () => {
    const iat = Math.floor(Date.now() / 1000) - 600;
    const claims = { iat, exp: iat + 300 };
    const token = await world.issuer.delegatedToken({ scope: 'files:list', claims });
    const response = await world.post(call('write_file'), token);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      error: 'invalid_token',
      error_description: 'The access token has expired.',
    });
  });

  it('is 403 insufficient_scope with held ∪ required when only the user’s side is missing', async () => {
    const agentScope = 'files:read files:write';
    const token = await world.issuer.delegatedToken({ agentScope });
    const response = await world.post(call('write_file'), token);
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", error_description="The user has not allowed this.", ' +
        `scope="files:read files:write", resource_metadata="${metadataUrl()}"`,
    );
    expect(await response.json()).toEqual({
      error: 'insufficient_scope',
      error_description: 'The user has not allowed this.',
      scope: 'files:read files:write',
    });
  });

  it('is 403 actor_unauthorized without scope when the agent’s side is missing', async () => {
    const response = await world.post(call('write_file'), await world.issuer.delegatedToken());
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer error="actor_unauthorized", error_description="The acting agent agt_scout may not ' +
        `use: files:write", resource_metadata="${metadataUrl()}"`,
    );
    expect(await response.json()).toEqual({
      error: 'actor_unauthorized',
      error_description: 'The acting agent agt_scout may not use: files:write',
    });
  });

  it('is 403 without a way to step up for a tool without policy and a method not offered', async () => {
    const token = await world.issuer.delegatedToken();
    const read = { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'file:///x' } };
    for (const body of [call('secret_tool'), call('no_such_tool'), read, call('__proto__')]) {
      const response = await world.post(body, token);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: 'access_denied' });
      expect(response.headers.get('www-authenticate')).not.toMatch(/insufficient_scope|[ ]scope=/);
    }
    expect(world.executed).not.toContain('secret_tool');
  });
});

describe('JSON-RPC bodies', () => {
  it('rejects a batch as a whole if one member is refused, with the scopes of all (MCP step-up)', async () => {
    const agentScope = 'files:delete files:read files:write';
    const token = await world.issuer.delegatedToken({ agentScope });
    const before = [...world.executed];
    const batch = [call('read_file', 1), call('write_file', 2), call('delete_file', 3)];
    const response = await world.post(batch, token);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ scope: 'files:delete files:read files:write' });
    expect(world.executed).toEqual(before);
  });

  it('lets a batch of allowed calls through', async () => {
    const token = await world.issuer.delegatedToken();
    const response = await world.post([call('read_file', 1), call('read_file', 2)], token);
    expect(response.status).toBe(200);
  });

  it.each([
    ['Mcp-Method', { 'mcp-method': 'tools/list' }],
    ['Mcp-Name', { 'mcp-name': 'delete_file' }],
    ['Mcp-Name', { 'mcp-name': `=?base64?${btoa('delete_file')}?=` }],
    ['Mcp-Name', { 'mcp-name': '=?base64?/w==?=' }],
  ])('refuses a body that its %s contradicts: somebody on the way may have believed it', async (header, headers) => {
    const token = await world.issuer.delegatedToken();
    const before = [...world.executed];
    const response = await world.post(call('read_file'), token, headers);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: { code: -32020, message: `the header ${header} says something else than the body` },
    });
    expect(world.executed).toEqual(before);
  });

  it('serves a body that its headers repeat, plain or in base64', async () => {
    const token = await world.issuer.delegatedToken();
    for (const name of ['read_file', `=?base64?${btoa('read_file')}?=`]) {
      const headers = { 'mcp-method': 'tools/call', 'mcp-name': name };
      expect((await world.post(call('read_file'), token, headers)).status).toBe(200);
    }
  });

  it('lets no header speak for a batch, and none for a refused call', async () => {
    const token = await world.issuer.delegatedToken();
    const headers = { 'mcp-method': 'tools/call', 'mcp-name': 'read_file' };
    const batch = [call('read_file', 1), call('delete_file', 2)];
    expect((await world.post(batch, token, headers)).status).toBe(400);
    const alone = { 'mcp-method': 'tools/call', 'mcp-name': 'delete_file' };
    expect((await world.post(call('delete_file'), token, alone)).status).toBe(403);
  });

  it.each([
    ['no JSON', '{"jsonrpc":', 400, -32700],
    ['an empty batch', [], 400, -32600],
    ['a batch of 51', Array.from({ length: 51 }, () => call('read_file')), 400, -32600],
    ['a batch in a batch', [[call('read_file')]], 400, -32600],
    ['request and response at once', { ...call('delete_file'), result: {} }, 400, -32600],
    ['a method that is no string', { ...call('x'), method: ['tools/call'] }, 400, -32600],
    ['params that are a list', { ...call('x'), params: ['read_file'] }, 400, -32600],
    ['arguments 100 levels deep', `${'['.repeat(100)}${']'.repeat(100)}`, 400, -32700],
    ['another JSON-RPC', { ...call('read_file'), jsonrpc: '1.0' }, 400, -32600],
  ])('refuses %s', async (_name, body, status, code) => {
    const response = await world.post(body, await world.issuer.delegatedToken());
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } });
  });

  it('refuses a body over the limit by 413, and takes one under it', async () => {
    const small = await startMcpWorld({ maxBodyBytes: 1_000 });
    const token = await small.issuer.delegatedToken();
    const padded = (chars: number) => ({
      ...call('read_file'),
      params: { name: 'read_file', arguments: { path: 'x'.repeat(chars) } },
    });
    expect((await small.post(padded(2_000), token)).status).toBe(413);
    expect((await small.post(padded(100), token)).status).toBe(200);
    await small.close();
  });
});

describe('VF9 protected resource metadata, and preflights', () => {
  it.each([
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-protected-resource',
  ])('is served at %s without a token, from configuration and not from Host (V3)', async (path) => {
    const response = await fetch(new URL(path, world.url), {
      headers: { 'x-forwarded-host': 'evil.example' },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual({
      resource: world.url,
      authorization_servers: [world.issuer.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['files:read'],
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
    });
  });

  it('answers OPTIONS before authentication, and exposes the challenge', async () => {
    const response = await fetch(world.url, { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-headers')).toContain('Authorization');
    const refused = await world.post(call('read_file'));
    expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate');
    await refused.text();
  });

  it('answers 405 for other methods, and 401 for GET without a token (Q23)', async () => {
    const authorization = `Bearer ${await world.issuer.delegatedToken()}`;
    const put = await fetch(world.url, { method: 'PUT', headers: { authorization } });
    expect(put.status).toBe(405);
    expect((await fetch(world.url)).status).toBe(401);
  });
});
