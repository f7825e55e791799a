// The verifier beside the libraries people use today, in one run on one core (DESIGN §13).
import { createTestIssuer } from '../../src/testing/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import { BASE, type Check, LIMITS, OURS, type Verifier, verifiersFor } from './contenders.js';
import type { Figure } from './figures.js';
import { type Contender, inFlight, inTurns } from './rounds.js';
import { type BenchAlg, createTokenSource, ISSUER, RESOURCE, type TokenSource } from './tokens.js';

export interface Sizes {
  /** Tokens a round. */
  readonly tokens: number;
  /** Uses of one token a round. */
  readonly repeats: number;
  readonly rounds: number;
  /** Live facts of the feed. */
  readonly facts: number;
}

const WIDTH = 16;
const REPEATED = `${OURS}, the same token again`;

/** Every token of a round is new to the verifier, which is new too: nothing it keeps can help. */
function neverSeen(
  { name, isSync, make }: Verifier & { readonly make: NonNullable<Verifier['make']> },
  source: TokenSource,
  tokens: readonly string[],
): Contender {
  return {
    name,
    async prepare() {
      const check = await make(source);
      await check(tokens[0] as string);
      const rest = tokens.slice(1);
      const run = isSync
        ? () => rest.forEach((token) => void check(token))
        : () => inFlight(rest, WIDTH, check as (token: string) => Promise<unknown>);
      return { count: rest.length, run };
    },
  };
}

function repeated(name: string, make: () => Promise<Check>, token: string, uses: number) {
  return {
    name,
    async prepare() {
      const check = (await make()) as (token: string) => Promise<unknown>;
      await check(token);
      const same = Array.from({ length: uses }, () => token);
      return { count: uses, run: () => inFlight(same, WIDTH, check) };
    },
  } satisfies Contender;
}

export async function benchVerifiers(alg: BenchAlg, sizes: Sizes): Promise<readonly Figure[]> {
  const source = createTokenSource(alg);
  const tokens = source.make(sizes.tokens + 1);
  const known = verifiersFor(alg).flatMap((one) =>
    one.make === undefined ? [] : [{ ...one, make: one.make }],
  );
  const ours = async () => {
    const { jwks } = source;
    const options = { issuer: ISSUER, resource: RESOURCE, jwks, revocation: 'off' } as const;
    return createVerifier(options).verify;
  };
  const rates = await inTurns(
    [
      ...known.map((one) => neverSeen(one, source, tokens)),
      repeated(REPEATED, ours, tokens[0] as string, sizes.repeats),
    ],
    sizes.rounds,
  );
  const base = rates.get(BASE) as number;
  const limit = Math.max(...LIMITS.map((name) => rates.get(name) ?? 0));
  const isGoal = alg === 'ES256';
  const ratio = (name: string, atLeast?: number): Figure => ({
    what: name,
    value: (rates.get(name) as number) / base,
    unit: `× ${BASE}`,
    ...(isGoal && atLeast !== undefined ? { atLeast } : {}),
  });
  return [
    { what: `${BASE} on one core`, value: base, unit: 'tokens/CPU-s' },
    ...known.filter(({ name }) => name !== BASE).map(({ name }) => ratio(name, goals[name])),
    {
      what: `${OURS} of the limit`,
      value: (rates.get(OURS) as number) / limit,
      unit: '× crypto.verify',
      ...(isGoal ? { atLeast: 0.85 } : {}),
    },
    ratio(REPEATED, 50),
  ];
}

const goals: Readonly<Record<string, number>> = { [OURS]: 1.4 };

/** What following the feed costs, with nothing on it and with many live facts. */
export async function benchFeed(sizes: Sizes): Promise<readonly Figure[]> {
  const [empty, full] = await Promise.all([createTestIssuer(), createTestIssuer()]);
  for (let n = 0; n < sizes.facts; n += 1) await full.revoke(`usr_stopped${n}`);
  const contenderOf = (name: string, issuer: typeof full): Contender => ({
    name,
    async prepare() {
      const verifier = createVerifier({
        issuer: issuer.issuer,
        resource: issuer.resource,
        fetch: issuer.fetch,
      });
      await verifier.ready();
      const { tokens } = sizes;
      const made = await Promise.all(
        Array.from({ length: tokens }, () => issuer.delegatedToken({ scope: 'files:read' })),
      );
      return {
        count: tokens,
        run: async () => {
          await inFlight(made, WIDTH, verifier.verify);
          await verifier.close();
        },
      };
    },
  });
  const rates = await inTurns([contenderOf('0', empty), contenderOf('n', full)], sizes.rounds);
  const cost = (rates.get('0') as number) / (rates.get('n') as number) - 1;
  return [
    { what: `${sizes.facts} live facts cost`, value: cost * 100, unit: '% more CPU', atMost: 5 },
  ];
}
