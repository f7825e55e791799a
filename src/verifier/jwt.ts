/**
 * One access token, checked locally: JWS, then claims (RFC 9068 §4, RFC 8725). Every step has its
 * own reason. What needs the outside (keys) is handed in; rights and revocation are not looked at.
 */
import {
  ACCESS_TOKEN_TYP,
  type AccessTokenClaims,
  parseClaims,
  type SigningAlg,
} from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import { isTyp, readCompactJws } from './compact-jws.js';
import type { KeySource } from './keys.js';
import type { Platform, SignatureCheck } from './platform.js';
import { parseStrictObject } from './strict-json.js';

/** 16 kB: far above any token of ours, far below what hurts. */
export const TOKEN_MAX_CHARS = 16_384;
const KID_MAX_CHARS = 256;
export interface TokenHeader {
  readonly alg: SigningAlg;
  readonly kid: string;
}

/** What is asked of the claims of a token, however they came. */
export interface ClaimRules {
  readonly resource: string;
  readonly clockToleranceSeconds: number;
  readonly actDepthMax: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface JwtRules extends ClaimRules {
  readonly algorithms: readonly SigningAlg[];
  readonly platform: Platform;
  /** The keys of an issuer that is accepted. */
  readonly keysOf: (issuer: string) => Pick<KeySource, 'keyFor' | 'keyNow'> | undefined;
}

export interface CheckedClaims {
  readonly claims: AccessTokenClaims;
  readonly nbf: number | undefined;
}

export interface VerifiedToken extends CheckedClaims {
  readonly header: TokenHeader;
  /** The key that verified it. */
  readonly key: SignatureCheck;
}

/**
 * Verifies a compact JWS as an access token of an accepted issuer for `rules.resource`.
 *
 * Does not check revocation, the actor's proof, the binding to a key, or any scope (RFC 9068 §4
 * steps are all done).
 *
 * @throws AuthError `invalid_token`, or what the keys throw
 */
export async function verifyJwt(token: string, rules: JwtRules): Promise<VerifiedToken> {
  const { header, payload, signature } = parseToken(token, rules);
  const members = parseStrictObject(payload);
  if (members === undefined) throw new AuthError('token_malformed');
  // Believed for this only: whose key has to have signed it.
  const keys = typeof members.iss === 'string' ? rules.keysOf(members.iss) : undefined;
  if (keys === undefined) throw new AuthError('issuer_mismatch', { claim: 'iss' });
  const key = keys.keyNow(header) ?? (await keys.keyFor(header));
  const answer = key(token, signature);
  if (!(typeof answer === 'boolean' ? answer : await answer))
    throw new AuthError('signature_invalid');
  return { ...checkClaims(members, rules), header, key };
}

function parseToken(
  token: string,
  { platform, algorithms }: JwtRules,
): {
  readonly header: TokenHeader;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
} {
  const read = readCompactJws(token, TOKEN_MAX_CHARS, platform.decode);
  if ('problem' in read) {
    if (read.problem === 'header_member')
      throw new AuthError('header_refused', { claim: read.member });
    throw new AuthError(read.problem === 'too_long' ? 'token_too_long' : 'token_malformed');
  }
  const { alg, typ, kid, jwk } = read.header;
  if (jwk !== undefined) throw new AuthError('header_refused', { claim: 'jwk' });
  const known = algorithms.find((name) => name === alg);
  if (known === undefined) throw new AuthError('alg_refused', { claim: 'alg' });
  if (!isTyp(typ, ACCESS_TOKEN_TYP)) throw new AuthError('typ_refused', { claim: 'typ' });
  if (typeof kid !== 'string' || kid === '' || kid.length > KID_MAX_CHARS)
    throw new AuthError('kid_missing', { claim: 'kid' });
  const { payload, signature } = read;
  return { header: { alg: known, kid }, payload, signature };
}

/**
 * Checks the members of a token that was vouched for: by its signature, or by its issuer's word.
 *
 * @throws AuthError
 */
export function checkClaims(
  members: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
): CheckedClaims {
  // DESIGN §3: one audience, a string; a list would be worth something elsewhere too.
  if (members.aud !== rules.resource) throw new AuthError('audience_mismatch', { claim: 'aud' });
  const parsed = parseClaims(members, rules.actDepthMax);
  if ('problem' in parsed) {
    const { claim, reason } = parsed.problem;
    if (reason === 'missing') throw new AuthError('claim_missing', { claim });
    if (reason === 'invariant') throw new AuthError('invariant_broken', { claim });
    throw new AuthError('claim_invalid', { claim });
  }
  const { claims } = parsed;
  // DESIGN §8c: a hand-off token is nobody's access token, wherever it is sent and whatever its aud.
  if (claims.hand_off !== undefined) throw new AuthError('invariant_broken', { claim: 'hand_off' });
  const { nbf } = members;
  if (nbf !== undefined && (typeof nbf !== 'number' || !Number.isFinite(nbf)))
    throw new AuthError('claim_invalid', { claim: 'nbf' });
  const checked = { claims, nbf };
  checkTimes(checked, rules);
  if (claims.exp <= claims.iat) throw new AuthError('claim_invalid', { claim: 'exp' });
  return checked;
}

/** @throws AuthError when it is not the time of the token */
export function checkTimes(
  { claims: { exp, iat }, nbf }: CheckedClaims,
  { now, clockToleranceSeconds }: Pick<ClaimRules, 'now' | 'clockToleranceSeconds'>,
): void {
  const nowSeconds = now() / 1000;
  if (nowSeconds >= exp + clockToleranceSeconds) throw new AuthError('expired', { claim: 'exp' });
  if (iat > nowSeconds + clockToleranceSeconds)
    throw new AuthError('not_yet_valid', { claim: 'iat' });
  if (nbf !== undefined && nbf > nowSeconds + clockToleranceSeconds)
    throw new AuthError('not_yet_valid', { claim: 'nbf' });
}
