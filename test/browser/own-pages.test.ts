// `/me` in a real browser, with JavaScript off, against a real broker: from seeing what acts to
// stopping all of it, as one person walks it (DESIGN §6, §12), in each language.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LANGUAGES, type Language, phrase } from '../../src/broker/http/texts/index.js';
import {
  actorToken,
  authFor,
  authorize,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { type Browser, launchBrowser, type Page } from '../support/browser.js';
import { AGENT, ANA, BEN, FILES_CLIENT, HOST, OTHER_AGENT } from '../support/world.js';

const NEXT = 'a better one, and longer';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const HELPER = { actor: 'Helper', place: 'File server' };
const OTHER = { actor: 'Other', place: 'File server' };

interface Who {
  readonly email: string;
  readonly password: string;
}

let t: TestBroker;
let browser: Browser;
beforeAll(async () => {
  [t, browser] = await Promise.all([startTestBroker(), launchBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await t?.close();
});

/** What the agent got for this person, by its own walk through the pages elsewhere. */
async function act(who: Who, agent: string) {
  const params = { requested_actor: agent, scope: 'files:read' };
  const authorized = await authorize(t, { params, visitor: who });
  const { status, body } = await redeem(t, authorized, { actor_token: await actorToken(t, agent) });
  expect(status).toBe(200);
  return body as { access_token: string; refresh_token: string };
}
const introspect = async (token: string) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body;
const isActive = async (token: string): Promise<boolean> => (await introspect(token)).active;

const heading = (page: Page) => page.locator('h1').innerText();
const main = (page: Page) => page.locator('main').innerText();
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const link = (page: Page, name: string) => page.getByRole('link', { name, exact: true });
/** The counts of a receipt. */
const receiptOn = async (page: Page) =>
  Promise.all(
    (await page.locator('.facts-box dl > div').all())
      .slice(0, 6)
      .map(async (row) => [
        await row.locator('dt').innerText(),
        await row.locator('dd').innerText(),
      ]),
  );
const receiptOf = ({ texts }: Language, ...counts: readonly number[]) => {
  const { receipt: r } = texts.me;
  const { consents, grants, accessTokens, exchangedTokens, helperChains, refreshTokens } = r;
  const terms = [consents, grants, accessTokens, exchangedTokens, helperChains, refreshTokens];
  return terms.map((term, n) => [term, `${counts[n]}`]);
};

async function signedIn(language: Language, who: Who, userAgent?: string): Promise<Page> {
  const context = await browser.newContext({
    javaScriptEnabled: false,
    locale: language.tag,
    ...(userAgent === undefined ? {} : { userAgent }),
  });
  const page = await context.newPage();
  await page.goto(`${t.issuer}/me`);
  await signIn(page, language, who);
  expect(await heading(page)).toBe(language.texts.me.acting.title);
  return page;
}
async function signIn(page: Page, { texts }: Language, who: Who): Promise<void> {
  expect(await heading(page)).toBe(texts.signIn.heading);
  await page.getByLabel(texts.signIn.email).fill(who.email);
  await page.getByLabel(texts.signIn.password).fill(who.password);
  await button(page, texts.signIn.submit).click();
}

/** What acts, one of it in detail, and its end. */
async function stopOne(page: Page, language: Language): Promise<void> {
  const { me } = language.texts;
  expect(await page.locator('.actor h2').allInnerTexts()).toEqual(
    expect.arrayContaining([HELPER.actor, OTHER.actor]),
  );
  await link(page, phrase(me.acting.detailsOf, HELPER)).click();
  expect(await heading(page)).toBe(phrase(me.consent.title, HELPER));
  expect(await main(page)).toContain(AGENT);
  const history = await page.locator('.history li').allInnerTexts();
  expect(history.length).toBeGreaterThanOrEqual(2);
  expect(history.join('\n')).toMatch(/Helper, for .* Example, through Agent Host/);
  await button(page, phrase(me.consent.stopNamed, HELPER)).click();
  expect(await heading(page)).toBe(me.receipt.title);
  expect(await receiptOn(page)).toEqual(receiptOf(language, 1, 1, 1, 0, 0, 1));
  await link(page, me.receipt.back).click();
  expect(await page.locator('.actor h2').allInnerTexts()).toEqual([
    OTHER.actor,
    me.acting.overTitle,
  ]);
}

/** Another browser of the same person, seen and signed out. */
async function endAnother(page: Page, other: Page, { texts }: Language): Promise<void> {
  const { sessions, nav } = texts.me;
  const firefox = phrase(sessions.browserOn, { browser: 'Firefox', system: 'Linux' });
  await link(page, nav.sessions).click();
  expect(await heading(page)).toBe(sessions.title);
  expect(await page.locator('.badge.here').allInnerTexts()).toEqual([sessions.thisOne]);
  const row = page.locator('.row', { hasText: firefox });
  expect(await row.count()).toBe(1);
  await row.getByRole('button').click();
  expect(await heading(page)).toBe(sessions.title);
  expect(await row.count()).toBe(0);
  await other.reload();
  expect(await heading(other)).toBe(texts.signIn.heading);
}

/** First with a wrong present one. */
async function changePassword(page: Page, { texts }: Language, who: Who): Promise<void> {
  const { password, nav, everywhere } = texts.me;
  const submit = async (current: string) => {
    await page.getByLabel(password.current).fill(current);
    await page.getByLabel(password.next, { exact: true }).fill(NEXT);
    await button(page, password.submit).click();
  };
  await link(page, nav.password).click();
  await submit('wrong');
  expect(await page.getByRole('alert').innerText()).toBe(password.wrong);
  await submit(who.password);
  expect(await heading(page)).toBe(password.done);
  // What is as old as the change counts as before it, to the second.
  await sleep(1100);
  await link(page, everywhere.again).click();
}

async function stopEverything(page: Page, language: Language): Promise<void> {
  const { sessions, nav, everywhere } = language.texts.me;
  await link(page, nav.sessions).click();
  await link(page, sessions.everywhere).click();
  expect(await heading(page)).toBe(everywhere.title);
  expect(await page.getByRole('radio', { name: everywhere.keepAgents }).isChecked()).toBe(true);
  await page.getByRole('radio', { name: everywhere.stopAgents }).check();
  await button(page, everywhere.confirm).click();
  expect(await heading(page)).toBe(everywhere.done);
  expect(await main(page)).toContain(everywhere.agentsStopped);
}

describe('DESIGN §6, §12 one’s own pages, without JavaScript', () => {
  it.each([
    ['en', 'What acts for you', ANA],
    ['de', 'Was für Sie handelt', BEN],
  ] as const)('in %s: see, stop one, sign out, a new password, stop all', async (tag, title, who) => {
    const language = LANGUAGES[tag];
    const [helper, other] = [await act(who, AGENT), await act(who, OTHER_AGENT)];
    const page = await signedIn(language, who);
    expect([await heading(page), await page.locator('html').getAttribute('lang')]).toEqual([
      title,
      tag,
    ]);

    await stopOne(page, language);
    expect(await introspect(helper.access_token)).toEqual({ active: false });
    expect(await isActive(other.access_token)).toBe(true);

    await endAnother(page, await signedIn(language, who, FIREFOX), language);
    expect(await isActive(other.access_token)).toBe(true);

    await changePassword(page, language, who);
    expect(await isActive(other.access_token)).toBe(false);
    await signIn(page, language, who);
    expect(await page.getByRole('alert').innerText()).toBe(language.texts.signIn.wrong);
    await signIn(page, language, { ...who, password: NEXT });
    expect(await heading(page)).toBe(title);

    const { access_token: last, refresh_token } = await act(
      { ...who, password: NEXT },
      OTHER_AGENT,
    );
    expect(await isActive(last)).toBe(true);
    await stopEverything(page, language);
    expect(await introspect(last)).toEqual({ active: false });
    const refused = await postToken(t, HOST, { grant_type: 'refresh_token', refresh_token });
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    await page.goto(`${t.issuer}/me`);
    expect(await heading(page)).toBe(language.texts.signIn.heading);
  });
});
