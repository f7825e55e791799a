// The law as properties: no token ever carries more than everyone in its story allows (threats G10).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  baseScopes,
  decideActor,
  decideDelegation,
  delegableScopes,
  effectiveScope,
  heldScopes,
  hierarchyOf,
  type ScopeRules,
  type Story,
} from '../../src/broker/delegation/policy.js';
import { standingProof } from '../../src/broker/delegation/proving.js';
import { closure, isSubset, lintScopeNames } from '../../src/protocol/index.js';

const NAMES = ['a:list', 'b:read', 'c:write', 'd:delete', 'e:admin', 'f:share'];
const RUNS = { numRuns: 2000 };

const subset = fc.subarray(NAMES);
const maybe = fc.option(subset, { nil: undefined });
const rules: fc.Arbitrary<ScopeRules> = fc
  .tuple(
    subset.filter((names) => names.length > 0),
    fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }),
    fc.infiniteStream(fc.boolean()),
  )
  .map(([names, edges, flags]) => {
    const world: Record<string, ScopeRules[string]> = {};
    for (const name of names) {
      const implies = edges
        .filter(([from]) => names[from % names.length] === name)
        .map(([, to]) => names[to % names.length] as string);
      const risk = (['read', 'write', 'destructive'] as const)[name.length % 3] ?? 'read';
      world[name] = { risk, restricted: flags.next().value, implies, base: flags.next().value };
    }
    return world;
  });

const stories: fc.Arbitrary<Story> = fc.record({
  scopes: rules,
  requested: subset,
  user: maybe,
  agent: maybe,
  client: maybe,
  consent: maybe,
  parent: maybe,
});

const PARTIES = ['user', 'agent', 'client', 'consent', 'parent'] as const;

describe('effectiveScope', () => {
  it('is within what everyone present allows, and within the request', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const { granted } = effectiveScope(story);
        for (const party of PARTIES) {
          const held = story[party];
          if (held !== undefined && !isSubset(granted, held)) return false;
        }
        const asked = closure(story.requested, hierarchyOf(story.scopes));
        return isSubset(granted, asked) && isSubset(granted, Object.keys(story.scopes));
      }),
      RUNS,
    );
  });

  it('accounts for every requested scope: granted, or taken away by someone', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const { granted, takenAway } = effectiveScope(story);
        const told = [...granted, ...takenAway.map(({ scope }) => scope)].sort();
        expect(told).toEqual(closure(story.requested, hierarchyOf(story.scopes)));
        expect(takenAway.every(({ by }) => by.length > 0)).toBe(true);
      }),
      RUNS,
    );
  });

  it('never adds a right when one is removed from anybody (monotone)', () => {
    fc.assert(
      fc.property(stories, fc.constantFrom(...PARTIES), fc.nat(), (story, party, at) => {
        const held = story[party];
        if (held === undefined || held.length === 0) return true;
        const fewer = { ...story, [party]: held.filter((_, n) => n !== at % held.length) };
        return isSubset(effectiveScope(fewer).granted, effectiveScope(story).granted);
      }),
      RUNS,
    );
  });

  it('does not depend on the order in which scopes are named', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const turned = { ...story, requested: [...story.requested].reverse() };
        expect(effectiveScope(turned)).toEqual(effectiveScope(story));
      }),
      RUNS,
    );
  });

  it('grants nothing more in two steps than in one with the intersection', () => {
    fc.assert(
      fc.property(stories, subset, (story, second) => {
        const once = effectiveScope(story).granted;
        const twice = effectiveScope({ ...story, requested: second, parent: once }).granted;
        return isSubset(twice, once);
      }),
      RUNS,
    );
  });

  it('says who took what', () => {
    const scopes: ScopeRules = {
      'x:read': { risk: 'read', restricted: false, implies: [], base: true },
      'x:write': { risk: 'write', restricted: false, implies: ['x:read'], base: false },
    };
    const requested = ['x:write', 'y:fly'];
    expect(
      effectiveScope({ scopes, requested, user: ['x:read', 'x:write'], agent: ['x:read'] }),
    ).toEqual({
      granted: ['x:read'],
      takenAway: [
        { scope: 'x:write', by: ['agent'] },
        { scope: 'y:fly', by: ['resource'] },
      ],
    });
  });
});

describe('what anyone holds', () => {
  it('a restricted scope is delegable only if permitted, an open one always', () => {
    fc.assert(
      fc.property(rules, subset, (scopes, permitted) => {
        const held = new Set(heldScopes(scopes, permitted));
        const may = new Set(delegableScopes(scopes, permitted));
        return Object.entries(scopes).every(
          ([name, rule]) => may.has(name) === (!rule.restricted || held.has(name)),
        );
      }),
      RUNS,
    );
  });

  it('base scopes are never restricted or destructive', () => {
    fc.assert(
      fc.property(rules, (scopes) =>
        baseScopes(scopes).every(
          (name) => scopes[name]?.restricted === false && scopes[name]?.risk !== 'destructive',
        ),
      ),
      RUNS,
    );
  });

  it('the closure is closed, and the same for every order and repetition', () => {
    fc.assert(
      fc.property(rules, subset, (scopes, names) => {
        const hierarchy = hierarchyOf(scopes);
        const once = closure(names, hierarchy);
        expect(closure(once, hierarchy)).toEqual(once);
        expect(closure([...names, ...names].reverse(), hierarchy)).toEqual(once);
      }),
      RUNS,
    );
  });
});

