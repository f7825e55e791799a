// A stop that could not be done is 503 and undone, never a success and never an unknown (DESIGN §5).
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { closeGate } from '../../src/broker/revocation/store.js';
import {
  actorToken,
  authFor,
  postForm,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, FILES, HOST } from '../support/world.js';

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

it('DESIGN §10: an actor token that cannot be used up now is 503 and not used up, never invalid', {
  timeout: 60_000,
}, async () => {
  const own = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: (await postToken(t, AGENT, own)).body.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    actor_token: await actorToken(t),
    actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
  const other = await openPostgres({ url: t.opened.url as string });
  const table = { release: () => {} };
  const taken = new Promise<void>((isTaken) => {
    void other.transaction(async (tx) => {
      await tx.execute(sql`lock table artifacts in access exclusive mode`);
      isTaken();
      await new Promise<void>((release) => {
        table.release = release;
      });
    });
  });
  await taken;
  const refused = await postToken(t, HOST, fields);
  table.release();
  await other.close();
  expect([refused.status, refused.body.error, refused.headers.get('retry-after')]).toEqual([
    503,
    'temporarily_unavailable',
    expect.stringMatching(/^\d+$/),
  ]);
  expect((await postToken(t, HOST, fields)).status).toBe(200);
});
