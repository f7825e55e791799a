// Worlds and chains of exchanges for the properties of DESIGN §8c: who exists, what they hold, and a
// way to play an exchange on a token as the broker would, without any broker.
import fc from 'fast-check';
import {
  delegableScopes,
  heldScopes,
  type Party,
  type ScopeRules,
} from '../../../src/broker/delegation/policy.js';
import type {
  ChainActor,
  Delegation,
  Edge,
  ExchangeDecision,
  ExchangeFacts,
  ExchangeRefused,
  ParentToken,
  Place,
} from '../../../src/broker/exchange/facts.js';
import { currentActor, decideExchange, workedHere } from '../../../src/broker/exchange/policy.js';
import { closure } from '../../../src/protocol/index.js';

export const USER = 'usr_u';
export const AGENTS = ['agt_a', 'agt_b', 'agt_c', 'agt_d'] as const;
/** Each resource's own service. */
export const SERVICES: Readonly<Record<string, string>> = {
  'https://one.example': 'cli_one',
  'https://two.example': 'cli_two',
  'https://three.example': 'cli_three',
};
export const RESOURCES = Object.keys(SERVICES);
export const SCOPES = ['a:list', 'b:read', 'c:write'];
export const CLIENT = 'cli_host';

export interface Resource {
  readonly scopes: ScopeRules;
  readonly downstream: readonly Edge[];
  readonly requireUser: boolean;
}

export interface World {
  readonly resources: Readonly<Record<string, Resource>>;
  /** principal → resource → scopes */
  readonly permitted: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** agent → agents it takes work from */
  readonly edges: Readonly<Record<string, readonly string[]>>;
  readonly stopped: readonly string[];
  /** Who was not given the exchange grant. */
  readonly mayNotExchange?: readonly string[];
  readonly consent: { readonly scopes: readonly string[]; readonly helpers: number };
}

const subset = fc.subarray(SCOPES);
/** Mostly everything: poor worlds have short chains. */
const rich = fc.oneof(
  { weight: 2, arbitrary: fc.constant(SCOPES) },
  { weight: 1, arbitrary: subset },
);
const rarely = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);
const rules: fc.Arbitrary<ScopeRules> = fc
  .tuple(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.boolean(), fc.boolean())
  .map(([restricted, writeReads, readLists]) => ({
    'a:list': rule('read', restricted[0] === true, []),
    'b:read': rule('read', restricted[1] === true, readLists ? ['a:list'] : []),
    'c:write': rule('write', restricted[2] === true, writeReads ? ['b:read'] : []),
  }));
const rule = (risk: 'read' | 'write', restricted: boolean, implies: readonly string[]) => ({
  risk,
  restricted,
  implies,
  base: risk === 'read',
});

const edgeMap = fc.record({ 'a:list': rich, 'b:read': rich, 'c:write': rich });
const downstreamOf = (from: string): fc.Arbitrary<readonly Edge[]> =>
  fc
    .subarray(RESOURCES.filter((to) => to !== from))
    .chain((targets) =>
      fc.tuple(...targets.map((resource) => edgeMap.map((scopes) => ({ resource, scopes })))),
    );

export const worlds: fc.Arbitrary<World> = fc.record({
  resources: fc
    .tuple(
      ...RESOURCES.map((from) =>
        fc.record({ scopes: rules, downstream: downstreamOf(from), requireUser: rarely }),
      ),
    )
    .map((all) => Object.fromEntries(RESOURCES.map((name, n) => [name, all[n] as Resource]))),
  permitted: fc
    .array(rich, { minLength: 24, maxLength: 24 })
    .map((lists) =>
      Object.fromEntries(
        [USER, ...AGENTS, ...Object.values(SERVICES)].map((principal, p) => [
          principal,
          Object.fromEntries(RESOURCES.map((name, r) => [name, lists[p * 3 + r] ?? []])),
        ]),
      ),
    ),
  edges: fc
    .tuple(
      ...AGENTS.map(() =>
        fc.oneof(fc.constant<readonly string[]>(AGENTS), fc.subarray<string>([...AGENTS])),
      ),
    )
    .map((lists) => Object.fromEntries(AGENTS.map((agent, n) => [agent, lists[n] ?? []]))),
  stopped: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.subarray([USER, ...AGENTS, ...Object.values(SERVICES)]) },
  ),
  mayNotExchange: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.subarray([...AGENTS, ...Object.values(SERVICES)]) },
  ),
  consent: fc.record({
    scopes: rich,
    helpers: fc.oneof(fc.constant(3), fc.integer({ min: 0, max: 3 })),
  }),
});

