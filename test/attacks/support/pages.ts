// The pages as a person walks them.
import { formsOf } from '../../../examples/demo/walk-pages.js';
import type { Answer, Browser, Fields } from './http.js';
import type { Person } from './party.js';

export type Form = ReturnType<typeof formsOf>[number];

/** Form fields as they are, repeated ones included. */
export const listed = (fields: URLSearchParams): Record<string, string[]> =>
  Object.fromEntries([...new Set(fields.keys())].map((name) => [name, fields.getAll(name)]));

export interface Pages {
  /** The form of a page whose action ends so. */
  form(page: Answer, ending: string, at: string): Form;
  /** Up to the consent page: its address and form. */
  consentPage(
    browser: Browser,
    url: string,
    visitor: Person,
  ): Promise<{ readonly url: string; readonly form: Form; readonly answer: Answer }>;
  /** Opens an address, signs in, allows; the answer that leads back to the client. */
  walk(browser: Browser, url: string, visitor: Person, fields?: Fields): Promise<Answer>;
}

export function createPages(issuer: string): Pages {
  const pages: Pages = {
    form: (page, ending, at) => {
      const { status, text: html } = page;
      const url = new URL(at, issuer).href;
      const forms = formsOf({ url, status, headers: new Headers(), html });
      const found = forms.find(({ action }) => action.endsWith(ending));
      if (found === undefined)
        throw new Error(`no form to ${ending} at ${at}: ${status} ${html.slice(0, 300)}`);
      return found;
    },
    consentPage: async (browser, url, { email, password }) => {
      let { answer, url: at } = await browser.open(url);
      if (answer.text.includes('/sign-in"')) {
        const form = pages.form(answer, '/sign-in', at);
        const fields = { ...Object.fromEntries(form.fields), email, password };
        const posted = await browser.post(form.action, fields);
        ({ answer, url: at } = await browser.follow(posted, form.action));
      }
      return { answer, url: at, form: pages.form(answer, '/decision', at) };
    },
    walk: async (browser, url, visitor, fields = {}) => {
      const { form } = await pages.consentPage(browser, url, visitor);
      const sent = { ...listed(form.fields), decision: 'allow', ...fields };
      const { answer } = await browser.follow(await browser.post(form.action, sent), form.action);
      return answer;
    },
  };
  return pages;
}
