/**
 * Every way a request can be turned away, in one table: reason → wire code → status. Reasons are
 * stable, for logs and audits; codes are those of RFC 6750 §3.1, RFC 9470 §3 and the actor profile draft -00.
 */

/** What the caller is told. `missing_token` is never put into a challenge (RFC 6750 §3). */
export type AuthErrorCode =
  | 'missing_token'
  | 'invalid_token'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_scope'
  | 'actor_unauthorized'
  | 'insufficient_user_authentication'
  | 'access_denied'
  | 'temporarily_unavailable';

const STATUS = {
  missing_token: 401,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  insufficient_scope: 403,
  actor_unauthorized: 403,
  insufficient_user_authentication: 401,
  access_denied: 403,
  temporarily_unavailable: 503,
} as const satisfies Record<AuthErrorCode, number>;

const REASONS = {
  header_missing: ['missing_token', 'An access token is required.'],
  header_repeated: ['missing_token', 'Send exactly one Authorization header.'],
  header_malformed: ['missing_token', 'The Authorization header is malformed.'],
  scheme_unsupported: ['missing_token', 'Use the Bearer or DPoP authentication scheme.'],
  token_in_query: ['missing_token', 'Access tokens are not accepted in the URL.'],

  token_too_long: ['invalid_token', 'The access token is too long.'],
  token_malformed: ['invalid_token', 'The access token is malformed.'],
  header_refused: ['invalid_token', 'The access token header is not acceptable.'],
  alg_refused: ['invalid_token', 'The access token is signed with an unacceptable algorithm.'],
  typ_refused: ['invalid_token', 'The token is not an access token.'],
  kid_missing: ['invalid_token', 'The access token does not name its key.'],
  key_unknown: ['invalid_token', 'The access token is signed with an unknown key.'],
  signature_invalid: ['invalid_token', 'The access token signature is invalid.'],
  issuer_mismatch: ['invalid_token', 'The access token is from another issuer.'],
  audience_mismatch: ['invalid_token', 'The access token is for another resource.'],
  claim_missing: ['invalid_token', 'The access token lacks a claim.'],
  claim_invalid: ['invalid_token', 'The access token has an invalid claim.'],
  invariant_broken: ['invalid_token', 'The access token contradicts itself.'],
  expired: ['invalid_token', 'The access token has expired.'],
  not_yet_valid: ['invalid_token', 'The access token is not valid yet.'],
  binding_unsupported: ['invalid_token', 'The access token is bound in a way not known here.'],
  binding_unproved: ['invalid_token', 'The access token is bound to a key that was not proved.'],
  binding_missing: ['invalid_token', 'The access token is not bound to the key of a DPoP proof.'],
  certificate_mismatch: ['invalid_token', 'The access token is bound to another certificate.'],
  dpop_key_mismatch: ['invalid_token', 'The access token is bound to another key.'],
  inactive: ['invalid_token', 'The access token is not active.'],
  revoked: ['invalid_token', 'The access token was revoked.'],

  dpop_proof_missing: ['invalid_dpop_proof', 'Send exactly one DPoP header with the token.'],
  dpop_proof_malformed: ['invalid_dpop_proof', 'The DPoP proof is malformed.'],
  dpop_typ_refused: ['invalid_dpop_proof', 'The DPoP header is not a DPoP proof.'],
  dpop_alg_refused: ['invalid_dpop_proof', 'The DPoP proof has an unacceptable algorithm.'],
  dpop_key_refused: ['invalid_dpop_proof', 'The DPoP proof has no acceptable public key.'],
  dpop_signature_invalid: ['invalid_dpop_proof', 'The DPoP proof signature is invalid.'],
  dpop_method_mismatch: ['invalid_dpop_proof', 'The DPoP proof is for another method.'],
  dpop_url_mismatch: ['invalid_dpop_proof', 'The DPoP proof is for another URL.'],
  dpop_time_refused: ['invalid_dpop_proof', 'The DPoP proof is too old, or from the future.'],
  dpop_token_mismatch: ['invalid_dpop_proof', 'The DPoP proof is for another access token.'],
  dpop_replayed: ['invalid_dpop_proof', 'The DPoP proof was used before.'],
  dpop_nonce_missing: ['use_dpop_nonce', 'The DPoP proof needs the nonce of this answer.'],
  dpop_nonce_refused: ['use_dpop_nonce', 'The DPoP proof needs the new nonce of this answer.'],

  actor_unproved: ['actor_unauthorized', 'The acting agent was not proved.'],
  principal_refused: ['actor_unauthorized', 'This kind of caller is not accepted here.'],
  agent_refused: ['actor_unauthorized', 'The acting agent is not accepted here.'],
  chain_refused: ['actor_unauthorized', 'This chain of actors is not accepted here.'],
  agent_scope_missing: ['actor_unauthorized', 'The acting agent may not do this.'],
  user_scope_missing: ['insufficient_scope', 'The user has not allowed this.'],
  token_scope_missing: ['insufficient_scope', 'The access token does not allow this.'],
  acr_insufficient: [
    'insufficient_user_authentication',
    'The user must sign in in a stronger way for this.',
  ],
  sign_in_too_old: ['insufficient_user_authentication', 'The user must sign in again for this.'],

  tool_unknown: ['access_denied', 'There is no such tool here.'],
  task_unknown: ['access_denied', 'There is no such task here.'],
  method_refused: ['access_denied', 'This method is not offered here.'],
  check_refused: ['access_denied', 'The policy of this server does not allow this.'],
  session_foreign: ['access_denied', 'The session belongs to another caller.'],

  keys_unavailable: ['temporarily_unavailable', 'The signing keys cannot be read at the moment.'],
  feed_stale: ['temporarily_unavailable', 'Revocations cannot be read at the moment.'],
  introspection_unavailable: [
    'temporarily_unavailable',
    'The issuer cannot be asked about the access token at the moment.',
  ],
  replay_unavailable: ['temporarily_unavailable', 'DPoP proofs cannot be checked at the moment.'],
  check_failed: ['temporarily_unavailable', 'The policy of this server cannot be asked now.'],
  owners_unavailable: ['temporarily_unavailable', 'Sessions cannot be looked up now.'],
  policy_unavailable: [
    'temporarily_unavailable',
    'The rules of this server cannot be read at the moment.',
  ],
  verifier_closed: ['temporarily_unavailable', 'The server is shutting down.'],
} as const satisfies Record<string, readonly [AuthErrorCode, string]>;

