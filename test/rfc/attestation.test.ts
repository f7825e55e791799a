// draft-ietf-oauth-attestation-based-client-auth-12: instances of an agent that prove themselves by what
// an attester says of them, behind a switch. Rows AR3, AR11 of the checklist; J1–J12, K3–K5.
import { eq, sql } from 'drizzle-orm';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyEpoch, trustedIssuers } from '../../schema/index.js';
import {
  type Answer,
  basic,
  claimsOf,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { admin } from '../support/keys.js';
import { AGENT, FILES, FILES_CLIENT } from '../support/world.js';
import { dpopProof, type HeldKey, heldKey, nowSeconds } from './support/keys.js';

const ATTESTER = 'https://attester.example';
const STRANGER = 'https://stranger.example';
const FLEET = 'agt_fleet';
const OTHER_FLEET = 'agt_otherfleet';

let t: TestBroker;
let attester: HeldKey;
let stranger: HeldKey;
let credentialId = '';

async function fleet(id: string): Promise<string> {
  const agent = { id, name: id, owner: 'Ops', auth: 'attest_jwt_client_auth', dpop_bound: true };
  expect((await admin(t, 'POST', '/agents', agent)).status).toBe(201);
  const permission = `/permissions/${id}/${encodeURIComponent(FILES)}`;
  await admin(t, 'PUT', permission, { scopes: ['files:read'] });
  const credential = { kind: 'attestation', issuer: ATTESTER };
  const added = await admin(t, 'POST', `/agents/${id}/credentials`, credential);
  expect([added.status, added.body]).toMatchObject([
    201,
    { kind: 'attestation', rule: { issuer: ATTESTER } },
  ]);
  return added.body.id;
}

async function trust(issuer: string, key: HeldKey, purposes: string[]) {
  const jwks = { keys: [{ ...key.jwk, kid: 'of-today', alg: 'ES256' }] };
  await t.opened.db.orm.insert(trustedIssuers).values({ issuer, name: issuer, purposes, jwks });
  await t.opened.db.orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
}

beforeAll(async () => {
  t = await startTestBroker({ config: { attestation: true } });
  attester = await heldKey();
  stranger = await heldKey();
  await trust(ATTESTER, attester, ['attestation']);
  await trust(STRANGER, stranger, ['workload', 'software_statement']);
  credentialId = await fleet(FLEET);
  await fleet(OTHER_FLEET);
});
afterAll(() => t.close());

type Claims = Record<string, unknown>;

const sign = (key: HeldKey, header: Claims, claims: Claims) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, ...header } as { alg: string })
    .sign(key.privateKey);

const attestation = (
  instance: HeldKey,
  more: Claims = {},
  header: Claims = {},
  by: HeldKey = attester,
) =>
  sign(
    by,
    { typ: 'oauth-client-attestation+jwt', kid: 'of-today', ...header },
    {
      iss: ATTESTER,
      sub: FLEET,
      iat: nowSeconds(),
      exp: nowSeconds() + 3600,
      cnf: { jwk: instance.jwk },
      ...more,
    },
  );

const possession = (
  instance: HeldKey,
  challenge: unknown,
  more: Claims = {},
  header: Claims = {},
) =>
  sign(
    instance,
    { typ: 'oauth-client-attestation-pop+jwt', ...header },
    { aud: t.issuer, jti: crypto.randomUUID(), iat: nowSeconds(), challenge, ...more },
  );

const challenge = async (at = t): Promise<string> => {
  const response = await fetch(`${at.issuer}/challenge`, { method: 'POST' });
  expect(response.headers.get('cache-control')).toMatch(/no-store/);
  return ((await response.json()) as { attestation_challenge: string }).attestation_challenge;
};

const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };

interface Shown {
  readonly attestation?: string | undefined;
  readonly pop?: string | undefined;
  readonly dpop?: string | undefined;
}

function ask(shown: Shown, fields: Record<string, string> = {}, at = t): Promise<Answer> {
  const headers = {
    'oauth-client-attestation': shown.attestation,
    'oauth-client-attestation-pop': shown.pop,
    dpop: shown.dpop,
  };
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  return postForm(
    `${at.issuer}/token`,
    { ...OWN, ...fields },
    Object.fromEntries(given) as Record<string, string>,
  );
}

const good = async (instance: HeldKey): Promise<Required<Shown>> => ({
  attestation: await attestation(instance),
  pop: await possession(instance, await challenge()),
  dpop: await dpopProof(instance, `${t.issuer}/token`),
});

