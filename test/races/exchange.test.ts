// X16, X22: exchanges on two processes of one PostgreSQL. A revoke that races them leaves no child
// alive once it is acknowledged; of one hand-off exactly one is taken up; no id comes twice.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimsOf } from '../support/broker.js';
import { AGENT, FILES, FILES_CLIENT, OTHER_AGENT } from '../support/world.js';
import { type Cluster, inBatches, startCluster } from './support/cluster.js';

const isSoak = process.env.MODE === 'soak';
const TRIALS = isSoak ? Number(process.env.SOAK_TRIALS ?? 10_000) : 200;
const AT_ONCE = 4;
const PARALLEL = 6;
const TIMEOUT = { timeout: isSoak ? 7 * 24 * 3600 * 1000 : 300_000 };
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
  const { orm } = cluster.opened.db;
  await orm.execute(
    sql`update agents set takes_work_from = array[${AGENT}]::text[] where id = ${OTHER_AGENT}`,
  );
  await orm.execute(sql`update policy_epoch set epoch = epoch + 1`);
});
afterAll(() => cluster?.close());

const origin = (n: number): string => cluster.origins[n % 2] as string;

async function ownToken(): Promise<string> {
  const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
  const { status, body } = await cluster.post(origin(0), '/token', fields, AGENT);
  expect(status).toBe(200);
  return body.access_token;
}

const exchange = (n: number, as: string, token: string, more: Record<string, string> = {}) =>
  cluster.post(
    origin(n),
    '/token',
    {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      ...more,
    },
    as,
  );

/** By the resource's own server, at either process. */
async function isActive(n: number, token: string): Promise<boolean> {
  const { status, body } = await cluster.post(origin(n), '/introspect', { token }, FILES_CLIENT);
  expect(status).toBe(200);
  return body.active;
}

const trials = <Result>(trial: () => Promise<Result>): Promise<Result[]> =>
  inBatches([...Array(TRIALS).keys()], AT_ONCE, trial);

const atOnce = <Answer>(work: (n: number) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: PARALLEL }, (_, n) => work(n)));

it(
  `X22 ${TRIALS} revokes race exchanges: no child is alive once the revoke is acknowledged`,
  TIMEOUT,
  async () => {
    const results = await trials(async () => {
      const token = await ownToken();
      const racing = atOnce((n) => exchange(n, n < 3 ? AGENT : OTHER_AGENT, token));
      const revoked = await cluster.post(origin(1), '/revoke', { token }, AGENT);
      expect(revoked.status).toBe(200);
      const answers = await racing;
      const children = answers.flatMap(({ status, body }) =>
        status === 200 ? [body.access_token as string] : [],
      );
      const refusals = answers.filter(({ status }) => status !== 200);
      expect(refusals.every(({ body }) => body.error === 'invalid_request')).toBe(true);
      const alive = await Promise.all([token, ...children].map((one, n) => isActive(n, one)));
      const late = await exchange(0, AGENT, token);
      return {
        won: children.length,
        lost: refusals.length,
        alive: alive.includes(true),
        late: late.status,
      };
    });
    expect(results.filter(({ alive, late }) => alive || late !== 400)).toEqual([]);
    // A race that nobody ever wins, or ever loses, is none.
    expect(results.reduce((sum, { won }) => sum + won, 0)).toBeGreaterThan(0);
    expect(results.reduce((sum, { lost }) => sum + lost, 0)).toBeGreaterThan(0);
  },
);

it(
  `X16 ${TRIALS} hand-offs, each taken up by several at once on both processes: exactly one`,
  TIMEOUT,
  async () => {
    const wins = await trials(async () => {
      const made = await exchange(0, AGENT, await ownToken(), { requested_actor: OTHER_AGENT });
      expect(made.status).toBe(200);
      const answers = await atOnce((n) => exchange(n, OTHER_AGENT, made.body.access_token));
      return answers.filter(({ status }) => status === 200).length;
    });
    expect(wins.filter((won) => won !== 1)).toEqual([]);
  },
);

it(
  'X16 parallel exchanges of one token: as many ids as tokens, all recorded',
  TIMEOUT,
  async () => {
    const token = await ownToken();
    const answers = await inBatches([...Array(60).keys()], 30, (n) => exchange(n, AGENT, token));
    const ids = answers.map(({ body }) => String(claimsOf(body.access_token).jti));
    const [row] = await cluster.opened.db.run<{ recorded: number }>(
      `select count(*)::int as recorded from audit_events where type = 'token.issued'
     and jti in (select jsonb_array_elements_text($1::text::jsonb))`,
      [JSON.stringify(ids)],
    );
    expect([new Set(ids).size, row?.recorded]).toEqual([60, 60]);
  },
);
