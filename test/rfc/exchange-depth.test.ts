import { afterAll, beforeAll, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import {
  ADMIN_TOKEN,
  authorize,
  claimsOf,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, OTHER_AGENT } from '../support/world.js';

let one: TestBroker;
let two: TestBroker;
const brokers = async (actDepthMax: number): Promise<TestBroker> => {
  const t = await startTestBroker({ config: { actDepthMax } });
  await letTakeWork(t.opened.db);
  return t;
};
beforeAll(async () => {
  one = await brokers(1);
  two = await brokers(2);
});
afterAll(async () => {
  await one.close();
  await two.close();
});

async function userToken(t: TestBroker): Promise<string> {
  const { body } = await redeem(t, await authorize(t));
  // As somebody may have decided before the limit was lowered.
  await t.opened.db.orm.update(tables.consents).set({ helpers: 3 });
  return body.access_token;
}

const exchange = (t: TestBroker, caller: string, subject: string) =>
  postToken(t, caller, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subject,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    scope: 'files:list',
  });

it('DESIGN §7: the page offers no more helpers than may follow, whatever a form says', async () => {
  const asked = { params: { prompt: 'consent' }, visitor: { helpers: 1 } };
  const kept = async (t: TestBroker) =>
    (await t.opened.db.run('select helpers from consents where ended_at is null')).at(-1);
  await redeem(two, await authorize(two, asked));
  await redeem(one, await authorize(one, asked));
  expect([await kept(two), await kept(one)]).toEqual([{ helpers: 1 }, { helpers: 0 }]);
});

it('TX10: one more actor than the longest chain may have is refused, one fewer is not', async () => {
  const alone = await userToken(one);
  expect((await exchange(one, AGENT, alone)).status).toBe(200);
  const refused = await exchange(one, OTHER_AGENT, alone);
  expect([refused.status, refused.body]).toEqual([
    400,
    { error: 'invalid_request', error_description: 'the chain of actors would be too deep' },
  ]);
  const taken = await exchange(two, OTHER_AGENT, await userToken(two));
  expect(claimsOf(taken.body.access_token).act).toMatchObject({
    sub: OTHER_AGENT,
    act: { sub: AGENT },
  });
});

it('DESIGN §10: the refusal, its rule, and what would happen now are explained with that limit', async () => {
  const subject = await userToken(one);
  await exchange(one, OTHER_AGENT, subject);
  const [event] = await one.opened.db.run<{ id: number; detail: object }>(
    `select id, detail from audit_events where type = 'token.refused' order by id desc limit 1`,
  );
  expect(event?.detail).toMatchObject({ rule: 'too_deep', act_depth_max: 1 });
  const response = await fetch(`${one.issuer}/admin/v1/explain`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ of: String(event?.id) }),
  });
  expect(await response.json()).toMatchObject({ rule: 'too_deep', now: 'refused', change: null });
});
