/**
 * Why something was refused, in words for operators: the rule that decided (DESIGN §8), or who took
 * which scope away. Pure.
 */
import { safeText } from './safe-text.js';
import type { RecordedEvent } from './store.js';

type Detail = Readonly<Record<string, unknown>>;
type Name = (id: string | undefined | null) => string;

/** Rules by the names decisions give them (`delegation/policy.ts`, `exchange/facts.ts`, `tokens/policy.ts`). */
const RULES: Readonly<Record<string, string>> = {
  unknown_actor: 'there is no such agent',
  actor_not_active: 'the agent may not act now',
  client_may_not_front: 'the client may not act through this agent',
  user_not_active: 'the user may not sign in',
  client_not_active: 'the client may not be used',
  unknown_resource: 'there is no such resource',
  resource_refuses_client: 'the resource does not accept this client',
  acts_for_itself: 'nobody acts for themselves',
  nothing_left: 'nothing of what was asked is left',
  caller_not_active: 'the client may not be used',
  may_not_exchange: 'the client may not exchange tokens',
  ended: 'the authorization has ended',
  not_active: 'somebody in its story may not act now',
  no_actor: 'the caller is no agent and proved none',
  not_in_the_story: 'the caller has no part in this token',
  not_the_helper: 'the token was handed on to somebody else',
  unknown_helper: 'there is no such helper, or it may not act now',
  no_edge: 'the helper takes no work from this agent',
  no_helpers_left: 'the user did not allow as many helpers',
  repeated_actor: 'the actor is in the chain already',
  too_deep: 'the chain is as deep as it may be',
  unknown_target: 'there is no such resource',
  target_refuses_client: 'the resource does not accept this client',
  target_requires_user: 'the resource accepts only tokens that begin with a user',
  not_consented_target: 'nobody agreed to a call there',
  key_not_proved: 'the token is bound to a key that was not shown',
  key_not_shown: 'its tokens are bound to a key, and none was shown',
  certificate_not_shown: 'its tokens are bound to its certificate, which was not shown',
  another_instance: 'it showed the key of another instance',
  proof_ahead: 'the proof of its key is from the future',
  algorithm_refused: 'the profile it follows takes no such signature',
  not_held: 'it is not permitted to hold that',
  widens: 'a scope was asked for that the token does not carry',
  unusable_subject: 'the token is not ours, has ended, or cannot be exchanged',
  unusable_actor: 'the actor token proves no agent',
  terms_changed: 'what was agreed to has changed',
  actor_binding_changed: 'the actor is no longer proved',
  actor_not_proved: 'the agent did not prove that it acts',
  step_up: 'a server needed more than was granted, so the user is asked again',
  untrusted_malformed: 'it is no plain signed token',
  untrusted_wrong_algorithm: 'it is signed in a way that is not taken',
  untrusted_no_subject: 'it names nobody who could be meant',
  untrusted_no_expiry: 'its times are missing, or no numbers',
  untrusted_not_yet_valid: 'it is from the future',
  untrusted_untrusted_issuer: 'nobody trusts its issuer',
  untrusted_not_its_purpose: 'its issuer is not trusted for that',
  untrusted_wrong_type: 'it is another kind of token',
  untrusted_unknown_key: 'its issuer has no such key',
  untrusted_bad_signature: 'it is not signed by its issuer',
  untrusted_wrong_audience: 'it is for somebody else',
  untrusted_expired: 'it has expired',
  untrusted_lives_too_long: 'it lives longer than its issuer may speak',
  untrusted_older_than_trust: 'it is older than the trust in its issuer',
  other_client: 'the assertion is for another client',
  self_registered: 'nobody speaks for a client that registered itself',
  no_jti: 'the assertion has no jti that could be kept',
  unknown_claim: 'the assertion narrows itself by a claim that nobody reads here',
  malformed_scope: 'its scope is malformed',
  several_resources: 'it names several resources',
  no_resource: 'nobody named a resource',
  client_not_listed: 'the issuer may not speak for this client',
  resource_not_listed: 'the issuer may not speak for this resource',
  other_resource: 'the assertion is for another resource',
  unknown_subject: 'nobody is meant by its subject',
  recycled_subject: 'the issuer means that user by another subject',
  actor_not_expected: 'it names an actor, which is understood under the actor profile only',
  malformed_actor: 'the actor it names is none of ours',
  another_actor: 'it names another agent than the client is bound to',
  used_before: 'it was used before',
  lost_race: 'another request used it at the same time',
  foreign_token: 'the token is another client’s',
};

export const ruleInWords = (rule: string): string | undefined =>
  Object.hasOwn(RULES, rule) ? RULES[rule] : undefined;

interface Taken {
  readonly scope: string;
  readonly by: readonly string[];
}

/** Who took which scopes, as it was recorded. */
export const takenAwayIn = ({ taken_away: taken }: Detail): Taken[] =>
  (Array.isArray(taken) ? taken : []).flatMap((one: Partial<Taken> | null) =>
    typeof one?.scope === 'string' && Array.isArray(one.by)
      ? [{ scope: one.scope, by: one.by.map(String) }]
      : [],
  );

const LACKS: Readonly<Record<string, (who: Readonly<Record<string, string>>) => string>> = {
  agent: ({ agent }) => `${agent} does not hold it`,
  user: ({ user }) => `${user} may not give it`,
  client: ({ client }) => `${client} may not be given it`,
  consent: ({ user }) => `${user} did not allow it`,
  parent: () => 'the token it came from does not carry it, or somebody before may not do it now',
  resource: ({ resource }) => `${resource} has no such scope`,
};

/** Who took what away: "files:write: Helper does not hold it". */
export function takenInWords(
  taken: readonly Taken[],
  who: Readonly<Record<'agent' | 'user' | 'client' | 'resource', string>>,
): string {
  const byReason = new Map<string, string[]>();
  for (const { scope, by } of taken) {
    const reason = by.map((one) => LACKS[one]?.(who) ?? one).join(', and ');
    byReason.set(reason, [...(byReason.get(reason) ?? []), scope]);
  }
  const [[only] = []] = byReason.size === 1 ? byReason : [];
  if (only !== undefined) return only;
  return [...byReason].map(([reason, scopes]) => `${scopes.join(', ')}: ${reason}`).join('; ');
}

export function whyRefused(event: RecordedEvent, name: Name): string {
  const detail = event.detail ?? {};
  const text = (key: string): string => safeText(String(detail[key] ?? ''));
  const list = (key: string): string => {
    const value = detail[key];
    return Array.isArray(value) ? safeText(value.map(String).join(', ')) : '';
  };
  const agent = name(event.agentId || event.sub);
  if (event.type === 'tool.refused') {
    if (list('missing_agent') !== '') return `${agent} does not hold ${list('missing_agent')}`;
    if (list('missing_user') !== '')
      return `${name(event.sub)} did not grant ${list('missing_user')}`;
    return text('reason') || text('code') || 'refused';
  }
  const taken = takenAwayIn(detail);
  if (taken.length > 0) {
    const who = {
      agent,
      user: name(event.sub),
      client: name(event.clientId),
      resource: name(event.resource),
    };
    return safeText(takenInWords(taken, who), SENTENCE_CHARS_MAX);
  }
  if (text('rule') === 'stopped') return `stopped by ${name(text('stopped_by'))}`;
  const told = text('reason') || text('rule') || text('code') || 'refused';
  return ruleInWords(text('rule')) ?? told;
}

const SENTENCE_CHARS_MAX = 1000;
