// Registrations on real PostgreSQL, at two brokers on one database: what happens once happens once, and
// what nobody uses ends (K8, K10, Q22, DC5, DC10; RFC 7591, RFC 7592).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import { type Broker, createBroker } from '../../src/broker/app.js';
import type { Database } from '../../src/broker/db/database.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { forgetRegistrations } from '../../src/broker/registration/expiry-store.js';
import { createRegistrationUpkeep } from '../../src/broker/registration/upkeep.js';
import { registrationDefaults } from '../../src/broker/registration-settings.js';
import {
  type Answer,
  authorizeUrl,
  freePort,
  pkce,
  postForm,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { openTestPglite } from '../support/databases.js';
import {
  bearer,
  type Metadata,
  manage,
  refreshWith,
  register,
  registered,
  sendJson,
  tokensOf,
} from '../support/registration.js';
import { FILES_CLIENT } from '../support/world.js';

const PARALLEL = 20;
const QUOTA = 60;

let t: TestBroker;
let other: { readonly broker: Broker; readonly db: Database; readonly issuer: string };
const db = () => t.opened.db;

beforeAll(async () => {
  const registration = { ...registrationDefaults(), perNetwork: QUOTA };
  const config = { registration, trustedProxies: 1 };
  t = await startTestBroker({ config });
  const port = await freePort();
  const second = await openPostgres({ url: t.opened.url as string });
  const deps = { db: second, logTo: { write: () => {} } };
  const broker = await createBroker(testConfig(port, { issuer: t.issuer, ...config }), deps);
  await broker.listen();
  other = { broker, db: second, issuer: `http://127.0.0.1:${port}` };
});
afterAll(async () => {
  await other.broker.close();
  await other.db.close();
  await t.close();
});

let n = 0;
const app = (more: Metadata = {}): Metadata => {
  n += 1;
  return {
    client_name: `App ${n}`,
    redirect_uris: [`https://app${n}.example/cb`],
    token_endpoint_auth_method: 'client_secret_basic',
    ...more,
  };
};
/** Of many at once, every other one at the second broker. */
const atOnce = (ask: (issuer: string, n: number) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: PARALLEL }, (_, i) => ask(i % 2 === 0 ? t.issuer : other.issuer, i)),
  );
