// RFC 9101 (JAR), by value, at /authorize and inside /par; and RFC 9126 §6, clients that must push.
// A request object stands for itself: what is beside it is not looked at, and what it lacks is not
// filled in (threats A8, A9, D2, J1–J9, J11, J12).
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactEncrypt,
  CompactSign,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import * as tables from '../../schema/index.js';
import {
  type Answer,
  actorToken,
  authFor,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, CALLBACK, FILES, HOST, NOTES, OTHER_AGENT } from '../support/world.js';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

let t: TestBroker;
const keys: Record<string, { privateKey: PrivateKey; jwk: JWK }> = {};
let stranger: PrivateKey;
beforeAll(async () => {
  t = await startTestBroker();
  for (const alg of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    keys[alg] = { privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid: `k-${alg}` } };
  }
  stranger = (await generateKeyPair('ES256')).privateKey;
  await t.opened.db.orm.insert(tables.credentials).values(
    Object.values(keys).map(({ jwk }) => ({
      id: `crd_${jwk.kid}`,
      principal: HOST,
      kind: 'jwk',
      jwk: jwk as Record<string, unknown>,
    })),
  );
  await noticed();
});
afterAll(() => t.close());

/** Old facts are noticed at the gate, and read again. */
async function noticed(): Promise<void> {
  await t.opened.db.run('update policy_epoch set epoch = epoch + 1', []);
  await actorToken(t);
}

const seconds = () => Math.floor(Date.now() / 1000);

const claimsFor = (challenge: string, more: Record<string, unknown> = {}) => ({
  iss: HOST,
  aud: t.issuer,
  client_id: HOST,
  exp: seconds() + 120,
  response_type: 'code',
  redirect_uri: CALLBACK,
  code_challenge: challenge,
  code_challenge_method: 'S256',
  state: 'inside',
  scope: 'files:list',
  resource: FILES,
  requested_actor: AGENT,
  prompt: 'consent',
  ...more,
});

const sign = (
  claims: Record<string, unknown>,
  {
    alg = 'ES256',
    key = keys[alg]?.privateKey as PrivateKey,
    ...header
  }: { alg?: string; key?: PrivateKey | Uint8Array; [name: string]: unknown } = {},
) =>
  new SignJWT(claims)
    .setProtectedHeader({ typ: 'oauth-authz-req+jwt', kid: `k-${alg}`, ...header, alg })
    .sign(key as PrivateKey);

const byQuery = (params: Record<string, string>) =>
  `${t.issuer}/authorize?${new URLSearchParams({ client_id: HOST, ...params })}`;
const push = (params: Record<string, string>): Promise<Answer> =>
  postForm(`${t.issuer}/par`, { client_id: HOST, ...params }, authFor(t, HOST));

/** Where Ana ends up, and what her client gets for it. */
async function walkThrough(url: string, verifier: string) {
  const callback = await walkPages(createBrowserless(t.issuer), url, ANA);
  const answer = await redeem(t, { code: callback.searchParams.get('code') ?? '', verifier });
  return { callback, answer };
}

/** A refusal at the authorization server itself: no redirect anywhere, no interaction begun. */
async function refusedAtPage(url: string): Promise<string> {
  const page = await createBrowserless(t.issuer).open(url);
  expect([page.status, new URL(page.url).origin]).toEqual([400, t.issuer]);
  return page.html;
}

const lastReason = async () =>
  (
    await t.opened.db.run<{ reason: string }>(
      "select detail ->> 'reason' as reason from audit_events where type = 'request.refused' order by id desc limit 1",
    )
  )[0]?.reason;

