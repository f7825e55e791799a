// Languages over HTTP: what the request says reaches every page of the flow (OIDC Core §3.1.2.1).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf, type Page } from '../../examples/demo/walk-pages.js';
import {
  authFor,
  authorizeUrl,
  pkce,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, CALLBACK, FILES, HOST } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t?.close());

const GERMAN = { headers: { 'accept-language': 'de-CH, en;q=0.5' } };
const languageOf = ({ html }: Page) => /<html lang="([^"]+)">/.exec(html)?.[1];
const headingOf = ({ html }: Page) => /<h1[^>]*>(.*?)<\/h1>/.exec(html)?.[1];

/** Signs in with a wrong and then the right password; every page on the way. */
async function pagesOf(url: string, init?: RequestInit): Promise<Page[]> {
  const browser = createBrowserless(t.issuer);
  const signIn = await browser.open(url, init);
  const submit = (page: Page, password: string) => {
    const form = formsOf(page).find(({ action }) => action.endsWith('/sign-in'));
    if (form === undefined) throw new Error(`no sign-in form: ${page.status}`);
    return browser.submit(form, { email: ANA.email, password });
  };
  const wrong = await submit(signIn, 'wrong');
  return [signIn, wrong, await submit(wrong, ANA.password)];
}

const CONSENT_GERMAN =
  '<strong class="name"><bdi>Helper</bdi></strong> möchte <strong>für Sie</strong> auf <strong class="name"><bdi>File server</bdi></strong> handeln';

describe('ui_locales', () => {
  it('is kept from the request to the last page', async () => {
    const pages = await pagesOf(authorizeUrl(t, pkce().challenge, { ui_locales: 'fr de' }));
    expect(pages.map(languageOf)).toEqual(['de', 'de', 'de']);
    expect(pages.map(({ status }) => status)).toEqual([200, 403, 200]);
    expect(pages.map(headingOf)).toEqual(['Anmelden', 'Anmelden', CONSENT_GERMAN]);
  });

  it('may be pushed (RFC 9126)', async () => {
    const fields = {
      response_type: 'code',
      client_id: HOST,
      redirect_uri: CALLBACK,
      code_challenge: pkce().challenge,
      code_challenge_method: 'S256',
      scope: 'files:write',
      resource: FILES,
      requested_actor: AGENT,
      ui_locales: 'de',
    };
    const pushed = await postForm(`${t.issuer}/par`, fields, authFor(t, HOST));
    const query = new URLSearchParams({ client_id: HOST, request_uri: pushed.body.request_uri });
    const pages = await pagesOf(`${t.issuer}/authorize?${query}`);
    expect(pages.map(languageOf)).toEqual(['de', 'de', 'de']);
  });
});

describe('without ui_locales', () => {
  it.each([
    [GERMAN, 'de'],
    [{}, 'en'],
  ])('the browser is asked: %j', async (init, language) => {
    const browser = createBrowserless(t.issuer);
    const page = await browser.request(authorizeUrl(t, pkce().challenge)).then(async (first) => {
      return browser.open(first.headers.get('location') ?? '', init);
    });
    expect(languageOf(page)).toBe(language);
    expect(page.headers.get('vary')).toContain('Accept-Language');
  });

  it.each(['/authorize', '/interaction/none'])('%s too', async (path) => {
    const page = await createBrowserless(t.issuer).open(path, GERMAN);
    expect(languageOf(page)).toBe('de');
  });
});

it('discovery says which languages there are', async () => {
  const response = await fetch(`${t.issuer}/.well-known/openid-configuration`);
  expect(await response.json()).toMatchObject({ ui_locales_supported: ['en', 'de'] });
});
