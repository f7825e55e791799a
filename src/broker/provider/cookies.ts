/** Which cookies the engine sets, and how. */
import type { Configuration } from 'oidc-provider';
import type { Secrets } from '../keys/secrets.js';

const isSecure = (issuer: string): boolean => issuer.startsWith('https:');

const common = (issuer: string) =>
  ({ signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure(issuer) }) as const;

/** ASVS 3.3.1: no other host can set or overwrite it. */
export const hostCookieName = (issuer: string, name: string): string =>
  `${isSecure(issuer) ? '__Host-' : ''}${name}`;

/** Bound to one interaction's path, which `__Host-` does not allow. */
const pathCookieName = (issuer: string, name: string): string =>
  `${isSecure(issuer) ? '__Secure-' : ''}${name}`;

export const sessionCookie = (issuer: string) => ({ ...common(issuer), path: '/' }) as const;

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
