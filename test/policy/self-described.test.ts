// What clients say of themselves (RFC 7591 §2), as the clients people use really say it (Q4–Q8), and
// what attackers say (A2, A5, K6, K7, K9): what is kept, and what is refused with which code.
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { acceptMetadata } from '../../src/broker/clients/self-described.js';

const NOTHING = {
  name: undefined,
  auth: undefined,
  jwks: undefined,
  jwksUri: undefined,
  clientUri: undefined,
  logoUri: undefined,
  policyUri: undefined,
  contact: undefined,
  softwareId: undefined,
  softwareVersion: undefined,
  scope: undefined,
  requirePar: false,
  requireSignedRequest: false,
  dpopBound: false,
};
const CALLBACK = 'https://app.example.com/cb';
const SOUND = { redirect_uris: [CALLBACK] };

let publicKey: JWK;
let privateKey: JWK;
beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  publicKey = await exportJWK(pair.publicKey);
  privateKey = await exportJWK(pair.privateKey);
});

const accepted = (raw: Record<string, unknown>) => {
  const answer = acceptMetadata(raw);
  return 'accepted' in answer ? answer.accepted : answer;
};
const codeOf = (raw: Record<string, unknown>) => {
  const answer = acceptMetadata(raw);
  return 'problem' in answer ? answer.problem.code : 'accepted';
};

describe('the clients people use', () => {
  it('Claude Code: a document without application_type, two loopback names (Q5)', () => {
    expect(
      accepted({
        client_id: 'https://claude.ai/oauth/claude-code-client-metadata',
        client_name: 'Claude Code',
        client_uri: 'https://claude.ai',
        redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      }),
    ).toEqual({
      ...NOTHING,
      name: 'Claude Code',
      clientUri: 'https://claude.ai/',
      redirectUris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      auth: 'none',
    });
  });

  it('VS Code: https and loopback in one list, a grant we do not offer (Q7)', () => {
    const redirectUris = [
      'https://insiders.vscode.dev/redirect',
      'https://vscode.dev/redirect',
      'http://127.0.0.1/',
      'http://127.0.0.1:33418/',
    ];
    expect(
      accepted({
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        grant_types: [
          'authorization_code',
          'refresh_token',
          'urn:ietf:params:oauth:grant-type:device_code',
        ],
        response_types: ['code'],
        redirect_uris: redirectUris,
        scope: 'files:read',
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      }),
    ).toEqual({
      ...NOTHING,
      name: 'Visual Studio Code',
      clientUri: 'https://code.visualstudio.com/',
      redirectUris,
      auth: 'none',
      scope: 'files:read',
    });
  });

  it('Cursor: a web application with a scheme of its own, and the rest (Q6)', () => {
    const redirectUris = [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ];
    expect(
      accepted({ application_type: 'web', client_name: 'Cursor', redirect_uris: redirectUris }),
    ).toEqual({ ...NOTHING, name: 'Cursor', redirectUris });
  });

  it('clients that fill what they do not know with null and empty strings (Q7, Q8)', () => {
    expect(
      accepted({
        redirect_uris: [CALLBACK, CALLBACK],
        client_name: '',
        client_uri: '',
        logo_uri: null,
        policy_uri: '',
        contacts: null,
        grant_types: [],
        response_types: null,
        token_endpoint_auth_method: '',
        scope: '',
        jwks: null,
        software_id: null,
      }),
    ).toEqual({ ...NOTHING, redirectUris: [CALLBACK] });
  });

  it('mcp-remote: software_id, loopback on a port of its own', () => {
    const said = {
      client_name: 'MCP CLI Proxy',
      client_uri: 'https://github.com/geelen/mcp-remote',
      redirect_uris: ['http://127.0.0.1:18512/oauth/callback'],
      software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
      software_version: '0.1.15',
      contacts: ['', 'nobody@example.com'],
    };
    expect(accepted(said)).toEqual({
      ...NOTHING,
      name: 'MCP CLI Proxy',
      clientUri: 'https://github.com/geelen/mcp-remote',
      redirectUris: said.redirect_uris,
      softwareId: said.software_id,
      softwareVersion: '0.1.15',
      contact: 'nobody@example.com',
    });
  });

  it('what asks for more than anybody gets by its own word: it is not part of what is kept (K7)', () => {
    expect(
      accepted({
        ...SOUND,
        client_id: 'agt_reporter',
        client_secret: 'chosen',
        grant_types: ['authorization_code', 'client_credentials', 'implicit', 'password'],
        response_types: ['code', 'token'],
        act: { sub: 'agt_reporter' },
        sub: 'usr_ana',
        roles: ['admin'],
        agent_id: 'agt_reporter',
        may_exchange: true,
        sector_identifier_uri: 'http://169.254.169.254/',
        request_uris: ['http://127.0.0.1/'],
        backchannel_logout_uri: 'http://127.0.0.1/',
        __proto__: { auth: 'none' },
      }),
    ).toEqual({ ...NOTHING, redirectUris: [CALLBACK] });
  });

  it('what narrows itself is taken at its word', () => {
    const narrow = {
      require_pushed_authorization_requests: true,
      require_signed_request_object: true,
      dpop_bound_access_tokens: true,
    };
    const jwks = { keys: [publicKey] };
    expect(accepted({ ...SOUND, ...narrow, jwks })).toEqual({
      ...NOTHING,
      redirectUris: [CALLBACK],
      jwks,
      requirePar: true,
      requireSignedRequest: true,
      dpopBound: true,
    });
    // Nobody could sign: a client that locked itself out.
    expect(accepted({ ...SOUND, ...narrow })).toEqual({
      ...NOTHING,
      redirectUris: [CALLBACK],
      requirePar: true,
      dpopBound: true,
    });
  });
});

