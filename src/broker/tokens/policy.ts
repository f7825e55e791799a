/**
 * What an agent or service gets on its own authority (`client_credentials`, DESIGN §8b). Pure: facts
 * in, decision out. What it does not hold is refused, not dropped in silence.
 */
import {
  baseScopes,
  type EffectiveScope,
  effectiveScope,
  heldScopes,
  type Party,
  type ScopeRules,
  type TakenAway,
} from '../delegation/policy.js';

export interface OwnFacts {
  /** The agent or service. */
  readonly principal: Party | undefined;
  readonly target:
    | {
        readonly scopes: ScopeRules;
        readonly clients: readonly string[] | null;
        readonly requireUser: boolean;
      }
    | undefined;
  readonly permitted: readonly string[];
}

export type OwnDenial =
  | 'client_not_active'
  | 'unknown_target'
  | 'target_requires_user'
  | 'target_refuses_client'
  | 'not_held';

/** @param asked empty: the base scopes it holds */
export function decideOwn(
  { principal, target, permitted }: OwnFacts,
  asked: readonly string[],
): EffectiveScope | { readonly denied: OwnDenial; readonly takenAway?: readonly TakenAway[] } {
  if (principal?.status !== 'active') return { denied: 'client_not_active' };
  if (target === undefined) return { denied: 'unknown_target' };
  // DESIGN §8c: nobody's own authority is enough there.
  if (target.requireUser) return { denied: 'target_requires_user' };
  if (target.clients !== null && !target.clients.includes(principal.id)) {
    return { denied: 'target_refuses_client' };
  }
  const agent = heldScopes(target.scopes, permitted);
  const requested = asked.length > 0 ? asked : baseScopes(target.scopes);
  const left = effectiveScope({ scopes: target.scopes, requested, agent });
  if (left.granted.length === 0 || (asked.length > 0 && left.takenAway.length > 0)) {
    return { denied: 'not_held', takenAway: left.takenAway };
  }
  return left;
}
