/**
 * An agent acts for a user: ask, wait for the user's decision, call a tool, pass its answer on.
 *
 *   ISSUER, RESOURCE, AGENT_ID, AGENT_SECRET, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI
 */
import { createServer } from 'node:http';
import { authorizationHeader, createAgentHost } from 'behalf/agent';

const env = (name: string): string =>
  process.env[name] ??
  (() => {
    throw new Error(`set ${name}`);
  })();
const resource = env('RESOURCE');
const redirectUri = env('REDIRECT_URI');
const host = createAgentHost({
  issuer: env('ISSUER'),
  agent: { id: env('AGENT_ID'), auth: { secret: env('AGENT_SECRET') } },
  client: { id: env('CLIENT_ID'), auth: { secret: env('CLIENT_SECRET') }, redirectUri },
});

const { url, transaction } = await host.beginDelegation({ resource, scope: 'files:read' });

const callback = await new Promise<string>((resolve, reject) => {
  const server = createServer((req, res) => {
    res.end('Thank you. You can close this window.');
    server.close();
    resolve(new URL(req.url ?? '/', redirectUri).href);
  });
  server.once('error', reject).listen(Number(new URL(redirectUri).port), '127.0.0.1', () => {
    console.log(`open ${url.href}`);
  });
});
const delegation = await host.completeDelegation(callback, transaction);
console.log(
  `${delegation.agent} acts for ${delegation.user.sub}: ${[...delegation.scopes].join(' ')}`,
);

const answer = await fetch(resource, {
  method: 'POST',
  headers: {
    authorization: authorizationHeader(await delegation.token()),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'list_files', arguments: {} },
  }),
});
console.log(`list_files → ${answer.status} ${await answer.text()}`);
await delegation.revoke();
process.exitCode = answer.ok ? 0 : 1;
