// RFC 8705 §3 tokens bound to the certificate of whoever presents them, in every grant; §3.1 cnf, §3.4
// clients that get no others. Rows PP4, PP6, TX17 of the checklist.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVerifier } from '../../src/verifier/index.js';
import {
  type Answer,
  authFor,
  authorize,
  basic,
  claimsOf,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { certificate, type TestCertificate } from '../support/client-certificates.js';
import { admin } from '../support/keys.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, CALLBACK, FILES, FILES_CLIENT, HOST, OTHER_AGENT } from '../support/world.js';
import { dpopProof, heldKey } from './support/keys.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let t: TestBroker;
const own = certificate({ dns: 'own.example' });
const others = certificate({ dns: 'other.example' });
beforeAll(async () => {
  const clientCertificates = { header: 'client-cert', from: ['127.0.0.1'] };
  t = await startTestBroker({ config: { trustedProxies: 1, clientCertificates } });
  await letTakeWork(t.opened.db);
});
afterAll(() => t.close());

type Fields = Record<string, string>;

const token = (
  id: string,
  fields: Fields,
  shown?: TestCertificate,
  more: Fields = {},
): Promise<Answer> =>
  postForm(`${t.issuer}/token`, fields, {
    ...authFor(t, id),
    ...(shown === undefined ? {} : { 'client-cert': shown.clientCert }),
    ...more,
  });
const proof = async (key = heldKey()): Promise<Fields> => ({
  dpop: await dpopProof(await key, `${t.issuer}/token`),
});
const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };

async function bound<T>(path: string, work: () => Promise<T>): Promise<T> {
  await admin(t, 'PATCH', path, { certificate_bound: true });
  try {
    return await work();
  } finally {
    await admin(t, 'PATCH', path, { certificate_bound: false });
  }
}
const AGENT_PATH = `/agents/${AGENT}`;
const HOST_PATH = `/clients/${HOST}`;

async function codeFields(shown?: TestCertificate): Promise<Fields> {
  const actor = await token(AGENT, { ...OWN, resource: t.issuer, scope: '' }, shown);
  const { code, verifier } = await authorize(t);
  return {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: CALLBACK,
    actor_token: actor.body.access_token,
  };
}
const boundToken = async (): Promise<string> =>
  bound(AGENT_PATH, async () => (await token(AGENT, OWN, own)).body.access_token);

const MISSING = {
  error: 'invalid_request',
  error_description: 'tokens of this client are bound to its certificate: connect with it',
};

describe('§3.4 a client with tls_client_certificate_bound_access_tokens', () => {
  const ROWS: ReadonlyArray<readonly [string, string, string, () => Promise<Fields>]> = [
    ['client_credentials', AGENT, AGENT_PATH, async () => OWN],
    ['an actor token', AGENT, AGENT_PATH, async () => ({ ...OWN, resource: t.issuer, scope: '' })],
    [
      'token exchange',
      AGENT,
      AGENT_PATH,
      async () => ({
        grant_type: EXCHANGE,
        subject_token: (await token(AGENT, OWN, own)).body.access_token,
        subject_token_type: ACCESS_TOKEN,
      }),
    ],
    ['a code', HOST, HOST_PATH, () => codeFields()],
    [
      'a refresh token',
      HOST,
      HOST_PATH,
      async () => {
        const { body } = await token(HOST, await codeFields());
        return { grant_type: 'refresh_token', refresh_token: body.refresh_token };
      },
    ],
  ];

  it.each(ROWS)('gets no other, by %s', async (_grant, id, path, fieldsOf) => {
    // A live bearer token would stop when the switch comes on: what is exchanged is of after that.
    const early = id === HOST ? await fieldsOf() : undefined;
    await bound(path, async () => {
      const fields = early ?? (await fieldsOf());
      const bare = await token(id, fields);
      expect([bare.status, bare.body]).toEqual([400, MISSING]);
      const answer = await token(id, fields, own);
      expect([answer.status, answer.body.token_type]).toEqual([200, 'Bearer']);
      expect(claimsOf(answer.body.access_token).cnf).toEqual({ 'x5t#S256': own.thumbprint });
    });
  });

  it('everybody else gets what they asked for, certificate or not', async () => {
    const { body } = await token(AGENT, OWN, own);
    expect(claimsOf(body.access_token).cnf).toBeUndefined();
  });
});

