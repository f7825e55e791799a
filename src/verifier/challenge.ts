/** Turns an {@link AuthError} into the answer of RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1 and MCP authorization. */
import { formatChallenge, formatScope } from '../protocol/index.js';
import type { AuthError } from './auth-error.js';

/**
 * The JSON body of a refusal: the members of RFC 6749 §5.2, and `scope` where asking again could
 * help.
 */
export interface AuthErrorBody {
  readonly error: string;
  readonly error_description: string;
  readonly scope?: string;
}

/** An HTTP answer as data; no framework's. */
export interface ChallengeResponse {
  readonly status: 401 | 403 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AuthErrorBody;
}

/** What a server adds to challenges of its own. */
export interface ChallengeHints {
  /** Scopes a client should ask for to begin with; put into 401 challenges. */
  readonly scope?: readonly string[] | undefined;
}

const COMMON = { 'content-type': 'application/json', 'cache-control': 'no-store' };

const joined = (scopes: readonly string[] | undefined): string | undefined =>
  scopes === undefined || scopes.length === 0 ? undefined : formatScope(scopes);

/** What a resource says of itself in its challenges. */
export interface ChallengeFacts {
  readonly metadataUrl: string;
  /** Algorithms of DPoP proofs (RFC 9449 §7.1 `algs`). */
  readonly dpopAlgorithms: readonly string[];
  /** Only tokens bound by DPoP are accepted. */
  readonly dpopRequired: boolean;
}

/**
 * One challenge: Bearer, unless the caller came with DPoP or has to (some clients look at the first
 * of several only; that DPoP is supported is in the metadata). A 401 for a request without a token names no `error` (RFC 6750 §3);
 * `scope` is there when asking again could help, so never for a denial on the agent's side; a 503
 * has none at all, as no token would do better.
 */
export function toChallenge(
  error: AuthError,
  facts: ChallengeFacts,
  hints: ChallengeHints = {},
): ChallengeResponse {
  const { code, status, message } = error;
  if (status === 503) {
    const retryAfter = String(error.retryAfterSeconds ?? 1);
    return {
      status,
      headers: { ...COMMON, 'retry-after': retryAfter },
      body: { error: code, error_description: message },
    };
  }
  const asksUser = code === 'insufficient_scope' || code === 'insufficient_user_authentication';
  const scope = asksUser ? joined(error.scope) : status === 401 ? joined(hints.scope) : undefined;
  const scheme = facts.dpopRequired ? 'DPoP' : (error.scheme ?? 'Bearer');
  const challenge = formatChallenge(
    {
      ...(code === 'missing_token' ? {} : { error: code, error_description: message }),
      scope,
      acr_values: error.acrValues?.join(' '),
      max_age: error.maxAgeSeconds?.toString(),
      ...(scheme === 'DPoP' ? { algs: facts.dpopAlgorithms.join(' ') } : {}),
      resource_metadata: facts.metadataUrl,
    },
    scheme,
  );
  const nonce = error.dpopNonce === undefined ? {} : { 'dpop-nonce': error.dpopNonce };
  return {
    status,
    headers: { ...COMMON, 'www-authenticate': challenge, ...nonce },
    body: {
      error: code,
      error_description: message,
      ...(scope === undefined || !asksUser ? {} : { scope }),
    },
  };
}
