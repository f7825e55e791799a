// The pages behind their real headers, on a real port, so that a browser judges them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { renderConsent, renderError } from '../../src/broker/consent/views.js';
import { pageHeaders } from '../../src/broker/http/headers.js';
import { stylesheet } from '../../src/broker/http/style.css.js';
import { LANGUAGES, type Language } from '../../src/broker/http/texts/index.js';
import { renderHandOver } from '../../src/broker/provider/hand-over.js';
import { renderSignIn, renderSignOut } from '../../src/broker/users/sign-in-views.js';
import { mePagesIn } from './me-models.js';
import * as models from './models.js';

/** Every page and state, by name, in one language. */
export const pagesIn = (language: Language): Readonly<Record<string, string>> => ({
  'consent-agent': renderConsent(models.AGENT_CONSENT, language),
  'consent-changed': renderConsent(models.CHANGED_CONSENT, language),
  'consent-new-agent': renderConsent(models.NEW_AGENT_CONSENT, language),
  'consent-client': renderConsent(models.CLIENT_CONSENT, language),
  'consent-registered': renderConsent(models.REGISTERED_CONSENT, language),
  'consent-document': renderConsent(models.DOCUMENT_CONSENT, language),
  'consent-identity': renderConsent(models.IDENTITY_CONSENT, language),
  'consent-long': renderConsent(models.LONG_CONSENT, language),
  'sign-in': renderSignIn(models.SIGN_IN, language),
  'sign-in-plain': renderSignIn(models.PLAIN_SIGN_IN, language),
  'sign-in-again': renderSignIn(models.SIGN_IN_AGAIN, language),
  'sign-in-fresh': renderSignIn(models.FRESH_SIGN_IN, language),
  'sign-in-wrong': renderSignIn(models.WRONG_SIGN_IN, language),
  'sign-in-throttled': renderSignIn(models.THROTTLED_SIGN_IN, language),
  'sign-out': renderSignOut({ action: '/logout/confirm', xsrf: 'token' }, language),
  'hand-over': renderHandOver(models.HAND_OVER, language),
  ...mePagesIn(language),
  'signed-out': renderError(language.texts.signedOut, language),
  ...Object.fromEntries(
    Object.entries(language.texts.problems).map(([name, words]) => [
      `problem-${name}`,
      renderError({ ...words, details: models.DETAILS }, language),
    ]),
  ),
});

/** By path: English as it is, other languages below their tag. */
export const PAGES: Readonly<Record<string, string>> = {
  ...pagesIn(LANGUAGES.en),
  ...Object.fromEntries(
    Object.entries(pagesIn(LANGUAGES.de)).map(([name, html]) => [`de/${name}`, html]),
  ),
};

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

export interface Site {
  readonly origin: string;
  /** Every POST so far. */
  readonly posts: SeenRequest[];
  /** Where POSTs are answered to go; none: 204. */
  redirectTo: string | undefined;
  /** What GET of a path answers, beside PAGES. */
  readonly extra: Map<string, { html: string; headers: Record<string, string> }>;
  close(): Promise<void>;
}

export async function startSite(): Promise<Site> {
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += chunk;
    });
    req.on('end', () => {
      const { method = '', url = '', headers } = req;
      if (method === 'POST') {
        site.posts.push({ method, url, headers, body });
        if (site.redirectTo === undefined) return res.writeHead(204).end();
        return res.writeHead(303, { location: site.redirectTo }).end();
      }
      if (url === stylesheet.path) {
        return res.writeHead(200, { 'content-type': 'text/css' }).end(stylesheet.body);
      }
      const extra = site.extra.get(url);
      const html = extra?.html ?? PAGES[url.slice(1)];
      if (html === undefined) return res.writeHead(404).end();
      const type = { 'content-type': 'text/html; charset=utf-8' };
      return res.writeHead(200, { ...(extra?.headers ?? pageHeaders({})), ...type }).end(html);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const site: Site = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts: [],
    redirectTo: undefined,
    extra: new Map(),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return site;
}
