/** From an assertion's denial to the wire (RFC 7521 §4.1.1, RFC 8707 §2): one table, exhaustive. */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import { because } from '../delegation/denials.js';
import { type DelegationDenial, explainTakenAway, type TakenAway } from '../delegation/policy.js';
import type { TrustProblem } from '../trust/verify.js';
import type { AssertionDenial } from './policy.js';

type Wire = readonly [OAuthErrorCode, string];

/** Of a word that is not taken, nobody is told why: the audit is. */
const UNUSABLE: Wire = ['invalid_grant', 'the assertion is not one that is accepted here'];
const TARGET: Wire = ['invalid_target', 'the assertion is for no resource of this server'];
const SCOPE: Wire = ['invalid_scope', 'nothing of what was asked can be granted'];
const ACTOR: Wire = ['invalid_grant', 'the assertion names an actor that may not act here'];

export type Denial =
  | AssertionDenial
  | DelegationDenial
  | `untrusted_${TrustProblem}`
  | 'unknown_subject'
  | 'recycled_subject'
  | 'another_actor'
  | 'actor_not_proved'
  | 'used_before';

const OTHERS: Partial<Record<Denial, Wire>> = {
  several_resources: TARGET,
  other_resource: ['invalid_target', 'resource is not the one the assertion is for'],
  no_resource: ['invalid_target', 'neither the request nor the assertion names a resource'],
  resource_not_listed: TARGET,
  unknown_resource: TARGET,
  resource_refuses_client: ['invalid_target', 'resource does not accept this client'],
  malformed_scope: ['invalid_scope', 'scope is malformed'],
  nothing_left: SCOPE,
  key_not_proved: ['invalid_grant', 'the assertion is bound to a key: send its DPoP proof'],
  actor_not_expected: ACTOR,
  malformed_actor: ACTOR,
  another_actor: ACTOR,
  unknown_actor: ACTOR,
  actor_not_active: ACTOR,
  client_may_not_front: ACTOR,
  actor_not_proved: ['invalid_grant', 'the assertion names an agent: send its actor_token'],
};

/** @param who ids for the operator */
export function assertionError(
  denied: Denial,
  who: string,
  takenAway: readonly TakenAway[] = [],
): OAuthError {
  const [code, sentence] = OTHERS[denied] ?? UNUSABLE;
  const taken = takenAway.length === 0 ? '' : `: ${explainTakenAway(takenAway)}`;
  const error = new OAuthError(code, sentence, `${denied}${taken} (${who})`);
  return because(error, { rule: denied, takenAway });
}
