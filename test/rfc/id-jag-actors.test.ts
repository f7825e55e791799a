// `act` in an identity assertion, under the actor profile (draft-mcguinness-oauth-actor-profile): it names
// an agent of ours, which is proved, or it is refused; and what comes of the token afterwards.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { visit } from '../me/support.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  type Answer,
  actorToken,
  claimsOf,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { createIdp, IDP, nowSeconds } from '../support/idp.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, ANA, FILES, HOST, OTHER_AGENT } from '../support/world.js';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const PROFILE = 'urn:ietf:params:oauth:grant-profile:';
const idp = createIdp(IDP);
let t: TestBroker;
beforeAll(async () => {
  const config = { assertionGrant: true, exchangeErrors: 'actor-profile' } as const;
  t = await startTestBroker({ config });
  await change('POST', '/trusted-issuers', {
    issuer: IDP,
    name: 'Example Corp',
    purposes: ['id_jag'],
    jwks: idp.jwks,
    rules: { id_jag: { resources: [{ resource: FILES }], clients: [HOST, AGENT] } },
  });
  await change('POST', `/users/${ANA.id}/identities`, { issuer: IDP, subject: 'ana' });
});
afterAll(() => t.close());

async function change(method: string, path: string, body?: object) {
  const answer = await callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const assertionOf = (act: unknown, client: string) =>
  idp.sign(
    {
      sub: 'ana',
      aud: t.issuer,
      client_id: client,
      jti: randomUUID(),
      iat: nowSeconds(),
      exp: nowSeconds() + 300,
      resource: FILES,
      scope: 'files:write',
      ...(act === undefined ? {} : { act }),
    },
    { typ: 'oauth-id-jag+jwt' },
  );
const give = (act: unknown, fields: Record<string, string> = {}, client = HOST): Promise<Answer> =>
  postToken(t, client, {
    grant_type: JWT_BEARER,
    assertion: assertionOf(act, client),
    ...fields,
  });
const said = ({ status, body }: Answer) =>
  status === 200 ? body.scope : `${status} ${body.error}`;
const WRITE = 'files:list files:read files:write';

describe('an actor that is taken', () => {
  it('proved by its own token: `act`, and the token says how', async () => {
    const proof = { actor_token: await actorToken(t) };
    const { body } = await give({ sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' }, proof);
    expect(claimsOf(body.access_token)).toEqual({
      iss: t.issuer,
      aud: FILES,
      sub: ANA.id,
      sub_profile: 'user',
      client_id: HOST,
      scope: WRITE,
      agent_scope: WRITE,
      act: { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
      actor_proof: 'token',
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
  });

  it('the agent is the client itself: its authentication is the proof', async () => {
    for (const act of [{ sub: AGENT }, undefined]) {
      const { body } = await give(act, {}, AGENT);
      expect(claimsOf(body.access_token)).toMatchObject({
        sub: ANA.id,
        client_id: AGENT,
        act: { sub: AGENT },
        actor_proof: 'client_auth',
      });
    }
  });
});

describe('an actor that is not', () => {
  const rows: readonly (readonly [string, unknown, () => Promise<Record<string, string>>])[] = [
    ['unproved', { sub: AGENT }, async () => ({})],
    [
      'proved by another agent',
      { sub: AGENT },
      async () => ({ actor_token: await actorToken(t, OTHER_AGENT) }),
    ],
    [
      'an agent nobody knows',
      { sub: 'agt_nobody' },
      async () => ({ actor_token: await actorToken(t) }),
    ],
    ['a user', { sub: ANA.id }, async () => ({ actor_token: await actorToken(t) })],
    [
      'of another issuer',
      { sub: AGENT, iss: IDP },
      async () => ({ actor_token: await actorToken(t) }),
    ],
    [
      'with somebody before it',
      { sub: AGENT, act: { sub: OTHER_AGENT } },
      async () => ({ actor_token: await actorToken(t) }),
    ],
    [
      'of another profile',
      { sub: AGENT, sub_profile: 'service' },
      async () => ({ actor_token: await actorToken(t) }),
    ],
    ['a list', [{ sub: AGENT }], async () => ({ actor_token: await actorToken(t) })],
    ['text', AGENT, async () => ({ actor_token: await actorToken(t) })],
    ['null', null, async () => ({ actor_token: await actorToken(t) })],
  ];
  it.each(rows)('%s', async (_what, act, proof) => {
    const good = { actor_token: await actorToken(t) };
    expect(said(await give({ sub: AGENT }, good))).toBe(WRITE);
    expect(said(await give(act, await proof()))).toBe('400 invalid_grant');
  });

  it('one that the client may not front for, or that is blocked', async () => {
    const proof = async () => ({ actor_token: await actorToken(t, OTHER_AGENT) });
    expect(said(await give({ sub: OTHER_AGENT }, await proof()))).toBe('files:list files:read');
    await change('PATCH', `/agents/${OTHER_AGENT}`, { clients: [] });
    expect(said(await give({ sub: OTHER_AGENT }, await proof()))).toBe('400 invalid_grant');
    await change('PATCH', `/agents/${OTHER_AGENT}`, { clients: [HOST] });
    const token = await proof();
    await change('PUT', `/agents/${OTHER_AGENT}/status`, { status: 'blocked', reason: 'a look' });
    expect(said(await give({ sub: OTHER_AGENT }, token))).toBe('400 invalid_grant');
    await change('PUT', `/agents/${OTHER_AGENT}/status`, { status: 'active', reason: 'fine' });
  });

  it('another one than the client is bound to', async () => {
    await change('PATCH', `/clients/${HOST}`, { agent_id: AGENT });
    expect(said(await give({ sub: AGENT }))).toBe(WRITE);
    expect(said(await give({ sub: OTHER_AGENT }))).toBe('400 invalid_grant');
    await change('PATCH', `/clients/${HOST}`, { agent_id: null });
  });
});

describe('afterwards', () => {
  it('no helper takes the work: nobody allowed any', async () => {
    await letTakeWork(t.opened.db);
    const { body } = await give({ sub: AGENT }, { actor_token: await actorToken(t) });
    const taken = await postToken(t, OTHER_AGENT, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect([taken.status, taken.body.error]).toEqual([400, 'actor_unauthorized']);
  });

  it('the user sees what acts for them, and the broker can explain it', async () => {
    const { body } = await give({ sub: AGENT }, { actor_token: await actorToken(t) });
    const { page } = await visit(t, ANA);
    expect(page.html).toContain('Helper');
    const told = await change('POST', '/explain', { of: body.access_token });
    expect([told.state, told.now]).toEqual(['alive', 'allowed']);
  });

  it('ID-JAG §7.2: discovery names both profiles', async () => {
    const response = await fetch(`${t.issuer}/.well-known/openid-configuration`);
    const document = (await response.json()) as Record<string, unknown>;
    expect(document.authorization_grant_profiles_supported).toEqual([
      `${PROFILE}actor-profile`,
      `${PROFILE}id-jag`,
    ]);
  });
});
