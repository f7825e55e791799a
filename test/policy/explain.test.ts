// `behalf explain`: what is proposed allows it, and nothing of it could be left out.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DelegationFacts } from '../../src/broker/delegation/policy.js';
import type { Change, Question } from '../../src/broker/explain/change.js';
import { afterAll, explain, isAllowed } from '../../src/broker/explain/policy.js';
import { factsOf, likelyMove, moves, play, rootToken, worlds } from './support/chains.js';

const RUNS = 1500;

/** Every proper subset, where there are few; otherwise all that lack one. */
function lesser(changes: readonly Change[]): Change[][] {
  if (changes.length > 6) return changes.map((one) => changes.filter((other) => other !== one));
  return Array.from({ length: 2 ** changes.length - 1 }, (_, n) =>
    changes.filter((_change, bit) => (n & (1 << bit)) !== 0),
  );
}

function holds(question: Question): 'allowed' | 'changed' | 'hopeless' {
  const { allowed, change } = explain(question);
  expect(allowed).toBe(isAllowed(question));
  if (change === undefined) return 'hopeless';
  expect(isAllowed(afterAll(question, change))).toBe(true);
  for (const fewer of lesser(change)) {
    expect([fewer, isAllowed(afterAll(question, fewer))]).toEqual([fewer, false]);
  }
  return change.length === 0 ? 'allowed' : 'changed';
}

const SCOPES = {
  'a:list': { risk: 'read', restricted: false, implies: [], base: true },
  'b:read': { risk: 'read', restricted: true, implies: ['a:list'], base: false },
  'c:write': { risk: 'write', restricted: false, implies: ['b:read'], base: false },
} as const;
const names = fc.subarray(Object.keys(SCOPES));
const status = fc.constantFrom('active', 'active', 'active', 'paused', 'disabled', 'retired');
const party = (id: string) =>
  fc.record({ id: fc.constant(id), status, notBeforeMs: fc.constantFrom(0, 0, 50) });

const delegations: fc.Arbitrary<Question> = fc
  .record({
    user: fc.option(party('usr_u'), { nil: undefined, freq: 9 }),
    userPermitted: names,
    client: party('cli_host').chain((one) =>
      fc.constantFrom(null, null, 'agt_a', 'agt_b').map((boundTo) => ({ ...one, boundTo })),
    ),
    acts: fc.boolean(),
    agent: party('agt_a').chain((one) =>
      fc.subarray(['cli_host', 'cli_x']).map((clients) => ({ ...one, clients })),
    ),
    agentPermitted: names,
    clients: fc.constantFrom(null, ['cli_x'], ['cli_host']),
    requested: fc.subarray([...Object.keys(SCOPES), 'x:none'], { minLength: 1 }),
    consent: fc.option(names, { nil: undefined }),
    sinceMs: fc.constantFrom(10, 100),
    over: fc.constantFrom(false, false, true),
  })
  .map(({ clients, requested, consent, sinceMs, over, agent, acts, ...facts }) => ({
    kind: 'delegation',
    userId: 'usr_u',
    over,
    resource: 'https://one.example',
    facts: {
      ...facts,
      acts,
      agent: acts ? agent : undefined,
      resource: { scopes: SCOPES, clients },
    } as DelegationFacts,
    request: { requested, consent, sinceMs },
  }));

const own: fc.Arbitrary<Question> = fc
  .record({
    principal: party('agt_a'),
    permitted: names,
    clients: fc.constantFrom(null, ['cli_x']),
    requireUser: fc.boolean(),
    asked: names,
  })
  .map(({ principal, permitted, clients, requireUser, asked }) => ({
    kind: 'own',
    resource: 'https://one.example',
    facts: { principal, permitted, target: { scopes: SCOPES, clients, requireUser } },
    asked,
  }));

describe('the smallest change', () => {
  it('of an authorization: allows it, and no part of it does', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(delegations, (question) => {
        const outcome = holds(question);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }),
      { numRuns: RUNS },
    );
    expect([...seen.keys()].sort()).toEqual(['allowed', 'changed', 'hopeless']);
  });

  it('of a token on one’s own authority: allows it, and no part of it does', () => {
    fc.assert(
      fc.property(own, (question) => void holds(question)),
      { numRuns: RUNS },
    );
  });

  it('of an exchange anywhere in a random chain: allows it, and no part of it does', () => {
    const seen = new Map<string, number>();
    const steps = fc.array(fc.tuple(moves, fc.nat()), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(worlds, fc.constantFrom('user', 'agent'), steps, (world, root, all) => {
        let token = rootToken(world, root);
        for (const [move, luck] of all) {
          if (token === undefined) return;
          const likely = likelyMove(token, move, luck);
          const facts = factsOf(world, token, likely);
          const worked = facts.heldHere.map((_, n) => token?.chain[n]?.id ?? '');
          const request = { scopes: likely.scopes, handOffTo: likely.handOffTo };
          const outcome = holds({ kind: 'exchange', facts, request, worked });
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
          const played = play(world, token, likely);
          if ('child' in played) token = played.child;
        }
      }),
      { numRuns: RUNS },
    );
    expect([...seen.keys()].sort()).toEqual(['allowed', 'changed', 'hopeless']);
    expect(seen.get('changed')).toBeGreaterThan(100);
  });

  it('says the greatest scope once, and nothing that comes with it', () => {
    const question: Question = {
      kind: 'own',
      resource: 'https://one.example',
      facts: {
        principal: { id: 'agt_a', status: 'paused', notBeforeMs: 0 },
        permitted: [],
        target: { scopes: SCOPES, clients: null, requireUser: false },
      },
      asked: ['a:list', 'b:read', 'c:write'],
    };
    expect(explain(question).change).toEqual([
      { kind: 'permit', principal: 'agt_a', resource: 'https://one.example', scope: 'c:write' },
      { kind: 'activate', id: 'agt_a', status: 'paused' },
    ]);
  });
});
