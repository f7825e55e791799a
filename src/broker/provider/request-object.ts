/**
 * Signed authorization requests (RFC 9101), by value: what a request object must say besides its
 * signature, which the engine checks with the client's registered keys. A reference that is not a
 * pushed request of ours is never fetched (A8).
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { isCompactJws } from '../tokens/access-tokens.js';
import { isFapiAlg } from '../tokens/fapi.js';

/** A request is for now: seconds. */
const LIFE_MAX_SECONDS = 300;
const CLOCK_SKEW_SECONDS = 60;
const JTI_CHARS_MAX = 256;
/** RFC 9101 §10.8: the explicit type, or none that is told apart from it (J7). */
const TYPES = new Set<unknown>([undefined, 'oauth-authz-req+jwt', 'JWT', 'jwt']);

interface Expected {
  readonly issuer: string;
  readonly clientId: string;
  readonly nowSeconds: number;
  /** FAPI 2.0 §5.4.1: no RS256. */
  readonly fapi: boolean;
}

/** Pure: what is wrong with the header and claims of a request object, for the client to read. */
export function requestObjectProblem(
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>>,
  { issuer, clientId, nowSeconds, fapi }: Expected,
): string | undefined {
  const { exp, nbf, iat, jti } = claims;
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    // J6: no extension changes what it means.
    [header.crit === undefined && header.b64 === undefined, 'must not use crit or b64'],
    [!fapi || isFapiAlg(header.alg), 'alg must be PS256, ES256 or EdDSA'],
    [TYPES.has(header.typ), 'typ must be oauth-authz-req+jwt'],
    // RFC 9101 §4, §5: it stands for itself; what is beside it is not looked at.
    [claims.client_id === clientId, 'client_id must be the client’s'],
    [claims.iss === clientId, 'iss must be the client’s id'],
    [claims.aud === issuer, 'aud must be the issuer, alone'],
    // §10.8: a client assertion is no request.
    [claims.sub === undefined, 'must not have sub'],
    [isWithin(exp, 0, nowSeconds + LIFE_MAX_SECONDS), 'exp must be at most five minutes ahead'],
    [
      nbf === undefined || isWithin(nbf, nowSeconds - LIFE_MAX_SECONDS, nowSeconds),
      'nbf must be at most five minutes ago, and not ahead',
    ],
    [iat === undefined || isWithin(iat, 0, nowSeconds), 'iat must not be ahead'],
    [
      jti === undefined || (typeof jti === 'string' && jti.length <= JTI_CHARS_MAX),
      `jti must have at most ${JTI_CHARS_MAX} characters`,
    ],
    // OB2: the engine would drop it, and nobody would act.
    [claims.requested_actor !== '', 'requested_actor must not be empty'],
  ];
  return rules.find(([fine]) => !fine)?.[1];
}

const isWithin = (value: unknown, least: number, most: number): boolean =>
  typeof value === 'number' &&
  value >= least - CLOCK_SKEW_SECONDS &&
  value <= most + CLOCK_SKEW_SECONDS;

/**
 * Called by the engine before it verifies the signature, and again when a pushed request comes back
 * as the object it was kept in.
 *
 * @throws errors.InvalidRequestObject
 */
export function assertRequestObject(
  ctx: KoaContextWithOIDC,
  claims: Record<string, unknown>,
  header: Record<string, unknown>,
  expected: Expected,
): void {
  // What was pushed was checked when it was pushed, and kept sealed.
  if ('PushedAuthorizationRequest' in ctx.oidc.entities) return;
  if (!isCompactJws(String(ctx.oidc.params?.request))) {
    throw new errors.InvalidRequestObject('the request object is not a plain compact JWS');
  }
  const problem = requestObjectProblem(claims, header, expected);
  if (problem !== undefined) throw new errors.InvalidRequestObject(`request object: ${problem}`);
}
