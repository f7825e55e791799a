// Whoever changed something finds it changed at once, also when the database's notices are late.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createFactsCache, noticing } from '../../src/broker/facts/store.js';
import { postToken, startTestBroker, type TestBroker } from '../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { NOTES, SERVICE } from '../support/world.js';

let opened: OpenedDatabase;
let t: TestBroker;
beforeAll(async () => {
  opened = await openTestPostgres();
  const deaf = { ...opened.db, listen: async () => {} };
  t = await startTestBroker({ opened, deps: { db: deaf } });
});
afterAll(() => t.close());

it('DESIGN §5: a change made through a broker is seen by its next request, before any notice comes', async () => {
  const ask = async () =>
    (await postToken(t, SERVICE, { grant_type: 'client_credentials', resource: NOTES })).status;
  const demand = (requireUser: boolean) =>
    t.broker.registry.resources.patch('admin', NOTES, { requireUser });
  const seen = [await ask()];
  for (const requireUser of [true, false, true, false]) {
    await demand(requireUser);
    seen.push(await ask());
  }
  expect(seen).toEqual([200, 400, 200, 400, 200]);
});

it('DESIGN §5: an answer that was under way when something changed is not kept as the newest', async () => {
  const { db } = opened;
  let slow = true;
  const cache = createFactsCache({
    ...db,
    run: async <Row extends object>(text: string) => {
      const rows = await db.run<Row>(text);
      if (slow) {
        slow = false;
        await changed();
      }
      return rows;
    },
  });
  const changed = () =>
    noticing(db, cache).transaction(async (tx) => {
      await tx.execute('update policy_epoch set epoch = epoch + 1');
    });
  const old = (await cache.current()).epoch;
  expect((await cache.current()).epoch).toBe(old + 1);
});
