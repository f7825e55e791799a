// A whole server with the verifier in it, beside the same server without any check (DESIGN §13).
import { startChild } from '../store/support/child.js';
import { type BrokerSizes, inTurnsOverHttp, withServers } from './broker.js';
import type { Figure } from './figures.js';
import { formRequest, type LoadFigures } from './load.js';
import { type Server, serverOf } from './servers.js';
import { createTokenSource } from './tokens.js';

async function startExpress(name: string, argument: object): Promise<Server> {
  const child = startChild(import.meta.url, './servers/express.ts', argument);
  return serverOf(name, ({ port }) => `http://127.0.0.1:${port}`, child);
}

/** A hundred callers, each with a token that the server has seen before. */
export function benchExpress(sizes: BrokerSizes): Promise<readonly Figure[]> {
  const source = createTokenSource('ES256');
  const requests = source
    .make(100)
    .map((token) => formRequest('/api', `Bearer ${token}`, {}, 'files.example'));
  let n = 0;
  const next = () => requests[n++ % requests.length] as string;
  const { jwks } = source;
  const starting = [
    startExpress('open', { jwks, isProtected: false }),
    startExpress('protected', { jwks, isProtected: true }),
  ];
  return withServers(starting, async (servers) => {
    const turns = servers.map((server) => ({ name: server.name, servers: [server], next }));
    const rates = await inTurnsOverHttp(turns, sizes);
    const of = (name: string) => (rates.get(name) as LoadFigures).perCpuSecond;
    return [
      { what: 'Express without any check', value: of('open'), unit: 'requests/CPU-s' },
      {
        what: 'the same with behalf/verifier',
        value: of('protected') / of('open'),
        unit: '×',
        atLeast: 0.8,
      },
    ];
  });
}
