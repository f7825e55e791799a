// One person's browser at the own pages, without JavaScript.
import {
  createBrowserless,
  type Form,
  formsOf,
  type Page,
} from '../../examples/demo/walk-pages.js';
import type { TestBroker } from '../support/broker.js';
import { ANA } from '../support/world.js';

export type Browserless = ReturnType<typeof createBrowserless>;

export const formTo = (page: Page, ending: string): Form => {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form to ${ending}: ${page.status} ${page.html}`);
  return form;
};

/** Signed in at `/me`, without any client. */
export async function visit(
  t: TestBroker,
  who: { readonly email: string; readonly password: string } = ANA,
  browser: Browserless = createBrowserless(t.issuer),
  to = '/me',
): Promise<{ readonly browser: Browserless; readonly page: Page }> {
  const { email, password } = who;
  const asked = await browser.open(`${t.issuer}${to}`);
  const page = await browser.submit(formTo(asked, '/me/sign-in'), { email, password });
  return { browser, page };
}

/** What a person reads of a page. */
export const textOf = ({ html }: Page): string =>
  html
    .replace(/^[\s\S]*<main[^>]*>/, '')
    .replace(/<\/main>[\s\S]*$/, '')
    .replace(/<[^>]+>/g, ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')
    .trim();
