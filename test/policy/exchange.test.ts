// The law for chains of exchanges, as properties over random worlds (threats G10, DESIGN §8c).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delegableScopes, heldScopes } from '../../src/broker/delegation/policy.js';
import { decideExchange } from '../../src/broker/exchange/policy.js';
import { readExchange } from '../../src/broker/exchange/request.js';
import { ACT_DEPTH_MAX, isSubset, TOKEN_TYPE } from '../../src/protocol/index.js';
import {
  AGENTS,
  CONSENTED,
  factsOf,
  GRANT_ENDS,
  likelyMove,
  type ModelToken,
  type Move,
  moves,
  party,
  play,
  RESOURCES,
  rootToken,
  SCOPES,
  USER,
  type World,
  worlds,
} from './support/chains.js';

const isSoak = process.env.MODE === 'soak';
/** For each property: thousands in `npm test`, a million in `npm run soak`. */
const CHAINS = Number(process.env.SOAK_CHAINS ?? (isSoak ? 1_000_000 : 5000));
const RUNS = { numRuns: CHAINS };
/** A soak ends when it is done. */
const TIMEOUT_MS = isSoak ? 7 * 24 * 3600 * 1000 : 60_000;
const script = fc.array(fc.tuple(moves, fc.nat({ max: 63 })), { minLength: 1, maxLength: 8 });
const root = fc.constantFrom<'user' | 'agent'>('user', 'user', 'agent');

interface Hop {
  readonly world: World;
  readonly parent: ModelToken;
  readonly move: Move;
  readonly child: ModelToken;
}

/** Every hop that succeeded, of chains that go on from each success. */
function hopsOf(
  world: World,
  from: 'user' | 'agent',
  moves_: ReadonlyArray<[Move, number]>,
): Hop[] {
  const hops: Hop[] = [];
  let token = rootToken(world, from);
  for (const [wanted, luck] of moves_) {
    if (token === undefined) break;
    const move = likelyMove(token, wanted, luck);
    const played = play(world, token, move);
    if ('denied' in played) continue;
    hops.push({ world, parent: token, move, child: played.child });
    token = played.child;
  }
  return hops;
}

/** With one right fewer: an edge between agents or resources, a helper, an agent's leave to come alone, a grant type. */
function poorerWorlds(world: World): World[] {
  const { consent, edges, resources } = world;
  const withResources = (poorer: (one: World['resources'][string]) => Partial<typeof one>) => ({
    ...world,
    resources: Object.fromEntries(
      Object.entries(resources).map(([name, one]) => [name, { ...one, ...poorer(one) }]),
    ),
  });
  const fewerEdges = Object.entries(edges).map(([agent, from]) => [agent, from.slice(1)]);
  return [
    { ...world, consent: { ...consent, helpers: consent.helpers - 1 } },
    { ...world, edges: Object.fromEntries(fewerEdges) },
    withResources(({ downstream }) => ({ downstream: downstream.slice(1) })),
    withResources(() => ({ requireUser: true })),
    ...AGENTS.map((agent) => ({
      ...world,
      mayNotExchange: [...(world.mayNotExchange ?? []), agent],
    })),
  ];
}

type Fields = readonly (readonly [name: string, value: string])[];

/** A move as a client sends it; the place is named twice, which is allowed (TX15). */
const formOf = ({ target, scopes, handOffTo }: Move): Fields => [
  ['subject_token', 'a.b.c'],
  ['subject_token_type', TOKEN_TYPE.accessToken],
  ['resource', target],
  ['audience', target],
  ...(scopes === undefined ? [] : [['scope', scopes.join(' ')] as const]),
  ...(handOffTo === undefined ? [] : [['requested_actor', handOffTo] as const]),
];

/** As the engine parses a form. */
const asParsed = (fields: Fields) =>
  Object.fromEntries(new URLSearchParams(fields.map(([name, value]) => [name, value])));

/** Two random orders, for lists of any length. */
const orders = fc.tuple(...[1, 2].map(() => fc.array(fc.nat(), { minLength: 8, maxLength: 8 })));
const inOrder = <T>(list: readonly T[], order: readonly number[] = []): T[] =>
  list
    .map((one, n) => [one, order[n] ?? 0] as const)
    .sort(([, a], [, b]) => a - b)
    .map(([one]) => one);

/** Who took what away is told in the order it was asked for. */
const unordered = <D extends ReturnType<typeof decideExchange>>({
  takenAway = [],
  ...rest
}: D) => ({
  ...rest,
  takenAway: takenAway.map((one) => JSON.stringify(one)).sort(),
});

