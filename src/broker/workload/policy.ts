/**
 * Which workload a platform's token speaks of, and whether a credential means that one. Pure: verified
 * claims and an operator's rule in, yes or no out.
 */

/** What an operator says of a workload: exact words, or a name whose last part is any. */
export interface WorkloadRule {
  /** Exact `iss` of the platform. */
  readonly issuer: string;
  /** `system:serviceaccount:prod:helper`, or `system:serviceaccount:prod:*`. */
  readonly subject: string;
  /** Claims that must say exactly this, besides. */
  readonly claims?: Readonly<Record<string, string>> | undefined;
}

type Claims = Readonly<Record<string, unknown>>;

export const isMeant = ({ issuer, subject, claims: wanted = {} }: WorkloadRule, claims: Claims) =>
  claims.iss === issuer &&
  typeof claims.sub === 'string' &&
  isSubject(subject, claims.sub) &&
  Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(claims, name) && claims[name] === value,
  );

/** A star is one part of a name: never none, and never two. */
function isSubject(pattern: string, sub: string): boolean {
  if (!pattern.endsWith('*')) return sub === pattern;
  const prefix = pattern.slice(0, -1);
  return sub.startsWith(prefix) && /^[^:/]+$/.test(sub.slice(prefix.length));
}

/** JOSE types platforms give their tokens; Kubernetes gives none (RFC 7515 §4.1.9). */
export const PLATFORM_TYPES = [undefined, 'jwt', 'jose'] as const;

/** A pod's token lives for as long as its volume says; nobody's here for more than a day. Seconds. */
export const PLATFORM_LIFE_MAX_SECONDS = 86_400;
