// RFC 8693 over HTTP (DESIGN §8c): continue, hand off, take up, take directly, go on; and everything
// that is refused. Rows TX1–TX22 of the checklist, classes X of the threats.
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  actorToken,
  authFor,
  authorize,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import {
  AGENT,
  ANA,
  DESKTOP,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
  SERVICE,
} from '../support/world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let t: TestBroker;

beforeAll(async () => {
  t = await startTestBroker();
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
});

afterAll(() => t.close());

async function changeDownstream(downstream: (typeof tables.resources.$inferInsert)['downstream']) {
  const { orm } = t.opened.db;
  await orm
    .update(tables.resources)
    .set({ downstream })
    .where(eq(tables.resources.identifier, FILES));
  await orm.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
}

/** Ana's token for her agent; how many helpers she allowed. */
async function userToken(helpers = 0): Promise<string> {
  const authorized = await authorize(t);
  const answer = await redeem(t, authorized);
  expect(answer.status).toBe(200);
  const [consent = ''] = String(claimsOf(answer.body.access_token).jti).split('.');
  await t.opened.db.orm
    .update(tables.consents)
    .set({ helpers })
    .where(eq(tables.consents.id, consent));
  return answer.body.access_token;
}

const exchange = (caller: string, fields: Record<string, string | readonly string[]>) =>
  postToken(t, caller, { grant_type: GRANT, subject_token_type: ACCESS_TOKEN, ...fields });