const refused = ({ status, body }: Answer) =>
  expect([status, body]).toEqual([
    401,
    { error: 'invalid_client', error_description: 'client authentication failed' },
  ]);
const reasonOfLast = async (): Promise<string> =>
  (await admin(t, 'GET', '/audit?type=token.refused&limit=1')).body.items[0].detail.reason;

describe('an attested instance', () => {
  it('gets tokens of its agent, bound to its own key, under the credential that names its attester', async () => {
    const instance = await heldKey();
    const answer = await ask(await good(instance));
    expect([answer.status, answer.body.token_type]).toEqual([200, 'DPoP']);
    expect(claimsOf(answer.body.access_token)).toMatchObject({
      sub: FLEET,
      sub_profile: 'ai_agent',
      cnf: { jkt: instance.thumbprint },
      jti: expect.stringMatching(new RegExp(`^${credentialId}\\.`)),
    });
  });

  it('is named in the audit: which of many it was', async () => {
    const [one, two] = [await heldKey(), await heldKey()];
    for (const instance of [one, two]) expect((await ask(await good(instance))).status).toBe(200);
    const { body } = await admin(t, 'GET', `/audit?type=token.issued&agent=${FLEET}&limit=2`);
    expect(body.items.map(({ detail }: { detail: Claims }) => detail.instance)).toEqual([
      two.thumbprint,
      one.thumbprint,
    ]);
  });

  it('may not have its tokens bound to another key, nor to none', async () => {
    const instance = await heldKey();
    const other = await dpopProof(await heldKey(), `${t.issuer}/token`);
    const answer = await ask({ ...(await good(instance)), dpop: other });
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_dpop_proof']);
    const bare = await ask({ ...(await good(instance)), dpop: undefined });
    expect([bare.status, bare.body.error]).toEqual([400, 'invalid_dpop_proof']);
    const { body } = await admin(t, 'GET', `/audit?type=token.refused&agent=${FLEET}&limit=2`);
    expect(
      body.items.map(({ detail }: { detail: Claims }) => [detail.rule, detail.instance]),
    ).toEqual([
      ['key_not_shown', instance.thumbprint],
      ['another_instance', instance.thumbprint],
    ]);
  });

  it('its token is of no use to another instance in an exchange (TX17)', async () => {
    const [one, two] = [await heldKey(), await heldKey()];
    const { body } = await ask(await good(one));
    const fields = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
    expect((await ask(await good(two), fields)).body.error).toBe('invalid_request');
    expect((await ask(await good(one), fields)).status).toBe(200);
  });
});

