// RFC 8705 clients that prove themselves by a certificate (§2), as a proxy that is believed tells of it
// (RFC 9440): by its names, or by being the one that was registered. Rows PP5 and K3 of the checklist, P7.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answer,
  authFor,
  basic,
  claimsOf,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  type CertificateOptions,
  certificate,
  type TestCertificate,
} from '../support/client-certificates.js';
import { admin } from '../support/keys.js';
import { AGENT, FILES, FILES_CLIENT } from '../support/world.js';
import { assertionFields, heldKey } from './support/keys.js';

const ORIGIN = 'https://mtls.broker.example';
const SETTINGS = {
  header: 'client-cert',
  verifiedHeader: 'x-client-verify',
  from: ['127.0.0.0/8', '::1'],
  origin: ORIGIN,
};
const CONFIG = { trustedProxies: 1, clientCertificates: SETTINGS };

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ config: CONFIG });
});
afterAll(() => t.close());

const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
type Headers = Record<string, string>;

const ask = (id: string, headers: Headers, more: Record<string, string> = {}, at = t) =>
  postForm(`${at.issuer}/token`, { ...OWN, client_id: id, ...more }, headers);
const showing = ({ clientCert }: TestCertificate, verified = 'SUCCESS'): Headers => ({
  'client-cert': clientCert,
  'x-client-verify': verified,
});

const REFUSED = {
  error: 'invalid_client',
  error_description: 'client authentication failed',
};
const refused = ({ status, body }: Answer) => expect([status, body]).toEqual([401, REFUSED]);

let made = 0;
/** An agent that proves itself so, and may read files. */
async function agentWith(
  auth: string,
  credential: object,
  at = t,
): Promise<{ id: string; credentialId: string }> {
  made += 1;
  const id = `agt_tls${made}`;
  expect((await admin(at, 'POST', '/agents', { id, name: id, owner: 'Ops', auth })).status).toBe(
    201,
  );
  await admin(at, 'PUT', `/permissions/${id}/${encodeURIComponent(FILES)}`, {
    scopes: ['files:read'],
  });
  const added = await admin(at, 'POST', `/agents/${id}/credentials`, {
    kind: 'certificate',
    ...credential,
  });
  expect([added.status, added.body]).toMatchObject([201, { kind: 'certificate' }]);
  return { id, credentialId: added.body.id };
}

const SUBJECT = [
  ['C', 'DE'],
  ['O', 'Ex, ample'],
  ['CN', 'agent'],
] as const;