const everyHop = (check: (hop: Hop) => boolean | undefined) =>
  fc.assert(
    fc.property(worlds, root, script, (world, from, moves_) =>
      hopsOf(world, from, moves_).every((hop) => check(hop) !== false),
    ),
    RUNS,
  );

describe('DESIGN §8c a chain of exchanges', { timeout: TIMEOUT_MS }, () => {
  it('does happen: takes, hand-offs, goings-on and chains of four are all among the random ones', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(worlds, root, script, (world, from, moves_) => {
        for (const { parent, child } of hopsOf(world, from, moves_)) {
          const step =
            child.mayAct !== undefined
              ? 'hand_off'
              : child.audience !== parent.audience
                ? 'go_on'
                : child.chain.length > parent.chain.length
                  ? parent.mayAct === undefined
                    ? 'take'
                    : 'take up'
                  : 'continue';
          seen.add(step).add(`depth ${child.chain.length}`).add(parent.subjectProfile);
        }
      }),
      // Always the same ones: what is looked for is that the others can be anything.
      { seed: 8693, numRuns: 10_000 },
    );
    expect([...seen].sort()).toEqual(
      [
        'ai_agent',
        'continue',
        'depth 0',
        'depth 1',
        'depth 2',
        'depth 3',
        'depth 4',
        'go_on',
        'hand_off',
        'take',
        'take up',
        'user',
      ].sort(),
    );
  });

  it('never carries more at its resource than its subject may delegate and its actor may hold', () => {
    everyHop(({ world, child }) => {
      const { scopes } = world.resources[child.audience] as World['resources'][string];
      const permitted = (id: string) => world.permitted[id]?.[child.audience] ?? [];
      const subject =
        child.subjectProfile === 'user'
          ? delegableScopes(scopes, permitted(USER))
          : heldScopes(scopes, permitted(child.subject));
      const actor = child.chain[0];
      const held = actor === undefined ? undefined : heldScopes(scopes, permitted(actor.id));
      return (
        isSubset(child.scopes, subject) &&
        (held === undefined || isSubset(child.scopes, held)) &&
        (held === undefined || isSubset(child.agentScope ?? [], held))
      );
    });
  });

  it('stays within its parent: same resource, or what the edge makes of it, as it was shown', () => {
    everyHop(({ world, parent, child }) => {
      if (child.audience === parent.audience) return isSubset(child.scopes, parent.scopes);
      const edge = world.resources[parent.audience]?.downstream.find(
        ({ resource }) => resource === child.audience,
      );
      const { scopes } = world.resources[child.audience] as World['resources'][string];
      const mapped = heldScopes(
        scopes,
        parent.scopes.flatMap((scope) => edge?.scopes[scope] ?? []),
      );
      return edge !== undefined && isSubset(child.scopes, mapped);
    });
  });

  it('stays within the consent at the consented resource, and leaves it by shown edges only', () => {
    everyHop(({ world, parent, child }) => {
      if (parent.subjectProfile !== 'user') return true;
      if (child.audience === CONSENTED) {
        const { scopes } = world.resources[CONSENTED] as World['resources'][string];
        return isSubset(child.scopes, heldScopes(scopes, world.consent.scopes));
      }
      return parent.audience === CONSENTED || child.audience === parent.audience;
    });
  });

  it('never ends later than its parent, the proof of its actor and the grant (X3)', () => {
    everyHop(({ world, parent, move, child }) => {
      // A parent that outlives the grant is none of ours; its children would not.
      const longer = play(world, { ...parent, expiresAt: 10 * GRANT_ENDS }, move);
      if ('denied' in longer) return false;
      const granted = parent.subjectProfile === 'user' ? GRANT_ENDS : Infinity;
      const proved = move.proofExpiresAt ?? Infinity;
      return (
        child.expiresAt <= Math.min(parent.expiresAt, proved) &&
        longer.child.expiresAt <= Math.min(granted, proved)
      );
    });
  });

  it('never loses its key: its holder shows that one, a new actor one of its own (TX17, X15)', () => {
    everyHop(({ world, parent, move, child }) => {
      const bound = { ...parent, boundTo: 'its key' };
      const [bare, same, other] = [undefined, 'its key', 'another'].map((provedKey) => {
        const played = play(world, bound, { ...move, provedKey });
        return 'denied' in played ? played.denied : played.child.boundTo;
      });
      const isNew = child.chain.length > parent.chain.length;
      expect([bare, same, other]).toEqual([
        'key_not_proved',
        'its key',
        isNew ? 'another' : 'key_not_proved',
      ]);
      return true;
    });
  });

  it('goes by no client that its resource does not list; what is handed on goes nowhere yet', () => {
    everyHop(({ world, parent, move }) => {
      const { target, ...facts } = factsOf(world, parent, move);
      const listed = (clients: string[]) =>
        decideExchange({ ...facts, target: target && { ...target, clients } }, move);
      const refused = listed(['cli_else']);
      if (move.handOffTo === undefined)
        expect(refused).toEqual({ denied: 'target_refuses_client' });
      return !('denied' in listed([move.presenter]));
    });
  });

  it('keeps its subject, and the parent’s actors as they are, inside the new one (TX8)', () => {
    everyHop(({ parent, child }) => {
      const grew = child.chain.length - parent.chain.length;
      expect(child.chain.slice(grew)).toEqual(parent.chain);
      return child.subject === parent.subject && (grew === 0 || grew === 1);
    });
  });

  it('repeats nobody, acts for nobody who acts, and is at most four deep (TX10, TX11, X11)', () => {
    everyHop(({ child }) => {
      const ids = [child.subject, ...child.chain.map(({ id }) => id)];
      return new Set(ids).size === ids.length && child.chain.length <= ACT_DEPTH_MAX;
    });
  });

  it('lets nobody follow who has no edge, and no more agents than the user allowed', () => {
    everyHop(({ world, parent, child }) => {
      const added = child.chain.length > parent.chain.length ? child.chain[0] : undefined;
      if (added?.profile === 'ai_agent') {
        const from = parent.chain[0]?.id ?? parent.subject;
        if (!(world.edges[added.id] ?? []).includes(from)) return false;
      }
      const agents = child.chain.filter(({ profile }) => profile === 'ai_agent').length;
      return child.subjectProfile !== 'user' || agents - 1 <= world.consent.helpers;
    });
  });

  it('never proves its actor better than it was proved; what nobody proved stays so', () => {
    everyHop(({ world, parent, move, child }) => {
      if (parent.actorProof === undefined) return true;
      const again = (actorProof: 'none' | 'client_binding') => {
        const played = play(world, { ...parent, actorProof }, move);
        return 'denied' in played ? played.denied : played.child.actorProof;
      };
      const grew = child.chain.length > parent.chain.length;
      return (
        again('none') === 'none' &&
        again('client_binding') === (grew ? child.actorProof : 'client_binding')
      );
    });
  });

  it('remembers every earlier client, for revocation (DESIGN §4)', () => {
    everyHop(({ parent, child, move }) =>
      [...parent.via, parent.clientId].every(
        (id) => id === move.presenter || child.via.includes(id),
      ),
    );
  });

  it('dies with any ancestor: nothing comes of a story in which somebody is stopped', () => {
    everyHop(({ world, parent, move }) => {
      const everyone = [
        parent.subject,
        parent.clientId,
        ...parent.via,
        ...parent.chain.map(({ id }) => id),
        move.presenter,
      ];
      for (const id of everyone) {
        const stopped = { ...world, stopped: [...world.stopped, id] };
        if (!('denied' in play(stopped, parent, move))) return false;
      }
      return everyone.every((id) => party(world, id).status === 'active');
    });
  });

  it('gives no more in two exchanges than in one with the intersection', () => {
    everyHop(({ world, parent, move, child }) => {
      if (child.mayAct !== undefined || child.chain.length === 0) return true;
      const { scopes: rules } = world.resources[child.audience] as World['resources'][string];
      return [child.scopes, ...child.scopes.map((scope) => [scope])].every((second) => {
        const both = heldScopes(rules, second).filter((scope) => child.scopes.includes(scope));
        const once = play(world, parent, { ...move, scopes: both });
        const twice = play(world, child, { ...move, scopes: second });
        if ('denied' in twice) return true;
        return !('denied' in once) && isSubset(twice.child.scopes, once.child.scopes);
      });
    });
  });

  it('never gains from a right taken from anybody (monotone)', () => {
    fc.assert(
      fc.property(worlds, root, script, fc.nat(), (world, from, moves_, at) => {
        const [hop] = hopsOf(world, from, moves_).slice(-1);
        if (hop === undefined) return true;
        const principals = Object.keys(world.permitted);
        const poorer = principals[at % principals.length] as string;
        const fewer: World = {
          ...world,
          permitted: {
            ...world.permitted,
            [poorer]: Object.fromEntries(
              Object.entries(world.permitted[poorer] ?? {}).map(([where, held]) => [
                where,
                held.slice(1),
              ]),
            ),
          },
        };
        return [fewer, ...poorerWorlds(world)].every((one) => {
          const again = play(one, hop.parent, hop.move);
          return 'denied' in again || isSubset(again.child.scopes, hop.child.scopes);
        });
      }),
      RUNS,
    );
  });

  it('does not depend on the order in which scopes are named', () => {
    everyHop(({ world, parent, move, child }) => {
      const turned = { ...move, scopes: move.scopes && [...move.scopes].reverse() };
      const again = play(world, parent, turned);
      if ('denied' in again) return false;
      expect(again.child).toEqual(child);
      return true;
    });
  });

  it('depends neither on the order of the form’s parameters, nor of the scopes in one (RFC 6749 §3.3)', () => {
    fc.assert(
      fc.property(
        worlds,
        root,
        moves,
        fc.nat({ max: 63 }),
        orders,
        (world, from, wanted, luck, [ofScopes, ofFields]) => {
          const token = rootToken(world, from);
          if (token === undefined) return;
          const move = likelyMove(token, wanted, luck);
          const form = formOf(move);
          const turned = { ...move, scopes: move.scopes && inOrder(move.scopes, ofScopes) };
          const [as, other] = [form, inOrder(formOf(turned), ofFields)].map((fields) => {
            const read = readExchange(asParsed(fields));
            const { target = '', requestedActor: handOffTo, scopes } = read;
            const facts = factsOf(world, token, { ...move, target, handOffTo });
            return unordered(decideExchange(facts, { scopes, handOffTo }));
          });
          expect(other).toEqual(as);
        },
      ),
      RUNS,
    );
  });

  it('refuses to be asked for more than the parent has (TX12), whoever asks', () => {
    everyHop(({ world, parent, move, child }) => {
      if (child.audience !== parent.audience) return true;
      const beyond = ['a:list', 'b:read', 'c:write'].find((one) => !parent.scopes.includes(one));
      if (beyond === undefined) return true;
      const asked = play(world, parent, { ...move, scopes: [...parent.scopes, beyond] });
      expect(asked).toEqual({ denied: 'widens' });
      return true;
    });
  });

  it('is nobody’s who is neither actor, nor helper with an edge, nor the resource’s own service', () => {
    fc.assert(
      fc.property(worlds, root, moves, (world, from, move) => {
        const token = rootToken(world, from);
        if (token === undefined || move.presenter === 'agt_a') return true;
        const played = play(world, token, move);
        if ('denied' in played) return true;
        const edged = (world.edges[move.presenter] ?? []).includes('agt_a');
        return move.presenter === 'cli_one' || edged;
      }),
      RUNS,
    );
  });
});

