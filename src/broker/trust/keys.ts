/**
 * The public keys of another issuer, as registered. A key is chosen by its `kid`, its type and its
 * algorithm; what a token says of keys itself (`jwk`, `jku`, `x5u`) is never looked at (J5).
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { publicKeyProblems } from '../clients/public-key.js';

export interface TrustedKey {
  readonly kid: string | undefined;
  readonly algs: readonly string[];
  readonly key: KeyObject;
}

type Jwk = Readonly<Record<string, unknown>>;

const KID_CHARS_MAX = 256;

/** RFC 7518 §3.1, RFC 8037: what a key may sign with. */
function algsOf({ kty, crv, alg }: Jwk): readonly string[] {
  const able =
    kty === 'RSA'
      ? ['RS256', 'PS256']
      : kty === 'EC' && crv === 'P-256'
        ? ['ES256']
        : kty === 'OKP' && crv === 'Ed25519'
          ? ['EdDSA', 'Ed25519']
          : [];
  return alg === undefined ? able : able.filter((one) => one === alg);
}

/** Those of a set that can prove anything; others in it are nobody's mistake. */
export function usableKeys(keys: readonly Jwk[]): TrustedKey[] {
  return keys.flatMap((jwk) => {
    const algs = algsOf(jwk);
    if (algs.length === 0 || (jwk.use !== undefined && jwk.use !== 'sig')) return [];
    const { kty, crv, x, y, n, e, kid } = jwk;
    const isPublic = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].every((name) => !(name in jwk));
    const bare = Object.fromEntries(
      Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined),
    );
    if (!isPublic || !Object.values(bare).every((value) => typeof value === 'string')) return [];
    if (publicKeyProblems(bare as never).length > 0) return [];
    const key = createPublicKey({ key: bare as never, format: 'jwk' });
    return [{ kid: typeof kid === 'string' ? kid : undefined, algs, key }];
  });
}

/** The one key a header names; a token that names none can only mean the only one (J4). */
export function keyFor(
  keys: readonly TrustedKey[],
  { alg, kid }: Readonly<Record<string, unknown>>,
): TrustedKey | undefined {
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_CHARS_MAX))
    return undefined;
  const able = keys.filter(({ algs }) => typeof alg === 'string' && algs.includes(alg));
  const named = kid === undefined ? able : able.filter((one) => one.kid === kid);
  return named.length === 1 ? named[0] : undefined;
}
