// The stronger switches in the registry: bound tokens (RFC 9449 §5.2, RFC 8705 §3.4) and FAPI 2.0; what
// each needs of the rest, and what it takes from tokens that are out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dpopProof, heldKey } from '../rfc/support/keys.js';
import {
  type Answer,
  authFor,
  authorize,
  basic,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, DESKTOP, FILES, FILES_CLIENT, HOST, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const problems = ({ status, body }: Answer) => [status, body.errors];
const PATHS = { client: `/clients/${HOST}`, agent: `/agents/${AGENT}` };
const OFF = { dpop_bound: false, certificate_bound: false, fapi: false };
const change = (path: string, body: object) => admin(t, 'PATCH', path, body);

const isActive = async (token: string): Promise<boolean> => {
  const authorization = basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '');
  return (await postForm(`${t.issuer}/introspect`, { token }, { authorization })).body.active;
};

describe.each(Object.entries(PATHS))('of a %s', (_noun, path) => {
  it('are off unless somebody says so, and each is shown', async () => {
    expect((await admin(t, 'GET', path)).body).toMatchObject(OFF);
    expect((await change(path, { dpop_bound: true })).body).toMatchObject({
      ...OFF,
      dpop_bound: true,
    });
    const other = { dpop_bound: false, certificate_bound: true };
    expect((await change(path, other)).body).toMatchObject(other);
    expect((await change(path, OFF)).body).toMatchObject(OFF);
  });

  it('a token is bound to a key or to a certificate, not to both', async () => {
    const both = { dpop_bound: true, certificate_bound: true };
    const message = 'must not be set beside dpopBound: a token is bound to one of them';
    expect(problems(await change(path, both))).toEqual([
      400,
      [{ field: 'certificate_bound', message }],
    ]);
  });

  it('FAPI 2.0 §5.3.2 needs a key to prove itself by, and bound tokens', async () => {
    const answer = await change(path, { fapi: true });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual(
      expect.arrayContaining([
        { field: 'auth', message: expect.stringMatching(/^must be private_key_jwt/) },
        {
          field: 'fapi',
          message: 'needs dpopBound or certificateBound: FAPI knows no bearer tokens',
        },
      ]),
    );
    expect((await admin(t, 'GET', path)).body).toMatchObject(OFF);
  });
});

describe('FAPI 2.0 §5.3.2', () => {
  const whole = async () => ({
    name: 'Bank',
    kind: 'app',
    redirect_uris: ['https://bank.example/cb'],
    auth: 'private_key_jwt',
    jwks: { keys: [(await heldKey()).jwk] },
    require_par: true,
    dpop_bound: true,
    fapi: true,
  });
  const create = (body: object) => admin(t, 'POST', '/clients', body);

  it('takes a client that has all of it', async () => {
    const { status, body } = await create(await whole());
    expect([status, body]).toMatchObject([201, { fapi: true, dpop_bound: true }]);
    const lessened = await change(`/clients/${body.id}`, { require_par: false });
    expect(problems(lessened)).toEqual([
      400,
      [{ field: 'require_par', message: 'must be set for FAPI: every request is pushed' }],
    ]);
  });

  it.each([
    ['pushed requests', { require_par: false }, 'require_par'],
    ['bound tokens', { dpop_bound: false }, 'fapi'],
    ['a key', { auth: 'client_secret_basic', jwks: undefined }, 'auth'],
    ['a client that proves itself', { auth: 'none', jwks: undefined }, 'auth'],
  ])('not without %s', async (_what, more, field) => {
    const answer = await create({ ...(await whole()), ...more });
    expect([answer.status, answer.body.errors.map((one: { field: string }) => one.field)]).toEqual([
      400,
      [field],
    ]);
  });

  it('an agent and a service that sign nobody in need no pushed requests', async () => {
    const { redirect_uris: _uris, require_par: _par, ...rest } = await whole();
    expect((await create({ ...rest, kind: 'service' })).status).toBe(201);
    const { kind: _kind, ...agent } = rest;
    const jwks = { keys: [(await heldKey()).jwk] };
    const made = await admin(t, 'POST', '/agents', { ...agent, jwks, owner: 'Ops' });
    expect([made.status, made.body.fapi]).toEqual([201, true]);
  });
});

it('a public client may be bound to keys: it has nothing else (RFC 9449 §5)', async () => {
  const path = `/clients/${DESKTOP}`;
  expect((await change(path, { dpop_bound: true })).body.dpop_bound).toBe(true);
  await change(path, OFF);
});

describe('a switch that comes on', () => {
  const own = async (bound: boolean): Promise<string> => {
    const proof = await dpopProof(await heldKey(), `${t.issuer}/token`);
    const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:write' };
    const headers = { ...authFor(t, AGENT), ...(bound ? { dpop: proof } : {}) };
    return (await postForm(`${t.issuer}/token`, fields, headers)).body.access_token;
  };

  it('stops the live tokens that are not bound, and leaves the bound ones and everybody else’s', async () => {
    const bearer = await own(false);
    const bound = await own(true);
    const others = (await redeem(t, await authorize(t))).body.access_token;
    await change(PATHS.agent, { dpop_bound: true });
    expect(await Promise.all([bearer, bound, others].map(isActive))).toEqual([false, true, true]);
    const { body } = await admin(t, 'GET', `/audit?type=registry.changed&agent=${AGENT}&limit=1`);
    expect(body.items[0].detail).toMatchObject({
      fields: ['dpopBound'],
      // The actor token of that redemption was a bearer token too.
      receipt: { access_tokens: 2 },
    });
    await change(PATHS.agent, OFF);
  });

  it('for certificates stops those bound to a key too', async () => {
    const bound = await own(true);
    await change(PATHS.agent, { certificate_bound: true });
    expect(await isActive(bound)).toBe(false);
    await change(PATHS.agent, OFF);
  });

  it('stops nothing when it goes off, or says what it said', async () => {
    await change(PATHS.agent, { dpop_bound: true });
    const bound = await own(true);
    await change(PATHS.agent, { dpop_bound: true, purpose: 'the same' });
    await change(PATHS.agent, OFF);
    expect(await isActive(bound)).toBe(true);
  });

  it('leaves what an authorization gave: its next refresh has to show a key', async () => {
    const tokens = (await redeem(t, await authorize(t))).body;
    await change(PATHS.client, { dpop_bound: true });
    expect(await isActive(tokens.access_token)).toBe(false);
    const refresh = async (headers: Record<string, string>) =>
      postForm(
        `${t.issuer}/token`,
        { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
        { ...authFor(t, HOST), ...headers },
      );
    const bare = await refresh({});
    expect([bare.status, bare.body.error]).toEqual([400, 'invalid_dpop_proof']);
    const key = await heldKey();
    const dpop = await dpopProof(key, `${t.issuer}/token`);
    expect((await refresh({ dpop })).body).toMatchObject({ token_type: 'DPoP' });
    await change(PATHS.client, OFF);
  });
});

it('a service has no requests to push, and may be bound all the same', async () => {
  const bound = await change(`/clients/${SERVICE}`, { dpop_bound: true });
  expect([bound.status, bound.body.dpop_bound]).toEqual([200, true]);
});
