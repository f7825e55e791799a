// What a client that registers itself may be (RFC 7591), as a pure decision: where it is answered, how it
// proves itself, who shares its row, what a change may not touch (DC7, DC10, Q22).
import { describe, expect, it } from 'vitest';
import {
  applicationType,
  changedAuth,
  mayBeShared,
  silentAuth,
  underStatement,
  unwelcomeRedirect,
} from '../../src/broker/registration/policy.js';

const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

describe('silence', () => {
  it.each([
    [['https://a.example/cb'], 'client_secret_basic', 'web'],
    [['http://127.0.0.1/cb'], 'none', 'native'],
    [['cursor://x/cb', 'https://a.example/cb'], 'none', 'native'],
  ] as const)('%j is %s, %s', (uris, auth, type) => {
    expect([silentAuth(uris), applicationType(uris)]).toEqual([auth, type]);
  });
});

describe('a listed domain', () => {
  const domain = (uris: string[]) =>
    unwelcomeRedirect({ mode: 'domain', domains: ['a.example', '*.b.example'] }, uris);

  it.each([
    'https://a.example/cb',
    'https://a.example:8443/cb',
    'https://x.b.example/cb',
    'https://x.y.b.example/cb',
    'http://localhost:1/cb',
    'app:/cb',
  ])('%s is welcome', (uri) => expect(domain([uri])).toBeUndefined());

  it.each([
    'https://b.example/cb',
    'https://xb.example/cb',
    'https://x.a.example/cb',
    'https://a.example.evil.example/cb',
    'https://10.0.0.1/cb',
    'https://[::1]/cb',
  ])('%s is not, also beside one that is', (uri) => {
    expect(domain(['https://a.example/cb', uri])).toBe(uri);
    for (const mode of ['token', 'open'] as const) {
      expect(unwelcomeRedirect({ mode, domains: [] }, [uri])).toBeUndefined();
    }
  });
});

it('only public clients that nobody let in share a row', () => {
  const shared = METHODS.flatMap((auth) =>
    [true, false].filter((initialToken) => mayBeShared({ auth, initialToken })).map(() => auth),
  );
  expect(shared).toEqual(['none']);
});

it('a change keeps what proves the client: only the way a secret is sent may differ', () => {
  const allowed = METHODS.flatMap((from) =>
    METHODS.filter((to) => changedAuth(from, to) === to).map((to) => `${from} ${to}`),
  );
  expect(allowed).toEqual([
    'none none',
    'client_secret_basic client_secret_basic',
    'client_secret_basic client_secret_post',
    'client_secret_post client_secret_basic',
    'client_secret_post client_secret_post',
    'private_key_jwt private_key_jwt',
  ]);
  for (const auth of METHODS) expect(changedAuth(auth, undefined)).toBe(auth);
});

it('RFC 7591 §2.3: what a statement says wins, but for what is the JWT’s own', () => {
  const said = underStatement(
    { client_name: 'Own', scope: 'a', sub: 'kept' },
    { iss: 'x', sub: 'y', exp: 1, jti: 'z', client_name: 'Vouched', software_statement: 'w' },
  );
  expect(said).toEqual({ client_name: 'Vouched', scope: 'a', sub: 'kept' });
});
