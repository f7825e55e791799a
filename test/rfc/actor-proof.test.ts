// How the actor of a delegated token is proved (DESIGN §8a, `actor_proof` of §3): by the agent's own
// token, by the agent being the client, by a client bound to the agent; and what a change of the
// binding does to what was given before it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Browserless, createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  AGENT,
  ANA,
  DESKTOP,
  FILES,
  FILES_CLIENT,
  HOST,
  LOOPBACK,
  OTHER_AGENT,
  STRANGER,
} from '../support/world.js';

const OWN_CALLBACK = 'https://helper.example/callback';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const change = async (statement: string, params: readonly unknown[]): Promise<void> => {
  await t.opened.db.run(statement, params);
  await t.opened.db.run('update policy_epoch set epoch = epoch + 1', []);
};
/** The gate notices that the facts are old, and has them read again. */
const noticed = () => actorToken(t, OTHER_AGENT);
const bindUnnoticed = (client: string, agent: string | null) =>
  change('update clients set agent_id = $2 where id = $1', [client, agent]);
const bind = async (client: string, agent: string | null) => {
  await bindUnnoticed(client, agent);
  await noticed();
};

const answerAgentAt = async (...uris: string[]) => {
  await change('update agents set redirect_uris = $2 where id = $1', [AGENT, uris]);
  await noticed();
};

beforeEach(async () => {
  for (const client of [HOST, DESKTOP, STRANGER]) await bind(client, null);
  await answerAgentAt(OWN_CALLBACK);
});

/** As a client that has never heard of agents: no parameter of ours anywhere. */
const unchanged = { requested_actor: undefined, prompt: 'consent' };
const walk = (params: Record<string, string | undefined> = {}) =>
  authorize(t, { params: { ...unchanged, ...params } });
const asDesktop = { client_id: DESKTOP, redirect_uri: LOOPBACK };
const asAgent = { client_id: AGENT, redirect_uri: OWN_CALLBACK };

const refresh = (client: string, token: string, more: Record<string, string> = {}) =>
  postToken(t, client, {
    grant_type: 'refresh_token',
    refresh_token: token,
    ...(client === DESKTOP ? { client_id: DESKTOP } : {}),
    ...more,
  });

const errorAtRedirect = async (params: Record<string, string | undefined>) => {
  const page = await createBrowserless(t.issuer).open(authorizeUrl(t, pkce().challenge, params));
  return Object.fromEntries(new URL(page.url).searchParams);
};
const NO_ACTOR = {
  error: 'invalid_request',
  error_description: 'requested_actor is not an agent that this client may act through',
  state: 'the-state',
};

const introspect = async (token: string) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body;
/** As Ana, as far as the consent page. */
const signIn = async (browser: Browserless, url: string) => {
  const [form] = formsOf(await browser.open(url));
  const { email, password } = ANA;
  return browser.submit(form as NonNullable<typeof form>, { email, password });
};
const grantOf = async (token: string) => {
  const id = (claimsOf(token).jti as string).split('.')[1];
  const [row] = await t.opened.db.run<Record<string, unknown>>(
    'select actor_proof, actor_credential_id, ended_at is not null as ended, ended_reason from grants where id = $1',
    [id],
  );
  return row;
};

const ENDED = {
  error: 'invalid_grant',
  error_description: 'the authorization has ended: start a new one',
};

