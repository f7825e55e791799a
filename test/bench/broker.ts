// The broker beside oidc-provider as it comes (DESIGN §13): same machine, same database server, same
// load, in turns.
import type { Figure } from './figures.js';
import { formRequest, type LoadFigures, load } from './load.js';
import { median } from './rounds.js';
import { RESOURCE, type Server, startBehalf, startStock } from './servers.js';

export interface BrokerSizes {
  readonly milliseconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** Clients of the server that has many. */
  readonly many: number;
  /** Subject tokens of an exchange that are new to the server. */
  readonly subjects: number;
}

export const FIRST = 'agt_first';
const SECOND = 'agt_second';
const FEW = [FIRST, SECOND];
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export const basic = ({ secrets }: Server, id: string, from: Server) =>
  `Basic ${Buffer.from(`${id}:${secrets[id] ?? from.secrets[id]}`).toString('base64')}`;

/** Requests for a client's own token, by each of these clients in turn. */
function clientCredentials(server: Server, clients: readonly string[], from = server) {
  const { host } = new URL(from.origin);
  const fields = { grant_type: 'client_credentials', resource: RESOURCE };
  const requests = clients.map((id) =>
    formRequest('/token', basic(server, id, from), fields, host),
  );
  let n = 0;
  return () => requests[n++ % requests.length] as string;
}

export async function ownToken(server: Server, id: string): Promise<string> {
  const response = await fetch(`${server.origin}/token`, {
    method: 'POST',
    headers: { authorization: basic(server, id, server) },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: RESOURCE }),
  });
  const { access_token: token } = (await response.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`${server.name} gave no token: ${response.status}`);
  return token;
}

/** The second agent takes over what the first holds: the same few tokens again, or each once. */
async function exchanges(server: Server, count: number) {
  const subjects: string[] = [];
  while (subjects.length < count) {
    const batch = Array.from({ length: Math.min(32, count - subjects.length) }, () =>
      ownToken(server, FIRST),
    );
    subjects.push(...(await Promise.all(batch)));
  }
  const { host } = new URL(server.origin);
  const authorization = basic(server, SECOND, server);
  let n = 0;
  return () =>
    formRequest(
      '/token',
      authorization,
      {
        grant_type: EXCHANGE,
        resource: RESOURCE,
        scope: 'files:list',
        subject_token: subjects[n++ % subjects.length] as string,
        subject_token_type: ACCESS_TOKEN,
      },
      host,
    );
}

interface Turn {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly next: () => string;
}

/** Medians over rounds in which each has its turn; the first round warms up and does not count. */
export async function inTurnsOverHttp(
  turns: readonly Turn[],
  { rounds, milliseconds, connections }: BrokerSizes,
): Promise<ReadonlyMap<string, LoadFigures>> {
  const all = new Map<string, LoadFigures[]>(turns.map(({ name }) => [name, []]));
  for (let n = 0; n <= rounds; n += 1) {
    for (const { name, servers, next } of turns) {
      const figures = await load(servers, { connections, milliseconds, next });
      if (n > 0 || rounds === 0) all.get(name)?.push(figures);
    }
  }
  const middle = (figures: readonly LoadFigures[], name: keyof LoadFigures) =>
    median(figures.map((one) => one[name]));
  return new Map(
    [...all].map(([name, figures]) => [
      name,
      {
        perCpuSecond: middle(figures, 'perCpuSecond'),
        perSecond: middle(figures, 'perSecond'),
        p50Ms: middle(figures, 'p50Ms'),
        p99Ms: middle(figures, 'p99Ms'),
        responses: middle(figures, 'responses'),
      },
    ]),
  );
}