describe('RFC 9101 §4, §6: a signed request', () => {
  it.each([
    'ES256',
    'EdDSA',
    'PS256',
    'RS256',
  ])('signed with %s, with requested_actor and resource inside, is what was asked (OB21)', async (alg) => {
    const { challenge, verifier } = pkce();
    const request = await sign(claimsFor(challenge), { alg });
    const { callback, answer } = await walkThrough(byQuery({ request }), verifier);
    expect(callback.searchParams.get('state')).toBe('inside');
    expect(claimsOf(answer.body.access_token)).toMatchObject({
      aud: FILES,
      scope: 'files:list',
      act: { sub: AGENT },
    });
  });

  it('counts alone: parameters beside it are not looked at (§6.3; A9, D2)', async () => {
    const { challenge, verifier } = pkce();
    const { state: _state, ...claims } = claimsFor(challenge);
    const beside = {
      scope: 'files:write',
      resource: NOTES,
      requested_actor: OTHER_AGENT,
      redirect_uri: 'https://evil.example/cb',
      state: 'outside',
      code_challenge: pkce().challenge,
      response_mode: 'form_post',
    };
    const url = byQuery({ request: await sign(claims), ...beside });
    const { callback, answer } = await walkThrough(url, verifier);
    expect(callback.origin + callback.pathname).toBe(CALLBACK);
    expect(callback.searchParams.has('state')).toBe(false);
    expect(claimsOf(answer.body.access_token)).toMatchObject({
      aud: FILES,
      scope: 'files:list',
      act: { sub: AGENT },
    });
  });

  it('is not filled in from beside it: what it lacks is missing (§4)', async () => {
    const { code_challenge: _inside, ...claims } = claimsFor('unused');
    const url = byQuery({ request: await sign(claims), code_challenge: pkce().challenge });
    const page = await createBrowserless(t.issuer).open(url);
    expect(new URL(page.url).searchParams.get('error')).toBe('invalid_request');
  });

  it('may be pushed, and its request_uri is then all there is (RFC 9126 §3, PA1)', async () => {
    const { challenge, verifier } = pkce();
    const request = await sign(claimsFor(challenge));
    const pushed = await push({ request, scope: 'files:write', requested_actor: OTHER_AGENT });
    expect([pushed.status, pushed.body]).toEqual([
      201,
      { request_uri: expect.stringMatching(/^urn:/), expires_in: expect.any(Number) },
    ]);
    const url = byQuery({ request_uri: pushed.body.request_uri, scope: 'files:write' });
    const { answer } = await walkThrough(url, verifier);
    expect(claimsOf(answer.body.access_token)).toMatchObject({
      scope: 'files:list',
      act: { sub: AGENT },
    });
    await refusedAtPage(url);
  });

  it('names an agent the client may act through, or gets the one answer of D1', async () => {
    const { challenge } = pkce();
    for (const requested_actor of ['agt_nobody', ANA.id, HOST]) {
      const request = await sign(claimsFor(challenge, { requested_actor }));
      const page = await createBrowserless(t.issuer).open(byQuery({ request }));
      expect(Object.fromEntries(new URL(page.url).searchParams)).toEqual({
        error: 'invalid_request',
        error_description: 'requested_actor is not an agent that this client may act through',
        state: 'inside',
        iss: t.issuer,
      });
    }
  });
});

