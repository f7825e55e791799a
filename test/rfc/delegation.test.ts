import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import { endConsent, endGrant } from '../../src/broker/delegation/ends.js';
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
import { narrow } from '../support/narrow.js';
import { usedEarlier } from '../support/used-earlier.js';
import {
  AGENT,
  ANA,
  BEN,
  CALLBACK,
  DESKTOP,
  FILES,
  FILES_CLIENT,
  HOST,
  LOOPBACK,
  NOTES,
  OTHER_AGENT,
  STRANGER,
} from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const introspect = async (token: string, as = FILES_CLIENT) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, as))).body;

const lastEvent = async (type: string) =>
  (
    await t.opened.db.run<{ detail: Record<string, unknown> }>(
      'select detail from audit_events where type = $1 order by id desc limit 1',
      [type],
    )
  )[0]?.detail;

describe('DESIGN §8a on behalf of a user', () => {
  it('walks from /authorize to a token that names user, agent and client (OB18, DESIGN §3, §4)', async () => {
    const authorized = await authorize(t);
    expect(authorized.callback.origin + authorized.callback.pathname).toBe(CALLBACK);
    expect(authorized.callback.searchParams.get('state')).toBe('the-state');
    expect(authorized.callback.searchParams.get('iss')).toBe(t.issuer);
    const answer = await redeem(t, authorized);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      expires_in: 300,
      refresh_token: expect.any(String),
      scope: 'files:list files:read files:write',
      token_type: 'Bearer',
    });
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
      actor_proof: 'token',
      jti: expect.stringMatching(/^cns_[\w-]{20}\.gnt_[\w-]{20}\.[\w-]{16}$/),
      auth_time: expect.any(Number),
      acr: 'urn:behalf:acr:password',
      iat: expect.any(Number),
      exp: (claims.iat as number) + 300,
    });
    // Introspection returns the same members (DESIGN §3, IN2).
    expect(await introspect(answer.body.access_token)).toEqual({
      active: true,
      token_type: 'Bearer',
      ...claims,
    });
  });

  it('asks again for another agent: a consent for A never serves B (OB6)', async () => {
    const { browser } = await authorize(t);
    const { challenge } = pkce();
    const again = await browser.open(
      authorizeUrl(t, challenge, { requested_actor: OTHER_AGENT, scope: 'files:read' }),
    );
    expect(again.url).toContain('/interaction/');
    const silent = await browser.open(
      authorizeUrl(t, challenge, {
        requested_actor: OTHER_AGENT,
        scope: 'files:read',
        prompt: 'none',
      }),
    );
    expect(new URL(silent.url).searchParams.get('error')).toBe('consent_required');
    const plain = await browser.open(
      authorizeUrl(t, challenge, { requested_actor: undefined, prompt: 'none' }),
    );
    expect(new URL(plain.url).searchParams.get('error')).toBe('consent_required');
  });

  it('reuses a covering consent in silence with a fresh grant, and asks when more is asked (DESIGN §7)', async () => {
    const first = await authorize(t, {
      params: { requested_actor: OTHER_AGENT, scope: 'files:list' },
    });
    const { challenge, verifier } = pkce();
    const url = authorizeUrl(t, challenge, { requested_actor: OTHER_AGENT, scope: 'files:list' });
    const second = new URL((await first.browser.open(url)).url);
    expect(second.searchParams.get('code')).toBeTruthy();
    const more = await first.browser.open(
      authorizeUrl(t, challenge, { requested_actor: OTHER_AGENT, scope: 'files:read' }),
    );
    expect(more.url).toContain('/interaction/');
    const one = await redeem(t, first, { actor_token: await actorToken(t, OTHER_AGENT) });
    const two = await redeem(
      t,
      { code: second.searchParams.get('code') as string, verifier },
      { actor_token: await actorToken(t, OTHER_AGENT) },
    );
    const [consentOne, grantOne] = (claimsOf(one.body.access_token).jti as string).split('.');
    const [consentTwo, grantTwo] = (claimsOf(two.body.access_token).jti as string).split('.');
    expect(consentTwo).toBe(consentOne);
    expect(grantTwo).not.toBe(grantOne);
  });

  it('never reuses a consent in silence for a public client with a loopback redirect (DESIGN §7, K12, I9)', async () => {
    const params = { client_id: DESKTOP, redirect_uri: LOOPBACK };
    const first = await authorize(t, { params });
    expect(first.code).not.toBe('');
    const { challenge } = pkce();
    expect((await first.browser.open(authorizeUrl(t, challenge, params))).url).toContain(
      '/interaction/',
    );
    const silent = await first.browser.open(
      authorizeUrl(t, challenge, { ...params, prompt: 'none' }),
    );
    expect(new URL(silent.url).searchParams.get('error')).toBe('consent_required');
  });

  it('grants only what was ticked (OB8)', async () => {
    const authorized = await authorize(t, {
      params: { prompt: 'consent' },
      visitor: { scopes: ['files:list'] },
    });
    const answer = await redeem(t, authorized);
    expect(answer.body.scope).toBe('files:list');
    // What the agent may ever hold is told apart from what was granted.
    expect(claimsOf(answer.body.access_token).agent_scope).toBe(
      'files:list files:read files:write',
    );
  });

  it('grants nothing that was not shown, whatever is posted (I7)', async () => {
    const authorized = await authorize(t, {
      params: { prompt: 'consent', scope: 'files:list' },
      visitor: { scopes: ['files:list', 'files:write', 'files:delete', 'admin:quota'] },
    });
    expect((await redeem(t, authorized)).body.scope).toBe('files:list');
  });

  it('gives what is left of user ∩ agent: the agent may not delete (D8)', async () => {
    const authorized = await authorize(t, {
      params: { prompt: 'consent', scope: 'files:read files:delete' },
      visitor: { scopes: ['files:read', 'files:list', 'files:delete'] },
    });
    expect((await redeem(t, authorized)).body.scope).toBe('files:list files:read');
  });

  it('sends access_denied when the user says no', async () => {
    const { callback } = await authorize(t, {
      params: { prompt: 'consent' },
      visitor: { decision: 'deny' },
    });
    expect(Object.fromEntries(callback.searchParams)).toEqual({
      error: 'access_denied',
      error_description: 'the user did not allow it',
      state: 'the-state',
      iss: t.issuer,
    });
  });

  it('works through /par, and the front channel cannot change what was pushed (PA1, PA3, PA5, OB21, D2)', async () => {
    const { challenge, verifier } = pkce();
    const pushed = await postForm(
      `${t.issuer}/par`,
      {
        response_type: 'code',
        client_id: HOST,
        redirect_uri: CALLBACK,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        resource: FILES,
        scope: 'files:list',
        requested_actor: AGENT,
        prompt: 'consent',
      },
      authFor(t, HOST),
    );
    expect([pushed.status, pushed.body]).toEqual([
      201,
      { request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:/), expires_in: 60 },
    ]);
    const browser = createBrowserless(t.issuer);
    const query = {
      client_id: HOST,
      request_uri: pushed.body.request_uri,
      requested_actor: OTHER_AGENT,
      scope: 'files:write',
    };
    const url = `${t.issuer}/authorize?${new URLSearchParams(query)}`;
    const { walkPages } = await import('../../examples/demo/walk-pages.js');
    const callback = await walkPages(browser, url, ANA);
    const answer = await redeem(t, { code: callback.searchParams.get('code') ?? '', verifier });
    expect(answer.body.scope).toBe('files:list');
    expect(claimsOf(answer.body.access_token).act).toMatchObject({ sub: AGENT });
    // PA1: once.
    const reused = await browser.open(url);
    expect(reused.status).toBe(400);
    expect(reused.url).toContain(t.issuer);
  });

  it.each([
    [
      'a request_uri inside the push (PA2)',
      { request_uri: 'urn:ietf:params:oauth:request_uri:x' },
      'invalid_request',
    ],
    [
      'an unknown actor, like a foreign one (PA3, D1)',
      { requested_actor: 'agt_nobody' },
      'invalid_request',
    ],
    ['an unknown resource (PA3, RI1)', { resource: 'https://nowhere.example' }, 'invalid_target'],
  ])('refuses at /par %s', async (_name, more, error) => {
    const { challenge } = pkce();
    const answer = await postForm(
      `${t.issuer}/par`,
      {
        response_type: 'code',
        client_id: HOST,
        redirect_uri: CALLBACK,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        resource: FILES,
        requested_actor: AGENT,
        ...more,
      },
      authFor(t, HOST),
    );
    expect([answer.status, answer.body.error]).toEqual([400, error]);
  });
});

