// RFC 9449 §5.2 clients that may have key-bound tokens only, §8 nonces, §10 codes bound to a key, §11.1
// proofs that are used once, whichever process they reach. Rows PP1, PP2 of the checklist; J1–J6.
import { CompactSign } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, createBroker } from '../../src/broker/app.js';
import {
  type Answer,
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  freePort,
  pkce,
  postForm,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, CALLBACK, DESKTOP, FILES, HOST, LOOPBACK } from '../support/world.js';
import { dpopProof, type HeldKey, heldKey, nowSeconds } from './support/keys.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let t: TestBroker;
let key: HeldKey;
beforeAll(async () => {
  t = await startTestBroker();
  key = await heldKey();
});
afterAll(() => t.close());

type Fields = Record<string, string>;

const token = (id: string, fields: Fields, dpop?: string): Promise<Answer> =>
  postForm(`${t.issuer}/token`, fields, {
    ...authFor(t, id),
    ...(dpop === undefined ? {} : { dpop }),
  });
const prove = (by = key, more = {}, header = {}) =>
  dpopProof(by, `${t.issuer}/token`, more, header);
const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:write' };

async function boundOnly<T>(path: string, work: () => Promise<T>): Promise<T> {
  await admin(t, 'PATCH', path, { dpop_bound: true });
  try {
    return await work();
  } finally {
    await admin(t, 'PATCH', path, { dpop_bound: false });
  }
}

const MISSING = {
  error: 'invalid_dpop_proof',
  error_description: 'tokens of this client are bound to a key: send DPoP',
};

