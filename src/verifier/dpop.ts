/**
 * Whether a request was made by the holder of the key a token is bound to: every check of RFC 9449
 * §4.3, in the order in which a refusal costs least. The token itself was verified before.
 */
import { type CryptoKey, calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose';
import { AuthError, type AuthErrorDetails } from './auth-error.js';
import { isTyp, readCompactJws } from './compact-jws.js';
import { sha256Base64url } from './digest.js';
import type { DpopSettings } from './dpop-options.js';
import type { Platform } from './platform.js';
import { parseStrictObject } from './strict-json.js';

const DPOP_TYP = 'dpop+jwt';
/** A proof by an RSA key of 4096 bits has some 2,000. */
const PROOF_MAX_CHARS = 8_192;
const JTI_MAX_CHARS = 512;
/** Clocks of clients run ahead by so much without anybody having done wrong. */
const AHEAD_MIN_SECONDS = 10;
const KEY_TYPES: readonly unknown[] = ['EC', 'OKP', 'RSA'];
/** RFC 7518 §6: what only the holder may know. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** A proof and the request it came with. */
export interface DpopRequest {
  /** The value of the `DPoP` header. */
  readonly proof: string;
  readonly method: string;
  /** The URL as the client sees it. Query and fragment do not count. */
  readonly url: string;
}

export interface DpopRules extends DpopSettings {
  readonly clockToleranceSeconds: number;
  readonly now: () => number;
  readonly decode: Platform['decode'];
}

interface Proof {
  readonly alg: string;
  readonly jwk: JWK;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Checks a proof against the request, the token and the thumbprint (`cnf.jkt`) it is bound to.
 *
 * @throws AuthError `invalid_dpop_proof`, `use_dpop_nonce`, or `invalid_token` for another key
 */
export async function checkDpopProof(
  { proof: text, method, url }: DpopRequest,
  bound: { readonly token: string; readonly jkt: string },
  rules: DpopRules,
): Promise<void> {
  const proof = readProof(text, rules);
  const { htm, htu, ath, jti } = proof.claims;
  if (htm !== method) throw new AuthError('dpop_method_mismatch', { claim: 'htm' });
  if (!isSameTarget(htu, url)) throw new AuthError('dpop_url_mismatch', { claim: 'htu' });
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_MAX_CHARS)
    throw new AuthError('dpop_proof_malformed', { claim: 'jti' });
  const untilMs = await checkTime(proof.claims, rules);
  if (ath !== (await sha256Base64url(bound.token)))
    throw new AuthError('dpop_token_mismatch', { claim: 'ath' });
  await checkSignature(text, proof);
  if ((await calculateJwkThumbprint(proof.jwk)) !== bound.jkt)
    throw new AuthError('dpop_key_mismatch', { claim: 'jkt' });
  // Last, so that only the holder of the key can use up a place.
  const key = await sha256Base64url(`${bound.jkt}\n${jti}`);
  if (!(await remember(rules.replay, key, untilMs)))
    throw new AuthError('dpop_replayed', { claim: 'jti' });
}

function readProof(text: string, { algorithms, decode }: DpopRules): Proof {
  const read = readCompactJws(text, PROOF_MAX_CHARS, decode);
  if ('problem' in read) throw new AuthError('dpop_proof_malformed');
  const { typ, alg, jwk } = read.header;
  if (!isTyp(typ, DPOP_TYP)) throw new AuthError('dpop_typ_refused', { claim: 'typ' });
  if (typeof alg !== 'string' || !algorithms.includes(alg))
    throw new AuthError('dpop_alg_refused', { claim: 'alg' });
  if (!isPublicKey(jwk)) throw new AuthError('dpop_key_refused', { claim: 'jwk' });
  const claims = parseStrictObject(read.payload);
  if (claims === undefined) throw new AuthError('dpop_proof_malformed');
  return { alg, jwk, claims };
}

function isPublicKey(value: unknown): value is JWK {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (!KEY_TYPES.includes((value as JWK).kty)) return false;
  return !PRIVATE_MEMBERS.some((member) => Object.hasOwn(value, member));
}

/** Unreserved characters need no escape, and escapes ignore case (RFC 3986 §6.2.2). */
const normalEscapes = (path: string): string =>
  path.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const char = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(char) ? char : triplet.toUpperCase();
  });

