// How soon a stop that was acknowledged is known to a verifier on the feed (DESIGN §13).
import { setTimeout as sleep } from 'node:timers/promises';
import { createVerifier } from '../../src/verifier/index.js';
import { basic, FIRST, ownToken, withServers } from './broker.js';
import type { Figure } from './figures.js';
import { median } from './rounds.js';
import { RESOURCE, type Server, startBehalf } from './servers.js';

async function revoke(server: Server, token: string): Promise<void> {
  const response = await fetch(`${server.origin}/revoke`, {
    method: 'POST',
    headers: { authorization: basic(server, FIRST, server) },
    body: new URLSearchParams({ token }),
  });
  if (response.status !== 200) throw new Error(`not revoked: ${response.status}`);
}

export function benchReach(postgresUrl: string, trials: number): Promise<readonly Figure[]> {
  const starting = [startBehalf('behalf', { clients: [FIRST], postgresUrl })];
  return withServers(starting, async ([server]) => {
    if (server === undefined) throw new Error('there is no server');
    const verifier = createVerifier({ issuer: server.origin, resource: RESOURCE });
    const times: number[] = [];
    for (let n = 0; n < trials; n += 1) {
      const token = await ownToken(server, FIRST);
      await verifier.verify(token);
      await revoke(server, token);
      const acknowledgedAt = performance.now();
      const isGood = () => verifier.verify(token).then(Boolean, () => false);
      while (await isGood()) await sleep(1);
      times.push(performance.now() - acknowledgedAt);
    }
    await verifier.close();
    return [
      { what: 'a stop at a verifier, median', value: median(times), unit: 'ms' },
      { what: 'the slowest', value: Math.max(...times), unit: 'ms', atMost: 2_000 },
    ];
  });
}
