/** The guard in Express, in front of an MCP server of the SDK's first generation. Runs by itself. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createTestIssuer } from 'behalf/testing';
import { createVerifier } from 'behalf/verifier';
import { defineToolPolicy, expressMcp, protectMcpServer } from 'behalf/verifier/mcp';
import express from 'express';
import { callTool, check, openServer } from './story.js';

const { url: resource, serve, close } = await openServer();
const broker = await createTestIssuer({ resource });
const verifier = createVerifier({ issuer: broker.issuer, resource, fetch: broker.fetch });
const policy = defineToolPolicy({ base: ['files:read'], tools: { read_file: 'files:read' } });
const guard = protectMcpServer(verifier, policy);

const app = express();
app.use(
  expressMcp(guard, async (req, res, body) => {
    const server = new McpServer({ name: 'files', version: '1.0.0' });
    server.registerTool('read_file', {}, async (extra) => {
      const { agent, user } = guard.context(extra);
      return { content: [{ type: 'text', text: `${agent?.id} for ${user?.id}` }] };
    });
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await guard.connect(server, transport);
    await transport.handleRequest(req, res, body);
  }),
);
app.get('/hello', (_req, res) => void res.send('the application itself'));
serve(app);

const token = await broker.delegatedToken({ scope: 'files:read' });
check('a tool', await callTool(resource, 'read_file', token), '200 agt_scout for usr_alice');
check('nobody', await callTool(resource, 'read_file'), '401');
const hello = await fetch(new URL('/hello', resource));
check('beside it', await hello.text(), 'the application itself');

await Promise.all([verifier.close(), close()]);
