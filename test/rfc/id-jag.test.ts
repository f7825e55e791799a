// Identity assertions (draft-ietf-oauth-identity-assertion-authz-grant, MCP enterprise-managed
// authorization) over HTTP on PostgreSQL: what is given, and beside each check its nearest refusal.
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  type Answer,
  actorToken,
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
import { createIdp, IDP, nowSeconds } from '../support/idp.js';
import { AGENT, ANA, BEN, FILES, FILES_CLIENT, HOST, NOTES, SERVICE } from '../support/world.js';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const idp = createIdp(IDP);
const RULES = { resources: [{ resource: FILES }], clients: [HOST] };
const at = encodeURIComponent;

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ config: { assertionGrant: true, trustedProxies: 0 } });
  await change('POST', '/trusted-issuers', {
    issuer: IDP,
    name: 'Example Corp',
    purposes: ['id_jag'],
    jwks: idp.jwks,
    rules: { id_jag: RULES },
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
const withRules = (more: object) =>
  change('PATCH', `/trusted-issuers/${at(IDP)}`, { rules: { id_jag: { ...RULES, ...more } } });

const claims = (more: object = {}) => ({
  sub: 'ana',
  aud: t.issuer,
  client_id: HOST,
  jti: randomUUID(),
  iat: nowSeconds(),
  exp: nowSeconds() + 300,
  resource: FILES,
  scope: 'files:read files:write',
  ...more,
});
const assertionOf = (more: object = {}, header: object = {}) =>
  idp.sign(claims(more), { typ: 'oauth-id-jag+jwt', ...header });
const send = (
  assertion: string,
  fields: Record<string, string | readonly string[]> = {},
  client = HOST,
): Promise<Answer> => postToken(t, client, { grant_type: JWT_BEARER, assertion, ...fields });
const said = ({ status, body }: Answer) =>
  status === 200 ? body.scope : `${status} ${body.error}`;
const give = async (more: object = {}, fields = {}) => send(assertionOf(more), fields);
const active = async (token: string): Promise<boolean> =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;
const newest = async (type: string) => {
  const { items } = await change('GET', `/audit?type=${type}&limit=1`);
  return items[0];
};

const WRITE = 'files:list files:read files:write';

describe('an assertion that is taken', () => {
  it('ID-JAG §4.4: becomes a token of its user, for its client, at its resource; and no refresh token', async () => {
    const { status, body } = await give();
    expect([status, body]).toEqual([
      200,
      {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 300,
        scope: WRITE,
      },
    ]);
    expect(claimsOf(body.access_token)).toEqual({
      iss: t.issuer,
      aud: FILES,
      sub: ANA.id,
      sub_profile: 'user',
      client_id: HOST,
      scope: WRITE,
      jti: expect.stringMatching(/^cns_[^.]+\.gnt_[^.]+\.[^.]+$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    expect(await active(body.access_token)).toBe(true);
  });

  it('the audit says who, by whose word, by which assertion, and what was taken away', async () => {
    const jti = randomUUID();
    const { body } = await give({ jti, scope: 'files:read files:delete' });
    expect(body.scope).toBe('files:list files:read');
    const event = await newest('token.issued');
    expect(event).toMatchObject({
      by: HOST,
      sub: ANA.id,
      client_id: HOST,
      resource: FILES,
      grant_id: expect.stringMatching(/^gnt_/),
      detail: {
        asserted_by: IDP,
        asserted_sub: 'ana',
        assertion: jti,
        asked: 'files:delete files:read',
        taken_away: [{ scope: 'files:delete', by: ['consent'] }],
      },
      sentence: `Ana Example, through Agent Host, got a token at File server for files:list files:read, on the word of ${IDP}`,
    });
    const [consent] = String(event.jti).split('.');
    const { items } = await change('GET', `/audit?consent=${consent}&type=consent.granted`);
    expect(
      items.map(({ by, sentence }: { by: string; sentence: string }) => [by, sentence]),
    ).toEqual([
      [
        IDP,
        expect.stringContaining(
          `${IDP} allowed, for Ana Example, Agent Host at File server: files:`,
        ),
      ],
    ]);
  });

  it.each([
    ['the request narrows it', {}, { scope: 'files:list' }, 'files:list'],
    [
      'a request for more loses it',
      { scope: 'files:list' },
      { scope: 'files:list files:write' },
      'files:list',
    ],
    ['without any scope: the base scopes', { scope: undefined }, {}, 'files:list files:read'],
    [
      'without one of its own: what is asked, as far as the rules go',
      { scope: undefined },
      { scope: 'files:write files:delete' },
      WRITE,
    ],
    ['an unknown scope falls away', { scope: 'files:read files:fly' }, {}, 'files:list files:read'],
    ['the same resource, said twice', {}, { resource: FILES }, WRITE],
    ['the resource as a list of one', { resource: [FILES] }, {}, WRITE],
    ['the resource said by the request alone', { resource: undefined }, { resource: FILES }, WRITE],
    ['our issuer as a list of one audience', { aud: [] as string[] }, {}, WRITE],
  ])('scope and resource: %s', async (_what, more, fields, scope) => {
    const aud = 'aud' in more ? { aud: [t.issuer] } : {};
    expect(said(await give({ ...more, ...aud }, fields))).toBe(scope);
  });

  it('MCP EMA: a restricted or destructive scope only where a rule names it, and the user may give it', async () => {
    const scopes = ['files:delete', 'admin:quota', 'files:read'];
    await withRules({ resources: [{ resource: FILES, scopes }] });
    expect(said(await give({ scope: 'files:delete admin:quota files:write' }))).toBe(
      'files:delete files:list files:read',
    );
    expect(said(await give({ scope: 'files:write' }))).toBe('files:list files:read');
    await withRules({});
    expect(said(await give({ scope: 'files:delete' }))).toBe('400 invalid_scope');
  });

  it('a later one hangs on the same consent, by a grant of its own', async () => {
    const ids = async () => {
      const { body } = await give();
      return String(claimsOf(body.access_token).jti).split('.');
    };
    const [first, second] = [await ids(), await ids()];
    expect([second[0], second[1] === first[1]]).toEqual([first[0], false]);
  });
});

describe('an assertion that is not', () => {
  beforeEach(async () => {
    expect(said(await give())).toBe(WRITE);
  });
  const rows: readonly (readonly [string, string, () => Promise<Answer>])[] = [
    ['another client’s', '400 invalid_grant', () => give({ client_id: SERVICE })],
    ['of no client', '400 invalid_grant', () => give({ client_id: undefined })],
    [
      'of a client the issuer may not speak for',
      '400 invalid_grant',
      () => send(assertionOf({ client_id: SERVICE }), {}, SERVICE),
    ],
    ['without a jti', '400 invalid_grant', () => give({ jti: undefined })],
    ['with a jti of 300 characters', '400 invalid_grant', () => give({ jti: 'j'.repeat(300) })],
    ['of somebody nobody knows', '400 invalid_grant', () => give({ sub: 'eve' })],
    ['of our own id for a user', '400 invalid_grant', () => give({ sub: ANA.id })],
    ['with a NUL in its subject', '400 invalid_grant', () => give({ sub: 'ana\0' })],
    ['without a subject', '400 invalid_grant', () => give({ sub: undefined })],
    [
      'for two audiences',
      '400 invalid_grant',
      () => give({ aud: [t.issuer, 'https://other.example'] }),
    ],
    ['for the token endpoint', '400 invalid_grant', () => give({ aud: `${t.issuer}/token` })],
    [
      'expired',
      '400 invalid_grant',
      () => give({ iat: nowSeconds() - 400, exp: nowSeconds() - 100 }),
    ],
    ['that lives for an hour', '400 invalid_grant', () => give({ exp: nowSeconds() + 3600 })],
    ['of another type (J7)', '400 invalid_grant', () => send(assertionOf({}, { typ: 'JWT' }))],
    [
      'another issuer’s key',
      '400 invalid_grant',
      () => send(createIdp(IDP).sign(claims(), { typ: 'oauth-id-jag+jwt' })),
    ],
    ['an ID token', '400 invalid_grant', () => send(idp.sign({ ...claims(), nonce: 'n' }))],
    [
      'one of our own access tokens',
      '400 invalid_grant',
      async () => send((await give()).body.access_token),
    ],
    ['no JWT', '400 invalid_grant', () => send('assertion')],
    ['none', '400 invalid_request', () => send('')],
    [
      'for another resource than is asked for',
      '400 invalid_target',
      () => give({}, { resource: NOTES }),
    ],
    ['for a resource it may not speak for', '400 invalid_target', () => give({ resource: NOTES })],
    ['for a resource with a slash', '400 invalid_target', () => give({ resource: `${FILES}/` })],
    ['for two resources', '400 invalid_target', () => give({ resource: [FILES, NOTES] })],
    ['asked for two resources', '400 invalid_target', () => give({}, { resource: [FILES, NOTES] })],
    ['for no resource', '400 invalid_target', () => give({ resource: undefined })],
    ['with nothing left', '400 invalid_scope', () => give({ scope: 'files:delete' })],
    ['with scopes that are none', '400 invalid_scope', () => give({ scope: 'files:read "x"' })],
    ['with a list of scopes', '400 invalid_scope', () => give({ scope: ['files:read'] })],
    [
      'bound to a key that was not shown',
      '400 invalid_grant',
      () => give({ cnf: { jkt: 'A'.repeat(43) } }),
    ],
    [
      'bound to a certificate',
      '400 invalid_grant',
      () => give({ cnf: { 'x5t#S256': 'A'.repeat(43) } }),
    ],
    [
      'with details nobody reads here (RFC 9396)',
      '400 invalid_grant',
      () => give({ authorization_details: [{ type: 'x' }] }),
    ],
    [
      'with an actor, outside the actor profile',
      '400 invalid_grant',
      () => give({ act: { sub: AGENT } }),
    ],
    [
      'with an actor token, where nobody acts',
      '400 invalid_grant',
      async () => give({}, { actor_token: await actorToken(t) }),
    ],
  ];

  it.each(rows)('%s: %s', async (_what, expected, attempt) => {
    expect(said(await attempt())).toBe(expected);
  });

  it('without client authentication, or by a public client', async () => {
    const assertion = assertionOf();
    const bare = await postForm(`${t.issuer}/token`, { grant_type: JWT_BEARER, assertion });
    const wrong = await postForm(
      `${t.issuer}/token`,
      { grant_type: JWT_BEARER, assertion },
      { authorization: `Basic ${Buffer.from(`${HOST}:wrong`).toString('base64')}` },
    );
    const desktop = await postForm(`${t.issuer}/token`, {
      grant_type: JWT_BEARER,
      assertion,
      client_id: 'cli_desktop',
    });
    expect([bare, wrong, desktop].map(said)).toEqual([
      '400 invalid_request',
      '401 invalid_client',
      '400 unauthorized_client',
    ]);
    // It cost nobody their assertion.
    expect(said(await send(assertion))).toBe(WRITE);
  });

  it('DC11: a client that registered itself, whatever the rule says', async () => {
    const comesFrom = async (origin: string): Promise<string> => {
      await t.opened.db.run('update clients set origin = $2 where id = $1', [HOST, origin]);
      // Of somebody else: whatever is changed, the newest facts count.
      await change('PATCH', `/clients/${SERVICE}`, { description: origin });
      return said(await give());
    };
    expect([await comesFrom('registration'), await comesFrom('document')]).toEqual([
      '400 unauthorized_client',
      WRITE,
    ]);
    expect(await comesFrom('operator')).toBe(WRITE);
  });

  it('the refusal tells the client one sentence, and the operator the rule', async () => {
    const jti = randomUUID();
    const { body } = await give({ sub: 'eve', jti });
    expect(body).toEqual({
      error: 'invalid_grant',
      error_description: 'the assertion is not one that is accepted here',
    });
    expect(await newest('token.refused')).toMatchObject({
      client_id: HOST,
      detail: { rule: 'unknown_subject', asserted_by: IDP, asserted_sub: 'eve', assertion: jti },
    });
  });
});

describe('J11, P9: what no database keeps', () => {
  const odd = 'odd\0\ud800';

  it('a time with a fraction is one all the same; a jti may be any text, once', async () => {
    const exp = nowSeconds() + 200.5;
    const assertion = assertionOf({ exp, iat: nowSeconds() + 0.25, jti: `${odd}${randomUUID()}` });
    expect([said(await send(assertion)), said(await send(assertion))]).toEqual([
      WRITE,
      '400 invalid_grant',
    ]);
  });

  it('a subject that cannot be kept means nobody, also by their address', async () => {
    const rules = { subject: 'email', email_domains: ['example.com'] };
    const known = { email: BEN.email, email_verified: true };
    await withRules(rules);
    for (const sub of [odd, 'a\0', '\ud800b']) {
      expect(said(await give({ ...known, sub }))).toBe('400 invalid_grant');
    }
    for (const email of [`${odd}@example.com`, `\ud800@example.com`]) {
      expect(said(await give({ sub: 'new', email, email_verified: true }))).toBe(
        '400 invalid_grant',
      );
    }
    await withRules({});
  });
});

describe('once', () => {
  it('D6: of twenty at the same time one is answered; and none afterwards', async () => {
    const assertion = assertionOf();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(assertion)));
    const told = answers.map(said).sort();
    expect(told).toEqual([...Array(19).fill('400 invalid_grant'), WRITE]);
    expect(said(await send(assertion))).toBe('400 invalid_grant');
    expect((await newest('token.refused')).detail.rule).toBe('used_before');
  });

  it('a refusal for another reason does not use it up', async () => {
    const assertion = assertionOf();
    expect(said(await send(assertion, { resource: NOTES }))).toBe('400 invalid_target');
    expect(said(await send(assertion))).toBe(WRITE);
  });
});

describe('DPoP (RFC 9449)', () => {
  let key: Awaited<ReturnType<typeof generateKeyPair>>;
  let jwk: JWK;
  let jkt: string;
  beforeAll(async () => {
    key = await generateKeyPair('ES256');
    jwk = await exportJWK(key.publicKey);
    jkt = await (await import('jose')).calculateJwkThumbprint(jwk);
  });
  const proof = () =>
    new SignJWT({ htm: 'POST', htu: `${t.issuer}/token`, jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(key.privateKey);
  const sendBound = async (cnf: object | undefined) =>
    postForm(
      `${t.issuer}/token`,
      { grant_type: JWT_BEARER, assertion: assertionOf(cnf === undefined ? {} : { cnf }) },
      { ...authFor(t, HOST), dpop: await proof() },
    );

  it('ID-JAG: bound in, bound out, with its very key', async () => {
    const { body } = await sendBound({ jkt });
    expect([body.token_type, claimsOf(body.access_token).cnf]).toEqual(['DPoP', { jkt }]);
    expect(said(await sendBound({ jkt: 'A'.repeat(43) }))).toBe('400 invalid_grant');
    expect(said(await sendBound({ jkt, kid: 'k' }))).toBe('400 invalid_grant');
    expect((await sendBound(undefined)).body.token_type).toBe('DPoP');
  });
});

describe('whoever is stopped, what hangs on them stops', () => {
  const token = async (more: object = {}): Promise<string> => {
    const { body } = await give(more);
    return body.access_token;
  };
  const again = async (): Promise<string> => said(await give());

  it('L1: the user, in between', async () => {
    const [out, assertion] = [await token(), assertionOf()];
    await change('PUT', `/users/${ANA.id}/status`, { status: 'disabled', reason: 'left' });
    expect([await active(out), said(await send(assertion))]).toEqual([false, '400 invalid_grant']);
    await change('PUT', `/users/${ANA.id}/status`, { status: 'active' });
    // What is issued in the very second of a stop is stopped too.
    await eventually(async () => expect(await again()).toBe(WRITE));
    expect(await active(out)).toBe(false);
  });

  it('the identity: what was obtained under it, with a receipt, and nobody else’s', async () => {
    await change('POST', `/users/${BEN.id}/identities`, { issuer: IDP, subject: 'ben' });
    const [anas, bens] = [await token(), await token({ sub: 'ben' })];
    const { receipt } = await change('DELETE', `/users/${BEN.id}/identities/${at(IDP)}/ben`);
    expect(receipt.access_tokens).toBe(1);
    expect([await active(anas), await active(bens)]).toEqual([true, false]);
    expect(said(await give({ sub: 'ben' }))).toBe('400 invalid_grant');
  });

  it('the consent, by its user or an operator: all of it; the enterprise may give it again', async () => {
    const [one, two] = [await token(), await token()];
    const [consent] = String(claimsOf(one).jti).split('.');
    await change('DELETE', `/consents/${consent}`);
    expect([await active(one), await active(two), await again()]).toEqual([false, false, WRITE]);
  });

  it('a rule that is narrower, or a key that is gone: everything the issuer obtained', async () => {
    const out = await token();
    await withRules({ max_age_seconds: 120 });
    expect(await active(out)).toBe(false);
    expect(said(await give({ exp: nowSeconds() + 300 }))).toBe('400 invalid_grant');
    await withRules({});
    const next = await token({ iat: nowSeconds() + 2, exp: nowSeconds() + 200 });
    const other = createIdp(IDP, 'k2');
    await change('PATCH', `/trusted-issuers/${at(IDP)}`, {
      jwks: { keys: [idp.publicJwk, other.publicJwk] },
    });
    expect(await active(next)).toBe(true);
    await change('PATCH', `/trusted-issuers/${at(IDP)}`, { jwks: other.jwks });
    expect([await active(next), said(await give())]).toEqual([false, '400 invalid_grant']);
    await change('PATCH', `/trusted-issuers/${at(IDP)}`, { jwks: idp.jwks });
  });

  it('the issuer: its tokens, its assertions, and those from before should it be trusted again', async () => {
    const soon = { iat: nowSeconds() + 5, exp: nowSeconds() + 200 };
    const [out, assertion] = [await token(soon), assertionOf()];
    const { receipt } = await change('DELETE', `/trusted-issuers/${at(IDP)}`);
    expect(receipt.access_tokens).toBeGreaterThanOrEqual(1);
    expect([await active(out), said(await send(assertion))]).toEqual([false, '400 invalid_grant']);
    const trusted = { issuer: IDP, name: 'Example Corp', purposes: ['id_jag'], jwks: idp.jwks };
    await change('POST', '/trusted-issuers', { ...trusted, rules: { id_jag: RULES } });
    const old = assertionOf({ iat: nowSeconds() - 20, exp: nowSeconds() + 100 });
    expect([await active(out), said(await send(old))]).toEqual([false, '400 invalid_grant']);
    expect(said(await give(soon))).toBe(WRITE);
  });
});

describe('beside what users decide', () => {
  const later = () => ({ iat: nowSeconds() + 10, exp: nowSeconds() + 200 });

  it('no code flow reuses it: the user is asked, and the answer replaces it', async () => {
    const { body } = await give(later());
    const params = { requested_actor: undefined, scope: 'files:read' };
    const authorized = await authorize(t, { params });
    expect(authorized.code).not.toBe('');
    const { body: own } = await redeem(t, authorized, { actor_token: undefined });
    const [byUser] = String(claimsOf(own.access_token).jti).split('.');
    expect([await active(body.access_token), await active(own.access_token)]).toEqual([
      false,
      true,
    ]);
    const { body: next } = await give(later());
    expect(String(claimsOf(next.access_token).jti).split('.')[0]).toBe(byUser);
    // It widened nothing of theirs.
    const consent = await change('GET', `/consents/${byUser}`);
    expect([consent.granted, next.scope]).toEqual([['files:list', 'files:read'], WRITE]);
  });

  it('a bound client’s assertions carry its agent, as its other flows do', async () => {
    await change('PATCH', `/clients/${HOST}`, { agent_id: AGENT });
    const { body } = await give(later());
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: ANA.id,
      act: { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
      actor_proof: 'client_binding',
      agent_scope: WRITE,
    });
    await change('PATCH', `/clients/${HOST}`, { agent_id: null });
    expect(await active(body.access_token)).toBe(false);
  });
});

describe('a user found by address', () => {
  const later = () => ({ iat: nowSeconds() + 15, exp: nowSeconds() + 200 });
  const mail = (more: object) => ({ ...later(), email: BEN.email, email_verified: true, ...more });
  const byAddress = { subject: 'email', email_domains: ['example.com'] };

  it('incident 17: only where the issuer is the authority of the domain, and says that it checked', async () => {
    expect(said(await give(mail({ sub: 'b1' })))).toBe('400 invalid_grant');
    await withRules(byAddress);
    expect(said(await give(mail({ sub: 'b1', email_verified: undefined })))).toBe(
      '400 invalid_grant',
    );
    expect(said(await give(mail({ sub: 'b1', email_verified: 'true' })))).toBe('400 invalid_grant');
    await withRules({ ...byAddress, email_domains: ['other.example'] });
    expect(said(await give(mail({ sub: 'b1' })))).toBe('400 invalid_grant');
    await withRules(byAddress);
    const { body } = await give(mail({ sub: 'b1' }));
    expect(claimsOf(body.access_token).sub).toBe(BEN.id);
  });

  it('incident 30: the subject means them from then on, and the address brings nobody else', async () => {
    expect(said(await give(mail({ sub: 'b2' })))).toBe('400 invalid_grant');
    expect((await newest('token.refused')).detail.rule).toBe('recycled_subject');
    const { body } = await give(mail({ sub: 'b1', email: 'moved@example.com' }));
    expect(claimsOf(body.access_token).sub).toBe(BEN.id);
    // A mapping goes before any address.
    const anas = await give(mail({ sub: 'ana' }));
    expect(claimsOf(anas.body.access_token).sub).toBe(ANA.id);
    await withRules({});
  });
});

describe('discovery (RFC 8414, ID-JAG §7.2)', () => {
  const document = async (url: string) =>
    (await fetch(`${url}/.well-known/oauth-authorization-server`)).json();

  it('tells of it where it is on, and of nothing where it is off', async () => {
    const on = (await document(t.issuer)) as Record<string, unknown>;
    expect(on.authorization_grant_profiles_supported).toEqual([
      'urn:ietf:params:oauth:grant-profile:id-jag',
    ]);
    expect(on.grant_types_supported).toContain(JWT_BEARER);
    const off = await startTestBroker();
    const plain = (await document(off.issuer)) as Record<string, unknown>;
    expect(plain).not.toHaveProperty('authorization_grant_profiles_supported');
    expect(plain.grant_types_supported).not.toContain(JWT_BEARER);
    const answer = await postToken(off, HOST, { grant_type: JWT_BEARER, assertion: 'x' });
    expect(said(answer)).toBe('400 unsupported_grant_type');
    await off.close();
  });
});
