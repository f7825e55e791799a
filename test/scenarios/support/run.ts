// One runner for every file of scenarios: each scenario goes through the pure policy, over HTTP and
// through the verifier, and all three must say what the scenario says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../../src/broker/users/password.js';
import { startTestBroker, type TestBroker } from '../../support/broker.js';
import { createHttpStage, type HttpStage } from './http.js';
import { createPureStage } from './policy.js';
import { namesFor, PASSWORD, writeWorld } from './rows.js';
import { createGuards, type Guards } from './verifier.js';
import {
  type Allowed,
  type Denied,
  isRequest,
  isUse,
  type Outcome,
  type Scenario,
} from './words.js';

export const titleOf = ({ name, refs = [] }: Scenario): string =>
  refs.length === 0 ? name : `${name} (${refs.join(', ')})`;

/** All scenarios of all files, against one broker, each in a world of its own. */
export function runScenarios(files: Readonly<Record<string, readonly Scenario[]>>): void {
  let t: TestBroker;
  let passwordHash: string;
  beforeAll(async () => {
    [t, passwordHash] = await Promise.all([startTestBroker(), hashPassword(PASSWORD)]);
  });
  afterAll(() => t?.close());

  describe.each(Object.entries(files))('%s', (file, scenarios) => {
    const cases = scenarios.map((scenario, n) => [titleOf(scenario), scenario, n] as const);
    it.each(cases)('%s', async (_title, scenario, n) => {
      const { world } = scenario;
      const names = namesFor(`${file}${n}`, world);
      const secrets = await writeWorld(t.opened.db, world, names, passwordHash);
      const guards = createGuards(t.issuer, world, names);
      try {
        await play({
          scenario,
          pure: createPureStage(world),
          http: createHttpStage(t, world, names, secrets),
          guards,
        });
      } finally {
        await guards.forget();
      }
    });
  });
}

interface Staged {
  readonly scenario: Scenario;
  readonly pure: ReturnType<typeof createPureStage>;
  readonly http: HttpStage;
  readonly guards: Guards;
}

async function play(staged: Staged): Promise<void> {
  const { scenario, pure, http } = staged;
  for (const given of scenario.given) {
    if (isRequest(given)) {
      const [one, other] = [await pure.asks(given, given.as), await http.asks(given, given.as)];
      expect(one, `given ${JSON.stringify(given)}`).not.toHaveProperty('denied');
      expect(other, `over HTTP, given ${JSON.stringify(given)}`).toEqual(one);
      await seen(staged, given.as, one);
    } else {
      await pure.happens(given);
      await http.happens(given);
    }
  }
  // Tokens that are looked at from here on may have been stopped.
  await staged.guards.forget();
  for (const one of scenario.allowed) await allows(staged, one);
  for (const one of scenario.denied) await denies(staged, one);
  await agree(staged);
}

/**
 * What the verifier makes of a token is what introspection says at the same instant: every token of the
 * scenario, alive or stopped, at every resource whose own server may ask.
 */
async function agree({ scenario, http, guards }: Staged): Promise<void> {
  const { resources } = scenario.world;
  for (const at of Object.keys(resources).filter((name) => resources[name]?.server !== undefined)) {
    for (const [name, { access }] of http.tokens) {
      const [verified, introspected] = await Promise.all([
        guards.answers(access, at),
        http.introspects(access, at),
      ]);
      expect(verified, `${name} at ${at}: the verifier, and introspection`).toEqual(introspected);
    }
  }
}

async function allows(staged: Staged, allowed: Allowed): Promise<void> {
  const { pure, http, guards } = staged;
  const what = JSON.stringify(allowed);
  if (isUse(allowed)) {
    expect(await pure.uses(allowed), `the policy: ${what}`).toBe('may');
    expect(await http.uses(allowed), `over HTTP: ${what}`).toBe('may');
    const { access } = http.token(allowed.with);
    expect(await guards.uses(access, allowed), `the verifier: ${what}`).toBe('may');
    return;
  }
  const { gets, acting } = allowed;
  const expected = {
    gets: [...gets].sort(),
    acting: acting === undefined ? expect.any(Array) : [...acting],
  };
  const decided = await pure.asks(allowed, 'granted');
  expect(sorted(decided), `the policy: ${what}`).toEqual(expected);
  expect(sorted(await http.asks(allowed, 'granted')), `over HTTP: ${what}`).toEqual(
    sorted(decided),
  );
  await seen(staged, 'granted', decided);
}

const sorted = (outcome: Outcome): Outcome =>
  typeof outcome === 'object' && 'gets' in outcome
    ? { ...outcome, gets: [...outcome.gets].sort() }
    : outcome;

/** The verifier sees the same scopes and actors, and lets it use the tools those scopes are for. */
async function seen({ scenario, pure, http, guards }: Staged, name: string, decided: Outcome) {
  const { audience, mayAct, scopes } = pure.token(name);
  const { access } = http.token(name);
  const saw = await guards.sees(access, audience);
  if (mayAct !== undefined) {
    // Worthless at any resource, its own included.
    expect(saw).toEqual({ denied: ['the token is for another resource'] });
    return;
  }
  expect(sorted(saw), `the verifier sees ${name}`).toEqual(sorted(decided));
  const tools = Object.entries(scenario.world.resources[audience]?.tools ?? {});
  const within = tools.filter(([, needs]) => needs.every((one) => scopes.includes(one)));
  expect(await guards.tools(access, audience)).toEqual(within.map(([tool]) => tool));
}

async function denies(staged: Staged, denied: Denied): Promise<void> {
  const { pure, http, guards } = staged;
  const what = JSON.stringify(denied);
  const because = (outcome: Outcome, where: string) =>
    expect(outcome, `${where}: ${what}`).toEqual({
      denied: expect.arrayContaining([denied.because]),
    });
  if (isUse(denied)) {
    because(await pure.uses(denied), 'the policy');
    because(await http.uses(denied), 'over HTTP');
    because(await guards.uses(http.token(denied.with).access, denied), 'the verifier');
    return;
  }
  because(await pure.asks(denied), 'the policy');
  because(await http.asks(denied), 'over HTTP');
  if (!('exchange' in denied)) return;
  // Refusing it cost nobody anything: the token is worth what it was worth.
  const { token } = denied.exchange;
  const { audience, mayAct } = pure.token(token);
  const at = mayAct === undefined ? audience : undefined;
  if (at === undefined) return;
  const [tool] = Object.keys(staged.scenario.world.resources[at]?.tools ?? {});
  if (tool === undefined) return;
  const use = { tool, at, with: token };
  expect(await guards.uses(http.token(token).access, use)).toEqual(await pure.uses(use));
}
