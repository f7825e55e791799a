// Once for a call: those who are asked outside are asked at the edge, and again in process only where it is
// not plainly the same message of the same request.
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { createMcpHandler, McpServer as McpServerV2 } from '@modelcontextprotocol/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { EvaluationRequest } from '../../src/verifier/index.js';
import {
  type AdmittedRequest,
  defineToolPolicy,
  type FetchMcpHandler,
  type McpGuard,
  protectMcpServer,
} from '../../src/verifier/mcp/index.js';
import { createVerifierWorld } from './support/verifier-world.js';

const client = { clientId: 'cli_files', clientSecret: 'secret-of-files' };
const schema = { path: z.string().optional() };

type Serve = (guard: McpGuard, executed: unknown[]) => FetchMcpHandler;

const say = (executed: unknown[]) => async (args: unknown) => {
  executed.push(args);
  return { content: [{ type: 'text' as const, text: 'done' }] };
};
const v1: Serve = (guard, executed) => async (request, admitted) => {
  const server = new McpServerV1({ name: 'files', version: '1.0.0' });
  server.registerTool('wipe', { inputSchema: schema }, say(executed));
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await guard.connect(server, transport);
  return transport.handleRequest(request, admitted);
};
const v2: Serve = (guard, executed) =>
  createMcpHandler(
    guard.factory(() => {
      const server = new McpServerV2({ name: 'files', version: '1.0.0' });
      server.registerTool('wipe', { inputSchema: z.object(schema) }, say(executed));
      return server;
    }),
  ).fetch as FetchMcpHandler;

async function createWorld(serve: Serve, between?: Between) {
  const introspected: unknown[] = [];
  const executed: unknown[] = [];
  const checked: EvaluationRequest[] = [];
  let allows = true;
  const base = await createVerifierWorld();
  const { issuer } = base;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { origin, pathname } = new URL(String(input));
    if (pathname.includes('oauth-authorization-server'))
      return Response.json({
        issuer: issuer.issuer,
        jwks_uri: `${origin}/.well-known/jwks.json`,
        introspection_endpoint: `${origin}/introspect`,
      });
    if (pathname !== '/introspect') return issuer.fetch(input, init);
    const token = new URLSearchParams(String(init?.body)).get('token') ?? '';
    introspected.push(token);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return Response.json({ active: true, ...claims });
  };
  const introspection = { mode: 'sensitive' } as const;
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const { verifier } = await createVerifierWorld({ introspection, client, fetch, now });
  const check = (request: EvaluationRequest) => {
    checked.push(structuredClone(request));
    return allows;
  };
  const tools = { wipe: { all: ['files:read'], sensitive: true, check } };
  const guard = protectMcpServer(verifier, defineToolPolicy({ tools }));
  const inner = serve(guard, executed);
  const world = {
    issuer,
    verifier,
    guard,
    executed,
    /** How often each was asked. */
    counts: () => [checked.length, introspected.length],
    checked,
    advance: (seconds: number) => {
      aheadMs += seconds * 1000;
    },
    refuseFromNow: () => {
      allows = false;
    },
  };
  const handler = guard.fetch(async (request, admitted) => {
    const given = ((await between?.(admitted, world)) ?? [admitted]) as AdmittedRequest[];
    // A handler that sends more than it was given: the last answer is the one that is looked at.
    let text = '';
    for (const one of given) text = await (await inner(request, one)).text();
    return new Response(text);
  });
  const token = await issuer.delegatedToken();
  /** What is answered, as JSON or as the one event of a stream. */
  const send = async (): Promise<unknown> => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const body = JSON.stringify(CALL);
    const response = await handler(new Request(issuer.resource, { method: 'POST', headers, body }));
    return JSON.parse((await response.text()).replace(/^[^{]*/, ''));
  };
  return { ...world, send };
}
type World = Omit<Awaited<ReturnType<typeof createWorld>>, 'send'>;
type Between = (admitted: AdmittedRequest, world: World) => unknown;

/** Not in the order in which an SDK would write it. */
const CALL = {
  params: { arguments: { path: 'a' }, name: 'wipe' },
  method: 'tools/call',
  id: 1,
  jsonrpc: '2.0',
};
const paramsOf = ({ parsedBody }: AdmittedRequest) =>
  (parsedBody as { params: { arguments: Record<string, unknown> } }).params;

describe.each([
  ['v1', v1],
  ['v2', v2],
])('SDK %s: a call that is decided at the edge', (_name, serve) => {
  it('asks check and issuer once, and the next call anew', async () => {
    const { send, counts, executed } = await createWorld(serve);
    expect(await send()).toMatchObject({ id: 1, result: {} });
    expect([counts(), executed]).toEqual([[1, 1], [{ path: 'a' }]]);
    await send();
    expect([counts(), executed.length]).toEqual([[2, 2], 2]);
  });

  it('asks again about arguments that were changed on the way, and goes by that', async () => {
    const { send, counts, executed, checked } = await createWorld(serve, (admitted, world) => {
      paramsOf(admitted).arguments.path = '/';
      world.refuseFromNow();
    });
    expect(await send()).toMatchObject({
      error: { data: { error: 'access_denied' } },
    });
    expect([counts(), executed]).toEqual([[2, 2], []]);
    expect(checked.map(({ action }) => action.properties.arguments)).toEqual([
      { path: 'a' },
      { path: '/' },
    ]);
  });

  it('asks again about a second message like it', async () => {
    const { send, counts } = await createWorld(serve, (admitted) => [admitted, admitted]);
    await send();
    expect(counts()).toEqual([2, 2]);
  });

  it('asks again for another caller, though the message is the same', async () => {
    const { send, counts } = await createWorld(
      serve,
      async (admitted, { issuer, verifier }): Promise<void> => {
        const other = await issuer.delegatedToken({ user: 'usr_bob' });
        admitted.authInfo.extra.context = await verifier.verify(other);
      },
    );
    await send();
    expect(counts()).toEqual([2, 2]);
  });

  it('asks again under an AuthInfo that only looks like it', async () => {
    const { send, counts } = await createWorld(serve, (admitted) => [
      { ...admitted, authInfo: { ...admitted.authInfo } },
    ]);
    await send();
    expect(counts()).toEqual([2, 2]);
  });

  it('asks again when a handler took its time', async () => {
    const { send, counts } = await createWorld(serve, (_, { advance }) => advance(6));
    await send();
    expect(counts()).toEqual([2, 2]);
  });

  it('looks again at what needs no question: a token that ended meanwhile', async () => {
    const { send, executed } = await createWorld(serve, (_, { advance }) => advance(400));
    expect(await send()).toMatchObject({
      error: { data: { error: 'invalid_token' } },
    });
    expect(executed).toEqual([]);
  });
});
