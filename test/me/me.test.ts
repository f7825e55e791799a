// `/me` over HTTP: what acts for a user, and stopping it; nobody else's, ever (DESIGN
// §1.4, §6). Signing in there is signing in everywhere: one session, kept by the engine.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import { record } from '../../src/broker/audit/store.js';
import {
  type Answer,
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
import {
  AGENT,
  ANA,
  BEN,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
  SERVICE,
} from '../support/world.js';
import { type Browserless, formTo, textOf, visit } from './support.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
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
  for (const table of tables) await t.broker.db.run(`delete from ${table}`);
  await t.broker.db.run('delete from sign_in_failures');
});

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** Somebody allows an agent, and it gets its tokens. */
async function act(user = ANA, agent: string | undefined = AGENT): Promise<Tokens> {
  const params = { scope: 'files:read', ...(agent === AGENT ? {} : { requested_actor: agent }) };
  const authorized = await authorize(t, { visitor: user, params });
  const more = agent === AGENT ? {} : { actor_token: await proofOf(agent) };
  const answer = await redeem(t, authorized, more);
  expect(answer.status).toBe(200);
  return answer.body;
}
const proofOf = async (agent: string | undefined): Promise<string | undefined> => {
  if (agent === undefined) return undefined;
  const grant = { grant_type: 'client_credentials', resource: t.issuer };
  return (await postToken(t, agent, grant)).body.access_token;
};
const isActive = async ({ access_token: token }: Tokens): Promise<boolean> =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;
const refresh = ({ refresh_token }: Tokens): Promise<Answer> =>
  postToken(t, HOST, { grant_type: 'refresh_token', refresh_token });
const consentIds = async (userId = ANA.id): Promise<string[]> =>
  (
    await t.broker.db.run<{ id: string }>(
      'select id from consents where user_id = $1 order by created_at',
      [userId],
    )
  ).map(({ id }) => id);
