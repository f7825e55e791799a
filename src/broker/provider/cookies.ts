/** Which cookies the engine sets, and how. */
import { createHash } from 'node:crypto';
import type { Configuration } from 'oidc-provider';
import { cookiePath, issuerPath } from '../http/mount.js';
import type { Secrets } from '../keys/secrets.js';

const isSecure = (issuer: string): boolean => issuer.startsWith('https:');

const common = (issuer: string) =>
  ({ signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure(issuer) }) as const;

const SUFFIX_CHARS = 8;

/** ASVS 3.3.1: no other host can set or overwrite it. Below a path `__Host-` is not allowed. */
export const hostCookieName = (issuer: string, name: string): string =>
  issuerPath(issuer) === ''
    ? `${isSecure(issuer) ? '__Host-' : ''}${name}`
    : pathCookieName(issuer, name);

/** Bound to one path. Issuers that share a host may stand inside each other: each has its own name. */
function pathCookieName(issuer: string, name: string): string {
  const path = issuerPath(issuer);
  const hash = createHash('sha256').update(path).digest('hex').slice(0, SUFFIX_CHARS);
  return `${isSecure(issuer) ? '__Secure-' : ''}${name}${path === '' ? '' : `_${hash}`}`;
}

export const sessionCookie = (issuer: string) =>
  ({ ...common(issuer), path: cookiePath(issuer) }) as const;

export const cookies = (deps: {
  readonly issuer: string;
  readonly secrets: Secrets;
}): NonNullable<Configuration['cookies']> => ({
  keys: deps.secrets.derive('cookies').map((key) => key.toString('base64url')),
  names: {
    session: hostCookieName(deps.issuer, 'behalf_session'),
    interaction: pathCookieName(deps.issuer, 'behalf_interaction'),
    resume: pathCookieName(deps.issuer, 'behalf_resume'),
  },
  long: sessionCookie(deps.issuer),
  short: common(deps.issuer),
});
