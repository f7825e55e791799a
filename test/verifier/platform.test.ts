// Node's own cryptography and Web APIs: two ways to one answer, for every algorithm and every token.
import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestIssuer, maliciousTokens } from '../../src/testing/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import { detectPlatform, type Platform, webPlatform } from '../../src/verifier/platform.js';

const platforms: ReadonlyArray<readonly [string, Platform]> = [
  ['Node', detectPlatform()],
  ['Web', webPlatform()],
];

const ALGS = {
  ES256: [generateKeyPairSync('ec', { namedCurve: 'P-256' }), { dsaEncoding: 'ieee-p1363' }],
  EdDSA: [generateKeyPairSync('ed25519'), {}],
  RS256: [generateKeyPairSync('rsa', { modulusLength: 2048 }), {}],
  PS256: [generateKeyPairSync('rsa', { modulusLength: 2048 }), { padding: 6, saltLength: 32 }],
} as const;
type Alg = keyof typeof ALGS;

function signed(alg: Alg) {
  const [{ privateKey, publicKey }, how] = ALGS[alg];
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg })}.${part({ sub: 'usr_alice' })}`;
  const hash = alg === 'EdDSA' ? null : 'sha256';
  const signature = sign(hash, Buffer.from(input), { key: privateKey, ...how });
  const jwk = publicKey.export({ format: 'jwk' }) as { kty: string };
  return { jwk, input, signature, jws: `${input}.${signature.toString('base64url')}` };
}

describe.each(platforms)('%s', (_name, { importKey, decode, digest }) => {
  it.each(Object.keys(ALGS) as Alg[])('checks %s', async (alg) => {
    const { jwk, jws, input, signature } = signed(alg);
    const check = await importKey(jwk, alg);
    expect(await check(jws, signature)).toBe(true);
    for (const wrong of [
      new Uint8Array(signature.length),
      signature.subarray(1),
      Buffer.concat([signature, Buffer.from([0])]),
      signature.map((byte, at) => (at === 5 ? byte ^ 1 : byte)),
    ]) {
      const text = `${input}.${Buffer.from(wrong).toString('base64url')}`;
      expect(await check(text, wrong)).toBe(false);
    }
    const other = `${input}x.${jws.split('.')[2]}`;
    expect(await check(other, signature)).toBe(false);
  });

  it('takes no RSA key below 2048 bits (J10)', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const jwk = publicKey.export({ format: 'jwk' }) as { kty: string };
    const input = 'e30.e30';
    const signature = sign('sha256', Buffer.from(input), privateKey);
    const jws = `${input}.${signature.toString('base64url')}`;
    const work = (async () => (await importKey(jwk, 'RS256'))(jws, signature))();
    expect(await work.catch(() => false)).toBe(false);
  });

  it('decodes base64url in its one spelling only', () => {
    const text = fc.oneof(
      fc.stringMatching(/^[AQgwEIMUYcosk048-_Zz9]{0,12}$/),
      fc.stringMatching(/^[AQg+/=\s_-]{0,8}$/),
      // U+0141 and its like: an A to whoever looks at the lower byte alone.
      fc.string({ unit: fc.constantFrom('A', 'Q', '\u0141', '\u0251', 'é', '\n'), maxLength: 8 }),
    );
    fc.assert(
      fc.property(text, (one) => {
        const bytes = Buffer.from(one, 'base64url');
        const isCanonical = bytes.toString('base64url') === one;
        expect(decode(one)?.length).toBe(isCanonical ? bytes.length : undefined);
      }),
      { numRuns: 2_000 },
    );
  });

  it('tells texts apart by their digest', async () => {
    const digests = await Promise.all(['', 'a', 'b', 'a\0', 'é'].map(digest));
    expect(new Set(digests).size).toBe(5);
    expect(await digest('a')).toBe(digests[1]);
  });
});

describe('a runtime without node:crypto', () => {
  const { process } = globalThis as { process: { getBuiltinModule?: unknown } };
  const given = process.getBuiltinModule;
  afterEach(() => {
    process.getBuiltinModule = given;
  });

  it('accepts the same token and refuses the same ones, for the same reasons', async () => {
    const issuer = await createTestIssuer();
    const options = {
      issuer: issuer.issuer,
      resource: issuer.resource,
      fetch: issuer.fetch,
      revocation: 'off',
    } as const;
    delete process.getBuiltinModule;
    const verifier = createVerifier(options);
    const token = await issuer.delegatedToken();
    expect((await verifier.verify(token)).kind).toBe('delegated');
    expect((await verifier.verify(token)).kind).toBe('delegated');
    for (const { token: bad, reason, name } of await maliciousTokens(issuer)) {
      const outcome = await verifier.verify(bad).catch((error: unknown) => error);
      expect(outcome, name).toMatchObject({ reason });
    }
  });
});