const post = (browser: Browserless, path: string, fields: Record<string, string>) =>
  browser.request(`${t.issuer}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers: { origin: t.issuer, 'sec-fetch-site': 'same-origin' },
  });
const endedOf = (type: string) =>
  t.broker.db.run<{ by: string; detail: unknown }>(
    'select by, detail from audit_events where type = $1 order by id',
    [type],
  );

describe('signing in without a client', () => {
  it('shows the sign-in page, and leads on to the page that was asked for', async () => {
    const browser = createBrowserless(t.issuer);
    const asked = await browser.open(`${t.issuer}/me/sessions`);
    expect([asked.status, textOf(asked)]).toEqual([
      200,
      expect.stringContaining('to see and stop what acts for you'),
    ]);
    const page = await browser.submit(formTo(asked, '/me/sign-in'), ANA);
    expect(page.url).toBe(`${t.issuer}/me/sessions`);
    expect(textOf(page)).toContain('Signed in as Ana Example');
  });

  it('is signed in for authorizations too, and the other way round', async () => {
    await act();
    const { browser } = await visit(t);
    const silent = await browser.open(authorizeUrl(t, pkce().challenge, { scope: 'files:read' }));
    expect(new URL(silent.url).searchParams.has('code')).toBe(true);
    const { browser: other } = await authorize(t, { params: { scope: 'files:read' } });
    expect(textOf(await other.open(`${t.issuer}/me`))).toContain('Signed in as Ana Example');
  });

  it('never continues the session a browser came with (I10)', async () => {
    const browser = createBrowserless(t.issuer);
    await browser.open(`${t.issuer}/logout`);
    const planted = browser.cookies.get('behalf_session;/')?.value as string;
    await visit(t, ANA, browser);
    const own = browser.cookies.get('behalf_session;/')?.value as string;
    expect(own).not.toBe(planted);
    const thief = createBrowserless(t.issuer);
    for (const [key, one] of browser.cookies) {
      thief.cookies.set(key, key === 'behalf_session;/' ? { ...one, value: planted } : one);
    }
    expect(formsOf(await thief.open(`${t.issuer}/me`))[0]?.action).toMatch(/sign-in$/);
    // Nor does signing in again: the one before is over.
    const before = new Map(browser.cookies);
    const again = await browser.open(`${t.issuer}/me`);
    expect(textOf(again)).toContain('Ana Example');
    const out = await browser.submit(formTo(again, '/end'));
    await browser.submit(formTo(out, '/me/sign-in'), BEN);
    const earlier = createBrowserless(t.issuer);
    for (const [key, one] of before) earlier.cookies.set(key, one);
    expect(formsOf(await earlier.open(`${t.issuer}/me`))[0]?.action).toMatch(/sign-in$/);
  });

  it('says no alike for a wrong password and an unknown address, and counts both (M4)', async () => {
    const fail = async (email: string) => {
      const browser = createBrowserless(t.issuer);
      const asked = await browser.open(`${t.issuer}/me`);
      const page = await browser.submit(formTo(asked, '/me/sign-in'), { email, password: 'wrong' });
      return [page.status, textOf(page)];
    };
    const wrong = await fail(ANA.email);
    expect(wrong).toEqual([403, expect.stringContaining('is not right')]);
    expect(await fail('nobody@example.com')).toEqual(wrong);
    for (let n = 0; n < 4; n += 1) await fail(ANA.email);
    expect((await fail(ANA.email))[0]).toBe(429);
    expect(await endedOf('sign_in.failed')).toHaveLength(6);
  });

  it('sets a cookie nobody else can set or read, for as long as the session lasts', async () => {
    const browser = createBrowserless(t.issuer);
    const asked = await browser.open(`${t.issuer}/me`);
    const { fields } = formTo(asked, '/me/sign-in');
    const answer = await post(browser, '/me/sign-in', {
      form: fields.get('form') ?? '',
      ...ANA,
    });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/me']);
    const line = answer.headers.getSetCookie().find((one) => one.startsWith('behalf_session='));
    expect(line).toMatch(
      /^behalf_session=[A-Za-z0-9_-]{43}; path=\/; expires=[^;]+ GMT; samesite=lax; httponly$/i,
    );
  });
});

describe('what acts for a user', () => {
  it('says who, through what, where, what, until when, and when it was last used', async () => {
    await act();
    const { page } = await visit(t);
    const text = textOf(page);
    for (const words of [
      'Helper',
      'Run by Example Ops',
      'File server',
      'List your files; Read your files',
      'Through Agent Host',
      'Passing work on Not allowed',
      'Since',
      'Until',
      'Last used',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain('Last used Not yet');
    const headers = Object.fromEntries(page.headers);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      vary: 'Accept-Language',
    });
    expect(headers['content-security-policy']).toContain("form-action 'self'");
  });

  it('tells a client without an agent apart, and one that was never used', async () => {
    await authorize(t, { params: { requested_actor: undefined, scope: 'openid files:read' } });
    const { page } = await visit(t);
    expect(textOf(page)).toContain(
      'Agent Host File server List your files; Read your files; Know that it is you Since',
    );
    expect(textOf(page)).toContain('Last used Not yet');
  });

  it('says so when the operator has paused or blocked what acts', async () => {
    await act();
    const text = async (status: string) => {
      await t.broker.db.run('update agents set status = $1 where id = $2', [status, AGENT]);
      const { page } = await visit(t);
      await t.broker.db.run("update agents set status = 'active' where id = $1", [AGENT]);
      return textOf(page);
    };
    expect(await text('paused')).toContain('Paused by those who run this service');
    expect(await text('blocked')).toContain('Blocked by those who run this service');
    expect(await text('active')).not.toContain('by those who run this service');
  });

  it('shows one consent with what happened under it, newest first, and nothing of another', async () => {
    await act();
    await act(ANA, OTHER_AGENT);
    const [id] = await consentIds();
    const { browser } = await visit(t);
    const page = await browser.open(`${t.issuer}/me/consents/${id}`);
    const text = textOf(page);
    expect(text).toContain('Agent id agt_helper');
    const happened = text.slice(text.indexOf('What happened'));
    expect(happened).toMatch(
      /got a token at File server.*an authorization of Ana Example for Helper.*began.*Ana Example allowed Helper/,
    );
    expect(happened).not.toContain('Other');
  });

  it('believes a report only of a token issued for the reporting resource', async () => {
    const tokens = await act();
    const [id] = await consentIds();
    const [issued] = await t.broker.db.run<{ jti: string }>(
      "select jti from audit_events where type = 'token.issued' and jti like 'cns_%'",
    );
    expect(tokens.access_token).toBeDefined();
    const report = (jti: string, tool: string, resource = FILES) =>
      record(t.broker.db.orm, {
        type: 'tool.allowed',
        by: FILES_CLIENT,
        jti,
        sub: ANA.id,
        agentId: AGENT,
        clientId: HOST,
        resource,
        detail: { tool, required: [] },
      });
    await report(issued?.jti as string, 'read_file');
    await report(`${id}.gnt_none.t1`, 'forged_id');
    await report(issued?.jti as string, 'foreign_place', 'https://notes.example/api');
    const { browser } = await visit(t);
    const text = textOf(await browser.open(`${t.issuer}/me/consents/${id}`));
    expect(text).toContain('was allowed read_file');
    expect(text).not.toContain('forged_id');
    expect(text).not.toContain('foreign_place');
  });

  it('pages a long history, without a gap and without an end to click on', async () => {
    await act();
    const [id] = await consentIds();
    const [grant] = await t.broker.db.run<{ id: string }>('select id from grants');
    const refused = { type: 'token.refused', sub: ANA.id, agentId: AGENT, clientId: HOST } as const;
    for (let n = 1; n <= 120; n += 1)
      await record(t.broker.db.orm, { ...refused, grantId: grant?.id, detail: { rule: `n${n}` } });
    const { browser } = await visit(t);
    const seen: string[] = [];
    let next: string | undefined = `/me/consents/${id}`;
    let pages = 0;
    while (next !== undefined) {
      const page = await browser.open(`${t.issuer}${next}`);
      seen.push(
        ...[...textOf(page).matchAll(/refused a token: (n\d+)/g)].map(([, n]) => n as string),
      );
      next = /href="(\/me\/consents\/[^"]*before=\d+)"/.exec(page.html)?.[1];
      pages += 1;
    }
    expect(pages).toBe(3);
    expect(seen).toEqual(Array.from({ length: 120 }, (_, n) => `n${120 - n}`));
    const odd = await browser.open(`${t.issuer}/me/consents/${id}?before=1%20or%201`);
    expect(odd.status).toBe(200);
  });
});

describe('stopping', () => {
  it('one: its tokens are dead at once, and a receipt says what ended', async () => {
    const tokens = await act();
    expect([await isActive(tokens), (await refresh(tokens)).status]).toEqual([true, 200]);
    const { browser, page } = await visit(t);
    const receipt = await browser.submit(formTo(page, '/stop'));
    expect(receipt.status).toBe(200);
    expect(textOf(receipt)).toMatch(
      /Stopped.*you had given 1 Authorizations under them 1 Keys in use \(access tokens\) 2 Of these, with helpers they were handed on to 0 Ways they were handed on \(helper chains\) 0 Keys to get new ones \(refresh tokens\) 1 Stopped at \d/,
    );
    expect(await isActive(tokens)).toBe(false);
    const refused = await refresh(tokens);
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    const [id] = await consentIds();
    expect(await endedOf('consent.ended')).toEqual([
      {
        by: ANA.id,
        detail: {
          consent: id,
          reason: 'stopped by the user',
          receipt: expect.objectContaining({ consents: 1, access_tokens: 2, refresh_tokens: 1 }),
        },
      },
    ]);
    const after = textOf(await browser.open(`${t.issuer}/me`));
    expect(after).toContain('Nothing acts for you.');
    expect(after).toMatch(/Ended recently Helper, File server Stopped by you, \d/);
    const closer = await browser.open(`${t.issuer}/me/consents/${id}`);
    expect(textOf(closer)).toContain('Stopped by you');
    expect(formsOf(closer).map(({ action }) => action)).toEqual([
      expect.stringMatching(/\/me\/sessions\/ses_[^/]+\/end$/),
    ]);
    // The next time, the user is asked again.
    const asked = await browser.open(authorizeUrl(t, pkce().challenge, { scope: 'files:read' }));
    expect(formTo(asked, '/decision').action).toContain('/interaction/');
  });

  it('one twice: the second finds nothing left, and says so', async () => {
    await act();
    const { browser, page } = await visit(t);
    await browser.submit(formTo(page, '/stop'));
    const again = await browser.submit(formTo(page, '/stop'));
    expect([again.status, textOf(again)]).toEqual([
      200,
      expect.stringContaining('There was nothing left to stop.'),
    ]);
    expect(await endedOf('consent.ended')).toHaveLength(1);
  });

  it('all of one agent leaves the others alone', async () => {
    const [mine, other] = [await act(), await act(ANA, OTHER_AGENT)];
    const bens = await act(BEN);
    const { browser } = await visit(t);
    const question = await browser.open(`${t.issuer}/me/stop?actor=${AGENT}`);
    expect(textOf(question)).toContain('Stop all of Helper? ');
    expect(textOf(question)).not.toContain('Other');
    await browser.submit(formTo(question, '/me/stop'));
    expect([await isActive(mine), await isActive(other), await isActive(bens)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('the receipt says which servers know of it since when; servers one has nothing to do with stay unnamed', async () => {
    const follow = (client: string, resource: string, instance: string, position: number) =>
      t.broker.db.run(
        `insert into feed_followers (client_id, resource, instance, position, at)
         values ($1, $2, $3, $4, '2026-01-02T03:04:05Z')`,
        [client, resource, instance, position],
      );
    const stop = async () => {
      await act();
      const { browser, page } = await visit(t);
      return browser.submit(formTo(page, '/stop'));
    };
    const everything = 10 ** 9;
    await follow(FILES_CLIENT, FILES, 'one', everything);
    await follow(SERVICE, NOTES, 'one', everything);
    const known = await stop();
    expect(textOf(known)).toContain(
      'Which servers know of it File server : since 2 Jan 2026, 03:04 UTC Other servers: 1 of 1 have confirmed it',
    );
    expect(known.html).toContain('<time datetime="2026-01-02T03:04:05.000Z">');
    expect(known.html).not.toContain('Notes');
    // One process of it that is behind: the server does not know yet.
    await follow(FILES_CLIENT, FILES, 'two', 0);
    expect(textOf(await stop())).toMatch(
      /File server : not confirmed yet; last heard from on \d+ \w+ \d{4}, \d\d:\d\d UTC Other servers: 1 of 1/,
    );
    await t.broker.db.run('delete from feed_followers');
    expect(textOf(await stop())).not.toContain('Which servers');
  });

  it('everything is everything of one’s own, in one go', async () => {
    const mine = [await act(), await act(ANA, OTHER_AGENT)];
    const bens = await act(BEN);
    const { browser } = await visit(t);
    const question = await browser.open(`${t.issuer}/me/stop`);
    const receipt = await browser.submit(formTo(question, '/me/stop'));
    expect(textOf(receipt)).toContain('you had given 2 Authorizations under them 2');
    expect(await Promise.all(mine.map(isActive))).toEqual([false, false]);
    expect(await isActive(bens)).toBe(true);
    const [{ at } = { at: [] }] = await t.broker.db.run<{ at: string[] }>(
      'select array_agg(distinct xmin::text) as at from consents where ended_at is not null',
    );
    expect(at).toHaveLength(1);
  });

  it('what has run out counts as over, and there is nothing to stop about it', async () => {
    await act();
    await t.broker.db.run("update consents set expires_at = clock_timestamp() - interval '1 hour'");
    const { browser, page } = await visit(t);
    expect(textOf(page)).toContain(
      'Nothing acts for you. Ended recently Helper, File server Ran out',
    );
    expect((await browser.open(`${t.issuer}/me/stop`)).status).toBe(404);
  });
});

describe('somebody else’s, and what does not exist', () => {
  it('are answered alike: nothing there, and nothing happens (M2)', async () => {
    const bens = await act(BEN);
    const [foreign] = await consentIds(BEN.id);
    const { browser, page } = await visit(t);
    const form = formTo(page, '/end').fields.get('form') ?? '';
    const { browser: other, page: elsewhere } = await visit(t, BEN);
    const session = /\/me\/sessions\/(ses_[\w-]+)\/end/.exec(formTo(elsewhere, '/end').action)?.[1];
    const seen = async (path: string, fields?: Record<string, string>) => {
      const answer =
        fields === undefined
          ? await browser.request(`${t.issuer}${path}`)
          : await post(browser, path, fields);
      const text = (await answer.text()).replace(/<dl[\s\S]*<\/dl>/, '');
      return [answer.status, text];
    };
    const unknown = await seen('/me/consents/cns_AAAAAAAAAAAAAAAAAAAA');
    expect(unknown).toEqual([404, expect.stringContaining('There is nothing here')]);
    expect(await seen(`/me/consents/${foreign}`)).toEqual(unknown);
    expect(await seen('/me/nothing')).toEqual(unknown);
    expect(await seen(`/me/stop?actor=${AGENT}`)).toEqual(unknown);
    expect(await seen('/me/stop?actor=agt_unknown')).toEqual(unknown);
    expect(await seen(`/me/consents/${foreign}/stop`, { form })).toEqual(unknown);
    expect(await seen('/me/consents/cns_none/stop', { form })).toEqual(unknown);
    expect(await seen(`/me/sessions/${session}/end`, { form })).toEqual(unknown);
    expect(await seen('/me/sessions/ses_none/end', { form })).toEqual(unknown);
    // P9: what holds a NUL names nothing, and is no 500.
    expect(await seen('/me/consents/%00')).toEqual(unknown);
    expect(await seen('/me/consents/%00/stop', { form })).toEqual(unknown);
    expect(await seen('/me/sessions/%00/end', { form })).toEqual(unknown);
    expect(await seen('/me/stop', { form, actor: '\u0000' })).toEqual(unknown);
    expect(await isActive(bens)).toBe(true);
    expect(textOf(await other.open(`${t.issuer}/me`))).toContain('Ben Example');
  });

  it('a form of another session does nothing, nor one that was never ours', async () => {
    const tokens = await act();
    const [id] = await consentIds();
    const { page: first } = await visit(t);
    const { browser } = await visit(t);
    for (const form of [formTo(first, '/stop').fields.get('form') ?? '', 'x.y', '']) {
      const answer = await post(browser, `/me/consents/${id}/stop`, { form });
      expect(answer.status).toBe(403);
    }
    expect(await isActive(tokens)).toBe(true);
    expect(await endedOf('request.refused')).toHaveLength(3);
  });

  it('nobody signed in: every page asks, every deed does nothing', async () => {
    await act();
    const [id] = await consentIds();
    const browser = createBrowserless(t.issuer);
    for (const path of [
      '',
      `/consents/${id}`,
      '/stop',
      '/sessions',
      '/sign-out-everywhere',
      '/password',
    ])
      expect(formsOf(await browser.open(`${t.issuer}/me${path}`))[0]?.action).toMatch(
        /\/me\/sign-in$/,
      );
    for (const path of [
      `/consents/${id}/stop`,
      '/stop',
      '/sessions/ses_x/end',
      '/sign-out-everywhere',
      '/password',
    ]) {
      const answer = await post(browser, `/me${path}`, { form: '', actor: '' });
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/me']);
    }
    expect(await endedOf('consent.ended')).toEqual([]);
  });
});
