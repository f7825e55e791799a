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
import { isTyp, readJwsHeader, splitJws } from './compact-jws.js';
import type { KeySource } from './keys.js';
import type { Platform, SignatureCheck } from './platform.js';
import type { Recent } from './recent.js';
import { type Soon, soon } from './soon.js';
import { parseStrictObject } from './strict-json.js';

/** 16 kB: far above any token of ours, far below what hurts. */
export const TOKEN_MAX_CHARS = 16_384;
const KID_MAX_CHARS = 256;
/** An issuer has as many as it has keys. */
export const HEADERS_MAX = 100;

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

/** How a JWS is signed. */
export interface JwsRules {
  readonly algorithms: readonly SigningAlg[];
  readonly platform: Platform;
  /**
   * Headers of one typ that were verified, by their segment: all tokens under one key have the same. What
   * somebody makes up is never among them.
   */
  readonly headers?: Recent<TokenHeader>;
}

export interface JwtRules extends ClaimRules, JwsRules {
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

export interface ParsedJws {
  readonly header: TokenHeader;
  /** As it is written; absent when it is a known one. */
  readonly newSegment: string | undefined;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Verifies a compact JWS as an access token of an accepted issuer for `rules.resource`.
 *
 * Does not check revocation, the actor's proof, the binding to a key, or any scope (RFC 9068 §4
 * steps are all done).
 *
 * @param verifiedBy the key that verified this very token before; while it is the token's key, the
 * signature is not computed again
 * @throws AuthError `invalid_token`, or what the keys throw
 */
export function verifyJwt(
  token: string,
  rules: JwtRules,
  verifiedBy?: SignatureCheck,
): Soon<VerifiedToken> {
  if (token.length > TOKEN_MAX_CHARS) throw new AuthError('token_too_long');
  const { header, newSegment, payload, signature } = parseJws(token, ACCESS_TOKEN_TYP, rules);
  const members = parseStrictObject(payload);
  if (members === undefined) throw new AuthError('token_malformed');
  // Believed for this only: whose key has to have signed it.
  const keys = typeof members.iss === 'string' ? rules.keysOf(members.iss) : undefined;
  if (keys === undefined) throw new AuthError('issuer_mismatch', { claim: 'iss' });

  return soon(keys.keyNow(header) ?? keys.keyFor(header), (key) =>
    soon(key === verifiedBy || key(token, signature), (isGood) => {
      if (!isGood) throw new AuthError('signature_invalid');
      // Letter by letter: a part cut out of a token may hold on to all of it.
      if (newSegment !== undefined) rules.headers?.set([...newSegment].join(''), header);
      const { claims, nbf } = checkClaims(members, rules);
      return { claims, nbf, header, key };
    }),
  );
}

/**
 * Takes a JWS apart and checks its header. Does not check the signature.
 *
 * @throws AuthError
 */
export function parseJws(jws: string, typ: string, rules: JwsRules): ParsedJws {
  const { decode } = rules.platform;
  const [first, second, third] = splitJws(jws) ?? [];
  const payload = second && decode(second);
  const signature = third && decode(third);
  if (!first || !payload || !signature) throw new AuthError('token_malformed');
  const known = rules.headers?.get(first);
  if (known !== undefined) return { header: known, newSegment: undefined, payload, signature };
  return { header: readHeader(first, typ, rules), newSegment: first, payload, signature };
}

function readHeader(segment: string, expected: string, rules: JwsRules): TokenHeader {
  const read = readJwsHeader(segment, rules.platform.decode);
  if ('problem' in read)
    throw read.problem === 'header_member'
      ? new AuthError('header_refused', { claim: read.member })
      : new AuthError('token_malformed');
  const { alg, typ, kid, jwk } = read.header;
  if (jwk !== undefined) throw new AuthError('header_refused', { claim: 'jwk' });
  const known = rules.algorithms.find((name) => name === alg);
  if (known === undefined) throw new AuthError('alg_refused', { claim: 'alg' });
  if (!isTyp(typ, expected)) throw new AuthError('typ_refused', { claim: 'typ' });
  if (typeof kid !== 'string' || kid === '' || kid.length > KID_MAX_CHARS)
    throw new AuthError('kid_missing', { claim: 'kid' });
  return Object.freeze({ alg: known, kid });
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