const tally = (answers: readonly Answer[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};
const clients = async (name: string): Promise<number> => {
  const [row] = await db().run<{ n: number }>(
    'select count(*)::int as n from clients where name = $1',
    [name],
  );
  return row?.n ?? 0;
};

describe('at once', () => {
  it('RFC 7591 §3: an initial access token registers one client, whoever shows it', async () => {
    const { token } = await t.broker.registry.initialTokens.create('cli', {});
    const body = app();
    const answers = await atOnce((issuer) => register({ issuer }, body, bearer(token)));
    expect(tally(answers)).toEqual({ 201: 1, 401: PARALLEL - 1 });
    expect(await clients(body.client_name)).toBe(1);
  });

  it('Q22: the same public client is one row, and nobody is left with power over it', async () => {
    const body = app({ token_endpoint_auth_method: 'none' });
    const answers = await atOnce((issuer) => register({ issuer }, body));
    expect(tally(answers)).toEqual({ 201: PARALLEL });
    expect(new Set(answers.map(({ body: made }) => made.client_id)).size).toBe(1);
    expect(await clients(body.client_name)).toBe(1);
    const managers = answers.filter(({ body: made }) => made.registration_access_token);
    expect(managers).toHaveLength(1);
    expect((await manage('GET', managers[0]?.body)).status).toBe(401);
  });

  it('K8: of a quota no more than it is, at both brokers together', async () => {
    const name = `Quota ${n}`;
    const answers: Answer[] = [];
    for (let round = 0; round < 4; round += 1) {
      answers.push(
        ...(await atOnce((issuer) =>
          register({ issuer }, app({ client_name: name }), { 'x-forwarded-for': '192.0.2.77' }),
        )),
      );
    }
    expect(tally(answers)).toEqual({ 201: QUOTA, 429: 4 * PARALLEL - QUOTA });
    expect(await clients(name)).toBe(QUOTA);
  });

  it('K10: a registration access token replaces once, and deletes once', async () => {
    const made = await registered(t, app());
    const { client_id, redirect_uris, registration_access_token: token } = made;
    const ask = (method: string, by: string) => (issuer: string, i: number) =>
      sendJson(
        `${issuer}/register/${client_id}`,
        method,
        { client_id, redirect_uris, client_name: `Name ${i}` },
        bearer(by),
      );
    const puts = await atOnce(ask('PUT', token));
    expect(tally(puts)).toEqual({ 200: 1, 401: PARALLEL - 1 });
    const [won] = puts.filter(({ status }) => status === 200);
    const next = won?.body.registration_access_token;
    const shown = await manage('GET', made, { token: next });
    expect(shown.body.client_name).toBe(won?.body.client_name);
    expect(tally(await atOnce(ask('DELETE', next)))).toEqual({ 204: 1, 401: PARALLEL - 1 });
  });

  it('DC5: a deletion leaves no token alive that was given meanwhile, in 5 trials', async () => {
    const authorization = `Basic ${btoa(`${FILES_CLIENT}:${t.secrets[FILES_CLIENT]}`)}`;
    for (let trial = 0; trial < 5; trial += 1) {
      const made = await registered(t, app());
      const { body: tokens } = await tokensOf(t, made);
      const [refreshed, gone] = await Promise.all([
        refreshWith(t, made.client_id, tokens.refresh_token),
        manage('DELETE', made),
      ]);
      expect(gone.status).toBe(204);
      expect([200, 400, 401]).toContain(refreshed.status);
      for (const token of [tokens.access_token, refreshed.body.access_token]) {
        if (token === undefined) continue;
        const { body } = await postForm(`${t.issuer}/introspect`, { token }, { authorization });
        expect(body).toEqual({ active: false });
      }
      const late = await refreshWith(t, made.client_id, tokens.refresh_token);
      expect([late.status, late.body.error]).toEqual([401, 'invalid_client']);
    }
  });
});

describe('the embedded database', () => {
  let embedded: TestBroker;
  beforeAll(async () => {
    embedded = await startTestBroker({ opened: await openTestPglite() });
  }, 120_000);
  afterAll(() => embedded.close());

  it('registers, shares, replaces, deletes, retires and forgets as well', async () => {
    const { db: on } = embedded.opened;
    const { token } = await embedded.broker.registry.initialTokens.create('cli', {});
    const made = await registered(embedded, app(), bearer(token));
    const { client_id, redirect_uris } = made;
    const changed = await manage('PUT', made, { body: { client_id, redirect_uris } });
    expect((await manage('DELETE', changed.body)).status).toBe(204);
    const shared = app({ token_endpoint_auth_method: 'none' });
    const twins = [await registered(embedded, shared), await registered(embedded, shared)];
    expect(twins[1].client_id).toBe(twins[0].client_id);
    await on.run("update client_registrations set expires_at = now() - interval '1 day'");
    const { steps } = embedded.broker.registry.clients;
    await createRegistrationUpkeep({ db: on, clients: steps })();
    expect((await embedded.broker.registry.clients.get(twins[0].client_id)).status).toBe('retired');
    await on.run("update client_registrations set deleted_at = now() - interval '2 days'");
    expect(await forgetRegistrations(on, 100)).toBe(2);
    expect(await on.run("select id from clients where origin = 'registration'")).toEqual([]);
  });
});

describe('Q22, DC10: what nobody uses', () => {
  const upkeep = () =>
    createRegistrationUpkeep({ db: db(), clients: t.broker.registry.clients.steps })();
  const set = (client: string, what: string) =>
    db().run(`update client_registrations set ${what} where client_id = $1`, [client]);
  const statusOf = async (client: string) => (await t.broker.registry.clients.get(client)).status;
  const ago = (interval: string): string => `clock_timestamp() - interval '${interval}'`;

  it('is retired a day after it registered, as an operator would: told so that an SDK registers again', async () => {
    const body = app();
    const [late, inTime] = [await registered(t, body), await registered(t, app())];
    const { registrationExpiresAt, createdAt } = await t.broker.registry.clients.get(
      late.client_id,
    );
    const lifeMs = (registrationExpiresAt?.getTime() ?? 0) - createdAt.getTime();
    expect(Math.round(lifeMs / 60_000)).toBe(24 * 60);
    await set(late.client_id, `expires_at = ${ago('4 minutes')}`);
    // A use may not have been written yet.
    await set(inTime.client_id, `expires_at = ${ago('1 minute')}`);
    await upkeep();
    expect([await statusOf(late.client_id), await statusOf(inTime.client_id)]).toEqual([
      'retired',
      'active',
    ]);
    expect((await manage('GET', late)).status).toBe(401);
    const answer = await refreshWith(t, late.client_id, 'x');
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    const events = await db().run(
      `select by, detail->>'reason' as reason from audit_events
       where client_id = $1 and type = 'registry.retired'`,
      [late.client_id],
    );
    expect(events).toEqual([{ by: 'system', reason: 'not used within a day' }]);
    expect((await registered(t, body)).client_id).not.toBe(late.client_id);
  });

  it('or 90 days after the last token', async () => {
    const [old, newer] = [await registered(t, app()), await registered(t, app())];
    await set(old.client_id, `expires_at = null, last_used_at = ${ago('91 days')}`);
    await set(newer.client_id, `expires_at = null, last_used_at = ${ago('89 days')}`);
    await upkeep();
    expect([await statusOf(old.client_id), await statusOf(newer.client_id)]).toEqual([
      'retired',
      'active',
    ]);
  });

  it('a token is a use; a request that nobody answered is none', async () => {
    const t2 = await startTestBroker();
    const [used, seen] = [await registered(t2, app()), await registered(t2, app())];
    expect((await tokensOf(t2, used)).status).toBe(200);
    const page = await createBrowserless(t2.issuer).open(
      authorizeUrl(t2, pkce().challenge, {
        client_id: seen.client_id,
        redirect_uri: seen.redirect_uris[0],
        requested_actor: undefined,
      }),
    );
    expect(page.status).toBe(200);
    // Written once a minute, and at the end.
    await t2.broker.close();
    const rows = await t2.opened.db.run(
      `select client_id as id, last_used_at is not null as used, expires_at is null as kept
       from client_registrations order by created_at`,
    );
    expect(rows).toEqual([
      { id: used.client_id, used: true, kept: true },
      { id: seen.client_id, used: false, kept: false },
    ]);
    await t2.opened.close();
  });

  it('K8: is forgotten a day later, with its keys; who was ever used stays in the registry', async () => {
    const [never, once] = [await registered(t, app()), await registered(t, app())];
    await set(once.client_id, `expires_at = null, last_used_at = ${ago('1 hour')}`);
    for (const made of [never, once]) expect((await manage('DELETE', made)).status).toBe(204);
    const left = async () =>
      db().run(
        `select c.id, (select count(*)::int from credentials k where k.principal = c.id) as keys,
           (select count(*)::int from client_registrations r where r.client_id = c.id) as rows
         from clients c where c.id = any($1) order by c.id = $2`,
        [[never.client_id, once.client_id], once.client_id],
      );
    await forgetRegistrations(db(), 100);
    expect(await left()).toMatchObject([{ rows: 1 }, { rows: 1 }]);
    for (const { client_id } of [never, once]) {
      await set(client_id, `deleted_at = ${ago('25 hours')}`);
    }
    await forgetRegistrations(db(), 100);
    expect(await left()).toEqual([{ id: once.client_id, keys: 1, rows: 0 }]);
  });
});
