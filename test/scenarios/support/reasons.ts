// What each reason of a scenario is called by the policy, and by the broker in its audit.
import type { Reason } from './words.js';

const STOPPED: Reason = 'somebody in the story was stopped';
const NO_FRONT: Reason = 'the client may not front for the agent';
const NO_CLIENT: Reason = 'the resource does not take tokens from this client';
const NO_PLACE: Reason = 'there is no such place';

/** By the name of the denial (`ExchangeDenial`, `DelegationDenial`). */
const BY_DENIAL: Readonly<Record<string, Reason>> = {
  unusable_subject: STOPPED,
  ended: STOPPED,
  not_active: STOPPED,
  caller_not_active: STOPPED,
  actor_not_active: STOPPED,
  user_not_active: STOPPED,
  client_not_active: STOPPED,
  no_actor: 'nobody acts',
  unknown_actor: 'there is no such helper',
  may_not_exchange: 'it may not exchange tokens',
  client_may_not_front: NO_FRONT,
  not_in_the_story: 'neither actor, nor helper, nor the resource’s own service',
  not_the_helper: 'handed to somebody else',
  unknown_helper: 'there is no such helper',
  no_edge: 'the helper does not take work from the actor',
  no_helpers_left: 'the user allowed no further helper',
  repeated_actor: 'it already acts',
  too_deep: 'the chain is too deep',
  unknown_target: NO_PLACE,
  unknown_resource: NO_PLACE,
  target_refuses_client: NO_CLIENT,
  resource_refuses_client: NO_CLIENT,
  target_requires_user: 'the resource demands a user',
  not_consented_target: 'the user was not shown that it leads there',
  widens: 'the token does not carry that',
  nothing_left: 'nothing is left',
  not_permitted: 'not permitted',
};

export function reasonOf(denial: string): Reason {
  const reason = BY_DENIAL[denial];
  if (reason === undefined) throw new Error(`no scenario has a word for: ${denial}`);
  return reason;
}

/** Of an audit event's detail: the error's code, and why, for the operator. */
export function reasonOfEvent(code: string, why: string): Reason {
  const [denial = ''] = why.split(/[: (]/);
  const known = BY_DENIAL[denial];
  if (known !== undefined) return known;
  if (code === 'invalid_client' || /^stopped by|has ended|was stopped|token not found/.test(why))
    return STOPPED;
  if (/begin with a user/.test(why)) return 'the resource demands a user';
  if (/not one this server issues/.test(why)) return NO_PLACE;
  if (/\((agent|resource)\)/.test(why)) return 'not permitted';
  throw new Error(`no scenario has a word for: ${code} ${why}`);
}
