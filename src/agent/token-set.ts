/** A token response (RFC 6749 §5.1) as a value. */
import { parseScope } from '../protocol/index.js';
import { agentError } from './errors.js';

/** An access token and what is known of it. To its holder the token is opaque (RFC 9068 §6). */
export interface TokenSet {
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
  readonly resource: string;
}

/** A token set with what only the host itself may see. */
export interface TokenResponse extends TokenSet {
  readonly refreshToken: string | undefined;
  readonly issuedAtMs: number;
}

/**
 * Reads a token response. Does not verify the token: it came from the server over a connection to
 * its own origin, and the resource server is who verifies it.
 */
export function parseTokenResponse(
  answer: Record<string, unknown>,
  request: { readonly resource: string; readonly scope: string | undefined },
  nowMs: number,
): TokenResponse {
  const { access_token, token_type, expires_in, scope, refresh_token } = answer;
  if (typeof access_token !== 'string' || access_token === '')
    throw agentError('response_invalid', 'the token response has no access_token');
  if (typeof token_type !== 'string' || token_type.toLowerCase() !== 'bearer')
    throw agentError('response_invalid', 'the token response has an unknown token_type');
  if (typeof expires_in !== 'number' || !(expires_in > 0))
    throw agentError('response_invalid', 'the token response has no expires_in');
  // RFC 6749 §5.1: an absent scope is the one that was asked for.
  const granted = typeof scope === 'string' ? scope : request.scope;
  return {
    accessToken: access_token,
    tokenType: 'Bearer',
    expiresAt: new Date(nowMs + expires_in * 1000),
    scopes: parseScope(granted),
    resource: request.resource,
    refreshToken: typeof refresh_token === 'string' ? refresh_token : undefined,
    issuedAtMs: nowMs,
  };
}

const RENEW_EARLY_MAX_MS = 30_000;

/** Whether a token still has life enough to be sent: the last fifth, at most 30 s, is kept back. */
export function isUsable(token: TokenResponse, nowMs: number): boolean {
  const lifeMs = token.expiresAt.getTime() - token.issuedAtMs;
  return token.expiresAt.getTime() - nowMs > Math.min(lifeMs / 5, RENEW_EARLY_MAX_MS);
}

/** What the caller gets: no refresh token. */
export const toTokenSet = (token: TokenResponse): TokenSet =>
  Object.freeze({
    accessToken: token.accessToken,
    tokenType: token.tokenType,
    expiresAt: token.expiresAt,
    scopes: token.scopes,
    resource: token.resource,
  });

/**
 * The value of an `Authorization` header for this token (RFC 6750 §2.1). Does not look at the clock, nor at
 * whom it is sent to. Throws nothing.
 */
export const authorizationHeader = ({ accessToken }: TokenSet): string => `Bearer ${accessToken}`;