describe('RFC 8693 §2 the current actor continues with less', () => {
  it('keeps subject and chain, narrows the scope, and says what it issued (TX8, TX9, TX12, TX13, TX16)', async () => {
    const subject = await userToken();
    const answer = await exchange(AGENT, { subject_token: subject, scope: 'files:list' });
    expect(answer.status).toBe(200);
    const { access_token: token, ...rest } = answer.body;
    expect(rest).toEqual({
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'files:list',
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const parent = claimsOf(subject);
    const child = claimsOf(token);
    expect(child).toEqual({
      ...parent,
      client_id: AGENT,
      via: [HOST],
      scope: 'files:list',
      actor_proof: 'client_auth',
      jti: expect.stringMatching(new RegExp(`^${String(parent.jti)}\\.[\\w-]+$`)),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(Number(child.exp)).toBeLessThanOrEqual(Number(parent.exp));
  });

  it('is refused what the parent does not carry: invalid_scope (TX12, X1)', async () => {
    const subject = await userToken();
    const narrowed = await exchange(AGENT, { subject_token: subject, scope: 'files:list' });
    const answer = await exchange(AGENT, {
      subject_token: narrowed.body.access_token,
      scope: 'files:read',
    });
    expect([answer.status, answer.body]).toEqual([
      400,
      {
        error: 'invalid_scope',
        error_description: 'a requested scope is not one the subject_token carries',
      },
    ]);
  });
});

describe('DESIGN §8c a helper takes the work over', () => {
  it('directly: new outermost act, the chain inside unchanged, helper’s rights (TX8)', async () => {
    const subject = await userToken(1);
    const answer = await exchange(OTHER_AGENT, { subject_token: subject });
    expect(answer.status).toBe(200);
    const parent = claimsOf(subject);
    const child = claimsOf(answer.body.access_token);
    expect(child).toMatchObject({
      sub: ANA.id,
      client_id: OTHER_AGENT,
      aud: FILES,
      scope: 'files:list files:read',
      agent_scope: 'files:list files:read',
      via: [HOST],
      act: { sub: OTHER_AGENT, iss: t.issuer, sub_profile: 'ai_agent', act: parent.act },
      actor_proof: 'client_auth',
    });
  });

  it('is refused without helpers left, and without an edge (TX6, X9)', async () => {
    const none = await exchange(OTHER_AGENT, { subject_token: await userToken(0) });
    const unedged = await exchange(SERVICE, { subject_token: await userToken(3) });
    for (const answer of [none, unedged]) {
      expect([answer.status, answer.body]).toEqual([
        400,
        {
          error: 'invalid_request',
          error_description: 'the actor may not act on this subject_token',
        },
      ]);
    }
  });

  it('by a hand-off: worthless elsewhere, for that helper only, once (TX7)', async () => {
    const subject = await userToken(1);
    const made = await exchange(AGENT, { subject_token: subject, requested_actor: OTHER_AGENT });
    expect(made.status).toBe(200);
    const handOff = made.body.access_token;
    const parent = claimsOf(subject);
    expect(claimsOf(handOff)).toMatchObject({
      aud: t.issuer,
      may_act: { sub: OTHER_AGENT, iss: t.issuer },
      hand_off: FILES,
      act: parent.act,
    });
    const lives = Number(claimsOf(handOff).exp) - Number(claimsOf(handOff).iat);
    expect(lives).toBeLessThanOrEqual(120);
    const stolen = await exchange(AGENT, { subject_token: handOff });
    expect(stolen.body.error).toBe('invalid_request');
    const taken = await exchange(OTHER_AGENT, { subject_token: handOff });
    expect(taken.status).toBe(200);
    const child = claimsOf(taken.body.access_token);
    expect(child).toMatchObject({
      aud: FILES,
      act: { sub: OTHER_AGENT, act: parent.act },
      via: expect.arrayContaining([HOST, AGENT]),
    });
    expect(child.may_act).toBeUndefined();
    const again = await exchange(OTHER_AGENT, { subject_token: handOff });
    expect(again.body.error).toBe('invalid_request');
  });
});

describe('DESIGN §6 a hand-off hangs on its helper', () => {
  it('and dies with the block of it, whatever happens before it is taken up', async () => {
    const subject = await userToken(1);
    const made = await exchange(AGENT, { subject_token: subject, requested_actor: OTHER_AGENT });
    const { agents } = t.broker.registry;
    await agents.block('admin', OTHER_AGENT, 'for a moment');
    await agents.unblock('admin', OTHER_AGENT);
    // Facts are in whole seconds: what is issued in the second of a stop is stopped.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const late = await exchange(OTHER_AGENT, { subject_token: made.body.access_token });
    expect([late.status, late.body]).toEqual([
      400,
      {
        error: 'invalid_request',
        error_description: 'subject_token is not one that can be exchanged',
      },
    ]);
    const again = await exchange(AGENT, { subject_token: subject, requested_actor: OTHER_AGENT });
    const taken = await exchange(OTHER_AGENT, { subject_token: again.body.access_token });
    expect([again.status, taken.status]).toEqual([200, 200]);
  });
});

describe('RFC 6749 §5.2 a client or agent that was not given this grant', () => {
  const refused = [
    400,
    {
      error: 'unauthorized_client',
      error_description: 'the client may not exchange tokens',
    },
  ];
  const may = async (mayExchange: boolean) => {
    const { agents, clients } = t.broker.registry;
    await agents.patch('admin', OTHER_AGENT, { mayExchange });
    await clients.patch('admin', HOST, { mayExchange });
  };

  it('is unauthorized, whatever it sends; what it got so before is over, with what came of it', async () => {
    const subject = await userToken(1);
    const taken = await exchange(OTHER_AGENT, { subject_token: subject });
    const kept = await exchange(AGENT, { subject_token: subject, scope: 'files:list' });
    const onward = { subject_token: taken.body.access_token, resource: NOTES };
    const further = await exchange(FILES_CLIENT, onward);
    expect([taken.status, kept.status, further.status]).toEqual([200, 200, 200]);
    await may(false);
    const inTheAgentsName = {
      subject_token: subject,
      actor_token: await actorToken(t),
      actor_token_type: ACCESS_TOKEN,
    };
    for (const answer of [
      await exchange(OTHER_AGENT, { subject_token: subject }),
      await exchange(OTHER_AGENT, { subject_token: taken.body.access_token }),
      await exchange(OTHER_AGENT, { subject_token: 'a.b.c' }),
      await exchange(HOST, inTheAgentsName),
    ]) {
      expect([answer.status, answer.body]).toEqual(refused);
    }
    const active = async (token: string, server = FILES_CLIENT) =>
      (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, server))).body.active;
    expect([
      await active(subject),
      await active(kept.body.access_token),
      await active(taken.body.access_token),
      await active(further.body.access_token),
    ]).toEqual([true, true, false, false]);
    await may(true);
    const again = await exchange(OTHER_AGENT, { subject_token: subject });
    const proved = await exchange(HOST, inTheAgentsName);
    expect([again.status, proved.status]).toEqual([200, 200]);
    expect(await active(taken.body.access_token)).toBe(false);
  });

  it('still gets its own tokens, and refreshes', async () => {
    await may(false);
    const own = await postToken(t, OTHER_AGENT, {
      grant_type: 'client_credentials',
      resource: FILES,
    });
    const redeemed = await redeem(t, await authorize(t));
    const refreshed = await postToken(t, HOST, {
      grant_type: 'refresh_token',
      refresh_token: redeemed.body.refresh_token,
    });
    expect([own.status, redeemed.status, refreshed.status]).toEqual([200, 200, 200]);
    await may(true);
  });
});

describe('DESIGN §8c a hand-off token is refused everywhere else, and stays good where it belongs', () => {
  it('as an access token, an actor token, an administrator’s, or to go on with (J7, X4)', async () => {
    const subject = await userToken(1);
    const made = await exchange(AGENT, { subject_token: subject, requested_actor: OTHER_AGENT });
    const handOff = made.body.access_token;
    const authorization = { authorization: `Bearer ${handOff}` };
    const statusOf = async (path: string) =>
      (await fetch(`${t.issuer}${path}`, { headers: authorization })).status;
    expect([await statusOf('/userinfo'), await statusOf('/admin/v1/agents')]).toEqual([401, 401]);
    for (const resource of [FILES, NOTES, `${t.issuer}/admin`]) {
      const verifier = createVerifier({ issuer: t.issuer, resource, revocation: 'off' });
      await expect(verifier.verify(handOff)).rejects.toMatchObject({ reason: 'audience_mismatch' });
      await verifier.close();
    }
    const introspected = await postForm(
      `${t.issuer}/introspect`,
      { token: handOff },
      authFor(t, FILES_CLIENT),
    );
    expect(introspected.body).toEqual({ active: false });
    const proof = { actor_token: handOff, actor_token_type: ACCESS_TOKEN };
    const onward = { subject_token: handOff, resource: NOTES };
    const refused = [
      await exchange(HOST, { subject_token: subject, ...proof }),
      await exchange(FILES_CLIENT, onward),
      await exchange(OTHER_AGENT, { ...onward, resource: t.issuer }),
      await exchange(OTHER_AGENT, { subject_token: handOff, requested_actor: AGENT }),
    ];
    expect(refused.map(({ status, body }) => [status, body.error])).toEqual([
      [400, 'invalid_request'],
      [400, 'invalid_request'],
      [400, 'invalid_target'],
      [400, 'invalid_request'],
    ]);
    expect((await exchange(OTHER_AGENT, { subject_token: handOff })).status).toBe(200);
  });
});

describe('DESIGN §8a a client that is bound fronts for that agent, and for no other', () => {
  it('also with the other one’s actor token', async () => {
    const { orm } = t.opened.db;
    const bind = async (agentId: string | null) => {
      await orm.update(tables.clients).set({ agentId }).where(eq(tables.clients.id, HOST));
      await orm
        .update(tables.agents)
        .set({ clients: [HOST] })
        .where(eq(tables.agents.id, OTHER_AGENT));
      await orm.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
    };
    const subject = await userToken(1);
    const asOther = async () =>
      exchange(HOST, {
        subject_token: subject,
        actor_token: await actorToken(t, OTHER_AGENT),
        actor_token_type: ACCESS_TOKEN,
      });
    await bind(AGENT);
    expect(await asOther()).toMatchObject({
      status: 400,
      body: {
        error: 'invalid_request',
        error_description: 'the actor may not act on this subject_token',
      },
    });
    await bind(null);
    const { status, body } = await asOther();
    expect([status, claimsOf(body.access_token).client_id]).toEqual([200, HOST]);
  });
});

describe('DESIGN §8c the resource’s own service goes on', () => {
  it('downstream, by the edge’s map, as a service around the agent', async () => {
    const subject = await userToken(0);
    const answer = await exchange(FILES_CLIENT, { subject_token: subject, resource: NOTES });
    expect(answer.body).toMatchObject({ scope: 'notes:read' });
    const child = claimsOf(answer.body.access_token);
    expect(child).toMatchObject({
      aud: NOTES,
      sub: ANA.id,
      client_id: FILES_CLIENT,
      scope: 'notes:read',
      agent_scope: 'notes:read',
      act: { sub: FILES_CLIENT, sub_profile: 'service', act: claimsOf(subject).act },
    });
  });

  it('not by an edge that came after the consent: nobody showed it to the user', async () => {
    const subject = await userToken(0);
    const later = { resource: 'https://later.example', name: 'Later', client: 'cli_later' };
    await t.opened.db.orm.insert(tables.resources).values({
      identifier: later.resource,
      name: later.name,
      scopes: {
        'notes:read': { title: 'Read', risk: 'read', restricted: false, implies: [], base: true },
      },
    });
    const shown = { resource: NOTES, scopes: { 'files:read': ['notes:read'] } };
    const added = { resource: later.resource, scopes: { 'files:read': ['notes:read'] } };
    await changeDownstream([shown, added]);
    await t.opened.db.orm
      .insert(tables.permissions)
      .values([{ principal: FILES_CLIENT, resource: later.resource, scopes: ['notes:read'] }]);
    const answer = await exchange(FILES_CLIENT, {
      subject_token: subject,
      resource: later.resource,
    });
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_target']);
    const known = await exchange(FILES_CLIENT, { subject_token: subject, resource: NOTES });
    expect(known.status).toBe(200);
    await changeDownstream([shown]);
  });

  it('nowhere without an edge, and nobody else goes anywhere: invalid_target (TX5, TX14, X2)', async () => {
    const subject = await userToken(1);
    const elsewhere = await exchange(FILES_CLIENT, {
      subject_token: subject,
      resource: 'https://nowhere.example',
    });
    const agent = await exchange(AGENT, { subject_token: subject, resource: NOTES });
    for (const answer of [elsewhere, agent]) expect(answer.body.error).toBe('invalid_target');
  });
});

describe('RFC 8693 §2.1 what is malformed', () => {
  it.each([
    ['no subject_token', { subject_token: '' }, 'invalid_request'],
    ['a strange subject_token_type', { subject_token_type: 'urn:x' }, 'invalid_request'],
    [
      'a refresh token asked for',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    ['actor_token without its type', { actor_token: 'x.y.z' }, 'invalid_request'],
    ['a type without actor_token', { actor_token_type: ACCESS_TOKEN }, 'invalid_request'],
    ['two resources', { resource: [FILES, NOTES] }, 'invalid_target'],
    ['resource and audience that differ', { resource: FILES, audience: NOTES }, 'invalid_target'],
  ])('%s (TX2, TX3, TX15)', async (_what, fields, error) => {
    const subject = await userToken();
    const answer = await exchange(AGENT, { subject_token: subject, ...fields } as never);
    expect([answer.status, answer.body.error]).toEqual([400, error]);
  });

  it('authorization_details are nothing here: neither read nor given (TX18)', async () => {
    const details = {
      authorization_details: JSON.stringify([{ type: 'files', actions: ['all'] }]),
    };
    const subject = await userToken();
    const { status, body } = await exchange(AGENT, { subject_token: subject, ...details });
    const [parent, child] = [claimsOf(subject), claimsOf(body.access_token)];
    expect([status, child.scope, child.authorization_details]).toEqual([
      200,
      parent.scope,
      undefined,
    ]);
  });

  it('whoever does not act does not become the user: there is no impersonation (TX19, X14)', async () => {
    const answer = await exchange(HOST, { subject_token: await userToken() });
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });

  it('a public client is unauthorized (TX1, X20)', async () => {
    const answer = await exchange(DESKTOP, {
      subject_token: await userToken(),
      client_id: DESKTOP,
    });
    expect(answer.body.error).toBe('unauthorized_client');
  });

  it('an actor token, a refresh token or garbage is no subject (TX4, TX20, X4)', async () => {
    const authorized = await authorize(t);
    const redeemed = await redeem(t, authorized);
    for (const subject of [
      await actorToken(t),
      redeemed.body.refresh_token,
      redeemed.body.id_token ?? 'x',
      'a.b.c',
    ]) {
      const answer = await exchange(AGENT, { subject_token: String(subject) });
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
    }
  });
});
