/** From an HTTP request to a token and what proves it: the first step of enforcement. */
import { AuthError, underDpop } from './auth-error.js';
import type { ProofInput } from './binding.js';
import type { AuthContext } from './context.js';
import { type HttpInput, readCredential, readDpopHeader } from './http-input.js';
import type { VerifierSettings } from './options.js';

type Check = (token: string, proof: ProofInput) => Promise<AuthContext>;

/**
 * Finds the credential of a request and has it checked. Under the scheme Bearer a DPoP header means
 * nothing: a bound token is refused there, whatever comes with it (RFC 9449 §7.2).
 *
 * @throws AuthError
 */
export async function authenticate(
  input: HttpInput,
  { dpop, clientCertificate }: VerifierSettings,
  check: Check,
): Promise<AuthContext> {
  const { scheme, token } = readCredential(input);
  const certificate = clientCertificate?.(input);
  if (scheme === 'Bearer') return check(token, { clientCertificate: certificate });
  try {
    const proof = readDpopHeader(input);
    const request = { proof, method: input.method ?? '', url: dpop.publicUrl(input) };
    return await check(token, { dpop: request, clientCertificate: certificate });
  } catch (error) {
    throw error instanceof AuthError ? underDpop(error) : error;
  }
}
