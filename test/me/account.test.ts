// Where a user is signed in, signing out everywhere, the password; and every form of `/me` forged.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf, type Page } from '../../examples/demo/walk-pages.js';
import {
  authFor,
  authorize,
  authorizeUrl,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { ANA, BEN, FILES, FILES_CLIENT, HOST } from '../support/world.js';
import { type Browserless, formTo, textOf, visit } from './support.js';

let t: TestBroker;
let aside = 0;
beforeAll(async () => {
  t = await startTestBroker({ deps: { now: () => Date.now() + aside } });
});
afterAll(() => t.close());
beforeEach(async () => {
  const tables = [
    'user_sessions',
    'artifacts',
    'grants',
    'consents',
    'audit_events',
    'revocations',
  ];
  for (const table of [...tables, 'sign_in_failures'])
    await t.broker.db.run(`delete from ${table}`);
});

const isSignedIn = async (browser: Browserless): Promise<boolean> =>
  textOf(await browser.open(`${t.issuer}/me`)).includes('Signed in as');
const act = async () => {
  const { body } = await redeem(t, await authorize(t));
  return body as { access_token: string; refresh_token: string };
};
const isActive = async (token: string): Promise<boolean> =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;
const events = (type: string) =>
  t.broker.db.run<{ sub: string; reason: string }>(
    "select sub, detail ->> 'reason' as reason from audit_events where type = $1 order by id",
    [type],
  );

describe('where a user is signed in', () => {
  it('lists one’s own browsers, says which one this is, and ends another', async () => {
    const { browser } = await visit(t);
    const { browser: other } = await authorize(t);
    const { browser: bens } = await visit(t, BEN);
    const page = await browser.open(`${t.issuer}/me/sessions`);
    const text = textOf(page);
    expect(text.match(/Address 127\.0\.0\.1 Signed in/g)).toHaveLength(2);
    expect(text.match(/This browser/g)).toHaveLength(1);
    const own = formTo(page, '/end').action;
    const [another] = formsOf(page).filter(({ action }) => action !== own);
    const after = await browser.submit(another as never);
    expect([after.url, textOf(after).match(/Address/g)?.length]).toEqual([
      `${t.issuer}/me/sessions`,
      1,
    ]);
    expect(await isSignedIn(other)).toBe(false);
    expect(formsOf(await other.open(authorizeUrl(t, pkce().challenge)))[0]?.action).toMatch(
      /\/sign-in$/,
    );
    expect([await isSignedIn(browser), await isSignedIn(bens)]).toEqual([true, true]);
    expect(await events('session.ended')).toEqual([{ sub: ANA.id, reason: 'ended_by_user' }]);
  });

  it('names browsers as people do, and whatever says nothing of itself by what it says', async () => {
    const { browser } = await visit(t);
    const named = async (agent: string | null) => {
      await t.broker.db.run('update user_sessions set user_agent = $1', [agent]);
      const text = textOf(await browser.open(`${t.issuer}/me/sessions`));
      return /browser or the address\. (.*?) This browser/.exec(text)?.[1];
    };
    const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)';
    const seen = [
      await named(
        `${WINDOWS} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36 Edg/150.0`,
      ),
      await named('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'),
      await named(
        'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604',
      ),
      await named('curl/8.0 <b>\u202Ex'),
      await named(null),
    ];
    expect(seen).toEqual([
      'Edge on Windows',
      'Firefox on Linux',
      'Safari on iOS',
      'curl/8.0 &lt;b>x',
      'A browser that does not say what it is',
    ]);
  });

  it('does not list what the operator or a new password has ended', async () => {
    const { browser } = await visit(t);
    await authorize(t);
    await t.broker.db.run(
      "update users set not_before = clock_timestamp() + interval '2 seconds' where id = $1",
      [ANA.id],
    );
    await t.broker.db.run('update policy_epoch set epoch = epoch + 1');
    expect(await isSignedIn(browser)).toBe(false);
    aside = 5000;
    const { browser: later } = await visit(t);
    aside = 0;
    // The row's time is the database's: as if it had been five seconds later.
    await t.broker.db.run(
      `update user_sessions set signed_in_at = signed_in_at + interval '5 seconds'
       where signed_in_at = (select max(signed_in_at) from user_sessions)`,
    );
    const text = textOf(await later.open(`${t.issuer}/me/sessions`));
    expect(text.match(/Address/g)).toHaveLength(1);
    await t.broker.db.run("update users set not_before = 'epoch' where id = $1", [ANA.id]);
    await t.broker.db.run('update policy_epoch set epoch = epoch + 1');
  });

  it('sees a session again at most once a minute', async () => {
    const { browser } = await visit(t);
    const seen = async () =>
      (
        await t.broker.db.run<{ at: string }>('select last_seen_at::text as at from user_sessions')
      )[0]?.at ?? '';
    const first = await seen();
    expect(await isSignedIn(browser)).toBe(true);
    expect(await seen()).toBe(first);
    await t.broker.db.run("update user_sessions set last_seen_at = last_seen_at - interval '61 s'");
    expect(await isSignedIn(browser)).toBe(true);
    expect((await seen()) >= first).toBe(true);
  });

  it('signs out of this browser with one click, and leaves agents alone', async () => {
    const { access_token: token } = await act();
    const { browser, page } = await visit(t);
    const out = await browser.submit(formTo(page, '/end'));
    expect(formsOf(out)[0]?.action).toMatch(/\/me\/sign-in$/);
    expect(await events('session.ended')).toEqual([{ sub: ANA.id, reason: 'sign_out' }]);
    expect(await isActive(token)).toBe(true);
  });
});