/** A token of the model, as much as exchanges look at. */
export interface ModelToken extends ParentToken {
  readonly audience: string;
  readonly agentScope: readonly string[] | undefined;
}

const place = (world: World, identifier: string, subject: string): Place | undefined => {
  const resource = world.resources[identifier];
  if (resource === undefined) return undefined;
  return {
    identifier,
    ...resource,
    clients: null,
    ownClient: SERVICES[identifier] ?? null,
    subjectPermitted: world.permitted[subject]?.[identifier] ?? [],
  };
};

export const party = (world: World, id: string): Party => ({
  id,
  status: world.stopped.includes(id) ? 'blocked' : 'active',
  notBeforeMs: 0,
});

export const CONSENTED = 'https://one.example';
export const GRANT_ENDS = 1000;

/** What the user consented to, at the first resource, to the first agent. */
export const delegationOf = (world: World): Delegation => ({
  agentId: 'agt_a',
  helpers: world.consent.helpers,
  resource: CONSENTED,
  downstream: shownEdges(world),
  expiresAt: GRANT_ENDS,
});

/** A page says where each scope that it offers leads; with all that comes along there; of a way for none of them it says nothing. */
function shownEdges({ resources, permitted }: World): readonly Edge[] {
  const { scopes, downstream } = resources[CONSENTED] as Resource;
  const user = delegableScopes(scopes, permitted[USER]?.[CONSENTED] ?? []);
  const offered = heldScopes(scopes, permitted.agt_a?.[CONSENTED] ?? []).filter((scope) =>
    user.includes(scope),
  );
  return downstream
    .map((edge) => ({
      resource: edge.resource,
      scopes: Object.fromEntries(
        Object.entries(edge.scopes)
          .filter(([from, to]) => offered.includes(from) && to.length > 0)
          .map(([from, to]) => [from, heldScopes(resources[edge.resource]?.scopes ?? {}, to)]),
      ),
    }))
    .filter((edge) => Object.keys(edge.scopes).length > 0);
}

/** The first token of a chain: the user's agent at its resource, or an agent by itself. */
export function rootToken(world: World, root: 'user' | 'agent'): ModelToken | undefined {
  const resource = world.resources[CONSENTED];
  if (resource === undefined) return undefined;
  const held = heldScopes(resource.scopes, world.permitted.agt_a?.[CONSENTED] ?? []);
  const common = { audience: CONSENTED, via: [], expiresAt: GRANT_ENDS };
  if (root === 'agent') {
    if (held.length === 0) return undefined;
    return {
      ...common,
      subject: 'agt_a',
      subjectProfile: 'ai_agent',
      clientId: 'agt_a',
      scopes: held,
      chain: [],
      agentScope: undefined,
    };
  }
  const user = delegableScopes(resource.scopes, world.permitted[USER]?.[CONSENTED] ?? []);
  const ticked = closure(
    world.consent.scopes,
    Object.fromEntries(Object.entries(resource.scopes).map(([name, one]) => [name, one.implies])),
  );
  const scopes = ticked.filter((scope) => held.includes(scope) && user.includes(scope));
  if (scopes.length === 0) return undefined;
  return {
    ...common,
    subject: USER,
    subjectProfile: 'user',
    clientId: CLIENT,
    scopes,
    chain: [{ id: 'agt_a', profile: 'ai_agent' }],
    actorProof: 'token',
    agentScope: held,
  };
}

