// The random chains of the policy's properties, over HTTP: broker and model agree hop by hop, about
// what is granted, to whom, or why not (threats G10). CHAINS_SEED repeats a run.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hashPassword } from '../../src/broker/users/password.js';
import { closure } from '../../src/protocol/index.js';
import {
  AGENTS,
  CLIENT,
  CONSENTED,
  likelyMove,
  type ModelToken,
  type Move,
  moves,
  play,
  RESOURCES,
  rootToken,
  SCOPES,
  SERVICES,
  USER,
  type World,
  worlds,
} from '../policy/support/chains.js';
import { claimsOf, startTestBroker, type TestBroker } from '../support/broker.js';
import { createHttpStage, type HttpStage } from './support/http.js';
import { reasonOf } from './support/reasons.js';
import { type Names, namesFor, PASSWORD, writeWorld } from './support/rows.js';
import type { Outcome, Permits, WorldWords } from './support/words.js';

const CHAINS = 150;
const SEED = Number(process.env.CHAINS_SEED ?? Math.floor(Math.random() * 2 ** 31));

interface Chain {
  readonly world: World;
  readonly from: 'user' | 'agent';
  readonly script: ReadonlyArray<readonly [Move, number]>;
}

const chains: fc.Arbitrary<Chain> = fc
  .record({
    world: worlds,
    from: fc.constantFrom<'user' | 'agent'>('user', 'user', 'agent'),
    script: fc.array(fc.tuple(moves, fc.nat({ max: 63 })), { minLength: 3, maxLength: 8 }),
  })
  // Whose first token there is: exchanges begin with one.
  .filter(({ world, from }) => {
    const needsUser = world.resources[CONSENTED]?.requireUser === true;
    return rootToken(world, from) !== undefined && !(needsUser && from === 'agent');
  });

let t: TestBroker;
let passwordHash: string;
beforeAll(async () => {
  [t, passwordHash] = await Promise.all([startTestBroker(), hashPassword(PASSWORD)]);
});
afterAll(() => t?.close());

it(`${CHAINS} random chains go over HTTP as the model says (seed ${SEED})`, {
  timeout: 600_000,
}, async () => {
  const seen = new Map<string, number>();
  for (const [n, chain] of fc.sample(chains, { seed: SEED, numRuns: CHAINS }).entries()) {
    for (const what of await runChain(chain, `c${n}`)) seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  // A sample in which nothing happened, or nothing was refused, would show nothing.
  expect(seen.get('granted')).toBeGreaterThan(CHAINS / 2);
  expect(seen.get('denied')).toBeGreaterThan(CHAINS / 2);
});

/** What the hops came to; fails at the first about which broker and model differ. */
async function runChain({ world, from, script }: Chain, prefix: string): Promise<string[]> {
  const words = inWords(world);
  const names = namesFor(prefix, words);
  const http = createHttpStage(
    t,
    words,
    names,
    await writeWorld(t.opened.db, words, names, passwordHash),
  );
  let token = rootToken(world, from) as ModelToken;
  agree(await http.asks(firstRequest(world, from), 'now'), token, `${prefix}: the first token`);
  for (const id of world.stopped) {
    await http.happens(
      id === USER ? { disable: id } : id.startsWith('agt_') ? { block: id } : { remove: id },
    );
  }
  const came: string[] = [];
  for (const [wanted, luck] of script) {
    const move = asSent(likelyMove(token, wanted, luck));
    const where = `${prefix}, seed ${SEED}: ${JSON.stringify({ token, move })}`;
    const played = play(world, token, move);
    const answered = await http.asks(requestOf(move), 'next');
    if ('denied' in played) {
      expect(answered, where).toEqual({ denied: [reasonOf(played.denied)] });
      came.push('denied');
      continue;
    }
    agree(answered, played.child, where);
    sameClaims(http, names, played.child, where);
    came.push('granted');
    token = played.child;
    http.rename('next', 'now');
  }
  return came;
}

function agree(answered: Outcome, token: ModelToken, where: string): void {
  expect(answered, where).toEqual({
    gets: [...token.scopes].sort(),
    acting: token.chain.map(({ id }) => id),
  });
}

/** What else of the token the model knows. */
function sameClaims(http: HttpStage, names: Names, token: ModelToken, where: string): void {
  const claims = claimsOf(http.token('next').access);
  // How and when somebody signed in stays what it was (X18).
  const before = claimsOf(http.token('now').access);
  expect([claims.acr, claims.auth_time], where).toEqual([before.acr, before.auth_time]);
  expect(
    {
      sub: claims.sub,
      client: claims.client_id,
      may: claims.agent_scope,
      via: [...((claims.via as string[] | undefined) ?? [])].sort(),
      helper: (claims.may_act as { sub: string } | undefined)?.sub,
    },
    where,
  ).toEqual({
    sub: names.of(token.subject),
    client: names.of(token.clientId),
    may: token.agentScope?.join(' '),
    via: token.via.map(names.of).sort(),
    helper: token.mayAct === undefined ? undefined : names.of(token.mayAct),
  });
}

/** An empty list of scopes cannot be sent; and who proves themselves by their secret, has no token that ends. */
const asSent = (move: Move): Move => ({
  ...move,
  proofExpiresAt: undefined,
  scopes: move.scopes?.length === 0 ? undefined : move.scopes,
});

const requestOf = ({ presenter, target, scopes, handOffTo }: Move) => ({
  exchange: {
    token: 'now',
    by: presenter,
    at: word(target),
    ...(scopes === undefined ? {} : { scopes }),
    ...(handOffTo === undefined ? {} : { handTo: handOffTo }),
  },
});

function firstRequest(world: World, from: 'user' | 'agent') {
  const at = word(CONSENTED);
  if (from === 'agent') {
    return { alone: { who: 'agt_a', at, scopes: rootToken(world, from)?.scopes ?? [] } };
  }
  const { scopes } = world.resources[CONSENTED] as World['resources'][string];
  const hierarchy = Object.fromEntries(Object.entries(scopes).map(([s, r]) => [s, r.implies]));
  const ticked = closure(world.consent.scopes, hierarchy);
  const { helpers } = world.consent;
  return {
    consent: { by: USER, to: 'agt_a', through: CLIENT, at, scopes: SCOPES, ticked, helpers },
  };
}

/** `https://one.example` is called `one`. */
const word = (resource: string): string => /\/\/(\w+)/.exec(resource)?.[1] ?? resource;

/** A world of the model, in the words of scenarios. */
function inWords(world: World): WorldWords {
  const may = (id: string): { readonly may: Permits } => ({
    may: Object.fromEntries(
      Object.entries(world.permitted[id] ?? {}).map(([where, scopes]) => [word(where), scopes]),
    ),
  });
  return {
    people: { [USER]: may(USER) },
    mayNotExchange: world.mayNotExchange ?? [],
    agents: Object.fromEntries(
      AGENTS.map((id) => [
        id,
        { ...may(id), clients: [CLIENT], takesWorkFrom: world.edges[id] ?? [] },
      ]),
    ),
    apps: { [CLIENT]: {} },
    services: Object.fromEntries(Object.values(SERVICES).map((id) => [id, may(id)])),
    resources: Object.fromEntries(
      RESOURCES.map((identifier) => {
        const { scopes, requireUser, downstream } = world.resources[
          identifier
        ] as World['resources'][string];
        return [
          word(identifier),
          {
            scopes,
            requireUser,
            server: SERVICES[identifier] as string,
            downstream: Object.fromEntries(
              downstream.map((edge) => [word(edge.resource), edge.scopes]),
            ),
          },
        ];
      }),
    ),
  };
}
