/** A JWK set (RFC 7517 §5) as a verifier may use it: public signature keys by `kid`. */
import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { SigningAlg } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { TokenHeader } from './jwt.js';

const KEYS_MAX = 100;

interface Entry {
  readonly jwk: JWK;
  readonly imported: Map<SigningAlg, Promise<CryptoKey>>;
}
export type KeySet = ReadonlyMap<string, readonly Entry[]>;

/** Whether a JWK may verify signatures of this algorithm (RFC 7517 §4, RFC 7518 §6, RFC 8037). */
function fits(jwk: JWK, alg: SigningAlg): boolean {
  if (jwk.alg !== undefined && jwk.alg !== alg) return false;
  if (alg === 'ES256') return jwk.kty === 'EC' && jwk.crv === 'P-256';
  if (alg === 'EdDSA') return jwk.kty === 'OKP' && jwk.crv === 'Ed25519';
  return jwk.kty === 'RSA';
}

/** Public signing keys by `kid`; symmetric, private and nameless ones are left out. */
export function readKeySet(value: unknown): KeySet {
  const { keys } = value as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw new Error('not a JWK set');
  const byKid = new Map<string, Entry[]>();
  for (const jwk of keys as JWK[]) {
    if (typeof jwk !== 'object' || jwk === null || typeof jwk.kid !== 'string') continue;
    if (jwk.kty === 'oct' || jwk.d !== undefined || (jwk.use ?? 'sig') !== 'sig') continue;
    byKid.set(jwk.kid, [...(byKid.get(jwk.kid) ?? []), { jwk, imported: new Map() }]);
  }
  return byKid;
}

/**
 * The one key a header means. Two keys of one name and algorithm are refused: the issuer is
 * confused, and guessing is no check.
 *
 * @throws AuthError `key_unknown`
 */
export async function keyIn(set: KeySet, { kid, alg }: TokenHeader): Promise<CryptoKey> {
  const [entry, ...others] = (set.get(kid) ?? []).filter(({ jwk }) => fits(jwk, alg));
  if (entry === undefined || others.length > 0)
    throw new AuthError('key_unknown', { claim: 'kid' });
  return importFor(entry, alg);
}

async function importFor(entry: Entry, alg: SigningAlg): Promise<CryptoKey> {
  let key = entry.imported.get(alg);
  if (key === undefined) {
    key = importJWK(entry.jwk, alg) as Promise<CryptoKey>;
    entry.imported.set(alg, key);
  }
  try {
    return await key;
  } catch {
    throw new AuthError('key_unknown', { claim: 'kid' });
  }
}