describe('redirect URIs (RFC 7591 §3.2.2, invalid_redirect_uri)', () => {
  it.each([
    ['none', undefined],
    ['null', null],
    ['an empty list', []],
    ['a string', CALLBACK],
    ['a number in the list', [CALLBACK, 1]],
    ['null in the list', [null]],
    ['an empty string in the list', ['']],
    ['21 of them', Array.from({ length: 21 }, (_, n) => `${CALLBACK}/${n}`)],
    ['plain http elsewhere', ['http://app.example.com/cb']],
    ['a wildcard (A2)', ['http://localhost:*/cb']],
    ['a script (A5)', [CALLBACK, 'javascript:alert(1)//']],
    ['data (A5)', ['data:text/html,x']],
    ['a file (A5)', ['file:///etc/passwd']],
    ['vbscript (A5)', ['VBScript:x']],
    ['a fragment', [`${CALLBACK}#x`]],
    ['a user name', ['https://a@app.example.com/cb']],
    ['another spelling of loopback (A3)', ['http://127.1/cb']],
    ['a name below localhost (A3)', ['http://a.localhost/cb']],
    ['dot segments', ['https://app.example.com/a/../cb']],
  ])('refuses %s', (_what, redirect_uris) => {
    expect(codeOf({ redirect_uris })).toBe('invalid_redirect_uri');
  });

  it('takes 20, and keeps the loopback names apart (Q4)', () => {
    const redirect_uris = [
      ...['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost/cb', 'http://127.0.0.1:1/cb'],
      ...Array.from({ length: 16 }, (_, n) => `${CALLBACK}/${n}`),
    ];
    expect(accepted({ redirect_uris })).toEqual({ ...NOTHING, redirectUris: redirect_uris });
  });
});