describe('§3.1, §3.2 what is bound', () => {
  it('says so at introspection, and is no DPoP token', async () => {
    const authorization = basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '');
    const { body } = await postForm(
      `${t.issuer}/introspect`,
      { token: await boundToken() },
      { authorization },
    );
    expect(body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      cnf: { 'x5t#S256': own.thumbprint },
    });
  });

  it('a verifier takes it over a connection with that certificate, and no other', async () => {
    const clientSecret = t.secrets[FILES_CLIENT] ?? '';
    const client = { clientId: FILES_CLIENT, clientSecret };
    const verifier = createVerifier({
      issuer: t.issuer,
      resource: FILES,
      client,
      revocation: 'off',
    });
    const access = await boundToken();
    expect(await verifier.verify(access, { clientCertificate: own.x509.raw })).toMatchObject({
      binding: { x5t: own.thumbprint },
    });
    for (const clientCertificate of [undefined, others.x509.raw]) {
      await expect(verifier.verify(access, { clientCertificate })).rejects.toMatchObject({
        reason: 'certificate_mismatch',
      });
    }
    await verifier.close();
  });
});

describe('TX17, PP4 token exchange: bound in, bound out', () => {
  const exchange = (
    id: string,
    subject_token: string,
    shown?: TestCertificate,
    more: Fields = {},
  ) =>
    token(
      id,
      { grant_type: EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN },
      shown,
      more,
    );

  it('its holder goes on with the certificate, and keeps the binding unasked', async () => {
    const access = await boundToken();
    for (const refused of [await exchange(AGENT, access), await exchange(AGENT, access, others)]) {
      expect([refused.status, refused.body.error]).toEqual([400, 'invalid_request']);
    }
    // A key of its own instead is not the certificate.
    expect((await exchange(AGENT, access, undefined, await proof())).status).toBe(400);
    const less = await exchange(AGENT, access, own);
    expect(claimsOf(less.body.access_token).cnf).toEqual({ 'x5t#S256': own.thumbprint });
  });

  it('whoever takes it over is bound to what they show: a certificate, or a key', async () => {
    const access = await boundToken();
    expect((await exchange(OTHER_AGENT, access)).body.error).toBe('invalid_request');
    const byCertificate = await exchange(OTHER_AGENT, access, others);
    expect(claimsOf(byCertificate.body.access_token).cnf).toEqual({
      'x5t#S256': others.thumbprint,
    });
    const key = await heldKey();
    const byKey = await exchange(OTHER_AGENT, access, undefined, await proof(Promise.resolve(key)));
    expect(byKey.body.token_type).toBe('DPoP');
    expect(claimsOf(byKey.body.access_token).cnf).toEqual({ jkt: key.thumbprint });
  });
});

it('PP6 an actor token that is bound counts only over a connection with its certificate', async () => {
  const attempt = async (shown?: TestCertificate, more: Fields = {}) => {
    const fields = await bound(AGENT_PATH, () => codeFields(own));
    return token(HOST, fields, shown, more);
  };
  for (const refused of [
    await attempt(),
    await attempt(others),
    await attempt(undefined, await proof()),
  ]) {
    expect([refused.status, refused.body]).toEqual([
      400,
      {
        error: 'invalid_grant',
        error_description: 'actor_token does not prove the agent this authorization names',
      },
    ]);
  }
  expect((await attempt(own)).status).toBe(200);
});

it('a lost answer to a refresh is given again over the same certificate only (DESIGN §6)', async () => {
  const { body } = await token(HOST, await codeFields());
  await bound(HOST_PATH, async () => {
    const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    const first = await token(HOST, refresh, own);
    expect(first.status).toBe(200);
    const again = await token(HOST, refresh, own);
    expect(again.body.access_token).toBe(first.body.access_token);
    expect((await token(HOST, refresh, others)).body.error).toBe('invalid_grant');
  });
});
