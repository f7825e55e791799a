/**
 * Software statements (RFC 7591 §2.3): a JWT in which somebody else says what a client is. Taken from
 * issuers an operator trusts for that purpose, and from nobody else.
 */
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { OAuthError } from '../../protocol/index.js';
import type { Facts, TrustedIssuerFacts } from '../facts/store.js';
import { isCompactJws } from '../tokens/access-tokens.js';
import { refused } from './errors.js';

export interface StatementDeps {
  readonly facts: Pick<Facts, 'trustedIssuer'>;
  /** Our own issuer: a statement that names an audience names us. */
  readonly issuer: string;
  readonly nowSeconds: number;
}

const ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];
/** What an issuer signs for other purposes says so (RFC 8725 §3.11). */
const TYPES = new Set<unknown>([undefined, 'jwt', 'software-statement+jwt']);
const CLOCK_SKEW_SECONDS = 60;

const bad = (reason: string): OAuthError =>
  refused('invalid_software_statement', 'the software statement is not valid', reason);

/**
 * The claims of a statement that somebody trusted made.
 *
 * @throws OAuthError `invalid_software_statement`, or `unapproved_software_statement` when its issuer is
 *   nobody we were told to believe (RFC 7591 §3.2.2)
 */
export async function readStatement(
  { facts, issuer, nowSeconds }: StatementDeps,
  statement: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  if (typeof statement !== 'string' || !isCompactJws(statement)) {
    throw bad('it is not a compact JWS');
  }
  const trusted = await trustedFor(facts, claimedIssuer(statement));
  const { payload, protectedHeader } = await compactVerify(
    statement,
    createLocalJWKSet(trusted.jwks as unknown as JSONWebKeySet),
    { algorithms: ALGS },
  ).catch(() => {
    throw bad(`no key of ${trusted.issuer} verifies it`);
  });
  const { typ, crit, b64 } = protectedHeader as Readonly<Record<string, unknown>>;
  if (crit !== undefined || b64 !== undefined) throw bad('it has extensions nobody asked for');
  if (!TYPES.has(typeof typ === 'string' ? typ.toLowerCase() : typ))
    throw bad(`it is a ${typ}, not a software statement`);
  const claims = claimsIn(Buffer.from(payload).toString('utf8'));
  checkTimes(claims, trusted, nowSeconds);
  const { aud } = claims;
  if (aud !== undefined && ![aud].flat().includes(issuer)) throw bad('it is for somebody else');
  return claims;
}

function claimsIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(text);
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) {
      return claims as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Told below.
  }
  throw bad('its claims are not a JSON object');
}

/** Only to find whose keys to look at: nothing is believed yet. */
function claimedIssuer(statement: string): string {
  const [, payload = ''] = statement.split('.');
  const { iss } = claimsIn(Buffer.from(payload, 'base64url').toString('utf8'));
  if (typeof iss !== 'string' || iss === '') throw bad('it names no issuer (RFC 7591 §2.3)');
  return iss;
}

async function trustedFor(facts: StatementDeps['facts'], iss: string): Promise<TrustedIssuerFacts> {
  const trusted = await facts.trustedIssuer(iss);
  if (trusted?.purposes.includes('software_statement') && trusted.jwks !== null) return trusted;
  throw refused(
    'unapproved_software_statement',
    'software statements of this issuer are not taken here',
    `${iss} is not trusted with software statements, or has no keys registered`,
  );
}

function checkTimes(
  { exp, nbf, iat }: Readonly<Record<string, unknown>>,
  { notBefore, issuer }: TrustedIssuerFacts,
  now: number,
): void {
  for (const [name, value] of Object.entries({ exp, nbf, iat })) {
    if (value !== undefined && !Number.isFinite(value)) throw bad(`${name} is not a number`);
  }
  if (exp !== undefined && Number(exp) <= now) throw bad('it has expired');
  if (Math.max(Number(nbf ?? 0), Number(iat ?? 0)) > now + CLOCK_SKEW_SECONDS) {
    throw bad('it is from the future');
  }
  const since = Math.floor(notBefore.getTime() / 1000);
  if (since > 0 && !(Number(iat) >= since))
    throw bad(`${issuer} is believed since later than that`);
}
