/**
 * From denial to wire error, in one exhaustive table for each place it can happen. The sentence for
 * an actor is one and the same whether it is unknown, foreign or blocked (D1).
 */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import { type DelegationDenial, explainTakenAway, type TakenAway } from './policy.js';

type Wire = readonly [OAuthErrorCode, string];

const NO_ACTOR: Wire = [
  'invalid_request',
  'requested_actor is not an agent that this client may act through',
];

const AT_AUTHORIZATION: Record<DelegationDenial, Wire> = {
  unknown_actor: NO_ACTOR,
  actor_not_active: NO_ACTOR,
  client_may_not_front: NO_ACTOR,
  acts_for_itself: NO_ACTOR,
  client_not_active: ['unauthorized_client', 'the client may not be used'],
  user_not_active: ['access_denied', 'the user may not sign in'],
  unknown_resource: ['invalid_target', 'resource is not one this server issues tokens for'],
  resource_refuses_client: ['invalid_target', 'resource does not accept this client'],
  nothing_left: ['invalid_scope', 'none of the requested scopes can be granted'],
};

const ENDED: Wire = ['invalid_grant', 'the authorization has ended: start a new one'];

const AT_TOKEN: Record<DelegationDenial, Wire> = {
  unknown_actor: ENDED,
  actor_not_active: ENDED,
  client_may_not_front: ENDED,
  acts_for_itself: ENDED,
  client_not_active: ENDED,
  user_not_active: ENDED,
  unknown_resource: ['invalid_target', 'resource is not one this server issues tokens for'],
  resource_refuses_client: ['invalid_target', 'resource does not accept this client'],
  nothing_left: ['invalid_grant', 'nothing of what was granted is allowed any more'],
};

/** What the audit keeps of a refusal besides its reason: the rule, and who took which scope. */
export interface Why {
  readonly rule: string;
  readonly takenAway?: readonly TakenAway[] | undefined;
}

/** Nothing of it goes to the wire. */
export const because = (error: OAuthError, why: Why): OAuthError =>
  Object.assign(error, { cause: why });

export interface Denied {
  readonly denied: DelegationDenial;
  readonly takenAway?: readonly TakenAway[];
}

export function denialError(place: 'authorization' | 'token', denial: Denied): OAuthError {
  const [code, description] = (place === 'token' ? AT_TOKEN : AT_AUTHORIZATION)[denial.denied];
  const { takenAway = [] } = denial;
  const reason =
    takenAway.length === 0 ? denial.denied : `${denial.denied}: ${explainTakenAway(takenAway)}`;
  return because(new OAuthError(code, description, reason), {
    rule: denial.denied,
    takenAway,
  });
}
