// A1–A6: where an answer may go. Ana is signed in and has consented: any address let through here
// would carry her code.
import { pkce } from '../../support/broker.js';
import { CALLBACK, DESKTOP, HOST, LOOPBACK, STRANGER } from '../../support/world.js';
import { type Attack, responseIn, SERVED, seen } from '../support/attack.js';
import type { AttackWorld } from '../support/world.js';

const LOCAL = '400 page';

const mutations: ReadonlyArray<readonly [string, string]> = [
  ['in upper case', CALLBACK.toUpperCase()],
  ['with the host in upper case', 'https://HOST.example/callback'],
  ['with the path in upper case', 'https://host.example/Callback'],
  ['with a slash at the end', `${CALLBACK}/`],
  ['with two slashes', 'https://host.example//callback'],
  ['without its path', 'https://host.example/'],
  ['that is a prefix', CALLBACK.slice(0, -1)],
  ['that continues', `${CALLBACK}x`],
  ['with another path below', `${CALLBACK}/more`],
  ['with a query', `${CALLBACK}?a=b`],
  ['with an empty query', `${CALLBACK}?`],
  ['with a fragment', `${CALLBACK}#x`],
  ['with an empty fragment', `${CALLBACK}#`],
  ['with dot segments', 'https://host.example/x/../callback'],
  ['with encoded dot segments', 'https://host.example/%2e%2e/callback'],
  ['with a NUL', `${CALLBACK}%00`],
  ['with a raw NUL', `${CALLBACK}\0`],
  ['with the host as user', 'https://host.example@evil.example/callback'],
  ['with a user', 'https://evil@host.example/callback'],
  ['with the host as a sub-domain', 'https://host.example.evil.example/callback'],
  ['with a sub-domain', 'https://www.host.example/callback'],
  ['with a dot after the host', 'https://host.example./callback'],
  ['with a backslash', 'https://evil.example\\@host.example/callback'],
  ['with backslashes for slashes', 'https:\\\\host.example\\callback'],
  ['with a tab', 'https://host.example/call\tback'],
  ['with a newline', `${CALLBACK}\n`],
  ['with a space', `${CALLBACK} `],
  ['with a space before', ` ${CALLBACK}`],
  ['with the default port', 'https://host.example:443/callback'],
  ['with another port', 'https://host.example:8443/callback'],
  ['with a homoglyph host', 'https://hоst.example/callback'],
  ['with a punycode host', 'https://xn--hst-hdd.example/callback'],
  ['with a percent-encoded character', 'https://host.example/%63allback'],
  ['encoded twice', encodeURIComponent(CALLBACK)],
  ['with path parameters', `${CALLBACK};x`],
  ['without a scheme', '//host.example/callback'],
  ['that is relative', '/callback'],
  ['over http', 'http://host.example/callback'],
  ['of another client', 'https://stranger.example/cb'],
  ['that is the issuer', 'ISSUER'],
  ['that is a list', `${CALLBACK},https://evil.example`],
  ['with a wildcard', 'https://*.example/callback'],
  ['that is empty', ''],
];

const schemes = [
  'javascript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://host.example/x',
  'about:blank',
  'ws://host.example/callback',
];

const loopbacks: ReadonlyArray<readonly [string, string]> = [
  ['by another path', 'http://127.0.0.1:7777/other'],
  ['as localhost', 'http://localhost:7777/callback'],
  ['as 127.1', 'http://127.1:7777/callback'],
  ['as a hexadecimal address', 'http://0x7f.1:7777/callback'],
  ['as a decimal address', 'http://2130706433:7777/callback'],
  ['as 127.0.0.2', 'http://127.0.0.2:7777/callback'],
  ['as IPv6', 'http://[::1]:7777/callback'],
  ['as a mapped address', 'http://[::ffff:127.0.0.1]:7777/callback'],
  ['by a wildcard name', 'http://127.0.0.1.nip.io:7777/callback'],
  ['over https', 'https://127.0.0.1:7777/callback'],
  ['with a user', 'http://x@127.0.0.1:7777/callback'],
];

const asks = (
  id: string,
  name: string,
  uri: string,
  refs: readonly string[] = [],
  client = HOST,
): Attack => ({
  id,
  name,
  refs,
  run: async (w) => {
    const redirect_uri = uri === 'ISSUER' ? w.issuer : uri;
    return seen(await w.ana.browser.get(w.ana.url({ redirect_uri, client_id: client })));
  },
  expected: LOCAL,
});

const pushed = (w: AttackWorld, redirect_uri: string) =>
  w.post('/par', w.ana.query(pkce().challenge, { redirect_uri }), HOST);