export interface Move {
  readonly presenter: string;
  readonly target: string;
  readonly scopes: readonly string[] | undefined;
  readonly handOffTo: string | undefined;
  readonly proofExpiresAt: number | undefined;
  /** The key that the request proves. */
  readonly provedKey?: string | undefined;
}

const actors = [...AGENTS, ...Object.values(SERVICES)];
export const moves: fc.Arbitrary<Move> = fc.record({
  presenter: fc.constantFrom<string>(...actors),
  target: fc.constantFrom<string>(...RESOURCES),
  scopes: fc.option(subset, { nil: undefined }),
  handOffTo: fc.option(fc.constantFrom<string>(...AGENTS), { nil: undefined, freq: 4 }),
  proofExpiresAt: fc.option(fc.integer({ min: 1, max: 2000 }), { nil: undefined }),
});

/** A move that has a chance: the presenter and target are often those that fit. */
export const likelyMove = (token: ModelToken, move: Move, luck: number): Move => {
  const current = currentActor(token)?.id ?? move.presenter;
  const own = SERVICES[token.audience] ?? move.presenter;
  const presenter =
    token.mayAct ?? (luck % 4 === 0 ? current : luck % 4 === 1 ? own : move.presenter);
  const target = presenter === own && luck % 4 === 1 ? move.target : token.audience;
  const handOffTo = token.mayAct === undefined && luck % 8 === 0 ? move.handOffTo : undefined;
  return { ...move, presenter, target: luck % 16 === 15 ? move.target : target, handOffTo };
};

const profileOf = (id: string): ChainActor['profile'] =>
  id.startsWith('agt_') ? 'ai_agent' : 'service';

export function factsOf(world: World, token: ModelToken, move: Move): ExchangeFacts {
  const permittedAt = (id: string, where: string) => world.permitted[id]?.[where] ?? [];
  const story = [token.subject, token.clientId, ...token.via, ...token.chain.map(({ id }) => id)];
  const takesWorkFrom = (id: string) => world.edges[id] ?? [];
  return {
    parent: token,
    story: story.map((id) => party(world, id)),
    caller: {
      ...party(world, move.presenter),
      mayExchange: world.mayNotExchange?.includes(move.presenter) !== true,
    },
    presenter: {
      ...party(world, move.presenter),
      profile: profileOf(move.presenter),
      proof: 'client_auth',
      proofExpiresAt: move.proofExpiresAt,
      permitted: permittedAt(move.presenter, move.target),
      takesWorkFrom: takesWorkFrom(move.presenter),
      clients: [],
    },
    delegation: token.subjectProfile === 'user' ? delegationOf(world) : null,
    here: place(world, token.audience, token.subject),
    heldHere: workedHere(token.chain).map(({ id }) => permittedAt(id, token.audience)),
    target: place(world, move.target, token.subject),
    provedKey: move.provedKey,
    helper:
      move.handOffTo === undefined
        ? undefined
        : {
            ...party(world, move.handOffTo),
            profile: 'ai_agent',
            takesWorkFrom: takesWorkFrom(move.handOffTo),
          },
  };
}

/** Plays a move; the token it gives, or why not. */
export function play(
  world: World,
  token: ModelToken,
  move: Move,
): { readonly child: ModelToken; readonly decision: ExchangeDecision } | ExchangeRefused {
  const decision = decideExchange(factsOf(world, token, move), {
    scopes: move.scopes,
    handOffTo: move.handOffTo,
  });
  if ('denied' in decision) return decision;
  const child: ModelToken = {
    subject: token.subject,
    subjectProfile: token.subjectProfile,
    clientId: move.presenter,
    scopes: decision.granted,
    chain: decision.chain,
    via: decision.via,
    actorProof: decision.actorProof,
    boundTo: decision.boundTo,
    expiresAt: decision.expMax,
    audience: move.target,
    agentScope: decision.agentScope,
    ...(decision.step === 'hand_off' ? { mayAct: move.handOffTo } : {}),
  };
  return { child, decision };
}
