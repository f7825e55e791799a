// A7–A14: how a request may be asked. Ana is signed in and has consented.
import { pkce } from '../../support/broker.js';
import { AGENT, CALLBACK, FILES, HOST, NOTES, OTHER_AGENT } from '../../support/world.js';
import {
  type Attack,
  NEVER_ARRIVED,
  NOTHING_DECIDED,
  responseIn,
  SERVED,
  seen,
} from '../support/attack.js';
import { codeIn } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const INVALID = '303 to client invalid_request';

const downgrades: readonly Attack[] = [
  ...[
    'token',
    'id_token',
    'code token',
    'code id_token',
    'code id_token token',
    'none',
    'CODE',
  ].map(
    (response_type): Attack => ({
      id: 'A7',
      name: `response_type=${response_type}`,
      refs: ['7'],
      run: async (w) => seen(await w.ana.browser.get(w.ana.url({ response_type }))),
      expected: '303 to client unsupported_response_type',
    }),
  ),
  {
    id: 'A7',
    name: 'response_type=code code, which is the set of code: in the query all the same',
    refs: ['7'],
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request, under her consent' },
    run: async (w) => seen(await w.ana.browser.get(w.ana.url({ response_type: 'code code' }))),
    expected: '303 to client with a code',
  },
  {
    id: 'A7',
    name: 'no response_type',
    run: async (w) => seen(await w.ana.browser.get(w.ana.url({ response_type: undefined }))),
    expected: INVALID,
  },
  ...['fragment', 'jwt', 'query.jwt', 'web_message', 'FRAGMENT', 'form_post fragment'].map(
    (response_mode): Attack => ({
      id: 'A7',
      name: `response_mode=${response_mode}`,
      refs: ['7'],
      run: async (w) => {
        const { headers } = await w.ana.browser.get(w.ana.url({ response_mode }));
        const answer = responseIn(headers.location ?? '');
        return [answer.get('code'), answer.get('error') !== null];
      },
      expected: [null, true],
    }),
  ),
  ...[
    'response_type=token',
    'response_mode=fragment',
    'redirect_uri=https%3A%2F%2Fevil.example',
    'scope=files%3Adelete',
    `requested_actor=${OTHER_AGENT}`,
    `resource=${encodeURIComponent(NOTES)}`,
    'client_id=cli_stranger',
  ].map(
    (change): Attack => ({
      id: 'A7',
      name: `the request is changed on resuming: ${change}`,
      refs: ['7'],
      unaudited: SERVED,
      run: async (w) => {
        const party = await w.cast();
        return w.honestly(async () => {
          const { form } = await w.consentPage(
            party.browser,
            party.url({ prompt: 'consent' }),
            party.user,
          );
          const fields = {
            ...Object.fromEntries(form.fields),
            scope: form.fields.getAll('scope'),
            decision: 'allow',
          };
          const posted = await party.browser.post(form.action, fields);
          const end = await party.browser.get(`${posted.headers.location}?${change}`);
          const { origin, pathname, hash } = new URL(end.headers.location ?? '');
          return [origin + pathname === party.redirectUri, hash, codeIn(end) !== ''];
        });
      },
      expected: [true, '', true],
    }),
  ),
];

const push = async (w: AttackWorld, more = {}): Promise<string> => {
  const answer = await w.post('/par', w.ana.query(pkce().challenge, more), HOST);
  if (answer.status !== 201) throw new Error(`not pushed: ${answer.text}`);
  return answer.body.request_uri;
};
const useOf = (w: AttackWorld, request_uri: string, more = {}) =>
  w.ana.browser.get(`/authorize?${w.encode({ client_id: HOST, request_uri, ...more })}`);

