// Workload identity federation (MCP WIF, RFC 7523) over HTTP on PostgreSQL: a platform's token proves an
// agent or a service, as client authentication or as the grant itself; beside each check its nearest refusal.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  type Answer,
  authFor,
  authorize,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { CLUSTER, createIdp, IDP, nowSeconds } from '../support/idp.js';
import { AGENT, FILES, FILES_CLIENT, HOST, NOTES, OTHER_AGENT, SERVICE } from '../support/world.js';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const cluster = createIdp(CLUSTER, 'k1', 'RS256');
const idp = createIdp(IDP);
const POD = 'system:serviceaccount:prod:helper';
const at = encodeURIComponent;

let t: TestBroker;
let credential: string;
beforeAll(async () => {
  t = await startTestBroker({ config: { assertionGrant: true } });
  await trust();
  await change('POST', '/trusted-issuers', {
    issuer: IDP,
    name: 'Not a platform',
    purposes: ['attestation'],
    jwks: idp.jwks,
  });
  credential = await addTo(`/agents/${AGENT}`, { issuer: CLUSTER, subject: POD });
  await addTo(`/clients/${SERVICE}`, {
    issuer: CLUSTER,
    subject: 'system:serviceaccount:jobs:*',
    claims: { environment: 'prod' },
  });
});
afterAll(() => t.close());