describe('everything else (RFC 7591 §3.2.2, invalid_client_metadata)', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a client that never uses a code', { grant_types: ['client_credentials'] }],
    [
      'a client of token exchange alone',
      { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] },
    ],
    ['grants that are no list', { grant_types: 'authorization_code' }],
    ['the implicit flow alone', { response_types: ['token'] }],
    ['an unknown way to authenticate', { token_endpoint_auth_method: 'client_secret_jwt' }],
    ['a way that is no string', { token_endpoint_auth_method: ['none'] }],
    ['private_key_jwt without keys', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['a name that is no string', { client_name: { en: 'x' } }],
    ['a script for a page (A5)', { client_uri: 'javascript:alert(1)' }],
    ['data for a logo (A5)', { logo_uri: 'data:image/svg+xml,<svg/>' }],
    ['a user name in a page', { policy_uri: 'https://bank.example@evil.example/' }],
    ['a page that is no string', { client_uri: 5 }],
    ['keys by plain http', { jwks_uri: 'http://app.example.com/jwks' }],
    ['both kinds of keys', { jwks: 'own', jwks_uri: 'https://app.example.com/jwks' }],
    ['an endless scope', { scope: 'a '.repeat(1001) }],
    ['an endless software_id', { software_id: 'a'.repeat(201) }],
    ['invisible software', { software_version: '1\u202e0' }],
    ['keys that are no set', { jwks: [] }],
    ['an empty set', { jwks: { keys: [] } }],
    ['no object in a set', { jwks: { keys: ['key'] } }],
    ['a symmetric key', { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }],
    ['no key we can use', { jwks: { keys: [{ kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' }] } }],
    [
      'a key off its curve (K6)',
      { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] } },
    ],
    ['RSA of 512 bits (K6)', { jwks: { keys: [{ kty: 'RSA', n: 'w'.repeat(86), e: 'AQAB' }] } }],
  ])('refuses %s', (_what, more) => {
    const jwks = more.jwks === 'own' ? { jwks: { keys: [publicKey] } } : {};
    expect(codeOf({ ...SOUND, ...more, ...jwks })).toBe('invalid_client_metadata');
  });

  it('refuses a private key, beside a good one too, and two keys of one name', () => {
    const sets = [
      [privateKey],
      [publicKey, privateKey],
      [
        { ...publicKey, kid: 'a' },
        { ...publicKey, kid: 'a' },
      ],
      Array.from({ length: 11 }, () => publicKey),
    ];
    for (const keys of sets) {
      expect(codeOf({ ...SOUND, jwks: { keys } })).toBe('invalid_client_metadata');
    }
  });

  it('keeps of a key set what can prove somebody, in our words', () => {
    const keys = [
      { ...publicKey, kid: 'a', x5t: 'AAAA', ext: true, iat: 1 },
      { ...publicKey, kid: 'b', use: 'enc' },
      { kty: 'EC', crv: 'P-521', x: 'AA', y: 'AA' },
    ];
    expect(
      accepted({ ...SOUND, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } }),
    ).toEqual({
      ...NOTHING,
      redirectUris: [CALLBACK],
      auth: 'private_key_jwt',
      jwks: { keys: [{ ...publicKey, kid: 'a' }] },
    });
  });

  it('makes a name fit to be read: nothing that hides, reorders or breaks lines, 100 characters (K9)', () => {
    const named = (client_name: string) =>
      (accepted({ ...SOUND, client_name }) as { name?: string }).name;
    expect(named('  Good\u200b \u202eevil\n app\u0000 ')).toBe('Good evil app');
    expect(named('a'.repeat(10_000))).toBe('a'.repeat(100));
    expect(named('\u200b\u2060')).toBeUndefined();
    expect(named('Ünïcode 🚀')).toBe('Ünïcode 🚀');
    expect(named('\ud800x')).toBe('x');
  });

  it('lets a page by plain http fall away: nobody is sent there', () => {
    expect(accepted({ ...SOUND, client_uri: 'http://app.example.com' })).toEqual({
      ...NOTHING,
      redirectUris: [CALLBACK],
    });
  });
});
