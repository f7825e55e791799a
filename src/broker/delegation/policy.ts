/**
 * The law, in one place: no token ever carries more than everyone in its story allows. Pure: facts
 * in, decision out. The consent page, the token endpoint, the audit and the tests all call these
 * functions; nothing else decides what is left of a request.
 */
import { closure, type ScopeHierarchy } from '../../protocol/index.js';

/** What a resource says about one of its scopes, as far as decisions go. */
export interface ScopeRule {
  readonly risk: 'read' | 'write' | 'destructive';
  readonly restricted: boolean;
  readonly implies: readonly string[];
  readonly base: boolean;
}
export type ScopeRules = Readonly<Record<string, ScopeRule>>;

/** Who took a scope away. `resource`: it has no such scope. */
export type TakenBy = 'resource' | 'user' | 'agent' | 'client' | 'consent' | 'parent';

export interface TakenAway {
  readonly scope: string;
  readonly by: readonly TakenBy[];
}

export interface EffectiveScope {
  /** E: what is left, written out as a downward closure, in canonical order. */
  readonly granted: readonly string[];
  /** Every requested scope that fell away, and everyone who took it. */
  readonly takenAway: readonly TakenAway[];
}

export interface Story {
  readonly scopes: ScopeRules;
  readonly requested: readonly string[];
  /** What the user may delegate; absent when no user is in the story. */
  readonly user?: readonly string[] | undefined;
  /** What the acting agent or service may ever hold here; absent when nobody acts. */
  readonly agent?: readonly string[] | undefined;
  /** What the client may be given; absent when it is not limited. */
  readonly client?: readonly string[] | undefined;
  /** What the user ticked, exactly; absent before the consent. */
  readonly consent?: readonly string[] | undefined;
  /** What the parent token carries, exactly; absent when there is none. */
  readonly parent?: readonly string[] | undefined;
}

export const hierarchyOf = (scopes: ScopeRules): ScopeHierarchy =>
  Object.fromEntries(Object.entries(scopes).map(([name, rule]) => [name, rule.implies]));

/**
 * Expands the request downward, then keeps a scope only if everybody present holds it. A consent
 * and a parent token are taken at their word: a hierarchy that grew later widens neither.
 */
export function effectiveScope(story: Story): EffectiveScope {
  const holders: Array<readonly [TakenBy, ReadonlySet<string> | undefined]> = [
    ['resource', new Set(Object.keys(story.scopes))],
    ['user', asSet(story.user)],
    ['agent', asSet(story.agent)],
    ['client', asSet(story.client)],
    ['consent', asSet(story.consent)],
    ['parent', asSet(story.parent)],
  ];
  const granted: string[] = [];
  const takenAway: TakenAway[] = [];
  for (const scope of closure(story.requested, hierarchyOf(story.scopes))) {
    const by = holders.filter(([, held]) => held?.has(scope) === false).map(([who]) => who);
    if (by.length === 0) granted.push(scope);
    else takenAway.push({ scope, by: by.includes('resource') ? ['resource'] : by });
  }
  return { granted, takenAway };
}

const asSet = (scopes: readonly string[] | undefined): ReadonlySet<string> | undefined =>
  scopes === undefined ? undefined : new Set(scopes);

/** A user may delegate a resource's open scopes, and restricted ones they are permitted by name or role. */
export function delegableScopes(scopes: ScopeRules, permitted: readonly string[]): string[] {
  const open = Object.keys(scopes).filter((name) => scopes[name]?.restricted === false);
  return [...new Set([...open, ...heldScopes(scopes, permitted)])].sort();
}

/** Agents and services hold nothing unless permitted; what they hold is closed downward. */
export const heldScopes = (scopes: ScopeRules, permitted: readonly string[]): string[] =>
  closure(
    permitted.filter((name) => Object.hasOwn(scopes, name)),
    hierarchyOf(scopes),
  );

/** A request that names no scope asks for the base ones, never restricted or destructive ones. */
export const baseScopes = (scopes: ScopeRules): string[] =>
  Object.keys(scopes)
    .filter((name) => {
      const rule = scopes[name];
      return rule?.base === true && !rule.restricted && rule.risk !== 'destructive';
    })
    .sort();

/** Why an actor may not act. One and the same answer goes to the wire for all of them (D1). */
export type ActorDenial = 'unknown_actor' | 'actor_not_active' | 'client_may_not_front';

