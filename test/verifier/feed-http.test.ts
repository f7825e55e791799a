import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createTestIssuer } from '../../src/testing/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import { eventually } from '../support/eventually.js';
import { refusal } from './support/verifier-world.js';

/** The issuer of the tests behind a real socket. */
async function serve() {
  const http = createServer(async (req, res) => {
    const ended = new AbortController();
    res.once('close', () => ended.abort());
    const url = new URL(req.url ?? '/', issuer.issuer);
    const answer = await issuer.fetch(url, { signal: ended.signal });
    res.writeHead(answer.status, Object.fromEntries(answer.headers));
    res.flushHeaders();
    try {
      for await (const chunk of answer.body ?? []) res.write(chunk);
    } catch {
      // The follower went away.
    }
    res.end();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const issuer = await createTestIssuer({ issuer: `http://127.0.0.1:${port}`, heartbeatMs: 100 });
  return { http, issuer };
}

describe('the revocation feed over real HTTP', () => {
  it('is followed, survives cut connections, and is let go by close()', async () => {
    const { http, issuer } = await serve();
    const verifier = createVerifier({ issuer: issuer.issuer, resource: issuer.resource });
    await verifier.ready();
    const token = await issuer.delegatedToken({ claims: { jti: 'cns_A.gnt_B.t1' } });
    expect((await verifier.verify(token)).kind).toBe('delegated');
    http.closeAllConnections();
    await issuer.revoke('cns_A');
    await eventually(async () => {
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
    });
    await verifier.close();
    // The server can end at once: nobody holds a stream open any more.
    await new Promise((resolve) => http.close(resolve));
  });
});
