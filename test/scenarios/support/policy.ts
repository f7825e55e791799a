// A scenario through the pure policy: facts made from its words, `decideDelegation` and
// `decideExchange` asked, and tokens that are only what they say. No broker, no wire, no clock.
import {
  decideDelegation,
  effectiveScope,
  heldScopes,
  hierarchyOf,
  type Party,
  type ScopeRules,
} from '../../../src/broker/delegation/policy.js';
import type {
  ChainActor,
  Edge,
  ExchangeFacts,
  ParentToken,
  Place,
} from '../../../src/broker/exchange/facts.js';
import { decideExchange, workedHere } from '../../../src/broker/exchange/policy.js';
import { type Act, closure, isSubset, revocationKeys } from '../../../src/protocol/index.js';
import { reasonOf } from './reasons.js';
import type {
  AgentWords,
  Event,
  Outcome,
  Permits,
  Request,
  ResourceWords,
  Stage,
  Use,
  WorldWords,
} from './words.js';

interface Consent {
  readonly id: string;
  readonly user: string;
  readonly agent: string;
  readonly client: string;
  readonly resource: string;
  readonly granted: readonly string[];
  readonly helpers: number;
  /** Edges as the page showed them. */
  readonly shown: readonly Edge[];
  readonly at: number;
}

/** A token, as much of it as anything looks at. */
export interface PureToken extends ParentToken {
  readonly jti: string;
  readonly audience: string;
  readonly at: number;
  readonly consent: Consent | undefined;
  readonly isExchanged?: boolean;
}

interface Standing {
  readonly status: string;
  readonly notBefore: number;
}

/** What is stopped: by key, and since when if it does not always. */
interface Stop {
  readonly key: string;
  readonly at: number;
  readonly always: boolean;
}

interface State {
  world: WorldWords;
  readonly standings: Map<string, Standing>;
  readonly stops: Map<string, Stop>;
  readonly tokens: Map<string, PureToken>;
  now: number;
  pausedAt: number;
}

const NEVER = 1_000_000;

export function createPureStage(world: WorldWords): Stage & { token(name: string): PureToken } {
  const state: State = {
    world,
    standings: new Map(),
    stops: new Map(),
    tokens: new Map(),
    now: 1,
    pausedAt: 0,
  };
  return {
    happens: async (event) => {
      state.now += 1;
      happen(state, event);
    },
    asks: async (request, as) => {
      state.now += 1;
      const { token, ...outcome } = ask(state, request);
      if (token === undefined) return { denied: outcome.denied ?? [] };
      if (as !== undefined) state.tokens.set(as, token);
      return { gets: token.scopes, acting: token.chain.map(({ id }) => id) };
    },
    uses: async (use) => tryTool(state, use),
    token: (name) => tokenNamed(state, name),
  };
}

type Asked =
  | { readonly token: PureToken; readonly denied?: undefined }
  | {
      readonly token?: undefined;
      readonly denied: Extract<Outcome, { denied: unknown }>['denied'];
    };

const refused = (denial: string): Asked => ({ denied: [reasonOf(denial)] });

function ask(state: State, request: Request): Asked {
  if ('consent' in request) return askConsent(state, request.consent);
  if ('alone' in request) return askAlone(state, request.alone);
  if ('refresh' in request) return askRefresh(state, request.refresh);
  return askExchange(state, request.exchange);
}

const tokenNamed = ({ tokens }: State, name: string): PureToken => {
  const token = tokens.get(name);
  if (token === undefined) throw new Error(`there is no token called ${name}`);
  return token;
};

export const rulesOf = ({ scopes }: ResourceWords): ScopeRules =>
  Object.fromEntries(
    Object.entries(scopes).map(([name, { risk = 'read', restricted = false, implies = [] }]) => [
      name,
      { risk, restricted, implies, base: risk === 'read' && !restricted },
    ]),
  );

export const edgesOf = ({ downstream = {} }: ResourceWords): Edge[] =>
  Object.entries(downstream).map(([resource, scopes]) => ({ resource, scopes }));

const party = ({ standings }: State, id: string): Party => {
  const { status, notBefore } = standings.get(id) ?? { status: 'active', notBefore: 0 };
  return { id, status, notBeforeMs: notBefore };
};

const mayExchange = ({ world }: State, id: string): boolean =>
  world.mayNotExchange?.includes(id) !== true;

