// Whatever may happen once happens once, however many ask for it at the same moment and whichever
// process they reach (DESIGN §9.3, C2, R2, D6, G3, G4). Real PostgreSQL, real
// processes: PGlite's single connection hides every one of these races.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, claimsOf } from '../support/broker.js';
import { AGENT, HOST } from '../support/world.js';
import { type Cluster, inBatches, startCluster } from './support/cluster.js';
import { type Code, type CodeSource, createCodeSource, redemption } from './support/codes.js';

const TRIALS = 200;
const PARALLEL = 20;
/** Trials that run at the same time: more would only make the queues longer than the races. */
const AT_ONCE = 5;

let cluster: Cluster;
let source: CodeSource;
beforeAll(async () => {
  cluster = await startCluster();
  source = await createCodeSource(cluster);
});
afterAll(() => cluster.close());

/** The processes a trial's requests go to, in turn. */
const MODES = [
  ['one process', () => [cluster.origins[0]]],
  ['two processes', () => cluster.origins],
] as const;

const refresh = (refreshToken: string) => ({
  grant_type: 'refresh_token',
  refresh_token: refreshToken,
});

/** Twenty requests at once, spread over the processes. */
const race = (
  origins: readonly string[],
  fieldsOf: (n: number) => Record<string, string>,
): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: PARALLEL }, (_, n) =>
      cluster.post(origins[n % origins.length] as string, '/token', fieldsOf(n), HOST),
    ),
  );

/** Of each trial exactly one won; everyone else was told `invalid_grant`, and nothing else. */
function winnersOf(trials: readonly (readonly Answer[])[]): Answer[] {
  const outcomes = new Map<string, number>();
  for (const answers of trials) {
    const won = answers.filter(({ status }) => status === 200).length;
    const lost = answers.filter(
      ({ status, body }) => status === 400 && body.error === 'invalid_grant',
    ).length;
    const outcome = `${won} won, ${lost} lost`;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  expect(Object.fromEntries(outcomes)).toEqual({ [`1 won, ${PARALLEL - 1} lost`]: trials.length });
  return trials.map((answers) => answers.find(({ status }) => status === 200) as Answer);
}

const grantOf = (answer: Answer): string =>
  (claimsOf(answer.body.access_token).jti as string).split('.')[1] as string;

interface Family {
  readonly ended: boolean;
  readonly tokens: number;
  readonly refreshTokens: number;
  readonly unused: number;
}

async function familiesOf(winners: readonly Answer[]): Promise<Family[]> {
  const rows = await cluster.opened.db.run<Family & { id: string }>(
    `select g.id, g.ended_at is not null as ended,
       (select count(*)::int from audit_events e where e.grant_id = g.id and e.type = 'token.issued') as tokens,
       count(a.id)::int as "refreshTokens", count(a.id) filter (where a.consumed_at is null)::int as unused
     from grants g left join artifacts a on a.grant_id = g.id and a.model = 'RefreshToken'
     where g.id in (select jsonb_array_elements_text($1::text::jsonb)) group by g.id`,
    [JSON.stringify(winners.map(grantOf))],
  );
  const byId = new Map(rows.map(({ id, ...family }) => [id, family]));
  expect(byId.size).toBe(winners.length);
  return winners.map((winner) => byId.get(grantOf(winner)) as Family);
}

/** The end state is one of two, and never between them: all of the family lives, or all is dead. */
async function expectWholeFamilies(
  winners: readonly Answer[],
  families: readonly Family[],
): Promise<void> {
  const seen = await inBatches(winners, 50, async ({ body }) => {
    const { body: known } = await cluster.post(
      cluster.origins[1],
      '/introspect',
      { token: body.access_token },
      HOST,
    );
    const { status } = await cluster.post(
      cluster.origins[1],
      '/token',
      refresh(body.refresh_token),
      HOST,
    );
    return { ended: known.active !== true, refreshed: status === 200 };
  });
  expect(seen).toEqual(families.map(({ ended }) => ({ ended, refreshed: !ended })));
}

describe.each(MODES)('C2 200 codes, each redeemed 20 times at once by %s', (_name, origins) => {
  let winners: Answer[];
  let codes: Code[];

  it('gives tokens exactly once, and tells everyone else invalid_grant', {
    timeout: 120_000,
  }, async () => {
    const trials: Answer[][] = [];
    codes = [];
    // A code lives for a minute: made a quarter at a time, so that a slow machine has it too.
    for (let quarter = 0; quarter < 4; quarter += 1) {
      // Each attempt has its own valid proof of the agent: only the code is contended for.
      const proofs = await source.actorTokens((TRIALS / 4) * PARALLEL);
      const fresh = await source.codes(TRIALS / 4, AGENT);
      codes.push(...fresh);
      const raced = await inBatches([...fresh.entries()], AT_ONCE, ([n, code]) =>
        race(origins(), (m) => redemption(code, proofs[n * PARALLEL + m])),
      );
      trials.push(...raced);
    }
    winners = winnersOf(trials);
  });

  it('records one token and one family for each grant, wholly alive or wholly dead (X21)', async () => {
    const families = await familiesOf(winners);
    expect(new Set(winners.map(grantOf)).size).toBe(TRIALS);
    expect(
      new Set(families.map(({ tokens, refreshTokens }) => `${tokens} ${refreshTokens}`)),
    ).toEqual(new Set(['1 1']));
    await expectWholeFamilies(winners, families);
  });

  it('has nothing alive in any family after one more, later use of its code (C1, G3)', async () => {
    const replays = await inBatches(codes, 20, (code) =>
      cluster.post(cluster.origins[1], '/token', redemption(code), HOST),
    );
    expect(new Set(replays.map(({ body }) => body.error))).toEqual(new Set(['invalid_grant']));
    const families = await familiesOf(winners);
    expect(families.filter(({ ended }) => !ended)).toEqual([]);
    await expectWholeFamilies(winners, families);
  });
});

describe.each(
  MODES,
)('R2 200 refresh tokens, each used 20 times at once by %s', (_name, origins) => {
  let winners: Answer[];

  it('rotates exactly once; whoever is answered is told the same, everyone else invalid_grant', {
    timeout: 120_000,
  }, async () => {
    const codes = await source.codes(TRIALS);
    const first = await inBatches(codes, 20, (code) =>
      cluster.post(cluster.issuer, '/token', redemption(code), HOST),
    );
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([200]));
    const trials = await inBatches(first, AT_ONCE, ({ body }) =>
      race(origins(), () => refresh(body.refresh_token)),
    );
    winners = trials.map((answers) => {
      const given = answers.filter(({ status }) => status === 200);
      const lost = answers.filter(
        ({ status, body }) => status === 400 && body.error === 'invalid_grant',
      );
      expect(given.length + lost.length).toBe(PARALLEL);
      // The winner, and three times the grace at most.
      expect(given.length).toBeGreaterThanOrEqual(1);
      expect(given.length).toBeLessThanOrEqual(4);
      const told = given.map(({ body }) => JSON.stringify({ ...body, expires_in: 0 }));
      expect(new Set(told).size).toBe(1);
      return given[0] as Answer;
    });
  });

  it('leaves one unused successor in each family, wholly alive or wholly dead', async () => {
    const families = await familiesOf(winners);
    // The code's token and the winner's: whoever came second got no token of their own.
    expect(
      new Set(
        families.map(({ tokens, refreshTokens, unused }) => `${tokens} ${refreshTokens} ${unused}`),
      ),
    ).toEqual(new Set(['2 2 1']));
    await expectWholeFamilies(winners, families);
  });
});

