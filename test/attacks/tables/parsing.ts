// P: bytes. Whatever arrives, the answer is an answer: never a 5xx, never somebody else's meaning.
import { sweepArtifacts } from '../../../src/broker/provider/adapter.js';
import { basic, pkce } from '../../support/broker.js';
import { eventually } from '../../support/eventually.js';
import { AGENT, CALLBACK, FILES, FILES_CLIENT, HOST } from '../../support/world.js';
import {
  ANSWERED,
  type Attack,
  NEVER_ARRIVED,
  NO_SUCH_PLACE,
  SERVED,
  seen,
} from '../support/attack.js';
import { type Answer, FORM, formBody } from '../support/http.js';
import type { AttackWorld } from '../support/world.js';

const CC = { grant_type: 'client_credentials', resource: FILES };
const isClientError = ({ status }: Answer): boolean => status >= 400 && status < 500;
const body = (
  w: AttackWorld,
  path: string,
  text: string | Buffer,
  headers: Record<string, string> = {},
) =>
  w.send(path, { method: 'POST', body: text, headers: { ...FORM, ...w.auth(AGENT), ...headers } });

const bigs: readonly Attack[] = [
  ...[
    '/token',
    '/par',
    '/introspect',
    '/revoke',
    '/interaction/x/decision',
    '/decisions',
    '/tools',
    '/logout/confirm',
  ].map(
    (path): Attack => ({
      id: 'P1',
      name: `a body of a megabyte at ${path}`,
      run: async (w) => {
        try {
          const answer = await body(w, path, `token=${'x'.repeat(1024 * 1024)}`);
          return isClientError(answer);
        } catch {
          // Cut off while it was still sending: an answer too.
          return true;
        }
      },
      expected: true,
    }),
  ),
  {
    id: 'P1',
    name: 'a body longer than its Content-Length: what is left over is no request of ours',
    run: async (w) => {
      const text = await w.raw(
        `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=bGET /revocations HTTP/1.1\r\nHost: x\r\n\r\n`,
      );
      return [/^HTTP\/1\.1 4\d\d/.test(text), text.includes('"facts"')];
    },
    expected: [true, false],
  },
  {
    id: 'P1',
    name: 'a body shorter than its Content-Length: no answer that means anything',
    run: async (w) => {
      const text = await w.raw(
        'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 300\r\n\r\ngrant_type=client_credentials',
        500,
      );
      return !/^HTTP\/1\.1 2/.test(text);
    },
    expected: true,
  },
  ...(
    [
      ['two lengths', 'Content-Length: 3\r\nContent-Length: 5'],
      ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked'],
      ['a negative length', 'Content-Length: -1'],
      ['a length in hex', 'Content-Length: 0x10'],
      ['a header without a name', ': x'],
      ['a bare line feed in a header', 'X-A: b\nX-B: c'],
      ['a NUL in a header', 'X-A: b\0c'],
      ['a folded header', 'X-A: b\r\n c'],
      ['a space before the colon', 'Authorization : Basic eDp5'],
      ['an unknown transfer encoding', 'Transfer-Encoding: gzip'],
    ] as const
  ).map(
    ([name, header]): Attack => ({
      id: 'P1',
      name: `a request with ${name}`,
      refs: ['44'],
      ...(/transfer encoding/.test(name) ? {} : { unaudited: NEVER_ARRIVED }),
      run: async (w) => {
        const text = await w.raw(
          `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n${header}\r\n\r\na=b`,
        );
        return /^HTTP\/1\.1 (2|5)/.test(text);
      },
      expected: false,
    }),
  ),
  {
    id: 'P2',
    name: 'claims of 50 kB of nested JSON in a push: ignored, as all of claims is',
    unaudited: SERVED,
    run: async (w) => {
      const claims = `${'['.repeat(8000)}${']'.repeat(8000)}`;
      return (await w.post('/par', w.ana.query(pkce().challenge, { claims }), HOST)).status;
    },
    expected: 201,
  },
  {
    id: 'P2',
    name: 'claims of 14 kB of nested JSON at /authorize',
    unaudited: NEVER_ARRIVED,
    run: async (w) =>
      isClientError(
        await w.ana.browser.get(w.ana.url({ claims: `${'['.repeat(7000)}${']'.repeat(7000)}` })),
      ),
    expected: true,
  },
  ...[
    ['deep', `${'{"decisions":'.repeat(9000)}1${'}'.repeat(9000)}`],
    ['a list of nothing', '[]'],
    ['null', 'null'],
    ['cut', '{"decisions":['],
    ['no JSON', 'decisions=1'],
    ['empty', ''],
    ['with __proto__', '{"__proto__":{"decisions":[]},"decisions":[]}'],
  ].map(
    ([name = '', text = '']): Attack => ({
      id: 'P2',
      name: `a report of decisions that is ${name}`,
      run: async (w) =>
        (
          await w.send('/decisions', {
            method: 'POST',
            body: text,
            headers: { ...w.auth(FILES_CLIENT), 'content-type': 'application/json' },
          })
        ).status,
      expected: 400,
    }),
  ),
  ...(['\u0000', '\ud800', '\udfff x', '😀'.repeat(200)] as const).map(
    (word): Attack => ({
      id: 'P9',
      name: `a report of decisions about the tool ${JSON.stringify(word.slice(0, 6))}: recorded, made harmless`,
      unaudited: SERVED,
      run: async (w) => {
        const decision = {
          at: 1,
          allowed: true,
          tool: word,
          jti: 'x',
          sub: word,
          act: null,
          client_id: word,
          resource: FILES,
          required: [word],
          missing_user: [],
          missing_agent: [],
        };
        const answer = await w.send('/decisions', {
          method: 'POST',
          body: JSON.stringify({ decisions: [decision] }),
          headers: { ...w.auth(FILES_CLIENT), 'content-type': 'application/json' },
        });
        return answer.status;
      },
      expected: 204,
    }),
  ),
  {
    id: 'P3',
    name: 'ten thousand parameters at /token',
    run: async (w) =>
      isClientError(
        await body(w, '/token', `${'a=b&'.repeat(10_000)}grant_type=client_credentials`),
      ),
    expected: true,
  },
  {
    id: 'P3',
    name: 'ten thousand scopes at /token',
    run: async (w) => isClientError(await w.token(AGENT, { ...CC, scope: 's '.repeat(10_000) })),
    expected: true,
  },
  {
    id: 'P3',
    name: 'five thousand different scopes at /token',
    run: async (w) =>
      isClientError(
        await w.token(AGENT, {
          ...CC,
          scope: Array.from({ length: 5000 }, (_, n) => `s${n}`).join(' '),
        }),
      ),
    expected: true,
  },
  {
    id: 'P3',
    name: 'a thousand resources at /token',
    run: async (w) =>
      seen(
        await w.token(AGENT, {
          ...CC,
          resource: Array.from({ length: 1000 }, (_, n) => `https://r${n}.example`),
        }),
      ),
    expected: '400 invalid_target',
  },
  {
    id: 'P3',
    name: 'two hundred headers',
    unaudited: SERVED,
    run: async (w) =>
      (
        await w.send('/livez', {
          headers: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x-h${n}`, 'v'])),
        })
      ).status < 500,
    expected: true,
  },
  {
    id: 'P3',
    name: 'headers of 20 kB',
    unaudited: NEVER_ARRIVED,
    run: async (w) =>
      (await w.send('/token', { method: 'POST', headers: { 'x-h': 'v'.repeat(20_000) } })).status,
    expected: 431,
  },
];

const types: readonly Attack[] = (
  [
    [
      'multipart',
      'multipart/form-data; boundary=x',
      '--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--x--',
    ],
    ['text', 'text/plain', formBody(CC)],
    ['JSON', 'application/json', JSON.stringify(CC)],
    ['nothing', '', formBody(CC)],
    ['XML', 'application/xml', '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'],
  ] as const
).flatMap(([name, type, text]): Attack[] =>
  ['/token', '/par', '/introspect'].map((path) => ({
    id: 'P5',
    name: `${name} at ${path}: refused as it is, not guessed at`,
    run: async (w) => {
      const answer = await w.send(path, {
        method: 'POST',
        body: text,
        headers: { ...w.auth(AGENT), ...(type === '' ? {} : { 'content-type': type }) },
      });
      return isClientError(answer);
    },
    expected: true,
  })),
);

const encodings: readonly Attack[] = [
  ...['utf-16', 'utf-7', '__proto__', 'iso-8859-1'].map(
    (charset): Attack => ({
      id: 'P5',
      name: `a form said to be in ${charset} is read as the form it is: the parameter means nothing`,
      unaudited: SERVED,
      legitimate: { kinds: ['token'], because: 'the agent’s own request' },
      run: async (w) =>
        (
          await body(w, '/token', formBody({ ...CC, scope: 'files:list' }), {
            'content-type': `application/x-www-form-urlencoded; charset=${charset}`,
          })
        ).body.scope,
      expected: 'files:list',
    }),
  ),
  ...['gzip', 'deflate', 'br', 'x'].map(
    (encoding): Attack => ({
      id: 'P5',
      name: `a body said to be in ${encoding}`,
      run: async (w) => {
        const { gzipSync } = await import('node:zlib');
        return isClientError(
          await body(w, '/token', gzipSync(formBody(CC)), { 'content-encoding': encoding }),
        );
      },
      expected: true,
    }),
  ),
  {
    id: 'P5',
    name: 'a body of bytes that are no text',
    run: async (w) =>
      isClientError(
        await body(w, '/token', Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x3d, 0x80])),
      ),
    expected: true,
  },
  ...[
    '%',
    '%zz',
    '%c3%28',
    'grant_type=%',
    'grant_type=client_credentials&resource=%80%81',
    '&&&&',
    '=',
    'grant_type',
  ].map(
    (text): Attack => ({
      id: 'P5',
      name: `the form ${text}`,
      run: async (w) => isClientError(await body(w, '/token', text)),
      expected: true,
    }),
  ),
];

const CRLF = '\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>';
const breaks: readonly Attack[] = [
  {
    id: 'P6',
    name: 'line breaks in state go back encoded',
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request' },
    run: async (w) => {
      const { headers } = await w.ana.browser.get(w.ana.url({ state: `s${CRLF}` }));
      return [
        headers['x-evil'],
        new URL(headers.location ?? '').searchParams.get('state') === `s${CRLF}`,
      ];
    },
    expected: [undefined, true],
  },
  ...[
    'redirect_uri',
    'client_id',
    'scope',
    'requested_actor',
    'resource',
    'prompt',
    'response_type',
    'response_mode',
    'code_challenge_method',
    'nonce',
    'login_hint',
    'ui_locales',
    'request_uri',
    'max_age',
  ].map(
    (name): Attack => ({
      id: 'P6',
      name: `line breaks in ${name}`,
      ...(['nonce', 'login_hint', 'ui_locales'].includes(name)
        ? {
            unaudited: SERVED,
            legitimate: { kinds: ['code', 'grant'] as const, because: 'Ana’s own request' },
          }
        : {}),
      run: async (w) => {
        const answer = await w.ana.browser.get(w.ana.url({ [name]: `x${CRLF}` }));
        return [answer.headers['x-evil'], answer.text.includes('<script>alert')];
      },
      expected: [undefined, false],
    }),
  ),
  ...[
    'grant_type',
    'code',
    'client_id',
    'scope',
    'resource',
    'actor_token',
    'actor_token_type',
    'refresh_token',
  ].map(
    (name): Attack => ({
      id: 'P6',
      name: `line breaks in ${name} at /token: refused, and no line of the log is forged`,
      run: async (w) => {
        const before = w.output().length;
        const forged = '\n{"level":30,"forged":true}\n';
        const answer = await w.token(name === 'client_id' ? undefined : HOST, {
          grant_type: 'authorization_code',
          code: 'x',
          redirect_uri: CALLBACK,
          code_verifier: 'v'.repeat(43),
          [name]: `x${forged}${CRLF}`,
        });
        const lines = () => w.output().slice(before).split('\n');
        await eventually(() => {
          if (!lines().some((line) => line.includes('"path":"/token"')))
            throw new Error('it is not in the log');
        });
        return [
          isClientError(answer),
          lines().some((line) => line.startsWith('{"level":30,"forged"')),
        ];
      },
      expected: [true, false],
    }),
  ),
];

const NUL_FIELDS = [
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'resource',
  'requested_actor',
  'nonce',
  'prompt',
  'login_hint',
  'response_type',
  'response_mode',
  'code_challenge',
  'request_uri',
  'id_token_hint',
  'ui_locales',
  'max_age',
  'acr_values',
  'display',
  'claims',
];
const odd: ReadonlyArray<readonly [string, string]> = [
  ['a NUL', 'x\0'],
  ['a character cut in half by a limit', `${'x'.repeat(199)}😀`],
  ['an unassigned character', '\u{10ffff}'],
];

const texts: readonly Attack[] = [
  ...odd.flatMap(([name, value]): Attack[] =>
    NUL_FIELDS.map((field) => ({
      id: 'P9',
      name: `${name} in ${field} at /authorize`,
      ...(value.includes('\0') ? {} : maybeServed(field)),
      run: async (w) => (await w.ana.browser.get(w.ana.url({ [field]: value }))).status < 500,
      expected: true,
    })),
  ),
  ...odd.flatMap(([name, value]): Attack[] =>
    [
      'grant_type',
      'code',
      'redirect_uri',
      'code_verifier',
      'actor_token',
      'actor_token_type',
      'resource',
      'scope',
      'refresh_token',
      'client_secret',
      'client_assertion',
      'client_assertion_type',
    ].map((field) => ({
      id: 'P9',
      name: `${name} in ${field} at /token`,
      ...(field === 'scope' ? {} : {}),
      run: async (w) => {
        const fields =
          field === 'refresh_token'
            ? { grant_type: 'refresh_token' }
            : field === 'resource' || field === 'scope'
              ? CC
              : {
                  grant_type: 'authorization_code',
                  code: 'x',
                  redirect_uri: 'x',
                  code_verifier: 'v'.repeat(43),
                };
        return (
          await w.token(field === 'resource' || field === 'scope' ? AGENT : HOST, {
            ...fields,
            [field]: value,
          })
        ).status;
      },
      expected: 400,
    })),
  ),
  ...odd.map(
    ([name, value]): Attack => ({
      id: 'P9',
      name: `${name} in the client id of HTTP Basic`,
      run: async (w) =>
        (
          await w.send('/token', {
            method: 'POST',
            body: formBody(CC),
            headers: { ...FORM, authorization: basic(encodeURIComponent(`cli_${value}`), 'x') },
          })
        ).status,
      expected: 400,
    }),
  ),
  ...odd.map(
    ([name, value]): Attack => ({
      id: 'P9',
      name: `${name} in HTTP Basic, unencoded`,
      run: async (w) =>
        isClientError(
          await w.send('/token', {
            method: 'POST',
            body: formBody(CC),
            headers: { ...FORM, authorization: basic(`cli_${value}`, `x${value}`) },
          }),
        ),
      expected: true,
    }),
  ),
  {
    id: 'P9',
    name: 'a NUL in what is asked at sign-out',
    unaudited: SERVED,
    run: async (w) =>
      (await w.ana.browser.get(`/logout?${w.encode({ state: 'x\0', logout_hint: '\0' })}`)).status,
    expected: 200,
  },
  ...(
    [
      'Basic',
      'Basic ',
      'Basic !!!',
      'Basic eA==',
      'Basic OnNlY3JldA==',
      'Bearer x',
      'basic x y',
      'Digest x',
      `Basic ${'A'.repeat(8000)}`,
    ] as const
  ).map(
    (authorization): Attack => ({
      id: 'P9',
      name: `Authorization: ${authorization.slice(0, 24)}`,
      run: async (w) =>
        isClientError(
          await w.send('/token', {
            method: 'POST',
            body: formBody(CC),
            headers: { ...FORM, authorization },
          }),
        ),
      expected: true,
    }),
  ),
  ...odd.map(
    ([name, value]): Attack => ({
      id: 'P9',
      name: `${name} as the token to introspect or revoke`,
      unaudited: ANSWERED,
      run: async (w) => [
        (await w.introspect(value)).body,
        (await w.post('/revoke', { token: value }, HOST)).status,
      ],
      expected: [{ active: false }, 200],
    }),
  ),
];

function maybeServed(field: string): Partial<Attack> {
  if (['state', 'nonce', 'login_hint', 'ui_locales', 'claims', 'display'].includes(field)) {
    return {
      unaudited: SERVED,
      legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request' },
    };
  }
  return {};
}

const routes: readonly Attack[] = [
  ...(
    [
      ['Host', { host: 'evil.example' }],
      ['Host with a port', { host: '127.0.0.1:1' }],
      ['Host with a user', { host: 'evil.example@127.0.0.1' }],
      ['X-Forwarded-Host', { 'x-forwarded-host': 'evil.example' }],
      ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }],
      ['X-Forwarded-Port', { 'x-forwarded-port': '1' }],
      ['X-Forwarded-Prefix', { 'x-forwarded-prefix': '/evil' }],
      ['Forwarded', { forwarded: 'host=evil.example;proto=https' }],
      ['X-Original-URL', { 'x-original-url': '/admin' }],
      ['X-Rewrite-URL', { 'x-rewrite-url': '/admin' }],
      ['X_Forwarded_Host', { x_forwarded_host: 'evil.example' }],
      ['X-Forwarded-Server', { 'x-forwarded-server': 'evil.example' }],
      [
        'several at once',
        {
          host: 'evil.example',
          'x-forwarded-host': 'evil.example',
          forwarded: 'host=evil.example',
        },
      ],
    ] as const
  ).map(
    ([name, headers]): Attack => ({
      id: 'P7',
      name: `${name} does not move the issuer, in metadata, pages or tokens`,
      refs: ['22', '27', '44', '79'],
      legitimate: { kinds: ['code', 'grant', 'token'], because: 'Ana’s own request' },
      run: async (w) => {
        const metadata = await w.send('/.well-known/openid-configuration', { headers });
        const page = await w.browser().get('/authorize', headers as Record<string, string>);
        const asked = await w.ana.browser.get(w.ana.url(), headers as Record<string, string>);
        const token = await w.token(AGENT, CC);
        const texts = [metadata.text, page.text, asked.headers.location ?? '', token.text];
        return [
          texts.filter((text) => text.includes('evil')).length,
          metadata.body.token_endpoint === `${w.issuer}/token`,
        ];
      },
      expected: [0, true],
    }),
  ),
  ...[
    '/authorize;x',
    '/authorize;jsessionid=1',
    '//authorize',
    '/authorize//',
    '/./authorize',
    '/x/../authorize',
    '/%61uthorize%2f',
    '/authorize%2f',
    '/authorize%00',
    '/authorize%0a',
    '/authorize\\',
    '/authorize.json',
    '/token;x',
    '//token',
    '/token%2f',
    '/token%00',
    '/TOKEN/..',
    '/admin;/v1/agents',
    '/.well-known/../token',
    '/interaction/%2e%2e/token',
    '/interaction/a%2fb',
    '/revocations;x',
    '/.git/config',
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/console/../admin',
    '/metrics%00',
  ].map(
    (path): Attack => ({
      id: 'P7',
      name: `${path} is no way in`,
      refs: ['13'],
      unaudited: NO_SUCH_PLACE,
      run: async (w) => {
        const query = w.encode(w.ana.query(pkce().challenge));
        const answer = await w.ana.browser.get(`${path}?${query}`);
        return isClientError(answer) && answer.headers.location === undefined;
      },
      expected: true,
    }),
  ),
  ...['/token', '/par', '/introspect', '/revoke', '/decisions'].flatMap((path): Attack[] =>
    ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'].map((method) => ({
      id: 'P8',
      name: `${method} ${path}`,
      unaudited: NO_SUCH_PLACE,
      run: async (w) => {
        const answer = await w.send(`${path}?${formBody(CC)}`, { method, headers: w.auth(AGENT) });
        return isClientError(answer) || answer.status === 501;
      },
      expected: true,
    })),
  ),
  ...(
    [
      ['X-HTTP-Method-Override', { 'x-http-method-override': 'POST' }, ''],
      ['X-Method-Override', { 'x-method-override': 'POST' }, ''],
      ['_method', {}, '&_method=POST'],
    ] as const
  ).map(
    ([name, headers, query]): Attack => ({
      id: 'P8',
      name: `${name} on GET /token`,
      unaudited: NO_SUCH_PLACE,
      run: async (w) =>
        isClientError(
          await w.send(`/token?${formBody(CC)}${query}`, {
            headers: { ...headers, ...w.auth(AGENT) },
          }),
        ),
      expected: true,
    }),
  ),
];

const PROTO = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
];
const prototypes: readonly Attack[] = [
  ...PROTO.flatMap((name): Attack[] => [
    {
      id: 'P11',
      name: `a parameter called ${name}, everywhere: nothing changes`,
      unaudited: SERVED,
      legitimate: {
        kinds: ['token', 'code', 'grant'],
        because: 'the requests are good without it',
      },
      run: async (w) => {
        const token = await w.token(AGENT, {
          ...CC,
          [name]: 'polluted',
          [`${name}[scope]`]: 'files:delete',
        });
        const authorize = await w.ana.browser.get(
          `${w.ana.url()}&${w.encode({ [name]: 'polluted', [`${name}[x]`]: '1' })}`,
        );
        const introspect = await w.post(
          '/introspect',
          { token: token.body.access_token, [name]: 'polluted' },
          FILES_CLIENT,
        );
        const after = await w.token(AGENT, CC);
        return [
          token.status,
          authorize.status,
          introspect.body.active,
          introspect.text.includes('polluted'),
          after.body.scope,
        ];
      },
      expected: [200, 303, true, false, 'files:list files:read'],
    },
    {
      id: 'P11',
      name: `${name} as grant, client, scope and resource`,
      run: async (w) => [
        (await w.token(HOST, { grant_type: name })).status,
        (await w.token(undefined, { ...CC, client_id: name, client_secret: 'x' })).status,
        (await w.token(AGENT, { ...CC, scope: name })).status,
        (await w.token(AGENT, { ...CC, resource: name })).status,
        (
          await w.token(HOST, {
            grant_type: 'authorization_code',
            code: name,
            redirect_uri: name,
            code_verifier: name.repeat(10).slice(0, 43),
            actor_token: name,
          })
        ).status,
      ],
      expected: [400, 401, 400, 400, 400],
    },
  ]),
];

const caching: readonly Attack[] = [
  {
    id: 'P16',
    name: 'no answer with a token, a code, a refusal or a page may be kept by a cache',
    legitimate: { kinds: ['token', 'code', 'grant', 'refresh'], because: 'Ana’s own requests' },
    run: async (w) => {
      const browser = w.browser();
      const answers = [
        await w.ana.redeem(await w.ana.code()),
        await w.token(AGENT, CC),
        await w.token(AGENT, { ...CC, scope: 'x' }),
        await w.introspect('x'),
        await w.post('/par', w.ana.query(pkce().challenge), HOST),
        await w.ana.browser.get(w.ana.url()),
        (await browser.open(w.ana.url())).answer,
        await browser.get('/authorize'),
        await browser.get('/logout'),
        await w.send('/userinfo', {}),
      ];
      return answers
        .filter(({ headers }) => !headers['cache-control']?.includes('no-store'))
        .map(seen);
    },
    expected: [],
  },
  {
    id: 'P16',
    name: 'a query cannot make an answer of another kind out of a cached path',
    unaudited: SERVED,
    run: async (w) => {
      const plain = await w.send('/.well-known/openid-configuration');
      const odd = await w.send('/.well-known/openid-configuration?x=y&callback=alert', {
        headers: { origin: 'https://evil.example' },
      });
      return plain.text === odd.text;
    },
    expected: true,
  },
];

const rowsOf = async (w: AttackWorld): Promise<number> => {
  const [row] = await w.db.run<{ n: string }>('select count(*) as n from artifacts');
  return Number(row?.n);
};

const growth: readonly Attack[] = [
  {
    id: 'P15',
    name: 'requests that are refused leave no rows but the audit’s',
    refs: ['K8'],
    run: async (w) => {
      const before = await rowsOf(w);
      for (let n = 0; n < 10; n += 1) {
        await w.send(
          `/authorize?${w.encode(w.ana.query(pkce().challenge, { requested_actor: `agt_${n}` }))}`,
        );
        await w.post('/par', w.ana.query(pkce().challenge, { scope: 'nothing' }), HOST);
        await w.token(undefined, { ...CC, client_id: `cli_${n}`, client_secret: 'x' });
        await w.send('/interaction/none');
        await w.send('/revocations');
      }
      return (await rowsOf(w)) - before;
    },
    expected: 0,
  },
  {
    id: 'P15',
    name: 'an anonymous visitor leaves rows that are gone in a quarter of an hour',
    refs: ['K8'],
    unaudited: SERVED,
    run: async (w) => {
      for (let n = 0; n < 5; n += 1) {
        await w.send(w.ana.url().slice(w.issuer.length));
        await w.send('/logout', { headers: { accept: 'text/html' } });
      }
      const rows = await w.db.run<{ model: string; minutes: number }>(
        `select model, max(extract(epoch from expires_at - clock_timestamp()) / 60)::float8 as minutes
         from artifacts where grant_id is null and model in ('Interaction', 'Session') and not payload ? 'accountId' group by model`,
      );
      return rows
        .filter(({ minutes }) => minutes > 16)
        .map(({ model, minutes }) => `${model} ${Math.round(minutes)}`);
    },
    expected: [],
  },
  {
    id: 'L11',
    name: 'the sweep takes what has run out, and never the memory of a used code',
    run: async (w) => {
      const code = await w.ana.code();
      const first = await w.ana.tokens(code);
      await w.setClock(3600);
      await sweepArtifacts(w.db, 10_000);
      await w.setClock(0);
      return [seen(await w.ana.redeem(code)), (await w.introspect(first.access_token)).body];
    },
    expected: ['400 invalid_grant', { active: false }],
  },
];

const slow: readonly Attack[] = (
  [
    ['login_hint', '@'.repeat(6000)],
    ['login_hint', `${'a'.repeat(64)}@`.repeat(90)],
    ['scope', 'a'.repeat(6000)],
    ['scope', 'a '.repeat(3000)],
    ['redirect_uri', `https://${'a.'.repeat(3000)}`],
    ['requested_actor', 'a'.repeat(6000)],
    ['resource', `https://${'a'.repeat(6000)}`],
    ['state', 'a'.repeat(6000)],
    ['id_token_hint', `${'a.'.repeat(3000)}`],
    ['ui_locales', 'a-'.repeat(3000)],
    ['code_challenge', 'a'.repeat(6000)],
  ] as const
).map(
  ([name, value]): Attack => ({
    id: 'P10',
    name: `${name} of ${value.length} characters ${JSON.stringify(value.slice(0, 4))}… is answered at once`,
    ...(name === 'login_hint' || name === 'state' || name === 'ui_locales'
      ? {
          unaudited: SERVED,
          legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request' },
        }
      : {}),
    run: async (w) => {
      const answer = await w.ana.browser.get(w.ana.url({ [name]: value }));
      return answer.status < 500;
    },
    expected: true,
  }),
);

const feeds: readonly Attack[] = [
  '-1',
  '1e400',
  'NaN',
  '1.5',
  '0x10',
  '1;drop table x',
  '9007199254740993',
  '__proto__',
].map(
  (after): Attack => ({
    id: 'P14',
    name: `a cursor of ${after} for the revocation stream`,
    unaudited: NEVER_ARRIVED,
    run: async (w) => {
      const text = await w.raw(
        `GET /revocations/stream?after=${encodeURIComponent(after)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        300,
      );
      return /^HTTP\/1\.1 400/.test(text);
    },
    expected: after !== '0x10',
  }),
);

export const parsing: readonly Attack[] = [
  ...bigs,
  ...types,
  ...encodings,
  ...breaks,
  ...texts,
  ...routes,
  ...prototypes,
  ...caching,
  ...growth,
  ...slow,
  ...feeds,
];
