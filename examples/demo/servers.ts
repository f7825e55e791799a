/**
 * Two MCP servers for the second act: files, with a tool that calls onward for whoever called it,
 * and the index that it calls.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { ServiceHost } from 'behalf/agent';
import { createVerifier, type VerifierOptions } from 'behalf/verifier';
import { defineToolPolicy, protectMcpServer, type ToolPolicy } from 'behalf/verifier/mcp';
import { z } from 'zod';
import { changeTools, createFileServer, readTools } from '../tool-server.js';
import { callTool } from './call-tool.js';

const inputSchema = { name: z.string().max(100) };
const say = (text: string) => ({ content: [{ type: 'text' as const, text }] });

async function serve(
  port: number,
  options: VerifierOptions,
  policy: ToolPolicy<string>,
  serverFor: (req: IncomingMessage) => McpServer,
) {
  const verifier = createVerifier(options);
  const guard = protectMcpServer(verifier, policy);
  const listener = guard.node(async (req, res, body) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await guard.connect(serverFor(req), transport);
    await transport.handleRequest(req, res, body);
  });
  const http = createServer(listener).listen(port, '127.0.0.1');
  await once(http, 'listening');
  return { close: () => Promise.all([verifier.close(), new Promise((done) => http.close(done))]) };
}

/** One tool, which knows where a file is. */
export function startIndexServer(port: number, options: VerifierOptions) {
  const policy = defineToolPolicy({ base: ['index:search'], tools: { search: 'index:search' } });
  return serve(port, options, policy, () => {
    const server = new McpServer({ name: 'index', version: '1.0.0' });
    server.registerTool('search', { inputSchema }, async ({ name }) => say(`${name}: first shelf`));
    return server;
  });
}

export interface Onward {
  readonly service: ServiceHost;
  /** The index server. */
  readonly index: string;
  /** Sees each token that was got by exchange. A real server shows it to nobody. */
  readonly onToken: (token: string) => void;
}

/** The file tools, and one that asks the index, with a token exchanged for the caller's. */
export function startFilesServer(
  port: number,
  folder: string,
  options: VerifierOptions,
  { service, index, onToken }: Onward,
) {
  const tools = { ...readTools, ...changeTools, find_file: 'files:list' };
  const policy = defineToolPolicy({ base: ['files:read'], tools });
  return serve(port, options, policy, (req) => {
    const server = createFileServer(folder);
    server.registerTool('find_file', { inputSchema }, async ({ name }) => {
      const [, subjectToken = ''] = req.headers.authorization?.split(' ') ?? [];
      const { accessToken } = await service.exchangeFor({ subjectToken, resource: index });
      onToken(accessToken);
      const found = await callTool(index, accessToken, 'search', { name });
      if (!found.ok) throw new Error(found.text);
      return say(found.text);
    });
    return server;
  });
}
