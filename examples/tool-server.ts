/** An MCP server with four file tools. The guard decides every call before a tool sees it. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createVerifier, type VerifierOptions } from 'behalf/verifier';
import { defineToolPolicy, protectMcpServer } from 'behalf/verifier/mcp';
import { z } from 'zod';

const inputSchema = { name: z.string().max(100).default('.'), text: z.string().default('') };
export const readTools = { list_files: 'files:list', read_file: 'files:read' };
export const changeTools = { write_file: 'files:write', delete_file: 'files:delete' };
const policy = defineToolPolicy({ base: ['files:read'], tools: { ...readTools, ...changeTools } });

export function createFileServer(folder: string): McpServer {
  const server = new McpServer({ name: 'files', version: '1.0.0' });
  const add = (tool: string, run: (path: string, text: string) => Promise<unknown>) =>
    server.registerTool(tool, { inputSchema }, async ({ name, text }) => {
      const said = (await run(join(folder, basename(name)), text)) ?? 'done';
      return { content: [{ type: 'text', text: String(said) }] };
    });
  add('list_files', () => readdir(folder));
  add('read_file', (path) => readFile(path, 'utf8'));
  add('write_file', writeFile);
  add('delete_file', (path) => rm(path));
  return server;
}

export async function startToolServer(port: number, folder: string, options: VerifierOptions) {
  const verifier = createVerifier(options);
  const guard = protectMcpServer(verifier, policy);
  const listener = guard.node(async (req, res, body) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await guard.connect(createFileServer(folder), transport);
    await transport.handleRequest(req, res, body);
  });
  const http = createServer(listener);
  await new Promise<void>((listening) => http.listen(port, '127.0.0.1', listening));
  return { close: () => Promise.all([verifier.close(), new Promise((done) => http.close(done))]) };
}
