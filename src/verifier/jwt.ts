/**
 * One access token, checked locally: JWS, then claims (RFC 9068 §4, RFC 8725). Every step has its
 * own reason. What needs the outside (keys) is handed in; rights and revocation are not looked at.
 */
import { type CryptoKey, compactVerify, errors } from 'jose';
import {
  ACCESS_TOKEN_TYP,
  type AccessTokenClaims,
  parseClaims,
  SIGNING_ALGS,
  type SigningAlg,
} from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import { isTyp, readCompactJws } from './compact-jws.js';
import { parseStrictObject } from './strict-json.js';

/** 16 kB: far above any token of ours, far below what hurts. */
const TOKEN_MAX_CHARS = 16_384;
const KID_MAX_CHARS = 256;
export interface TokenHeader {
  readonly alg: SigningAlg;
  readonly kid: string;
}

/** Finds the public key of a header or throws an {@link AuthError}. */
export type KeyFor = (header: TokenHeader) => Promise<CryptoKey>;

export interface JwtRules {
  readonly issuer: string;
  readonly resource: string;
  readonly clockToleranceSeconds: number;
  readonly actDepthMax: number;
  readonly keyFor: KeyFor;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface VerifiedToken {
  readonly claims: AccessTokenClaims;
  readonly kid: string;
}

/**
 * Verifies a compact JWS as an access token of `rules.issuer` for `rules.resource`.
 *
 * Does not check revocation, the actor's proof, the binding to a key, or any scope (RFC 9068 §4 steps are all done).
 *
 * @throws AuthError `invalid_token`, or what `keyFor` throws
 */
export async function verifyJwt(token: string, rules: JwtRules): Promise<VerifiedToken> {
  const header = parseHeader(token);
  const payload = await verifySignature(token, header.alg, await rules.keyFor(header));
  const members = parseStrictObject(payload);
  if (members === undefined) throw new AuthError('token_malformed');
  return { claims: checkClaims(members, rules), kid: header.kid };
}

function parseHeader(token: string): TokenHeader {
  const read = readCompactJws(token, TOKEN_MAX_CHARS);
  if ('problem' in read) {
    if (read.problem === 'header_member')
      throw new AuthError('header_refused', { claim: read.member });
    throw new AuthError(read.problem === 'too_long' ? 'token_too_long' : 'token_malformed');
  }
  const { alg, typ, kid, jwk } = read.header;
  if (jwk !== undefined) throw new AuthError('header_refused', { claim: 'jwk' });
  const known = SIGNING_ALGS.find((name) => name === alg);
  if (known === undefined) throw new AuthError('alg_refused', { claim: 'alg' });
  if (!isTyp(typ, ACCESS_TOKEN_TYP)) throw new AuthError('typ_refused', { claim: 'typ' });
  if (typeof kid !== 'string' || kid === '' || kid.length > KID_MAX_CHARS)
    throw new AuthError('kid_missing', { claim: 'kid' });
  return { alg: known, kid };
}

/** The seam for a synchronous signature check on Node; everything around it stays. */
async function verifySignature(
  token: string,
  alg: SigningAlg,
  key: CryptoKey,
): Promise<Uint8Array> {
  try {
    return (await compactVerify(token, key, { algorithms: [alg] })).payload;
  } catch (error) {
    // A key that cannot be used with this algorithm is a TypeError; the token is no better for it.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      throw new AuthError('signature_invalid');
    throw error;
  }
}

function checkClaims(members: Record<string, unknown>, rules: JwtRules): AccessTokenClaims {
  if (members.iss !== rules.issuer) throw new AuthError('issuer_mismatch', { claim: 'iss' });
  // DESIGN §3: one audience, a string; a list would be worth something elsewhere too.
  if (members.aud !== rules.resource) throw new AuthError('audience_mismatch', { claim: 'aud' });
  const parsed = parseClaims(members, rules.actDepthMax);
  if ('problem' in parsed) {
    const { claim, reason } = parsed.problem;
    if (reason === 'missing') throw new AuthError('claim_missing', { claim });
    if (reason === 'invariant') throw new AuthError('invariant_broken', { claim });
    throw new AuthError('claim_invalid', { claim });
  }
  // DESIGN §8c: a hand-off token is nobody's access token, wherever it is sent and whatever its aud.
  if (parsed.claims.hand_off !== undefined)
    throw new AuthError('invariant_broken', { claim: 'hand_off' });
  checkTimes(members, parsed.claims, rules);
  return parsed.claims;
}

function checkTimes(
  members: Record<string, unknown>,
  { exp, iat }: AccessTokenClaims,
  { now, clockToleranceSeconds }: JwtRules,
): void {
  const nowSeconds = now() / 1000;
  const nbf = members.nbf;
  if (nbf !== undefined && (typeof nbf !== 'number' || !Number.isFinite(nbf)))
    throw new AuthError('claim_invalid', { claim: 'nbf' });
  if (nowSeconds >= exp + clockToleranceSeconds) throw new AuthError('expired', { claim: 'exp' });
  if (iat > nowSeconds + clockToleranceSeconds)
    throw new AuthError('not_yet_valid', { claim: 'iat' });
  if (nbf !== undefined && nbf > nowSeconds + clockToleranceSeconds)
    throw new AuthError('not_yet_valid', { claim: 'nbf' });
  if (exp <= iat) throw new AuthError('claim_invalid', { claim: 'exp' });
}
