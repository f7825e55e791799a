/**
 * Token exchange, decided (RFC 8693, DESIGN §8c). Pure: facts in, decision out. The caller is, or
 * has proved, the current actor of the result; scope, life and reach only shrink; the chain of
 * actors is kept as it is, or grows by one. Whoever acted before is asked again whether they still
 * may. Knows no tokens, no clock and no wire. What is left of the scopes: `scopes.ts`.
 */
import { ACT_DEPTH_MAX } from '../../protocol/index.js';
import type { Party } from '../delegation/policy.js';
import type {
  Caller,
  ChainActor,
  Delegation,
  ExchangeDecision,
  ExchangeDenial,
  ExchangeFacts,
  ExchangeRefused,
  ExchangeRequest,
  ExchangeStep,
  Located,
  ParentToken,
  Place,
  Presenter,
} from './facts.js';
import { whatIsLeft } from './scopes.js';

const isActive = <P extends Party>(party: P | undefined): party is P => party?.status === 'active';

/** The actor that holds a token now: the outermost of its chain, or a subject that acts itself. */
export const currentActor = ({
  chain,
  subject,
  subjectProfile,
}: ParentToken): ChainActor | undefined =>
  chain[0] ?? (subjectProfile === 'user' ? undefined : { id: subject, profile: subjectProfile });

/** Agents follow each other at one resource; a service left the one before it. */
export function workedHere(chain: readonly ChainActor[]): readonly ChainActor[] {
  const service = chain.findIndex(({ profile }) => profile === 'service');
  if (service === 0) return chain.slice(0, 1);
  return service === -1 ? chain : chain.slice(0, service);
}

/** Whether this exchange may happen, and what is left in it. */
export function decideExchange(
  facts: ExchangeFacts,
  request: ExchangeRequest,
): ExchangeDecision | ExchangeRefused {
  if (!isActive(facts.caller)) return { denied: 'caller_not_active' };
  if (!facts.caller.mayExchange) return { denied: 'may_not_exchange' };
  if (facts.delegation === undefined) return { denied: 'ended' };
  if (!facts.story.every(isActive)) return { denied: 'not_active' };
  if (facts.presenter === undefined) return { denied: 'no_actor' };
  if (!isActive(facts.presenter)) return { denied: 'not_active' };
  if (!mayFront(facts.caller, facts.presenter)) return { denied: 'client_may_not_front' };
  const { here, target } = facts;
  if (here === undefined || target === undefined) return { denied: 'unknown_target' };
  const located = { ...facts, here, target, presenter: facts.presenter };
  const step = stepOf(located, request);
  if (typeof step !== 'string') return step;
  const chain = chainAfter(located, step);
  const denied = breach({ ...located, delegation: facts.delegation }, step, chain);
  return denied === undefined ? whatIsLeft(located, request, step, chain) : { denied };
}

/**
 * A client that is bound fronts for that agent, and for no other (§8a); a binding proves as long as it
 * stands: facts may have become newer since it was seen.
 */
function mayFront({ id, boundTo = null }: Caller, presenter: Presenter): boolean {
  if (boundTo === null && presenter.proof === 'client_binding') return false;
  if (boundTo !== null && boundTo !== presenter.id) return false;
  return id === presenter.id || presenter.clients.includes(id);
}

/** What the caller is doing follows from who they are to the parent (TX5, X10). */
function stepOf(
  { parent, presenter, here, target }: Located,
  { handOffTo }: ExchangeRequest,
): ExchangeStep | ExchangeRefused {
  if (parent.mayAct !== undefined) {
    if (presenter.id !== parent.mayAct) return { denied: 'not_the_helper' };
    return handOffTo === undefined ? stay('take', here, target) : { denied: 'not_in_the_story' };
  }
  if (presenter.id === currentActor(parent)?.id) {
    return stay(handOffTo === undefined ? 'continue' : 'hand_off', here, target);
  }
  if (handOffTo !== undefined) return { denied: 'not_in_the_story' };
  if (presenter.id === here.ownClient) {
    return here.identifier === target.identifier ? { denied: 'not_consented_target' } : 'go_on';
  }
  if (presenter.profile !== 'ai_agent') return { denied: 'not_in_the_story' };
  return stay('take', here, target);
}

/** One consented audience: only a resource's own service leaves it. */
const stay = (step: ExchangeStep, here: Place, target: Place): ExchangeStep | ExchangeRefused =>
  here.identifier === target.identifier ? step : { denied: 'not_consented_target' };

const chainAfter = ({ parent, presenter }: Located, step: ExchangeStep): readonly ChainActor[] =>
  step === 'continue' || step === 'hand_off'
    ? parent.chain
    : [{ id: presenter.id, profile: presenter.profile }, ...parent.chain];

/** The rules about who may follow whom, and where. */
function breach(
  facts: Located & { readonly delegation: Delegation | null },
  step: ExchangeStep,
  chain: readonly ChainActor[],
): ExchangeDenial | undefined {
  const { parent, target, helper, presenter } = facts;
  if (!keyIsProved(facts, step)) return 'key_not_proved';
  if (step === 'hand_off' && !isActive(helper)) return 'unknown_helper';
  const next = step === 'hand_off' ? helper : step === 'continue' ? undefined : presenter;
  // What a hand-off leads to is checked when it is made, and again when it is taken up.
  const after = step === 'hand_off' && helper !== undefined ? [helper, ...chain] : chain;
  if (next !== undefined && (next.id === parent.subject || isIn(parent.chain, next.id))) {
    return 'repeated_actor';
  }
  if (after.length > (facts.actDepthMax ?? ACT_DEPTH_MAX)) return 'too_deep';
  if (step === 'take' || step === 'hand_off') {
    const from = currentActor(parent);
    if (from === undefined || next?.takesWorkFrom.includes(from.id) !== true) return 'no_edge';
    if (!helpersLeft(facts.delegation, after)) return 'no_helpers_left';
  }
  if (target.clients !== null && step !== 'hand_off' && !isAccepted(facts)) {
    return 'target_refuses_client';
  }
  if (target.requireUser && parent.subjectProfile !== 'user') return 'target_requires_user';
  return undefined;
}

/** Bound in, bound out: whoever holds a bound token shows its key; a new actor shows one of its own. */
const keyIsProved = (
  { parent, provedKey, provedCertificate }: ExchangeFacts,
  step: ExchangeStep,
): boolean => {
  const { boundTo, boundToCertificate } = parent;
  if (boundTo === undefined && boundToCertificate === undefined) return true;
  if (step === 'take' || step === 'go_on') {
    return provedKey !== undefined || provedCertificate !== undefined;
  }
  return (
    (boundTo === undefined || provedKey === boundTo) &&
    (boundToCertificate === undefined || provedCertificate === boundToCertificate)
  );
};

const isIn = (chain: readonly ChainActor[], id: string): boolean =>
  chain.some((actor) => actor.id === id);

const isAccepted = ({ target, caller }: ExchangeFacts): boolean =>
  target?.clients?.includes(caller?.id ?? '') === true;

/** Services are followed by their edges; only agents count as helpers (DESIGN §2). */
function helpersLeft(delegation: Delegation | null, chain: readonly ChainActor[]): boolean {
  if (delegation === null) return true;
  const agents = chain.filter(({ profile }) => profile === 'ai_agent').length;
  return delegation.agentId !== '' && agents - 1 <= delegation.helpers;
}
