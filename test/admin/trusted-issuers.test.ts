// What may be registered of another issuer, over the admin API: each refusal names its field, and nothing
// is half written.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../../src/broker/admin/registry.js';
import { callAdmin } from '../support/admin.js';
import { ADMIN_TOKEN, startTestBroker, type TestBroker } from '../support/broker.js';
import { CLUSTER, createIdp, IDP } from '../support/idp.js';
import { ANA, BEN, FILES, HOST } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const admin = (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });
const at = encodeURIComponent;
const idp = createIdp(IDP);
const RULES = { resources: [{ resource: FILES }], clients: [HOST] };
const GOOD = {
  issuer: IDP,
  name: 'Example Corp',
  purposes: ['id_jag'],
  jwks: idp.jwks,
  rules: { id_jag: RULES },
};
const rule = (more: object) => ({ ...GOOD, rules: { id_jag: { ...RULES, ...more } } });
const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  format: 'jwk',
});
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'jwk',
});

describe('an issuer that is not registered', () => {
  const rows: readonly (readonly [what: string, body: object, field: string, message: RegExp])[] = [
    [
      'over http, and not this machine’s',
      { ...GOOD, issuer: 'http://idp.example' },
      'issuer',
      /https/,
    ],
    ['with a fragment', { ...GOOD, issuer: `${IDP}#a` }, 'issuer', /https/],
    ['with somebody’s password', { ...GOOD, issuer: 'https://a:b@idp.example' }, 'issuer', /https/],
    ['for nothing', { ...GOOD, purposes: [] }, 'purposes', /empty/],
    ['for what there is not', { ...GOOD, purposes: ['everything'] }, 'purposes.0', /./],
    ['without keys', { ...GOOD, jwks: undefined }, 'jwks', /jwks_uri/],
    ['with keys from two places', { ...GOOD, jwks_uri: `${IDP}/jwks` }, 'jwks', /not both/],
    ['with a private key', { ...GOOD, jwks: { keys: [privateJwk] } }, 'jwks.keys.0.d', /private/],
    ['with a weak key', { ...GOOD, jwks: { keys: [weak] } }, 'jwks.keys.0.n', /bits/],
    [
      'with a secret',
      { ...GOOD, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } },
      'jwks.keys.0.kty',
      /public keys only/,
    ],
    [
      'with two keys of one name',
      { ...GOOD, jwks: { keys: [idp.publicJwk, createIdp(IDP).publicJwk] } },
      'jwks.keys.1.kid',
      /another key/,
    ],
    ['with a field nobody knows', { ...GOOD, everything: true }, 'everything', /known/],
    ['without rules for what it asserts', { ...GOOD, rules: {} }, 'rules.id_jag', /needed/],
    ['with rules of no use', { ...GOOD, purposes: ['workload'] }, 'rules.id_jag', /of no use/],
    [
      'for a resource there is not',
      rule({ resources: [{ resource: 'https://no.example' }] }),
      'rules.id_jag.resources.0.resource',
      /names no resource/,
    ],
    [
      'for a scope there is not',
      rule({ resources: [{ resource: FILES, scopes: ['x'] }] }),
      'rules.id_jag.resources.0.scopes.0',
      /no scope/,
    ],
    [
      'for a client there is not',
      rule({ clients: ['cli_nobody'] }),
      'rules.id_jag.clients.0',
      /no client/,
    ],
    [
      'by address, of every domain',
      rule({ subject: 'email' }),
      'rules.id_jag.email_domains',
      /domains/,
    ],
    [
      'with domains of no use',
      rule({ email_domains: ['example.com'] }),
      'rules.id_jag.email_domains',
      /of no use/,
    ],
    [
      'with a pattern for a domain',
      rule({ subject: 'email', email_domains: ['*.com'] }),
      'rules.id_jag.email_domains.0',
      /domain/,
    ],
    [
      'with assertions of a day',
      rule({ max_age_seconds: 86_400 }),
      'rules.id_jag.max_age_seconds',
      /3600/,
    ],
  ];

  it.each(rows)('%s', async (_what, body, field, message) => {
    const { status, body: problem } = await admin('POST', '/trusted-issuers', body);
    expect([status, problem.errors[0].field]).toEqual([400, field]);
    expect(problem.errors[0].message).toMatch(message);
    expect((await admin('GET', '/trusted-issuers')).body.items).toEqual([]);
  });

  it('DESIGN §12: http on this machine is for development only', async () => {
    const local = { ...GOOD, issuer: 'http://127.0.0.1:9/idp' };
    const registry = createRegistry({
      db: t.opened.db,
      issuer: 'https://broker.example',
      hashSecret: (secret) => secret,
      hashPassword: async (password) => password,
    });
    const input = { ...local, rules: undefined, purposes: ['workload'] } as never;
    await expect(registry.trust.create('cli', input)).rejects.toThrow('issuer must be https');
    const made = await admin('POST', '/trusted-issuers', local);
    expect(made.status).toBe(201);
    expect((await admin('DELETE', `/trusted-issuers/${at(local.issuer)}`)).status).toBe(200);
  });

  it('this server itself', async () => {
    const { status, body } = await admin('POST', '/trusted-issuers', { ...GOOD, issuer: t.issuer });
    expect([status, body.errors[0].field]).toEqual([400, 'issuer']);
  });
});

