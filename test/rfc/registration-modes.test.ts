// Who may register (RFC 7591 §3): nobody, with a token, on a listed domain; what somebody trusted says of
// them (§2.3); how many, and how long it lasts (DC3, DC4, DC10, K8, Q22).
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trustedIssuers } from '../../schema/index.js';
import {
  type RegistrationSettings,
  registrationDefaults,
} from '../../src/broker/registration-settings.js';
import { ADMIN_TOKEN, type Answer, startTestBroker, type TestBroker } from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import {
  bearer,
  type Metadata,
  manage,
  register,
  registered,
  sendJson,
} from '../support/registration.js';

let t: TestBroker;
/** One broker for each way of letting clients in. */
const letIn = (more: Partial<RegistrationSettings> = {}) => {
  beforeAll(async () => {
    const registration = { ...registrationDefaults(), ...more };
    t = await startTestBroker({ config: { registration, trustedProxies: 1 } });
  });
  afterAll(() => t.close());
};

let n = 0;
const app = (more: Metadata = {}): Metadata => {
  n += 1;
  return {
    client_name: `App ${n}`,
    redirect_uris: [`https://app${n}.example/cb`],
    token_endpoint_auth_method: 'none',
    ...more,
  };
};
const seen = ({ status, body }: Answer) => [status, body?.error];
const initialToken = async (more: object = {}) => {
  const path = `${t.issuer}/admin/v1/initial-access-tokens`;
  const { status, body } = await sendJson(path, 'POST', more, bearer(ADMIN_TOKEN));
  expect(status).toBe(201);
  return body as { id: string; token: string };
};
const clients = async (): Promise<number> => {
  const [row] = await t.opened.db.run<{ n: number }>(
    "select count(*)::int as n from clients where origin = 'registration'",
  );
  return row?.n ?? 0;
};

describe('off', () => {
  letIn({ mode: 'off' });
  it('there is no such place, and discovery does not say there is', async () => {
    expect((await fetch(`${t.issuer}/register`, { method: 'POST' })).status).toBe(404);
    const { body } = await sendJson(`${t.issuer}/.well-known/oauth-authorization-server`, 'GET');
    expect(body).not.toHaveProperty('registration_endpoint');
  });
});

describe('token', () => {
  letIn({ mode: 'token' });
  it('DC3: without one, 401 and how to ask; with one, once; a wrong one never', async () => {
    const none = await register(t, app());
    expect([...seen(none), none.headers.get('www-authenticate')]).toEqual([
      401,
      'invalid_token',
      'Bearer realm="registration"',
    ]);
    const { id, token } = await initialToken();
    for (const wrong of ['x'.repeat(43), `${token}x`, '', 'not a token', ADMIN_TOKEN]) {
      const answer = await register(t, app(), bearer(wrong));
      expect([...seen(answer), answer.headers.get('www-authenticate')]).toEqual([
        401,
        'invalid_token',
        'Bearer realm="registration", error="invalid_token"',
      ]);
    }
    // What fails burns nothing.
    expect(seen(await register(t, { redirect_uris: ['ftp://x'] }, bearer(token)))).toEqual([
      400,
      'invalid_redirect_uri',
    ]);
    const made = await registered(t, app(), bearer(token));
    expect(seen(await register(t, app(), bearer(token)))).toEqual([401, 'invalid_token']);
    const { body } = await sendJson(
      `${t.issuer}/admin/v1/initial-access-tokens/${id}`,
      'GET',
      undefined,
      bearer(ADMIN_TOKEN),
    );
    expect(body).toMatchObject({ used_at: expect.any(String), used_by: made.client_id });
    const [event] = await t.opened.db.run<{ detail: Metadata }>(
      "select detail from audit_events where type = 'registry.created' and client_id = $1",
      [made.client_id],
    );
    expect(event?.detail.initial_token).toBe(id);
    expect(await clients()).toBe(1);
  });

  it('one that expired or was removed is none', async () => {
    const [removed, expired] = [await initialToken(), await initialToken()];
    const path = `${t.issuer}/admin/v1/initial-access-tokens/${removed.id}`;
    expect((await sendJson(path, 'DELETE', undefined, bearer(ADMIN_TOKEN))).status).toBe(204);
    await t.opened.db.run(
      "update initial_access_tokens set expires_at = clock_timestamp() - interval '1 second' where id = $1",
      [expired.id],
    );
    for (const { token } of [removed, expired]) {
      expect(seen(await register(t, app(), bearer(token)))).toEqual([401, 'invalid_token']);
    }
  });

  it('no token lives longer than a year, and none begins in the past', async () => {
    const path = `${t.issuer}/admin/v1/initial-access-tokens`;
    for (const days of [-1, 400]) {
      const expires_at = new Date(Date.now() + days * 864e5).toISOString();
      const { status, body } = await sendJson(path, 'POST', { expires_at }, bearer(ADMIN_TOKEN));
      expect([days, status, body.errors[0].field]).toEqual([days, 400, 'expires_at']);
    }
  });
});

