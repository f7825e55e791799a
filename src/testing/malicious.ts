/**
 * Tokens that no verifier may accept, each one change away from a good one, with the refusal that
 * is due. Ids in names: J* of the threat catalogue; VF* of the verifier checklist.
 */
import type { AuthErrorCode, AuthReason } from '../verifier/index.js';
import { actorRows } from './actor-claims.js';
import { audienceRows, memberRows, timeRows } from './claim-rows.js';
import { foreignlySigned } from './foreign-rows.js';
import { forge } from './forge.js';
import { HEADER_ROWS } from './header-rows.js';
import { delegatedClaims, type TestIssuer } from './issuer.js';
import { spellings, textRows } from './text-rows.js';

/** A token, and the refusal that is due. */
export interface MaliciousToken {
  /** What was done to the token; the id before it is of a row of the threat catalogue. */
  readonly name: string;
  readonly token: string;
  /** Of the HTTP answer (RFC 6750 §3.1). */
  readonly status: 401 | 403;
  /** The `error` of the challenge, whichever verifier it is. */
  readonly code: AuthErrorCode;
  /** {@link AuthReason} of `behalf/verifier`; other verifiers have words of their own. */
  readonly reason: AuthReason;
}

/**
 * Builds the list, some 270 tokens, against an issuer as it is now; make it anew after a rotation or a
 * jump in time. Feed each to a verifier of `issuer.issuer` and `issuer.resource`: it must answer `status`
 * and `code`. Whatever another verifier takes of them is something it does not check.
 *
 * Holds nothing that is wrong only at one time (revoked, replayed) or for one operation.
 *
 * @param now milliseconds since the epoch; the verifier's clock
 * @throws TypeError when the resource of the issuer is no URL
 */
export async function maliciousTokens(
  issuer: TestIssuer,
  now: () => number = Date.now,
): Promise<readonly MaliciousToken[]> {
  const { kid, privateKey } = issuer.signingKey();
  const iat = Math.floor(now() / 1000);
  const header = { alg: 'ES256', typ: 'at+jwt', kid };
  const claims = {
    iss: issuer.issuer,
    aud: issuer.resource,
    iat,
    exp: iat + 300,
    ...delegatedClaims(issuer.issuer, {}),
  };
  const made: Array<readonly [string, AuthReason, string]> = [];
  for (const [name, reason, wrong, wrongHeader] of [
    ...audienceRows(issuer),
    ...timeRows(iat),
    ...memberRows,
    ...actorRows(issuer),
    ...HEADER_ROWS,
  ])
    made.push([
      name,
      reason,
      await forge({ ...header, ...wrongHeader }, { ...claims, ...wrong }, privateKey),
    ]);
  for (const [name, reason, first, second] of textRows(header, claims))
    made.push([name, reason, await forge(first, second, privateKey)]);
  const other = await forge(header, { ...claims, sub: 'usr_mallory' }, privateKey);
  made.push(...spellings(await forge(header, claims, privateKey), other));
  made.push(...(await foreignlySigned(issuer, header, claims)));
  return made.map(([name, reason, token]) => ({
    name,
    reason,
    token,
    ...(reason === 'actor_unproved'
      ? { status: 403, code: 'actor_unauthorized' }
      : { status: 401, code: 'invalid_token' }),
  }));
}