const admin = (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });
async function change(method: string, path: string, body?: object) {
  const answer = await admin(method, path, body);
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
const trust = () =>
  change('POST', '/trusted-issuers', {
    issuer: CLUSTER,
    name: 'Cluster',
    purposes: ['workload'],
    jwks: cluster.jwks,
  });
const addTo = async (path: string, rule: object): Promise<string> =>
  (await change('POST', `${path}/credentials`, { kind: 'workload', rule })).id;

/** As Kubernetes projects one: no `typ`, one audience in a list. */
const podToken = (more: object = {}, header: object = {}): string =>
  cluster.sign(
    {
      sub: POD,
      aud: [t.issuer],
      iat: nowSeconds() - 5,
      nbf: nowSeconds() - 5,
      exp: nowSeconds() + 3600,
      jti: randomUUID(),
      'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'helper' } },
      ...more,
    },
    header,
  );
const post = (path: string, fields: Record<string, string>, headers = {}) =>
  postForm(`${t.issuer}${path}`, fields, headers);
const asClient = (assertion: string, more: Record<string, string> = {}): Promise<Answer> =>
  post('/token', {
    grant_type: 'client_credentials',
    client_id: AGENT,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
    resource: FILES,
    ...more,
  });
const asGrant = (assertion: string, more: Record<string, string> = {}): Promise<Answer> =>
  post('/token', { grant_type: JWT_BEARER, assertion, resource: FILES, ...more });
const said = ({ status, body }: Answer) =>
  status === 200 ? body.scope : `${status} ${body.error}`;
const active = async (token: string): Promise<boolean> =>
  (await post('/introspect', { token }, authFor(t, FILES_CLIENT))).body.active;
const BASE = 'files:list files:read';

describe('as client authentication', () => {
  it('an agent gets its own token: on its credential, by its platform’s word', async () => {
    const exp = nowSeconds() + 100;
    const { status, body } = await asClient(podToken({ exp }), { scope: 'files:list' });
    expect([status, body.scope, body.token_type]).toEqual([200, 'files:list', 'Bearer']);
    const claims = claimsOf(body.access_token);
    expect(claims).toEqual({
      iss: t.issuer,
      aud: FILES,
      sub: AGENT,
      sub_profile: 'ai_agent',
      client_id: AGENT,
      scope: 'files:list',
      jti: expect.stringMatching(new RegExp(`^${credential}\\.[^.]+$`)),
      iat: expect.any(Number),
      // No longer than the platform's word.
      exp,
    });
    const { items } = await change('GET', `/audit?jti=${claims.jti}`);
    expect(items[0].detail).toMatchObject({ proved_by: CLUSTER, proved_sub: POD });
  });

  it('whatever else it does: an actor token, a code, an exchange, an introspection', async () => {
    const actor = await asClient(podToken(), { resource: t.issuer });
    const actorToken = actor.body.access_token;
    const { body } = await redeem(t, await authorize(t), { actor_token: actorToken });
    expect(claimsOf(body.access_token)).toMatchObject({
      act: { sub: AGENT },
      actor_proof: 'token',
    });
    const narrowed = await asClient(podToken(), {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'files:list',
    });
    // An agent’s own client may continue what the agent began.
    expect([narrowed.status, claimsOf(narrowed.body.access_token).act]).toEqual([
      200,
      { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
    ]);
    const own = (await asClient(podToken())).body.access_token;
    const { client_id, client_assertion_type, client_assertion } = {
      client_id: AGENT,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: podToken(),
    };
    const looked = await post('/introspect', {
      token: own,
      client_id,
      client_assertion_type,
      client_assertion,
    });
    expect(looked.body).toMatchObject({ active: true, sub: AGENT });
  });

  it('Kubernetes hands the same token out again and again: it is good while it lives', async () => {
    const token = podToken();
    const answers = await Promise.all(Array.from({ length: 20 }, () => asClient(token)));
    expect(new Set(answers.map(said))).toEqual(new Set([BASE]));
    const ids = answers.map(({ body }) => claimsOf(body.access_token).jti);
    expect(new Set(ids).size).toBe(20);
  });

  it.each([
    ['the token endpoint as audience (MCP WIF)', () => ({ aud: `${t.issuer}/token` })],
    ['one audience as text', () => ({ aud: t.issuer })],
    ['no jti', () => ({ jti: undefined })],
  ])('%s', async (_what, more) => {
    expect(said(await asClient(podToken(more())))).toBe(BASE);
  });

  it('SPIFFE: a JWT-SVID with its type', async () => {
    const sub = 'spiffe://prod.example/ns/prod/sa/helper';
    const id = await addTo(`/agents/${AGENT}`, { issuer: CLUSTER, subject: sub });
    expect(said(await asClient(podToken({ sub }, { typ: 'JWT' })))).toBe(BASE);
    await change('DELETE', `/agents/${AGENT}/credentials/${id}`);
    expect(said(await asClient(podToken({ sub }, { typ: 'JWT' })))).toBe('401 invalid_client');
  });
});

/** Everything that is wrong with a platform's token, whichever door it comes to. */
const WRONG: readonly (readonly [string, () => string])[] = [
  ['another workload', () => podToken({ sub: 'system:serviceaccount:prod:other' })],
  ['a workload whose name goes on', () => podToken({ sub: `${POD}:x` })],
  ['a workload whose name is shorter', () => podToken({ sub: POD.slice(0, -1) })],
  ['no subject', () => podToken({ sub: undefined })],
  ['somebody else’s audience', () => podToken({ aud: 'https://kubernetes.default.svc' })],
  ['two audiences, ours among them', () => podToken({ aud: [t.issuer, 'https://vault.example'] })],
  ['no audience', () => podToken({ aud: undefined })],
  ['expired', () => podToken({ iat: nowSeconds() - 4000, exp: nowSeconds() - 100 })],
  ['no exp', () => podToken({ exp: undefined })],
  ['no iat', () => podToken({ iat: undefined })],
  ['a year of life', () => podToken({ exp: nowSeconds() + 31_536_000 })],
  ['not good yet', () => podToken({ nbf: nowSeconds() + 120 })],
  ['an access token’s type (J7)', () => podToken({}, { typ: 'at+jwt' })],
  [
    'alg none (J1)',
    () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${podToken().split('.')[1]}.AA`,
  ],
  [
    'another key under the same name (J5)',
    () =>
      createIdp(CLUSTER, 'k1', 'RS256').sign({
        sub: POD,
        aud: t.issuer,
        iat: nowSeconds(),
        exp: nowSeconds() + 60,
      }),
  ],
  [
    'an issuer that is not trusted for workloads',
    () => idp.sign({ sub: POD, aud: t.issuer, iat: nowSeconds(), exp: nowSeconds() + 60 }),
  ],
  [
    'an issuer nobody knows',
    () =>
      createIdp('https://evil.example', 'k1', 'RS256').sign({
        sub: POD,
        aud: t.issuer,
        iat: nowSeconds(),
        exp: nowSeconds() + 60,
      }),
  ],
  ['critical extensions (J6)', () => podToken({}, { crit: ['exp'] })],
];

describe('a platform’s token that proves nobody', () => {
  beforeEach(async () => {
    expect([said(await asClient(podToken())), said(await asGrant(podToken()))]).toEqual([
      BASE,
      BASE,
    ]);
  });

  it.each(WRONG)('%s', async (_what, token) => {
    const answers = [await asClient(token()), await asGrant(token())];
    expect(answers.map(said)).toEqual(['401 invalid_client', '400 invalid_grant']);
  });

  it('for another agent than it means, or for nobody there is', async () => {
    const others = [OTHER_AGENT, 'agt_nobody', HOST];
    const answers = await Promise.all(others.map((id) => asClient(podToken(), { client_id: id })));
    expect(answers.map(said)).toEqual(Array(3).fill('401 invalid_client'));
  });

  it('beside another way of authentication, or not where it is looked for', async () => {
    const fields = {
      grant_type: 'client_credentials',
      client_id: AGENT,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: podToken(),
      resource: FILES,
    };
    const both = await post('/token', fields, authFor(t, AGENT));
    const secret = await post('/token', { ...fields, client_secret: 'x' });
    const noType = await post('/token', { ...fields, client_assertion_type: '' });
    const basic = await post(
      '/token',
      { grant_type: JWT_BEARER, assertion: podToken(), resource: FILES },
      authFor(t, AGENT),
    );
    const named = await asGrant(podToken(), { client_id: AGENT });
    expect([both, secret, noType, basic, named].map(said)).toEqual([
      '400 invalid_request',
      '400 invalid_request',
      '400 invalid_request',
      '400 invalid_grant',
      '401 invalid_client',
    ]);
  });

  it('the secret that stands for it is nobody’s to guess', async () => {
    const fields = { grant_type: 'client_credentials', client_id: AGENT, resource: FILES };
    const answers = [
      await post('/token', { ...fields, client_secret: 'undefined' }),
      await asClient(podToken({ sub: 'x' }), { client_id: AGENT }),
    ];
    expect(answers.map(said)).toEqual(['401 invalid_client', '401 invalid_client']);
  });

  it('the operator is told why, the caller is not', async () => {
    const wrong = podToken({ sub: 'system:serviceaccount:prod:other' });
    expect((await asGrant(wrong)).body).toEqual({
      error: 'invalid_grant',
      error_description: 'the assertion is not one that is accepted here',
    });
    await asClient(wrong);
    const { items } = await change('GET', '/audit?type=token.refused&limit=2');
    const reasons = items.map((one: { detail: { reason: string } }) => one.detail.reason);
    expect(reasons.join()).toContain('no credential means this workload');
  });
});

describe('as the grant (MCP WIF)', () => {
  it('without a client: the one whose workload it is, with its own token', async () => {
    const { status, body } = await asGrant(podToken(), { scope: 'files:read' });
    expect([status, body]).toEqual([
      200,
      {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 300,
        scope: BASE,
      },
    ]);
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: AGENT,
      client_id: AGENT,
      jti: expect.stringMatching(new RegExp(`^${credential}\\.`)),
    });
    expect(claimsOf(body.access_token)).not.toHaveProperty('act');
  });

  it('scopes it does not hold are refused, and so are places', async () => {
    const answers = [
      await asGrant(podToken(), { scope: 'files:delete' }),
      await asGrant(podToken(), { resource: NOTES }),
      await asGrant(podToken(), { resource: 'https://no.example' }),
    ];
    expect(answers.map(said)).toEqual([
      '400 invalid_scope',
      '400 invalid_target',
      '400 invalid_target',
    ]);
  });

  it('a star is one part of a name, and the claims beside it must say exactly that', async () => {
    const job = (sub: string, more: object = { environment: 'prod' }) =>
      asGrant(podToken({ sub: `system:serviceaccount:jobs${sub}`, ...more }), { resource: NOTES });
    const answers = [
      await job(':nightly'),
      await job(':'),
      await job(':a:b'),
      await job('-other:a'),
      await job(':nightly', {}),
      await job(':nightly', { environment: 'prod-2' }),
      await job(':nightly', { environment: ['prod'] }),
    ];
    expect(answers.map(said)).toEqual(['notes:read', ...Array(6).fill('400 invalid_grant')]);
  });

  it('two that could be meant are none', async () => {
    const subject = 'system:serviceaccount:prod:*';
    const id = await addTo(`/agents/${OTHER_AGENT}`, { issuer: CLUSTER, subject });
    expect(said(await asGrant(podToken()))).toBe('400 invalid_grant');
    // Whoever says who they are is told apart.
    expect(said(await asClient(podToken()))).toBe(BASE);
    await change('DELETE', `/agents/${OTHER_AGENT}/credentials/${id}`);
    expect(said(await asGrant(podToken()))).toBe(BASE);
  });

  it('an app gets nothing of its own', async () => {
    const sub = 'system:serviceaccount:apps:host';
    await addTo(`/clients/${HOST}`, { issuer: CLUSTER, subject: sub });
    expect(said(await asGrant(podToken({ sub })))).toBe('400 invalid_grant');
  });
});

describe('what may be registered', () => {
  it.each<[string, object, number, string]>([
    [
      'a platform nobody trusts',
      { issuer: 'https://evil.example', subject: POD },
      400,
      'rule.issuer',
    ],
    [
      'an issuer that is trusted for something else',
      { issuer: IDP, subject: POD },
      400,
      'rule.issuer',
    ],
    ['any workload there is', { issuer: CLUSTER, subject: '*' }, 400, 'rule.subject'],
    ['half a name', { issuer: CLUSTER, subject: 'system:service*' }, 400, 'rule.subject'],
    ['a star in the middle', { issuer: CLUSTER, subject: 'system:*:helper' }, 400, 'rule.subject'],
    [
      'a claim that is no text',
      { issuer: CLUSTER, subject: POD, claims: { a: true } },
      400,
      'rule.claims.a',
    ],
    ['one that is another’s', { issuer: CLUSTER, subject: POD }, 409, 'rule'],
  ])('not %s', async (_what, rule, status, field) => {
    const answer = await admin('POST', `/agents/${OTHER_AGENT}/credentials`, {
      kind: 'workload',
      rule,
    });
    expect([answer.status, answer.body.errors[0].field]).toEqual([status, field]);
  });

  it('it is listed with its rule, and none for a public client', async () => {
    const { items } = await change('GET', `/agents/${AGENT}/credentials`);
    expect(items).toContainEqual({
      id: credential,
      kind: 'workload',
      name: null,
      kid: null,
      thumbprint: null,
      created_at: expect.any(String),
      created_by: 'admin',
      expires_at: null,
      last_used_at: null,
      rule: { issuer: CLUSTER, subject: POD },
    });
    const rule = { issuer: CLUSTER, subject: 'system:serviceaccount:x:y' };
    const answer = await admin('POST', '/clients/cli_desktop/credentials', {
      kind: 'workload',
      rule,
    });
    expect(answer.status).toBe(409);
  });
});

describe('whoever is stopped, what hangs on them stops', () => {
  it('R8: a delegation whose actor the platform proved asks for another proof once it is not trusted', async () => {
    const actor = await asClient(podToken(), { resource: t.issuer });
    const first = await redeem(t, await authorize(t), { actor_token: actor.body.access_token });
    const refresh = (refresh_token: string, more: Record<string, string> = {}) =>
      postToken(t, HOST, { grant_type: 'refresh_token', refresh_token, ...more });
    const second = await refresh(first.body.refresh_token);
    expect(claimsOf(second.body.access_token)).toMatchObject({ act: { sub: AGENT } });
    await change('PATCH', `/trusted-issuers/${at(CLUSTER)}`, { purposes: ['software_statement'] });
    const third = await refresh(second.body.refresh_token);
    expect([said(third), third.body.error_description]).toEqual([
      '400 invalid_grant',
      expect.stringContaining('send its actor_token'),
    ]);
    await change('PATCH', `/trusted-issuers/${at(CLUSTER)}`, { purposes: ['workload'] });
    await eventually(async () => expect(said(await asClient(podToken()))).toBe(BASE));
  });

  it('the agent paused; the credential removed, with a receipt; the platform no longer trusted', async () => {
    const out = async () => (await asGrant(podToken())).body.access_token;
    const paused = await out();
    await change('PUT', `/agents/${AGENT}/status`, { status: 'paused', reason: 'a look' });
    expect([
      await active(paused),
      said(await asGrant(podToken())),
      said(await asClient(podToken())),
    ]).toEqual([false, '400 invalid_grant', '401 invalid_client']);
    await change('PUT', `/agents/${AGENT}/status`, { status: 'active', reason: 'fine' });
    // What is issued in the very second of a stop is stopped too.
    await eventually(async () => expect(said(await asGrant(podToken()))).toBe(BASE));
    const path = `/agents/${AGENT}/credentials`;
    const again = await addTo(`/agents/${AGENT}`, { issuer: CLUSTER, subject: `${POD}2` });
    const second = async () => (await asGrant(podToken({ sub: `${POD}2` }))).body.access_token;
    const removed = await second();
    const { receipt } = await change('DELETE', `${path}/${again}`);
    expect([receipt.access_tokens, await active(removed)]).toEqual([1, false]);
    const last = await out();
    const stop = await change('DELETE', `/trusted-issuers/${at(CLUSTER)}`);
    expect(stop.receipt.access_tokens).toBeGreaterThanOrEqual(1);
    expect([await active(last), said(await asGrant(podToken()))]).toEqual([
      false,
      '400 invalid_grant',
    ]);
  });
});
