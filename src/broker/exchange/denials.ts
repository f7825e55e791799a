/** From an exchange's denial to the wire: one table, exhaustive, in both modes of errors. */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import { because } from '../delegation/denials.js';
import { explainTakenAway } from '../delegation/policy.js';
import type { ExchangeDenial, ExchangeRefused } from './facts.js';

/**
 * `rfc8693`: unusable tokens are `invalid_request` (RFC 8693 §2.2.2). `actor-profile`: they are
 * `invalid_grant`, and an actor that may not act is `actor_unauthorized`
 * (draft-mcguinness-oauth-actor-profile-00).
 */
export type ErrorProfile = 'rfc8693' | 'actor-profile';

type Wire = readonly [rfc8693: OAuthErrorCode, actorProfile: OAuthErrorCode, sentence: string];

const DEAD: Wire = [
  'invalid_request',
  'invalid_grant',
  'subject_token is not one that can be exchanged',
];
const MAY_NOT_ACT: Wire = [
  'invalid_request',
  'actor_unauthorized',
  'the actor may not act on this subject_token',
];
const TARGET: Wire = [
  'invalid_target',
  'invalid_target',
  'the target is not one this subject_token can be exchanged for',
];
const SCOPE = (sentence: string): Wire => ['invalid_scope', 'invalid_scope', sentence];

const WIRE: Record<ExchangeDenial | 'unusable_subject' | 'unusable_actor', Wire> = {
  unusable_subject: DEAD,
  unusable_actor: ['invalid_request', 'invalid_grant', 'actor_token does not prove an agent'],
  caller_not_active: ['unauthorized_client', 'unauthorized_client', 'the client may not be used'],
  may_not_exchange: [
    'unauthorized_client',
    'unauthorized_client',
    'the client may not exchange tokens',
  ],
  ended: DEAD,
  not_active: DEAD,
  no_actor: MAY_NOT_ACT,
  client_may_not_front: MAY_NOT_ACT,
  not_in_the_story: MAY_NOT_ACT,
  not_the_helper: MAY_NOT_ACT,
  unknown_helper: MAY_NOT_ACT,
  no_edge: MAY_NOT_ACT,
  no_helpers_left: MAY_NOT_ACT,
  repeated_actor: MAY_NOT_ACT,
  too_deep: ['invalid_request', 'invalid_request', 'the chain of actors would be too deep'],
  unknown_target: TARGET,
  target_refuses_client: TARGET,
  target_requires_user: TARGET,
  not_consented_target: TARGET,
  key_not_proved: [
    'invalid_request',
    'invalid_grant',
    'subject_token is bound to a key: send a DPoP proof',
  ],
  widens: SCOPE('a requested scope is not one the subject_token carries'),
  nothing_left: SCOPE('nothing of what was asked can be granted'),
};

export interface Refusal extends Omit<ExchangeRefused, 'denied'> {
  readonly denied: keyof typeof WIRE;
}

/** @param who ids for the operator: the caller, the actor, the parent token */
export function exchangeError(profile: ErrorProfile, refusal: Refusal, who: string): OAuthError {
  const [plain, actorProfile, sentence] = WIRE[refusal.denied];
  const { takenAway = [] } = refusal;
  const taken = takenAway.length === 0 ? '' : `: ${explainTakenAway(takenAway)}`;
  const code = profile === 'rfc8693' ? plain : actorProfile;
  // RFC 6749 §5.2: 400 for every one of them; 403 is what a resource server answers.
  const error = new OAuthError(code, sentence, `${refusal.denied}${taken} (${who})`, 400);
  return because(error, { rule: refusal.denied, takenAway });
}