const pushes: readonly Attack[] = [
  {
    id: 'A8',
    name: 'a request pushed by one client and used by another',
    run: async (w) => {
      const party = await w.cast();
      return seen(await useOf(w, await push(w), { client_id: party.client }));
    },
    expected: '400 page',
  },
  {
    id: 'A8',
    name: 'a pushed request is used twice',
    run: async (w) => {
      const uri = await push(w);
      await w.honestly(() => useOf(w, uri));
      return seen(await useOf(w, uri));
    },
    expected: '400 page',
  },
  {
    id: 'A8',
    name: 'a pushed request is used twenty times at once: one wins',
    legitimate: { kinds: ['code', 'grant'], because: 'one of the twenty is Ana’s own' },
    run: async (w) => {
      const uri = await push(w);
      const answers = await Promise.all(Array.from({ length: 20 }, () => useOf(w, uri)));
      return answers.filter(({ headers }) => headers.location?.includes('code=')).length;
    },
    expected: 1,
  },
  {
    id: 'A8',
    name: 'a pushed request a minute and a second old',
    run: async (w) => {
      const uri = await push(w);
      await w.setClock(61);
      const answer = await useOf(w, uri);
      await w.setClock(0);
      return seen(answer);
    },
    expected: '400 page',
  },
  ...[
    'urn:ietf:params:oauth:request_uri:',
    'urn:ietf:params:oauth:request_uri:nothing',
    'urn:ietf:params:oauth:request_uri:__proto__',
    'urn:ietf:params:oauth:request_uri:%00',
    'urn:other:x',
    'x'.repeat(600),
  ].map(
    (uri): Attack => ({
      id: 'A8',
      name: `request_uri=${uri.slice(0, 50)}`,
      run: async (w) => seen(await useOf(w, uri)),
      expected: '400 page',
    }),
  ),
  {
    id: 'A8',
    name: 'a request_uri on the web: refused, and never fetched',
    refs: ['S1'],
    run: async (w) => {
      let fetched = 0;
      const { createServer } = await import('node:http');
      const server = createServer((_req, res) => {
        fetched += 1;
        res.end();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      const { port } = server.address() as { port: number };
      const answer = await useOf(w, `http://127.0.0.1:${port}/request.jwt`);
      await new Promise((resolve) => server.close(resolve));
      return [seen(answer), fetched];
    },
    expected: ['400 page', 0],
  },
  {
    id: 'A8',
    name: 'an unsigned request object by value',
    run: async (w) =>
      seen(await w.ana.browser.get(w.ana.url({ request: 'eyJhbGciOiJub25lIn0.e30.' }))),
    expected: '303 to client invalid_request_object',
  },
  {
    id: 'A8',
    name: 'a push as another client than the one that authenticates',
    run: async (w) =>
      seen(await w.post('/par', w.ana.query(pkce().challenge, { client_id: 'cli_desktop' }), HOST)),
    expected: '400 invalid_request',
  },
  {
    id: 'A8',
    name: 'a push without authentication',
    run: async (w) => seen(await w.post('/par', w.ana.query(pkce().challenge))),
    expected: '401 invalid_client',
  },
  ...(
    [
      ['scope', 'files:delete'],
      ['resource', NOTES],
      ['requested_actor', OTHER_AGENT],
      ['redirect_uri', 'https://evil.example'],
      ['claims', '{"id_token":{"sub":{"value":"usr_ben"}}}'],
      ['response_mode', 'fragment'],
      ['code_challenge', 'c'.repeat(43)],
      ['prompt', 'login'],
      ['state', 'another'],
    ] as const
  ).map(
    ([name, value]): Attack => ({
      id: 'A9',
      name: `${name} beside request_uri: only what was pushed counts`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const { verifier, challenge } = pkce();
          const { body } = await w.post(
            '/par',
            w.ana.query(challenge, { scope: 'files:list' }),
            HOST,
          );
          const answer = await useOf(w, body.request_uri, { [name]: value });
          const { searchParams, hash } = new URL(answer.headers.location ?? '');
          const code = { code: codeIn(answer), verifier, redirectUri: CALLBACK };
          const { access_token, scope } = await w.ana.tokens(code);
          const claims = JSON.parse(
            Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString(),
          );
          return [hash, searchParams.get('state'), scope, claims.aud, claims.act.sub];
        }),
      expected: ['', 'the-state', 'files:list', FILES, AGENT],
    }),
  ),
];

