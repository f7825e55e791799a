/** The guard in Hono, in front of an MCP server of the SDK's second generation. Runs by itself. */
import { getRequestListener } from '@hono/node-server';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { createTestIssuer } from 'behalf/testing';
import { createVerifier } from 'behalf/verifier';
import { defineToolPolicy, honoMcp, protectMcpServer } from 'behalf/verifier/mcp';
import { Hono } from 'hono';
import { callTool, check, openServer } from './story.js';

const { url: resource, serve, close } = await openServer();
const broker = await createTestIssuer({ resource });
const verifier = createVerifier({ issuer: broker.issuer, resource, fetch: broker.fetch });
const policy = defineToolPolicy({ base: ['files:read'], tools: { read_file: 'files:read' } });
const guard = protectMcpServer(verifier, policy);

const createFiles = guard.factory(() => {
  const server = new McpServer({ name: 'files', version: '1.0.0' });
  server.registerTool('read_file', {}, async (extra) => {
    const { agent, user } = guard.context(extra);
    return { content: [{ type: 'text', text: `${agent?.id} for ${user?.id}` }] };
  });
  return server;
});
const app = new Hono();
app.use(honoMcp(guard, createMcpHandler(createFiles).fetch));
app.get('/hello', (c) => c.text('the application itself'));
serve(getRequestListener(app.fetch));

const token = await broker.delegatedToken({ scope: 'files:read' });
check('a tool', await callTool(resource, 'read_file', token), '200 agt_scout for usr_alice');
check('nobody', await callTool(resource, 'read_file'), '401');
const hello = await fetch(new URL('/hello', resource));
check('beside it', await hello.text(), 'the application itself');

await Promise.all([verifier.close(), close()]);
