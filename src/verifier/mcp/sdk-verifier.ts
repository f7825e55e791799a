/** For servers that keep the SDK's own gate (`requireBearerAuth`) instead of the guard. */

import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { McpAuthInfo } from '../mcp-auth-info.js';

/**
 * An `OAuthTokenVerifier` whose refusals the SDK's v1 gate answers with 401: it knows its own
 * `InvalidTokenError` only, and makes a 500 of anything else. Hand that class over.
 *
 * Does not decide about tools, and loses the difference between the agent's side and the user's;
 * `protectMcpServer` does better. Throws nothing; what it makes rejects with the class
 * given, or with an {@link AuthError} of status 503.
 */
export function sdkTokenVerifier(
  verifier: Verifier,
  InvalidTokenError: new (message: string) => Error,
): { verifyAccessToken(token: string): Promise<McpAuthInfo> } {
  return {
    async verifyAccessToken(token) {
      try {
        return await verifier.verifyAccessToken(token);
      } catch (error) {
        if (error instanceof AuthError && error.status !== 503)
          throw new InvalidTokenError(error.message);
        throw error;
      }
    },
  };
}