/** Each made anew, since a request lives for minutes. */
const UNACCEPTABLE: ReadonlyArray<readonly [string, (challenge: string) => Promise<string>]> = [
  ['unsigned (alg none, J1)', async (c) => new UnsecuredJWT(claimsFor(c)).encode()],
  [
    'signed, its signature taken away (J1)',
    async (c) => `${(await sign(claimsFor(c))).split('.').slice(0, 2).join('.')}.`,
  ],
  [
    'signed with the client’s secret (HS256)',
    async (c) =>
      sign(claimsFor(c), { alg: 'HS256', key: new TextEncoder().encode(t.secrets[HOST] ?? '') }),
  ],
  [
    'signed with the public key as a secret (J2)',
    async (c) =>
      sign(claimsFor(c), {
        alg: 'HS256',
        key: new TextEncoder().encode(JSON.stringify(keys.ES256?.jwk)),
      }),
  ],
  ['signed by somebody else', async (c) => sign(claimsFor(c), { key: stranger })],
  [
    'signed by a key it names itself (J5)',
    async (c) => sign(claimsFor(c), { key: stranger, jwk: keys.ES256?.jwk }),
  ],
  ['signed under another key’s id (J4)', async (c) => sign(claimsFor(c), { kid: 'k-RS256' })],
  [
    'changed after it was signed',
    async (c) => {
      const [head, , signature] = (await sign(claimsFor(c))).split('.');
      const body = Buffer.from(JSON.stringify(claimsFor(c, { scope: 'files:write' })));
      return `${head}.${body.toString('base64url')}.${signature}`;
    },
  ],
  [
    'encrypted (J9)',
    async (c) =>
      new CompactEncrypt(new TextEncoder().encode(await sign(claimsFor(c))))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(new Uint8Array(32)),
  ],
  [
    'a critical header nobody knows (J6)',
    async (c) =>
      new CompactSign(new TextEncoder().encode(JSON.stringify(claimsFor(c))))
        .setProtectedHeader({ alg: 'ES256', kid: 'k-ES256', crit: ['x'], x: 1 })
        .sign(keys.ES256?.privateKey as PrivateKey, { crit: { x: true } }),
  ],
  ['typed as an access token (J7)', async (c) => sign(claimsFor(c), { typ: 'at+jwt' })],
  ['typed as something else (J7)', async (c) => sign(claimsFor(c), { typ: 'logout+jwt' })],
  ['for another audience (§4)', async (c) => sign(claimsFor(c, { aud: 'https://other.example' }))],
  [
    'for several audiences (J12)',
    async (c) => sign(claimsFor(c, { aud: [t.issuer, 'https://other.example'] })),
  ],
  ['for the endpoint, not the issuer', async (c) => sign(claimsFor(c, { aud: `${t.issuer}/par` }))],
  ['for nobody', async (c) => sign(claimsFor(c, { aud: undefined }))],
  ['by another issuer', async (c) => sign(claimsFor(c, { iss: 'cli_other' }))],
  ['by nobody', async (c) => sign(claimsFor(c, { iss: undefined }))],
  ['of another client (§5)', async (c) => sign(claimsFor(c, { client_id: 'cli_stranger' }))],
  ['of no client (§5)', async (c) => sign(claimsFor(c, { client_id: undefined }))],
  ['a client assertion in disguise (§10.8)', async (c) => sign(claimsFor(c, { sub: HOST }))],
  ['expired', async (c) => sign(claimsFor(c, { exp: seconds() - 120 }))],
  ['without an end', async (c) => sign(claimsFor(c, { exp: undefined }))],
  ['good for too long', async (c) => sign(claimsFor(c, { exp: seconds() + 3600 }))],
  ['with an end in words (J11)', async (c) => sign(claimsFor(c, { exp: '9999999999' as never }))],
  ['not yet good', async (c) => sign(claimsFor(c, { nbf: seconds() + 120 }))],
  ['begun long ago', async (c) => sign(claimsFor(c, { nbf: seconds() - 3600 }))],
  ['from the future', async (c) => sign(claimsFor(c, { iat: seconds() + 3600 }))],
  ['with an endless jti', async (c) => sign(claimsFor(c, { jti: 'j'.repeat(257) }))],
  ['with an empty requested_actor (OB2)', async (c) => sign(claimsFor(c, { requested_actor: '' }))],
  [
    'with two actors in it (OB2)',
    async (c) => sign(claimsFor(c, { requested_actor: [AGENT, 'x'] })),
  ],
  ['with a request_uri in it (§4)', async (c) => sign(claimsFor(c, { request_uri: 'urn:x' }))],
  ['with a request in it (§4)', async (c) => sign(claimsFor(c, { request: 'e30' }))],
  ['padded (J8)', async (c) => `${await sign(claimsFor(c))}=`],
  ['no JWT at all', async () => 'nonsense'],
];

