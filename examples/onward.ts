/**
 * What an MCP server does inside a tool that needs another server: the token of the call, verified,
 * is exchanged for one that is good there, and says who called whom for whom.
 *
 *   ISSUER, RESOURCE (this server), CLIENT_ID and CLIENT_SECRET (its own client), TOKEN (of the
 *   call), NEXT_RESOURCE
 */
import { authorizationHeader, createServiceHost } from 'behalf/agent';
import { createVerifier } from 'behalf/verifier';

const env = (name: string): string =>
  process.env[name] ??
  (() => {
    throw new Error(`set ${name}`);
  })();
const [issuer, resource, next] = [env('ISSUER'), env('RESOURCE'), env('NEXT_RESOURCE')];
const verifier = createVerifier({ issuer, resource });
const service = createServiceHost({
  issuer,
  service: { id: env('CLIENT_ID'), auth: { secret: env('CLIENT_SECRET') } },
});

try {
  const subjectToken = env('TOKEN');
  const caller = await verifier.verify(subjectToken);
  const onward = await service.exchangeFor({ subjectToken, resource: next });
  const chain = [env('CLIENT_ID'), ...caller.actorChain.map(({ id }) => id)];
  console.log(`${chain.join(' ← ')} for ${caller.user?.id}: ${onward.scopes.join(' ')}`);
  const params = { name: 'search', arguments: { name: 'notes.txt' } };
  const answer = await fetch(next, {
    method: 'POST',
    headers: {
      authorization: authorizationHeader(onward),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  });
  console.log(`search → ${answer.status} ${await answer.text()}`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  const { code, reason } = error as { code?: string; reason?: string };
  console.log(`refused: ${reason ?? code ?? String(error)}`);
  process.exitCode = 1;
} finally {
  await verifier.close();
}