describe('a confidential client bound to an agent (client_binding)', () => {
  it('gets act without any parameter of ours; the page names the agent, and the grant remembers the proof', async () => {
    await bind(HOST, AGENT);
    const browser = createBrowserless(t.issuer);
    const { challenge, verifier } = pkce();
    const page = await signIn(browser, authorizeUrl(t, challenge, unchanged));
    expect(page.html).toContain('Helper');
    expect(page.html).toContain('Example Ops');
    const decision = formsOf(page).find(({ action }) => action.endsWith('/decision'));
    const { url } = await browser.submit(decision as NonNullable<typeof decision>, {
      decision: 'allow',
    });
    const code = new URL(url).searchParams.get('code') ?? '';
    const answer = await redeem(t, { code, verifier }, { actor_token: undefined });
    expect(answer.status).toBe(200);
    const claims = claimsOf(answer.body.access_token);
    expect(claims).toEqual({
      iss: t.issuer,
      aud: FILES,
      sub: ANA.id,
      sub_profile: 'user',
      client_id: HOST,
      scope: 'files:list files:read files:write',
      agent_scope: 'files:list files:read files:write',
      act: { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
      actor_proof: 'client_binding',
      jti: expect.any(String),
      auth_time: expect.any(Number),
      acr: 'urn:behalf:acr:password',
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(await introspect(answer.body.access_token)).toMatchObject({
      active: true,
      act: { sub: AGENT },
      actor_proof: 'client_binding',
    });
    expect(await grantOf(answer.body.access_token)).toEqual({
      actor_proof: 'client_binding',
      actor_credential_id: null,
      ended: false,
      ended_reason: null,
    });
  });

  it('need not be on the agent’s list: an operator bound it; unbound it may not front', async () => {
    await bind(STRANGER, AGENT);
    const params = { client_id: STRANGER, redirect_uri: 'https://stranger.example/cb' };
    expect((await walk(params)).code).not.toBe('');
    await bind(STRANGER, null);
    const refused = await errorAtRedirect({ ...params, requested_actor: AGENT });
    expect(refused).toEqual({ ...NO_ACTOR, iss: t.issuer });
  });

  it('may name its own agent, and no other, though another accepts it (the one answer of D1)', async () => {
    await bind(HOST, AGENT);
    expect((await walk({ requested_actor: AGENT })).code).not.toBe('');
    const refused = { ...NO_ACTOR, iss: t.issuer };
    expect(await errorAtRedirect({ requested_actor: OTHER_AGENT })).toEqual(refused);
    expect(await errorAtRedirect({ requested_actor: 'agt_nobody' })).toEqual(refused);
    await bind(HOST, 'agt_nobody');
    expect(await errorAtRedirect(unchanged)).toEqual(refused);
  });

  it('may send an actor_token of that agent, which is then the proof; another agent’s is refused and burns nothing', async () => {
    await bind(HOST, AGENT);
    const authorized = await walk();
    const foreign = await redeem(t, authorized, { actor_token: await actorToken(t, OTHER_AGENT) });
    expect([foreign.status, foreign.body]).toEqual([
      400,
      {
        error: 'invalid_grant',
        error_description: 'actor_token does not prove the agent this authorization names',
      },
    ]);
    const answer = await redeem(t, authorized);
    expect(claimsOf(answer.body.access_token).actor_proof).toBe('token');
    expect(await grantOf(answer.body.access_token)).toMatchObject({
      actor_proof: 'token',
      actor_credential_id: 'crd_helper',
    });
  });

  it('keeps its kind of proof when it refreshes', async () => {
    await bind(HOST, AGENT);
    const first = await redeem(t, await walk(), { actor_token: undefined });
    const second = await refresh(HOST, first.body.refresh_token);
    expect(claimsOf(second.body.access_token)).toMatchObject({
      act: { sub: AGENT },
      actor_proof: 'client_binding',
    });
    const third = await refresh(HOST, second.body.refresh_token, {
      actor_token: await actorToken(t),
    });
    expect(claimsOf(third.body.access_token).actor_proof).toBe('token');
  });

  it('acts for nobody where there is no resource: an identity has no actor', async () => {
    await bind(HOST, AGENT);
    const authorized = await walk({ scope: 'openid', resource: undefined });
    const answer = await redeem(t, authorized, { actor_token: undefined });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual([
      'access_token',
      'expires_in',
      'id_token',
      'refresh_token',
      'scope',
      'token_type',
    ]);
    expect(claimsOf(answer.body.id_token).act).toBeUndefined();
  });
});

describe('a binding that changes (DESIGN §8a: re-checked, and the grant does not survive)', () => {
  it.each([
    ['removed', null],
    ['given to another agent', OTHER_AGENT],
  ])('refuses a refresh once it is %s, and ends the grant for good', async (_name, agent) => {
    await bind(HOST, AGENT);
    const first = await redeem(t, await walk(), { actor_token: undefined });
    await bind(HOST, agent);
    const refused = await refresh(HOST, first.body.refresh_token);
    expect([refused.status, refused.body]).toEqual([400, ENDED]);
    expect(await grantOf(first.body.access_token)).toMatchObject({
      ended: true,
      ended_reason: 'actor_binding_changed',
    });
    expect(await introspect(first.body.access_token)).toEqual({ active: false });
    await bind(HOST, AGENT);
    expect((await refresh(HOST, first.body.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('refuses a refresh even with a fresh actor_token, once it is removed', async () => {
    await bind(HOST, AGENT);
    const first = await redeem(t, await walk(), { actor_token: undefined });
    await bind(HOST, null);
    const refused = await refresh(HOST, first.body.refresh_token, {
      actor_token: await actorToken(t),
    });
    expect([refused.status, refused.body]).toEqual([400, ENDED]);
  });

  it('refuses the code when it changed between consent and redemption', async () => {
    await bind(HOST, AGENT);
    const given = await walk();
    await bind(HOST, OTHER_AGENT);
    const elsewhere = await redeem(t, given, { actor_token: undefined });
    expect([elsewhere.status, elsewhere.body]).toEqual([400, ENDED]);

    await bind(HOST, AGENT);
    const another = await walk();
    await bind(HOST, null);
    const unproved = await redeem(t, another, { actor_token: undefined });
    expect([unproved.status, unproved.body]).toEqual([
      400,
      {
        error: 'invalid_grant',
        error_description: 'this authorization names an agent: send its actor_token',
      },
    ]);
  });

  it('refuses at the gate what was decided on facts of a moment ago', async () => {
    await bind(HOST, AGENT);
    const given = await walk();
    await bindUnnoticed(HOST, null);
    const refused = await redeem(t, given, { actor_token: undefined });
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
  });

  it('asks again when it changed while the page was open', async () => {
    await bind(HOST, AGENT);
    const browser = createBrowserless(t.issuer);
    const page = await signIn(browser, authorizeUrl(t, pkce().challenge, unchanged));
    await bind(HOST, OTHER_AGENT);
    const decision = formsOf(page).find(({ action }) => action.endsWith('/decision'));
    const next = await browser.submit(decision as NonNullable<typeof decision>, {
      decision: 'allow',
    });
    expect(next.url).not.toContain('code=');
  });

  it('ends what the client was given alone, before it was bound: it acts as the agent now, or not at all', async () => {
    const plain = await redeem(t, await walk(), { actor_token: undefined });
    expect(claimsOf(plain.body.access_token).act).toBeUndefined();
    await bind(HOST, AGENT);
    const refused = await refresh(HOST, plain.body.refresh_token);
    expect([refused.status, refused.body]).toEqual([400, ENDED]);
  });

  it('does not touch a grant that an actor_token proved: its proof stands without the binding', async () => {
    await bind(HOST, AGENT);
    const first = await redeem(t, await walk());
    await bind(HOST, null);
    const second = await refresh(HOST, first.body.refresh_token);
    expect(claimsOf(second.body.access_token).actor_proof).toBe('token');
  });
});

describe('a public client bound to an agent (none)', () => {
  it('says that nobody was proved, and a verifier refuses that unless told otherwise (VF4)', async () => {
    await bind(DESKTOP, AGENT);
    const fields = { actor_token: undefined, client_id: DESKTOP, redirect_uri: LOOPBACK };
    const answer = await redeem(t, await walk(asDesktop), fields, DESKTOP);
    expect(answer.status).toBe(200);
    const token = answer.body.access_token;
    expect(claimsOf(token)).toMatchObject({ act: { sub: AGENT }, actor_proof: 'none' });
    const verifierWith = (acceptUnprovedActors: boolean) =>
      createVerifier({
        issuer: t.issuer,
        resource: FILES,
        acceptUnprovedActors,
        revocation: 'off',
      });
    await expect(verifierWith(false).verify(token)).rejects.toMatchObject({
      reason: 'actor_unproved',
    });
    expect((await verifierWith(true).verify(token)).actorProof).toBe('none');
    const again = await refresh(DESKTOP, answer.body.refresh_token);
    expect(claimsOf(again.body.access_token).actor_proof).toBe('none');
  });

  it('is proved like anyone by the agent’s own token', async () => {
    await bind(DESKTOP, AGENT);
    const fields = { client_id: DESKTOP, redirect_uri: LOOPBACK };
    const answer = await redeem(t, await walk(asDesktop), fields, DESKTOP);
    expect(claimsOf(answer.body.access_token).actor_proof).toBe('token');
  });
});

describe('an agent that is itself the OAuth client (client_auth)', () => {
  const redeemAsAgent = (authorized: { code: string; verifier: string }, more = {}) =>
    redeem(t, authorized, { actor_token: undefined, redirect_uri: OWN_CALLBACK, ...more }, AGENT);

  it('acts as itself, proved by its own authentication, through redemption and refresh', async () => {
    const authorized = await walk(asAgent);
    expect(authorized.callback.origin).toBe('https://helper.example');
    const answer = await redeemAsAgent(authorized);
    expect(answer.status).toBe(200);
    const expected = {
      sub: ANA.id,
      client_id: AGENT,
      act: { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
      actor_proof: 'client_auth',
    };
    expect(claimsOf(answer.body.access_token)).toMatchObject(expected);
    const again = await refresh(AGENT, answer.body.refresh_token);
    expect(claimsOf(again.body.access_token)).toMatchObject(expected);
  });

  it('cannot ask for another agent, nor redeem without its secret', async () => {
    const refused = { ...NO_ACTOR, iss: t.issuer };
    expect(await errorAtRedirect({ ...asAgent, requested_actor: OTHER_AGENT })).toEqual(refused);
    const authorized = await walk(asAgent);
    const fields = {
      grant_type: 'authorization_code',
      code: authorized.code,
      code_verifier: authorized.verifier,
      redirect_uri: OWN_CALLBACK,
      client_id: AGENT,
    };
    const anonymous = await postForm(`${t.issuer}/token`, fields);
    expect([anonymous.status, anonymous.body.error]).toEqual([401, 'invalid_client']);
    expect((await redeemAsAgent(authorized)).status).toBe(200);
  });

  it('still asks for tokens of its own, and one without redirect URIs is no client of the code flow', async () => {
    const own = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource: FILES,
      scope: 'files:read',
    });
    expect(claimsOf(own.body.access_token)).toMatchObject({ sub: AGENT, client_id: AGENT });
    await answerAgentAt();
    const page = await createBrowserless(t.issuer).open(
      authorizeUrl(t, pkce().challenge, { ...unchanged, ...asAgent }),
    );
    expect([page.status, new URL(page.url).origin]).toEqual([400, t.issuer]);
  });
});

it('an unbound client still needs the agent’s token (OB11), whatever its list', async () => {
  const authorized = await authorize(t, { params: { prompt: 'consent' } });
  const unproved = await redeem(t, authorized, { actor_token: undefined });
  expect([unproved.status, unproved.body.error]).toEqual([400, 'invalid_grant']);
  expect((await redeem(t, authorized)).status).toBe(200);
});