describe('a request object is refused', () => {
  it.each(UNACCEPTABLE)('%s', async (_name, make) => {
    const { challenge } = pkce();
    const request = await make(challenge);
    const html = await refusedAtPage(byQuery({ request }));
    expect(html).not.toContain(request);
    const pushed = await push({ request });
    expect(pushed.status).toBe(400);
    expect(['invalid_request_object', 'invalid_request']).toContain(pushed.body.error);
    expect(Object.keys(pushed.body).sort()).toEqual(['error', 'error_description']);
  });

  it('when the client beside it is another one (§5)', async () => {
    const request = await sign(claimsFor(pkce().challenge));
    await refusedAtPage(
      `${t.issuer}/authorize?${new URLSearchParams({ client_id: 'cli_desktop', request })}`,
    );
  });

  it('when the response type beside it is another one (§6.3: OpenID Connect Core §6.1)', async () => {
    const request = await sign(claimsFor(pkce().challenge));
    await refusedAtPage(byQuery({ request, response_type: 'token' }));
  });

  it('beside a request_uri, and says why to the operator (§5)', async () => {
    const request = await sign(claimsFor(pkce().challenge));
    await refusedAtPage(byQuery({ request, request_uri: 'urn:ietf:params:oauth:request_uri:x' }));
    expect(await lastReason()).toContain('MUST NOT be used together');
  });
});

