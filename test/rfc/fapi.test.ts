// FAPI 2.0 Security Profile, as a switch of one client (§5.3.2): for each demand what it takes, the nearest
// thing it refuses, and that a client without the switch is served as before.
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { artifacts, grants } from '../../schema/index.js';
import {
  type Answer,
  actorToken,
  authorize,
  authorizeUrl,
  basic,
  claimsOf,
  pkce,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { certificate } from '../support/client-certificates.js';
import { CLUSTER, createIdp } from '../support/idp.js';
import { admin } from '../support/keys.js';
import { AGENT, ANA, FILES, HOST } from '../support/world.js';
import { assertionFields, dpopProof, type HeldKey, heldKey, nowSeconds } from './support/keys.js';

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const BANK = 'cli_bank';
const BANK_CALLBACK = 'https://bank.example/cb';
/** The same client in every way but the switch. */
const TWIN = 'cli_twin';

let t: TestBroker;
let dpop: HeldKey;
const keys: Record<string, HeldKey> = {};
const own = certificate({ dns: 'bank.example' });

async function register(id: string, more: object) {
  const key = await heldKey();
  keys[id] = key;
  const body = {
    id,
    name: id,
    kind: 'app',
    redirect_uris: [BANK_CALLBACK],
    auth: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
    ...more,
  };
  expect((await admin(t, 'POST', '/clients', body)).status).toBe(201);
}

beforeAll(async () => {
  const clientCertificates = {
    header: 'client-cert',
    verifiedHeader: 'x-client-verify',
    from: ['127.0.0.1'],
  };
  t = await startTestBroker({ config: { trustedProxies: 1, clientCertificates } });
  dpop = await heldKey();
  const profile = { fapi: true, dpop_bound: true, require_par: true };
  await register(BANK, profile);
  await register(TWIN, { dpop_bound: true });
  const clients = [HOST, BANK, TWIN];
  expect((await admin(t, 'PATCH', `/agents/${AGENT}`, { clients })).status).toBe(200);
});
afterAll(() => t.close());

type Fields = Record<string, string>;

interface Asking {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: HeldKey | undefined;
  readonly proof?: Record<string, unknown> | undefined;
  readonly proofKey?: HeldKey;
}

async function post(id: string, path: string, fields: Fields, how: Asking = {}): Promise<Answer> {
  const { claims, header, key = keys[id] as HeldKey, proofKey = dpop } = how;
  const bare = 'proof' in how && how.proof === undefined;
  const headers: Record<string, string> = bare
    ? {}
    : { dpop: await dpopProof(proofKey, `${t.issuer}${path}`, how.proof) };
  const auth = await assertionFields(key, id, t.issuer, claims, header);
  return postForm(`${t.issuer}${path}`, { ...fields, ...auth }, headers);
}

const queryFor = (id: string, challenge: string): Fields => ({
  ...Object.fromEntries(new URL(authorizeUrl(t, challenge)).searchParams),
  client_id: id,
  redirect_uri: BANK_CALLBACK,
  scope: 'openid files:write',
});

async function codeOf(id: string): Promise<Fields & { readonly code: string }> {
  const { verifier, challenge } = pkce();
  const pushed = await post(id, '/par', queryFor(id, challenge));
  expect([pushed.status, pushed.body.expires_in]).toEqual([201, 60]);
  const { request_uri } = pushed.body;
  const query = new URLSearchParams({ client_id: id, request_uri });
  const browser = createBrowserless(t.issuer);
  const callback = await walkPages(browser, `${t.issuer}/authorize?${query}`, ANA);
  expect(callback.searchParams.get('iss')).toBe(t.issuer);
  return {
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: BANK_CALLBACK,
    actor_token: await actorToken(t),
  };
}

const redeemAs = async (id: string, how: Asking = {}) => post(id, '/token', await codeOf(id), how);
const refreshAs = (id: string, refresh_token: string, how: Asking = {}) =>
  post(id, '/token', { grant_type: 'refresh_token', refresh_token }, how);

const error = ({ status, body }: Answer) => [status, body.error];
const CLIENT = [401, 'invalid_client'];

describe('§5.3.2.1 requests are pushed, by whoever proves who they are', () => {
  it('a request that was not pushed is refused where it would be answered', async () => {
    const open = async (id: string) => {
      const query = new URLSearchParams(queryFor(id, pkce().challenge));
      return fetch(`${t.issuer}/authorize?${query}`, { redirect: 'manual' });
    };
    const refused = await open(BANK);
    // §5.3.2.2: 303 or another, never 307.
    expect(refused.status).toBe(303);
    const { searchParams } = new URL(refused.headers.get('location') ?? '');
    expect([searchParams.get('error'), searchParams.get('iss')]).toEqual([
      'invalid_request',
      t.issuer,
    ]);
    expect((await open(TWIN)).headers.get('location')).toMatch(/\/interaction\//);
  });

  it('K3: a platform’s token, which may be shown again and again, is not how it proves itself', async () => {
    const issuer = createIdp(CLUSTER, 'k1', 'RS256');
    const trusted = { issuer: CLUSTER, name: 'Cluster', purposes: ['workload'], jwks: issuer.jwks };
    expect((await admin(t, 'POST', '/trusted-issuers', trusted)).status).toBe(201);
    const pushedBy = async (id: string) => {
      const rule = { issuer: CLUSTER, subject: id };
      await admin(t, 'POST', `/clients/${id}/credentials`, { kind: 'workload', rule });
      const times = { iat: nowSeconds(), exp: nowSeconds() + 60 };
      const client_assertion = issuer.sign({ sub: id, aud: t.issuer, ...times });
      const fields = { client_assertion, client_assertion_type: ASSERTION };
      return postForm(`${t.issuer}/par`, { ...queryFor(id, pkce().challenge), ...fields });
    };
    expect((await pushedBy(TWIN)).status).toBe(201);
    expect(error(await pushedBy(BANK))).toEqual(CLIENT);
  });

  it('pushing takes the client’s key', async () => {
    const fields = queryFor(BANK, pkce().challenge);
    expect(error(await postForm(`${t.issuer}/par`, fields))).toEqual(CLIENT);
    expect(error(await post(BANK, '/par', fields, { key: await heldKey() }))).toEqual(CLIENT);
    expect((await post(BANK, '/par', fields)).status).toBe(201);
  });
});

describe('§5.3.2.1 client assertions', () => {
  const fields = () => queryFor(BANK, pkce().challenge);

  it.each<[string, () => Record<string, unknown>]>([
    ['the token endpoint', () => ({ aud: `${t.issuer}/token` })],
    ['the issuer in a list', () => ({ aud: [t.issuer] })],
    ['the issuer and another', () => ({ aud: [t.issuer, `${t.issuer}/token`] })],
    ['the issuer with a slash', () => ({ aud: `${t.issuer}/` })],
  ])('name the issuer alone, not %s', async (_what, claims) => {
    expect(error(await post(BANK, '/par', fields(), { claims: claims() }))).toEqual(CLIENT);
  });

  it.each<[string, number, number]>([
    ['iat', 10, 201],
    ['nbf', 10, 201],
    ['iat', 65, 401],
    ['nbf', 65, 401],
  ])('%s %i seconds ahead: %i', async (claim, ahead, status) => {
    const claims = { [claim]: nowSeconds() + ahead, exp: nowSeconds() + 200 };
    expect((await post(BANK, '/par', fields(), { claims })).status).toBe(status);
  });

  it.each<[string, string, number]>([
    ['PS256', 'PS256', 201],
    ['EdDSA', 'Ed25519', 201],
    ['RS256', 'RS256', 401],
  ])('signed with %s', async (as, alg, status) => {
    const key = await heldKey(alg === 'Ed25519' ? 'Ed25519' : alg, as);
    const added = await admin(t, 'POST', `/clients/${BANK}/credentials`, {
      kind: 'jwk',
      jwk: key.jwk,
    });
    expect(added.status).toBe(201);
    expect((await post(BANK, '/par', fields(), { key })).status).toBe(status);
  });

  it('RS256 is good enough for a client without the switch', async () => {
    const key = await heldKey('RS256');
    await admin(t, 'POST', `/clients/${TWIN}/credentials`, { kind: 'jwk', jwk: key.jwk });
    expect((await post(TWIN, '/par', queryFor(TWIN, pkce().challenge), { key })).status).toBe(201);
  });
});

it('§5.3.2.1 a request object is signed with PS256, ES256 or EdDSA (RFC 9101)', async () => {
  const push = async (id: string, alg: string) => {
    const key = await heldKey(alg);
    await admin(t, 'POST', `/clients/${id}/credentials`, { kind: 'jwk', jwk: key.jwk });
    const claims = { ...queryFor(id, pkce().challenge), client_id: id, sub: undefined };
    const { client_assertion: request = '' } = await assertionFields(key, id, t.issuer, claims);
    return post(id, '/par', { client_id: id, request });
  };
  expect(error(await push(BANK, 'RS256'))).toEqual([400, 'invalid_request_object']);
  expect((await push(BANK, 'PS256')).status).toBe(201);
  expect((await push(TWIN, 'RS256')).status).toBe(201);
});

describe('§5.3.2.1 tokens are bound', () => {
  it('by DPoP: no proof, no token, and nothing is used up by asking', async () => {
    const fields = await codeOf(BANK);
    expect(error(await post(BANK, '/token', fields, { proof: undefined }))).toEqual([
      400,
      'invalid_dpop_proof',
    ]);
    const { body } = await post(BANK, '/token', fields);
    expect([body.token_type, claimsOf(body.access_token).cnf]).toEqual([
      'DPoP',
      { jkt: dpop.thumbprint },
    ]);
  });

  it.each([
    [10, 200],
    [90, 400],
  ])('a proof %i seconds ahead: %i', async (ahead, status) => {
    const answer = await redeemAs(BANK, { proof: { iat: nowSeconds() + ahead } });
    expect(answer.status).toBe(status);
    if (status === 400) expect(answer.body.error).toBe('invalid_dpop_proof');
  });

  it('a client without the switch may be that far ahead', async () => {
    expect((await redeemAs(TWIN, { proof: { iat: nowSeconds() + 90 } })).status).toBe(200);
  });

  it('a code is good for a minute at most', async () => {
    const { code } = await codeOf(BANK);
    expect(code).not.toBe('');
    const rows = await t.opened.db.run<{ life: number }>(
      `select extract(epoch from max(expires_at) - clock_timestamp())::float8 as life
       from artifacts where model = 'AuthorizationCode' and consumed_at is null`,
    );
    expect(rows[0]?.life).toBeLessThanOrEqual(60);
  });

  it('none is signed with RS256, whatever the resource would have', async () => {
    const signWith = async (signing_alg: string) => {
      const path = `/resources/${encodeURIComponent(FILES)}`;
      expect((await admin(t, 'PATCH', path, { signing_alg })).status).toBe(200);
    };
    const [bank, twin] = [await codeOf(BANK), await codeOf(TWIN)];
    await signWith('RS256');
    try {
      expect(error(await post(BANK, '/token', bank))).toEqual([400, 'invalid_target']);
      expect((await post(TWIN, '/token', twin)).status).toBe(200);
    } finally {
      await signWith('ES256');
    }
  });
});

describe('§5.3.2.1 refresh tokens are not rotated', () => {
  it('one is answered again and again with itself, each time decided anew', async () => {
    const { body } = await redeemAs(BANK);
    const first = await refreshAs(BANK, body.refresh_token);
    const second = await refreshAs(BANK, body.refresh_token);
    expect([first, second].map(({ status, body: b }) => [status, b.refresh_token])).toEqual([
      [200, body.refresh_token],
      [200, body.refresh_token],
    ]);
    expect(first.body.access_token).not.toBe(second.body.access_token);
    expect(claimsOf(second.body.access_token)).toMatchObject({
      act: { sub: AGENT },
      cnf: { jkt: dpop.thumbprint },
    });
    const acceptedBy = (clients: string[]) => admin(t, 'PATCH', `/agents/${AGENT}`, { clients });
    await acceptedBy([HOST, TWIN]);
    expect(error(await refreshAs(BANK, body.refresh_token))).toEqual([400, 'invalid_grant']);
    await acceptedBy([HOST, TWIN, BANK]);
    expect((await refreshAs(BANK, body.refresh_token)).status).toBe(200);
  });

  it('twenty at once are all served, and end nothing', async () => {
    const { body } = await redeemAs(BANK);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => refreshAs(BANK, body.refresh_token)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const { body: audit } = await admin(
      t,
      'GET',
      `/audit?type=refresh_token.replayed&client=${BANK}`,
    );
    expect(audit.items).toEqual([]);
  });

  it('it is of no use without the client’s key, nor without one to bind to', async () => {
    const { body } = await redeemAs(BANK);
    const thief = await heldKey();
    expect(error(await refreshAs(BANK, body.refresh_token, { key: thief }))).toEqual(CLIENT);
    expect(error(await refreshAs(TWIN, body.refresh_token))).toEqual([400, 'invalid_grant']);
    expect(error(await refreshAs(BANK, body.refresh_token, { proof: undefined }))).toEqual([
      400,
      'invalid_dpop_proof',
    ]);
    expect((await refreshAs(BANK, body.refresh_token)).status).toBe(200);
  });

  it('lives as long as its grant, which is asked each time', async () => {
    const { body } = await redeemAs(BANK);
    const grantId = String(claimsOf(body.access_token).jti).split('.')[1] as string;
    const { orm } = t.opened.db;
    const [token] = await orm
      .select({ expiresAt: artifacts.expiresAt })
      .from(artifacts)
      .where(sql`${artifacts.grantId} = ${grantId} and ${artifacts.model} = 'RefreshToken'`);
    const [grant] = await orm.select().from(grants).where(eq(grants.id, grantId));
    expect(token?.expiresAt?.getTime()).toBeGreaterThanOrEqual(grant?.expiresAt.getTime() ?? 0);
    await orm
      .update(grants)
      .set({ expiresAt: sql`clock_timestamp() - interval '1 second'` as unknown as Date })
      .where(eq(grants.id, grantId));
    expect(error(await refreshAs(BANK, body.refresh_token))).toEqual([400, 'invalid_grant']);
  });

  it('a second use of a code still ends what the first gave (RFC 6749 §4.1.2)', async () => {
    const fields = await codeOf(BANK);
    const { body } = await post(BANK, '/token', fields);
    const grantId = String(claimsOf(body.access_token).jti).split('.')[1];
    await t.opened.db.run(
      `update artifacts set consumed_at = consumed_at - interval '5 seconds'
       where grant_id = $1 and consumed_at is not null`,
      [grantId],
    );
    expect(error(await post(BANK, '/token', fields))).toEqual([400, 'invalid_grant']);
    expect(error(await refreshAs(BANK, body.refresh_token))).toEqual([400, 'invalid_grant']);
  });

  it('a client without the switch gets another one each time', async () => {
    const { body } = await redeemAs(TWIN);
    const next = await refreshAs(TWIN, body.refresh_token);
    expect(next.status).toBe(200);
    expect(next.body.refresh_token).not.toBe(body.refresh_token);
  });
});

it('a certificate may prove the client and bind its tokens instead (RFC 8705)', async () => {
  const id = 'cli_mtlsbank';
  await admin(t, 'POST', '/clients', {
    id,
    name: id,
    kind: 'app',
    redirect_uris: [BANK_CALLBACK],
    auth: 'tls_client_auth',
    require_par: true,
    certificate_bound: true,
    fapi: true,
  });
  const rule = { san_dns: 'bank.example' };
  await admin(t, 'POST', `/clients/${id}/credentials`, { kind: 'certificate', rule });
  const headers = { 'client-cert': own.clientCert, 'x-client-verify': 'SUCCESS' };
  const { verifier, challenge } = pkce();
  const { requested_actor: _nobody, ...query } = queryFor(id, challenge);
  const pushed = await postForm(`${t.issuer}/par`, query, headers);
  const { request_uri } = pushed.body;
  const url = `${t.issuer}/authorize?${new URLSearchParams({ client_id: id, request_uri })}`;
  const callback = await walkPages(createBrowserless(t.issuer), url, ANA);
  const fields = {
    grant_type: 'authorization_code',
    client_id: id,
    code: callback.searchParams.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: BANK_CALLBACK,
  };
  const authorization = basic(id, 'no-secret');
  expect(error(await postForm(`${t.issuer}/token`, fields, { authorization }))).toEqual(CLIENT);
  const { status, body } = await postForm(`${t.issuer}/token`, fields, headers);
  expect([status, claimsOf(body.access_token).cnf]).toEqual([200, { 'x5t#S256': own.thumbprint }]);
  const refresh = { grant_type: 'refresh_token', client_id: id, refresh_token: body.refresh_token };
  for (let n = 0; n < 2; n += 1) {
    const again = await postForm(`${t.issuer}/token`, refresh, headers);
    expect([again.status, again.body.refresh_token]).toEqual([200, body.refresh_token]);
  }
});

it('everybody else is served as before: secrets, bearer tokens, plain requests', async () => {
  const { status, body } = await redeem(t, await authorize(t));
  expect([status, body.token_type]).toEqual([200, 'Bearer']);
});