describe('DESIGN §8c every chain of a small world', () => {
  it('four agents, three scopes, depth four: nothing is ever gained (exhaustive)', () => {
    const scopes = ['a:list', 'b:read', 'c:write'];
    const open = (implies: readonly string[]) =>
      ({ risk: 'read', restricted: false, implies, base: true }) as const;
    const subsets = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) =>
      scopes.filter((_, n) => (bits & (1 << n)) !== 0),
    );
    let taken = 0;
    for (const [b, c, d] of subsets.flatMap((x) =>
      subsets.flatMap((y) => subsets.map((z) => [x, y, z] as const)),
    )) {
      const world: World = {
        resources: {
          [CONSENTED]: {
            scopes: { 'a:list': open([]), 'b:read': open(['a:list']), 'c:write': open(['b:read']) },
            downstream: [],
            requireUser: false,
          },
        },
        permitted: Object.fromEntries(
          [scopes, b, c, d].map((held, n) => [AGENTS[n], { [CONSENTED]: held }]),
        ),
        edges: Object.fromEntries(AGENTS.map((agent) => [agent, [...AGENTS]])),
        stopped: [],
        consent: { scopes, helpers: 3 },
      };
      taken += walkAll(world, rootToken(world, 'user') as ModelToken);
    }
    expect(taken).toBeGreaterThan(5000);
  });
});

