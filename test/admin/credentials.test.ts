// Credentials with a life of their own: names, expiry, overlap rotation, last use. An expired one
// proves nothing anywhere it is looked up; what it obtained while it was good lives out its time.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExpiryWarnings } from '../../src/broker/clients/expiry.js';
import {
  ADMIN_TOKEN,
  type Answer,
  actorToken,
  authFor,
  authorize,
  basic,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { AGENT, FILES, FILES_CLIENT, HOST } from '../support/world.js';

const HOUR_MS = 3600_000;
let aheadMs = 0;
let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ deps: { now: () => Date.now() + aheadMs } });
});
afterAll(() => t.close());

async function admin(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${t.issuer}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === '' ? undefined : JSON.parse(text) };
}
const problems = ({ status, body }: Answer) => [status, body.errors];
const inFuture = (ms: number) => new Date(Date.now() + ms).toISOString();
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);

const ALONE = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
const withSecret = (id: string, secret: string) =>
  postForm(`${t.issuer}/token`, ALONE, { authorization: basic(id, secret) });

/** An agent with a permission, and its first secret. */
async function agent(id: string, more: object = {}) {
  const made = await admin('POST', '/agents', { id, name: id, owner: 'Ops', ...more });
  await admin('PUT', `/permissions/${id}/${encodeURIComponent(FILES)}`, { scopes: ['files:read'] });
  return made.body.credential as { id: string; secret: string };
}
const add = (id: string, body: object) => admin('POST', `/agents/${id}/credentials`, body);

describe('a credential', () => {
  it('is named, dated, and said to be whose doing it was', async () => {
    await agent('agt_named');
    const expires_at = inFuture(HOUR_MS);
    const added = await add('agt_named', { kind: 'secret', name: 'laptop', expires_at });
    expect([added.status, added.body]).toEqual([
      201,
      {
        id: expect.stringMatching(/^crd_/),
        kind: 'secret',
        name: 'laptop',
        kid: null,
        thumbprint: null,
        rule: null,
        created_at: instant,
        created_by: 'admin',
        expires_at,
        last_used_at: null,
        secret: expect.stringMatching(/^[\w-]{43}$/),
      },
    ]);
    const { body } = await admin('GET', '/audit?agent=agt_named&limit=1');
    expect(body.items[0].detail).toEqual({
      noun: 'agent',
      id: 'agt_named',
      credential: added.body.id,
      kind: 'secret',
      name: 'laptop',
      expires_at,
    });
  });

  it.each([
    [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at', 'must be a time to come'],
    [
      { expires_at: 'tomorrow' },
      'expires_at',
      'must be a time as ISO 8601 writes it, with its zone',
    ],
    [
      { expires_at: '9999-12-31T23:59:59-01:00' },
      'expires_at',
      'must be a time as ISO 8601 writes it, with its zone',
    ],
    [
      { expires_at: '2120-01-01T00:00:00' },
      'expires_at',
      'must be a time as ISO 8601 writes it, with its zone',
    ],
    [
      { replaces: 'crd_nobodys', overlap_seconds: 60 },
      'replaces',
      'names no credential of agt_helper that is in use: "crd_nobodys"',
    ],
    [
      { replaces: 'crd_host', overlap_seconds: 60 },
      'replaces',
      'names no credential of agt_helper that is in use: "crd_host"',
    ],
    [
      { replaces: 'crd_helper' },
      'overlap_seconds',
      'is missing: a rotation says what it replaces, and for how long',
    ],
    [
      { overlap_seconds: 60 },
      'replaces',
      'is missing: a rotation says what it replaces, and for how long',
    ],
  ])('is refused with %j, and leaves nothing behind', async (more, field, message) => {
    const before = (await admin('GET', `/agents/${AGENT}/credentials`)).body;
    expect(problems(await add(AGENT, { kind: 'secret', ...more }))).toEqual([
      400,
      [{ field, message }],
    ]);
    expect((await admin('GET', `/agents/${AGENT}/credentials`)).body).toEqual(before);
  });
});

describe('an expired credential proves nothing', () => {
  it('as a secret; a token it obtained before lives out its time', async () => {
    await agent('agt_brief');
    const added = await add('agt_brief', { kind: 'secret', expires_at: inFuture(HOUR_MS) });
    const given = await withSecret('agt_brief', added.body.secret);
    expect(given.status).toBe(200);
    aheadMs = HOUR_MS - 60_000;
    expect((await withSecret('agt_brief', added.body.secret)).status).toBe(200);
    aheadMs = HOUR_MS + 1000;
    const late = await withSecret('agt_brief', added.body.secret);
    expect([late.status, late.body.error]).toEqual([401, 'invalid_client']);
    aheadMs = 0;
    const token = given.body.access_token;
    const { body } = await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT));
    expect(body.active).toBe(true);
  });

  it('as a key (RFC 7523)', async () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = pair.publicKey.export({ format: 'jwk' });
    const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    await agent('agt_keyed', { jwks: { keys: [other] } });
    const at = inFuture(HOUR_MS);
    expect((await add('agt_keyed', { kind: 'jwk', jwk, expires_at: at })).status).toBe(201);
    const ask = async () =>
      postForm(`${t.issuer}/token`, {
        ...ALONE,
        client_id: 'agt_keyed',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion('agt_keyed', pair.privateKey),
      });
    expect((await ask()).status).toBe(200);
    aheadMs = HOUR_MS + 1000;
    const late = await ask();
    aheadMs = 0;
    expect([late.status, late.body.error]).toEqual([401, 'invalid_client']);
  });

  it('for the actor of a refresh: a fresh proof is asked for (§8a 6)', async () => {
    const { body } = await redeem(t, await authorize(t));
    const refresh = (token: string, more = {}) =>
      postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token, ...more });
    const again = await refresh(body.refresh_token);
    expect(again.status).toBe(200);
    const rotated = await add(AGENT, {
      kind: 'secret',
      replaces: 'crd_helper',
      overlap_seconds: 0,
    });
    expect(rotated.status).toBe(201);
    (t.secrets as Record<string, string>)[AGENT] = rotated.body.secret;
    await expect
      .poll(async () => (await refresh(again.body.refresh_token)).body.error_description)
      .toBe('this authorization names an agent: send its actor_token');
    const proved = { actor_token: await actorToken(t) };
    expect((await refresh(again.body.refresh_token, proved)).status).toBe(200);
  });

  it('to a resource server that reports what it decided', async () => {
    const added = await admin('POST', `/clients/${FILES_CLIENT}/credentials`, {
      kind: 'secret',
      expires_at: inFuture(HOUR_MS),
    });
    const report = async () => {
      const response = await fetch(`${t.issuer}/decisions`, {
        method: 'POST',
        headers: { authorization: basic(FILES_CLIENT, added.body.secret) },
        body: '{}',
      });
      return ((await response.json()) as { error: string }).error;
    };
    expect(await report()).toBe('invalid_request');
    aheadMs = HOUR_MS + 1000;
    expect(await report()).toBe('invalid_client');
    aheadMs = 0;
  });
});

