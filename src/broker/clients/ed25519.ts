/**
 * Whether 32 octets are a public key of Ed25519 that proves something (RFC 8032 §5.1.3). OpenSSL
 * takes any octets: a value that is no point verifies nothing, and one of small order verifies
 * signatures anybody can write (K6). Pure arithmetic.
 */

const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
/** The y of every point whose order divides 8. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  littleEndian('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  littleEndian('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
]);
const LENGTH = 32;

export type Ed25519Problem = 'length' | 'not_canonical' | 'not_on_curve' | 'small_order';

export function ed25519Problem(x: string): Ed25519Problem | undefined {
  const octets = Buffer.from(x, 'base64url');
  if (octets.length !== LENGTH) return 'length';
  const value = littleEndian(octets.toString('hex'));
  const sign = value >> 255n;
  const y = value & (2n ** 255n - 1n);
  if (y >= P) return 'not_canonical';
  if (SMALL_ORDER_Y.has(y)) return 'small_order';
  const square = (y * y) % P;
  const xSquare = mod((square - 1n) * power(mod(D * square + 1n), P - 2n));
  if (xSquare === 0n) return sign === 0n ? undefined : 'not_canonical';
  return power(xSquare, (P - 1n) / 2n) === 1n ? undefined : 'not_on_curve';
}

function littleEndian(hex: string): bigint {
  return BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`);
}

const mod = (value: bigint): bigint => ((value % P) + P) % P;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let factor = mod(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * factor) % P;
    factor = (factor * factor) % P;
  }
  return result;
}
