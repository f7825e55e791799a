import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authFor, postForm, startTestBroker, type TestBroker } from '../support/broker.js';
import { HOST } from '../support/world.js';

const ACCESS_TOKENS = [
  'urn:ietf:params:oauth:token-type:access_token',
  'urn:ietf:params:oauth:token-type:jwt',
];

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${t.issuer}${path}`, { headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
};

describe('RFC 8414 discovery (DI1, DI2, DI3, DI4, DI5)', () => {
  it('serves two identical documents that say what is on and nothing that is off', async () => {
    const [oauth, openid] = [
      await get('/.well-known/oauth-authorization-server'),
      await get('/.well-known/openid-configuration'),
    ];
    expect(oauth.body).toEqual(openid.body);
    const { issuer } = t;
    expect(oauth.body).toEqual({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      ui_locales_supported: ['en', 'de'],
      userinfo_endpoint: `${issuer}/userinfo`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      registration_endpoint: `${issuer}/register`,
      pushed_authorization_request_endpoint: `${issuer}/par`,
      introspection_endpoint: `${issuer}/introspect`,
      revocation_endpoint: `${issuer}/revoke`,
      end_session_endpoint: `${issuer}/logout`,
      revocations_endpoint: `${issuer}/revocations`,
      revocations_stream_endpoint: `${issuer}/revocations/stream`,
      decisions_endpoint: `${issuer}/decisions`,
      tools_endpoint: `${issuer}/tools`,
      requested_actor_supported: true,
      client_id_metadata_document_supported: true,
      acr_values_supported: ['urn:behalf:acr:password'],
      authorization_response_iss_parameter_supported: true,
      claim_types_supported: ['normal'],
      claims_supported: expect.arrayContaining(['sub', 'name', 'email']),
      code_challenge_methods_supported: ['S256'],
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
      grant_types_supported: [
        'authorization_code',
        'refresh_token',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ],
      id_token_signing_alg_values_supported: ['ES256'],
      introspection_signing_alg_values_supported: ['ES256'],
      request_object_signing_alg_values_supported: ['ES256', 'EdDSA', 'PS256', 'RS256'],
      request_parameter_supported: true,
      request_uri_parameter_supported: false,
      response_modes_supported: ['query', 'form_post'],
      response_types_supported: ['code'],
      scopes_supported: ['openid', 'profile', 'email'],
      subject_types_supported: ['public'],
      token_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'none',
      ],
      token_endpoint_auth_signing_alg_values_supported: ['ES256', 'EdDSA', 'PS256', 'RS256'],
    });
  });

  it.each([
    ['as it comes', {}, {}],
    [
      'with the actor profile',
      { exchangeErrors: 'actor-profile' as const },
      {
        actor_profile_token_exchange: {
          subject_token_types_supported: ACCESS_TOKENS,
          actor_token_types_supported: ACCESS_TOKENS,
          requested_token_types_supported: ACCESS_TOKENS,
        },
        authorization_grant_profiles_supported: [
          'urn:ietf:params:oauth:grant-profile:actor-profile',
        ],
        entity_profiles_supported: {
          client: ['ai_agent', 'service'],
          subject: ['user', 'ai_agent', 'service'],
          actor: ['ai_agent', 'service'],
        },
      },
    ],
    ['with strict replay', { strictReplay: true }, {}],
    ['with steps up by refresh', { stepUpByRefresh: true }, {}],
  ])('%s says exactly what is on: no member more, none that is null (DI3, DI6, Q8)', async (_name, config, more) => {
    const other = await startTestBroker({ config });
    const read = async (name: string) => {
      const answer = await fetch(`${other.issuer}/.well-known/${name}`);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
      return (await answer.json()) as Record<string, unknown>;
    };
    const document = await read('oauth-authorization-server');
    expect(await read('openid-configuration')).toEqual(document);
    const plain = (await get('/.well-known/oauth-authorization-server')).body;
    const here = JSON.parse(JSON.stringify(plain).replaceAll(t.issuer, other.issuer));
    expect(document).toEqual({ ...here, ...more });
    expect(JSON.stringify(document)).not.toMatch(/null|undefined|""/);
    await other.close();
  });

  it('opens the documents and keys to browsers, with the header MCP clients send (DI8)', async () => {
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json']) {
      const preflight = await fetch(`${t.issuer}${path}`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'mcp-protocol-version',
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-headers')).toMatch(
        /mcp-protocol-version/i,
      );
      const answer = await get(path, { origin: 'https://app.example' });
      expect(answer.headers.get('access-control-allow-origin')).toBeTruthy();
    }
  });

  it('publishes public keys only, one algorithm each: the one that signs and the next (KY2, J13)', async () => {
    const { body, headers } = await get('/.well-known/jwks.json');
    const key = {
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      use: 'sig',
      kid: expect.any(String),
      x: expect.any(String),
      y: expect.any(String),
    };
    expect(body.keys).toEqual([key, key]);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
  });

  it('keeps the issuer whatever the request claims to have come through (DESIGN §9.6, P7)', async () => {
    for (const headers of [
      { 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'https' },
      { forwarded: 'host=evil.test;proto=https' },
      { 'x-forwarded-prefix': '/evil' },
    ]) {
      const { body } = await get('/.well-known/openid-configuration', headers);
      expect(JSON.stringify(body)).not.toContain('evil');
      expect(body.token_endpoint).toBe(`${t.issuer}/token`);
    }
  });
});

describe('XC1 every error body', () => {
  it('is JSON with a code and a sentence, uncached, and names no internals', async () => {
    const answer = await postForm(
      `${t.issuer}/token`,
      { grant_type: 'password' },
      authFor(t, HOST),
    );
    expect([answer.status, answer.body]).toEqual([
      400,
      { error: 'unsupported_grant_type', error_description: 'unsupported grant_type requested' },
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{16}$/);
  });

  it('is a plain 404 for what is not here', async () => {
    for (const path of ['/device/auth', '/backchannel', '/.well-known/nothing']) {
      expect([path, (await fetch(`${t.issuer}${path}`, { method: 'POST' })).status]).toEqual([
        path,
        404,
      ]);
    }
  });

  it('says 503 and Retry-After, never a wrong answer, when the database is gone', async () => {
    const down = await startTestBroker();
    await down.opened.db.close();
    const answer = await postForm(
      `${down.issuer}/token`,
      { grant_type: 'client_credentials', resource: 'https://files.example/mcp' },
      authFor(down, 'agt_helper'),
    );
    expect([answer.status, answer.headers.get('retry-after'), answer.body]).toEqual([
      503,
      '1',
      {
        error: 'temporarily_unavailable',
        error_description: 'the server cannot answer now: try again',
      },
    ]);
    await down.broker.close();
  });
});