export async function withServers<T>(
  starting: readonly Promise<Server>[],
  work: (servers: readonly Server[]) => Promise<T>,
): Promise<T> {
  const settled = await Promise.allSettled(starting);
  const servers = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  try {
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return await work(servers);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

const ratio = (what: string, value: number, atLeast: number): Figure => ({
  what,
  value,
  unit: '×',
  atLeast,
});
const percent = (what: string, value: number, atMost: number): Figure => ({
  what,
  value: value * 100,
  unit: '%',
  atMost,
});

/** `client_credentials` with a resource, through the whole server. */
export function benchClientCredentials(
  postgresUrl: string,
  sizes: BrokerSizes,
): Promise<readonly Figure[]> {
  const many = Array.from({ length: sizes.many }, (_, n) => `agt_many${n}`);
  const starting = [
    startBehalf('behalf', { clients: FEW, postgresUrl }),
    startBehalf('without records', { clients: FEW, postgresUrl, records: false }),
    startBehalf('many', { clients: many, postgresUrl }),
    startStock('stock', FEW, postgresUrl),
    startStock('in memory', FEW, undefined),
  ];
  return withServers(starting, async (servers) => {
    const turns = servers.map((server) => ({
      name: server.name,
      servers: [server],
      next: clientCredentials(server, server.name === 'many' ? many : [FIRST]),
    }));
    const rates = await inTurnsOverHttp(turns, sizes);
    const of = (name: string) => rates.get(name) as LoadFigures;
    const [ours, stock, memory] = [of('behalf'), of('stock'), of('in memory')];
    return [
      { what: 'stock on PostgreSQL', value: stock.perCpuSecond, unit: 'tokens/CPU-s' },
      { what: 'stock on PostgreSQL, in wall time', value: stock.perSecond, unit: 'tokens/s' },
      { what: 'behalf, in wall time', value: ours.perSecond, unit: 'tokens/s' },
      ratio('behalf to stock, per CPU-second', ours.perCpuSecond / stock.perCpuSecond, 2),
      ratio('behalf to stock, in wall time', ours.perSecond / stock.perSecond, 1.7),
      ratio('behalf to one in memory, per CPU-s', ours.perCpuSecond / memory.perCpuSecond, 1),
      percent('recording costs', 1 - ours.perSecond / of('without records').perSecond, 15),
      percent(`${sizes.many} clients cost`, 1 - of('many').perCpuSecond / ours.perCpuSecond, 10),
      { what: 'p99 of p50', value: ours.p99Ms / ours.p50Ms, unit: '×', atMost: 6 },
      { what: 'memory', value: servers[0]?.rssMegabytes() ?? 0, unit: 'MB', atMost: 300 },
    ];
  });
}

/** Token exchange, of tokens the server has seen and of tokens it has not. */
export function benchExchange(postgresUrl: string, sizes: BrokerSizes): Promise<readonly Figure[]> {
  const starting = [
    startBehalf('behalf', { clients: FEW, postgresUrl }),
    startStock('stock', FEW, postgresUrl),
  ];
  return withServers(starting, async (servers) => {
    const turns: Turn[] = [];
    for (const server of servers) {
      const one = { servers: [server] };
      turns.push({ ...one, name: `${server.name} warm`, next: await exchanges(server, 1) });
      const fresh = await exchanges(server, sizes.subjects);
      turns.push({ ...one, name: `${server.name} fresh`, next: fresh });
    }
    const rates = await inTurnsOverHttp(turns, sizes);
    const of = (name: string) => (rates.get(name) as LoadFigures).perCpuSecond;
    return [
      { what: 'stock on PostgreSQL', value: of('stock warm'), unit: 'tokens/CPU-s' },
      ratio('behalf to stock, the same token', of('behalf warm') / of('stock warm'), 3),
      ratio('behalf to stock, fresh tokens', of('behalf fresh') / of('stock fresh'), 2),
    ];
  });
}

/** A second process on the same database: what a token costs in CPU, of both together. */
export async function benchReplica(
  postgresUrl: string,
  sizes: BrokerSizes,
): Promise<readonly Figure[]> {
  const first = await startBehalf('behalf', { clients: FEW, postgresUrl });
  return withServers([Promise.resolve(first), first.replica()], async (servers) => {
    const next = clientCredentials(first, [FIRST]);
    const rates = await inTurnsOverHttp(
      [
        { name: 'one', servers: [first], next },
        { name: 'two', servers, next },
      ],
      sizes,
    );
    const of = (name: string) => (rates.get(name) as LoadFigures).perCpuSecond;
    return [percent('CPU a token costs more with two processes', of('one') / of('two') - 1, 10)];
  });
}