describe('signing out everywhere', () => {
  const everywhere = async (agents: string): Promise<Page> => {
    const { browser } = await visit(t);
    const page = await browser.open(`${t.issuer}/me/sign-out-everywhere`);
    return browser.submit(formTo(page, '/sign-out-everywhere'), agents === '' ? {} : { agents });
  };

  it('ends every session and, unless told otherwise, no agent', async () => {
    const { access_token: token } = await act();
    const { browser: other } = await visit(t);
    const { browser: bens } = await visit(t, BEN);
    const page = await everywhere('');
    expect(textOf(page)).toMatch(
      /^You are signed out everywhere You were signed out of 3 browsers\. What you allowed goes on/,
    );
    expect([await isSignedIn(other), await isSignedIn(bens)]).toEqual([false, true]);
    expect(await isActive(token)).toBe(true);
  });

  it('stops agents too when the user says so, with a receipt', async () => {
    const { access_token: token, refresh_token } = await act();
    await t.broker.db.run(
      `insert into feed_followers (client_id, resource, instance, position)
       values ($1, $2, 'one', 1000000000)`,
      [FILES_CLIENT, FILES],
    );
    const page = await everywhere('stop');
    expect(textOf(page)).toMatch(/Which servers know of it File server : since \d/);
    expect(textOf(page)).toMatch(/has stopped, too\. Permissions you had given 1 .* 1 .* 1 .* 1 /);
    expect(await isActive(token)).toBe(false);
    const refused = await postToken(t, HOST, { grant_type: 'refresh_token', refresh_token });
    expect(refused.body.error).toBe('invalid_grant');
    expect(await events('consent.ended')).toEqual([
      { sub: ANA.id, reason: 'signed out everywhere' },
    ]);
  });

  it('also ends a sign-in that is still on its way', async () => {
    const browser = createBrowserless(t.issuer);
    const asked = await browser.open(authorizeUrl(t, pkce().challenge));
    const consent = await browser.submit(formTo(asked, '/sign-in'), ANA);
    await everywhere('');
    const page = await browser.submit(formTo(consent, '/decision'), { decision: 'allow' });
    expect(formsOf(page)[0]?.action).toMatch(/\/sign-in$/);
  });
});

describe('changing the password', () => {
  const NEXT = 'a better one, and longer';
  const change = async (fields: Record<string, string>) => {
    const { browser } = await visit(t);
    const page = await browser.open(`${t.issuer}/me/password`);
    return { browser, page: await browser.submit(formTo(page, '/me/password'), fields) };
  };
  const hash = async () =>
    (
      await t.broker.db.run<{ hash: string }>(
        'select password_hash as hash from users where id = $1',
        [ANA.id],
      )
    )[0]?.hash;

  it.each([
    ['a wrong one', { current: 'wrong', next: NEXT }, 403, 'not the password you have now'],
    ['one too short', { current: ANA.password, next: 'short' }, 422, 'has to have 8 to 256'],
    ['the same', { current: ANA.password, next: ANA.password }, 422, 'you have already'],
  ])('refuses %s, and changes nothing', async (_name, fields, status, words) => {
    const before = await hash();
    const { browser, page } = await change(fields);
    expect([page.status, textOf(page)]).toEqual([status, expect.stringContaining(words)]);
    expect(await hash()).toBe(before);
    expect(await isSignedIn(browser)).toBe(true);
    expect(page.html).not.toContain(NEXT);
  });

  it('slows guesses down, together with those at sign-in (M4)', async () => {
    const { browser } = await visit(t);
    const page = await browser.open(`${t.issuer}/me/password`);
    const guess = async () =>
      (await browser.submit(formTo(page, '/me/password'), { current: 'wrong', next: NEXT })).status;
    for (let n = 0; n < 5; n += 1) expect(await guess()).toBe(403);
    expect(await guess()).toBe(429);
    expect(await events('sign_in.failed')).toHaveLength(5);
    expect((await events('sign_in.failed'))[0]).toEqual({
      sub: ANA.id,
      reason: 'wrong_password_at_change',
    });
  });

  it('ends every session and every authorization; the new one signs in, the old one does not', async () => {
    const { access_token: token, refresh_token } = await act();
    const { browser: other } = await visit(t);
    const before = await hash();
    const { browser, page } = await change({ current: ANA.password, next: NEXT });
    expect([page.status, textOf(page)]).toEqual([
      200,
      expect.stringContaining('Your password was changed'),
    ]);
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([false, false]);
    expect(await isActive(token)).toBe(false);
    const refused = await postToken(t, HOST, { grant_type: 'refresh_token', refresh_token });
    expect(refused.body.error).toBe('invalid_grant');
    aside = 2000;
    expect((await visit(t)).page.status).toBe(403);
    expect(textOf((await visit(t, { ...ANA, password: NEXT })).page)).toContain('Signed in as');
    aside = 0;
    await t.broker.db.run(
      "update users set password_hash = $1, not_before = 'epoch' where id = $2",
      [before, ANA.id],
    );
    await t.broker.db.run('update policy_epoch set epoch = epoch + 1');
  });
});

