// DESIGN §6: followers that authenticate acknowledge, and receipts show who has confirmed a stop and
// since when; with a real verifier, and by hand.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetFollowers } from '../../src/broker/revocation/followers.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  authFor,
  authorize,
  claimsOf,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { admin } from '../support/keys.js';
import { FILES, FILES_CLIENT, HOST, NOTES, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const credentials = () => ({
  clientId: FILES_CLIENT,
  clientSecret: t.secrets[FILES_CLIENT] as string,
});
const ack = async (body: unknown, headers = authFor(t, FILES_CLIENT)) => {
  const response = await fetch(`${t.issuer}/revocations/ack`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return [response.status, await response.json().catch(() => undefined)];
};
const delegate = async (): Promise<string> =>
  (await redeem(t, await authorize(t))).body.access_token;
const withdraw = async (token: string) => {
  const [consent] = String(claimsOf(token).jti).split('.');
  return (await admin(t, 'DELETE', `/consents/${consent}`)).body.receipt;
};
const shown = async (id: number) => (await admin(t, 'GET', `/revocations/${id}`)).body;
const forget = () => t.opened.db.run('delete from feed_followers');

describe('a verifier with its own client', () => {
  it('confirms what it applied: the receipt names it, and since when', async () => {
    await forget();
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES, client: credentials() });
    try {
      await verifier.ready();
      await eventually(async () =>
        expect(await t.opened.db.run('select 1 from feed_followers')).toHaveLength(1),
      );
      const token = await delegate();
      await verifier.verify(token);
      const { revocation } = await withdraw(token);
      const body = await eventually(async () => {
        const answer = await shown(revocation);
        expect(answer.waiting_for).toEqual([]);
        return answer;
      });
      expect(body.confirmed_by).toEqual([
        {
          client_id: FILES_CLIENT,
          resource: FILES,
          instance: expect.stringMatching(/^[\w-]{36}$/),
          at: expect.any(String),
        },
      ]);
      expect(Date.parse(body.confirmed_by[0].at)).toBeGreaterThanOrEqual(
        Date.parse(body.revoked_at),
      );
      // What is confirmed is applied: the token is dead there.
      await expect(verifier.verify(token)).rejects.toMatchObject({ reason: 'revoked' });
    } finally {
      await verifier.close();
    }
  });

  it('with a secret that is wrong it goes on, tells its owner, and confirms nothing', async () => {
    await forget();
    const errors: unknown[] = [];
    const verifier = createVerifier({
      issuer: t.issuer,
      resource: FILES,
      client: { clientId: FILES_CLIENT, clientSecret: 'wrong' },
      onEvent: (event) => void (event.type === 'feed_error' && errors.push(event.error)),
    });
    await verifier.ready();
    await eventually(() => expect(errors).toHaveLength(1));
    expect(String(errors[0])).toContain('acknowledgement of revocations was answered 401');
    const token = await delegate();
    expect((await verifier.verify(token)).kind).toBe('delegated');
    expect(await t.opened.db.run('select 1 from feed_followers')).toEqual([]);
    await verifier.close();
  });
});

describe('POST /revocations/ack', () => {
  const one = { resource: FILES, instance: 'one' };

  it('shows who has confirmed and who has not; a later stop is not confirmed by an earlier position', async () => {
    await forget();
    const first = await withdraw(await delegate());
    expect(await ack({ ...one, position: first.revocation })).toEqual([204, undefined]);
    expect(await ack({ ...one, instance: 'two', position: first.revocation - 1 })).toEqual([
      204,
      undefined,
    ]);
    const told = { client_id: FILES_CLIENT, resource: FILES };
    const confirmed = [{ ...told, instance: 'one', at: expect.any(String) }];
    const waiting = [{ ...told, instance: 'two', seen_at: expect.any(String) }];
    expect(await shown(first.revocation)).toMatchObject({
      id: first.revocation,
      confirmed_by: confirmed,
      waiting_for: waiting,
    });
    const since = (await shown(first.revocation)).confirmed_by[0].at;
    const second = await withdraw(await delegate());
    expect(await shown(second.revocation)).toMatchObject({ confirmed_by: [] });
    await ack({ ...one, position: second.revocation });
    // Since when does not move when more is confirmed.
    expect((await shown(first.revocation)).confirmed_by[0].at).toBe(since);
    expect((await shown(second.revocation)).confirmed_by).toHaveLength(1);
  });

  it('one that went away long before the stop is not waited for', async () => {
    await forget();
    await ack({ ...one, position: 0 });
    await t.opened.db.run("update feed_followers set seen_at = seen_at - interval '5 minutes'");
    const { revocation } = await withdraw(await delegate());
    expect(await shown(revocation)).toMatchObject({ confirmed_by: [], waiting_for: [] });
    expect(await forgetFollowers(t.opened.db.orm, 10)).toBe(0);
    await t.opened.db.run("update feed_followers set seen_at = seen_at - interval '1 day'");
    expect(await forgetFollowers(t.opened.db.orm, 10)).toBe(1);
  });

  it.each([
    ['nobody', one, {}, 401, 'invalid_client'],
    [
      'a client for another’s resource',
      { ...one, resource: NOTES },
      undefined,
      403,
      'access_denied',
    ],
    [
      'a position that was never reached',
      { ...one, position: 10 ** 9 },
      undefined,
      400,
      'invalid_request',
    ],
    ['a position that is none', { ...one, position: -1 }, undefined, 400, 'invalid_request'],
    ['an instance that is none', { ...one, instance: 'a b' }, undefined, 400, 'invalid_request'],
    ['more than it knows', { ...one, more: 1 }, undefined, 400, 'invalid_request'],
  ])('refuses %s', async (_who, body, headers, status, error) => {
    await forget();
    const [answered, said] = await ack({ position: 0, ...body }, headers as undefined);
    expect([answered, (said as { error: string }).error]).toEqual([status, error]);
    expect(await t.opened.db.run('select 1 from feed_followers')).toEqual([]);
  });

  it.each([SERVICE, HOST])('refuses %s, whose resource it is not', async (client) => {
    expect((await ack({ ...one, position: 0 }, authFor(t, client)))[1]).toMatchObject({
      error: 'access_denied',
    });
  });
});

describe('GET /admin/v1/revocations/{id}', () => {
  it.each(['0', 'x', '999999999', '1e3'])('knows no %s', async (id) => {
    expect((await admin(t, 'GET', `/revocations/${id}`)).status).toBe(404);
  });
});