describe('OBO §1.1 requested_actor', () => {
  const errorOf = async (
    params: Record<string, string | undefined>,
    client = HOST,
    redirect = CALLBACK,
  ) => {
    const { challenge } = pkce();
    const page = await createBrowserless(t.issuer).open(
      authorizeUrl(t, challenge, { client_id: client, redirect_uri: redirect, ...params }),
    );
    return Object.fromEntries(new URL(page.url).searchParams);
  };
  const refused = {
    error: 'invalid_request',
    error_description: 'requested_actor is not an agent that this client may act through',
    state: 'the-state',
  };

  it('answers unknown, foreign and blocked agents alike, at the redirect URI with state and iss, before any page (OB1, D1)', async () => {
    await t.opened.db.run(
      `insert into agents (id, name, owner, auth, status, clients) values ('agt_blocked', 'B', 'o', 'client_secret_basic', 'blocked', '{cli_host}')`,
    );
    for (const [params, client, redirect] of [
      [{ requested_actor: 'agt_nobody' }, HOST, CALLBACK],
      [{ requested_actor: 'agt_blocked' }, HOST, CALLBACK],
      [{ requested_actor: AGENT }, STRANGER, 'https://stranger.example/cb'],
      [{ requested_actor: ANA.id }, HOST, CALLBACK],
      [{ requested_actor: HOST }, HOST, CALLBACK],
    ] as const) {
      expect(await errorOf(params, client, redirect)).toEqual({ ...refused, iss: t.issuer });
    }
    expect(await lastEvent('request.refused')).toMatchObject({
      code: 'invalid_request',
      reason: 'unknown_actor',
    });
  });

  it('refuses it empty (OB2)', async () => {
    expect(await errorOf({ requested_actor: '' })).toMatchObject({ error: 'invalid_request' });
  });

  it('refuses it twice (OB2, A10)', async () => {
    const { challenge } = pkce();
    const url = `${authorizeUrl(t, challenge)}&requested_actor=${OTHER_AGENT}`;
    const page = await createBrowserless(t.issuer).open(url);
    expect(new URL(page.url).searchParams.get('error')).toBe('invalid_request');
  });

  it('refuses it without a resource, and two resources at once (RI1, DESIGN §2)', async () => {
    expect(await errorOf({ resource: undefined })).toMatchObject({ error: 'invalid_target' });
    const { challenge } = pkce();
    const page = await createBrowserless(t.issuer).open(
      `${authorizeUrl(t, challenge)}&resource=${encodeURIComponent(NOTES)}`,
    );
    expect(new URL(page.url).searchParams.get('error')).toBe('invalid_target');
  });

  it('ends a request nobody could grant before any page (D8/D9: empty → invalid_scope)', async () => {
    expect(await errorOf({ scope: 'files:delete' })).toMatchObject({ error: 'invalid_scope' });
    expect(await errorOf({ scope: 'nonsense' })).toMatchObject({ error: 'invalid_scope' });
  });

  it('asks for the base scopes when none is named', async () => {
    const authorized = await authorize(t, { params: { scope: undefined, prompt: 'consent' } });
    expect((await redeem(t, authorized)).body.scope).toBe('files:list files:read');
  });
});

