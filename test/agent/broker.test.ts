// The agent host against the real broker: its own token, acting for a user, renewing, ending; work
// passed on, taken up, and carried to the next resource.
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import * as tables from '../../schema/index.js';
import { createAgentHost, createServiceHost } from '../../src/agent/index.js';
import { createVerifier, type Verifier } from '../../src/verifier/index.js';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import {
  AGENT,
  ANA,
  CALLBACK,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
} from '../support/world.js';

let t: TestBroker;
let verifier: Verifier;
let notes: Verifier;
beforeAll(async () => {
  t = await startTestBroker();
  await prepareWorld();
  verifier = createVerifier({ issuer: t.issuer, resource: FILES });
  notes = createVerifier({ issuer: t.issuer, resource: NOTES });
});
afterAll(async () => {
  await verifier.close();
  await notes.close();
  await t.close();
});

/** The other agent takes work from the first; the file server may read notes. */
async function prepareWorld(): Promise<void> {
  const { orm } = t.opened.db;
  await letTakeWork(t.opened.db);
  const downstream = [{ resource: NOTES, scopes: { 'files:read': ['notes:read'] } }];
  await orm
    .update(tables.resources)
    .set({ downstream })
    .where(eq(tables.resources.identifier, FILES));
  await orm
    .update(tables.resources)
    .set({ clients: null })
    .where(eq(tables.resources.identifier, NOTES));
  await orm
    .insert(tables.permissions)
    .values([{ principal: FILES_CLIENT, resource: NOTES, scopes: ['notes:read'] }]);
  await orm.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
}

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

const helper = (id = OTHER_AGENT) =>
  createAgentHost({
    issuer: t.issuer,
    agent: { id, auth: { secret: t.secrets[id] as string } },
  });
const fileServer = () =>
  createServiceHost({
    issuer: t.issuer,
    service: { id: FILES_CLIENT, auth: { secret: t.secrets[FILES_CLIENT] as string } },
  });

/** Ana lets the agent act, and so many follow it. */
async function delegate(helpers: number) {
  const agent = host();
  const request = { resource: FILES, scope: 'files:read', prompt: 'consent' };
  const { url, transaction } = await agent.beginDelegation(request);
  const visitor = { ...ANA, helpers };
  const callback = await walkPages(createBrowserless(t.issuer), url.href, visitor);
  return agent.completeDelegation(callback, transaction);
}

const reasonAt = (at: Verifier, token: string): Promise<string> =>
  at.verify(token).then(
    () => 'accepted',
    (error) => error.reason,
  );

describe('DESIGN §8c against the broker: passing work on', () => {
  it('the agent goes on with less, and nothing more than it had', async () => {
    const delegation = await delegate(0);
    const less = await delegation.narrow({ scope: 'files:list' });
    const context = await verifier.verify((await less.token()).accessToken);
    expect([...context.scopes]).toEqual(['files:list']);
    expect(context.actorChain.map(({ id }) => id)).toEqual([AGENT]);
    expect([less.user, less.agent, less.resource]).toEqual([{ sub: ANA.id }, AGENT, FILES]);
    await expect(less.narrow({ scope: 'files:read' })).rejects.toMatchObject({
      code: 'invalid_scope',
      status: 400,
    });
  });

  it('a helper takes up what was handed to it, once; the chain says from whom', async () => {
    const delegation = await delegate(1);
    const handOff = await delegation.handOff({ to: OTHER_AGENT, scope: 'files:list' });
    expect([handOff.resource, handOff.scopes]).toEqual([FILES, ['files:list']]);
    expect(handOff.expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(120_000);
    // Worthless at the resource, and with anybody else.
    expect(await reasonAt(verifier, handOff.handOffToken)).toBe('audience_mismatch');
    await expect(host().takeUp(handOff.handOffToken)).rejects.toMatchObject({
      code: 'invalid_request',
    });

    const taken = await helper().takeUp(handOff.handOffToken);
    const token = await taken.token();
    const context = await verifier.verify(token.accessToken);
    expect([context.kind, context.user?.id, context.agent?.id]).toEqual([
      'delegated',
      ANA.id,
      OTHER_AGENT,
    ]);
    expect(context.actorChain.map(({ id }) => id)).toEqual([OTHER_AGENT, AGENT]);
    expect([context.client.id, context.via]).toEqual([OTHER_AGENT, [HOST, AGENT]]);
    expect([...context.scopes]).toEqual(['files:list']);
    expect(token.expiresAt.getTime()).toBeLessThanOrEqual(handOff.expiresAt.getTime() + 1000);
    await expect(helper().takeUp(handOff.handOffToken)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    // One helper was allowed: nobody follows it.
    await expect(taken.handOff({ to: AGENT })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('a helper takes a token directly where it takes work from that agent; no user, no helper', async () => {
    const allowed = (await (await delegate(1)).token()).accessToken;
    const { accessToken } = await helper().exchange({ subjectToken: allowed });
    const context = await verifier.verify(accessToken);
    expect(context.actorChain.map(({ id }) => id)).toEqual([OTHER_AGENT, AGENT]);
    const alone = (await (await delegate(0)).token()).accessToken;
    await expect(helper().exchange({ subjectToken: alone })).rejects.toMatchObject({
      code: 'invalid_request',
      status: 400,
    });
  });

  it('the file server goes on to the notes, as a service around the agent, and nowhere else', async () => {
    const subjectToken = (await (await delegate(0)).token()).accessToken;
    const onward = await fileServer().exchangeFor({ subjectToken, resource: NOTES });
    expect([onward.resource, onward.scopes]).toEqual([NOTES, ['notes:read']]);
    const context = await notes.verify(onward.accessToken);
    expect(context.actorChain).toEqual([
      { id: FILES_CLIENT, issuer: t.issuer, profile: 'service' },
      { id: AGENT, issuer: t.issuer, profile: 'ai_agent' },
    ]);
    expect([context.kind, context.user?.id]).toEqual(['delegated', ANA.id]);
    expect(await reasonAt(verifier, onward.accessToken)).toBe('audience_mismatch');
    await expect(
      fileServer().exchangeFor({ subjectToken, resource: 'https://nowhere.example/' }),
    ).rejects.toMatchObject({ code: 'invalid_target' });
    await expect(
      fileServer().exchangeFor({ subjectToken, resource: NOTES, scope: 'notes:write' }),
    ).rejects.toMatchObject({ code: 'invalid_scope' });
  });

  it('ends with what it came from: the helper’s token and the one downstream (DESIGN §4)', async () => {
    const delegation = await delegate(1);
    const { handOffToken } = await delegation.handOff({ to: OTHER_AGENT });
    const taken = await helper().takeUp(handOffToken);
    const { accessToken } = await taken.token();
    const onward = await fileServer().exchangeFor({ subjectToken: accessToken, resource: NOTES });
    expect(await reasonAt(notes, onward.accessToken)).toBe('accepted');
    await delegation.revoke();
    await expect.poll(() => reasonAt(verifier, accessToken)).toBe('revoked');
    await expect.poll(() => reasonAt(notes, onward.accessToken)).toBe('revoked');
    await expect(helper().exchange({ subjectToken: accessToken })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});
