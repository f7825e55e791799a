/**
 * An agent that acts for a user hands part of the work to a helper, which calls a tool with it. Both
 * run here; in life they are two programs, and the hand-off token goes from one to the other.
 *
 *   ISSUER, RESOURCE, AGENT_ID, AGENT_SECRET, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI,
 *   HELPER_ID, HELPER_SECRET
 */
import { createServer } from 'node:http';
import { authorizationHeader, createAgentHost } from 'behalf/agent';

const env = (name: string): string =>
  process.env[name] ??
  (() => {
    throw new Error(`set ${name}`);
  })();
const [issuer, resource, redirectUri] = [env('ISSUER'), env('RESOURCE'), env('REDIRECT_URI')];
const agent = createAgentHost({
  issuer,
  agent: { id: env('AGENT_ID'), auth: { secret: env('AGENT_SECRET') } },
  client: { id: env('CLIENT_ID'), auth: { secret: env('CLIENT_SECRET') }, redirectUri },
});
const helper = createAgentHost({
  issuer,
  agent: { id: env('HELPER_ID'), auth: { secret: env('HELPER_SECRET') } },
});

// The page asks about helpers even where the user let the agent alone act before.
const request = { resource, scope: 'files:read', prompt: 'consent' };
const { url, transaction } = await agent.beginDelegation(request);
const callback = await new Promise<string>((resolve, reject) => {
  const server = createServer((req, res) => {
    res.end('Thank you. You can close this window.');
    server.close();
    resolve(new URL(req.url ?? '/', redirectUri).href);
  });
  server.once('error', reject).listen(Number(new URL(redirectUri).port), '127.0.0.1', () => {
    console.log(`open ${url.href} and allow one helper`);
  });
});
const delegation = await agent.completeDelegation(callback, transaction);

const { handOffToken } = await delegation.handOff({ to: env('HELPER_ID'), scope: 'files:list' });
const work = await helper.takeUp(handOffToken);
console.log(`${work.agent} does this for ${work.user?.sub}: ${[...work.scopes].join(' ')}`);

const answer = await fetch(resource, {
  method: 'POST',
  headers: {
    authorization: authorizationHeader(await work.token()),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  },
  body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_files","arguments":{}}}',
});
console.log(`list_files → ${answer.status} ${await answer.text()}`);
await delegation.revoke();
process.exitCode = answer.ok ? 0 : 1;
