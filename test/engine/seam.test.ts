// DESIGN §9 rules 1 and 4: what the engine must have been told, and what must stay off. Each test
// fails when its line of configuration, or the guard, is taken away.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import {
  createBrokerProvider,
  type GrantHandler,
} from '../../src/broker/provider/broker-provider.js';
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
import { AGENT, ANA, DESKTOP, HOST, LOOPBACK, OTHER_AGENT } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const discovery = async () =>
  (await fetch(`${t.issuer}/.well-known/openid-configuration`)).json() as Promise<
    Record<string, unknown>
  >;

describe('§9.1 the boot guard', () => {
  const wrap = (wrapped: string[]) => ({
    wrap: (inner: GrantHandler) => {
      wrapped.push(typeof inner);
      return inner;
    },
    parameters: ['actor_token'],
  });
  const issuer = 'https://broker.example';
  // Enough for the engine not to warn of what it would make up.
  const setup = {
    adapter: (() => ({})) as never,
    jwks: {
      keys: [
        generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
      ],
    } as never,
    features: { devInteractions: { enabled: false } },
  };

  it('wraps the handlers that the engine registers itself', () => {
    const wrapped: string[] = [];
    createBrokerProvider(issuer, setup, {
      authorization_code: wrap(wrapped),
      refresh_token: wrap(wrapped),
    });
    expect(wrapped).toEqual(['function', 'function']);
  });

  it.each([
    ['of another name', 'authorization-code'],
    ['that is not on', 'urn:ietf:params:oauth:grant-type:device_code'],
    ['of an inherited name', 'toString'],
  ])('refuses to exist when an expected grant %s was not registered', (_name, missed) => {
    expect(() =>
      createBrokerProvider(issuer, setup, { authorization_code: wrap([]), [missed]: wrap([]) }),
    ).toThrow(`the engine did not register ${missed} through registerGrantType`);
  });
});

describe('§9.1 no grant through which requested_actor could slip past the proof', () => {
  it('offers four grants', async () => {
    expect((await discovery()).grant_types_supported).toEqual([
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ]);
  });

  it.each([
    ['/device/auth', 'device_authorization_endpoint'],
    ['/device', 'device_authorization_endpoint'],
    ['/backchannel', 'backchannel_authentication_endpoint'],
    ['/challenge', 'pre_authorization_challenge_endpoint'],
    // Its own; ours is `/register`.
    ['/reg', 'registration_management_endpoint'],
  ])('has no %s, and no %s', async (path, member) => {
    const answer = await postForm(
      `${t.issuer}${path}`,
      { client_id: HOST, requested_actor: AGENT, scope: 'openid' },
      authFor(t, HOST),
    );
    expect(answer.status).toBe(404);
    expect(await discovery()).not.toHaveProperty(member);
    // The nearest endpoint that is there.
    expect(
      (await postForm(`${t.issuer}/par`, { requested_actor: AGENT }, authFor(t, HOST))).status,
    ).toBe(400);
  });

  it.each([
    'urn:ietf:params:oauth:grant-type:device_code',
    'urn:openid:params:grant-type:ciba',
    'implicit',
    'password',
    'toString',
  ])('refuses grant_type %s', async (grant_type) => {
    const answer = await postToken(t, HOST, {
      grant_type,
      device_code: 'x',
      auth_req_id: 'x',
      username: 'a',
      password: 'b',
    });
    expect([answer.status, answer.body.error]).toEqual([400, 'unsupported_grant_type']);
  });

  it.each([
    '/interaction/x/abort',
    '/interaction/x/login',
    '/interaction/x/confirm',
  ])('has no development page %s (devInteractions)', async (path) => {
    expect((await fetch(`${t.issuer}${path}`)).status).toBe(404);
  });

  it('does not sign anybody in through the engine’s development form (devInteractions)', async () => {
    const page = await createBrowserless(t.issuer).open(authorizeUrl(t, pkce().challenge));
    const answer = await postForm(
      page.url,
      { prompt: 'login', login: ANA.id, password: 'anything' },
      { origin: t.issuer },
    );
    expect([404, 405]).toContain(answer.status);
  });
});

