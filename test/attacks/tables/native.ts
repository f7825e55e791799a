// A2, A3, A5, A13, A14 where there is no https: wildcards at registration, loopback and custom schemes of
// native apps, pages of no origin. Whoever is let through at a native redirect sees the page, never silence:
// `303 to interaction` would be the attack that worked.
import { ADMIN_TOKEN } from '../../support/broker.js';
import { type Attack, NOTHING_DECIDED, SERVED, seen } from '../support/attack.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const LOCAL = '400 page';
const FAULT = 'an operator’s mistake: nothing was decided about who may what';

/** Wildcards, patterns and near misses: what would have to be compared by more than equality. */
const PATTERNS = [
  'http://localhost:*',
  'http://localhost:*/callback',
  'http://127.0.0.1:*/callback',
  'https://*.host.example/callback',
  'https://*/callback',
  'https://host.example/*',
  'https://host.example/callback*',
  '*',
  'https://.*\\.host\\.example/callback',
  '^https://host.example/callback$',
  'https://host.example/(a|b)',
  'https://{tenant}.host.example/callback',
  'https://host.example/{id}',
  'https://host.example/^callback',
  'https://host.example/callback#x',
  'https://host.example/../callback',
  'https://host.example/%2e%2e/callback',
  'https://HOST.example/callback',
  'https://host.example:443/callback',
  'https://host.example\\@evil.example/',
  'https://user@host.example/callback',
  'https://host.example./callback',
  'https://hоst.example/callback',
  'http://host.example/callback',
  'http://127.1/callback',
  'http://0x7f.1/callback',
  'http://2130706433/callback',
  'http://[::ffff:127.0.0.1]/callback',
  'http://127.0.0.1.nip.io/callback',
  'http://evil.localhost/callback',
  'http://0.0.0.0/callback',
  '//host.example/callback',
  '/callback',
  'https://host.example/call back',
  'https://host.example/callback\u0000',
  'javascript:alert(1)',
  'JavaScript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://host.example/x',
  'view-source:https://host.example/',
  'intent://host.example#Intent;end',
];

const registrations: readonly Attack[] = PATTERNS.map((uri) => ({
  id: 'A2',
  name: `${JSON.stringify(uri)} is registered as a redirect URI`,
  refs: ['35'],
  unaudited: FAULT,
  run: async (w) => {
    const count = async () => (await w.db.run('select 1 from clients')).length;
    const before = await count();
    const answer = await w.send('/admin/v1/clients', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'app', name: 'X', auth: 'none', redirect_uris: [uri] }),
    });
    return [answer.status, (await count()) - before];
  },
  expected: [400, 0],
}));

/** One app for each registered redirect, in each world: casting takes time. */
const cast = (() => {
  const parties = new WeakMap<AttackWorld, Map<string, Promise<Party>>>();
  return (w: AttackWorld, redirectUri: string): Promise<Party> => {
    const known = parties.get(w) ?? new Map<string, Promise<Party>>();
    parties.set(w, known);
    const party = known.get(redirectUri) ?? w.cast({ auth: 'none', redirectUri });
    known.set(redirectUri, party);
    return party;
  };
})();

const asks =
  (registered: string) =>
  ([name, redirect_uri]: readonly [string, string]): Attack => ({
    id: /^http/.test(registered) ? 'A3' : 'A5',
    name: `of ${registered}: ${name}`,
    run: async (w) => {
      const party = await cast(w, registered);
      return seen(await party.browser.get(party.url({ redirect_uri })));
    },
    expected: LOCAL,
  });

const AT_LOCALHOST = 'http://localhost:7777/callback';
const AT_V4 = 'http://127.0.0.1:7777/callback';
const AT_V6 = 'http://[::1]:7777/callback';
const AT_SCHEME = 'cursor://anysphere.cursor-mcp/oauth/callback';
const AT_REVERSED = 'com.example.app:/callback';