describe('DESIGN §8a a bound client fronts for its agent alone, in exchanges too', () => {
  const everything = { [CONSENTED]: ['a:list'] };
  const world: World = {
    resources: {
      [CONSENTED]: {
        scopes: { 'a:list': { risk: 'read', restricted: false, implies: [], base: true } },
        downstream: [],
        requireUser: false,
      },
    },
    permitted: { [USER]: everything, agt_a: everything, agt_b: everything },
    edges: { agt_b: ['agt_a'] },
    stopped: [],
    consent: { scopes: ['a:list'], helpers: 1 },
  };
  const fronted = (
    boundTo: string | null,
    proof: 'token' | 'client_binding',
    clients = ['cli_b'],
  ) => {
    const move: Move = {
      presenter: 'agt_b',
      target: CONSENTED,
      scopes: undefined,
      handOffTo: undefined,
      proofExpiresAt: undefined,
    };
    const facts = factsOf(world, rootToken(world, 'user') as ModelToken, move);
    const presenter = facts.presenter && { ...facts.presenter, proof, clients };
    const caller = { ...party(world, 'cli_b'), boundTo, mayExchange: true };
    const decision = decideExchange({ ...facts, presenter, caller }, {});
    return 'denied' in decision ? decision.denied : decision.step;
  };
  it.each([
    ['an unbound one, with the agent’s own token', null, 'token', 'take'],
    ['the one bound to it, by its binding', 'agt_b', 'client_binding', 'take'],
    ['the one bound to it, with the agent’s own token', 'agt_b', 'token', 'take'],
    ['one bound to another, with this one’s token', 'agt_c', 'token', 'client_may_not_front'],
    [
      'one whose binding went since it was looked at',
      null,
      'client_binding',
      'client_may_not_front',
    ],
    ['one bound to another since', 'agt_c', 'client_binding', 'client_may_not_front'],
  ] as const)('%s', (_what, boundTo, proof, outcome) => {
    expect(fronted(boundTo, proof)).toBe(outcome);
  });
  it('and nobody the agent does not accept', () => {
    expect(fronted(null, 'token', [])).toBe('client_may_not_front');
  });
});

