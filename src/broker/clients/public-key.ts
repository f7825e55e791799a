/**
 * Whether a public key is good enough to prove someone: known kind, on its curve, strong, and
 * honest about what it is for (K6). Pure, besides asking OpenSSL about the curve.
 */
import { createPublicKey } from 'node:crypto';
import type { FieldProblem } from '../registry/refusal.js';
import type { PublicJwk } from './credential-schema.js';
import { ed25519Problem } from './ed25519.js';

const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;

interface Kind {
  readonly needs: readonly (keyof PublicJwk)[];
  readonly curve?: string;
  readonly algs: readonly string[];
}

const KINDS: Readonly<Record<PublicJwk['kty'], Kind>> = {
  EC: { needs: ['crv', 'x', 'y'], curve: 'P-256', algs: ['ES256'] },
  OKP: { needs: ['crv', 'x'], curve: 'Ed25519', algs: ['EdDSA', 'Ed25519'] },
  RSA: { needs: ['n', 'e'], algs: ['PS256', 'RS256'] },
};
const KEY_MEMBERS = ['crv', 'x', 'y', 'n', 'e'] as const;

/** What is wrong with a key, as fields of it; empty when it may be registered. */
export function publicKeyProblems(jwk: PublicJwk): FieldProblem[] {
  const kind = KINDS[jwk.kty];
  const problems: FieldProblem[] = KEY_MEMBERS.flatMap((member) => {
    const needed = kind.needs.includes(member);
    if (needed === (jwk[member] !== undefined)) return [];
    const message = needed
      ? `is missing from this ${jwk.kty} key`
      : `has no place in a key of type ${jwk.kty}`;
    return [{ path: [member], message }];
  });
  if (kind.curve !== undefined && jwk.crv !== undefined && jwk.crv !== kind.curve) {
    problems.push({ path: ['crv'], message: `must be ${kind.curve} for a key of type ${jwk.kty}` });
  }
  if (jwk.alg !== undefined && !kind.algs.includes(jwk.alg)) {
    problems.push({ path: ['alg'], message: `must be ${kind.algs.join(' or ')} for this key` });
  }
  if (problems.length > 0) return problems;
  return jwk.kty === 'RSA' ? rsaProblems(jwk) : curveProblems(jwk);
}

const toInteger = (base64url: string): bigint => {
  const hex = Buffer.from(base64url, 'base64url').toString('hex');
  return hex === '' ? 0n : BigInt(`0x${hex}`);
};

function rsaProblems(jwk: PublicJwk): FieldProblem[] {
  const modulus = toInteger(jwk.n ?? '');
  const bits = modulus.toString(2).length;
  const exponent = toInteger(jwk.e ?? '');
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
    return [
      { path: ['n'], message: `must have ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, not ${bits}` },
    ];
  }
  // Another spelling of the same number would have another thumbprint.
  for (const member of ['n', 'e'] as const) {
    if (Buffer.from(jwk[member] ?? '', 'base64url')[0] === 0) {
      return [{ path: [member], message: 'must not begin with a zero octet (RFC 7518 §2)' }];
    }
  }
  if (modulus % 2n === 0n) return [{ path: ['n'], message: 'must be odd' }];
  // e = 1 verifies anything; even exponents are no keys; 3 invites padding attacks.
  if (exponent <= 3n || exponent % 2n === 0n) {
    return [{ path: ['e'], message: 'must be odd and greater than 3 (usually AQAB)' }];
  }
  return [];
}

function curveProblems(jwk: PublicJwk): FieldProblem[] {
  try {
    const { kty, crv, x, y } = jwk;
    const key = createPublicKey({ key: { kty, crv, x, y } as never, format: 'jwk' });
    const exported = key.export({ format: 'jwk' });
    // Another spelling of the same point would have another thumbprint.
    const spelled = exported.x === x && exported.y === y;
    const problem = kty === 'OKP' && spelled ? ed25519Problem(x ?? '') : undefined;
    if (problem === 'small_order') {
      return [{ path: ['x'], message: 'is a point of small order: anybody could sign for it' }];
    }
    if (spelled && problem === undefined) return [];
  } catch {
    // Not a point of the curve: told below.
  }
  return [{ path: ['x'], message: `is not a point of ${jwk.crv}` }];
}