describe('rotation', () => {
  it('keeps both good for the overlap, and only the new one after it', async () => {
    const first = await agent('agt_turn');
    const turn = { kind: 'secret', replaces: first.id, overlap_seconds: 600, name: 'second' };
    const second = await add('agt_turn', turn);
    expect(second.body).toMatchObject({ name: 'second', expires_at: null });
    const [old] = (await admin('GET', '/agents/agt_turn/credentials')).body.items;
    const leftMs = Date.parse(old.expires_at) - Date.now();
    expect([old.id, leftMs > 500_000, leftMs <= 600_000]).toEqual([first.id, true, true]);
    const both = async () => [
      (await withSecret('agt_turn', first.secret)).status,
      (await withSecret('agt_turn', second.body.secret)).status,
    ];
    expect(await both()).toEqual([200, 200]);
    aheadMs = 601_000;
    expect(await both()).toEqual([401, 200]);
    aheadMs = 0;
    expect(await t.opened.db.run('select 1 from revocations where key = $1', [first.id])).toEqual(
      [],
    );
  });

  it('never prolongs what ends sooner', async () => {
    await agent('agt_sooner');
    const at = inFuture(60_000);
    const { body } = await add('agt_sooner', { kind: 'secret', expires_at: at });
    await add('agt_sooner', { kind: 'secret', replaces: body.id, overlap_seconds: 7200 });
    const { items } = (await admin('GET', '/agents/agt_sooner/credentials')).body;
    expect(items.find(({ id }: { id: string }) => id === body.id).expires_at).toBe(at);
  });

  it('makes room at once without an overlap, and keeps to the bound with one', async () => {
    const first = await agent('agt_full');
    for (let n = 0; n < 4; n += 1) await add('agt_full', { kind: 'secret' });
    const turn = (overlap: number) =>
      add('agt_full', { kind: 'secret', replaces: first.id, overlap_seconds: overlap });
    const refused = await turn(60);
    expect([refused.status, refused.body.detail]).toEqual([
      409,
      'agt_full already has 5 credentials of this kind: remove one first',
    ]);
    // Nothing half done: the old one was not shortened.
    const [old] = (await admin('GET', '/agents/agt_full/credentials')).body.items;
    expect([old.id, old.expires_at]).toEqual([first.id, null]);
    expect((await turn(0)).status).toBe(201);
  });
});

