/**
 * Whether a signed word of somebody else's may be taken, once its signature is good: who said it and
 * for what, to whom, when. Pure: facts and claims in, the first thing that is wrong out. What it means
 * is for whoever asks.
 */

/** Why a token of another issuer is not taken. */
export type TrustProblem =
  | 'malformed'
  | 'untrusted_issuer'
  | 'not_its_purpose'
  | 'wrong_type'
  | 'wrong_algorithm'
  | 'unknown_key'
  | 'bad_signature'
  | 'wrong_audience'
  | 'no_subject'
  | 'no_expiry'
  | 'expired'
  | 'not_yet_valid'
  | 'lives_too_long'
  | 'older_than_trust';

export interface IssuerStanding {
  readonly purposes: readonly string[];
  readonly notBeforeMs: number;
}

export interface Expected {
  readonly purpose: string;
  /** `typ` headers that will do, lower case; undefined for none. */
  readonly types: readonly (string | undefined)[];
  /** Any one of these, alone; absent: this kind of token names nobody. */
  readonly audiences?: readonly string[] | undefined;
  /** The longest from `iat` to `exp`; absent: it need not end, and `iat` may be missing. */
  readonly lifeMaxSeconds?: number | undefined;
  readonly nowSeconds: number;
}

/** Clocks of two organisations (L10). */
const SKEW_SECONDS = 60;

const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** `application/` may be left out, and case does not tell (RFC 7515 §4.1.9). */
const typeOf = (typ: unknown): unknown =>
  typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ;

/** Before any key is looked for: who it claims to be from, and what it claims to be. */
export function decideHeader(
  issuer: IssuerStanding | undefined,
  header: Readonly<Record<string, unknown>>,
  { purpose, types }: Expected,
): TrustProblem | undefined {
  if (issuer === undefined) return 'untrusted_issuer';
  if (!issuer.purposes.includes(purpose)) return 'not_its_purpose';
  // J6: no extension changes what it means. J7: one kind of token is not another.
  if (header.crit !== undefined || header.b64 !== undefined) return 'malformed';
  return types.some((type) => type === typeOf(header.typ)) ? undefined : 'wrong_type';
}

/** One audience, and it is one of ours; a list of one is one (ID-JAG §4.4, J12). */
function isFor(aud: unknown, audiences: readonly string[]): boolean {
  const [only, ...others] = Array.isArray(aud) ? aud : [aud];
  return others.length === 0 && typeof only === 'string' && audiences.includes(only);
}

export function decideClaims(
  { notBeforeMs }: IssuerStanding,
  claims: Readonly<Record<string, unknown>>,
  { audiences, lifeMaxSeconds, nowSeconds }: Expected,
): TrustProblem | undefined {
  const { aud, sub, exp, iat, nbf } = claims;
  if (audiences !== undefined && !isFor(aud, audiences)) return 'wrong_audience';
  if (sub !== undefined && (typeof sub !== 'string' || sub === '')) return 'no_subject';
  // Incident 29, J11: numbers, and there.
  const timed = lifeMaxSeconds !== undefined;
  if (timed && (!isSeconds(exp) || !isSeconds(iat))) return 'no_expiry';
  for (const time of [exp, iat, nbf]) {
    if (time !== undefined && !isSeconds(time)) return 'no_expiry';
  }
  if (isSeconds(exp) && exp + SKEW_SECONDS <= nowSeconds) return 'expired';
  if ([iat, nbf].some((time) => isSeconds(time) && time - SKEW_SECONDS > nowSeconds)) {
    return 'not_yet_valid';
  }
  if (timed && isSeconds(exp) && isSeconds(iat) && exp - iat > lifeMaxSeconds) {
    return 'lives_too_long';
  }
  // Trust that ended and came back takes nothing from before.
  const said = isSeconds(iat) ? iat : 0;
  return said * 1000 < Math.floor(notBeforeMs / 1000) * 1000 ? 'older_than_trust' : undefined;
}
