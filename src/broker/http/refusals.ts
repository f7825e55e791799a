/**
 * Refusals of requests that people make with a browser, and which page tells them so. On the wire
 * each is a code and a sentence; the page says it in the reader's language, and what to do now.
 */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import type { Texts } from './texts/index.js';

/** What a page about a problem can be about. */
export type Problem = keyof Texts['problems'];

interface Refusal {
  readonly code: OAuthErrorCode;
  readonly sentence: string;
  readonly status?: number;
}

const REFUSALS = {
  expired: {
    code: 'invalid_request',
    sentence: 'this page belongs to another browser or has expired',
  },
  formExpired: {
    code: 'access_denied',
    sentence: 'the form has expired: go back and try again',
  },
  foreignForm: { code: 'access_denied', sentence: 'the form was sent from another site' },
  tooLong: { code: 'invalid_request', sentence: 'the request is too long', status: 413 },
  notFound: { code: 'invalid_request', sentence: 'there is nothing at this address', status: 404 },
  wrongMethod: {
    code: 'invalid_request',
    sentence: 'this address does not take this method',
    status: 405,
  },
  unavailable: {
    code: 'temporarily_unavailable',
    sentence: 'the server cannot answer now: try again',
  },
  server: { code: 'server_error', sentence: 'something went wrong on our side' },
} as const satisfies Partial<Record<Problem, Refusal>>;

export function refusal(problem: keyof typeof REFUSALS): OAuthError {
  const { code, sentence, status }: Refusal = REFUSALS[problem];
  return new OAuthError(code, sentence, sentence, status);
}

/** RFC 6749 §4.1.2.1: these two are told to the person, because nobody knows where else to. */
const BY_CODE: Readonly<Record<string, Problem>> = {
  invalid_client: 'unknownClient',
  invalid_redirect_uri: 'redirectUri',
  server_error: 'server',
  temporarily_unavailable: 'unavailable',
};

/** Which page an error is shown as. */
export function problemOf(error: { readonly code: string; readonly sentence: string }): Problem {
  const own = Object.entries(REFUSALS).find(([, { sentence }]) => sentence === error.sentence);
  if (own !== undefined) return own[0] as Problem;
  return Object.hasOwn(BY_CODE, error.code) ? (BY_CODE[error.code] ?? 'request') : 'request';
}
