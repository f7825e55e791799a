// A stop that could not be done is 503 and undone, never a success and never an unknown (DESIGN §5).
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { closeGate } from '../../src/broker/revocation/store.js';
import {
  authFor,
  postForm,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, FILES } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

it('RFC 7009 §2.2.1: a revocation that waits too long for the gate is 503, and done when asked again', {
  timeout: 60_000,
}, async () => {
  const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
  const token = (await postToken(t, AGENT, fields)).body.access_token;
  const ask = (path: string) => postForm(`${t.issuer}${path}`, { token }, authFor(t, AGENT));
  const other = await openPostgres({ url: t.opened.url as string });
  const gate = { open: () => {} };
  const closed = new Promise<void>((isClosed) => {
    void other.transaction(async (tx) => {
      await closeGate(tx);
      isClosed();
      await new Promise<void>((open) => {
        gate.open = open;
      });
    });
  });
  await closed;
  const refused = await ask('/revoke');
  gate.open();
  await other.close();
  expect([refused.status, refused.body.error, refused.headers.get('retry-after')]).toEqual([
    503,
    'temporarily_unavailable',
    expect.stringMatching(/^\d+$/),
  ]);
  expect((await ask('/introspect')).body.active).toBe(true);
  expect((await ask('/revoke')).status).toBe(200);
  expect((await ask('/introspect')).body).toEqual({ active: false });
});
