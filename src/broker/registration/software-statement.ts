/**
 * Software statements (RFC 7591 §2.3): a JWT in which somebody else says what a client is. Taken from
 * issuers an operator trusts for that purpose, and from nobody else.
 */
import { decodeJwt } from 'jose';
import type { OAuthError } from '../../protocol/index.js';
import type { TrustVerifier } from '../trust/verify.js';
import { refused } from './errors.js';

/** What an issuer signs for other purposes says so (RFC 8725 §3.11). */
const TYPES = [undefined, 'jwt', 'software-statement+jwt'];

/** Of these it is the issuer that is not taken, and not what it says (RFC 7591 §3.2.2). */
const UNAPPROVED = new Set(['untrusted_issuer', 'not_its_purpose']);

const bad = (reason: string): OAuthError =>
  refused('invalid_software_statement', 'the software statement is not valid', reason);

const issuerOf = (statement: string): string | undefined => {
  try {
    return decodeJwt(statement).iss;
  } catch {
    return undefined;
  }
};

/**
 * The claims of a statement that somebody trusted made. It need not end, and need not name whom it is for.
 *
 * @throws OAuthError `invalid_software_statement`, or `unapproved_software_statement` when its issuer is
 *   nobody we were told to believe
 */
export async function readStatement(
  trust: Pick<TrustVerifier, 'verify'>,
  issuer: string,
  statement: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  if (typeof statement !== 'string') throw bad('it is not a compact JWS');
  if (issuerOf(statement) === undefined) throw bad('it names no issuer (RFC 7591 §2.3)');
  const word = await trust.verify(statement, { purpose: 'software_statement', types: TYPES });
  if ('problem' in word) {
    if (!UNAPPROVED.has(word.problem)) throw bad(`untrusted_${word.problem}`);
    throw refused(
      'unapproved_software_statement',
      'software statements of this issuer are not taken here',
      `untrusted_${word.problem}`,
    );
  }
  const { aud } = word.claims;
  if (aud !== undefined && ![aud].flat().includes(issuer)) throw bad('it is for somebody else');
  return word.claims;
}
