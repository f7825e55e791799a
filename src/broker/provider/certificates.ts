/**
 * Client authentication by certificate (RFC 8705 §2), and the engine's view of what is bound to one (§3).
 * A certificate proves by its names, if the proxy verified its chain (`tls_client_auth`), or by being
 * the very one that was registered (`self_signed_tls_client_auth`).
 */
import { isIP } from 'node:net';
import type { Configuration } from 'oidc-provider';
import type { CredentialFacts } from '../facts/store.js';
import type { ClientCertificate } from '../http/client-certificate.js';
import { type RequestContext, requestState } from '../http/request.js';

/** One registered certificate: its thumbprint, or the one name it must hold (RFC 8705 §2.1.2). */
export interface RegisteredCertificate {
  readonly id: string;
  readonly thumbprint: string | null;
  readonly rule: Readonly<Record<string, unknown>> | null;
}

export const isCertificateAuth = (auth: string): boolean =>
  auth === 'tls_client_auth' || auth === 'self_signed_tls_client_auth';

/** Of the kind that its method goes by: a name proves nothing where a certificate was registered. */
export const registeredCertificates = (
  auth: string,
  credentials: readonly CredentialFacts[],
): readonly RegisteredCertificate[] =>
  credentials
    .filter(
      ({ kind, rule }) =>
        kind === 'certificate' && (rule !== null) === (auth === 'tls_client_auth'),
    )
    .map(({ id, thumbprint, rule }) => ({ id, thumbprint, rule }));

/** Pure: the registered certificate that the one shown is. */
export function provingCertificate(
  shown: ClientCertificate | undefined,
  registered: readonly RegisteredCertificate[],
  nowMs: number,
): RegisteredCertificate | undefined {
  if (shown === undefined) return undefined;
  const { validFrom, validTo } = shown.x509;
  if (!(Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo))) return undefined;
  return registered.find(({ thumbprint, rule }) =>
    rule === null ? thumbprint === shown.thumbprint : shown.verified && holdsName(shown, rule),
  );
}

const EXACT = { subject: 'never', wildcards: false, partialWildcards: false } as const;

/** Exactly one name, compared whole: no wildcard, no prefix, nothing from the subject. */
function holdsName({ x509 }: ClientCertificate, rule: Readonly<Record<string, unknown>>): boolean {
  const [[kind, name] = ['', ''], ...more] = Object.entries(rule);
  if (more.length > 0 || typeof name !== 'string' || name === '') return false;
  switch (kind) {
    case 'subject_dn':
      return normalDn(name) === normalDn((x509.subject ?? '').split('\n').reverse().join(','));
    case 'san_dns':
      return x509.checkHost(name, EXACT) !== undefined;
    case 'san_email':
      return x509.checkEmail(name, { subject: 'never' }) !== undefined;
    case 'san_ip':
      return isIP(name) !== 0 && x509.checkIP(name) !== undefined;
    case 'san_uri':
      return alternativeNames(x509.subjectAltName ?? '').includes(`URI:${name}`);
    default:
      return false;
  }
}

/** RFC 4514: types in any case, spaces around the commas of no account, values exactly. */
const normalDn = (dn: string): string =>
  dn
    .split(/(?<!\\),/)
    .map((part) => part.trim().replace(/^[^=]+/, (type) => type.toUpperCase()))
    .join(',');

/** Node writes `DNS:a, URI:b`, and a value that could be taken for more than one as a JSON string. */
const alternativeNames = (text: string): string[] =>
  [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(
    ([, type = '', value = '']) => `${type}:${value.startsWith('"') ? JSON.parse(value) : value}`,
  );

/**
 * The engine asks whether a subject matches one registered value: it is handed all of a client's
 * certificates as that value, for both methods, and answers with whichever proves it.
 */
export const certificateMetadata = (
  auth: string,
  credentials: readonly CredentialFacts[],
): Readonly<Record<string, unknown>> =>
  isCertificateAuth(auth)
    ? {
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: JSON.stringify(registeredCertificates(auth, credentials)),
      }
    : {};

export function mutualTls(
  now: () => number,
): NonNullable<NonNullable<Configuration['features']>['mTLS']> {
  const shownIn = (ctx: RequestContext) => requestState(ctx).certificate;
  return {
    enabled: true,
    tlsClientAuth: true,
    selfSignedTlsClientAuth: false,
    certificateBoundAccessTokens: true,
    getCertificate: (ctx) => shownIn(ctx)?.x509,
    // Decided with the names: a registered certificate needs no chain.
    certificateAuthorized: () => true,
    certificateSubjectMatches: (ctx, _property, expected) => {
      const registered = JSON.parse(String(expected)) as readonly RegisteredCertificate[];
      const proving = provingCertificate(shownIn(ctx), registered, now());
      if (proving === undefined) return false;
      requestState(ctx).credentialId = proving.id;
      return true;
    },
  };
}
