/**
 * Who may administer, and how far. Pure: a verified token of ours and the parties' present state
 * in, the scopes that are left out. A token is never better than its bearer is now: permission taken
 * away counts from the next request on, not from the token's end.
 */
import { type AccessTokenClaims, parseScope, principalKind } from '../../protocol/index.js';
import {
  delegableScopes,
  effectiveScope,
  heldScopes,
  type Party,
  type ScopeRules,
} from '../delegation/policy.js';

/** Somebody the token names, as the registry has them now; absent: nobody. */
export interface KnownParty extends Party {
  /** At the admin resource, by name or role. */
  readonly permitted: readonly string[];
}

export interface CallerFacts {
  readonly audience: string;
  readonly scopes: ScopeRules;
  /** Whose authority it is. */
  readonly subject: KnownParty | undefined;
  readonly client: (Party & { readonly origin?: string | undefined }) | undefined;
  /** Who acts for the subject; only asked for when somebody does. */
  readonly actor: KnownParty | undefined;
}

export type CallerDenial =
  | 'wrong_audience'
  /** Sender-constrained, and nothing here checks the key. */
  | 'bound'
  | 'unproved_actor'
  | 'subject_not_active'
  | 'client_not_active'
  /** Anybody can register a client, or publish its document, and ask an administrator to sign in at it. */
  | 'client_registered_itself'
  | 'actor_not_active';

const cameByItself = ({ origin = 'operator' }: NonNullable<CallerFacts['client']>): boolean =>
  origin !== 'operator';

export function decideCaller(
  claims: AccessTokenClaims,
  facts: CallerFacts,
): { readonly denied: CallerDenial } | { readonly granted: readonly string[] } {
  if (claims.aud !== facts.audience) return { denied: 'wrong_audience' };
  if (claims.cnf !== undefined) return { denied: 'bound' };
  const delegated = principalKind(claims) === 'delegated';
  if (delegated && claims.actor_proof === 'none') return { denied: 'unproved_actor' };
  const stands = (party: Party | undefined): party is Party =>
    party?.status === 'active' && party.notBeforeMs <= claims.iat * 1000;
  const { subject, client, actor, scopes } = facts;
  if (!stands(subject)) return { denied: 'subject_not_active' };
  if (!stands(client)) return { denied: 'client_not_active' };
  if (cameByItself(client)) return { denied: 'client_registered_itself' };
  if (delegated && !stands(actor)) return { denied: 'actor_not_active' };
  const requested = parseScope(claims.scope);
  const { granted } = effectiveScope({
    scopes,
    requested,
    parent: requested,
    user: (claims.sub.startsWith('usr_') ? delegableScopes : heldScopes)(scopes, subject.permitted),
    agent: delegated ? heldScopes(scopes, actor?.permitted ?? []) : undefined,
  });
  return { granted };
}
