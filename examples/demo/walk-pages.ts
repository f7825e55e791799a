/**
 * Walks the sign-in and consent pages as a person without JavaScript would: follows redirects,
 * keeps cookies, fills in the forms it finds. For the demo's `--yes` and for tests.
 */

export interface Visitor {
  readonly email: string;
  readonly password: string;
  /** Scopes to leave ticked; absent: as the page proposes. */
  readonly scopes?: readonly string[];
  /** How many agents may follow in a row; absent: as the page proposes, none. */
  readonly helpers?: number;
  readonly decision?: 'allow' | 'deny';
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
}

export interface Form {
  readonly action: string;
  /** Hidden fields, and ticked boxes, as the page has them. */
  readonly fields: URLSearchParams;
}

const REDIRECTS_MAX = 15;

export type Browserless = ReturnType<typeof createBrowserless>;

/** A cookie jar and a way to fetch with it; one person's browser on one site: the issuer's. */
export function createBrowserless(site: string) {
  const { origin } = new URL(site);
  /** By name and path: two tabs have a cookie of one name each. */
  const cookies = new Map<string, { name: string; value: string; path: string }>();

  const cookieHeader = (path: string): string =>
    [...cookies.values()]
      .filter((cookie) => path.startsWith(cookie.path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  const keep = (headers: Headers): void => {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      const value = pair.slice(at + 1);
      const path = attributes.map((a) => /^\s*path=(.*)$/i.exec(a)?.[1]).find((p) => p) ?? '/';
      const expired = attributes.some((a) => /expires=thu, 01 jan 1970/i.test(a)) || value === '';
      const key = `${name};${path}`;
      if (expired) cookies.delete(key);
      else cookies.set(key, { name, value, path });
    }
  };

  /** One request, no redirect followed. */
  const request = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const target = new URL(url, origin);
    const headers = new Headers(init.headers);
    headers.set('cookie', cookieHeader(target.pathname));
    if (!headers.has('accept')) headers.set('accept', 'text/html');
    const response = await fetch(target, { ...init, headers, redirect: 'manual' });
    keep(response.headers);
    return response;
  };

  /** Follows redirects while they stay on the site; the last answer, or where it leads. */
  const open = async (url: string, init: RequestInit = {}): Promise<Page> => {
    let at = new URL(url, origin).href;
    let response = await request(at, init);
    for (let n = 0; n < REDIRECTS_MAX; n += 1) {
      const location = response.headers.get('location');
      if (location === null) break;
      const next = new URL(location, at).href;
      if (new URL(next).origin !== origin) {
        return { url: next, status: response.status, headers: response.headers, html: '' };
      }
      at = next;
      response = await request(at);
    }
    return {
      url: at,
      status: response.status,
      headers: response.headers,
      html: await response.text(),
    };
  };

  const submit = (
    form: Form,
    extra: Record<string, string | readonly string[]> = {},
  ): Promise<Page> => {
    const body = new URLSearchParams(form.fields);
    for (const [name, value] of Object.entries(extra)) {
      body.delete(name);
      for (const one of [value].flat()) body.append(name, one);
    }
    return open(form.action, {
      method: 'POST',
      body,
      headers: { origin, 'sec-fetch-site': 'same-origin' },
    });
  };

  return { request, open, submit, cookies };
}

const decodeEntities = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

const attribute = (tag: string, name: string): string | undefined => {
  const match = new RegExp(`\\s${name}="([^"]*)"`, 'i').exec(tag);
  return match === null ? undefined : decodeEntities(match[1] ?? '');
};

/** Every form of a page, with what a browser would send if nothing was changed. */
export function formsOf(page: Page): Form[] {
  return [...page.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(
    ([, head = '', body = '']) => {
      const fields = new URLSearchParams();
      for (const [tag] of body.matchAll(/<input\b[^>]*>/gi)) {
        const name = attribute(tag, 'name');
        const type = attribute(tag, 'type') ?? 'text';
        const choice = type === 'checkbox' || type === 'radio';
        if (name === undefined || type === 'submit' || (choice && !/\schecked\b/i.test(tag)))
          continue;
        fields.append(name, attribute(tag, 'value') ?? '');
      }
      return { action: new URL(attribute(head, 'action') ?? '', page.url).href, fields };
    },
  );
}

export const formTo = (page: Page, ending: string): Form | undefined =>
  formsOf(page).find(({ action }) => action.endsWith(ending));

/** Signs in and decides; returns the address the answer is sent to. Throws when the pages do not lead there. */
export async function walkPages(browser: Browserless, url: string, visitor: Visitor): Promise<URL> {
  let page = await browser.open(url);
  const signIn = formTo(page, '/sign-in');
  if (signIn !== undefined) {
    page = await browser.submit(signIn, { email: visitor.email, password: visitor.password });
  }
  const decide = formTo(page, '/decision');
  if (decide !== undefined) {
    page = await browser.submit(decide, {
      decision: visitor.decision ?? 'allow',
      ...(visitor.scopes === undefined ? {} : { scope: visitor.scopes }),
      ...(visitor.helpers === undefined ? {} : { helpers: String(visitor.helpers) }),
    });
  }
  if (page.html !== '') throw new Error(`the pages ended at ${page.status} ${page.url}`);
  return new URL(page.url);
}

/** Signs in at `/me` and stops everything; what the receipt there says. */
export async function withdrawEverything(
  browser: Browserless,
  issuer: string,
  { email, password }: Visitor,
): Promise<ReadonlyMap<string, string>> {
  const asked = await browser.open(`${issuer}/me/stop`);
  const signIn = formTo(asked, '/me/sign-in');
  const page = signIn === undefined ? asked : await browser.submit(signIn, { email, password });
  const stop = formTo(page, '/me/stop');
  if (stop === undefined) throw new Error(`nothing can be stopped at ${page.status} ${page.url}`);
  const { html } = await browser.submit(stop);
  const plain = (text = ''): string => decodeEntities(text.replace(/<[^>]+>/g, '')).trim();
  const rows = html.matchAll(/<dt[^>]*>([\s\S]*?)<\/dt>\s*<dd[^>]*>([\s\S]*?)<\/dd>/g);
  return new Map([...rows].map(([, name, value]) => [plain(name), plain(value)]));
}
