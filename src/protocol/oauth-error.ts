/**
 * The one error type that may reach the wire: a code of some specification, a sentence that helps
 * and leaks nothing, and a reason for the operator that never leaves the server.
 */

/** RFC 6749 §5.2 and §4.1.2.1, RFC 8707 §2, RFC 6750 §3.1, RFC 9449 §5, RFC 7591 §3.2.2, OpenID Connect
 * Unmet Authentication
 * Requirements 1.0, actor profile -00, and ours. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'access_denied'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'invalid_target'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'unmet_authentication_requirements'
  | 'actor_unauthorized'
  | 'invalid_dpop_proof'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'invalid_software_statement'
  | 'unapproved_software_statement';

const STATUS: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  access_denied: 403,
  insufficient_scope: 403,
  actor_unauthorized: 403,
  server_error: 500,
  temporarily_unavailable: 503,
};

export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly status: number;

  /**
   * @param code the specification's error code
   * @param description `error_description`: safe for anyone to read
   * @param reason which rule, which id, what would change it: for the operator only
   * @param status where it is not the code's own
   */
  constructor(
    readonly code: OAuthErrorCode,
    readonly description: string,
    readonly reason: string = description,
    status: number = STATUS[code] ?? 400,
  ) {
    super(description);
    this.status = status;
  }
}