describe('expiry is seen coming', () => {
  it('on the agent or client, in lists that ask for it, and on its credentials', async () => {
    await agent('agt_soon');
    await add('agt_soon', { kind: 'secret', name: 'late', expires_at: inFuture(48 * HOUR_MS) });
    const soon = inFuture(2 * HOUR_MS);
    await add('agt_soon', { kind: 'secret', name: 'soon', expires_at: soon });
    const shown = (await admin('GET', '/agents/agt_soon')).body;
    expect(shown.credentials_expire_at).toBe(soon);
    const within = async (path: string, seconds: number) =>
      (await admin('GET', `${path}expiring_within_seconds=${seconds}`)).body.items;
    const ids = async (seconds: number) =>
      (await within('/agents?', seconds)).map(({ id }: { id: string }) => id);
    expect(await ids(3 * 3600)).toContain('agt_soon');
    expect(await ids(3600 + 1800)).not.toContain('agt_soon');
    const names = async (seconds: number) =>
      (await within('/agents/agt_soon/credentials?', seconds)).map(
        ({ name }: { name: string }) => name,
      );
    expect(await names(3 * 3600)).toEqual(['soon']);
    expect(await names(3600)).toEqual([]);
  });

  it('in the log, once a day, unless another one already takes its place', async () => {
    const made = (await agent('agt_warned')).id;
    const days = (count: number) => inFuture(count * 24 * HOUR_MS);
    const secret = async (expires_at: string, more: object = {}): Promise<string> =>
      (await add('agt_warned', { kind: 'secret', expires_at, ...more })).body.id;
    const soon = await secret(days(13));
    const [warned, at] = [[] as unknown[], { ms: Date.now() }];
    const warn = (row: { principal: string; credential: string }) => {
      if (row.principal === 'agt_warned') warned.push(row.credential);
    };
    const look = createExpiryWarnings({
      db: t.opened.db,
      now: () => at.ms,
      log: { warn: warn as never },
    });
    await look();
    await look();
    expect(warned).toEqual([soon]);
    at.ms += 24 * HOUR_MS;
    await secret(days(15), { replaces: soon, overlap_seconds: 3600 });
    // It ends sooner than it did, and something is there in its place; the first never ends.
    await look();
    expect([warned, made === soon]).toEqual([[soon], false]);
  });
});

describe('last use', () => {
  it('is written when the broker closes, to the note’s own time, and costs no request a statement', async () => {
    const opened = await openTestPostgres();
    const usedAt = Date.UTC(2031, 4, 5, 6, 7, 8, 910);
    const mine = await startTestBroker({ opened, deps: { now: () => usedAt } });
    const ask = () =>
      postForm(`${mine.issuer}/token`, ALONE, authFor(mine, AGENT)).then(({ status }) => status);
    expect(await ask()).toBe(200);
    const before = opened.db.roundTrips();
    expect(await ask()).toBe(200);
    expect(opened.db.roundTrips() - before).toBe(1);
    const bad = { authorization: basic(HOST, 'x'.repeat(43)) };
    expect((await postForm(`${mine.issuer}/introspect`, { token: 'x' }, bad)).status).toBe(401);
    await mine.broker.close();
    const rows = await opened.db.run<{ id: string; last_used_at: Date }>(
      'select id, last_used_at from credentials where last_used_at is not null',
    );
    expect(rows.map((row) => [row.id, new Date(row.last_used_at).getTime()])).toEqual([
      ['crd_helper', usedAt],
    ]);
    await opened.close();
  });
});

async function assertion(sub: string, key: KeyObject): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(sub)
    .setSubject(sub)
    .setAudience(t.issuer)
    .setIssuedAt(now)
    .setExpirationTime(now + 60)
    .sign(key);
}
