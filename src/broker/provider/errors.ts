/** From Behalf's one wire error to the engine's: the code and sentence go out, the reason stays. */
import { errors } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';

/** Why whoever came second lost: the statement that uses something up found it used. */
export const LOST_RACE = 'used at the same time by another request: the other one won';

/** An engine error that carries our code and sentence to the client and our reason to the audit. */
export function engineError(error: OAuthError): errors.OIDCProviderError {
  const wrapped = new errors.CustomOIDCProviderError(error.code, error.description);
  wrapped.error_detail = error.reason;
  wrapped.cause = error.cause;
  wrapped.statusCode = error.status;
  wrapped.status = error.status;
  wrapped.expose = true;
  return wrapped;
}

/** Throws an `OAuthError` as the engine's; anything else passes through. */
export function rethrow(error: unknown): never {
  throw error instanceof OAuthError ? engineError(error) : error;
}