describe('open', () => {
  letIn();
  it('who came with one is nobody’s twin, and manages itself', async () => {
    const body = app();
    const shared = await registered(t, body);
    const made = await registered(t, body, bearer((await initialToken()).token));
    expect(made.client_id).not.toBe(shared.client_id);
    expect((await manage('GET', made)).status).toBe(200);
    expect((await manage('GET', shared)).status).toBe(200);
  });

  it('one that is shown must be good all the same', async () => {
    expect(seen(await register(t, app(), bearer('x'.repeat(43))))).toEqual([401, 'invalid_token']);
    expect((await register(t, app())).status).toBe(201);
  });
});

describe('domain', () => {
  letIn({ mode: 'domain', domains: ['claude.ai', '*.example.com'] });
  it.each([
    [['https://claude.ai/api/mcp/auth_callback'], 201],
    [['https://a.b.example.com/cb'], 201],
    [['http://127.0.0.1:3000/cb', 'cursor://anysphere.cursor-mcp/cb'], 201],
    [['https://claude.ai/cb', 'http://localhost/cb'], 201],
    [['https://evil.example/cb'], 400],
    [['https://claude.ai/cb', 'https://evil.example/cb'], 400],
    [['https://claude.ai.evil.example/cb'], 400],
    [['https://x.claude.ai/cb'], 400],
    [['https://example.com/cb'], 400],
    [['https://evilexample.com/cb'], 400],
  ])('%j: %i', async (redirect_uris, status) => {
    const answer = await register(t, app({ redirect_uris }));
    expect([answer.status, answer.body.error]).toEqual([
      status,
      status === 201 ? undefined : 'invalid_redirect_uri',
    ]);
  });

  it('a change does not lead out of it (RFC 7592 §2.2)', async () => {
    const made = await registered(t, app({ redirect_uris: ['https://claude.ai/cb'] }));
    const { client_id } = made;
    const body = { client_id, redirect_uris: ['https://evil.example/cb'] };
    expect(seen(await manage('PUT', made, { body }))).toEqual([400, 'invalid_redirect_uri']);
  });
});