describe('§2.1 tls_client_auth: by one name in a verified certificate', () => {
  const ROWS: ReadonlyArray<
    readonly [string, object, CertificateOptions, readonly CertificateOptions[]]
  > = [
    [
      'subject_dn (RFC 4514)',
      { subject_dn: 'cn=agent, O=Ex\\, ample,C=DE' },
      { subject: SUBJECT },
      [
        { subject: [...SUBJECT].reverse() },
        { subject: SUBJECT.slice(1) },
        { subject: [...SUBJECT, ['CN', 'x']] },
        {
          subject: [
            ['C', 'DE'],
            ['O', 'Ex, ample'],
            ['CN', 'Agent'],
          ],
        },
        { subject: [['CN', 'agent,O=Ex\\, ample,C=DE']] },
        {},
      ],
    ],
    [
      'san_dns',
      { san_dns: 'agent.example' },
      { dns: 'agent.example' },
      [
        { dns: '*.example' },
        { dns: 'agent.example.evil' },
        { dns: 'x.agent.example' },
        { subject: [['CN', 'agent.example']] },
        { uri: 'https://agent.example' },
      ],
    ],
    [
      'san_uri',
      { san_uri: 'spiffe://example/agent' },
      { uri: 'spiffe://example/agent' },
      [
        { uri: 'spiffe://example/agent/' },
        { uri: 'spiffe://x, URI:spiffe://example/agent' },
        { dns: 'URI:spiffe://example/agent' },
        { subject: [['CN', 'spiffe://example/agent']] },
      ],
    ],
    [
      'san_ip',
      { san_ip: '10.1.2.3' },
      { ip: '10.1.2.3' },
      [{ ip: '10.1.2.4' }, { dns: '10.1.2.3' }],
    ],
    [
      'san_email',
      { san_email: 'agent@example.com' },
      { email: 'agent@example.com' },
      [{ email: 'Agent@example.com.evil' }, { subject: [['CN', 'agent@example.com']] }],
    ],
  ];

  it.each(ROWS)('%s', async (_name, rule, good, others) => {
    const { id, credentialId } = await agentWith('tls_client_auth', { rule });
    const answer = await ask(id, showing(certificate(good)));
    expect([answer.status, answer.body.token_type]).toEqual([200, 'Bearer']);
    const claims = claimsOf(answer.body.access_token);
    expect([claims.sub, String(claims.jti).split('.')[0]]).toEqual([id, credentialId]);
    for (const other of others) refused(await ask(id, showing(certificate(other))));
    const forClient = { name: id, kind: 'service', auth: 'tls_client_auth' };
    const client = (await admin(t, 'POST', '/clients', forClient)).body.id;
    const taken = await admin(t, 'POST', `/clients/${client}/credentials`, {
      kind: 'certificate',
      rule,
    });
    expect([taken.status, taken.body.errors]).toEqual([
      409,
      [{ field: 'rule', message: 'proves another principal: it proves one identity only' }],
    ]);
  });

  describe('what proves nobody', () => {
    const good = certificate({ dns: 'one.example' });
    const at = (hours: number) => new Date(Date.now() + hours * 3600_000);
    let id = '';
    beforeAll(async () => {
      ({ id } = await agentWith('tls_client_auth', { rule: { san_dns: 'one.example' } }));
    });

    it.each<[string, () => Headers]>([
      ['no certificate', () => ({})],
      ['a chain the proxy did not verify', () => showing(good, 'FAILED:self-signed certificate')],
      ['a chain nobody speaks of', () => ({ 'client-cert': good.clientCert })],
      [
        'one that has expired',
        () => showing(certificate({ dns: 'one.example', validTo: at(-0.1) })),
      ],
      ['one not yet valid', () => showing(certificate({ dns: 'one.example', validFrom: at(0.1) }))],
      [
        'two of them',
        () => showing({ ...good, clientCert: `${good.clientCert}, ${good.clientCert}` }),
      ],
      ['what is no certificate', () => showing({ ...good, clientCert: ':AAAA:' })],
      [
        'the header under another name',
        () => ({ client_cert: good.clientCert, 'x-client-verify': 'SUCCESS' }),
      ],
    ])('%s', async (_what, headers) => {
      refused(await ask(id, headers()));
      const { body } = await admin(t, 'GET', `/audit?type=token.refused&limit=1`);
      expect(body.items[0].detail).toMatchObject({
        code: 'invalid_client',
        reason: expect.stringMatching(
          /^(client certificate was not provided|certificate subject value does not)/,
        ),
      });
    });

    it('nor does anything else in its place (K3), nor a certificate beside it (K4)', async () => {
      const key = await heldKey();
      refused(await ask(id, {}, await assertionFields(key, id, t.issuer)));
      refused(await ask(id, { ...showing(good), authorization: basic(id, 'a-secret') }));
      refused(await ask(id, {}, { client_secret: 'a-secret' }));
      expect((await ask(id, showing(good))).status).toBe(200);
    });

    it('a client with a secret is not proved by a certificate (K3)', async () => {
      refused(await ask(AGENT, showing(good)));
      expect((await ask(AGENT, { ...showing(good), ...authFor(t, AGENT) })).status).toBe(200);
    });
  });
});

describe('§2.2 self_signed_tls_client_auth: by the very certificate', () => {
  it('whatever the proxy says of its chain; no other one with the same names', async () => {
    const own = certificate({ subject: SUBJECT });
    const { id } = await agentWith('self_signed_tls_client_auth', { certificate: own.pem });
    expect((await ask(id, showing(own, 'FAILED:self-signed certificate'))).status).toBe(200);
    refused(await ask(id, showing(certificate({ subject: SUBJECT }))));
    refused(await ask(id, {}));
  });

  it('one that is removed stops what it obtained, and is never good again', async () => {
    const own = certificate();
    const { id, credentialId } = await agentWith('self_signed_tls_client_auth', {
      certificate: own.pem,
    });
    const { body } = await ask(id, showing(own));
    const isActive = async () =>
      (
        await postForm(
          `${t.issuer}/introspect`,
          { token: body.access_token },
          { authorization: basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '') },
        )
      ).body.active;
    expect(await isActive()).toBe(true);
    const removed = await admin(t, 'DELETE', `/agents/${id}/credentials/${credentialId}`);
    expect(removed.body.receipt).toMatchObject({ access_tokens: 1 });
    refused(await ask(id, showing(own)));
    expect(await isActive()).toBe(false);
    const again = await admin(t, 'POST', `/agents/${id}/credentials`, {
      kind: 'certificate',
      certificate: own.pem,
    });
    expect([again.status, again.body.errors[0].message]).toEqual([
      409,
      'was removed before: a removed certificate is never good again',
    ]);
  });

  it('a name proves nothing there, nor a certificate where names count', async () => {
    const own = certificate({ dns: 'mixed.example' });
    const pinned = await agentWith('self_signed_tls_client_auth', {
      rule: { san_dns: 'mixed.example' },
    });
    const named = await agentWith('tls_client_auth', { certificate: own.pem });
    for (const { id } of [pinned, named]) refused(await ask(id, showing(own)));
  });
});