describe('lintScopeNames', () => {
  it('refuses a name inside another, and a name that is no scope-token', () => {
    expect(lintScopeNames(['files:read', 'files:readonly'])).toEqual([
      { scope: 'files:read', problem: 'is contained in "files:readonly"' },
    ]);
    expect(lintScopeNames(['a b'])).toEqual([
      { scope: 'a b', problem: 'is not a scope-token (RFC 6749 §3.3)' },
    ]);
    expect(lintScopeNames(['files:read', 'files:write'])).toEqual([]);
  });
});

describe('decideActor (DESIGN §7 who may act)', () => {
  const agent = { id: 'agt_a', status: 'active', clients: ['cli_a'] };
  it.each([
    ['an agent the client fronts for', agent, 'cli_a', { agentId: 'agt_a' }],
    ['the agent itself', agent, 'agt_a', { agentId: 'agt_a' }],
    ['another client', agent, 'cli_b', { denied: 'client_may_not_front' }],
    ['a blocked agent', { ...agent, status: 'blocked' }, 'cli_a', { denied: 'actor_not_active' }],
    ['nobody', undefined, 'cli_a', { denied: 'unknown_actor' }],
  ] as const)('%s', (_name, facts, client, expected) => {
    expect(decideActor(facts, client)).toEqual(expected);
  });
  it.each([
    ['the agent it is bound to, on its list or not', agent, 'cli_b', 'agt_a', { agentId: 'agt_a' }],
    [
      'no other agent, that accepts it',
      agent,
      'cli_a',
      'agt_b',
      { denied: 'client_may_not_front' },
    ],
    ['no agent but itself, being one', agent, 'agt_b', 'agt_b', { denied: 'client_may_not_front' }],
  ] as const)('a bound client fronts for %s', (_name, facts, client, boundTo, expected) => {
    expect(decideActor(facts, client, boundTo)).toEqual(expected);
  });
});

describe('decideDelegation', () => {
  const scopes: ScopeRules = {
    'x:read': { risk: 'read', restricted: false, implies: [], base: true },
  };
  const party = (id: string) => ({ id, status: 'active', notBeforeMs: 0 });
  const facts = {
    user: party('usr_a'),
    userPermitted: [],
    client: party('cli_a'),
    acts: true,
    agent: { ...party('agt_a'), clients: ['cli_a'] },
    agentPermitted: ['x:read'],
    resource: { scopes, clients: null },
  };
  const request = { requested: ['x:read'], sinceMs: 1000 };

  it('gives what is left, and what the agent may ever hold', () => {
    expect(decideDelegation(facts, request)).toEqual({
      granted: ['x:read'],
      takenAway: [],
      agentScope: ['x:read'],
    });
  });

  it.each([
    ['a disabled user', { user: { ...facts.user, status: 'disabled' } }, 'user_not_active'],
    [
      'a user whose password changed since',
      { user: { ...facts.user, notBeforeMs: 1001 } },
      'user_not_active',
    ],
    ['nobody', { user: undefined }, 'user_not_active'],
    ['a retired client', { client: { ...facts.client, status: 'retired' } }, 'client_not_active'],
    [
      'an agent unblocked since',
      { agent: { ...facts.agent, notBeforeMs: 1001 } },
      'actor_not_active',
    ],
    ['an unknown resource', { resource: undefined }, 'unknown_resource'],
    [
      'a resource for other clients',
      { resource: { scopes, clients: ['cli_b'] } },
      'resource_refuses_client',
    ],
    ['a user as their own agent', { user: party('agt_a') }, 'acts_for_itself'],
    ['an agent that holds nothing', { agentPermitted: [] }, 'nothing_left'],
    [
      'a client bound to an agent since, alone',
      { acts: false, agent: undefined, client: { ...party('cli_a'), boundTo: 'agt_a' } },
      'client_may_not_front',
    ],
  ])('refuses %s', (_name, change, denied) => {
    expect(decideDelegation({ ...facts, ...change }, request)).toMatchObject({ denied });
  });

  it('does not revive what began before a block was lifted, at the very millisecond', () => {
    const lifted = { ...facts, agent: { ...facts.agent, notBeforeMs: 1000 } };
    expect(decideDelegation(lifted, { ...request, sinceMs: 1000 })).toMatchObject({
      granted: ['x:read'],
    });
    expect(decideDelegation(lifted, { ...request, sinceMs: 999 })).toEqual({
      denied: 'actor_not_active',
    });
  });
});

describe('standingProof (DESIGN §8a: what a client’s identity alone proves)', () => {
  const app = { id: 'cli_a', agentId: 'agt_a' };
  it.each([
    ['a client bound to the agent', app, true, 'client_binding'],
    ['the agent as its own client', { id: 'agt_a', agentId: 'agt_a' }, true, 'client_auth'],
    ['a bound client that proved nothing itself', app, false, 'none'],
    ['a client bound to another agent', { ...app, agentId: 'agt_b' }, true, undefined],
    ['a client bound to none', { ...app, agentId: null }, true, undefined],
    ['no client', undefined, true, undefined],
  ] as const)('%s', (_name, client, authenticated, expected) => {
    expect(standingProof(client, 'agt_a', authenticated)).toBe(expected);
  });
});
