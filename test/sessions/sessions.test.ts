// Browser sessions through the pages of an authorization: a row for each sign-in, and a row that is
// ended means nobody is signed in, whatever the browser still holds (DESIGN §6, ends; I10).
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import { endSessions, forgetSessions, joinSession } from '../../src/broker/sessions/store.js';
import {
  authorize,
  authorizeUrl,
  pkce,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';
import { ANA, BEN } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());
beforeEach(async () => {
  for (const table of ['user_sessions', 'artifacts', 'grants', 'consents', 'audit_events'])
    await t.broker.db.run(`delete from ${table}`);
});

const db = () => t.broker.db;
const sessions = () =>
  db().run<Record<string, unknown>>(
    `select user_id, user_agent, address, ended_reason, uid = id as waiting,
       exists (select from artifacts a where a.model = 'Session' and a.uid = s.uid) as kept
     from user_sessions s order by signed_in_at`,
  );
const end = (userId = ANA.id) =>
  db().transaction((tx) => endSessions(tx, { userId, reason: 'everywhere' }));
type Browserless = ReturnType<typeof createBrowserless>;
const isSignedIn = async (browser: Browserless): Promise<boolean> => {
  const page = await browser.open(authorizeUrl(t, pkce().challenge));
  return new URL(page.url).searchParams.has('code');
};
/** Up to the consent page, signed in. */
const atConsent = async (browser: Browserless, user = ANA) => {
  const page = await browser.open(authorizeUrl(t, pkce().challenge, { prompt: 'consent' }));
  const [form] = formsOf(page).filter(({ action }) => action.endsWith('/sign-in'));
  const next = form === undefined ? page : await browser.submit(form, user);
  const decision = formsOf(next).find(({ action }) => action.endsWith('/decision'));
  if (decision === undefined) throw new Error(`no consent page: ${next.html}`);
  return decision;
};
const LIVE = {
  user_id: ANA.id,
  user_agent: 'node',
  address: '127.0.0.1',
  ended_reason: null,
  waiting: false,
  kept: true,
};

describe('a sign-in in an authorization', () => {
  it('leaves a row that says who, in which browser, from where', async () => {
    const { browser } = await authorize(t);
    expect(await sessions()).toEqual([LIVE]);
    const [event] = await db().run<{ detail: { session: string } }>(
      "select detail from audit_events where type = 'sign_in.succeeded'",
    );
    const [row] = await db().run<{ id: string }>('select id from user_sessions');
    expect(event?.detail.session).toBe(row?.id);
    expect(await isSignedIn(browser)).toBe(true);
  });

  it('is remembered by every authorization given in it', async () => {
    const { browser } = await authorize(t, { params: { scope: 'files:list' } });
    // In silence, and with a question to somebody who is signed in.
    await browser.open(authorizeUrl(t, pkce().challenge, { scope: 'files:list' }));
    await authorize(t, { browser, params: { prompt: 'consent' } });
    const [row] = await db().run<{ id: string }>('select id from user_sessions');
    const grants = await db().run<{ session_id: string }>('select session_id from grants');
    expect(grants.map(({ session_id }) => session_id)).toEqual([row?.id, row?.id, row?.id]);
  });

  it('again in the same browser replaces the row, and another browser has one of its own', async () => {
    const { browser } = await authorize(t);
    await authorize(t, { browser, params: { prompt: 'login' } });
    await authorize(t);
    expect(await sessions()).toEqual([
      { ...LIVE, ended_reason: 'replaced', kept: false },
      LIVE,
      LIVE,
    ]);
  });

  it('changes what the cookie says, so that nobody who planted it is signed in (I10)', async () => {
    const cookie = (browser: Browserless) => browser.cookies.get('behalf_session;/')?.value;
    const browser = createBrowserless(t.issuer);
    await browser.open(`${t.issuer}/logout`);
    const planted = cookie(browser);
    expect(planted).toBeDefined();
    await authorize(t, { browser });
    expect(cookie(browser)).not.toBe(planted);
    const thief = createBrowserless(t.issuer);
    for (const [key, one] of browser.cookies) thief.cookies.set(key, one);
    thief.cookies.set('behalf_session;/', {
      name: 'behalf_session',
      value: planted as string,
      path: '/',
    });
    expect(await isSignedIn(thief)).toBe(false);
  });

  it('by somebody else ends the session of whoever was there', async () => {
    const { browser } = await authorize(t);
    const page = await browser.open(authorizeUrl(t, pkce().challenge, { prompt: 'login' }));
    const [form] = formsOf(page);
    let next = await browser.submit(form as never, BEN);
    next = await browser.submit(
      formsOf(next).find((f) => f.action.endsWith('/decision')) as never,
      {
        decision: 'allow',
      },
    );
    // The engine asks the browser to post itself the sign-out of the other one.
    await browser.submit(formsOf(next)[0] as never);
    expect(await sessions()).toEqual([
      { ...LIVE, ended_reason: 'sign_out', kept: false },
      { ...LIVE, user_id: BEN.id },
    ]);
  });
});