const ofLocalhost: ReadonlyArray<readonly [string, string]> = [
  ['127.0.0.1 is not localhost', AT_V4],
  ['[::1] is not localhost', AT_V6],
  ['a sub-domain', 'http://evil.localhost:7777/callback'],
  ['a domain that begins so', 'http://localhost.evil.example:7777/callback'],
  ['a dot after it', 'http://localhost.:7777/callback'],
  ['in upper case', 'http://LOCALHOST:7777/callback'],
  ['as the user of another host', 'http://localhost:7777@evil.example/callback'],
  ['with a user', 'http://evil@localhost:7777/callback'],
  ['with a port that is none', 'http://localhost:99999/callback'],
  ['with a port that is no number', 'http://localhost:7777x/callback'],
  ['with another path', 'http://localhost:7777/callback/'],
  ['with a query', 'http://localhost:7777/callback?x=1'],
  ['with a fragment', 'http://localhost:7777/callback#x'],
  ['with dot segments', 'http://localhost:7777/x/../callback'],
  ['over https', 'https://localhost:7777/callback'],
  ['with a custom scheme', 'app://localhost:7777/callback'],
];

const ofV4: ReadonlyArray<readonly [string, string]> = [
  ['localhost is not 127.0.0.1', AT_LOCALHOST],
  ['an octal address', 'http://0177.0.0.1:7777/callback'],
  ['leading zeros', 'http://127.000.000.001:7777/callback'],
  ['a dot after it', 'http://127.0.0.1.:7777/callback'],
  ['every address', 'http://0.0.0.0:7777/callback'],
  ['full-width digits', 'http://１２７.0.0.1:7777/callback'],
  ['percent-encoded', 'http://%31%32%37.0.0.1:7777/callback'],
  ['as the user of another host', 'http://127.0.0.1:7777@evil.example/callback'],
  ['a backslash', 'http://127.0.0.1:7777\\@evil.example/callback'],
  ['a tab in the host', 'http://127.0.0.1\t:7777/callback'],
  ['another address of the loopback net', 'http://127.255.255.254:7777/callback'],
  ['a private address', 'http://10.0.0.1:7777/callback'],
];

const ofV6: ReadonlyArray<readonly [string, string]> = [
  ['localhost is not [::1]', AT_LOCALHOST],
  ['127.0.0.1 is not [::1]', AT_V4],
  ['written out', 'http://[0:0:0:0:0:0:0:1]:7777/callback'],
  ['with leading zeros', 'http://[::0001]:7777/callback'],
  ['with a zone', 'http://[::1%25lo]:7777/callback'],
  ['mapped', 'http://[::ffff:7f00:1]:7777/callback'],
  ['unspecified', 'http://[::]:7777/callback'],
  ['without brackets', 'http://::1:7777/callback'],
];

const ofScheme: ReadonlyArray<readonly [string, string]> = [
  ['the scheme in upper case', 'CURSOR://anysphere.cursor-mcp/oauth/callback'],
  ['another scheme that begins so', 'cursorx://anysphere.cursor-mcp/oauth/callback'],
  ['another host', 'cursor://evil/oauth/callback'],
  ['the host in upper case', 'cursor://ANYSPHERE.cursor-mcp/oauth/callback'],
  ['a port', 'cursor://anysphere.cursor-mcp:1/oauth/callback'],
  ['a user', 'cursor://x@anysphere.cursor-mcp/oauth/callback'],
  ['another path', 'cursor://anysphere.cursor-mcp/oauth/callback/'],
  ['dot segments', 'cursor://anysphere.cursor-mcp/x/../oauth/callback'],
  ['a query', `${AT_SCHEME}?x=1`],
  ['a fragment', `${AT_SCHEME}#x`],
  ['one slash', 'cursor:/anysphere.cursor-mcp/oauth/callback'],
  ['javascript:', 'javascript:alert(1)'],
  ['javascript: that ends as registered', `javascript://%0aalert(1)//${AT_SCHEME}`],
  ['data:', 'data:text/html,x'],
];

const ofReversed: ReadonlyArray<readonly [string, string]> = [
  ['two slashes', 'com.example.app://callback'],
  ['another app', 'com.example.app2:/callback'],
  ['a host', 'com.example.app://evil.example/callback'],
  ['no path', 'com.example.app:'],
];