describe('DESIGN §8c going on takes what the page showed, whatever a scope there came to imply', () => {
  const [, TWO] = RESOURCES as [string, string, string];
  const scopeRule = { risk: 'read', restricted: false, implies: [], base: true } as const;
  const worldWhere = (implies: readonly string[]): World => ({
    resources: {
      [CONSENTED]: {
        scopes: { 'a:list': scopeRule },
        downstream: [{ resource: TWO, scopes: { 'a:list': ['b:read'] } }],
        requireUser: false,
      },
      [TWO]: {
        scopes: { 'a:list': scopeRule, 'b:read': { ...scopeRule, implies } },
        downstream: [],
        requireUser: false,
      },
    },
    permitted: { agt_a: { [CONSENTED]: ['a:list'], [TWO]: SCOPES }, cli_one: { [TWO]: SCOPES } },
    edges: {},
    stopped: [],
    consent: { scopes: ['a:list'], helpers: 0 },
  });
  const goOn = (from: 'user' | 'agent', implies: readonly string[], shown: readonly string[]) => {
    const world = worldWhere(implies);
    const move = { presenter: 'cli_one', target: TWO, scopes: undefined, handOffTo: undefined };
    const token = rootToken(world, from) as ModelToken;
    const facts = factsOf(world, token, { ...move, proofExpiresAt: undefined });
    const downstream = [{ resource: TWO, scopes: { 'a:list': shown } }];
    const delegation = facts.delegation && { ...facts.delegation, downstream };
    const decision = decideExchange({ ...facts, delegation }, {});
    return 'denied' in decision ? decision.denied : decision.granted;
  };
  it('gives a user’s agent what was shown, with all that came along then', () => {
    expect(goOn('user', ['a:list'], ['a:list', 'b:read'])).toEqual(['a:list', 'b:read']);
    expect(goOn('user', [], ['b:read'])).toEqual(['b:read']);
  });
  it('and not what came along since', () => {
    expect(goOn('user', ['a:list'], ['b:read'])).toEqual(['b:read']);
  });
  it('nor what comes along no more', () => {
    expect(goOn('user', [], ['a:list', 'b:read'])).toEqual(['b:read']);
  });
  it('where no user was asked, the edge alone counts', () => {
    expect(goOn('agent', ['a:list'], [])).toEqual(['a:list', 'b:read']);
  });
});

/** Every order in which the four can follow each other; each hop within everyone before. */
function walkAll(world: World, token: ModelToken): number {
  let taken = 0;
  for (const presenter of AGENTS) {
    const move: Move = {
      presenter,
      target: CONSENTED,
      scopes: undefined,
      handOffTo: undefined,
      proofExpiresAt: undefined,
    };
    const played = play(world, token, move);
    if ('denied' in played || played.child.chain.length === token.chain.length) continue;
    const facts = factsOf(world, token, move);
    const held = heldScopes(facts.target?.scopes ?? {}, facts.presenter?.permitted ?? []);
    expect(isSubset(played.child.scopes, token.scopes)).toBe(true);
    expect(isSubset(played.child.scopes, held)).toBe(true);
    taken += 1 + walkAll(world, played.child);
  }
  return taken;
}
