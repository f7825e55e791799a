/**
 * Token exchange, decided (RFC 8693, DESIGN §8c). Pure: facts in, decision out. The caller is, or
 * has proved, the current actor of the result; scope, life and reach only shrink; the chain of
 * actors is kept as it is, or grows by one. Whoever acted before is asked again whether they still
 * may. Knows no tokens, no clock and no wire.
 */
import { ACT_DEPTH_MAX, type ActorProof, closure, isSubset } from '../../protocol/index.js';
import {
  delegableScopes,
  effectiveScope,
  heldScopes,
  hierarchyOf,
  type Party,
  type ScopeRules,
  type TakenAway,
} from '../delegation/policy.js';

export type ActorProfile = 'ai_agent' | 'service';

/** One actor of a chain. */
export interface ChainActor {
  readonly id: string;
  readonly profile: ActorProfile;
}

/** The token that is exchanged, verified: what its claims say. */
export interface ParentToken {
  readonly subject: string;
  readonly subjectProfile: 'user' | ActorProfile;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Newest first; empty when nobody acts. */
  readonly chain: readonly ChainActor[];
  readonly via: readonly string[];
  /** Absent when nobody acts. */
  readonly actorProof?: ActorProof | undefined;
  /** Seconds. */
  readonly expiresAt: number;
  /** A hand-off token: the only actor that may take it up. */
  readonly mayAct?: string | undefined;
}

/** Where scopes have a meaning: the parent's resource, and the one the result is for. */
export interface Place {
  readonly identifier: string;
  readonly scopes: ScopeRules;
  /** The only clients that may get tokens for it; null: any. */
  readonly clients: readonly string[] | null;
  /** The client of the resource server itself. */
  readonly ownClient: string | null;
  readonly requireUser: boolean;
  readonly downstream: readonly Edge[];
  /** What the subject is permitted here, a user by name or role. */
  readonly subjectPermitted: readonly string[];
}

export interface Edge {
  readonly resource: string;
  readonly scopes: Readonly<Record<string, readonly string[]>>;
}

/** Whoever would be the current actor of the result, proved. */
export interface Presenter extends Party, ChainActor {
  readonly proof: ActorProof;
  /** Seconds: the proof's own end. */
  readonly proofExpiresAt?: number | undefined;
  /** Scopes permitted at the target. */
  readonly permitted: readonly string[];
  /** Agents it takes work from. */
  readonly takesWorkFrom: readonly string[];
  /** Clients that may front for it. */
  readonly clients: readonly string[];
}

/** What the user decided, when the parent hangs on a user's consent. */
export interface Delegation {
  /** Empty: no agent was consented to. */
  readonly agentId: string;
  /** How many agents may follow it. */
  readonly helpers: number;
  readonly resource: string;
  /** Where the page said the resource's server may call onward. */
  readonly downstream: readonly Edge[];
  /** Seconds. */
  readonly expiresAt: number;
}

export interface ExchangeFacts {
  readonly parent: ParentToken;
  /** Everyone the parent hangs on: subject, clients, actors. One missing or stopped ends it. */
  readonly story: ReadonlyArray<Party | undefined>;
  readonly caller: Party | undefined;
  readonly presenter: Presenter | undefined;
  /** `undefined`: ended, or run out. `null`: no user in the story. */
  readonly delegation: Delegation | null | undefined;
  /** The parent's resource; for a hand-off token the one it was made for. */
  readonly here: Place | undefined;
  /** What each actor that worked here is permitted here. */
  readonly heldHere: ReadonlyArray<readonly string[]>;
  readonly target: Place | undefined;
  /** The helper of a hand-off. */
  readonly helper?: (Party & ChainActor & Pick<Presenter, 'takesWorkFrom'>) | undefined;
}

export interface ExchangeRequest {
  /** Absent: everything the parent has. */
  readonly scopes?: readonly string[] | undefined;
  /** Make a token that only this helper can take up. */
  readonly handOffTo?: string | undefined;
}

/**
 * `continue`: the same actor, less. `hand_off`: a token for one helper. `take`: a helper becomes the
 * current actor. `go_on`: the resource's own service calls another resource.
 */
export type ExchangeStep = 'continue' | 'hand_off' | 'take' | 'go_on';

export type ExchangeDenial =
  | 'caller_not_active'
  | 'ended'
  | 'not_active'
  | 'no_actor'
  | 'client_may_not_front'
  | 'not_in_the_story'
  | 'not_the_helper'
  | 'unknown_helper'
  | 'no_edge'
  | 'no_helpers_left'
  | 'repeated_actor'
  | 'too_deep'
  | 'unknown_target'
  | 'target_refuses_client'
  | 'target_requires_user'
  | 'not_consented_target'
  | 'widens'
  | 'nothing_left';

export interface ExchangeDecision {
  readonly step: ExchangeStep;
  readonly granted: readonly string[];
  readonly takenAway: readonly TakenAway[];
  /** Newest first; empty when nobody acts. */
  readonly chain: readonly ChainActor[];
  /** What the current actor may ever hold at the target; absent when nobody acts. */
  readonly agentScope?: readonly string[];
  readonly actorProof?: ActorProof;
  readonly via: readonly string[];
  /** Seconds: the result ends no later. */
  readonly expMax: number;
}

export interface ExchangeRefused {
  readonly denied: ExchangeDenial;
  readonly takenAway?: readonly TakenAway[];
}

const isActive = (party: Party | undefined): party is Party => party?.status === 'active';

