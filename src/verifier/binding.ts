/**
 * Tokens bound to a key: by DPoP (RFC 9449 §6) or by the client's certificate (RFC 8705 §3). A
 * binding that is not proved makes the token worthless, whatever it is presented as.
 */
import { AuthError } from './auth-error.js';
import { sha256Base64url } from './digest.js';
import { checkDpopProof, type DpopRequest, type DpopRules } from './dpop.js';
import type { DpopSettings } from './dpop-options.js';
import type { Platform } from './platform.js';

/** What a caller proved besides having the token. */
export interface ProofInput {
  /** For a token sent under the scheme `DPoP`. Left out, it was sent under `Bearer`. */
  readonly dpop?: DpopRequest | undefined;
  /** The certificate of the TLS connection: DER, PEM, or its SHA-256 thumbprint in base64url. */
  readonly clientCertificate?: Uint8Array | string | undefined;
}

/** The key a token is bound to, proved. */
export interface Binding {
  /** RFC 9449 §6.1 */
  readonly jkt?: string;
  /** RFC 8705 §3.1 `x5t#S256` */
  readonly x5t?: string;
}

export interface BindingRules extends Pick<DpopRules, 'clockToleranceSeconds' | 'now'> {
  readonly dpop: DpopSettings;
  readonly platform: Platform;
}

const CERTIFICATE = 'x5t#S256';
const METHODS: readonly string[] = ['jkt', CERTIFICATE];
const THUMBPRINT = /^[\w-]{43}$/;
const PEM = /^-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/;

/** `x5t#S256` of a certificate; `undefined` when it is none. */
async function thumbprintOf(certificate: Uint8Array | string): Promise<string | undefined> {
  if (typeof certificate !== 'string') return sha256Base64url(certificate);
  if (THUMBPRINT.test(certificate)) return certificate;
  const body = PEM.exec(certificate.trim())?.[1];
  if (body === undefined) return undefined;
  return sha256Base64url(Uint8Array.from(atob(body.replace(/\s/g, '')), (c) => c.charCodeAt(0)));
}

async function provesCertificate(
  certificate: ProofInput['clientCertificate'],
  expected: string,
): Promise<boolean> {
  if (certificate === undefined) return false;
  return (await thumbprintOf(certificate).catch(() => undefined)) === expected;
}

/**
 * Checks every confirmation method of a verified token. One that is not known cannot be passed over
 * (RFC 7800 §3.1 leaves it open; a bound token taken for a bearer token is the attack).
 *
 * @throws AuthError
 */
export async function checkBinding(
  token: string,
  cnf: Readonly<Record<string, string>> | undefined,
  proof: ProofInput,
  rules: BindingRules,
): Promise<Binding | undefined> {
  const methods = Object.keys(cnf ?? {});
  if (cnf !== undefined && (methods.length === 0 || methods.some((one) => !METHODS.includes(one))))
    throw new AuthError('binding_unsupported', { claim: 'cnf' });
  const jkt = cnf?.jkt;
  const x5t = cnf?.[CERTIFICATE];
  if (jkt === undefined && (proof.dpop !== undefined || rules.dpop.required))
    throw new AuthError('binding_missing', { claim: 'cnf' });
  if (jkt !== undefined && proof.dpop === undefined)
    throw new AuthError('binding_unproved', { claim: 'cnf' });
  if (x5t !== undefined && !(await provesCertificate(proof.clientCertificate, x5t)))
    throw new AuthError('certificate_mismatch', { claim: 'cnf' });
  if (jkt !== undefined && proof.dpop !== undefined) {
    const { dpop, now, clockToleranceSeconds, platform } = rules;
    const { decode } = platform;
    const dpopRules = { ...dpop, now, clockToleranceSeconds, decode };
    await checkDpopProof(proof.dpop, { token, jkt }, dpopRules);
  }
  if (cnf === undefined) return undefined;
  return Object.freeze({
    ...(jkt === undefined ? {} : { jkt }),
    ...(x5t === undefined ? {} : { x5t }),
  });
}
