/** Whose tokens are accepted: one issuer or several, each with what belongs to it alone. */
import type { JSONWebKeySet } from 'jose';
import { parseSecureUrl } from '../protocol/index.js';
import {
  checkIntrospection,
  type IntrospectionOptions,
  type IntrospectionSettings,
} from './introspection.js';
import type { ReportCredentials } from './report.js';

/** What belongs to one issuer. A credential is never sent to another one. */
export interface IssuerParts {
  /** Keys of the issuer given once and for all; default: found by discovery and kept current. */
  readonly jwks?: JSONWebKeySet | undefined;
  /**
   * This server's own client: tells the broker which stops were applied here, so that a receipt can say
   * so. Default: `report`, if that is given.
   */
  readonly client?: ReportCredentials | undefined;
  /** Report decisions about tools to the broker's audit log, as this client. */
  readonly report?: ReportCredentials | undefined;
  /** Ask the issuer about tokens (RFC 7662); default never: the signature and the feed say enough. */
  readonly introspection?: IntrospectionOptions | undefined;
}

/** One issuer of several, and what belongs to it alone. */
export interface IssuerOptions extends IssuerParts {
  /** The exact `iss` of its tokens. https, or http on loopback. */
  readonly issuer: string;
}

export interface IssuerSettings {
  readonly issuer: string;
  readonly jwks: JSONWebKeySet | undefined;
  readonly client: ReportCredentials | undefined;
  readonly report: ReportCredentials | undefined;
  /** Absent with the mode `never`. */
  readonly introspection: IntrospectionSettings | undefined;
}

const PARTS = ['jwks', 'client', 'report', 'introspection'] as const satisfies ReadonlyArray<
  keyof IssuerParts
>;
const ISSUERS_MAX = 32;

function checkCredentials(
  name: 'client' | 'report',
  given: ReportCredentials | undefined,
): ReportCredentials | undefined {
  if (given !== undefined && !(given.clientId && given.clientSecret))
    throw new TypeError(`${name} has a clientId and a clientSecret`);
  return given;
}

function checkIssuer(options: IssuerOptions, resource: string): IssuerSettings {
  const { issuer } = options;
  const url = parseSecureUrl(issuer);
  if (url === undefined || url.search !== '')
    throw new TypeError('issuer is an absolute https URL (http on loopback), without query');
  // A resource that is the issuer would take actor tokens for access tokens (DESIGN §3).
  if (resource === issuer) throw new TypeError('resource and issuer are not the same');
  const client = checkCredentials('client', options.client ?? options.report);
  return Object.freeze({
    issuer,
    jwks: options.jwks,
    client,
    introspection: checkIntrospection(options.introspection, client),
    report: checkCredentials('report', options.report),
  });
}

/**
 * Checks the issuers. What stands beside a single name belongs to it; of several, each says its own.
 *
 * @throws TypeError naming the option
 */
export function checkIssuers(
  given: string | IssuerOptions | ReadonlyArray<string | IssuerOptions>,
  beside: IssuerParts,
  resource: string,
): readonly [IssuerSettings, ...IssuerSettings[]] {
  if (typeof given === 'string') return [checkIssuer({ ...beside, issuer: given }, resource)];
  const stray = PARTS.find((part) => beside[part] !== undefined);
  if (stray !== undefined) throw new TypeError(`${stray} belongs into the issuer it is for`);
  const list = Array.isArray(given) ? (given as ReadonlyArray<string | IssuerOptions>) : [given];
  const [first, ...others] = list.map((one) =>
    checkIssuer(typeof one === 'string' ? { issuer: one } : (one as IssuerOptions), resource),
  );
  if (first === undefined || others.length >= ISSUERS_MAX)
    throw new TypeError(`issuer names 1 to ${ISSUERS_MAX} issuers`);
  if (new Set([first, ...others].map(({ issuer }) => issuer)).size <= others.length)
    throw new TypeError('issuer names each issuer once');
  // Whose an opaque token is, nobody can tell; and it is shown to nobody else.
  if ([first, ...others].filter(({ introspection }) => introspection !== undefined).length > 1)
    throw new TypeError('introspection is for one of the issuers only');
  return Object.freeze([first, ...others] as const);
}
