/** A token exchange request as it came (RFC 8693 §2.1): read strictly, understood nowhere else. */
import { isScopeToken, OAuthError, parseScope, TOKEN_TYPE } from '../../protocol/index.js';

/** What the grant takes besides client authentication. */
export const EXCHANGE_PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'requested_actor',
  'resource',
  'audience',
  'scope',
] as const;

/** These may come more than once, to be refused with the right word (`invalid_target`). */
export const REPEATABLE_PARAMETERS = ['resource', 'audience'] as const;

export interface ExchangeParameters {
  readonly subjectToken: string;
  readonly actorToken: string | undefined;
  /** Absent: the subject token's own audience. */
  readonly target: string | undefined;
  readonly requestedActor: string | undefined;
  /** Absent: everything the subject token has. */
  readonly scopes: readonly string[] | undefined;
}

const ACCEPTED = new Set<unknown>([TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt]);

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/**
 * @throws OAuthError `invalid_request` for what is missing, of a wrong type or half there (TX2,
 * TX3, X8); `invalid_target` for several targets (TX15); `invalid_scope` for malformed scopes
 */
export function readExchange(params: Readonly<Record<string, unknown>>): ExchangeParameters {
  const subjectToken = text(params.subject_token);
  if (subjectToken === undefined) throw refuse('subject_token is required');
  if (!ACCEPTED.has(params.subject_token_type)) {
    throw refuse('subject_token_type must be access_token or jwt');
  }
  if (params.requested_token_type !== undefined && !ACCEPTED.has(params.requested_token_type)) {
    throw refuse('requested_token_type is not supported');
  }
  const actorToken = text(params.actor_token);
  if ((actorToken === undefined) !== (params.actor_token_type === undefined)) {
    throw refuse('actor_token and actor_token_type come together');
  }
  if (actorToken !== undefined && !ACCEPTED.has(params.actor_token_type)) {
    throw refuse('actor_token_type is not supported');
  }
  return {
    subjectToken,
    actorToken,
    target: readTarget(params),
    requestedActor: text(params.requested_actor),
    scopes: readScopes(params.scope),
  };
}

const refuse = (description: string): OAuthError => new OAuthError('invalid_request', description);

/** One place, whichever of the two names it (TX15). */
function readTarget({ resource, audience }: Readonly<Record<string, unknown>>): string | undefined {
  const named = new Set([resource, audience].flat().filter((one) => one !== undefined));
  if (named.size > 1) throw new OAuthError('invalid_target', 'ask for one resource at a time');
  const [target] = named;
  return text(target);
}

function readScopes(scope: unknown): string[] | undefined {
  const scopes = parseScope(text(scope));
  if (!scopes.every(isScopeToken)) throw new OAuthError('invalid_scope', 'scope is malformed');
  return scopes.length === 0 ? undefined : scopes;
}
