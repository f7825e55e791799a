// The life of a signing key as everybody sees it: published before it signs, verified as long as what
// it signed lives, gone then; and at once when it was compromised (DESIGN §4, §9.8).
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import { createBroker } from '../../src/broker/app.js';
import { createSecrets } from '../../src/broker/keys/secrets.js';
import { createKeyService } from '../../src/broker/keys/service.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  authFor,
  authorize,
  freePort,
  postForm,
  postToken,
  ROOT_SECRET,
  redeem,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import {
  activeKey,
  admin,
  listKeys,
  nextKey,
  publishedKids,
  type ShownKey,
} from '../support/keys.js';
import { AGENT, FILES, FILES_CLIENT } from '../support/world.js';

let t: TestBroker;
/** A second process's worth of broker on the same database. */
let other: Awaited<ReturnType<typeof startOther>>;

async function startOther(deaf = false) {
  const config = testConfig(await freePort());
  const db = deaf ? { ...t.opened.db, listen: async () => {} } : t.opened.db;
  const broker = await createBroker(config, { db, logTo: { write: () => {} } });
  await broker.listen();
  return { ...t, broker, issuer: config.issuer };
}

beforeAll(async () => {
  t = await startTestBroker();
  other = await startOther();
});
afterAll(async () => {
  await other.broker.close();
  await t.close();
});

/** Lets time pass for the keys: the database's clock is the one that counts. */
const age = (days: number) =>
  t.opened.db.run(
    `update signing_keys set created_at = created_at - make_interval(days => $1::int),
       activated_at = activated_at - make_interval(days => $1::int),
       retires_at = retires_at - make_interval(days => $1::int)`,
    [days],
  );
/** What every process does each minute, and when it hears of a change. */
const upkeep = (rotationDays: number) =>
  createKeyService({
    db: t.opened.db,
    secrets: async () => createSecrets(ROOT_SECRET),
    rules: { rotationDays, leadSeconds: 1200 },
  }).upkeep();
const ask = (at: TestBroker = t) =>
  postToken(at, AGENT, { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' });
const kidOf = (token: string) => decodeProtectedHeader(token).kid as string;
const introspect = async (token: string) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body;
/** Until every process publishes the same set, which NOTIFY brings about. */
const settle = async (): Promise<string[]> => {
  const wanted = (await listKeys(t)).filter(({ state }) => state !== 'retired');
  const kids = wanted.map(({ kid }) => kid).sort();
  await eventually(async () => {
    expect(await publishedKids(t)).toEqual(kids);
    expect(await publishedKids(other)).toEqual(kids);
  });
  return kids;
};
const keyEvents = async () => {
  const { body } = await admin(t, 'GET', '/audit?limit=200');
  return (body.items as { type: string; by: string; detail: object }[])
    .filter(({ type }) => type.startsWith('key.'))
    .map(({ type, by, detail }) => ({ type, by, detail }));
};

describe('the next key', () => {
  it('is published before it signs, from the first start on, and every process publishes it', async () => {
    const keys = await listKeys(t);
    const instant = expect.stringMatching(/^\d{4}-.*Z$/);
    const shown = {
      kid: expect.any(String),
      alg: 'ES256',
      created_at: instant,
      retires_at: null,
      retired_reason: null,
    };
    expect(keys).toEqual([
      { ...shown, state: 'next', activated_at: null },
      { ...shown, state: 'active', activated_at: instant },
    ]);
    expect(await settle()).toEqual(keys.map(({ kid }) => kid).sort());
    expect(kidOf((await ask()).body.access_token)).toBe(activeKey(keys).kid);
    expect(await keyEvents()).toEqual([
      { type: 'key.published', by: 'system', detail: { kid: nextKey(keys).kid, alg: 'ES256' } },
      { type: 'key.activated', by: 'system', detail: { kid: activeKey(keys).kid, alg: 'ES256' } },
    ]);
  });

  it('does not sign before everybody can have read it: a rotation is refused and says from when it is not', async () => {
    const before = await listKeys(t);
    const refused = await admin(t, 'POST', '/keys/rotate', {});
    const from = new Date(Date.parse(nextKey(before).created_at) + 1_200_000).toISOString();
    expect(refused.status).toBe(409);
    expect(JSON.stringify(refused.body)).toContain(
      `the next ES256 key has not been published for long enough: whoever verifies knows it from ${from} on`,
    );
    expect(await listKeys(t)).toEqual(before);
  });

  it('is known to a verifier and to jose that last read the set before the rotation', async () => {
    const fetched: string[] = [];
    const noting: typeof fetch = (input, init) => {
      fetched.push(new URL(String(input)).pathname);
      return fetch(input, init);
    };
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES, fetch: noting });
    const remote = createRemoteJWKSet(new URL(`${t.issuer}/.well-known/jwks.json`), {
      [customFetch]: noting,
    });
    await verifier.verify((await ask()).body.access_token);
    await jwtVerify((await ask()).body.access_token, remote, { issuer: t.issuer });
    const setReads = () => fetched.filter((path) => path.endsWith('jwks.json')).length;
    expect(setReads()).toBe(2);
    await age(1);
    const rotated = await admin(t, 'POST', '/keys/rotate', { alg: 'ES256' });
    expect(rotated.status).toBe(200);
    const { access_token: token } = (await ask()).body;
    expect(kidOf(token)).toBe(activeKey(rotated.body.items).kid);
    expect((await verifier.verify(token)).subject.id).toBe(AGENT);
    await jwtVerify(token, remote, { issuer: t.issuer });
    expect(setReads()).toBe(2);
    await verifier.close();
  });
});