const agentOf = ({ world }: State, id: string): AgentWords | undefined => world.agents[id];

function permitted({ world }: State, id: string, where: string): readonly string[] {
  const may: Permits | undefined = (world.people[id] ?? world.agents[id] ?? world.services[id])
    ?.may;
  return may?.[where] ?? [];
}

function delegationFacts(
  state: State,
  { user, agent, client, resource }: Pick<Consent, 'user' | 'agent' | 'client' | 'resource'>,
) {
  const words = state.world.resources[resource];
  const acting = agentOf(state, agent);
  return {
    user: party(state, user),
    userPermitted: permitted(state, user, resource),
    client: { ...party(state, client), boundTo: state.world.apps[client]?.agent ?? null },
    acts: agent !== '',
    agent:
      acting === undefined ? undefined : { ...party(state, agent), clients: acting.clients ?? [] },
    agentPermitted: permitted(state, agent, resource),
    resource:
      words === undefined ? undefined : { scopes: rulesOf(words), clients: words.clients ?? null },
  };
}

function askConsent(state: State, words: Extract<Request, { consent: unknown }>['consent']): Asked {
  const { by: user, through: client, at: resource, scopes, ticked, helpers = 0 } = words;
  const agent = words.to ?? state.world.apps[client]?.agent ?? '';
  const facts = delegationFacts(state, { user, agent, client, resource });
  const shown = state.world.resources[resource];
  const hierarchy = hierarchyOf(facts.resource?.scopes ?? {});
  const decision = decideDelegation(facts, {
    requested: scopes,
    ...(ticked === undefined ? {} : { consent: closure(ticked, hierarchy) }),
    sinceMs: state.now,
  });
  if ('denied' in decision) return refused(decision.denied);
  const consent: Consent = {
    id: `cns_${state.now}`,
    user,
    agent,
    client,
    resource,
    granted: decision.granted,
    helpers,
    shown: shown === undefined ? [] : edgesOf(shown),
    at: state.now,
  };
  return { token: tokenOfConsent(state, consent, decision, `${consent.id}.gnt_1.t1`) };
}

function tokenOfConsent(
  state: State,
  consent: Consent,
  { granted, agentScope }: { granted: readonly string[]; agentScope?: readonly string[] },
  jti: string,
): PureToken {
  const acts = agentScope !== undefined;
  return {
    jti,
    subject: consent.user,
    subjectProfile: 'user',
    clientId: consent.client,
    scopes: granted,
    chain: acts ? [{ id: consent.agent, profile: 'ai_agent' }] : [],
    via: [],
    ...(acts ? { actorProof: 'token' } : {}),
    expiresAt: NEVER,
    audience: consent.resource,
    at: state.now,
    consent,
  };
}

function askAlone(
  state: State,
  { who, at, scopes }: Extract<Request, { alone: unknown }>['alone'],
): Asked {
  const resource = state.world.resources[at];
  if (party(state, who).status !== 'active') return refused('not_active');
  if (resource === undefined) return refused('unknown_target');
  if (resource.requireUser === true) return refused('target_requires_user');
  const rules = rulesOf(resource);
  const agent = heldScopes(rules, permitted(state, who, at));
  const left = effectiveScope({ scopes: rules, requested: scopes, agent });
  if (left.takenAway.length > 0 || left.granted.length === 0) return refused('not_permitted');
  return {
    token: {
      jti: `crd_${who}.t${state.now}`,
      subject: who,
      subjectProfile: agentOf(state, who) === undefined ? 'service' : 'ai_agent',
      clientId: who,
      scopes: left.granted,
      chain: [],
      via: [],
      expiresAt: NEVER,
      audience: at,
      at: state.now,
      consent: undefined,
    },
  };
}

function askRefresh(
  state: State,
  { token: name, scopes }: Extract<Request, { refresh: unknown }>['refresh'],
): Asked {
  const { consent, jti } = tokenNamed(state, name);
  if (consent === undefined) throw new Error(`${name} has no refresh token`);
  const [cns = '', gnt = ''] = jti.split('.');
  if ([cns, `${cns}.${gnt}`].some((key) => state.stops.has(key))) return refused('ended');
  const decision = decideDelegation(delegationFacts(state, consent), {
    requested: scopes ?? consent.granted,
    consent: consent.granted,
    sinceMs: consent.at,
  });
  if ('denied' in decision) return refused(decision.denied);
  return { token: tokenOfConsent(state, consent, decision, `${cns}.${gnt}.t${state.now}`) };
}