/** Every parameter the endpoints know, with a second value an attacker would like. */
const AUTHORIZE: ReadonlyArray<readonly [string, string]> = [
  ['client_id', 'cli_stranger'],
  ['redirect_uri', 'https://evil.example'],
  ['response_type', 'token'],
  ['response_mode', 'fragment'],
  ['scope', 'files:delete'],
  ['state', 'another'],
  ['nonce', 'another'],
  ['code_challenge', 'c'.repeat(43)],
  ['code_challenge_method', 'plain'],
  ['requested_actor', OTHER_AGENT],
  ['prompt', 'none'],
  ['max_age', '0'],
  ['login_hint', 'ben@example.com'],
  ['id_token_hint', 'x'],
  ['acr_values', 'x'],
  ['ui_locales', 'x'],
  ['display', 'popup'],
  ['resource', NOTES],
];
const BASE: Readonly<Record<string, string>> = {
  response_mode: 'query',
  nonce: 'n',
  prompt: 'consent',
  max_age: '100',
  login_hint: 'ana@example.com',
  id_token_hint: 'y',
  acr_values: 'y',
  ui_locales: 'en',
  display: 'page',
};
const AT_AUTHORIZE: Readonly<Record<string, string>> = {
  client_id: '400 page',
  redirect_uri: '400 page',
  response_mode: INVALID,
  resource: '303 to client invalid_target',
};
const AT_TOKEN: ReadonlyArray<readonly [string, string, string?]> = [
  ['grant_type', 'client_credentials'],
  ['code', 'another'],
  ['code_verifier', 'v'.repeat(43)],
  ['redirect_uri', 'https://evil.example'],
  ['actor_token', 'another'],
  ['actor_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
  ['client_id', 'cli_stranger'],
  ['client_secret', 'another'],
  ['client_assertion', 'another'],
  ['client_assertion_type', 'another'],
  ['resource', NOTES, '400 invalid_target'],
];

const twice = (w: AttackWorld, name: string, value: string, first = BASE[name]) => {
  const query = w.ana.query(pkce().challenge, first === undefined ? {} : { [name]: first });
  return { ...query, [name]: [String(query[name] ?? 'x'), value] };
};

const duplicates: readonly Attack[] = [
  ...AUTHORIZE.map(
    ([name, value]): Attack => ({
      id: 'A10',
      name: `${name} twice at /authorize`,
      refs: ['9'],
      run: async (w) =>
        seen(await w.ana.browser.get(`/authorize?${w.encode(twice(w, name, value))}`)),
      expected: AT_AUTHORIZE[name] ?? INVALID,
    }),
  ),
  ...AUTHORIZE.map(
    ([name, value]): Attack => ({
      id: 'A10',
      name: `${name} twice at /par`,
      refs: ['9'],
      run: async (w) => seen(await w.post('/par', twice(w, name, value), HOST)),
      expected: name === 'resource' ? '400 invalid_target' : '400 invalid_request',
    }),
  ),
  ...AT_TOKEN.map(
    ([name, value, expected = '400 invalid_request']): Attack => ({
      id: 'A10',
      name: `${name} twice at /token; the code survives`,
      refs: ['9'],
      run: async (w) => {
        const code = await w.ana.code();
        const fields = await w.ana.redemption(code);
        const first = {
          client_id: HOST,
          resource: FILES,
          actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        }[name];
        const tried = await w.token(HOST, {
          ...fields,
          [name]: [String(fields[name] ?? first ?? 'x'), value],
        });
        return [seen(tried), seen(await w.honestly(() => w.ana.redeem(code)))];
      },
      expected: [expected, '200 json'],
    }),
  ),
  ...(
    [
      ['refresh_token', 'another', '400 invalid_request'],
      ['scope', 'files:write', '400 invalid_request'],
      ['resource', NOTES, '400 invalid_target'],
    ] as const
  ).map(
    ([name, value, expected]): Attack => ({
      id: 'A10',
      name: `${name} twice at a refresh; the refresh token survives`,
      refs: ['9'],
      run: async (w) => {
        const { refresh_token } = await w.ana.tokens();
        const first = { refresh_token, scope: 'files:list', resource: FILES }[name];
        const tried = await w.ana.refresh(refresh_token, { [name]: [first, value] });
        return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
      },
      expected: [expected, '200 json'],
    }),
  ),
  ...(['/authorize', '/authorize?requested_actor=agt_other'] as const).map(
    (path): Attack => ({
      id: 'A10',
      name: `a request posted to ${path}: there is no such method (RFC 9110 §15.5.6), so nothing to split over query and body`,
      refs: ['9'],
      unaudited: NEVER_ARRIVED,
      run: async (w) => (await w.ana.browser.post(path, w.ana.query(pkce().challenge))).status,
      expected: 405,
    }),
  ),
  ...(['code', 'actor_token', 'client_id', 'grant_type'] as const).map(
    (name): Attack => ({
      id: 'A10',
      name: `${name} in the query of /token: never read there`,
      refs: ['9'],
      run: async (w) => {
        const fields = await w.ana.redemption(await w.ana.code());
        const { [name]: moved = HOST, ...rest } = { client_id: HOST, ...fields };
        const inQuery = await w.post(
          `/token?${w.encode({ [name]: moved })}`,
          { ...rest },
          name === 'client_id' ? undefined : HOST,
        );
        return inQuery.status;
      },
      expected: 400,
    }),
  ),
  ...['requested_actor[]', 'requested_actor[0]', 'scope[]', 'requested_actor.x'].map(
    (name): Attack => ({
      id: 'A10',
      name: `${name}, which is no parameter, changes nothing`,
      refs: ['9'],
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const { verifier, challenge } = pkce();
          const value = name.startsWith('scope') ? 'files:delete' : OTHER_AGENT;
          const answer = await w.ana.browser.get(
            `${w.ana.url({ scope: 'files:list' }, challenge)}&${w.encode({ [name]: value })}`,
          );
          const tokens = await w.ana.tokens({
            code: codeIn(answer),
            verifier,
            redirectUri: CALLBACK,
          });
          return tokens.scope;
        }),
      expected: 'files:list',
    }),
  ),
];

