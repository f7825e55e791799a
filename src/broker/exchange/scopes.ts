/**
 * What is left of a token's scopes when it is exchanged (DESIGN §8c): what the parent carries, as far
 * as everyone before still allows it, by the edge's map where it goes on, and within what the new
 * actor holds. Pure.
 */
import { type ActorProof, closure, isSubset } from '../../protocol/index.js';
import { delegableScopes, effectiveScope, heldScopes, hierarchyOf } from '../delegation/policy.js';
import type {
  ChainActor,
  ExchangeDecision,
  ExchangeFacts,
  ExchangeRefused,
  ExchangeRequest,
  ExchangeStep,
  Located,
  ParentToken,
  Place,
  Presenter,
} from './facts.js';

/** The decision about an exchange that may happen; refused when it asks for too much, or nothing is left. */
export function whatIsLeft(
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
    ...bindingAfter(facts),
    expMax: Math.min(...ends.filter((end) => end !== undefined)),
  };
}

/**
 * The key that was shown; the certificate too where the caller's tokens are bound to it, or where
 * nothing else would keep bound what was (PP4).
 */
function bindingAfter({ parent, caller, provedKey, provedCertificate }: Located) {
  const wasBound = parent.boundTo !== undefined || parent.boundToCertificate !== undefined;
  const isKept = parent.boundToCertificate !== undefined || provedKey === undefined;
  const binds = caller?.certificateBound === true || (wasBound && isKept);
  return {
    ...(provedKey === undefined ? {} : { boundTo: provedKey }),
    ...(binds && provedCertificate !== undefined ? { boundToCertificate: provedCertificate } : {}),
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
  const holders = [
    subjectMay(parent, here),
    ...heldHere.map((permitted) => heldScopes(here.scopes, permitted)),
  ];
  return {
    offered: parent.scopes,
    left: parent.scopes.filter((scope) => holders.every((held) => held.includes(scope))),
  };
}

/** What the subject may let others do at a place. */
const subjectMay = ({ subjectProfile }: ParentToken, place: Place): readonly string[] =>
  subjectProfile === 'user'
    ? delegableScopes(place.scopes, place.subjectPermitted)
    : heldScopes(place.scopes, place.subjectPermitted);

/**
 * The parent's scopes as they are called downstream: by the edge as it is, and no more of it than was
 * shown; a hierarchy there that grew later does not widen what was agreed to.
 */
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
  const through = (scopes: readonly string[]): string[] =>
    scopes.flatMap((scope) => {
      const names = closure(edge.scopes[scope] ?? [], hierarchyOf(target.scopes));
      if (shown === edge) return names;
      return names.filter((name) => shown.scopes[scope]?.includes(name) === true);
    });
  const subject = subjectMay(parent, target);
  return {
    offered: through(parent.scopes),
    left: through(standingHere(facts).left).filter((scope) => subject.includes(scope)),
  };
}

const STRENGTH: readonly ActorProof[] = ['none', 'client_binding', 'client_auth', 'token'];

/**
 * A new actor is proved as it was; one that continues is no better proved than before. What nobody
 * proved once stays so: a helper must not make it presentable.
 */
function proofOf(parent: ParentToken, { proof }: Presenter, step: ExchangeStep): ActorProof {
  if (parent.actorProof === 'none') return 'none';
  if (step === 'take' || step === 'go_on' || parent.actorProof === undefined) return proof;
  const weaker = Math.min(STRENGTH.indexOf(parent.actorProof), STRENGTH.indexOf(proof));
  return STRENGTH[weaker] ?? 'none';
}

/** Clients earlier in the lineage, for revocation: each once. */
const viaAfter = ({ parent, caller }: ExchangeFacts): string[] =>
  [...new Set([...parent.via, parent.clientId])].filter((id) => id !== caller?.id);
