// K11, K12, K14: clients that are known by a document only, and those who would pass for one.
import { randomUUID } from 'node:crypto';
import { FILES } from '../../support/world.js';
import { type Attack, SERVED, seen } from '../support/attack.js';
import { createParty } from '../support/party.js';
import { type AttackWorld, SITE } from '../support/world.js';

const CALLBACK = `https://${SITE}/callback`;
const LOOPBACK = 'http://127.0.0.1:7777/callback';

const urlOf = () => `https://${SITE}/${randomUUID()}/client.json`;
const described = (url: string, more = {}) => ({
  client_id: url,
  client_name: 'Claude Code',
  redirect_uris: [CALLBACK, LOOPBACK],
  token_endpoint_auth_method: 'none',
  ...more,
});

/** Ana with a client of a document, without an agent. */
const partyOf = (w: AttackWorld, client: string, redirectUri = CALLBACK) =>
  createParty(w, { user: w.ana.user, client, redirectUri, agent: '', scope: 'files:read' });

const broken: ReadonlyArray<readonly [string, object]> = [
  ['with the client_id of another', { client_id: `https://${SITE}/other.json` }],
  ['with a client_id in another case', { client_id: `https://${SITE.toUpperCase()}/client.json` }],
  ['with a client_secret', { client_secret: 'x'.repeat(43) }],
  ['that authenticates by a secret', { token_endpoint_auth_method: 'client_secret_basic' }],
  ['with a private key', { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }],
  ['of more than 5 KB', { padding: 'x'.repeat(6000) }],
  ['with a wildcard redirect', { redirect_uris: ['http://localhost:*/cb'] }],
  ['with a redirect that runs', { redirect_uris: ['javascript:alert(1)'] }],
];

const documents: readonly Attack[] = [
  ...broken.map(
    ([what, more]): Attack => ({
      id: 'K11',
      name: `a document ${what}`,
      run: async (w) => {
        const url = urlOf();
        w.web.put(url, described(url, more));
        return seen(await w.browser().get(partyOf(w, url).url()));
      },
      expected: '400 page',
    }),
  ),
  ...[
    '/./client.json',
    '/a/../client.json',
    '/%2e%2e/client.json',
    '/client.json#x',
    '/client.json?x',
    '/',
  ].map(
    (path): Attack => ({
      id: 'K11',
      name: `a client_id that ends in ${path}`,
      run: async (w) => {
        const before = w.web.asked.length;
        const answer = seen(await w.browser().get(partyOf(w, `https://${SITE}${path}`).url()));
        return [answer, w.web.asked.length - before];
      },
      expected: ['400 page', 0],
    }),
  ),
  ...[
    ['what no database keeps: NUL, and half a character', { note: 'a\u0000b\ud800', '\u0000': 1 }],
    ['nothing but brackets', { note: JSON.parse(`${'['.repeat(2000)}${']'.repeat(2000)}`) }],
  ].map(
    ([what, more]): Attack => ({
      id: 'K11',
      name: `a document that holds, where nobody looks, ${what}`,
      unaudited: SERVED,
      run: async (w) => {
        const url = urlOf();
        w.web.put(url, described(url, more as object));
        return seen(await w.browser().get(partyOf(w, url).url()));
      },
      expected: '303 to interaction',
    }),
  ),
  {
    id: 'K11',
    name: 'the document changes between the code and its redemption',
    run: async (w) => {
      const url = urlOf();
      w.web.put(url, described(url));
      const party = partyOf(w, url);
      const code = await party.consent();
      w.web.put(url, described(url, { client_name: 'Another' }));
      await stale(w, url);
      return seen(await party.redeem(code));
    },
    expected: '400 invalid_grant',
  },
  {
    id: 'K11',
    name: 'a document that may be kept for ten years, changed: consent is asked again within a day',
    unaudited: SERVED,
    run: async (w) => {
      const url = urlOf();
      w.web.put(url, described(url), { 'cache-control': 'max-age=315360000' });
      const party = partyOf(w, url);
      await party.consent();
      const [row] = await w.db.run<{ hours: number }>(
        `select round(extract(epoch from fresh_until - fetched_at) / 3600)::int as hours
         from client_documents where url = $1`,
        [url],
      );
      w.web.put(url, described(url, { redirect_uris: [CALLBACK, `${CALLBACK}/evil`] }));
      await stale(w, url);
      return [row?.hours, seen(await party.browser.get(party.url()))];
    },
    expected: [24, '303 to interaction'],
  },
];

/** As if its time were over, in every process. */
async function stale(w: AttackWorld, url: string): Promise<void> {
  await w.db.run(
    `update client_documents set fresh_until = clock_timestamp() - interval '1 second' where url = $1`,
    [url],
  );
  await w.restart();
}

const impersonation: readonly Attack[] = [
  {
    id: 'K12',
    name: 'a known app’s document and a program on loopback: the page, each time, with its host on it',
    unaudited: SERVED,
    run: async (w) => {
      const url = urlOf();
      w.web.put(url, described(url));
      const party = partyOf(w, url, LOOPBACK);
      await party.consent();
      const again = await party.browser.get(party.url());
      const { text } = await party.browser.get(again.headers.location ?? '');
      return [seen(again), text.includes('Unverified'), text.includes(SITE), /<img/.test(text)];
    },
    expected: ['303 to interaction', true, true, false],
  },
  {
    id: 'K12',
    name: 'a known app’s document and a program on loopback, without a page (prompt=none)',
    run: async (w) => {
      const url = urlOf();
      w.web.put(url, described(url));
      const party = partyOf(w, url, LOOPBACK);
      await party.consent();
      return seen(await party.browser.get(party.url({ prompt: 'none' })));
    },
    expected: '303 to client consent_required',
  },
];

const names: readonly Attack[] = [
  {
    id: 'K14',
    name: 'the id of a user as a client_id',
    run: async (w) => [
      seen(
        await w.token(undefined, { grant_type: 'client_credentials', client_id: w.ana.user.id }),
      ),
      seen(await w.browser().get(partyOf(w, w.ana.user.id).url())),
    ],
    expected: ['401 invalid_client', '400 page'],
  },
  {
    id: 'K14',
    name: 'a document asks for a token of its own: it has no subject to be taken for a user',
    run: async (w) => {
      const url = urlOf();
      w.web.put(url, described(url));
      await w.honestly(() => partyOf(w, url).consent());
      const fields = { grant_type: 'client_credentials', client_id: url, resource: FILES };
      return seen(await w.token(undefined, fields));
    },
    expected: '400 unauthorized_client',
  },
];

export const clientDocumentAttacks: readonly Attack[] = [...documents, ...impersonation, ...names];