/** As `revocationKeys` reads a token: nothing it hangs on was stopped, or only what is older. */
function isAlive({ stops }: State, token: PureToken): boolean {
  const act = token.chain.reduceRight<Act | undefined>(
    (inner, { id }) => ({ sub: id, iss: '', ...(inner === undefined ? {} : { act: inner }) }),
    undefined,
  );
  const keys = revocationKeys({
    jti: token.jti,
    sub: token.subject,
    client_id: token.clientId,
    via: token.via,
    ...(act === undefined ? {} : { act }),
  });
  return keys.every((key) => {
    const stop = stops.get(key);
    return stop === undefined || (!stop.always && stop.at < token.at);
  });
}

function tryTool(state: State, { tool, at, with: name }: Use): Outcome {
  const token = tokenNamed(state, name);
  if (!isAlive(state, token)) return { denied: [reasonOf('ended')] };
  if (token.audience !== at || token.mayAct !== undefined) {
    return { denied: ['the token is for another resource'] };
  }
  const needs = state.world.resources[at]?.tools?.[tool] ?? [];
  return isSubset(needs, token.scopes) ? 'may' : { denied: ['the token lacks the scope'] };
}

type Exchange = Extract<Request, { exchange: unknown }>['exchange'];

function askExchange(state: State, words: Exchange): Asked {
  const parent = tokenNamed(state, words.token);
  const target = words.at ?? parent.audience;
  const facts = exchangeFacts(state, words, parent, target);
  const request = { scopes: words.scopes, handOffTo: words.handTo };
  const isDecided = isAlive(state, parent) || facts.caller?.mayExchange === false;
  const decision = isDecided ? decideExchange(facts, request) : ({ denied: 'ended' } as const);
  if ('denied' in decision) return refused(decision.denied);
  return {
    token: {
      jti: `${parent.jti}.t${state.now}`,
      subject: parent.subject,
      subjectProfile: parent.subjectProfile,
      clientId: words.through ?? words.by,
      scopes: decision.granted,
      chain: decision.chain,
      via: decision.via,
      actorProof: decision.actorProof,
      expiresAt: decision.expMax,
      audience: target,
      at: state.now,
      consent: parent.consent,
      isExchanged: true,
      ...(decision.step === 'hand_off' ? { mayAct: words.handTo } : {}),
    },
  };
}

function exchangeFacts(
  state: State,
  { by, through = by, handTo }: Exchange,
  parent: PureToken,
  target: string,
): ExchangeFacts {
  const story = [
    parent.subject,
    parent.clientId,
    ...parent.via,
    ...parent.chain.map(({ id }) => id),
  ];
  const helper = handTo === undefined ? undefined : agentOf(state, handTo);
  const { consent } = parent;
  return {
    parent,
    story: story.map((id) => party(state, id)),
    caller: { ...party(state, through), mayExchange: mayExchange(state, through) },
    presenter: presenterOf(state, by, through, target),
    delegation:
      consent === undefined
        ? null
        : {
            agentId: consent.agent,
            helpers: consent.helpers,
            resource: consent.resource,
            downstream: consent.shown,
            expiresAt: NEVER,
          },
    here: placeOf(state, parent.audience, parent.subject),
    heldHere: workedHere(parent.chain).map(({ id }) => permitted(state, id, parent.audience)),
    target: placeOf(state, target, parent.subject),
    helper:
      handTo === undefined || helper === undefined
        ? undefined
        : {
            ...party(state, handTo),
            profile: 'ai_agent',
            takesWorkFrom: helper.takesWorkFrom ?? [],
          },
  };
}

/** Whom a request proves: who asks, or the agent an operator bound it to; an app by itself acts never. */
function presenterOf(
  state: State,
  by: string,
  through: string,
  target: string,
): ExchangeFacts['presenter'] {
  const app = state.world.apps[by];
  if (app?.agent !== undefined) return presenterOf(state, app.agent, by, target);
  if (app !== undefined) return undefined;
  const agent = agentOf(state, by);
  return {
    ...party(state, by),
    profile: profileOf(state, by),
    proof: through === by ? 'client_auth' : 'token',
    permitted: permitted(state, by, target),
    takesWorkFrom: agent?.takesWorkFrom ?? [],
    clients: agent?.clients ?? [],
  };
}