const pages = async (w: AttackWorld) => {
  const stranger = w.browser();
  const signIn = await stranger.open(w.ana.url());
  const party = await w.cast();
  const consent = await w.consentPage(party.browser, party.url({ prompt: 'consent' }), party.user);
  return {
    'sign-in': signIn.answer,
    consent: consent.answer,
    error: await stranger.get('/authorize'),
    'the broker’s own error': await stranger.get('/interaction/none'),
    'sign-out': await party.browser.get('/logout'),
    'signed out': await stranger.get('/logout/success'),
    form_post: await w.honestly(() => w.ana.browser.get(w.ana.url({ response_mode: 'form_post' }))),
  };
};

const handling: readonly Attack[] = [
  {
    id: 'A11',
    name: 'a POST is never answered with a redirect that repeats it',
    run: async (w) => {
      const party = await w.cast();
      const { form } = await w.consentPage(
        party.browser,
        party.url({ prompt: 'consent' }),
        party.user,
      );
      const second = await party.browser.post(form.action, {
        ...Object.fromEntries(form.fields),
        decision: 'deny',
      });
      return second.status;
    },
    expected: 303,
  },
  {
    id: 'A12',
    name: 'no page sends a Referer to others or loads anything from them',
    legitimate: { kinds: ['session', 'code', 'grant'], because: 'the pages of an honest walk' },
    run: async (w) => {
      const wrong = Object.entries(await pages(w)).filter(([, { headers, text }]) => {
        const silent = /^(no-referrer|same-origin)$/.test(headers['referrer-policy'] ?? '');
        const foreign =
          /(?:src|href|action)="https?:\/\/(?!127\.0\.0\.1)(?!host\.example\/callback)/i.test(text);
        return !silent || foreign;
      });
      return wrong.map(([name]) => name);
    },
    expected: [],
  },
  {
    id: 'A14',
    name: 'no page may be framed, cached, or run a script that is not its own',
    legitimate: { kinds: ['session', 'code', 'grant'], because: 'the pages of an honest walk' },
    run: async (w) => {
      const wrong = Object.entries(await pages(w)).filter(([, { headers }]) => {
        const policy = headers['content-security-policy'] ?? '';
        return (
          !policy.includes("frame-ancestors 'none'") ||
          /unsafe-(inline|eval)/.test(policy) ||
          headers['x-frame-options'] !== 'DENY' ||
          headers['x-content-type-options'] !== 'nosniff' ||
          !headers['cache-control']?.includes('no-store')
        );
      });
      return wrong.map(([name]) => name);
    },
    expected: [],
  },
  ...['null', 'https://evil.example', 'https://host.example'].map(
    (origin): Attack => ({
      id: 'A13',
      name: `Origin: ${origin} at /authorize and the pages: no Access-Control-Allow-Origin`,
      unaudited: SERVED,
      run: async (w) => {
        const browser = w.browser();
        const paths = [w.ana.url(), '/logout', '/interaction/none'];
        const answers = [];
        for (const path of paths) answers.push(await browser.get(path, { origin }));
        const preflight = { origin, 'access-control-request-method': 'GET' };
        answers.push(await w.send('/authorize', { method: 'OPTIONS', headers: preflight }));
        answers.push(await w.send('/interaction/none', { method: 'OPTIONS', headers: preflight }));
        return answers.map(({ headers }) => headers['access-control-allow-origin']);
      },
      expected: [undefined, undefined, undefined, undefined, undefined],
    }),
  ),
  ...[
    'create',
    'none login',
    'none consent',
    'NONE',
    'login consent select_account x',
    '__proto__',
  ].map(
    (prompt): Attack => ({
      id: 'A7',
      name: `prompt=${prompt}`,
      run: async (w) => seen(await w.ana.browser.get(w.ana.url({ prompt }))),
      expected: INVALID,
    }),
  ),
  {
    id: 'A12',
    name: 'HEAD, OPTIONS and other methods at /authorize give nothing away',
    unaudited: NOTHING_DECIDED,
    run: async (w) => {
      const path = w.ana.url().slice(w.issuer.length);
      const cookie = [...w.ana.browser.jar.values()]
        .map(({ name, value }) => `${name}=${value}`)
        .join('; ');
      const answers = await Promise.all(
        ['PUT', 'DELETE', 'PATCH', 'TRACE'].map((method) =>
          w.send(path, { method, headers: { cookie } }),
        ),
      );
      return answers.every(
        ({ status, headers }) => status >= 400 && headers.location === undefined,
      );
    },
    expected: true,
  },
];

export const requests: readonly Attack[] = [...downgrades, ...pushes, ...duplicates, ...handling];