describe('an issuer that is', () => {
  it('is shown as it was registered, and not registered twice', async () => {
    const wanted = rule({ subject: 'email', email_domains: ['example.com'], max_age_seconds: 60 });
    const { status, body } = await admin('POST', '/trusted-issuers', wanted);
    const shown = { ...wanted, jwks_uri: null, status: 'active', created_at: expect.any(String) };
    expect([status, body]).toEqual([201, shown]);
    expect((await admin('GET', `/trusted-issuers/${at(IDP)}`)).body).toEqual(body);
    expect((await admin('POST', '/trusted-issuers', GOOD)).status).toBe(409);
  });

  it('may be trusted again once it is retired, and not changed meanwhile', async () => {
    const path = `/trusted-issuers/${at(IDP)}`;
    expect((await admin('DELETE', path)).status).toBe(200);
    expect((await admin('PATCH', path, { name: 'X' })).status).toBe(409);
    expect((await admin('DELETE', path)).status).toBe(409);
    expect((await admin('POST', '/trusted-issuers', GOOD)).body.rules).toEqual(GOOD.rules);
  });

  it('incident 30, L3: a subject means one user, until that user is gone for good', async () => {
    const add = (user: string, subject = 'ana') =>
      admin('POST', `/users/${user}/identities`, { issuer: IDP, subject });
    const { body: user } = await admin('POST', '/users', { email: 'x@example.com', name: 'X' });
    expect((await add(user.id)).status).toBe(201);
    expect((await add(user.id)).status).toBe(201);
    expect((await add(ANA.id)).status).toBe(409);
    await admin('PUT', `/users/${user.id}/status`, { status: 'disabled', reason: 'away' });
    expect((await add(ANA.id)).status).toBe(409);
    await admin('DELETE', `/users/${user.id}`);
    expect((await add(user.id, 'late')).status).toBe(409);
    expect((await add(ANA.id)).body).toMatchObject({ user_id: ANA.id, created_by: 'admin' });
    expect((await add('usr_nobody')).status).toBe(404);
    const foreign = await admin('POST', `/users/${BEN.id}/identities`, {
      issuer: CLUSTER,
      subject: 'x',
    });
    expect([foreign.status, foreign.body.errors[0].field]).toEqual([400, 'issuer']);
    const remove = (who: string) => admin('DELETE', `/users/${who}/identities/${at(IDP)}/ana`);
    expect([(await remove(BEN.id)).status, (await remove(ANA.id)).status]).toEqual([404, 200]);
    expect((await admin('GET', `/users/${ANA.id}/identities`)).body.items).toEqual([]);
  });
});