describe('a rotation', () => {
  it('moves every key one step, in one transaction with its events, and every process follows', async () => {
    const before = await listKeys(t);
    const old = (await ask()).body.access_token;
    // Long enough for the key before last to have retired.
    await age(1);
    await upkeep(0);
    const events = (await keyEvents()).length;
    const { status, body } = await admin(t, 'POST', '/keys/rotate', {});
    expect(status).toBe(200);
    const after = body.items as ShownKey[];
    const stateOf = (kid: string) => after.find((key) => key.kid === kid)?.state;
    expect(stateOf(activeKey(before).kid)).toBe('retiring');
    expect(activeKey(after).kid).toBe(nextKey(before).kid);
    expect(before.map(({ kid }) => kid)).not.toContain(nextKey(after).kid);
    expect((await keyEvents()).slice(0, -events)).toEqual([
      { type: 'key.published', by: 'admin', detail: { kid: nextKey(after).kid, alg: 'ES256' } },
      {
        type: 'key.activated',
        by: 'admin',
        detail: { kid: nextKey(before).kid, alg: 'ES256', before: activeKey(before).kid },
      },
    ]);
    await settle();
    for (const at of [t, other]) {
      const { access_token: token } = (await ask(at)).body;
      expect(kidOf(token)).toBe(activeKey(after).kid);
    }
    expect(await introspect(old)).toMatchObject({ active: true, sub: AGENT });
  });

  it('keeps what the old key signed good until the last of it has run out, then forgets the key', async () => {
    const identity = await authorize(t, {
      params: { resource: undefined, requested_actor: undefined, scope: 'openid' },
    });
    const { id_token: idToken } = (await redeem(t, identity, { actor_token: undefined })).body;
    const kid = kidOf(idToken);
    await age(1);
    await admin(t, 'POST', '/keys/rotate', {});
    expect(await settle()).toContain(kid);
    await upkeep(0);
    expect(await settle()).toContain(kid);
    const [row] = await t.opened.db.run<{ seconds: number }>(
      `select extract(epoch from retires_at - clock_timestamp())::int as seconds from signing_keys where kid = $1`,
      [kid],
    );
    // The longest life a resource may ask for, and time for every process to hear of it.
    expect(row?.seconds).toBeGreaterThan(3600);
    await age(1);
    await upkeep(0);
    expect(await settle()).not.toContain(kid);
    const gone = (await listKeys(t)).find((key) => key.kid === kid);
    expect(gone).toMatchObject({ state: 'retired', retired_reason: null });
    const [stored] = await t.opened.db.run<{ private_sealed: string }>(
      'select private_sealed from signing_keys where kid = $1',
      [kid],
    );
    expect(stored).toEqual({ private_sealed: '' });
    // OpenID Connect RP-Initiated Logout §2: an ID token is a good hint long after it has expired.
    const browser = createBrowserless(t.issuer);
    const hinted = await browser.open(`/logout?id_token_hint=${idToken}`);
    expect(hinted.status).toBe(200);
    const forged = await browser.open(`/logout?id_token_hint=${idToken.slice(0, -5)}AAAAA`);
    expect(forged.status).toBe(400);
  });

  it('comes by itself when a key has signed for the configured days, once, however many processes look', async () => {
    const before = await listKeys(t);
    await upkeep(90);
    expect(await listKeys(t)).toEqual(before);
    await age(91);
    await Promise.all(Array.from({ length: 6 }, () => upkeep(0)));
    expect(activeKey(await listKeys(t)).kid).toBe(activeKey(before).kid);
    await Promise.all(Array.from({ length: 6 }, () => upkeep(90)));
    const after = await listKeys(t);
    expect(activeKey(after).kid).toBe(nextKey(before).kid);
    expect(after.filter(({ state }) => state === 'active' || state === 'next')).toHaveLength(2);
    expect(after).toHaveLength(before.length + 1);
    await settle();
  });

  it.each([
    [{ alg: 'PS256' }, 409, 'no resource asks for PS256'],
    [{ alg: 'none' }, 400, 'alg'],
    [{ algs: 'ES256' }, 400, 'is not a known field'],
  ])('refuses %j and names why', async (body, status, sentence) => {
    const before = await listKeys(t);
    const refused = await admin(t, 'POST', '/keys/rotate', body);
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      status,
      expect.stringContaining(sentence),
    ]);
    expect(await listKeys(t)).toEqual(before);
  });
});

