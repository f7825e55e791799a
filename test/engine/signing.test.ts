// DESIGN §9.9: one synchronous signature with a bare key for every algorithm a resource may ask for;
// what comes out is JOSE, by somebody else's verifier.
import { createHash, createVerify, generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { permissions, resources } from '../../schema/index.js';
import { derToP1363 } from '../../src/broker/provider/ecdsa.js';
import { BrokerSigningKey } from '../../src/broker/provider/signing-key.js';
import {
  authorize,
  claimsOf,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { AGENT, FILE_SCOPES } from '../support/world.js';

const SIGNATURES = 2000;

describe('derToP1363 (RFC 7518 §3.4)', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  it('turns 2,000 signatures into the form that verifies as 64 bytes', () => {
    const lengths = new Set<number>();
    for (let n = 0; n < SIGNATURES; n += 1) {
      const data = createHash('sha256').update(String(n)).digest();
      const der = sign('sha256', data, privateKey);
      lengths.add(der.length);
      const signature = derToP1363(der);
      expect(signature).toHaveLength(64);
      expect(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(
        true,
      );
    }
    // Short and long integers were among them: padding and the sign byte were exercised.
    expect(lengths.size).toBeGreaterThan(2);
  });

  /** DER of two coordinates, shortest form, as RFC 3279 §2.2.3 has it. */
  const derOf = (r: Uint8Array, s: Uint8Array): Uint8Array => {
    const integer = (bytes: Uint8Array): number[] => {
      let at = 0;
      while (at < bytes.length - 1 && bytes[at] === 0) at += 1;
      const digits = [...bytes.subarray(at)];
      const positive = (digits[0] as number) >= 0x80 ? [0, ...digits] : digits;
      return [0x02, positive.length, ...positive];
    };
    const body = [...integer(r), ...integer(s)];
    return Uint8Array.from([0x30, body.length, ...body]);
  };
  const coordinate = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    // Ever more leading zeros, down to zero itself: one signature in 2^8, 2^16, ….
    fc
      .tuple(fc.nat(32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
      .map(([zeros, bytes]) => bytes.fill(0, 0, zeros)),
  );

  it('gives back any two coordinates, whatever their leading zeros', () => {
    fc.assert(
      fc.property(coordinate, coordinate, (r, s) => {
        expect([...derToP1363(derOf(r, s))]).toEqual([...r, ...s]);
      }),
      { numRuns: SIGNATURES },
    );
  });

  it('refuses what is not the DER of a P-256 signature', () => {
    const der = sign('sha256', Buffer.from('x'), privateKey);
    for (const broken of [
      new Uint8Array(),
      der.subarray(1),
      der.subarray(0, -1),
      Buffer.concat([der, Buffer.from([0])]),
      Buffer.from(der).fill(0x31, 0, 1),
    ]) {
      expect(() => derToP1363(broken)).toThrow();
    }
    const wide = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    expect(() => derToP1363(sign('sha384', Buffer.from('x'), wide))).toThrow();
  });
});

describe('BrokerSigningKey', () => {
  it('shows the engine the public key, and never the private one', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = new BrokerSigningKey({
      kid: 'k1',
      alg: 'ES256',
      state: 'active',
      publicKey,
      privateKey,
    });
    expect([key.kid, key.alg, key.keyObject().type]).toEqual(['k1', 'ES256', 'public']);
    expect(JSON.stringify(key)).not.toContain('"d"');
    expect(Object.values(key)).toEqual([]);
    const signature = key.sign(Buffer.from('data'));
    expect(
      createVerify('sha256')
        .update('data')
        .verify({ key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
    ).toBe(true);
  });
});

describe('§9.9 tokens for resources of every algorithm', () => {
  const ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;
  const resourceOf = (alg: string) => `https://${alg.toLowerCase()}.example/mcp`;
  let t: TestBroker;
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await openTestPostgres();
    for (const signingAlg of ALGS) {
      const identifier = resourceOf(signingAlg);
      await opened.db.orm
        .insert(resources)
        .values({ identifier, name: signingAlg, scopes: FILE_SCOPES, signingAlg });
      await opened.db.orm
        .insert(permissions)
        .values({ principal: AGENT, resource: identifier, scopes: ['files:write'] });
    }
    t = await startTestBroker({ opened });
  });
  afterAll(() => t.close());

  const jwks = () => createRemoteJWKSet(new URL(`${t.issuer}/.well-known/jwks.json`));

  it('publishes for each the key that signs and the next one, and nothing private', async () => {
    const { keys } = (await (await fetch(`${t.issuer}/.well-known/jwks.json`)).json()) as {
      keys: Record<string, unknown>[];
    };
    expect(keys.map(({ alg }) => alg).sort()).toEqual([...ALGS, ...ALGS].sort());
    for (const key of keys) {
      expect(key).toMatchObject({ kid: expect.any(String), use: 'sig' });
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
        expect(key).not.toHaveProperty(member);
    }
  });

  it.each(ALGS)('signs with %s what jose verifies, and nothing near it', async (alg) => {
    const resource = resourceOf(alg);
    const own = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource,
      scope: 'files:read',
    });
    const authorized = await authorize(t, { params: { resource, scope: 'files:read' } });
    const delegated = await redeem(t, authorized);
    for (const { status, body } of [own, delegated]) {
      expect(status).toBe(200);
      const token = body.access_token as string;
      expect(decodeProtectedHeader(token)).toEqual({ alg, typ: 'at+jwt', kid: expect.any(String) });
      const options = { issuer: t.issuer, audience: resource, typ: 'at+jwt', algorithms: [alg] };
      expect((await jwtVerify(token, jwks(), options)).payload).toEqual(claimsOf(token));
      const [header, payload, signature = ''] = token.split('.');
      const bytes = Buffer.from(signature, 'base64url');
      bytes[10] = (bytes[10] as number) ^ 1;
      await expect(
        jwtVerify(`${header}.${payload}.${bytes.toString('base64url')}`, jwks(), options),
      ).rejects.toThrow('signature');
    }
  });

  it('signs actor tokens and ID tokens with ES256, whatever resources ask for', async () => {
    const actor = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource: t.issuer,
    });
    expect(decodeProtectedHeader(actor.body.access_token)).toMatchObject({
      alg: 'ES256',
      typ: 'at+jwt',
    });
    const identity = await authorize(t, {
      params: { resource: undefined, requested_actor: undefined, scope: 'openid' },
    });
    const { body } = await redeem(t, identity, { actor_token: undefined });
    await jwtVerify(body.id_token, jwks(), { issuer: t.issuer, algorithms: ['ES256'] });
  });
});