/** Scheme, authority and path, normalised (RFC 9449 §4.3); `undefined` for what is no such URL. */
function targetOf(value: string): string | undefined {
  if (!/^https?:\/\/[!-[\]-~]+$/i.test(value) || !URL.canParse(value)) return undefined;
  const { origin, pathname, username, password } = new URL(value);
  return username === '' && password === '' ? origin + normalEscapes(pathname) : undefined;
}

function isSameTarget(htu: unknown, url: string): boolean {
  const claimed = typeof htu === 'string' ? targetOf(htu) : undefined;
  return claimed !== undefined && claimed === targetOf(url);
}

const isNumberOrAbsent = (value: unknown): value is number | undefined =>
  value === undefined || (typeof value === 'number' && Number.isFinite(value));

/**
 * The proof was made now: by its nonce where nonces are issued, which leaves the client's clock out
 * of it, otherwise by `iat` (RFC 9449 §4.3, 11).
 *
 * @returns until when the same proof would be accepted
 */
async function checkTime(
  { iat, exp, nbf, nonce }: Proof['claims'],
  rules: DpopRules,
): Promise<number> {
  const refuse = (claim: string) => new AuthError('dpop_time_refused', { claim });
  const nowSeconds = rules.now() / 1000;
  const { nonces, maxAgeSeconds, clockToleranceSeconds } = rules;
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw refuse('iat');
  if (
    !isNumberOrAbsent(exp) ||
    nowSeconds >= (exp ?? Number.POSITIVE_INFINITY) + clockToleranceSeconds
  )
    throw refuse('exp');
  const ahead = Math.max(clockToleranceSeconds, AHEAD_MIN_SECONDS);
  if (!isNumberOrAbsent(nbf) || (nbf ?? 0) > nowSeconds + ahead) throw refuse('nbf');
  if (nonces !== undefined) {
    if (typeof nonce !== 'string' || !(await nonces.accepts(nonce))) {
      const details: AuthErrorDetails = { claim: 'nonce', dpopNonce: await nonces.issue() };
      throw new AuthError(
        nonce === undefined ? 'dpop_nonce_missing' : 'dpop_nonce_refused',
        details,
      );
    }
    return (nowSeconds + nonces.acceptedSeconds) * 1000;
  }
  const endsAt = iat + maxAgeSeconds + clockToleranceSeconds;
  if (iat > nowSeconds + ahead || nowSeconds >= endsAt) throw refuse('iat');
  return endsAt * 1000;
}

async function checkSignature(text: string, { alg, jwk }: Proof): Promise<void> {
  // Only what RFC 7638 hashes: `use`, `key_ops`, `alg` or `ext` of the header change nothing.
  const { kty, crv, x, y, e, n } = jwk;
  const bare = Object.fromEntries(
    Object.entries({ kty, crv, x, y, e, n }).filter(([, value]) => value !== undefined),
  );
  let key: CryptoKey;
  try {
    key = (await importJWK(bare as JWK, alg)) as CryptoKey;
  } catch {
    throw new AuthError('dpop_key_refused', { claim: 'jwk' });
  }
  try {
    await compactVerify(text, key, { algorithms: [alg] });
  } catch {
    // A key too short for its algorithm is a TypeError; the proof is no better for it.
    throw new AuthError('dpop_signature_invalid');
  }
}

async function remember(
  store: DpopSettings['replay'],
  key: string,
  untilMs: number,
): Promise<boolean> {
  try {
    return (await store.remember(key, untilMs)) === true;
  } catch (cause) {
    throw new AuthError('replay_unavailable', { retryAfterSeconds: 1, cause });
  }
}
