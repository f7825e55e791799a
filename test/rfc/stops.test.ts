// DESIGN §6, class L: every source of a stop ends exactly what hangs on it, by the next request:
// tokens of chains up to four actors deep, and whatever was in flight. Siblings live. Its receipt says
// how many that were, and stays with the stop's own event.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessTokenClaims, revocationKeys } from '../../src/protocol/index.js';
import {
  type Answer,
  authFor,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { activeKey, admin } from '../support/keys.js';
import {
  type Cast,
  FLIGHTS,
  type Flight,
  type Forest,
  growForest,
  TOKENS,
  type TokenName,
} from './support/forest.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ config: { keyLeadSeconds: 0 } });
});
afterAll(() => t.close());

interface Stop {
  readonly what: string;
  readonly by: (forest: Forest) => Promise<Answer>;
  readonly status?: number;
  readonly dies: readonly TokenName[];
  readonly refused: readonly Flight[];
}

const below = (...names: readonly string[]): TokenName[] =>
  TOKENS.filter((token) => names.some((name) => token === name || token.startsWith(`${name}.`)));
const OF_ANA = below('ana1', 'ana2').concat('ana1.helper2');
const WITH_HELPER = TOKENS.filter((name) => name.includes('helper'));
const EXCEPT_SERVER = TOKENS.filter((name) => name !== 'server');
const EVERY_USER = TOKENS.filter((name) => /^(ana|ben)/.test(name));
const ANAS_FLIGHTS = FLIGHTS.filter((flight) => /ana/.test(flight));

const status = (noun: string, of: keyof Cast, to: string) => (forest: Forest) =>
  admin(t, 'PUT', `/${noun}/${forest.cast[of]}/status`, { status: to, reason: 'test' });
const remove = (noun: string, of: keyof Cast) => (forest: Forest) =>
  admin(t, 'DELETE', `/${noun}/${forest.cast[of]}`);
const part = (n: number) => (forest: Forest) =>
  String(claimsOf(forest.tokens.ana1).jti).split('.')[n];
const revoke = (token: TokenName, by: keyof Cast) => (forest: Forest) =>
  postForm(`${t.issuer}/revoke`, { token: forest.tokens[token] }, authFor(t, forest.cast[by]));
const credential = (of: keyof Cast) => (forest: Forest) => {
  const id = forest.cast[of];
  const noun = id.startsWith('agt_') ? 'agents' : 'clients';
  return admin(t, 'DELETE', `/${noun}/${id}/credentials/crd_${id.slice(4)}`);
};

const agentStops = (to: string): Stop[] => [
  {
    what: `the first agent is ${to}`,
    by: status('agents', 'planner', to),
    dies: EXCEPT_SERVER,
    refused: FLIGHTS,
  },
  {
    what: `an agent in the middle is ${to}`,
    by: status('agents', 'helper', to),
    dies: WITH_HELPER,
    refused: ['hand-off of ana1', 'exchange of ana1.helper'],
  },
  {
    what: `the last agent is ${to}`,
    by: status('agents', 'third', to),
    dies: below('ana1.helper.third'),
    refused: [],
  },
];

const STOPS: readonly Stop[] = [
  {
    what: 'a consent is withdrawn',
    by: (forest) => admin(t, 'DELETE', `/consents/${part(0)(forest)}`),
    dies: OF_ANA,
    refused: ANAS_FLIGHTS,
  },
  {
    what: 'one authorization ends',
    by: (forest) => admin(t, 'DELETE', `/grants/${part(1)(forest)}`),
    dies: [...below('ana1'), 'ana1.helper2'],
    refused: ['refresh of ana1', 'hand-off of ana1', 'exchange of ana1.helper'],
  },
  {
    what: 'a token is revoked by its client, with everything exchanged from it (RFC 7009)',
    by: revoke('ana1', 'host'),
    dies: [...below('ana1'), 'ana1.helper2'],
    refused: ['hand-off of ana1', 'exchange of ana1.helper'],
  },
  {
    what: 'a token in the middle of a chain is revoked by its client (RFC 7009)',
    by: revoke('ana1.helper', 'helper'),
    dies: below('ana1.helper'),
    refused: ['exchange of ana1.helper'],
  },
  {
    what: 'a token is presented for revocation by another client of its chain (RFC 7009 §2.1, L6)',
    by: revoke('ana1.helper', 'host'),
    dies: [],
    refused: [],
  },
  {
    what: 'a token is presented for revocation by a client further down its chain (L6)',
    by: revoke('ana1', 'helper'),
    dies: [],
    refused: [],
  },
  {
    what: 'the user is disabled (L2)',
    by: status('users', 'ana', 'disabled'),
    dies: OF_ANA,
    refused: ANAS_FLIGHTS,
  },
  {
    what: 'the user is deleted (L3)',
    by: remove('users', 'ana'),
    dies: OF_ANA,
    refused: ANAS_FLIGHTS,
  },
  ...['paused', 'blocked', 'retired'].flatMap(agentStops),
  {
    what: 'the client of the first token is deleted: it is in `via` of all the others (L4)',
    by: remove('clients', 'host'),
    dies: EVERY_USER,
    refused: FLIGHTS,
  },
  {
    what: 'the credential of an agent is removed: what it obtained by itself',
    by: credential('planner'),
    dies: below('planner'),
    refused: ['refresh of ana1', 'code of ana', 'actor token of planner'],
  },
  {
    what: 'the credential of a service is removed',
    by: credential('server'),
    dies: ['server'],
    refused: [],
  },
];

interface Issued {
  readonly jti: string;
  readonly sub: string;
  readonly agent_id: string | null;
  readonly client_id: string;
  readonly detail: {
    readonly kid: string;
    readonly iat: number;
    readonly exp: number;
    readonly parent?: string;
    readonly earlier_actors?: readonly string[];
    readonly via?: string[];
  };
}

