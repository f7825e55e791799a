/** Refusals of registration and its management, as RFC 7591 §3.2.2, RFC 7592 and RFC 6750 name them. */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import { isRefusal } from '../registry/refusal.js';

export const refused = (code: OAuthErrorCode, sentence: string, reason?: string): OAuthError =>
  new OAuthError(code, sentence, reason);

export const badMetadata = (sentence: string): OAuthError =>
  refused('invalid_client_metadata', sentence);

/** One and the same for every token that is not good, and for every client that is not there (K10). */
export const badManagementToken = (reason: string): OAuthError =>
  refused('invalid_token', 'the registration access token is not good for this client', reason);

export const badInitialToken = (): OAuthError =>
  refused('invalid_token', 'the initial access token is unknown, used, removed or expired');

const TOO_MANY = 429;

export interface TooMany extends OAuthError {
  readonly retryAfterSeconds: number;
}

export const tooMany = (
  reason: string,
  retryAfterSeconds: number,
  what = 'clients were registered',
): TooMany =>
  Object.assign(
    new OAuthError(
      'temporarily_unavailable',
      `too many ${what}: try again later`,
      reason,
      TOO_MANY,
    ),
    { retryAfterSeconds },
  );

/** What the registry refuses is a refusal of the metadata; anything else passes through. */
export function rethrowRefusal(error: unknown): never {
  throw isRefusal(error) ? badMetadata(error.message) : error;
}
