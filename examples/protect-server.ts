/**
 * Protects an API that is no MCP server: who calls, for whom, may they. Runs by itself: a test issuer
 * stands in for the broker. Give `createVerifier` your own `issuer` and `resource`, and nothing else.
 */

import { createTestIssuer } from 'behalf/testing';
import { AuthError, createVerifier } from 'behalf/verifier';
import { check, openServer } from './story.js';

const { url: resource, serve, close } = await openServer('/api');
const broker = await createTestIssuer({ resource });
const verifier = createVerifier({ issuer: broker.issuer, resource, fetch: broker.fetch });

serve(async (req, res) => {
  if (verifier.metadataPaths.includes(req.url ?? '')) {
    res.setHeader('content-type', 'application/json');
    return res.end(JSON.stringify(verifier.protectedResourceMetadata()));
  }
  try {
    const caller = await verifier.authenticate(req);
    const decision = await verifier.authorize(caller, 'files:read');
    if (!decision.ok) throw decision.error;
    return res.end(`${caller.agent?.id} for ${caller.user?.id} through ${caller.client.id}`);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    const { status, headers, body } = verifier.challenge(error);
    return res.writeHead(status, headers).end(JSON.stringify(body));
  }
});

const ask = async (token?: string) => {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(resource, { headers });
  return `${response.status} ${await response.text()}`;
};
const errorOf = async (token?: string) => {
  const [status, ...body] = (await ask(token)).split(' ');
  return `${status} ${JSON.parse(body.join(' ')).error}`;
};
const good = await broker.delegatedToken({ scope: 'files:read' });
check('an agent for a user', await ask(good), '200 agt_scout for usr_alice through cli_host');
check('nobody', await errorOf(), '401 missing_token');
const elsewhere = await broker.delegatedToken({ claims: { aud: 'https://other.example/api' } });
check('with a token for another server', await errorOf(elsewhere), '401 invalid_token');
const less = await broker.delegatedToken({
  scope: 'files:list',
  agentScope: 'files:list files:read',
});
check('without the user’s leave', await errorOf(less), '403 insufficient_scope');
const [metadata = ''] = verifier.metadataPaths;
const document = await (await fetch(new URL(metadata, resource))).json();
check('what clients find', (document as { resource: string }).resource, resource);

await Promise.all([verifier.close(), close()]);