const errors: readonly Attack[] = [
  {
    id: 'A4',
    name: 'an unknown client with a redirect_uri: a local page',
    run: async (w) =>
      seen(
        await w.ana.browser.get(
          w.ana.url({ client_id: 'cli_nobody', redirect_uri: 'https://evil.example' }),
        ),
      ),
    expected: LOCAL,
  },
  {
    id: 'A4',
    name: 'prompt=none with a foreign redirect_uri: a local page',
    run: async (w) =>
      seen(
        await w.ana.browser.get(
          w.ana.url({ prompt: 'none', redirect_uri: 'https://evil.example' }),
        ),
      ),
    expected: LOCAL,
  },
  {
    id: 'A4',
    name: 'an erroneous request with a foreign redirect_uri: a local page',
    run: async (w) =>
      seen(
        await w.ana.browser.get(
          w.ana.url({
            response_type: 'token',
            scope: '\u0000',
            redirect_uri: 'https://evil.example',
          }),
        ),
      ),
    expected: LOCAL,
  },
  {
    id: 'A4',
    name: 'a client that has no redirect_uri at all (an agent): a local page',
    run: async (w) =>
      seen(
        await w.ana.browser.get(w.ana.url({ client_id: 'agt_helper', requested_actor: undefined })),
      ),
    expected: LOCAL,
  },
  {
    id: 'A4',
    name: 'prompt=none and nobody signed in: only to the registered address, with an error',
    run: async (w) => seen(await w.browser().get(w.ana.url({ prompt: 'none' }))),
    expected: '303 to client login_required',
  },
  ...[
    'https://evil.example/',
    'https://host.example.evil.example/',
    'javascript:alert(1)',
    '//evil.example',
    CALLBACK,
  ].map(
    (uri): Attack => ({
      id: 'A4',
      name: `signing out towards ${uri}, which no client registered`,
      run: async (w) => {
        const party = await w.cast();
        const path = `/logout?${w.encode({ client_id: party.client, post_logout_redirect_uri: uri })}`;
        return seen(await party.browser.get(path));
      },
      expected: LOCAL,
    }),
  ),
  {
    id: 'A4',
    name: 'signing out towards an address without saying for which client: the address is dropped',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const page = await party.browser.get(
        `/logout?${w.encode({ post_logout_redirect_uri: 'https://evil.example/' })}`,
      );
      return [seen(page), page.text.includes('evil.example')];
    },
    expected: ['200 page', false],
  },
];

const mixUps: readonly Attack[] = [
  {
    id: 'A6',
    name: 'the answer names its issuer when it is a code',
    refs: ['RFC 9207'],
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request, under her consent' },
    run: async (w) => {
      const { location = '' } = (await w.ana.browser.get(w.ana.url())).headers;
      return new URL(location).searchParams.get('iss') === w.issuer;
    },
    expected: true,
  },
  {
    id: 'A6',
    name: 'the answer names its issuer when it is an error',
    refs: ['RFC 9207'],
    run: async (w) => {
      const { location = '' } = (await w.ana.browser.get(w.ana.url({ response_type: 'token' })))
        .headers;
      return responseIn(location).get('iss') === w.issuer;
    },
    expected: true,
  },
  {
    id: 'A6',
    name: 'the answer names its issuer when it is a form',
    refs: ['RFC 9207'],
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request, under her consent' },
    run: async (w) => {
      const page = await w.ana.browser.get(w.ana.url({ response_mode: 'form_post' }));
      return [page.status, page.text.includes(`name="iss" value="${w.issuer}"`)];
    },
    expected: [200, true],
  },
  ...['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'].map(
    (path): Attack => ({
      id: 'A6',
      name: `${path} names the issuer exactly, whatever Host asks`,
      unaudited: SERVED,
      run: async (w) => {
        const { body } = await w.send(path, { headers: { host: 'evil.example' } });
        return [body.issuer === w.issuer, body.authorization_response_iss_parameter_supported];
      },
      expected: [true, true],
    }),
  ),
];

export const redirects: readonly Attack[] = [
  ...mutations.map(([name, uri]) => asks('A1', `a redirect_uri ${name}`, uri, ['36', '42', '59'])),
  ...mutations.slice(0, 12).map(
    ([name, uri]): Attack => ({
      id: 'A1',
      name: `a pushed redirect_uri ${name}`,
      refs: ['36', '42'],
      run: async (w) => seen(await pushed(w, uri)),
      expected: '400 invalid_request',
    }),
  ),
  {
    id: 'A1',
    name: 'no redirect_uri, though only one is registered',
    run: async (w) => seen(await w.ana.browser.get(w.ana.url({ redirect_uri: undefined }))),
    expected: LOCAL,
  },
  {
    id: 'A1',
    name: 'the exact redirect_uri of another client of the same user',
    run: async (w) =>
      seen(await w.ana.browser.get(w.ana.url({ client_id: STRANGER, requested_actor: undefined }))),
    expected: LOCAL,
  },
  ...schemes.map((uri) => asks('A5', `${uri.split(':')[0]}: as redirect_uri`, uri, ['48', '56'])),
  ...loopbacks.map(([name, uri]) =>
    asks('A3', `the loopback redirect of a desktop app ${name}`, uri, [], DESKTOP),
  ),
  {
    id: 'A3',
    name: 'the loopback redirect by another port is the desktop app’s own (RFC 8252 §7.3): the page, never silence',
    unaudited: SERVED,
    run: async (w) => {
      const redirect_uri = LOOPBACK.replace('7777', '41234');
      return seen(await w.ana.browser.get(w.ana.url({ client_id: DESKTOP, redirect_uri })));
    },
    expected: '303 to interaction',
  },
  ...errors,
  ...mixUps,
];