describe('I1, I11 every form of these pages', () => {
  const FOREIGN: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ['another origin', { origin: 'https://evil.example' }],
    ['an opaque origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sub-domain', { 'sec-fetch-site': 'same-site' }],
    ['an old browser on another site', { referer: 'https://evil.example/' }],
  ];
  const paths = (consent: string, session: string) => [
    `/me/consents/${consent}/stop`,
    '/me/stop',
    `/me/sessions/${session}/end`,
    '/me/sign-out-everywhere',
    '/me/password',
  ];

  it.each(FOREIGN)('posted from %s: refused, recorded, nothing happens', async (_name, headers) => {
    const { access_token: token } = await act();
    const { browser, page } = await visit(t);
    const { action, fields } = formTo(page, '/end');
    const session = /(ses_[\w-]+)\/end$/.exec(action)?.[1] as string;
    const [consent] = await t.broker.db.run<{ id: string }>('select id from consents');
    const body = () =>
      new URLSearchParams([
        ...fields,
        ['actor', ''],
        ['agents', 'stop'],
        ['current', ANA.password],
        ['next', 'a better one, and longer'],
      ]);
    const all = paths(consent?.id as string, session);
    for (const path of all) {
      const answer = await browser.request(`${t.issuer}${path}`, {
        method: 'POST',
        body: body(),
        headers,
      });
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect([await isSignedIn(browser), await isActive(token)]).toEqual([true, true]);
    expect(await events('request.refused')).toHaveLength(all.length);
  });

  it('without the sealed field: refused, recorded, nothing happens', async () => {
    const { access_token: token } = await act();
    const { browser, page } = await visit(t);
    const session = /(ses_[\w-]+)\/end$/.exec(formTo(page, '/end').action)?.[1] as string;
    const [consent] = await t.broker.db.run<{ id: string }>('select id from consents');
    for (const path of paths(consent?.id as string, session)) {
      const answer = await browser.request(`${t.issuer}${path}`, {
        method: 'POST',
        body: new URLSearchParams({ actor: '', agents: 'stop' }),
        headers: { origin: t.issuer },
      });
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect([await isSignedIn(browser), await isActive(token)]).toEqual([true, true]);
  });

  it('a sign-in form of another browser signs nobody in (I11)', async () => {
    const attacker = createBrowserless(t.issuer);
    const theirs = formTo(await attacker.open(`${t.issuer}/me`), '/me/sign-in');
    const victim = createBrowserless(t.issuer);
    await victim.open(`${t.issuer}/me`);
    const body = new URLSearchParams([...theirs.fields].filter(([name]) => name === 'form'));
    body.set('email', BEN.email);
    body.set('password', BEN.password);
    const headers: Record<string, string> = {};
    const forged = await victim.request(theirs.action, { method: 'POST', body, headers });
    expect(forged.status).toBe(403);
    expect(await isSignedIn(victim)).toBe(false);
    expect(await t.broker.db.run('select 1 from user_sessions')).toEqual([]);
  });

  it('a link of another site signs nobody out (I13)', async () => {
    const { browser } = await visit(t);
    await browser.open(`${t.issuer}/me/sign-out-everywhere`);
    await browser.open(`${t.issuer}/me/stop`);
    await browser.open(`${t.issuer}/logout`);
    expect(await isSignedIn(browser)).toBe(true);
  });
});