describe('a compromised key (DESIGN §4: revocation keys include kid)', () => {
  const retire = (kid: string, body: object) => admin(t, 'POST', `/keys/${kid}/retire`, body);
  const compromised = { compromised: true, reason: 'its backup was stolen' };

  it('stops everything it signed, leaves the published set, and another signs: at once and everywhere', async () => {
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES });
    const stolen = (await ask()).body.access_token;
    await verifier.verify(stolen);
    const before = await listKeys(t);
    const kid = activeKey(before).kid;
    const answer = await retire(kid, compromised);
    const receipt = {
      ended_at: expect.any(String),
      access_tokens: 1,
      exchanged_tokens: 0,
      helper_chains: 0,
      refresh_tokens: 0,
      grants: 0,
      consents: 0,
      revocation: expect.any(Number),
    };
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        ...activeKey(before),
        state: 'retired',
        retires_at: expect.any(String),
        retired_reason: 'its backup was stolen',
        receipt,
      },
    ]);
    expect(await publishedKids(t)).not.toContain(kid);
    expect(await introspect(stolen)).toEqual({ active: false });
    const fresh = await ask();
    expect([fresh.status, kidOf(fresh.body.access_token)]).toEqual([200, nextKey(before).kid]);
    await eventually(() => expect(verifier.verify(stolen)).rejects.toThrow());
    expect((await verifier.verify(fresh.body.access_token)).subject.id).toBe(AGENT);
    await settle();
    expect(kidOf((await ask(other)).body.access_token)).toBe(nextKey(before).kid);
    const [retired, published, activated] = await keyEvents();
    expect([published?.type, activated?.type]).toEqual(['key.published', 'key.activated']);
    expect(retired).toEqual({
      type: 'key.retired',
      by: 'admin',
      detail: {
        kid,
        alg: 'ES256',
        reason: 'its backup was stolen',
        compromised: true,
        receipt: { ...receipt, facts: 1 },
      },
    });
    const { revocation } = answer.body.receipt;
    expect((await admin(t, 'GET', `/revocations/${revocation}`)).body).toMatchObject({
      key: `kid:${kid}`,
      receipt: answer.body.receipt,
    });
    const [row] = await t.opened.db.run('select private_sealed from signing_keys where kid = $1', [
      kid,
    ]);
    expect(row).toEqual({ private_sealed: '' });
    await verifier.close();
  });

  it('is not signed with by a process that has not heard of it: the gate says so, another key signs', async () => {
    const deaf = await startOther(true);
    const kid = activeKey(await listKeys(t)).kid;
    expect(kidOf((await ask(deaf)).body.access_token)).toBe(kid);
    await retire(kid, compromised);
    expect(await publishedKids(deaf)).toContain(kid);
    const { status, body } = await ask(deaf);
    expect(status).toBe(200);
    expect(kidOf(body.access_token)).toBe(activeKey(await listKeys(t)).kid);
    const keys = createRemoteJWKSet(new URL(`${deaf.issuer}/.well-known/jwks.json`));
    await jwtVerify(body.access_token, keys, { issuer: deaf.issuer });
    await deaf.broker.close();
  });

  it('proves nothing as a hint either, though a key that only retired does', async () => {
    const identity = await authorize(t, {
      params: { resource: undefined, requested_actor: undefined, scope: 'openid' },
    });
    const { id_token: idToken } = (await redeem(t, identity, { actor_token: undefined })).body;
    await retire(kidOf(idToken), compromised);
    const page = await createBrowserless(t.issuer).open(`/logout?id_token_hint=${idToken}`);
    expect(page.status).toBe(400);
  });

  it('may be the next one, or a retiring one: the key that signs stays', async () => {
    await age(1);
    await admin(t, 'POST', '/keys/rotate', {});
    const before = await listKeys(t);
    const retiring = before.find(({ state }) => state === 'retiring') as ShownKey;
    for (const { kid } of [nextKey(before), retiring]) {
      expect((await retire(kid, compromised)).status).toBe(200);
      expect(await publishedKids(t)).not.toContain(kid);
    }
    const after = await listKeys(t);
    expect(activeKey(after)).toEqual(activeKey(before));
    expect(nextKey(after).kid).not.toBe(nextKey(before).kid);
  });

  it.each<[string, (kid: string) => string, object, number, string]>([
    ['an unknown key', () => 'nobody', compromised, 404, 'there is no signing key'],
    ['no reason', (kid) => kid, { compromised: true }, 400, 'reason'],
    [
      'a key that is only old',
      (kid) => kid,
      { compromised: false, reason: 'old' },
      400,
      'is rotated instead',
    ],
    ['no word of what it is', (kid) => kid, { reason: 'old' }, 400, 'is rotated instead'],
  ])('refuses %s, and changes nothing', async (_name, kidFor, body, status, sentence) => {
    const before = await listKeys(t);
    const refused = await retire(kidFor(activeKey(before).kid), body);
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      status,
      expect.stringContaining(sentence),
    ]);
    expect(await listKeys(t)).toEqual(before);
  });

  it('is retired once', async () => {
    const retired = (await listKeys(t)).find(({ state }) => state === 'retired') as ShownKey;
    expect((await retire(retired.kid, compromised)).status).toBe(409);
  });
});

