/** Failures of the agent host as plain errors with a code: the wire's, or one of our own. */

/** What went wrong before, between or instead of an answer of the authorization server. */
export type AgentLocalCode =
  | 'metadata_invalid'
  | 'unreachable'
  | 'response_invalid'
  | 'transaction_unknown'
  | 'state_mismatch'
  | 'iss_mismatch'
  | 'callback_invalid'
  | 'actor_mismatch'
  | 'delegation_ended';

/**
 * The one error of an agent host or service host. Names codes and endpoints, never a credential
 * or token.
 */
export interface AgentError extends Error {
  readonly name: 'AgentError';
  /** The `error` of an OAuth answer (`invalid_grant`, `access_denied`, …) or a local code. */
  readonly code: string;
  /** HTTP status of the answer, when there was one. */
  readonly status?: number;
  /** `error_description` of the answer. */
  readonly description?: string;
}

interface Details {
  readonly status?: number;
  readonly description?: string;
  readonly cause?: unknown;
}

/** Builds an {@link AgentError}. Messages name endpoints and codes, never credentials or tokens. */
export function agentError(
  code: AgentLocalCode | (string & {}),
  message: string,
  { cause, ...details }: Details = {},
): AgentError {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  return Object.assign(error, { name: 'AgentError' as const, code, ...details });
}

/** Whether an error came from an agent or service host. Throws nothing. */
export const isAgentError = (error: unknown): error is AgentError =>
  error instanceof Error && error.name === 'AgentError' && 'code' in error;
