import { describe, expect, it } from 'vitest';
import { createTestIssuer } from '../../src/testing/index.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

const jwksReads = (requests: readonly string[]) =>
  requests.filter((request) => request.endsWith('jwks.json')).length;

describe('VF2 the JWKS cache', () => {
  it('reads keys once for many tokens, and again for a new kid after a rotation', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    await Promise.all([1, 2, 3].map(async () => verifier.verify(await issuer.token())));
    expect(jwksReads(issuer.requests)).toBe(1);
    await issuer.rotate();
    advance(31);
    await verifier.verify(await issuer.token());
    expect(jwksReads(issuer.requests)).toBe(2);
  });

  it('answers a flood of unknown kids with one read per cooldown, and knows its own (J15)', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const good = await issuer.token();
    await verifier.verify(good);
    advance(31);
    for (let at = 0; at < 50; at += 1) {
      const token = await issuer.token({}, { kid: `unknown-${at}` });
      expect((await refusal(verifier.verify(token))).reason).toBe('key_unknown');
    }
    expect(jwksReads(issuer.requests)).toBe(2);
    expect((await verifier.verify(good)).kind).toBe('service');
  });

  it('refuses a retired key once the key set is read again (J13)', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const claims = { exp: Math.floor(Date.now() / 1000) + 7200 };
    const token = await issuer.token(claims);
    await verifier.verify(token);
    await issuer.rotate({ keepOld: false });
    advance(601);
    expect((await refusal(verifier.verify(token))).reason).toBe('key_unknown');
  });

  it('keeps known keys for a bounded time while the issuer is away (V6)', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const claims = { exp: Math.floor(Date.now() / 1000) + 20_000 };
    const token = await issuer.token(claims);
    await verifier.verify(token);
    issuer.fail(true);
    advance(3_000);
    expect((await verifier.verify(token)).kind).toBe('service');
    advance(1_300);
    const error = await refusal(verifier.verify(token));
    expect(error).toMatchObject({ code: 'temporarily_unavailable', status: 503 });
    expect(verifier.challenge(error)).toEqual({
      status: 503,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'retry-after': '1',
      },
      body: {
        error: 'temporarily_unavailable',
        error_description: 'The signing keys cannot be read at the moment.',
      },
    });
  });

  it('answers 503 and never 200 when there were never any keys', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    issuer.fail(true);
    const error = await refusal(verifier.verify(await issuer.token()));
    expect(error.reason).toBe('keys_unavailable');
    await expect(verifier.ready()).rejects.toMatchObject({ reason: 'keys_unavailable' });
  });
});

describe('RFC 8414 §3.3 discovery', () => {
  const withMetadata = async (metadata: Record<string, unknown>) => {
    const real = await createTestIssuer();
    const fetch: typeof globalThis.fetch = async (input, init) =>
      String(input).includes('oauth-authorization-server')
        ? Response.json({ issuer: real.issuer, ...metadata })
        : real.fetch(input, init);
    const { verifier } = await createVerifierWorld({ fetch });
    return verifier.verify(await real.token());
  };

  it('takes keys from the issuer’s origin', async () => {
    const jwks_uri = 'https://broker.example/.well-known/jwks.json';
    expect((await withMetadata({ jwks_uri })).kind).toBe('service');
  });

  it.each([
    ['metadata that names another issuer', { issuer: 'https://broker.example/' }],
    ['metadata without keys', {}],
    ['keys behind plain http', { jwks_uri: 'http://broker.example/jwks.json' }],
    ['keys on http loopback of an https issuer', { jwks_uri: 'http://127.0.0.1/jwks.json' }],
    ['keys in a data URL', { jwks_uri: 'data:application/json,{"keys":[]}' }],
  ])('refuses %s', async (_name, metadata) => {
    expect((await refusal(withMetadata(metadata))).reason).toBe('keys_unavailable');
  });
});

describe('RFC 7517: which keys of a set are used', () => {
  const verifyWith = async (change: (jwk: Record<string, unknown>) => unknown[]) => {
    const issuer = await createTestIssuer();
    const jwk = { ...issuer.signingKey().publicJwk };
    const jwks = { keys: change(jwk) as never[] };
    const { verifier } = await createVerifierWorld({ jwks });
    return verifier.verify(await issuer.token());
  };

  it('takes a given key set, without a request', async () => {
    expect((await verifyWith((jwk) => [jwk])).kind).toBe('service');
  });
  it.each<[string, (jwk: Record<string, unknown>) => unknown[]]>([
    ['a key for encryption', (jwk) => [{ ...jwk, use: 'enc' }]],
    ['a key for another algorithm', (jwk) => [{ ...jwk, alg: 'ES384' }]],
    ['a private key', (jwk) => [{ ...jwk, d: 'AAAA' }]],
    ['a symmetric key', (jwk) => [{ kty: 'oct', k: 'AAAA', kid: jwk.kid }]],
    ['a point off the curve', (jwk) => [{ ...jwk, y: jwk.x }]],
    ['two keys of one name', (jwk) => [jwk, jwk]],
    ['no object', () => [null, 'key', 7]],
  ])('leaves out %s', async (_name, change) => {
    expect((await refusal(verifyWith(change))).reason).toBe('key_unknown');
  });
});