const profileOf = (state: State, id: string): ChainActor['profile'] =>
  agentOf(state, id) === undefined ? 'service' : 'ai_agent';

function placeOf(state: State, identifier: string, subject: string): Place | undefined {
  const resource = state.world.resources[identifier];
  if (resource === undefined) return undefined;
  return {
    identifier,
    scopes: rulesOf(resource),
    clients: resource.clients ?? null,
    ownClient: resource.server ?? null,
    requireUser: resource.requireUser ?? false,
    downstream: edgesOf(resource),
    subjectPermitted: permitted(state, subject, identifier),
  };
}

function happen(state: State, event: Event): void {
  const { standings, stops, now } = state;
  const stop = (key: string, always: boolean, at = now) => stops.set(key, { key, always, at });
  const stand = (id: string, status: string, moves: boolean) =>
    standings.set(id, {
      status,
      notBefore: moves ? now : (standings.get(id)?.notBefore ?? 0),
    });
  if ('withdraw' in event) stop(tokenNamed(state, event.withdraw).consent?.id ?? '', true);
  else if ('revoke' in event) stop(tokenNamed(state, event.revoke).jti, true);
  else if ('pause' in event) {
    state.pausedAt = now;
    stand(event.pause, 'paused', false);
    stop(event.pause, true);
  } else if ('resume' in event) {
    stand(event.resume, 'active', false);
    stop(event.resume, false, state.pausedAt);
  } else if ('unblock' in event || 'enable' in event) {
    const id = 'unblock' in event ? event.unblock : event.enable;
    stand(id, 'active', true);
    stop(id, false);
  } else if (isChange(event)) change(state, event);
  else {
    const [id = ''] = Object.values(event) as string[];
    stand(id, 'blocked', true);
    stop(id, true);
  }
}

type RegistryChange = Extract<
  Event,
  { permit: string } | { edges: string } | { route: string } | { exchangesNoMore: string }
>;
const isChange = (event: Event): event is RegistryChange =>
  ['permit', 'edges', 'route', 'exchangesNoMore'].some((name) => name in event);

/** The registry changes; live tokens that rest on what was taken away stop with it. */
function change(state: State, event: RegistryChange): void {
  const { world } = state;
  const rests = (token: PureToken): boolean => {
    if ('permit' in event) {
      const { resources } = world;
      const where = resources[event.at];
      const before = heldScopes(
        rulesOf(where as ResourceWords),
        permitted({ ...state, world }, event.permit, event.at),
      );
      const after = heldScopes(rulesOf(where as ResourceWords), event.scopes);
      const lost = before.filter((scope) => !after.includes(scope));
      const holds = token.subject === event.permit || token.chain[0]?.id === event.permit;
      return holds && token.audience === event.at && lost.some((one) => token.scopes.includes(one));
    }
    if ('edges' in event) {
      const [taker, from] = token.chain;
      const giver = from?.id ?? token.subject;
      return taker?.id === event.edges && !event.takesWorkFrom.includes(giver);
    }
    if ('exchangesNoMore' in event) {
      return token.clientId === event.exchangesNoMore && token.isExchanged === true;
    }
    return false;
  };
  for (const token of state.tokens.values()) {
    if (rests(token)) state.stops.set(token.jti, { key: token.jti, always: true, at: state.now });
  }
  state.world = changed(world, event);
}

function changed(world: WorldWords, event: RegistryChange): WorldWords {
  if ('exchangesNoMore' in event) {
    return { ...world, mayNotExchange: [...(world.mayNotExchange ?? []), event.exchangesNoMore] };
  }
  if ('edges' in event) {
    const agent = { ...world.agents[event.edges], takesWorkFrom: event.takesWorkFrom };
    return { ...world, agents: { ...world.agents, [event.edges]: agent } };
  }
  if ('route' in event) {
    const resource = world.resources[event.route] as ResourceWords;
    const routed = { ...resource, downstream: event.downstream };
    return { ...world, resources: { ...world.resources, [event.route]: routed } };
  }
  for (const noun of ['people', 'agents', 'services'] as const) {
    const who: { readonly may?: Permits } | undefined = world[noun][event.permit];
    if (who === undefined) continue;
    const may = { ...who.may, [event.at]: event.scopes };
    return { ...world, [noun]: { ...world[noun], [event.permit]: { ...who, may } } };
  }
  return world;
}