describe('RFC 9101 §5.2: a reference is never followed (A8)', () => {
  it.each(['/authorize', '/par'])('at %s', async (path) => {
    let fetched = 0;
    const server = createServer((_req, res) => {
      fetched += 1;
      res.end('x.y.z');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const request_uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/r.jwt`;
    if (path === '/authorize') await refusedAtPage(byQuery({ request_uri }));
    else expect((await push({ request_uri })).body.error).toBe('invalid_request');
    expect(fetched).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('what a client must do (RFC 9101 §10.5, RFC 9126 §6)', () => {
  const require = async (column: 'require_par' | 'require_signed_request', on: boolean) => {
    await t.opened.db.run(`update clients set ${column} = $2 where id = $1`, [HOST, on]);
    await noticed();
  };
  const plain = (challenge: string) =>
    Object.fromEntries(
      new URL(authorizeUrl(t, challenge, { prompt: 'consent', scope: 'files:list' })).searchParams,
    ) as Record<string, string>;

  it('sign its requests, where the operator says so: plain ones are refused, pushed or not', async () => {
    await require('require_signed_request', true);
    const { challenge, verifier } = pkce();
    const page = await createBrowserless(t.issuer).open(
      authorizeUrl(t, challenge, { state: 'the-state' }),
    );
    expect(Object.fromEntries(new URL(page.url).searchParams)).toEqual({
      error: 'invalid_request',
      error_description: 'Request Object must be used by this client',
      state: 'the-state',
      iss: t.issuer,
    });
    const pushed = await push(plain(challenge));
    expect([pushed.status, pushed.body.error]).toEqual([400, 'invalid_request']);
    const request = await sign(claimsFor(challenge));
    expect((await walkThrough(byQuery({ request }), verifier)).answer.status).toBe(200);
    await require('require_signed_request', false);
  });

  it('push its requests, where the operator says so: a front-channel one is refused, signed or not (A8)', async () => {
    await require('require_par', true);
    const { challenge, verifier } = pkce();
    const page = await createBrowserless(t.issuer).open(authorizeUrl(t, challenge));
    expect(Object.fromEntries(new URL(page.url).searchParams)).toEqual({
      error: 'invalid_request',
      error_description: 'Pushed Authorization Request must be used',
      state: 'the-state',
      iss: t.issuer,
    });
    const html = await refusedAtPage(byQuery({ request: await sign(claimsFor(challenge)) }));
    expect(html).not.toBe('');
    const pushed = await push(plain(challenge));
    const url = byQuery({ request_uri: pushed.body.request_uri });
    expect((await walkThrough(url, verifier)).answer.status).toBe(200);
    await require('require_par', false);
  });
});

describe('what an agent that is its own client must do (DESIGN §8a, RFC 9101 §10.5, RFC 9126 §6)', () => {
  const OWN = 'https://helper.example/callback';
  const KEY = { principal: AGENT, kind: 'jwk' };
  beforeAll(async () => {
    await t.opened.db.run('update agents set redirect_uris = $2 where id = $1', [AGENT, [OWN]]);
    await t.opened.db.orm
      .insert(tables.credentials)
      .values({ ...KEY, id: 'crd_own', jwk: keys.ES256?.jwk as Record<string, unknown> });
  });
  const require = async (column: 'require_par' | 'require_signed_request', on: boolean) => {
    await t.opened.db.run(`update agents set ${column} = $2 where id = $1`, [AGENT, on]);
    await noticed();
  };
  const asAgent = { client_id: AGENT, redirect_uri: OWN };
  const ownUrl = (challenge: string) =>
    authorizeUrl(t, challenge, { ...asAgent, scope: 'files:list', prompt: 'consent' });
  const plain = (challenge: string) =>
    Object.fromEntries(new URL(ownUrl(challenge)).searchParams) as Record<string, string>;
  const pushOwn = (params: Record<string, string>) =>
    postForm(`${t.issuer}/par`, params, authFor(t, AGENT));
  const signed = (challenge: string) =>
    sign(claimsFor(challenge, { ...asAgent, iss: AGENT, requested_actor: undefined }));
  const byOwnQuery = (params: Record<string, string>) => byQuery({ ...params, client_id: AGENT });
  const refusedThere = async (challenge: string) => {
    const page = await createBrowserless(t.issuer).open(ownUrl(challenge));
    const url = new URL(page.url);
    return [url.origin + url.pathname, Object.fromEntries(url.searchParams)];
  };
  const refusal = (error_description: string) => [
    OWN,
    { error: 'invalid_request', error_description, state: 'the-state', iss: t.issuer },
  ];
  /** What the agent gets for the code that Ana's browser brings it. */
  const ownTokens = async (url: string, verifier: string) => {
    const callback = await walkPages(createBrowserless(t.issuer), url, ANA);
    const code = callback.searchParams.get('code') ?? '';
    const fields = { redirect_uri: OWN, actor_token: undefined };
    const answer = await redeem(t, { code, verifier }, fields, AGENT);
    expect(answer.status).toBe(200);
    return claimsOf(answer.body.access_token);
  };
  const whole = { client_id: AGENT, act: { sub: AGENT }, actor_proof: 'client_auth' };

  it('sign its requests, where the operator says so: plain ones are refused, pushed or not', async () => {
    await require('require_signed_request', true);
    const { challenge, verifier } = pkce();
    expect(await refusedThere(challenge)).toEqual(
      refusal('Request Object must be used by this client'),
    );
    const pushed = await pushOwn(plain(challenge));
    expect([pushed.status, pushed.body.error]).toEqual([400, 'invalid_request']);
    const url = byOwnQuery({ request: await signed(challenge) });
    expect(await ownTokens(url, verifier)).toMatchObject(whole);
    await require('require_signed_request', false);
  });

  it('push its requests, where the operator says so: a front-channel one is refused (A8)', async () => {
    await require('require_par', true);
    const { challenge, verifier } = pkce();
    expect(await refusedThere(challenge)).toEqual(
      refusal('Pushed Authorization Request must be used'),
    );
    await refusedAtPage(byOwnQuery({ request: await signed(challenge) }));
    const pushed = await pushOwn(plain(challenge));
    const url = byOwnQuery({ request_uri: pushed.body.request_uri });
    expect(await ownTokens(url, verifier)).toMatchObject(whole);
    await require('require_par', false);
  });
});