/** The request that each grant makes; asked once a test. */
const GRANTS: ReadonlyArray<readonly [string, string, string, () => Promise<Fields>]> = [
  ['client_credentials', AGENT, `/agents/${AGENT}`, async () => OWN],
  [
    'an actor token',
    AGENT,
    `/agents/${AGENT}`,
    async () => ({ ...OWN, resource: t.issuer, scope: '' }),
  ],
  [
    'token exchange',
    AGENT,
    `/agents/${AGENT}`,
    async () => {
      const { body } = await token(AGENT, OWN, await prove());
      const subject = { subject_token: body.access_token, subject_token_type: ACCESS_TOKEN };
      return { grant_type: EXCHANGE, ...subject };
    },
  ],
  ['a code', HOST, `/clients/${HOST}`, () => codeFields()],
  [
    'a refresh token',
    HOST,
    `/clients/${HOST}`,
    async () => {
      const { body } = await token(HOST, await codeFields(), await prove());
      return { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    },
  ],
];

async function codeFields(params: Record<string, string> = {}): Promise<Fields> {
  const { code, verifier } = await authorize(t, { params });
  return {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: CALLBACK,
    actor_token: await actorToken(t),
  };
}

describe('§5.2 a client with dpop_bound_access_tokens gets no bearer token', () => {
  it.each(
    GRANTS,
  )('for %s: what was refused costs nothing, and the proof brings it', async (...row) => {
    const [, id, path, fieldsOf] = row;
    const fields = await fieldsOf();
    await boundOnly(path, async () => {
      const bare = await token(id, fields);
      expect([bare.status, bare.body]).toEqual([400, MISSING]);
      const answer = await token(id, fields, await prove());
      expect([answer.status, answer.body.token_type]).toEqual([200, 'DPoP']);
      expect(claimsOf(answer.body.access_token).cnf).toEqual({ jkt: key.thumbprint });
    });
  });

  it('everybody else still does', async () => {
    await boundOnly(`/clients/${HOST}`, async () => {
      expect((await token(AGENT, OWN)).body.token_type).toBe('Bearer');
    });
  });

  it('the audit says which rule, and of whom', async () => {
    await boundOnly(`/agents/${AGENT}`, () => token(AGENT, OWN));
    const { body } = await admin(t, 'GET', `/audit?type=token.refused&agent=${AGENT}&limit=1`);
    expect(body.items[0].detail).toMatchObject({
      code: 'invalid_dpop_proof',
      rule: 'key_not_shown',
      reason: `key_not_shown (${AGENT})`,
    });
  });
});

describe('§10 a code is bound to the key it was asked for with', () => {
  const redeemBy = async (params: Record<string, string>, by: HeldKey | undefined) =>
    token(HOST, await codeFields(params), by && (await prove(by)));

  it('by dpop_jkt at the authorization endpoint', async () => {
    const params = { dpop_jkt: key.thumbprint };
    const other = await redeemBy(params, await heldKey());
    const bare = await redeemBy(params, undefined);
    expect([other, bare].map(({ status, body }) => [status, body.error])).toEqual([
      [400, 'invalid_grant'],
      [400, 'invalid_grant'],
    ]);
    expect((await redeemBy(params, key)).body.token_type).toBe('DPoP');
  });

  it('by the proof a request was pushed with (§10.1), which dpop_jkt may not contradict', async () => {
    const push = async (more: Fields, by: HeldKey) => {
      const { verifier, challenge } = pkce();
      const query = Object.fromEntries(new URL(authorizeUrl(t, challenge)).searchParams);
      const headers = { ...authFor(t, HOST), dpop: await dpopProof(by, `${t.issuer}/par`) };
      const { body } = await postForm(`${t.issuer}/par`, { ...query, ...more }, headers);
      return { verifier, body };
    };
    const wrong = await push({ dpop_jkt: (await heldKey()).thumbprint }, key);
    expect(wrong.body.error).toBe('invalid_request');
    const redeemPushed = async (by: HeldKey) => {
      const { verifier, body } = await push({}, key);
      const { code } = await authorize(t, { params: pushedOnly(body.request_uri) });
      const fields = {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: CALLBACK,
        actor_token: await actorToken(t),
      };
      return token(HOST, fields, await prove(by));
    };
    expect((await redeemPushed(await heldKey())).body.error).toBe('invalid_grant');
    expect((await redeemPushed(key)).status).toBe(200);
  });
});

const pushedOnly = (request_uri: string) => ({
  request_uri,
  ...Object.fromEntries(
    [
      'response_type',
      'redirect_uri',
      'code_challenge',
      'code_challenge_method',
      'state',
      'scope',
      'resource',
      'requested_actor',
    ].map((name) => [name, undefined]),
  ),
});

it('§5 a public client’s refresh token is of no use without its key', async () => {
  const params = { client_id: DESKTOP, redirect_uri: LOOPBACK, requested_actor: undefined };
  const { code, verifier } = await authorize(t, { params });
  const fields = {
    grant_type: 'authorization_code',
    client_id: DESKTOP,
    code,
    code_verifier: verifier,
    redirect_uri: LOOPBACK,
  };
  const { body } = await token(DESKTOP, fields, await prove());
  const refresh = async (by?: HeldKey) =>
    token(
      DESKTOP,
      { grant_type: 'refresh_token', client_id: DESKTOP, refresh_token: body.refresh_token },
      by && (await prove(by)),
    );
  for (const thief of [undefined, await heldKey()]) {
    const answer = await refresh(thief);
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant']);
  }
  expect((await refresh(key)).body.token_type).toBe('DPoP');
});

describe('§4.3 what is no proof', () => {
  const header = { typ: 'dpop+jwt' };
  const claims = () => ({ htm: 'POST', htu: `${t.issuer}/token`, iat: nowSeconds(), jti: 'x' });
  const text = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

  const ROWS: ReadonlyArray<readonly [string, () => Promise<string>]> = [
    [
      'alg none (J1)',
      async () => `${text({ ...header, alg: 'none', jwk: key.jwk })}.${text(claims())}.`,
    ],
    [
      'a symmetric key (J2)',
      async () => {
        const secret = new Uint8Array(32);
        const jwk = { kty: 'oct', k: Buffer.from(secret).toString('base64url') };
        const payload = Buffer.from(JSON.stringify(claims()));
        return new CompactSign(payload)
          .setProtectedHeader({ ...header, alg: 'HS256', jwk })
          .sign(secret);
      },
    ],
    ['a private key in its header', () => prove(key, {}, { jwk: { ...key.jwk, d: key.jwk.x } })],
    ['RS256, which is not offered', async () => prove(await heldKey('RS256'))],
    ['another typ (J7)', () => prove(key, {}, { typ: 'JWT' })],
    ['an extension nobody knows (J6)', () => prove(key, {}, { crit: ['exp'], exp: 1 })],
    [
      'somebody else’s key in its header',
      async () => prove(key, {}, { jwk: (await heldKey()).jwk }),
    ],
    ['no jti', () => prove(key, { jti: undefined })],
    ['a jti that is no text', () => prove(key, { jti: 7 })],
    ['no iat', () => prove(key, { iat: undefined })],
    ['htu of another endpoint', () => prove(key, { htu: `${t.issuer}/par` })],
    ['padding (J8)', async () => `${await prove()}==`],
    ['two of them', async () => `${await prove()}, ${await prove()}`],
  ];
  it.each(ROWS)('%s', async (_what, make) => {
    const answer = await token(AGENT, OWN, await make().catch(() => 'not.a.proof'));
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_dpop_proof']);
  });

  it('htu is compared without query and fragment (PP2)', async () => {
    const proof = await prove(key, { htu: `${t.issuer}/token?a=b#c` });
    expect((await token(AGENT, OWN, proof)).status).toBe(200);
  });

  it('the metadata says with which algorithms (§5.1)', async () => {
    const response = await fetch(`${t.issuer}/.well-known/oauth-authorization-server`);
    const { dpop_signing_alg_values_supported: algs } = (await response.json()) as {
      dpop_signing_alg_values_supported: string[];
    };
    expect(algs.sort()).toEqual(['ES256', 'Ed25519', 'EdDSA']);
  });
});

describe('several processes', () => {
  let second: Broker;
  let first: TestBroker;
  let secondUrl = '';
  beforeAll(async () => {
    first = await startTestBroker({ config: { dpopRequiresNonce: true } });
    const config = { issuer: first.issuer, dpopRequiresNonce: true };
    const port = await freePort();
    secondUrl = `http://127.0.0.1:${port}`;
    second = await createBroker(testConfig(port, config), {
      db: first.opened.db,
      logTo: { write: () => undefined },
    });
    await second.listen();
  });
  afterAll(async () => {
    await second?.close();
    await first?.close();
  });

  const ask = (base: string, dpop: string) =>
    postForm(`${base}/token`, OWN, { ...authFor(first, AGENT), dpop });
  const proofFor = (nonce?: string, more = {}) =>
    dpopProof(key, `${first.issuer}/token`, { ...(nonce === undefined ? {} : { nonce }), ...more });
  const nonceFrom = async (base: string) =>
    (await ask(base, await proofFor())).headers.get('dpop-nonce') ?? '';

  it('§8 each asks for a nonce, and takes the other’s', async () => {
    const bare = await ask(first.issuer, await proofFor());
    expect([bare.status, bare.body.error]).toEqual([400, 'use_dpop_nonce']);
    const nonce = bare.headers.get('dpop-nonce') ?? '';
    expect(nonce).toMatch(/^[\w-]{43}$/);
    for (const base of [first.issuer, secondUrl]) {
      const answer = await ask(base, await proofFor(nonce));
      expect([answer.status, answer.body.token_type]).toEqual([200, 'DPoP']);
    }
  });

  it.each([
    ['a made-up one', 'x'.repeat(43)],
    ['an empty one', ''],
  ])('§8 %s is answered with a good one', async (_what, nonce) => {
    const answer = await ask(first.issuer, await proofFor(nonce));
    expect([answer.status, answer.body.error]).toEqual([400, 'use_dpop_nonce']);
    const again = await ask(first.issuer, await proofFor(answer.headers.get('dpop-nonce') ?? ''));
    expect(again.status).toBe(200);
  });

  it('§8 a proof with a nonce is taken from a clock that is off', async () => {
    const nonce = await nonceFrom(first.issuer);
    const late = await ask(first.issuer, await proofFor(nonce, { iat: nowSeconds() - 86_400 }));
    expect(late.status).toBe(200);
  });

  it('§8 the pushed request endpoint asks for one too', async () => {
    const query = Object.fromEntries(new URL(authorizeUrl(first, pkce().challenge)).searchParams);
    const push = async (nonce?: string) =>
      postForm(`${first.issuer}/par`, query, {
        ...authFor(first, HOST),
        dpop: await dpopProof(key, `${first.issuer}/par`, nonce === undefined ? {} : { nonce }),
      });
    const bare = await push();
    expect([bare.status, bare.body.error]).toEqual([400, 'use_dpop_nonce']);
    expect((await push(bare.headers.get('dpop-nonce') ?? '')).status).toBe(201);
  });

  it('whoever sends no proof is asked for no nonce', async () => {
    const bare = await postForm(`${first.issuer}/token`, OWN, authFor(first, AGENT));
    expect([bare.status, bare.body.token_type]).toEqual([200, 'Bearer']);
  });

  it('§11.1 a proof that one took the other refuses (PP2)', async () => {
    const proof = await proofFor(await nonceFrom(first.issuer));
    expect((await ask(first.issuer, proof)).status).toBe(200);
    const again = await ask(secondUrl, proof);
    expect([again.status, again.body]).toEqual([
      400,
      {
        error: 'invalid_dpop_proof',
        error_description: 'the DPoP proof was used before: make one for each request',
      },
    ]);
  });

  it('§11.1 of twenty at once, at both, one is served (PP2)', async () => {
    const proof = await proofFor(await nonceFrom(first.issuer));
    const bases = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? first.issuer : secondUrl));
    const answers = await Promise.all(bases.map((base) => ask(base, proof)));
    const served = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(served).toHaveLength(1);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.error}`))).toEqual(
      new Set(['400 invalid_dpop_proof']),
    );
  });
});