/** The actor that holds a token now: the outermost of its chain, or a subject that acts itself. */
export const currentActor = ({
  chain,
  subject,
  subjectProfile,
}: ParentToken): ChainActor | undefined =>
  chain[0] ?? (subjectProfile === 'user' ? undefined : { id: subject, profile: subjectProfile });

/** Whether this exchange may happen, and what is left in it. */
export function decideExchange(
  facts: ExchangeFacts,
  request: ExchangeRequest,
): ExchangeDecision | ExchangeRefused {
  if (!isActive(facts.caller)) return { denied: 'caller_not_active' };
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
  return denied === undefined ? granting(located, request, step, chain) : { denied };
}

const mayFront = (caller: Party, presenter: Presenter): boolean =>
  caller.id === presenter.id || presenter.clients.includes(caller.id);

type Located = ExchangeFacts & {
  readonly here: Place;
  readonly target: Place;
  readonly presenter: Presenter;
};

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
  if (step === 'hand_off' && !isActive(helper)) return 'unknown_helper';
  const next = step === 'hand_off' ? helper : step === 'continue' ? undefined : presenter;
  // What a hand-off leads to is checked when it is made, and again when it is taken up.
  const after = step === 'hand_off' && helper !== undefined ? [helper, ...chain] : chain;
  if (next !== undefined && (next.id === parent.subject || isIn(parent.chain, next.id))) {
    return 'repeated_actor';
  }
  if (after.length > ACT_DEPTH_MAX) return 'too_deep';
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

function granting(
  facts: Located,
  { scopes: asked }: ExchangeRequest,
  step: ExchangeStep,
  chain: readonly ChainActor[],
): ExchangeDecision | ExchangeRefused {
  const { parent, target, presenter } = facts;
  const parentHas = step === 'go_on' ? carriedOver(facts) : standingHere(facts);
  if (parentHas === undefined) return { denied: 'not_consented_target' };
  if (asked !== undefined && !isSubset(asked, parentHas.offered)) return { denied: 'widens' };
  const acting = chain.length > 0 ? heldScopes(target.scopes, presenter.permitted) : undefined;
  const left = effectiveScope({
    scopes: target.scopes,
    requested: asked ?? parentHas.offered,
    agent: acting,
    parent: parentHas.left,
  });
  if (left.granted.length === 0) return { denied: 'nothing_left', takenAway: left.takenAway };
  const ends = [parent.expiresAt, presenter.proofExpiresAt, facts.delegation?.expiresAt];
  return {
    ...left,
    step,
    chain,
    ...(acting === undefined ? {} : { agentScope: acting }),
    ...(chain.length === 0 ? {} : { actorProof: proofOf(parent, presenter, step) }),
    via: viaAfter(facts),
    expMax: Math.min(...ends.filter((end) => end !== undefined)),
  };
}

interface ParentScopes {
  /** What may be named in a request without asking for more than the parent has. */
  readonly offered: readonly string[];
  /** What of it everyone before still allows. */
  readonly left: readonly string[];
}

/** What the parent carries, as far as its subject and everyone who acted here still may (X21). */
function standingHere({ parent, here, heldHere }: Located): ParentScopes {
  const subject =
    parent.subjectProfile === 'user'
      ? delegableScopes(here.scopes, here.subjectPermitted)
      : heldScopes(here.scopes, here.subjectPermitted);
  const holders = [subject, ...heldHere.map((permitted) => heldScopes(here.scopes, permitted))];
  return {
    offered: parent.scopes,
    left: parent.scopes.filter((scope) => holders.every((held) => held.includes(scope))),
  };
}

/** The parent's scopes as they are called downstream: by the edge as it is, and as it was shown. */
function carriedOver(facts: Located): ParentScopes | undefined {
  const { parent, here, target, delegation } = facts;
  const edge = here.downstream.find(({ resource }) => resource === target.identifier);
  if (edge === undefined) return undefined;
  const shown =
    delegation === null || delegation === undefined
      ? edge
      : here.identifier === delegation.resource
        ? delegation.downstream.find(({ resource }) => resource === target.identifier)
        : undefined;
  if (shown === undefined) return undefined;
  const through = (scopes: readonly string[]): string[] => {
    const names = scopes.flatMap((scope) =>
      (edge.scopes[scope] ?? []).filter((name) => shown.scopes[scope]?.includes(name) === true),
    );
    return closure(names, hierarchyOf(target.scopes));
  };
  const subject =
    parent.subjectProfile === 'user'
      ? delegableScopes(target.scopes, target.subjectPermitted)
      : heldScopes(target.scopes, target.subjectPermitted);
  return {
    offered: through(parent.scopes),
    left: through(standingHere(facts).left).filter((scope) => subject.includes(scope)),
  };
}

const STRENGTH: readonly ActorProof[] = ['none', 'client_binding', 'client_auth', 'token'];

/** A new actor is proved as it was; one that goes on is no better proved than before. */
function proofOf(parent: ParentToken, { proof }: Presenter, step: ExchangeStep): ActorProof {
  if (step === 'take' || step === 'go_on' || parent.actorProof === undefined) return proof;
  const weaker = Math.min(STRENGTH.indexOf(parent.actorProof), STRENGTH.indexOf(proof));
  return STRENGTH[weaker] ?? 'none';
}

/** Clients earlier in the lineage, for revocation: each once. */
const viaAfter = ({ parent, caller }: ExchangeFacts): string[] =>
  [...new Set([...parent.via, parent.clientId])].filter((id) => id !== caller?.id);