describe('a session that was ended', () => {
  it('is not signed in any more, whatever its browser holds', async () => {
    const { browser } = await authorize(t);
    expect(await end()).toBe(1);
    expect(await isSignedIn(browser)).toBe(false);
    expect(await sessions()).toEqual([{ ...LIVE, ended_reason: 'everywhere', kept: false }]);
    const events = await db().run(
      "select type, by, sub, detail ->> 'reason' as reason from audit_events where type = 'session.ended'",
    );
    expect(events).toEqual([
      { type: 'session.ended', by: ANA.id, sub: ANA.id, reason: 'everywhere' },
    ]);
  });

  it('leaves the sessions of others alone', async () => {
    const { browser } = await authorize(t);
    expect(await end(BEN.id)).toBe(0);
    expect(await isSignedIn(browser)).toBe(true);
  });

  it('does not come back when a request in flight writes it once more', async () => {
    const { browser } = await authorize(t);
    const [kept] = await db().run<{ row: string }>(
      "select to_jsonb(a)::text as row from artifacts a where model = 'Session'",
    );
    await end();
    await db().run(
      'insert into artifacts select * from jsonb_populate_record(null::artifacts, $1::text::jsonb)',
      [kept?.row],
    );
    expect(await isSignedIn(browser)).toBe(false);
  });

  it('decides nothing on a consent page that was open (earlier session)', async () => {
    const { browser } = await authorize(t);
    const form = await atConsent(browser);
    await end();
    await db().run('delete from consents where false');
    const page = await browser.submit(form, { decision: 'allow' });
    expect(page.status).toBe(400);
    expect(
      await db().run("select 1 from audit_events where type = 'consent.granted'"),
    ).toHaveLength(1);
  });

  it('decides nothing on a consent page that was open (signed in for it)', async () => {
    const browser = createBrowserless(t.issuer);
    const form = await atConsent(browser);
    expect(await sessions()).toEqual([{ ...LIVE, waiting: true, kept: false }]);
    await end();
    const page = await browser.submit(form, { decision: 'allow' });
    expect(formsOf(page).map(({ action }) => action)).toEqual([
      expect.stringMatching(/\/sign-in$/),
    ]);
    expect(await db().run('select 1 from consents')).toEqual([]);
  });

  it('gives no code when it ends between the decision and the way back', async () => {
    const browser = createBrowserless(t.issuer);
    const form = await atConsent(browser);
    const answer = await browser.request(form.action, {
      method: 'POST',
      body: new URLSearchParams([...form.fields, ['decision', 'allow']]),
      headers: { origin: t.issuer, 'sec-fetch-site': 'same-origin' },
    });
    await end();
    const page = await browser.open(answer.headers.get('location') as string);
    expect(formsOf(page).map(({ action }) => action)).toEqual([
      expect.stringMatching(/\/sign-in$/),
    ]);
    expect(await isSignedIn(browser)).toBe(false);
  });

  it('is ended by signing out at the engine (RP-Initiated Logout §2)', async () => {
    const { browser } = await authorize(t);
    const page = await browser.open(`${t.issuer}/logout`);
    const [form] = formsOf(page);
    await browser.submit(form as never);
    expect(await sessions()).toEqual([LIVE]);
    const again = await browser.open(`${t.issuer}/logout`);
    await browser.submit(formsOf(again)[0] as never, { logout: 'yes' });
    expect(await sessions()).toEqual([{ ...LIVE, ended_reason: 'sign_out', kept: false }]);
  });
});

describe('being seen', () => {
  it('is noted once a minute at most, and keeps the row as long as the session', async () => {
    const { browser } = await authorize(t);
    const seen = async () =>
      (
        await db().run<{ seen: string; until: string }>(
          'select last_seen_at::text as seen, expires_at::text as until from user_sessions',
        )
      )[0];
    const first = await seen();
    expect(await isSignedIn(browser)).toBe(true);
    expect(await seen()).toEqual(first);
    await db().run("update user_sessions set last_seen_at = last_seen_at - interval '61 seconds'");
    expect(await isSignedIn(browser)).toBe(true);
    const later = await seen();
    expect((later?.seen ?? '') > (first?.seen ?? '')).toBe(true);
    expect((later?.until ?? '') > (first?.until ?? '')).toBe(true);
  });
});

describe.each(DATABASES)('user_sessions on %s', (_name, open) => {
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  const insert = (id: string, life: string) =>
    opened.db.run(
      `insert into user_sessions (id, uid, user_id, expires_at)
       values ($1, $1, 'usr_x', clock_timestamp() + $2::text::interval)`,
      [id, life],
    );

  it('joins a proof once, to one key, and only while it holds', async () => {
    await insert('ses_a', '1 minute');
    expect(await joinSession(opened.db, 'ses_a', 'key', 60)).toBe(true);
    expect(await joinSession(opened.db, 'ses_a', 'key', 60)).toBe(true);
    expect(await joinSession(opened.db, 'ses_a', 'other', 60)).toBe(false);
    await insert('ses_b', '-1 second');
    expect(await joinSession(opened.db, 'ses_b', 'key-b', 60)).toBe(false);
    expect(await joinSession(opened.db, 'ses_none', 'key-c', 60)).toBe(false);
  });

  it('forgets what has run out, a bounded number at a time', async () => {
    for (const n of [1, 2, 3]) await insert(`ses_old${n}`, '-2 hours');
    await insert('ses_new', '-1 minute');
    expect(await forgetSessions(opened.db, 2)).toBe(2);
    expect(await forgetSessions(opened.db, 2)).toBe(1);
    const left = await opened.db.run<{ id: string }>('select id from user_sessions order by id');
    expect(left.map(({ id }) => id)).toContain('ses_new');
  });
});