/** The nearest that must work: the same app, by the way RFC 8252 gives it. */
const honest: readonly Attack[] = [
  [AT_LOCALHOST, 'http://localhost:50123/callback'],
  [AT_V4, 'http://127.0.0.1:50123/callback'],
  [AT_V6, 'http://[::1]:50123/callback'],
  [AT_SCHEME, AT_SCHEME],
  [AT_REVERSED, AT_REVERSED],
].map(([registered = '', redirect_uri]) => ({
  id: 'A3',
  name: `of ${registered}: ${redirect_uri} is its own, and always shows the page`,
  unaudited: SERVED,
  run: async (w) => {
    const party = await cast(w, registered);
    return seen(await party.browser.get(party.url({ redirect_uri })));
  },
  expected: '303 to interaction',
}));

const CROSS = [
  'null',
  'https://evil.example',
  'cursor://anysphere.cursor-mcp',
  'http://localhost:7777.evil.example',
  'http://localhost:7778',
];

/** A native app has no origin a browser would send: no page at all may read what it is answered. */
const crossOrigin: readonly Attack[] = CROSS.flatMap((origin): Attack[] => [
  {
    id: 'A13',
    name: `a page of ${origin} sends an app’s refresh token: nothing is answered to it`,
    run: async (w) => {
      const { client } = await cast(w, AT_SCHEME);
      const fields = { grant_type: 'refresh_token', refresh_token: 'x' };
      const answer = await w.post('/token', fields, client, { origin });
      const without = await w.post('/token', fields, client);
      return [seen(answer), answer.headers['access-control-allow-origin'], seen(without)];
    },
    // Not even whether it is one.
    expected: ['400 invalid_request', undefined, '400 invalid_grant'],
  },
  {
    id: 'A13',
    name: `a page of ${origin} pushes a request of an app’s, and gives back its token`,
    run: async (w) => {
      const party = await cast(w, AT_LOCALHOST);
      const answers = [
        await w.post('/par', { response_type: 'code' }, party.client, { origin }),
        await w.post('/revoke', { token: 'x' }, party.client, { origin }),
      ];
      return answers.map(({ status, headers }) => [status, headers['access-control-allow-origin']]);
    },
    expected: [
      [400, undefined],
      [400, undefined],
    ],
  },
]);

const framed: readonly Attack[] = [
  {
    id: 'A14',
    name: 'no page of the user’s own may be framed, whoever is signed in, nor what is not there',
    legitimate: { kinds: ['session'], because: 'the pages of an honest walk' },
    unaudited: SERVED,
    run: async (w) => {
      const browsers = [w.ana.browser, w.browser()];
      const paths = ['/me', '/me/sessions', '/me/password', '/me/stop', '/logout/success'];
      const wrong: string[] = [];
      for (const browser of browsers) {
        for (const path of paths) {
          const { headers } = await browser.get(path);
          const policy = headers['content-security-policy'] ?? '';
          if (!policy.includes("frame-ancestors 'none'") || headers['x-frame-options'] !== 'DENY')
            wrong.push(path);
        }
      }
      return wrong;
    },
    expected: [],
  },
  {
    id: 'A14',
    name: 'nor what is not there, nor what programs are answered',
    unaudited: NOTHING_DECIDED,
    run: async (w) => {
      const wrong: string[] = [];
      for (const path of ['/nothing', '/revocations', '/livez/x']) {
        const { headers } = await w.send(path, { headers: { accept: 'text/html' } });
        const policy = headers['content-security-policy'] ?? '';
        if (!policy.includes("frame-ancestors 'none'") || headers['x-frame-options'] !== 'DENY')
          wrong.push(path);
      }
      return wrong;
    },
    expected: [],
  },
];

export const native: readonly Attack[] = [
  ...registrations,
  ...ofLocalhost.map(asks(AT_LOCALHOST)),
  ...ofV4.map(asks(AT_V4)),
  ...ofV6.map(asks(AT_V6)),
  ...ofScheme.map(asks(AT_SCHEME)),
  ...ofReversed.map(asks(AT_REVERSED)),
  ...honest,
  ...crossOrigin,
  ...framed,
];
