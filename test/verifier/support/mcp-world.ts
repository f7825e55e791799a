// One MCP server on 127.0.0.1, protected by the guard, with the real SDK on both sides.
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import { createTestIssuer, type TestIssuer } from '../../../src/testing/index.js';
import { type AuthEvent, createVerifier, type Verifier } from '../../../src/verifier/index.js';
import {
  defineToolPolicy,
  type ListMode,
  type McpGuard,
  protectMcpServer,
} from '../../../src/verifier/mcp/index.js';

export interface McpWorld {
  readonly url: string;
  readonly issuer: TestIssuer;
  readonly verifier: Verifier;
  readonly guard: McpGuard;
  readonly events: AuthEvent[];
  /** Names of tools that were really executed. */
  readonly executed: string[];
  /** A connected SDK client that sends this token. */
  connect(token: string): Promise<Client>;
  /** A plain POST of a body, as any client may send it. */
  post(body: unknown, token?: string, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly stateful?: boolean;
  readonly list?: ListMode;
  readonly maxBodyBytes?: number;
  readonly report?: boolean;
}

const ACCEPT = 'application/json, text/event-stream';

function createTools(guardOf: () => McpGuard, executed: string[]) {
  const server = new McpServer({ name: 'files', version: '1.0.0' });
  const inputSchema = { path: z.string().optional() };
  const register = (tool: string) =>
    server.registerTool(tool, { inputSchema }, async (_args, extra) => {
      executed.push(tool);
      const { user, agent, client } = guardOf().context(extra);
      const text = `${tool} for ${user?.id} by ${agent?.id} through ${client.id}`;
      return { content: [{ type: 'text', text }] };
    });
  for (const tool of ['read_file', 'write_file', 'delete_file']) register(tool);
  return { server, register };
}

export async function startMcpWorld(options: WorldOptions = {}): Promise<McpWorld> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const executed: string[] = [];
  const events: AuthEvent[] = [];
  const clients: Client[] = [];
  const http: Server = createServer((req, res) => void listener(req, res));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;

  const issuer = await createTestIssuer({ resource: url, heartbeatMs: 100 });
  const verifier = createVerifier({
    issuer: issuer.issuer,
    resource: url,
    fetch: issuer.fetch,
    onEvent: (event) => events.push(event),
    ...(options.report ? { report: { clientId: 'cli_files', clientSecret: 's3cret' } } : {}),
  });
  const policy = defineToolPolicy({
    base: ['files:read'],
    tools: {
      read_file: 'files:read',
      write_file: { all: ['files:write'] },
      delete_file: { all: ['files:delete'], principal: ['delegated'] },
    },
    ...(options.list === undefined ? {} : { list: options.list }),
  });
  const guard = protectMcpServer(verifier, policy, { maxBodyBytes: options.maxBodyBytes });

  async function open(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      ...(options.stateful ? { sessionIdGenerator: () => randomUUID() } : {}),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    const { server, register } = createTools(() => guard, executed);
    await guard.connect(server, transport);
    // One that came after the start, and that nobody has thought about.
    register('secret_tool');
    return transport;
  }
  const listener = guard.node(async (req, res, parsedBody) => {
    const id = req.headers['mcp-session-id'];
    const transport = (typeof id === 'string' && sessions.get(id)) || (await open());
    await transport.handleRequest(req, res, parsedBody);
  });

  return {
    url,
    issuer,
    verifier,
    guard,
    events,
    executed,
    async connect(token) {
      const client = new Client({ name: 'host', version: '1.0.0' });
      const transport = new StreamableHTTPClientTransport(new URL(url), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      });
      // The SDK's own classes disagree about `sessionId?: undefined` under exact optional types.
      await client.connect(transport as Transport);
      clients.push(client);
      return client;
    },
    post: (body, token, headers = {}) =>
      fetch(url, {
        method: 'POST',
        headers: {
          accept: ACCEPT,
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await verifier.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

export const call = (name: string, id = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: {} },
});
