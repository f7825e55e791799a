/**
 * Introspection answers as signed JWTs (RFC 9701): the issuer's own word to this very server, whatever
 * stands between the two. Encrypted answers (RFC 9701 §5) are not read.
 */
import { AuthError } from './auth-error.js';
import { type JwsRules, parseJws } from './jwt.js';
import type { KeySource } from './keys.js';
import { parseStrictObject } from './strict-json.js';

/** RFC 9701 §4 */
export const SIGNED_ANSWER_TYPE = 'application/token-introspection+jwt';
/** RFC 9701 §5. An access token, an ID token or a receipt of the same issuer is no answer (§8.1). */
const TYP = 'token-introspection+jwt';

export interface SignedAnswerRules extends JwsRules {
  readonly issuer: string;
  /** Whose answer it is: the client that asked. */
  readonly audience: string;
  readonly keys: Pick<KeySource, 'keyFor' | 'keyNow'>;
  readonly clockToleranceSeconds: number;
}

/** When it was asked, and answered: milliseconds since the epoch. */
export interface AnswerTimes {
  readonly askedAtMs: number;
  readonly nowMs: number;
}

/** An answer that is wrong, and no outage, so that it never makes a JWT good by itself. */
export const refuseAnswer = (what: string, cause?: unknown): Error =>
  Object.assign(new Error(`the introspection answer is ${what}`, { cause }), { isRefusal: true });

async function payloadOf(jws: string, rules: SignedAnswerRules): Promise<Uint8Array> {
  try {
    const { header, payload, signature } = parseJws(jws, TYP, rules);
    const key = rules.keys.keyNow(header) ?? (await rules.keys.keyFor(header));
    if (await key(jws, signature)) return payload;
  } catch (error) {
    if (!(error instanceof AuthError) || error.reason === 'keys_unavailable') throw error;
    throw refuseAnswer('not acceptable', error);
  }
  throw refuseAnswer('signed by somebody else');
}

/**
 * What a signed answer says about the token. One from before the question answers something else.
 *
 * @throws Error when it is not from this issuer, to this client, now
 */
export async function readSignedAnswer(
  jws: string,
  { askedAtMs, nowMs }: AnswerTimes,
  rules: SignedAnswerRules,
): Promise<unknown> {
  const claims = parseStrictObject(await payloadOf(jws, rules));
  if (claims?.iss !== rules.issuer || claims.aud !== rules.audience)
    throw refuseAnswer('of another issuer, or for another client');
  const { iat } = claims;
  const earliest = Math.floor(askedAtMs / 1000) - rules.clockToleranceSeconds;
  const latest = nowMs / 1000 + rules.clockToleranceSeconds;
  if (typeof iat !== 'number' || !(iat >= earliest && iat <= latest))
    throw refuseAnswer('not of this moment');
  return claims.token_introspection;
}