describe('D6 200 actor tokens, each presented with 20 different codes at once to two processes', () => {
  it('proves the agent at most once each, and burns no loser’s code', {
    timeout: 120_000,
  }, async () => {
    const lanes = AT_ONCE;
    const proofs = await source.actorTokens(TRIALS + lanes * PARALLEL);
    const codes = await source.codes(TRIALS + lanes * PARALLEL, AGENT);
    const winnersPerProof: number[] = [];
    const losers = new Set<string>();
    // A lane keeps twenty codes in play: the one that won is replaced, the others try again.
    const left = await Promise.all(
      Array.from({ length: lanes }, async () => {
        let inPlay: Code[] = codes.splice(0, PARALLEL);
        for (let trial = 0; trial < TRIALS / lanes; trial += 1) {
          const proof = proofs.pop() as string;
          const answers = await race(cluster.origins, (n) => redemption(inPlay[n] as Code, proof));
          winnersPerProof.push(answers.filter(({ status }) => status === 200).length);
          for (const { status, body } of answers)
            if (status !== 200) losers.add(`${status} ${body.error_description}`);
          inPlay = inPlay.filter((_, n) => answers[n]?.status !== 200);
          inPlay.push(...codes.splice(0, PARALLEL - inPlay.length));
        }
        return inPlay;
      }),
    );
    expect(new Set(winnersPerProof)).toEqual(new Set([1]));
    expect(winnersPerProof).toHaveLength(TRIALS);
    expect(losers).toEqual(
      new Set(['400 actor_token does not prove the agent this authorization names']),
    );
    // Every code that is left has lost many times, and is still good with a proof of its own.
    const redeemed = await inBatches(left.flat(), 20, (code) =>
      cluster.post(cluster.issuer, '/token', redemption(code, proofs.pop()), HOST),
    );
    expect(redeemed).toHaveLength(lanes * PARALLEL);
    expect(new Set(redeemed.map(({ status }) => status))).toEqual(new Set([200]));
  });
});
