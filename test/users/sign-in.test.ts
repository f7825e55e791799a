// Signing in and its limits, on both databases.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditEvents, signInFailures, users } from '../../schema/index.js';
import type { Database } from '../../src/broker/db/database.js';
import { hashPassword, NOBODY, verifyPassword } from '../../src/broker/users/password.js';
import { createSignIn, type SignIn } from '../../src/broker/users/sign-in.js';
import {
  createThrottle,
  forgetSignInFailures,
  networkOf,
} from '../../src/broker/users/throttle.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

const PASSWORD = 'correct horse battery';
const HOME = '198.51.100.7';
const FROM_HOME = { place: { userAgent: 'Test', address: HOME }, lifeSeconds: 60 };
const SECOND = 1000;

describe.each(DATABASES)('signing in, on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let db: Database;
  let nowMs: number;
  let signIn: SignIn;

  beforeAll(async () => {
    opened = await open();
    db = opened.db;
    const passwordHash = await hashPassword(PASSWORD);
    const user = (id: string, more: object = {}) => ({
      id: `usr_${id}`,
      email: `${id}@example.com`,
      emailKey: `${id}@example.com`,
      name: id,
      passwordHash,
      ...more,
    });
    await db.orm
      .insert(users)
      .values([
        user('ana'),
        user('ben'),
        user('disabled', { status: 'disabled' }),
        user('retired', { status: 'retired' }),
        user('passkey', { passwordHash: null }),
      ]);
  });
  afterAll(() => opened?.close());
  beforeEach(async () => {
    await db.orm.delete(signInFailures);
    await db.orm.delete(auditEvents);
    nowMs = 1_800_000_000_000;
    signIn = createSignIn({ db, now: () => nowMs });
  });

  const attempt = (email: string, password: string, address = HOME) =>
    signIn({ email, password, place: { userAgent: 'Test', address }, lifeSeconds: 60 });
  const fail = async (email: string, times: number, address = HOME) => {
    for (let n = 0; n < times; n += 1) {
      expect(await attempt(email, 'wrong', address)).toEqual({ ok: false, problem: 'wrong' });
    }
  };
  const events = async () => {
    const rows = await db.orm.select().from(auditEvents).orderBy(auditEvents.id);
    return rows.map(({ type, by, sub, detail }) => ({ type, by, sub, detail }));
  };
  const WRONG = { ok: false, problem: 'wrong' };
  const throttledFor = (retryAfterSeconds: number) => ({
    ok: false,
    problem: 'throttled',
    retryAfterSeconds,
  });
  const ANA = { ok: true, userId: 'usr_ana', sessionId: expect.stringMatching(/^ses_/) };

  it('takes the right password for an address, however it is written', async () => {
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
    expect(await attempt(' ANA@Example.COM ', PASSWORD)).toEqual(ANA);
    expect(await attempt('ａｎａ@example.com', PASSWORD)).toEqual(ANA);
    const succeeded = {
      type: 'sign_in.succeeded',
      by: 'usr_ana',
      sub: 'usr_ana',
      detail: { session: ANA.sessionId },
    };
    expect(await events()).toEqual([succeeded, succeeded, succeeded]);
  });

  it('answers everything else alike, and tells only the audit why', async () => {
    expect(await attempt('ana@example.com', 'wrong')).toEqual(WRONG);
    expect(await attempt('nobody@example.com', PASSWORD)).toEqual(WRONG);
    expect(await attempt('disabled@example.com', PASSWORD)).toEqual(WRONG);
    expect(await attempt('retired@example.com', PASSWORD)).toEqual(WRONG);
    expect(await attempt('passkey@example.com', PASSWORD)).toEqual(WRONG);
    expect(await attempt('ana@example.com', '')).toEqual(WRONG);
    expect(await attempt('ana@example.com\0', PASSWORD)).toEqual(WRONG);
    expect(await attempt(`${'a'.repeat(300)}@example.com`, PASSWORD)).toEqual(WRONG);
    expect(await attempt('\uD800', PASSWORD)).toEqual(WRONG);
    expect(await attempt('', '')).toEqual(WRONG);
    const failed = (reason: string, sub: string | null = null, failures = 1) => ({
      type: 'sign_in.failed',
      by: null,
      sub,
      detail: { problem: 'wrong', reason, failures },
    });
    expect(await events()).toEqual([
      failed('wrong_password', 'usr_ana'),
      failed('no_such_user'),
      failed('not_active', 'usr_disabled'),
      failed('no_such_user'),
      failed('wrong_password', 'usr_passkey'),
      failed('wrong_password', 'usr_ana', 2),
      ...Array.from({ length: 4 }, () => failed('no_such_user')),
    ]);
  });

  it('costs one verification whoever it is, and none when it is not tried (no enumeration by time)', async () => {
    const counted: Array<string | null> = [];
    const counting = createSignIn({
      db,
      now: () => nowMs,
      verify: (stored, password) => {
        counted.push(stored);
        return verifyPassword(stored, password);
      },
    });
    const emails = ['ana', 'nobody', 'disabled', 'retired', 'passkey'];
    for (const name of emails) {
      const email = `${name}@example.com`;
      await counting({ ...FROM_HOME, email, password: 'wrong' });
      expect([name, counted.length]).toEqual([name, 1]);
      counted.length = 0;
    }
    await fail('ana@example.com', 4);
    await counting({ ...FROM_HOME, email: 'ana@example.com', password: PASSWORD });
    expect(counted).toEqual([]);
  });

  it('verifies at the same cost when there is no account', async () => {
    const costOf = (phc: string) => phc.split('$').slice(0, 4);
    expect(costOf(NOBODY)).toEqual(costOf(await hashPassword(PASSWORD)));
  });

  it.each([
    'ana@example.com',
    'nobody@example.com',
  ])('after five failures lets %s wait, each time twice as long, never more than a minute', async (email) => {
    await fail(email, 5);
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const outcome = await attempt(email, PASSWORD);
      if (outcome.ok || outcome.retryAfterSeconds === undefined) throw new Error('not throttled');
      waits.push(outcome.retryAfterSeconds);
      nowMs += outcome.retryAfterSeconds * SECOND - 1;
      expect(await attempt(email, PASSWORD)).toEqual(throttledFor(1));
      nowMs += 1;
      await fail(email, 1);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    // What was not tried was not recorded.
    expect(await events()).toHaveLength(13);
  });

  it('counts aliases of one address together (M4)', async () => {
    await fail('ana@example.com', 2);
    await fail('ANA@EXAMPLE.COM', 2);
    await fail(' ａｎａ@example.com', 1);
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(throttledFor(1));
  });

  it('forgets the failures of who signed in, and of nobody else', async () => {
    await fail('ana@example.com', 4);
    await fail('ben@example.com', 4);
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
    await fail('ana@example.com', 4);
    await fail('ben@example.com', 1);
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
    expect(await attempt('ben@example.com', PASSWORD)).toEqual(throttledFor(1));
  });

  it('cannot be used to lock somebody out from where they signed in before', async () => {
    expect(await attempt('ana@example.com', PASSWORD, '2001:db8:1:2::5')).toEqual(ANA);
    for (let n = 1; n <= 5; n += 1) await fail('ana@example.com', 5, `203.0.113.${n}`);
    expect(await attempt('ana@example.com', PASSWORD, HOME)).toEqual(throttledFor(1));
    // The same /64 is familiar; it has its own counter, with the same limit.
    await fail('ana@example.com', 5, '2001:db8:1:2::6');
    expect(await attempt('ana@example.com', PASSWORD, '2001:db8:1:2::5')).toEqual(throttledFor(1));
    nowMs += SECOND;
    expect(await attempt('ana@example.com', PASSWORD, '2001:db8:1:2::5')).toEqual(ANA);
  });

  it('one network alone never makes another wait, however long it goes on (M4)', async () => {
    await fail('ana@example.com', 5, '203.0.113.9');
    for (let n = 0; n < 30; n += 1) {
      nowMs += 60 * SECOND;
      await fail('ana@example.com', 1, '203.0.113.9');
      expect(await attempt('ana@example.com', PASSWORD, '203.0.113.9')).toMatchObject({
        problem: 'throttled',
      });
    }
    // Where Ana never was before.
    expect(await attempt('ana@example.com', PASSWORD, HOME)).toEqual(ANA);
  });

  it('five networks together do, for a minute at most; then each failure of any counts', async () => {
    for (let n = 1; n <= 5; n += 1) await fail('ana@example.com', 5, `203.0.113.${n}`);
    nowMs += SECOND;
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      await fail('ana@example.com', 1, `203.0.113.${(n % 5) + 1}`);
      const outcome = await attempt('ana@example.com', PASSWORD, HOME);
      if (outcome.ok || outcome.retryAfterSeconds === undefined) throw new Error('not throttled');
      waits.push(outcome.retryAfterSeconds);
      nowMs += outcome.retryAfterSeconds * SECOND;
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60]);
    expect(await attempt('ana@example.com', PASSWORD, HOME)).toEqual(ANA);
  });

  it('counts an address of many faces once: an IPv6 /64 is one network', async () => {
    await fail('ana@example.com', 3, '2001:db8:1:2::5');
    await fail('ana@example.com', 2, '2001:db8:1:2:ffff::6');
    expect(await attempt('ana@example.com', PASSWORD, '2001:db8:1:2::7')).toEqual(throttledFor(1));
    expect(await attempt('ana@example.com', PASSWORD, '2001:db8:1:3::7')).toEqual(ANA);
  });

  it('lets an address wait after fifty failures, but no one who is familiar there', async () => {
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
    const throttle = createThrottle(db, () => nowMs);
    for (let n = 0; n < 50; n += 1) {
      const admission = await throttle.attempt({ accountKey: `spray${n}`, address: HOME });
      expect(admission).toEqual({ admitted: true, failures: 1 });
    }
    expect(await attempt('ben@example.com', PASSWORD)).toEqual(throttledFor(1));
    expect(await attempt('ben@example.com', PASSWORD, '198.51.100.8')).toMatchObject({ ok: true });
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
  });

  it('does not hold fifty good sign-ins against an address', async () => {
    const throttle = createThrottle(db, () => nowMs);
    for (let n = 0; n < 60; n += 1) {
      const who = { accountKey: `colleague${n}`, address: HOME };
      expect(await throttle.attempt(who)).toMatchObject({ admitted: true });
      await throttle.succeeded(who);
    }
    expect(await attempt('ben@example.com', PASSWORD)).toMatchObject({ ok: true });
  });

  it('lets no flood from a waiting address count against an account', async () => {
    const throttle = createThrottle(db, () => nowMs);
    for (let n = 0; n < 50; n += 1)
      await throttle.attempt({ accountKey: `spray${n}`, address: HOME });
    for (let n = 0; n < 10; n += 1) {
      expect(await attempt('ana@example.com', 'wrong')).toEqual(throttledFor(1));
    }
    expect(await attempt('ana@example.com', PASSWORD, '198.51.100.8')).toEqual(ANA);
  });

  it.each([
    ['one network', 5, () => '203.0.113.9'],
    ['forty networks', 25, (n: number) => `203.0.113.${n}`],
  ])('of forty parallel guesses from %s admits %s, and then not even the right one', async (_from, admitted, address) => {
    const guesses = Array.from({ length: 40 }, (_, n) =>
      attempt('ana@example.com', 'wrong', address(n)),
    );
    const outcomes = await Promise.all(guesses);
    expect(outcomes.filter((o) => !o.ok && o.problem === 'wrong')).toHaveLength(admitted);
    expect(await attempt('ana@example.com', PASSWORD, address(0))).toMatchObject({
      problem: 'throttled',
    });
  });

  it('does not deadlock when good and bad come together from one address', async () => {
    const mixed = Array.from({ length: 24 }, (_, n) =>
      attempt(
        ['ana@example.com', 'ben@example.com'][n % 2] ?? '',
        n % 3 === 0 ? 'wrong' : PASSWORD,
      ),
    );
    const outcomes = await Promise.all(mixed);
    expect(outcomes).toHaveLength(24);
  });

  it('turns away a crowd before it counts anybody', async () => {
    const crowd = Array.from({ length: 120 }, (_, n) =>
      attempt(`crowd${n}@example.com`, 'wrong', `192.0.2.${n}`),
    );
    const outcomes = await Promise.all(crowd);
    expect(outcomes.slice(0, 50)).toEqual(Array.from({ length: 50 }, () => WRONG));
    expect(outcomes.slice(50)).toEqual(Array.from({ length: 70 }, () => throttledFor(1)));
    expect(await events()).toHaveLength(50);
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
  });

  it('has no limit in common for those without an address', async () => {
    const throttle = createThrottle(db, () => nowMs);
    for (let n = 0; n < 60; n += 1) {
      const admission = await throttle.attempt({ accountKey: `spray${n}`, address: '' });
      expect(admission).toMatchObject({ admitted: true });
    }
    await fail('ana@example.com', 5, '');
    expect(await attempt('ana@example.com', PASSWORD, '')).toEqual(throttledFor(1));
  });

  it('forgets after a day, and the sweeper removes what is forgotten', async () => {
    await fail('ana@example.com', 5);
    nowMs += 24 * 3600 * SECOND + 2 * SECOND;
    await fail('ana@example.com', 4);
    expect(await attempt('ana@example.com', PASSWORD)).toEqual(ANA);
    await fail('nobody@example.com', 1);
    const rows = async () =>
      (await db.orm.select({ n: sql<number>`count(*)::int` }).from(signInFailures))[0]?.n;
    // The account nobody has, that account here, the address, and the mark of familiarity.
    expect(await rows()).toBe(4);
    expect(await forgetSignInFailures(db, nowMs, 100)).toBe(0);
    expect(await forgetSignInFailures(db, nowMs + 25 * 3600 * SECOND, 1)).toBe(1);
    expect(await forgetSignInFailures(db, nowMs + 25 * 3600 * SECOND, 100)).toBe(2);
    expect(await rows()).toBe(1);
  });

  it('keeps nothing readable: neither addresses nor networks', async () => {
    await fail('nobody@example.com', 1);
    const keys = (await db.orm.select().from(signInFailures)).map(({ key }) => key);
    expect(keys).toHaveLength(3);
    expect(keys.every((key) => /^[A-Za-z0-9_-]{43}$/.test(key))).toBe(true);
    expect(JSON.stringify(await events())).not.toContain('nobody');
  });
});

it.each([
  ['198.51.100.7', '198.51.100.7'],
  ['::ffff:198.51.100.7', '198.51.100.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['', 'unknown'],
  ['not an address', 'unknown'],
  ['198.51.100.7, 10.0.0.1', 'unknown'],
])('the network of %j is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
