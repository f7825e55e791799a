// The same protected MCP server in every framework and both SDK generations, on 127.0.0.1.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { createMcpHandler, McpServer as McpServerV2 } from '@modelcontextprotocol/server';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';
import { createTestIssuer, type TestIssuer } from '../../../src/testing/index.js';
import { createVerifier } from '../../../src/verifier/index.js';
import {
  defineToolPolicy,
  expressMcp,
  type FetchMcpHandler,
  honoMcp,
  koaMcp,
  type McpGuard,
  type NodeMcpHandler,
  protectMcpServer,
} from '../../../src/verifier/mcp/index.js';

export const TOOLS = ['read_file', 'write_file', 'delete_file'];

type Said = { content: [{ type: 'text'; text: string }] };

/** What a tool answers: who it was called by, as the guard says. */
function say(guard: McpGuard, tool: string, extra: unknown, executed: string[]): Said {
  executed.push(tool);
  const { user, agent, client } = guard.context(extra);
  const text = `${tool} for ${user?.id} by ${agent?.id} through ${client.id}`;
  return { content: [{ type: 'text', text }] };
}

export interface Served {
  readonly guard: McpGuard;
  readonly executed: string[];
}

const serverV1 = ({ guard, executed }: Served): McpServerV1 => {
  const server = new McpServerV1({ name: 'files', version: '1.0.0' });
  for (const tool of TOOLS)
    server.registerTool(tool, {}, async (extra) => say(guard, tool, extra, executed));
  return server;
};

export const serverV2 = ({ guard, executed }: Served): McpServerV2 => {
  const server = new McpServerV2({ name: 'files', version: '1.0.0' });
  for (const tool of TOOLS)
    server.registerTool(tool, {}, async (extra) => say(guard, tool, extra, executed));
  return server;
};

const nodeV1 =
  (served: Served): NodeMcpHandler =>
  async (req, res, body) => {
    const transport = new StreamableHTTPServerTransport({});
    await served.guard.connect(serverV1(served), transport);
    await transport.handleRequest(req, res, body);
  };

const fetchV1 =
  (served: Served): FetchMcpHandler =>
  async (request, { authInfo, parsedBody }) => {
    const transport = new WebStandardStreamableHTTPServerTransport({});
    await served.guard.connect(serverV1(served), transport);
    return transport.handleRequest(request, { authInfo, parsedBody });
  };

const fetchV2 = (served: Served): FetchMcpHandler =>
  createMcpHandler(served.guard.factory(() => serverV2(served))).fetch;

// The SDK's own types disagree with Node's about `method?: undefined` under exact optional types.
const nodeV2 = (served: Served): NodeMcpHandler =>
  toNodeHandler(createMcpHandler(served.guard.factory(() => serverV2(served)))) as NodeMcpHandler;

const elsewhere = 'the application itself';

function inExpress(guard: McpGuard, handler: NodeMcpHandler): RequestListener {
  const app = express();
  app.use(express.json());
  app.use(expressMcp(guard, handler));
  app.get('/hello', (_req, res) => void res.send(elsewhere));
  return app;
}

function inKoa(guard: McpGuard, handler: NodeMcpHandler): RequestListener {
  const app = new Koa();
  app.use(koaMcp(guard, handler));
  app.use((ctx) => {
    ctx.body = elsewhere;
  });
  const listener = app.callback();
  return (req, res) => void listener(req, res);
}

/** Behind a body parser, as many applications have one. */
function inParsedKoa(guard: McpGuard, handler: NodeMcpHandler): RequestListener {
  const app = new Koa();
  app.use(async (ctx, next) => {
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    if (text !== '') Object.assign(ctx.request, { body: JSON.parse(text) });
    await next();
  });
  app.use(koaMcp(guard, handler));
  app.use((ctx) => {
    ctx.body = elsewhere;
  });
  const listener = app.callback();
  return (req, res) => void listener(req, res);
}

function inHono(guard: McpGuard, handler: FetchMcpHandler): RequestListener {
  const app = new Hono();
  app.use(honoMcp(guard, handler));
  app.get('/hello', (c) => c.text(elsewhere));
  return getRequestListener(app.fetch);
}

/** A listener of each framework with each SDK generation. */
export const FRAMEWORKS: Readonly<Record<string, (served: Served) => RequestListener>> = {
  'http, SDK v1': (served) => served.guard.node(nodeV1(served)),
  'http, SDK v2': (served) => served.guard.node(nodeV2(served)),
  'fetch, SDK v1': (served) => getRequestListener(served.guard.fetch(fetchV1(served))),
  'fetch, SDK v2': (served) => getRequestListener(served.guard.fetch(fetchV2(served))),
  'Express, SDK v1': (served) => inExpress(served.guard, nodeV1(served)),
  'Express, SDK v2': (served) => inExpress(served.guard, nodeV2(served)),
  'Koa, SDK v1': (served) => inKoa(served.guard, nodeV1(served)),
  'Koa, SDK v2': (served) => inKoa(served.guard, nodeV2(served)),
  'Koa with a parser, SDK v1': (served) => inParsedKoa(served.guard, nodeV1(served)),
  'Hono, SDK v1': (served) => inHono(served.guard, fetchV1(served)),
  'Hono, SDK v2': (served) => inHono(served.guard, fetchV2(served)),
};

export interface FrameworkWorld extends Served {
  readonly url: string;
  readonly issuer: TestIssuer;
  post(body: unknown, token?: string, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

export async function startFramework(
  listenerOf: (served: Served) => RequestListener,
): Promise<FrameworkWorld> {
  const http: Server = createServer((req, res) => listener(req, res));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  const issuer = await createTestIssuer({ resource: url, heartbeatMs: 100 });
  const verifier = createVerifier({ issuer: issuer.issuer, resource: url, fetch: issuer.fetch });
  const guard = protectMcpServer(
    verifier,
    defineToolPolicy({
      base: ['files:read'],
      tools: { read_file: 'files:read', write_file: 'files:write', delete_file: 'files:delete' },
    }),
  );
  const executed: string[] = [];
  const listener = listenerOf({ guard, executed });
  return {
    url,
    issuer,
    guard,
    executed,
    post: (body, token, headers = {}) =>
      fetch(url, {
        method: 'POST',
        headers: {
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    async close() {
      await verifier.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