describe('OBO §1.2 the proof of the actor at the token endpoint', () => {
  const refused = {
    error: 'invalid_grant',
    error_description: 'actor_token does not prove the agent this authorization names',
  };

  it('refuses a missing proof, and burns nobody’s code (OB10, OB15)', async () => {
    const authorized = await authorize(t);
    const missing = await redeem(t, authorized, { actor_token: undefined });
    expect([missing.status, missing.body]).toEqual([
      400,
      {
        error: 'invalid_grant',
        error_description: 'this authorization names an agent: send its actor_token',
      },
    ]);
    expect((await redeem(t, authorized)).status).toBe(200);
  });

  it('refuses every token that is not this agent’s own actor token (OB11, OB12, OB13, D3, D5)', async () => {
    const authorized = await authorize(t);
    const delegated = (await redeem(t, await authorize(t))).body.access_token as string;
    const own = await actorToken(t);
    const forResource = (
      await postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES })
    ).body.access_token;
    const { privateKey } = await generateKeyPair('ES256');
    const forged = await new SignJWT(claimsOf(own))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'x' })
      .sign(privateKey);
    const [header, payload, signature] = own.split('.') as [string, string, string];
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`;
    const flipped = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const cases: Record<string, string> = {
      garbage: 'garbage',
      'another agent’s': await actorToken(t, OTHER_AGENT),
      'a token for a resource': forResource,
      'a token that carries act': delegated,
      'signed by someone else': forged,
      unsigned: none,
      'a broken signature': flipped,
      'the client secret': t.secrets[AGENT] as string,
    };
    for (const [name, token] of Object.entries(cases)) {
      const answer = await redeem(t, authorized, { actor_token: token });
      expect([name, answer.status, answer.body]).toEqual([name, 400, refused]);
    }
    expect((await redeem(t, authorized)).status).toBe(200);
  });

  it('accepts an actor token once (OB15, D6)', async () => {
    const proof = await actorToken(t);
    expect((await redeem(t, await authorize(t), { actor_token: proof })).status).toBe(200);
    const again = await redeem(t, await authorize(t), { actor_token: proof });
    expect([again.status, again.body]).toEqual([400, refused]);
  });

  it('accepts actor_token_type when it is an access token, refuses another (OB16)', async () => {
    const authorized = await authorize(t);
    const type = (name: string) => ({
      actor_token_type: `urn:ietf:params:oauth:token-type:${name}`,
    });
    expect((await redeem(t, authorized, type('saml2'))).body.error).toBe('invalid_request');
    expect((await redeem(t, authorized, type('access_token'))).status).toBe(200);
  });

  it('refuses an actor token for a code without an actor (OB14)', async () => {
    const authorized = await authorize(t, { params: { requested_actor: undefined } });
    expect((await redeem(t, authorized)).body).toEqual({
      error: 'invalid_grant',
      error_description: 'this authorization names no agent: send no actor_token',
    });
    const plain = await redeem(t, authorized, { actor_token: undefined });
    expect(plain.status).toBe(200);
    // DESIGN §8d: an ordinary client; no act, no agent_scope.
    const claims = claimsOf(plain.body.access_token);
    expect(Object.keys(claims).sort()).toEqual(
      [
        'acr',
        'aud',
        'auth_time',
        'client_id',
        'exp',
        'iat',
        'iss',
        'jti',
        'scope',
        'sub',
        'sub_profile',
      ].sort(),
    );
  });

  it('refuses a second actor_token parameter (A10)', async () => {
    const authorized = await authorize(t);
    const answer = await postToken(t, HOST, {
      grant_type: 'authorization_code',
      code: authorized.code,
      code_verifier: authorized.verifier,
      redirect_uri: CALLBACK,
      actor_token: [await actorToken(t), await actorToken(t)],
    });
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });
});

describe('refresh (OB20, DESIGN §8a 6)', () => {
  const refresh = (token: string, more: Record<string, string> = {}) =>
    postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token, ...more });

  it('keeps act, rotates, and may narrow but not widen', async () => {
    const first = (await redeem(t, await authorize(t))).body;
    const second = await refresh(first.refresh_token);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first.refresh_token);
    expect(claimsOf(second.body.access_token).act).toEqual({
      sub: AGENT,
      iss: t.issuer,
      sub_profile: 'ai_agent',
    });
    const narrow = await refresh(second.body.refresh_token, { scope: 'files:list' });
    expect(narrow.body.scope).toBe('files:list');
    const wide = await refresh(narrow.body.refresh_token, { scope: 'files:write admin:quota' });
    expect(wide.body.error).toBe('invalid_scope');
    const elsewhere = await refresh(narrow.body.refresh_token, { resource: NOTES });
    expect(elsewhere.body.error).toBe('invalid_target');
  });

  it('ends the family when a refresh token comes back whose successor was used (R1, RV11)', async () => {
    const first = (await redeem(t, await authorize(t))).body;
    const { refresh_token } = (await refresh(first.refresh_token)).body;
    const second = (await refresh(refresh_token)).body;
    expect((await refresh(first.refresh_token)).body.error).toBe('invalid_grant');
    expect((await refresh(second.refresh_token)).body.error).toBe('invalid_grant');
    expect(await introspect(second.access_token)).toEqual({ active: false });
  });

  it('takes away at once what the agent may no longer hold, and never gives it back (OB20)', async () => {
    // Ana unticked one of these above, and the page remembers: she ticks them again.
    const visitor = { scopes: ['files:list', 'files:read', 'files:write'] };
    const params = { prompt: 'consent' };
    const first = (await redeem(t, await authorize(t, { params, visitor }))).body;
    const set = (scopes: string) =>
      narrow(t.opened.db, async () => {
        await t.opened.db.run(`update permissions set scopes = $1::text[] where principal = $2`, [
          scopes,
          AGENT,
        ]);
        return { stops: [], result: undefined };
      });
    await set('{files:list}');
    const narrowed = await refresh(first.refresh_token);
    expect(narrowed.body.scope).toBe('files:list');
    expect(claimsOf(narrowed.body.access_token).agent_scope).toBe('files:list');
    await set('{files:write}');
    expect((await refresh(narrowed.body.refresh_token)).body.scope).toBe(
      'files:list files:read files:write',
    );
  });

  it('asks for a fresh proof when the credential behind the last one was removed', async () => {
    const first = (await redeem(t, await authorize(t))).body;
    await t.opened.db.run(`insert into credentials (id, principal, kind, secret_hash)
      select 'crd_second', principal, kind, secret_hash from credentials where id = 'crd_helper'`);
    await narrow(t.opened.db, async (tx) => {
      const { credentials } = await import('../../schema/index.js');
      const { eq } = await import('drizzle-orm');
      await tx
        .update(credentials)
        .set({ removedAt: new Date() })
        .where(eq(credentials.id, 'crd_helper'));
      return {
        stops: [{ key: 'crd_helper', always: true, reason: 'rotated', by: 'admin' }],
        result: undefined,
      };
    });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const refused = await refresh(first.refresh_token);
    expect(refused.body).toEqual({
      error: 'invalid_grant',
      error_description: 'this authorization names an agent: send its actor_token',
    });
    const proved = await refresh(first.refresh_token, { actor_token: await actorToken(t) });
    expect(proved.status).toBe(200);
  });
});

describe('stops (DESIGN §6)', () => {
  it('ends refresh and live tokens when a consent is withdrawn (RV3)', async () => {
    const { body } = await redeem(t, await authorize(t));
    const [consent] = (claimsOf(body.access_token).jti as string).split('.');
    expect(await endConsent(t.opened.db, consent as string, 'withdrawn', ANA.id)).toMatchObject({
      consents: 1,
    });
    expect(await introspect(body.access_token)).toEqual({ active: false });
    const again = await postToken(t, HOST, {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
    });
    expect(again.body.error).toBe('invalid_grant');
  });

  it('ends one authorization and leaves its sibling alone', async () => {
    const one = await redeem(t, await authorize(t));
    const two = await redeem(t, await authorize(t));
    const grantOf = (token: string) => (claimsOf(token).jti as string).split('.')[1] as string;
    await endGrant(t.opened.db, grantOf(one.body.access_token), 'test', 'admin');
    expect(await introspect(one.body.access_token)).toEqual({ active: false });
    expect(await introspect(two.body.access_token)).toMatchObject({ active: true });
  });

  it('revokes an access token for its own client only (RFC 7009 §2.1, L6, RV1)', async () => {
    const { body } = await redeem(t, await authorize(t));
    const revoke = (as: string, token: string) =>
      postForm(`${t.issuer}/revoke`, { token }, authFor(t, as));
    expect((await revoke(FILES_CLIENT, body.access_token)).status).toBe(200);
    expect(await introspect(body.access_token)).toMatchObject({ active: true });
    expect((await revoke(HOST, body.access_token)).status).toBe(200);
    expect(await introspect(body.access_token)).toEqual({ active: false });
    expect((await revoke(HOST, 'unknown')).status).toBe(200);
  });

  it('ends the grant when its refresh token is revoked (RFC 7009 §2.1)', async () => {
    const { body } = await redeem(t, await authorize(t));
    const answer = await postForm(
      `${t.issuer}/revoke`,
      { token: body.refresh_token },
      authFor(t, HOST),
    );
    expect(answer.status).toBe(200);
    expect(await introspect(body.access_token)).toEqual({ active: false });
  });

  it('answers inactive for expired, foreign, forged and actor tokens alike (IN1, IN3)', async () => {
    const { body } = await redeem(t, await authorize(t));
    expect(await introspect(body.access_token, 'cli_nightly')).toEqual({ active: false });
    expect(await introspect(`${body.access_token.slice(0, -4)}AAAA`)).toEqual({ active: false });
    expect(await introspect(await actorToken(t))).toEqual({ active: false });
    expect(await introspect(body.refresh_token)).toEqual({ active: false });
  });
});

describe('DESIGN §7 a second decision about the same client, agent and resource', () => {
  const ask = (scope: string, scopes?: string[]) =>
    authorize(t, {
      params: { prompt: 'consent', requested_actor: OTHER_AGENT, scope },
      ...(scopes === undefined ? {} : { visitor: { scopes } }),
    });
  const redeemOther = async (authorized: Awaited<ReturnType<typeof authorize>>) =>
    (await redeem(t, authorized, { actor_token: await actorToken(t, OTHER_AGENT) })).body;

  it('leaves earlier authorizations alone when it asks for less, and is remembered with them', async () => {
    const wide = await redeemOther(await ask('files:read'));
    const small = await redeemOther(await ask('files:list'));
    expect(small.scope).toBe('files:list');
    expect(await introspect(wide.access_token)).toMatchObject({ active: true });
    const [consent, again] = [wide, small].map(
      ({ access_token: token }) => (claimsOf(token).jti as string).split('.')[0],
    );
    expect(again).toBe(consent);
  });

  it('ends them when something that was granted is unticked: it was taken back', async () => {
    const wide = await redeemOther(await ask('files:read'));
    const less = await redeemOther(await ask('files:read', ['files:list']));
    expect(less.scope).toBe('files:list');
    expect(await introspect(wide.access_token)).toEqual({ active: false });
    expect(await introspect(less.access_token)).toMatchObject({ active: true });
  });

  it('shortens them when the new time is shorter: for how long is the latest word', async () => {
    const first = await redeemOther(await ask('files:list'));
    await redeemOther(await ask('files:list'));
    await t.opened.db.run(
      `update consents set expires_at = clock_timestamp() - interval '1 second' where id = $1`,
      [(claimsOf(first.access_token).jti as string).split('.')[0]],
    );
    const refreshed = await postToken(t, HOST, {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
    });
    expect(refreshed.body.error).toBe('invalid_grant');
  });
});

describe('C1 a code used twice', () => {
  it('ends the grant: the tokens of the first use die', async () => {
    const authorized = await authorize(t);
    const first = await redeem(t, authorized);
    expect(first.status).toBe(200);
    await usedEarlier(t.opened.db, first.body);
    const second = await redeem(t, authorized);
    expect([second.status, second.body]).toEqual([
      400,
      { error: 'invalid_grant', error_description: 'this was already used' },
    ]);
    expect(await introspect(first.body.access_token)).toEqual({ active: false });
    expect(await lastEvent('code.replayed')).toMatchObject({ ended: true });
  });

  it('does nothing when another client presents it (C3)', async () => {
    const authorized = await authorize(t);
    const stolen = await postToken(t, 'cli_desktop', {
      grant_type: 'authorization_code',
      client_id: DESKTOP,
      code: authorized.code,
      code_verifier: authorized.verifier,
      redirect_uri: LOOPBACK,
      actor_token: await actorToken(t),
    });
    expect(stolen.body.error).toBe('invalid_grant');
    expect((await redeem(t, authorized)).status).toBe(200);
  });
});

describe('users', () => {
  it('cannot delegate a restricted scope they are not permitted (DESIGN §7)', async () => {
    const browser = createBrowserless(t.issuer);
    const { challenge } = pkce();
    await t.opened.db.run(
      `update permissions set scopes = '{files:write,admin:quota}' where principal = $1`,
      [AGENT],
    );
    await t.opened.db.run('update policy_epoch set epoch = epoch + 1');
    const page = await browser.open(
      authorizeUrl(t, challenge, { scope: 'files:list admin:quota' }),
    );
    const [signIn] = formsOf(page);
    const consent = await browser.submit(signIn as NonNullable<typeof signIn>, {
      email: BEN.email,
      password: BEN.password,
    });
    expect(consent.html).toContain('value="files:list"');
    expect(consent.html).not.toContain('value="admin:quota"');
    await t.opened.db.run(`update permissions set scopes = '{files:write}' where principal = $1`, [
      AGENT,
    ]);
    await t.opened.db.run('update policy_epoch set epoch = epoch + 1');
  });
});