/**
 * Who may act: the agent exists, is active, and the client may front for it. A client that an
 * operator bound to an agent fronts for that one, and for no other (§8a).
 */
export function decideActor(
  agent:
    | { readonly id: string; readonly status: string; readonly clients: readonly string[] }
    | undefined,
  clientId: string,
  boundTo: string | null = null,
): { readonly denied: ActorDenial } | { readonly agentId: string } {
  if (agent === undefined) return { denied: 'unknown_actor' };
  if (agent.status !== 'active') return { denied: 'actor_not_active' };
  const mayFront =
    boundTo === null
      ? agent.id === clientId || agent.clients.includes(clientId)
      : agent.id === boundTo;
  if (!mayFront) {
    return { denied: 'client_may_not_front' };
  }
  return { agentId: agent.id };
}

/** Somebody in the story: stopped parties end it; a `notBefore` ends what is older than it. */
export interface Party {
  readonly id: string;
  readonly status: string;
  readonly notBeforeMs: number;
}

export interface DelegationFacts {
  readonly user: Party | undefined;
  /** Permitted to the user by name or role, at the resource. */
  readonly userPermitted: readonly string[];
  /** With the agent it is bound to, where it acts as that one: at a resource. */
  readonly client: (Party & { readonly boundTo?: string | null }) | undefined;
  /** Whether an agent acts at all; if so it must be there. */
  readonly acts: boolean;
  readonly agent: (Party & { readonly clients: readonly string[] }) | undefined;
  readonly agentPermitted: readonly string[];
  readonly resource:
    | { readonly scopes: ScopeRules; readonly clients: readonly string[] | null }
    | undefined;
}

export interface DelegationRequest {
  readonly requested: readonly string[];
  /** What the user ticked; absent before the consent. */
  readonly consent?: readonly string[] | undefined;
  /** When what this hangs on began (the grant), in milliseconds; now for a new request. */
  readonly sinceMs: number;
}

export type DelegationDenial =
  | ActorDenial
  | 'user_not_active'
  | 'client_not_active'
  | 'unknown_resource'
  | 'resource_refuses_client'
  | 'acts_for_itself'
  | 'nothing_left';

export interface DelegationDecision extends EffectiveScope {
  /** A: what the acting agent may ever hold here; absent when nobody acts. */
  readonly agentScope?: readonly string[];
}

const isActive = (party: Party | undefined, sinceMs: number): party is Party =>
  party !== undefined && party.status === 'active' && party.notBeforeMs <= sinceMs;

/**
 * Whether a user's authority may flow through this client to this agent at this resource, and what
 * is left of the request when everyone has had their say. Used before the consent page, on it, at
 * the code's redemption and at every refresh.
 */
export function decideDelegation(
  facts: DelegationFacts,
  request: DelegationRequest,
):
  | { readonly denied: DelegationDenial; readonly takenAway?: readonly TakenAway[] }
  | DelegationDecision {
  const { user, client, agent, resource } = facts;
  if (!isActive(client, request.sinceMs)) return { denied: 'client_not_active' };
  if (facts.acts) {
    const actor = decideActor(agent, client.id, client.boundTo);
    if ('denied' in actor) return actor;
    if (!isActive(agent, request.sinceMs)) return { denied: 'actor_not_active' };
    if (agent?.id === user?.id) return { denied: 'acts_for_itself' };
  }
  // What a bound client gets, its agent gets: never the client alone, by an older grant.
  if (!facts.acts && client.boundTo) return { denied: 'client_may_not_front' };
  if (!isActive(user, request.sinceMs)) return { denied: 'user_not_active' };
  if (resource === undefined) return { denied: 'unknown_resource' };
  if (resource.clients !== null && !resource.clients.includes(client.id)) {
    return { denied: 'resource_refuses_client' };
  }
  const agentScope = facts.acts ? heldScopes(resource.scopes, facts.agentPermitted) : undefined;
  const left = effectiveScope({
    scopes: resource.scopes,
    requested: request.requested,
    user: delegableScopes(resource.scopes, facts.userPermitted),
    agent: agentScope,
    consent: request.consent,
  });
  if (left.granted.length === 0) return { denied: 'nothing_left', takenAway: left.takenAway };
  return agentScope === undefined ? left : { ...left, agentScope };
}

/** A sentence for operators: who took what. */
export const explainTakenAway = (takenAway: readonly TakenAway[]): string =>
  takenAway.map(({ scope, by }) => `${scope} (${by.join(', ')})`).join('; ');