describe('what attests nobody is one refusal, and a reason for the operator', () => {
  const text = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const unsigned = (jwt: string, header: object) => `${text(header)}.${jwt.split('.')[1]}.`;

  const ATTESTATIONS: ReadonlyArray<readonly [string, (i: HeldKey) => Promise<string>, RegExp]> = [
    [
      'alg none (J1)',
      async (i) =>
        unsigned(await attestation(i), { typ: 'oauth-client-attestation+jwt', alg: 'none' }),
      /alg/i,
    ],
    ['another key under the same name', (i) => attestation(i, {}, {}, stranger), /signature/],
    ['a key nobody has', (i) => attestation(i, {}, { kid: 'other' }), /no such key/],
    [
      'an attester the agent does not name',
      (i) => attestation(i, { iss: STRANGER }, {}, stranger),
      /no credential/,
    ],
    ['no attester', (i) => attestation(i, { iss: undefined }), /names no attester/],
    ['another agent’s name', (i) => attestation(i, { sub: AGENT }), /mechanism|does not match/],
    ['no expiry (J11)', (i) => attestation(i, { exp: undefined }), /exp/],
    ['an end that is past (J11)', (i) => attestation(i, { exp: nowSeconds() - 60 }), /exp/],
    ['a beginning to come (J11)', (i) => attestation(i, { iat: nowSeconds() + 120 }), /future/],
    ['another typ (J7)', (i) => attestation(i, {}, { typ: 'JWT' }), /typ/],
    ['no key of the instance', (i) => attestation(i, { cnf: {} }), /cnf/],
    ['a private key in it', (i) => attestation(i, { cnf: { jwk: { ...i.jwk, d: 'AA' } } }), /cnf/],
    ['the key of another instance', async () => attestation(await heldKey()), /signature/],
    [
      'an extension nobody knows (J6)',
      (i) => attestation(i, {}, { crit: ['x'], x: 1 }).catch(() => 'a.b.c'),
      /./,
    ],
  ];
  it.each(ATTESTATIONS)('an attestation with %s', async (_what, make, reason) => {
    const instance = await heldKey();
    const answer = await ask({ ...(await good(instance)), attestation: await make(instance) });
    if (answer.status === 400) expect(answer.body.error).toBe('invalid_request');
    else refused(answer);
    expect(await reasonOfLast()).toMatch(reason);
    expect((await ask(await good(instance))).status).toBe(200);
  });

  const PROOFS: ReadonlyArray<readonly [string, Claims, Claims]> = [
    ['for another server (J12)', { aud: 'https://other.example' }, {}],
    ['for two servers (J12)', { aud: ['https://other.example'] }, {}],
    ['without jti', { jti: undefined }, {}],
    ['of an hour ago', { iat: nowSeconds() - 3600 }, {}],
    ['of the future', { iat: nowSeconds() + 120 }, {}],
    ['of another typ (J7)', {}, { typ: 'dpop+jwt' }],
  ];
  it.each(PROOFS)('a proof of possession %s', async (_what, claims, header) => {
    const instance = await heldKey();
    const pop = await possession(instance, await challenge(), claims, header);
    refused(await ask({ ...(await good(instance)), pop }));
  });

  it('no proof of possession, or one of another instance', async () => {
    const instance = await heldKey();
    const shown = await good(instance);
    expect((await ask({ ...shown, pop: undefined })).status).toBe(401);
    const pop = await possession(await heldKey(), await challenge());
    refused(await ask({ ...shown, pop }));
  });

  it('a proof used twice, in sequence or at once (J1)', async () => {
    const instance = await heldKey();
    const shown = await good(instance);
    const again = async () =>
      ask({ ...shown, dpop: await dpopProof(instance, `${t.issuer}/token`) });
    const answers = await Promise.all(Array.from({ length: 10 }, again));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) refused(answer);
    refused(await again());
  });

  it('an attestation beside another way to prove oneself (K4), or in its place (K3)', async () => {
    const instance = await heldKey();
    const both = await ask(await good(instance), { client_id: FLEET, client_secret: 'a-secret' });
    expect([both.status, both.body.error]).toEqual([400, 'invalid_request']);
    const headers = { authorization: basic(FLEET, 'a-secret') };
    refused(await postForm(`${t.issuer}/token`, OWN, headers));
    refused(await postForm(`${t.issuer}/token`, { ...OWN, client_id: FLEET }));
    const mismatch = await ask(await good(instance), { client_id: OTHER_FLEET });
    expect([mismatch.status, mismatch.body.error]).toEqual([400, 'invalid_request']);
  });

  it('another agent’s instance is not this one’s', async () => {
    const instance = await heldKey();
    const shown = {
      ...(await good(instance)),
      attestation: await attestation(instance, { sub: OTHER_FLEET }),
    };
    const { body } = await ask(shown);
    expect(claimsOf(body.access_token).sub).toBe(OTHER_FLEET);
  });
});

describe('the draft’s own answers', () => {
  it.each<[string, unknown]>([
    ['no challenge', undefined],
    ['a made-up one', 'x'.repeat(43)],
    ['one that is no text', 7],
  ])('%s: use_attestation_challenge, with a good one', async (_what, wrong) => {
    const instance = await heldKey();
    const answer = await ask({ ...(await good(instance)), pop: await possession(instance, wrong) });
    expect([answer.status, answer.body.error]).toEqual([400, 'use_attestation_challenge']);
    const next = answer.headers.get('oauth-client-attestation-challenge');
    const shown = { ...(await good(instance)), pop: await possession(instance, next) };
    expect((await ask(shown)).status).toBe(200);
  });

  it('an attestation of the day before yesterday: use_fresh_attestation', async () => {
    const instance = await heldKey();
    const old = await attestation(instance, { iat: nowSeconds() - 2 * 86_400 });
    const answer = await ask({ ...(await good(instance)), attestation: old });
    expect([answer.status, answer.body.error]).toEqual([400, 'use_fresh_attestation']);
  });
});

