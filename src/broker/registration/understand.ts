/**
 * From what a client says to what is kept of it: under the statement of somebody trusted, on the
 * redirect URIs that are welcome. Used when it registers and when it changes (RFC 7591, RFC 7592).
 */
import { acceptMetadata, type SelfDescribed } from '../clients/self-described.js';
import type { RegistrationDeps } from './deps.js';
import { badMetadata, refused } from './errors.js';
import { underStatement, unwelcomeRedirect } from './policy.js';
import { readStatement } from './software-statement.js';

interface Understood {
  readonly said: SelfDescribed;
  /** As it was sent: it is told again (RFC 7591 §3.2.1). */
  readonly statement: string | undefined;
}

/** What is kept of what was said, under the statement of somebody trusted, if there is one. */
export async function understand(
  { trust, issuer, rules }: RegistrationDeps,
  raw: Readonly<Record<string, unknown>>,
): Promise<Understood> {
  const { software_statement: statement, ...plain } = raw;
  const isVouched = statement !== undefined && statement !== null && statement !== '';
  const claims = isVouched ? await readStatement(trust, issuer, statement) : {};
  const acceptance = acceptMetadata(withoutOddScope(underStatement(plain, claims)));
  if ('problem' in acceptance) {
    throw refused(acceptance.problem.code, acceptance.problem.message);
  }
  const { accepted } = acceptance;
  const unwelcome = unwelcomeRedirect(rules, accepted.redirectUris);
  if (unwelcome !== undefined) {
    const sentence =
      'redirect_uris: only listed domains may register here, and programs on a device';
    throw refused('invalid_redirect_uri', sentence, `${unwelcome} is on no listed domain`);
  }
  if (accepted.auth === 'private_key_jwt' && accepted.jwks === undefined) {
    throw badMetadata('send the keys themselves (jwks): jwks_uri is not fetched');
  }
  return { said: accepted, statement: isVouched ? String(statement) : undefined };
}

const SCOPE_CHARS_MAX = 2000;

/** DC8: whatever is wrong with a scope that limits nothing, it keeps nobody out. */
function withoutOddScope({ scope, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return typeof scope === 'string' && scope.length <= SCOPE_CHARS_MAX ? { ...rest, scope } : rest;
}

/** What a client says of itself, in the registry's words; what it does not say is null. */
export const ownWords = (said: SelfDescribed) => ({
  clientUri: said.clientUri ?? null,
  logoUri: said.logoUri ?? null,
  policyUri: said.policyUri ?? null,
  contact: said.contact ?? null,
  requirePar: said.requirePar,
  dpopBound: said.dpopBound,
});
