/** What settings must be together: sentences about everything that is wrong. Pure. */
import type { Config } from './config.js';
import { documentProblems, LOOPBACK_HOSTS } from './document-rules.js';
import { certificateProblems } from './http/client-certificate.js';

/** The rules a table can hold; also used by tests. */
export function configProblems(config: Config, acceptPglite: boolean): string[] {
  const url = URL.canParse(config.issuer) ? new URL(config.issuer) : undefined;
  const loopback = url !== undefined && LOOPBACK_HOSTS.includes(url.hostname);
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [url === undefined, 'BEHALF_ISSUER must be an absolute URL'],
    [
      url !== undefined && !isPlainIssuer(config.issuer, url),
      'BEHALF_ISSUER must be a scheme, a host and at most a path of A-Z a-z 0-9 _ ~ . - and "/", written as a browser writes it, without a slash at its end',
    ],
    [
      url !== undefined && url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback),
      'BEHALF_ISSUER must be https, or http on a loopback host',
    ],
    [
      config.databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(config.databaseUrl),
      'DATABASE_URL must start with postgres://',
    ],
    [
      config.registration?.mode === 'domain' && config.registration.domains.length === 0,
      'BEHALF_REGISTRATION_DOMAINS must name a domain where BEHALF_REGISTRATION is domain',
    ],
    [config.production && config.secret === undefined, 'BEHALF_SECRET must be set in production'],
    [
      config.production && config.adminToken === undefined,
      'BEHALF_ADMIN_TOKEN must be set in production',
    ],
    [
      config.production && config.databaseUrl === undefined && !acceptPglite,
      'DATABASE_URL must be set in production (or BEHALF_ACCEPT_PGLITE=1: an embedded database does not survive power loss)',
    ],
  ];
  const { clientCertificates: certificates, trustedProxies = 0 } = config;
  return [
    ...rules.filter(([wrong]) => wrong).map(([, problem]) => problem),
    ...(certificates === undefined ? [] : certificateProblems(certificates, trustedProxies)),
    ...documentProblems(config),
  ];
}

/** Clients compare issuers as strings (RFC 8414 §3.3): there is one way to write each. */
const isPlainIssuer = (issuer: string, { origin, pathname }: URL): boolean =>
  issuer === `${origin}${pathname === '/' ? '' : pathname}` &&
  /^(\/|(\/[\w~-][\w.~-]*)+)$/.test(pathname);