describe('software statements (RFC 7591 §2.3, DC4)', () => {
  letIn();
  const STORE = 'https://store.example';
  let key: CryptoKey;
  let jwk: Record<string, unknown>;
  let foreign: CryptoKey;
  beforeAll(async () => {
    const pair = await generateKeyPair('ES256');
    key = pair.privateKey;
    jwk = { ...(await exportJWK(pair.publicKey)), kid: 'store' };
    foreign = (await generateKeyPair('ES256')).privateKey;
    await trust();
  });
  const trust = (more: object = {}) =>
    t.opened.db.orm.insert(trustedIssuers).values({
      issuer: STORE,
      name: 'Store',
      purposes: ['software_statement'],
      jwks: { keys: [jwk] },
      ...more,
    });
  const statement = (claims: JWTPayload = {}, header: object = {}, by = key) =>
    new SignJWT({ iss: STORE, client_name: 'Vouched', software_id: 'sw-1', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'store', ...header })
      .sign(by);

  it('what it says wins over what stands beside it, and it is told again', async () => {
    const software_statement = await statement({
      redirect_uris: ['https://vouched.example/cb'],
      sub: 'usr_ana',
      client_id: 'cli_host',
    });
    const made = await registered(t, app({ software_statement, client_name: 'Claude' }));
    expect(made).toMatchObject({
      client_id: expect.stringMatching(/^cli_[\w-]{20}$/),
      client_name: 'Vouched',
      software_id: 'sw-1',
      redirect_uris: ['https://vouched.example/cb'],
      software_statement,
    });
    const { client_id } = made;
    const body = { client_id, redirect_uris: ['https://other.example/cb'], client_name: 'Claude' };
    expect(seen(await manage('PUT', made, { body }))).toEqual([400, 'invalid_software_statement']);
    const changed = await manage('PUT', made, { body: { ...body, software_statement } });
    expect(changed.body).toMatchObject({
      client_name: 'Vouched',
      redirect_uris: ['https://vouched.example/cb'],
    });
  });

  it.each<[string, () => Promise<unknown> | unknown]>([
    ['signed by somebody else', () => statement({}, {}, foreign)],
    ['that has expired', () => statement({ exp: 1 })],
    ['from the future', () => statement({ iat: 4_000_000_000 })],
    ['for somebody else', () => statement({ aud: 'https://other.example' })],
    ['that is an access token', () => statement({}, { typ: 'at+jwt' })],
    ['whose type is no word (J7)', () => statement({}, { typ: 5 })],
    ['that is an ID-JAG', () => statement({}, { typ: 'oauth-id-jag+jwt' })],
    ['without an issuer', () => statement({ iss: undefined as never })],
    [
      'with a crit header',
      async () =>
        `${btoa('{"alg":"none","crit":["x"]}').replace(/=/g, '')}.${(await statement()).split('.').slice(1).join('.')}`,
    ],
    [
      'without a signature',
      async () =>
        `${btoa('{"alg":"none"}').replace(/=/g, '')}.${(await statement()).split('.')[1]}.`,
    ],
    ['that is no JWT', () => 'words'],
    ['that is an object', () => ({ iss: STORE })],
    ['with an odd exp', () => statement({ exp: 'never' as never })],
  ])('one %s is invalid', async (_name, make) => {
    const before = await clients();
    const answer = await register(t, app({ software_statement: await make() }));
    expect(seen(answer)).toEqual([400, 'invalid_software_statement']);
    expect(await clients()).toBe(before);
  });

  it.each<[string, object | undefined]>([
    ['nobody knows', undefined],
    ['is trusted for something else', { purposes: ['id_jag'] }],
    ['was retired', { status: 'retired' }],
    ['is written otherwise', { issuer: 'https://other.example/' }],
  ])('one whose issuer %s is not approved; as it should be, it is', async (name, wrong) => {
    const iss = `https://${name.replace(/ /g, '-')}.example`;
    const ask = async () =>
      seen(await register(t, app({ software_statement: await statement({ iss }) })));
    if (wrong !== undefined) await trust({ issuer: iss, ...wrong });
    expect(await ask()).toEqual([400, 'unapproved_software_statement']);
    await t.opened.db.run('delete from trusted_issuers where issuer = $1', [iss]);
    await trust({ issuer: iss });
    await t.opened.db.run('update policy_epoch set epoch = epoch + 1');
    await eventually(async () => expect(await ask()).toEqual([201, undefined]));
  });
});

describe('K8: how many, a network', () => {
  letIn({ perNetwork: 2 });
  it('a network has its quota, another has its own; 429 says when to come back', async () => {
    const from = (address: string) => register(t, app(), { 'x-forwarded-for': address });
    const answers = [
      await from('2001:db8:1:1::1'),
      await from('2001:db8:1:1::2'),
      await from('2001:db8:1:1:ffff::3'),
      await from('2001:db8:1:2::1'),
      await from('192.0.2.1'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 429, 201, 201]);
    const { headers, body } = answers[2] as Answer;
    expect(body).toEqual({
      error: 'temporarily_unavailable',
      error_description: expect.any(String),
    });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(3000);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(3600);
    expect(await clients()).toBe(4);
    await t.opened.db.run(
      "update client_registrations set created_at = created_at - interval '61 minutes'",
    );
    expect((await from('2001:db8:1:1::1')).status).toBe(201);
  });
});

describe('K8: how many, all together', () => {
  letIn({ total: 1 });
  it('all have one together; whoever has an initial access token, or is there already, is not counted', async () => {
    const body = app();
    const from = (address: string, more: object = {}, headers = {}) =>
      register(t, { ...body, ...more }, { 'x-forwarded-for': address, ...headers });
    expect((await from('192.0.2.1')).status).toBe(201);
    expect((await from('192.0.2.2')).status).toBe(429);
    expect((await from('192.0.2.1')).status).toBe(201);
    const { token } = await initialToken();
    expect((await from('192.0.2.3', {}, bearer(token))).status).toBe(201);
    expect(await clients()).toBe(2);
  });
});

describe('K8: how many, what is gone', () => {
  letIn({ perNetwork: 1 });
  it('one that deleted itself counts on: making room is no way round', async () => {
    const made = await registered(t, app());
    expect((await manage('DELETE', made)).status).toBe(204);
    expect((await register(t, app())).status).toBe(429);
  });
});