describe('whose word is taken', () => {
  const change = async (values: Partial<typeof trustedIssuers.$inferInsert>) => {
    const { orm } = t.opened.db;
    await orm.update(trustedIssuers).set(values).where(eq(trustedIssuers.issuer, ATTESTER));
    await orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
    await expect
      .poll(async () => (await ask(await good(await heldKey()))).status, { timeout: 5000 })
      .toBe(
        Object.values(values).includes('active') || values.purposes?.includes('attestation')
          ? 200
          : 401,
      );
  };

  it('an attester that is retired, or trusted with something else, attests nobody', async () => {
    await change({ status: 'retired' });
    await change({ status: 'active' });
    await change({ purposes: ['workload'] });
    expect(await reasonOfLast()).toMatch(/not trusted with attestations/);
    await change({ purposes: ['attestation'] });
  });

  const isActive = async (token: string) =>
    (
      await postForm(
        `${t.issuer}/introspect`,
        { token },
        { authorization: basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '') },
      )
    ).body.active;

  it('L1: trust that is taken back stops what came of it; given again, it revives nothing', async () => {
    const issuer = `/trusted-issuers/${encodeURIComponent(ATTESTER)}`;
    const issued = async () => (await ask(await good(await heldKey()))).body.access_token;
    // What is issued in the very second of a stop is stopped too.
    const alive = () =>
      eventually(async () => {
        const token = await issued();
        expect(await isActive(token)).toBe(true);
        return token;
      });
    const patched = async (body: object) => (await admin(t, 'PATCH', issuer, body)).status;
    const first = await issued();
    expect([await isActive(first), await patched({ purposes: ['workload'] })]).toEqual([true, 200]);
    expect(await isActive(first)).toBe(false);
    expect(await patched({ purposes: ['attestation'] })).toBe(200);
    const second = await alive();
    expect(await isActive(first)).toBe(false);
    const { jwks } = (await admin(t, 'GET', issuer)).body;
    const retired = await admin(t, 'DELETE', issuer);
    expect([retired.status < 300, await isActive(second)]).toEqual([true, false]);
    const again = { issuer: ATTESTER, name: ATTESTER, purposes: ['attestation'], jwks };
    expect((await admin(t, 'POST', '/trusted-issuers', again)).status).toBe(201);
    await alive();
    expect(await isActive(second)).toBe(false);
  });

  it('a removed credential stops what came of it, and takes no more', async () => {
    const id = await fleet('agt_gone');
    const instance = await heldKey();
    const attested = () => attestation(instance, { sub: 'agt_gone' });
    const { body } = await ask({ ...(await good(instance)), attestation: await attested() });
    const introspect = () => isActive(body.access_token);
    expect(await introspect()).toBe(true);
    await admin(t, 'DELETE', `/agents/agt_gone/credentials/${id}`);
    expect(await introspect()).toBe(false);
    refused(await ask({ ...(await good(instance)), attestation: await attested() }));
  });

  it('the registry wants such an agent’s tokens bound, and no such client', async () => {
    const agent = { name: 'Loose', owner: 'Ops', auth: 'attest_jwt_client_auth' };
    const loose = await admin(t, 'POST', '/agents', agent);
    expect([loose.status, loose.body.errors]).toEqual([
      400,
      [
        {
          field: 'dpop_bound',
          message: 'must be set: tokens of an attested instance are bound to its key',
        },
      ],
    ]);
    const client = { name: 'C', kind: 'service', auth: 'attest_jwt_client_auth', dpop_bound: true };
    expect((await admin(t, 'POST', '/clients', client)).body.errors[0].field).toBe('auth');
  });
});

describe('the switch', () => {
  const document = async ({ issuer }: { issuer: string }) =>
    (await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()) as Claims;

  it('on, says so', async () => {
    expect(await document(t)).toMatchObject({
      token_endpoint_auth_methods_supported: expect.arrayContaining(['attest_jwt_client_auth']),
      challenge_endpoint: `${t.issuer}/challenge`,
      client_attestation_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
      client_attestation_pop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
    });
  });

  it('off, there is neither endpoint nor method, and such an agent is nobody', async () => {
    const plain = await startTestBroker();
    try {
      const told = await document(plain);
      expect(told.challenge_endpoint).toBeUndefined();
      expect(told.token_endpoint_auth_methods_supported).not.toContain('attest_jwt_client_auth');
      expect((await fetch(`${plain.issuer}/challenge`, { method: 'POST' })).status).toBe(404);
      const agent = {
        id: FLEET,
        name: 'Fleet',
        owner: 'Ops',
        auth: 'attest_jwt_client_auth',
        dpop_bound: true,
      };
      await admin(plain, 'POST', '/agents', agent);
      refused(await ask(await good(await heldKey()), {}, plain));
    } finally {
      await plain.close();
    }
  });
});
