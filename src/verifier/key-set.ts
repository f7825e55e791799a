/** A JWK set (RFC 7517 §5) as a verifier may use it: public signature keys by `kid`. */
import type { JWK } from 'jose';
import type { SigningAlg } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { TokenHeader } from './jwt.js';
import type { Platform, SignatureCheck } from './platform.js';

const KEYS_MAX = 100;

interface Entry {
  readonly jwk: JWK;
  readonly imported: Map<SigningAlg, SignatureCheck>;
}
export type KeySet = ReadonlyMap<string, readonly Entry[]>;

/** Whether a JWK may verify signatures of this algorithm (RFC 7517 §4, RFC 7518 §6, RFC 8037). */
function fits(jwk: JWK, alg: SigningAlg): boolean {
  if (jwk.alg !== undefined && jwk.alg !== alg) return false;
  if (alg === 'ES256') return jwk.kty === 'EC' && jwk.crv === 'P-256';
  if (alg === 'EdDSA') return jwk.kty === 'OKP' && jwk.crv === 'Ed25519';
  return jwk.kty === 'RSA';
}

const isSameKey = (one: JWK, other: JWK): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * Public signing keys by `kid`; symmetric, private and nameless ones are left out. A key that stood
 * in the set before stays what it was: tokens verified by it need not be verified again.
 */
export function readKeySet(value: unknown, before: KeySet = new Map()): KeySet {
  const { keys } = value as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) throw new Error('not a JWK set');
  const byKid = new Map<string, Entry[]>();
  for (const jwk of keys as JWK[]) {
    if (typeof jwk !== 'object' || jwk === null || typeof jwk.kid !== 'string') continue;
    if (jwk.kty === 'oct' || jwk.d !== undefined || (jwk.use ?? 'sig') !== 'sig') continue;
    const known = before.get(jwk.kid)?.find((entry) => isSameKey(entry.jwk, jwk));
    byKid.set(jwk.kid, [...(byKid.get(jwk.kid) ?? []), known ?? { jwk, imported: new Map() }]);
  }
  return byKid;
}

/** Two keys of one name and algorithm are none: the issuer is confused, and guessing is no check. */
function entryIn(set: KeySet, { kid, alg }: TokenHeader): Entry | undefined {
  let found: Entry | undefined;
  for (const entry of set.get(kid) ?? []) {
    if (!fits(entry.jwk, alg)) continue;
    if (found !== undefined) return undefined;
    found = entry;
  }
  return found;
}

/** The key a header means, if it is there and was used before. */
export const importedIn = (set: KeySet, header: TokenHeader): SignatureCheck | undefined =>
  entryIn(set, header)?.imported.get(header.alg);

/**
 * The one key a header means.
 *
 * @throws AuthError `key_unknown`
 */
export async function keyIn(
  set: KeySet,
  header: TokenHeader,
  { importKey }: Pick<Platform, 'importKey'>,
): Promise<SignatureCheck> {
  const entry = entryIn(set, header);
  if (entry === undefined) throw new AuthError('key_unknown', { claim: 'kid' });
  try {
    const made = entry.imported.get(header.alg) ?? (await importKey(entry.jwk, header.alg));
    // Of two that were imported at a time, the first stays.
    const key = entry.imported.get(header.alg) ?? made;
    entry.imported.set(header.alg, key);
    return key;
  } catch {
    throw new AuthError('key_unknown', { claim: 'kid' });
  }
}