/** Why, as a stable slug. New ones may be added; none is renamed. */
export type AuthReason = keyof typeof REASONS;

/**
 * What an {@link AuthError} says beside its reason. Anyone may read it: no token, no claim’s
 * value.
 */
export interface AuthErrorDetails {
  /** The claim or header member at fault; never its value. */
  readonly claim?: string | undefined;
  /** Scopes to ask for when stepping up (RFC 6750 §3 `scope`). */
  readonly scope?: readonly string[] | undefined;
  /** How the user would have to sign in (RFC 9470 §3 `acr_values`). */
  readonly acrValues?: readonly string[] | undefined;
  /** How recently the user would have to have signed in (RFC 9470 §3 `max_age`). */
  readonly maxAgeSeconds?: number | undefined;
  /** A nonce for the next proof (RFC 9449 §9). */
  readonly dpopNonce?: string | undefined;
  /** The scheme to challenge with; default Bearer. */
  readonly scheme?: 'Bearer' | 'DPoP' | undefined;
  /** Replaces the standard sentence. Must be safe for anyone to read. */
  readonly description?: string | undefined;
  /** When to try again (RFC 9110 §10.2.3). */
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** The only error the verifier throws at a request. It never holds a token or part of one. */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly code: AuthErrorCode;
  readonly status: 401 | 403 | 503;
  readonly claim: string | undefined;
  readonly scope: readonly string[] | undefined;
  readonly acrValues: readonly string[] | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly dpopNonce: string | undefined;
  readonly scheme: 'Bearer' | 'DPoP' | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly reason: AuthReason,
    details: AuthErrorDetails = {},
  ) {
    const [code, description] = REASONS[reason];
    super(
      details.description ?? description,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.status = STATUS[code];
    this.claim = details.claim;
    this.scope = details.scope;
    this.acrValues = details.acrValues;
    this.maxAgeSeconds = details.maxAgeSeconds;
    this.dpopNonce = details.dpopNonce;
    this.scheme = details.scheme;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** The same error to a caller who came with the scheme DPoP: it is challenged in kind (RFC 9449 §7.1). */
export const underDpop = (error: AuthError): AuthError => {
  const { reason, message: description, cause } = error;
  return new AuthError(reason, { ...error, description, cause, scheme: 'DPoP' });
};
