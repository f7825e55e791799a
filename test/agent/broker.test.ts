// The agent host against the real broker: its own token, acting for a user, renewing, ending.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { createAgentHost } from '../../src/agent/index.js';
import { createVerifier, type Verifier } from '../../src/verifier/index.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { AGENT, ANA, CALLBACK, FILES, HOST } from '../support/world.js';

let t: TestBroker;
let verifier: Verifier;
beforeAll(async () => {
  t = await startTestBroker();
  verifier = createVerifier({ issuer: t.issuer, resource: FILES });
});
afterAll(async () => {
  await verifier.close();
  await t.close();
});

const host = (now: () => number = Date.now) =>
  createAgentHost({
    issuer: t.issuer,
    agent: { id: AGENT, auth: { secret: t.secrets[AGENT] as string } },
    client: { id: HOST, auth: { secret: t.secrets[HOST] as string }, redirectUri: CALLBACK },
    now,
  });

describe('createAgentHost against the broker', () => {
  it('gets the agent’s own token, which names no user and no act', async () => {
    const { accessToken } = await host().token({ resource: FILES, scope: 'files:read' });
    const context = await verifier.verify(accessToken);
    expect([context.kind, context.agent?.id, context.user]).toEqual(['agent', AGENT, undefined]);
    expect(context.can('files:read')).toBe(true);
    expect(context.can('files:delete')).toBe(false);
  });

  it('acts for a user, renews by rotation when a token is old, and ends what it began', async () => {
    let aheadMs = 0;
    const agent = host(() => Date.now() + aheadMs);
    const { url, transaction } = await agent.beginDelegation({
      resource: FILES,
      scope: 'files:read',
    });
    const callback = await walkPages(createBrowserless(t.issuer), url.href, ANA);
    const delegation = await agent.completeDelegation(callback, transaction);
    const first = await delegation.token();
    expect(await delegation.token()).toEqual(first);

    aheadMs = 299_000;
    const [second, same] = await Promise.all([delegation.token(), delegation.token()]);
    expect(second.accessToken).not.toBe(first.accessToken);
    expect(same).toEqual(second);
    const context = await verifier.verify(second.accessToken);
    expect([context.kind, context.user?.id, context.agent?.id]).toEqual([
      'delegated',
      ANA.id,
      AGENT,
    ]);
    expect([...context.scopes]).toEqual(['files:list', 'files:read']);

    await delegation.revoke();
    await expect
      .poll(() =>
        verifier.verify(second.accessToken).then(
          () => 'accepted',
          (error) => error.reason,
        ),
      )
      .toBe('revoked');
    await expect(delegation.token()).rejects.toMatchObject({ code: 'delegation_ended' });
  });

  it('tells the host what the user said when it was no', async () => {
    const agent = host();
    const request = { resource: FILES, scope: 'files:read', prompt: 'consent' };
    const { url, transaction } = await agent.beginDelegation(request);
    const callback = await walkPages(createBrowserless(t.issuer), url.href, {
      ...ANA,
      decision: 'deny',
    });
    await expect(agent.completeDelegation(callback, transaction)).rejects.toMatchObject({
      code: 'access_denied',
    });
  });
});
