/**
 * Each tool of an MCP server demands what it needs: scopes, a person behind the call, one agent alone. A
 * tool that nobody listed does not exist, and a list shows what the agent could ever use. Runs by itself.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createTestIssuer } from 'behalf/testing';
import { createVerifier } from 'behalf/verifier';
import { defineToolPolicy, protectMcpServer } from 'behalf/verifier/mcp';
import { callTool, check, openServer } from './story.js';

const { url: resource, serve, close } = await openServer();
const broker = await createTestIssuer({ resource });
const verifier = createVerifier({ issuer: broker.issuer, resource, fetch: broker.fetch });
const policy = defineToolPolicy({
  base: ['files:read'],
  tools: {
    read_file: 'files:read',
    write_file: { all: ['files:write'] },
    delete_file: { all: ['files:delete'], principal: ['delegated'], agents: ['agt_janitor'] },
  },
});
const guard = protectMcpServer(verifier, policy);
serve(
  guard.node(async (req, res, body) => {
    const server = new McpServer({ name: 'files', version: '1.0.0' });
    for (const tool of policy.toolNames)
      server.registerTool(tool, {}, async () => ({ content: [{ type: 'text', text: 'done' }] }));
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await guard.connect(server, transport);
    await transport.handleRequest(req, res, body);
  }),
);

const both = 'files:read files:write';
const reader = await broker.delegatedToken({ scope: 'files:read', agentScope: both });
check('read_file', await callTool(resource, 'read_file', reader), '200 done');
check(
  'the user gave no more',
  await callTool(resource, 'write_file', reader),
  '403 insufficient_scope',
);
const writer = await broker.delegatedToken({ scope: both });
check('the user gave more', await callTool(resource, 'write_file', writer), '200 done');
const weak = await broker.delegatedToken({ scope: 'files:read' });
check(
  'the agent may no more',
  await callTool(resource, 'write_file', weak),
  '403 actor_unauthorized',
);
const scope = 'files:delete';
const scout = await broker.delegatedToken({ scope });
check('another agent', await callTool(resource, 'delete_file', scout), '403 actor_unauthorized');
const janitor = await broker.delegatedToken({ scope, agent: 'agt_janitor' });
check('the one agent', await callTool(resource, 'delete_file', janitor), '200 done');
check('no such tool', await callTool(resource, 'format_disk', writer), '403 access_denied');

await Promise.all([verifier.close(), close()]);