/** Every token that was issued and is neither over nor stopped, by what each of them says. */
async function standing(): Promise<Map<string, Issued>> {
  const rows = await t.opened.db.run<Issued>(
    "select jti, sub, agent_id, client_id, detail from audit_events where type = 'token.issued'",
  );
  const facts = await t.opened.db.run<{ key: string; always: boolean; at: number }>(
    'select key, always, floor(extract(epoch from revoked_at))::float8 as at from revocations',
  );
  const nowSeconds = Date.now() / 1000;
  const stopped = ({ detail, ...row }: Issued): boolean => {
    const actors = [...(detail.earlier_actors ?? []), row.agent_id ?? row.sub];
    const act = actors.reduceRight<object | undefined>(
      (inner, sub) => ({ sub, act: inner }),
      undefined,
    );
    const claims = { ...row, via: detail.via, act } as unknown as AccessTokenClaims;
    const keys = revocationKeys(claims, detail.kid);
    return facts.some(({ key, always, at }) => keys.includes(key) && (always || at >= detail.iat));
  };
  const alive = rows.filter((row) => row.detail.exp > nowSeconds && !stopped(row));
  return new Map(alive.map((row) => [row.jti, row]));
}

/** What the newest receipt in the audit says, which its fact also tells; null: there is none. */
async function newestReceipt() {
  const [row] = await t.opened.db.run<{ id: number; receipt: Record<string, number> }>(
    `select id, detail -> 'receipt' as receipt from audit_events
     where detail -> 'receipt' is not null order by id desc limit 1`,
  );
  if (row === undefined) return { event: 0, tokens: null };
  const { facts: _facts, ...receipt } = row.receipt;
  const fact = (await admin(t, 'GET', `/revocations/${receipt.revocation}`)).body;
  expect(fact.receipt).toEqual(receipt);
  const { access_tokens, exchanged_tokens, helper_chains } = receipt;
  return { event: row.id, tokens: [access_tokens, exchanged_tokens, helper_chains] };
}

/** Runs a stop: what its receipt says is what stood before and does not any more. */
async function receipted<T>(stop: () => Promise<T>): Promise<T> {
  const [before, earlier] = [await standing(), await newestReceipt()];
  const answer = await stop();
  const [after, newest] = [await standing(), await newestReceipt()];
  const gone = [...before.values()].filter(({ jti }) => !after.has(jti));
  const parents = new Set(gone.map(({ detail }) => detail.parent));
  const ends = gone.filter(({ jti, detail }) => detail.earlier_actors && !parents.has(jti));
  const exchanged = gone.filter(({ detail }) => detail.parent !== undefined);
  if (gone.length === 0) expect(newest).toEqual(earlier);
  else expect(newest.tokens).toEqual([gone.length, exchanged.length, ends.length]);
  return answer;
}

describe('DESIGN §6 a stop ends what hangs on it by the next request, and nothing else', () => {
  it.each(STOPS)('$what', { timeout: 60_000 }, async ({ by, dies, refused }) => {
    const forest = await growForest(t);
    expect(await forest.alive()).toEqual(TOKENS);
    expect((await receipted(() => by(forest))).status).toBe(200);
    const alive = TOKENS.filter((name) => !dies.includes(name));
    expect(await forest.alive()).toEqual(alive);
    expect(await forest.lands()).toEqual(FLIGHTS.filter((flight) => !refused.includes(flight)));
    // Refused attempts stop nothing more: a stop ends what hangs on it, and nothing else.
    expect(await forest.alive()).toEqual(alive);
  });

  it('nothing is stopped, and everything in flight lands', { timeout: 60_000 }, async () => {
    const forest = await growForest(t);
    expect(await forest.lands()).toEqual(FLIGHTS);
    expect(await forest.alive()).toEqual(TOKENS);
  });

  it('a code is presented again after its token: the authorization ends (DESIGN §6 replay)', {
    timeout: 60_000,
  }, async () => {
    const forest = await growForest(t);
    const again = await receipted(() => redeem(t, forest.usedCode, {}, forest.cast.host));
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant']);
    const dead = [...below('ana1'), 'ana1.helper2'];
    expect(await forest.alive()).toEqual(TOKENS.filter((name) => !dead.includes(name)));
  });

  it('a refresh token is used again after its successor: the authorization ends (R1)', {
    timeout: 60_000,
  }, async () => {
    const forest = await growForest(t);
    const { cast, refreshToken } = forest;
    const refresh = (token: string) =>
      postToken(t, cast.host, { grant_type: 'refresh_token', refresh_token: token });
    const first = await refresh(refreshToken);
    expect((await refresh(first.body.refresh_token)).status).toBe(200);
    const replayed = await receipted(() => refresh(refreshToken));
    expect(replayed.body.error).toBe('invalid_grant');
    const dead = [...below('ana1'), 'ana1.helper2'];
    expect(await forest.alive()).toEqual(TOKENS.filter((name) => !dead.includes(name)));
  });

  it('a compromised signing key is retired: everything it signed (L9)', {
    timeout: 60_000,
  }, async () => {
    const forest = await growForest(t);
    const { kid } = activeKey((await admin(t, 'GET', '/keys')).body.items);
    const body = { compromised: true, reason: 'test' };
    const retired = await receipted(() => admin(t, 'POST', `/keys/${kid}/retire`, body));
    expect(retired.status).toBe(200);
    expect(await forest.alive()).toEqual([]);
    // What is no token of ours goes on: consents and codes are not the key's.
    expect(await forest.lands()).toEqual([
      'refresh of ana1',
      'code of ana',
      'pushed request of ana',
      'open page of ben',
    ]);
  });
});