describe('several processes that start on an empty database', () => {
  it('make one key that signs and one next key between them, and all publish both', async () => {
    const opened = await openTestPostgres();
    try {
      const configs = await Promise.all(
        Array.from({ length: 6 }, async () =>
          testConfig(await freePort(), { databaseUrl: opened.url }),
        ),
      );
      const brokers = await Promise.all(
        configs.map((config) => createBroker(config, { logTo: { write: () => {} } })),
      );
      await Promise.all(brokers.map((broker) => broker.listen()));
      const sets = await Promise.all(configs.map(publishedKids));
      const rows = await opened.db.run<{ state: string }>(
        'select state from signing_keys order by 1',
      );
      expect(rows).toEqual([{ state: 'active' }, { state: 'next' }]);
      expect(new Set(sets.map((kids) => kids.join())).size).toBe(1);
      await Promise.all(brokers.map((broker) => broker.close()));
    } finally {
      await opened.close();
    }
  });
});

describe('what verifies', () => {
  it('is exactly what is published: jose over the set itself', async () => {
    const { body } = await ask();
    const response = await fetch(`${t.issuer}/.well-known/jwks.json`);
    await jwtVerify(body.access_token, createLocalJWKSet((await response.json()) as never), {
      issuer: t.issuer,
    });
  });
});