describe('§9.4 OAuth 2.1: code and PKCE S256, for every client', () => {
  const answerTo = async (params: Record<string, string | undefined>) => {
    const page = await createBrowserless(t.issuer).open(authorizeUrl(t, pkce().challenge, params));
    const url = new URL(page.url);
    const answer = new URLSearchParams([
      ...url.searchParams,
      ...new URLSearchParams(url.hash.slice(1)),
    ]);
    return { page: page.url, answer: Object.fromEntries(answer) };
  };
  const clients = [
    ['a confidential client', {}],
    ['a public client', { client_id: DESKTOP, redirect_uri: LOOPBACK }],
  ] as const;

  describe.each(clients)('for %s', (_name, client) => {
    it('goes on with S256', async () => {
      expect((await answerTo(client)).page).toContain('/interaction/');
    });

    it.each([
      ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }],
      ['the method plain', { code_challenge_method: 'plain' }],
      ['no method, which means plain (RFC 7636 §4.3)', { code_challenge_method: undefined }],
      ['a method nobody knows', { code_challenge_method: 'S512' }],
      ['a challenge that is too short', { code_challenge: 'short' }],
    ])('refuses %s (C4)', async (_what, params) => {
      const { answer } = await answerTo({ ...client, ...params });
      expect(answer).toMatchObject({ error: 'invalid_request', state: 'the-state', iss: t.issuer });
      expect(answer).not.toHaveProperty('code');
    });
  });

  it.each([
    'token',
    'id_token',
    'id_token token',
    'code id_token',
    'code token',
    'code id_token token',
    'none',
  ])('refuses response_type %s (A7)', async (response_type) => {
    const { answer } = await answerTo({ response_type, nonce: 'n', scope: 'openid files:write' });
    expect(answer).toMatchObject({ error: 'unsupported_response_type', iss: t.issuer });
    for (const member of ['code', 'access_token', 'id_token'])
      expect(answer).not.toHaveProperty(member);
  });

  it('says so in its metadata', async () => {
    expect(await discovery()).toMatchObject({
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
    });
  });

  it('redeems with the verifier and with no other, which costs nobody the code (C4)', async () => {
    const authorized = await authorize(t);
    for (const [code_verifier, error] of [
      [undefined, 'invalid_grant'],
      [pkce().verifier, 'invalid_grant'],
      [`${authorized.verifier}x`, 'invalid_grant'],
      ['short', 'invalid_request'],
    ] as const) {
      const answer = await redeem(t, authorized, { code_verifier });
      expect([code_verifier, answer.status, answer.body.error]).toEqual([
        code_verifier,
        400,
        error,
      ]);
    }
    expect((await redeem(t, authorized)).status).toBe(200);
  });
});

describe('§9.4 what hangs on a consent does not hang on a browser session', () => {
  const refresh = (token: string) =>
    postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token });
  const other = { requested_actor: OTHER_AGENT, scope: 'files:read' };

  it('gives a refresh token without offline_access, as MCP clients ask for none', async () => {
    const { body } = await redeem(t, await authorize(t));
    expect(body.scope).not.toContain('offline_access');
    expect((await refresh(body.refresh_token)).status).toBe(200);
  });

  it('keeps agent A’s code and refresh token alive when agent B is authorized in the same session', async () => {
    const first = await authorize(t);
    const tokens = (await redeem(t, first)).body;
    const { challenge, verifier } = pkce();
    const waiting = new URL(
      (await first.browser.open(authorizeUrl(t, challenge))).url,
    ).searchParams.get('code') as string;
    const second = await authorize(t, { browser: first.browser, params: other });
    expect(second.code).not.toBe('');
    expect((await redeem(t, { code: waiting, verifier })).status).toBe(200);
    expect((await refresh(tokens.refresh_token)).status).toBe(200);
  });

  it('keeps the agent at work when the user signs out of the browser, and the browser signed out', async () => {
    const { browser, ...authorized } = await authorize(t);
    const { body } = await redeem(t, authorized);
    const again = await browser.open(authorizeUrl(t, pkce().challenge, { prompt: 'none' }));
    expect(new URL(again.url).searchParams.get('code')).not.toBeNull();
    const page = await browser.open('/logout');
    const xsrf = /name="xsrf"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="xsrf"/.exec(page.html);
    const form = {
      action: `${t.issuer}/logout/confirm`,
      fields: new URLSearchParams({ xsrf: xsrf?.[1] ?? xsrf?.[2] ?? '', logout: 'yes' }),
    };
    await browser.submit(form);
    const silent = await browser.open(authorizeUrl(t, pkce().challenge, { prompt: 'none' }));
    expect(new URL(silent.url).searchParams.get('error')).toBe('login_required');
    expect((await refresh(body.refresh_token)).status).toBe(200);
  });

  it('lets a grant live as long as the delegation, and not the engine’s fourteen days', async () => {
    const { body } = await redeem(t, await authorize(t, { params: { prompt: 'consent' } }));
    const grantId = (claimsOf(body.access_token).jti as string).split('.')[1];
    const rows = await t.opened.db.run<{ days: number }>(
      `select extract(epoch from expires_at - clock_timestamp())::float8 / 86400 as days from grants where id = $1
       union all
       select (payload ->> 'exp')::float8 / 86400 - extract(epoch from clock_timestamp())::float8 / 86400
       from artifacts where model = 'Grant' and grant_id = $1`,
      [grantId],
    );
    for (const { days } of rows) expect(Math.round(days * 100) / 100).toBe(30);
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe('§9.1, §9.3 the proof is asked for wherever a code is redeemed', () => {
  it('also when the parameter is misspelt, empty or in the query', async () => {
    const authorized = await authorize(t);
    const proof = await actorToken(t);
    for (const more of [
      { actor_token: undefined, actorToken: proof },
      { actor_token: '' },
      { actor_token: undefined, requested_actor: AGENT },
    ]) {
      const answer = await redeem(t, authorized, more as Record<string, string | undefined>);
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant']);
    }
    expect((await redeem(t, authorized, { actor_token: proof })).status).toBe(200);
  });
});
