// ECDSA signatures from the form of JWS (RFC 7518 §3.4) to that of OpenSSL (RFC 3279 §2.2.3), byte by byte.
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DER_MAX_BYTES, writeDer } from '../../src/verifier/ecdsa-der.js';

function toDer(signature: Uint8Array): Buffer {
  const out = new Uint8Array(DER_MAX_BYTES).fill(0xee);
  return Buffer.from(out.subarray(0, writeDer(out, signature)));
}

/** The same by arithmetic: a number in hexadecimal, with a zero before what would be negative. */
function integer(bytes: Uint8Array): string {
  const digits = BigInt(`0x${Buffer.from(bytes).toString('hex')}`).toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const positive = Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even;
  return `02${(positive.length / 2).toString(16).padStart(2, '0')}${positive}`;
}

const half = fc
  .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat({ max: 32 }))
  .map(([bytes, zeros]) => bytes.fill(0, 0, zeros));

describe('an ECDSA signature in DER', () => {
  it('has both numbers in their shortest form, whatever they begin with', () => {
    fc.assert(
      fc.property(half, half, (r, s) => {
        const body = integer(r) + integer(s);
        const expected = `30${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
        expect(toDer(Buffer.concat([r, s])).toString('hex')).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is good exactly where the other form is', () => {
    const { privateKey, publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const dsaEncoding = 'ieee-p1363' as const;
    for (let n = 0; n < 1_000; n += 1) {
      const data = createHash('sha256').update(String(n)).digest();
      const given = sign('sha256', data, { key: privateKey, dsaEncoding });
      if (n % 2 === 1) given.writeUInt8(given.readUInt8(n % 64) ^ (1 + (n % 255)), n % 64);
      const isGood = verify('sha256', data, { key, dsaEncoding }, given);
      expect([isGood, verify('sha256', data, key, toDer(given))]).toEqual([n % 2 === 0, isGood]);
    }
  });
});
