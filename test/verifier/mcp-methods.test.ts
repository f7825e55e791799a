// The method table against the SDKs' own lists, and what each class of method takes at the edge.
import { ClientNotificationSchema, ClientRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import { createTestIssuer } from '../../src/testing/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  defineToolPolicy,
  type FetchMcpHandler,
  type McpGuard,
  type ProtectOptions,
  protectMcpServer,
  type ToolPolicyInput,
} from '../../src/verifier/mcp/index.js';
import { METHODS } from '../../src/verifier/mcp/methods.js';

const URL_ = 'https://files.example/mcp';
const agentScope = 'files:read files:write';

/** A guard without a network: `handler` answers whatever is admitted. */
async function guarded(
  policy: Partial<ToolPolicyInput<string>> = {},
  handler: FetchMcpHandler = () => Response.json({ admitted: true }),
  options: ProtectOptions = {},
) {
  const issuer = await createTestIssuer({ resource: URL_, heartbeatMs: 50 });
  const verifier = createVerifier({ issuer: issuer.issuer, resource: URL_, fetch: issuer.fetch });
  const tools = { read_file: 'files:read' };
  const guard = protectMcpServer(verifier, defineToolPolicy({ tools, ...policy }), options);
  const serve = guard.fetch(handler);
  return {
    issuer,
    guard: guard as McpGuard,
    verifier,
    send: async (
      message: object,
      { token, headers = {} }: { token?: string; headers?: Record<string, string> } = {},
    ) =>
      serve(
        new Request(URL_, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token ?? (await issuer.delegatedToken({ agentScope }))}`,
            ...headers,
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
        }),
      ),
    serve,
  };
}
const asks = async (g: Awaited<ReturnType<typeof guarded>>, method: string, params?: object) =>
  (await g.send({ method, ...(params === undefined ? {} : { params }) })).status;

/** MCP 2026-07-28 (schema.ts `ClientRequest`, `ClientNotification`) and its tasks extension. */
const REVISION_2026_07_28 = [
  ...['server/discover', 'completion/complete', 'subscriptions/listen', 'prompts/get'],
  ...['prompts/list', 'resources/list', 'resources/templates/list', 'resources/read'],
  ...['tools/call', 'tools/list', 'notifications/cancelled', 'notifications/progress'],
  ...['tasks/get', 'tasks/update', 'tasks/cancel'],
];
/** 2025-06-18 has nothing that 2025-11-25 has not. */
const REVISION_2025_11_25 = [ClientRequestSchema, ClientNotificationSchema].flatMap((schema) =>
  schema.options.map(({ shape }) => [...shape.method.values][0] as string),
);

describe('every JSON-RPC method is classified', () => {
  it('has a rule for each method a client may send, of all three revisions, and for no other', () => {
    expect([...METHODS.keys()].sort()).toEqual(
      [...new Set([...REVISION_2025_11_25, ...REVISION_2026_07_28])].sort(),
    );
  });

  it('takes the handshake with any valid token', async () => {
    const g = await guarded();
    for (const method of ['initialize', 'ping', 'server/discover', 'notifications/initialized'])
      expect([method, await asks(g, method)]).toEqual([method, 200]);
  });

  it('refuses by default what only a policy may offer, and what nobody knows', async () => {
    const g = await guarded();
    const offered = [...METHODS].filter(([, { kind }]) => kind !== 'open');
    const refused = offered.map(([method]) => method).filter((method) => method !== 'tools/list');
    const unknown = ['tools/delete', 'TOOLS/CALL', 'tools/call ', 'notifications/message', 'x', ''];
    for (const method of [...refused, ...unknown, 'notifications/vendor/own', '__proto__'])
      expect([method, await asks(g, method)]).toEqual([method, 403]);
  });

  it('takes a method that the policy offers, from whom it offers it to', async () => {
    const methods = { 'completion/complete': 'files:read', 'logging/setLevel': 'files:admin' };
    const g = await guarded({ methods });
    expect(await asks(g, 'completion/complete')).toBe(200);
    expect(await asks(g, 'logging/setLevel')).toBe(403);
  });

  it.each([
    ['the handshake', { methods: { initialize: 'files:read' } }],
    ['tools', { methods: { 'tools/call': 'files:read' } }],
    ['a notification', { methods: { 'notifications/x': 'files:read' } }],
    ['prompts that are named too', { prompts: { p: 'a' }, methods: { 'prompts/get': 'a' } }],
    ['resources with a star inside', { resources: { 'file:///*/x': 'a' } }],
    ['resources with nothing but a star', { resources: { '*': 'a' } }],
  ])('lets no policy speak of %s', (_what, policy) => {
    expect(() => defineToolPolicy({ tools: { t: 'a' }, ...policy })).toThrow(TypeError);
  });
});

describe('what a handler is told', () => {
  it('is the SDKs’ AuthInfo, with the token’s id in place of the token (VF17)', async () => {
    let told: unknown;
    const g = await guarded({}, (_request, { authInfo, parsedBody }) => {
      told = { ...authInfo, parsedBody, context: g.guard.context({ authInfo }).tokenId };
      return Response.json({});
    });
    const claims = { jti: 'cns_i.gnt_i.t1' };
    const token = await g.issuer.delegatedToken({ agentScope, claims });
    expect((await g.send({ method: 'ping' }, { token })).status).toBe(200);
    expect(told).toEqual({
      token: 'cns_i.gnt_i.t1',
      clientId: 'cli_host',
      scopes: ['files:read'],
      expiresAt: expect.any(Number),
      resource: new URL(URL_),
      extra: { context: expect.objectContaining({ kind: 'delegated' }) },
      parsedBody: { jsonrpc: '2.0', id: 1, method: 'ping' },
      context: 'cns_i.gnt_i.t1',
    });
  });
});

describe('prompts and resources, name by name (V7)', () => {
  const policy = {
    prompts: { summary: 'files:read', secrets: 'files:admin' },
    resources: {
      'file:///public/*': 'files:read',
      'file:///public/own/*': 'files:admin',
      'file:///one.txt': 'files:read',
      'file:///public/{path}': 'files:read',
    },
  };

  it.each([
    ['prompts/get', { name: 'summary' }, 200],
    ['prompts/get', { name: 'secrets' }, 403],
    ['prompts/get', { name: 'other' }, 403],
    ['prompts/get', {}, 403],
    ['resources/read', { uri: 'file:///one.txt' }, 200],
    ['resources/read', { uri: 'file:///one.txt2' }, 403],
    ['resources/subscribe', { uri: 'file:///public/a.txt' }, 200],
    ['resources/read', { uri: 'file:///public/own/a.txt' }, 403],
    ['resources/read', { uri: 'file:///public/../secret' }, 403],
    ['resources/read', { uri: 'file:///public/%2e%2E/secret' }, 403],
    ['resources/read', { uri: 'file:///public/..%2fsecret' }, 403],
    ['resources/read', { uri: 'file:///public\\..\\secret' }, 403],
    ['resources/read', { uri: 'FILE:///public/a.txt' }, 403],
    ['resources/read', { uri: ['file:///one.txt'] }, 403],
    ['resources/unsubscribe', { uri: 'file:///secret' }, 403],
  ])('%s %j is answered %i', async (method, params, status) => {
    expect(await asks(await guarded(policy), method, params)).toBe(status);
  });

  it.each([
    ['prompts/list', 'prompts', 'name', ['summary', 'secrets', 'other'], ['summary']],
    [
      'resources/list',
      'resources',
      'uri',
      ['file:///one.txt', 'file:///public/a', 'file:///public/own/b', 'file:///secret'],
      ['file:///one.txt', 'file:///public/a'],
    ],
    [
      'resources/templates/list',
      'resourceTemplates',
      'uriTemplate',
      ['file:///public/{path}', 'file:///public/x/{y}', 'file:///public/own/{y}', 'file:///{z}'],
      ['file:///public/{path}', 'file:///public/x/{y}'],
    ],
  ])('%s shows only what this caller may have, and says so', async (method, items, id, all, seen) => {
    const { guard, issuer, verifier } = await guarded(policy);
    const sent: object[] = [];
    const inner = {
      start: async () => {},
      close: async () => {},
      send: async (message: object) => void sent.push(message),
      onmessage: undefined as ((message: object, extra?: object) => void) | undefined,
    };
    const context = await verifier.verify(await issuer.delegatedToken({ agentScope }));
    guard.checkTools(['read_file']);
    const transport = guard.transport(inner, { context });
    transport.onmessage = (message) =>
      void transport.send({
        jsonrpc: '2.0',
        id: (message as { id: number }).id,
        result: { [items]: all.map((name) => ({ [id]: name })), cacheScope: 'public' },
      });
    await transport.start();
    inner.onmessage?.({ jsonrpc: '2.0', id: 7, method });
    await expect
      .poll(() => sent)
      .toEqual([
        {
          jsonrpc: '2.0',
          id: 7,
          result: { [items]: seen.map((name) => ({ [id]: name })), cacheScope: 'private' },
        },
      ]);
  });
});

describe('MCP tasks belong to (issuer, subject, agent, client)', () => {
  const methods = {
    'tasks/get': 'files:read',
    'tasks/list': 'files:read',
    'tasks/cancel': 'files:read',
  };

  it.each([
    ['nested (2025-11-25)', { task: { taskId: 'task-1' } }],
    ['flat (tasks extension)', { resultType: 'task', taskId: 'task-1' }],
  ])('are known to their creator alone, created %s', async (_shape, result) => {
    const { guard, issuer, verifier, send } = await guarded({ methods });
    const context = await verifier.verify(await issuer.delegatedToken({ agentScope }));
    const inner = {
      start: async () => {},
      close: async () => {},
      send: async () => {},
      onmessage: undefined as ((message: object) => void) | undefined,
    };
    guard.checkTools(['read_file']);
    const transport = guard.transport(inner, { context });
    transport.onmessage = () => void transport.send({ jsonrpc: '2.0', id: 1, result });
    await transport.start();
    const get = { method: 'tasks/get', params: { taskId: 'task-1' } };
    expect((await send(get)).status).toBe(403);
    expect((await send({ method: 'tasks/get', params: { taskId: 7 } })).status).toBe(403);
    expect((await send({ method: 'tasks/list' })).status).toBe(200);
    inner.onmessage?.({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'read_file' },
    });
    await expect.poll(async () => (await send(get)).status).toBe(200);
    for (const other of [{ user: 'usr_eve' }, { agent: 'agt_other' }, { client: 'cli_other' }]) {
      const token = await issuer.delegatedToken({ agentScope, ...other });
      const response = await send(get, { token });
      expect(response.status).toBe(403);
      expect(await response.json()).toEqual({
        error: 'access_denied',
        error_description: 'There is no such task here.',
      });
    }
  });
});

describe('CORS for the pages that are served', () => {
  const preflight = (origin: string, names = '') =>
    new Request(URL_, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': names },
    });

  it('names the headers of a preflight, tool arguments among them, and no others', async () => {
    const { serve } = await guarded();
    const asked = 'authorization, mcp-param-region, mcp-param-bad name, x-evil';
    const response = await serve(preflight('https://app.example', asked));
    expect(response.headers.get('access-control-allow-headers')).toBe(
      'Authorization, Content-Type, DPoP, MCP-Protocol-Version, Mcp-Method, Mcp-Name, ' +
        'Mcp-Session-Id, Last-Event-ID, mcp-param-region',
    );
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
  });

  it('serves the named origins and no other page; programs have no origin (V12)', async () => {
    const { send, serve } = await guarded({}, undefined, { origins: ['https://app.example'] });
    const from = async (origin?: string) => {
      const headers: Record<string, string> = origin === undefined ? {} : { origin };
      const response = await send({ method: 'ping' }, { headers });
      return [response.status, response.headers.get('access-control-allow-origin')];
    };
    expect(await from()).toEqual([200, null]);
    expect(await from('https://app.example')).toEqual([200, 'https://app.example']);
    expect(await from('https://app.example.evil')).toEqual([403, null]);
    expect(await from('null')).toEqual([403, null]);
    const refused = await serve(preflight('https://evil.example'));
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    expect(refused.headers.get('vary')).toBe('Origin');
  });
});

describe('a fetch stream ends with its token (DESIGN §6)', () => {
  it('ends when the token is revoked, and lets go of the server’s stream', async () => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(': open\n\n')),
      cancel: () => {
        cancelled = true;
      },
    });
    const { issuer, send } = await guarded(
      {},
      () => new Response(stream, { headers: { 'content-type': 'text/event-stream' } }),
    );
    const token = await issuer.delegatedToken({ claims: { jti: 'cns_f.gnt_f.t1' } });
    const response = await send({ method: 'ping' }, { token });
    const text = response.text();
    await issuer.revoke('cns_f');
    expect(await text).toBe(': open\n\n');
    expect(cancelled).toBe(true);
  });

  it('passes on a stream that ends by itself, and a body that is none', async () => {
    const { send } = await guarded(
      {},
      () => new Response('data: 1\n\n', { headers: { 'content-type': 'text/event-stream' } }),
    );
    expect(await (await send({ method: 'ping' })).text()).toBe('data: 1\n\n');
    const empty = await guarded({}, () => new Response(null, { status: 202 }));
    expect((await empty.send({ method: 'notifications/initialized' })).status).toBe(202);
  });
});