describe('the registry', () => {
  const add = (credential: object) =>
    admin(t, 'POST', `/agents/${AGENT}/credentials`, { kind: 'certificate', ...credential });

  it.each<[string, object, string]>([
    ['neither', {}, 'certificate'],
    ['both', { certificate: certificate().pem, rule: { san_dns: 'a.example' } }, 'certificate'],
    ['what is no certificate', { certificate: 'x' }, 'certificate'],
    ['two certificates', { certificate: certificate().pem + certificate().pem }, 'certificate'],
    ['no name', { rule: {} }, 'rule'],
    ['two names', { rule: { san_dns: 'a.example', san_ip: '10.0.0.1' } }, 'rule'],
    ['a name of another kind', { rule: { common_name: 'a' } }, 'rule.common_name'],
    ['a wildcard', { rule: { san_dns: '*.example' } }, 'rule.san_dns'],
    ['no distinguished name', { rule: { subject_dn: 'agent' } }, 'rule.subject_dn'],
    ['no address', { rule: { san_ip: '10.0.0' } }, 'rule.san_ip'],
  ])('refuses %s', async (_what, credential, field) => {
    const { status, body } = await add(credential);
    expect([status, body.errors?.[0]?.field]).toEqual([400, field]);
  });

  it('shows a certificate as its thumbprint, a name as what it is', async () => {
    const own = certificate();
    expect((await add({ certificate: own.pem, name: 'the box' })).body).toMatchObject({
      kind: 'certificate',
      name: 'the box',
      thumbprint: own.thumbprint,
      rule: null,
    });
    const rule = { san_uri: 'spiffe://shown' };
    expect((await add({ rule })).body).toMatchObject({ thumbprint: null, rule });
  });
});

describe('who is believed about it (P7)', () => {
  const good = certificate({ dns: 'peer.example' });
  const rule = { san_dns: 'peer.example' };

  it.each([
    [
      'a peer nobody named',
      { trustedProxies: 1, clientCertificates: { ...SETTINGS, from: ['10.0.0.1'] } },
    ],
    ['anybody, where no proxy is configured', {}],
  ])('not %s', async (_who, config) => {
    const other = await startTestBroker({ config });
    try {
      const { id } = await agentWith('tls_client_auth', { rule }, other);
      refused(await ask(id, showing(good), {}, other));
    } finally {
      await other.close();
    }
  });

  it('a proxy that writes PEM, percent-encoded, under a name of its own', async () => {
    const clientCertificates = { ...SETTINGS, header: 'x-ssl-cert' };
    const other = await startTestBroker({ config: { trustedProxies: 1, clientCertificates } });
    try {
      const { id } = await agentWith('tls_client_auth', { rule }, other);
      const pem = { 'x-ssl-cert': encodeURIComponent(good.pem), 'x-client-verify': '0' };
      expect((await ask(id, pem, {}, other)).status).toBe(200);
      refused(await ask(id, showing(good), {}, other));
    } finally {
      await other.close();
    }
  });
});

describe('RFC 8414 §2, RFC 8705 §3.3, §5 discovery', () => {
  const members = async ({ issuer }: { issuer: string }) => {
    const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`);
    const document = (await response.json()) as Record<string, unknown>;
    return [
      document.token_endpoint_auth_methods_supported,
      document.tls_client_certificate_bound_access_tokens,
      document.mtls_endpoint_aliases,
    ];
  };
  const ALWAYS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'];

  it('says what is on', async () => {
    expect(await members(t)).toEqual([
      [...ALWAYS, 'tls_client_auth', 'self_signed_tls_client_auth'],
      true,
      {
        token_endpoint: `${ORIGIN}/token`,
        pushed_authorization_request_endpoint: `${ORIGIN}/par`,
        introspection_endpoint: `${ORIGIN}/introspect`,
        revocation_endpoint: `${ORIGIN}/revoke`,
        userinfo_endpoint: `${ORIGIN}/userinfo`,
      },
    ]);
  });

  it('offers no names where nobody verifies chains, and nothing where nobody tells of certificates', async () => {
    const { verifiedHeader: _none, origin: _origin, ...unverified } = SETTINGS;
    const config = { trustedProxies: 1, clientCertificates: unverified };
    const pinning = await startTestBroker({ config });
    const plain = await startTestBroker();
    try {
      expect(await members(pinning)).toEqual([
        [...ALWAYS, 'self_signed_tls_client_auth'],
        true,
        undefined,
      ]);
      expect(await members(plain)).toEqual([ALWAYS, undefined, undefined]);
    } finally {
      await pinning.close();
      await plain.close();
    }
  });
});
