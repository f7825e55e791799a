// S1–S4: every URL that a stranger can hand the broker, leading where nobody may go. Whatever it would
// connect to besides one public site is a port that counts; what it may be told is one sentence.
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { pkce } from '../../support/broker.js';
import type { Handler } from '../../support/web.js';
import { type Attack, NOTHING_DECIDED, SERVED, seen } from '../support/attack.js';
import type { Answer } from '../support/http.js';
import { type AttackWorld, SITE } from '../support/world.js';

const CALLBACK = `https://${SITE}/callback`;

let networks = 0;
/** Strangers are counted by network: each case is one of its own. */
const elsewhere = (): Record<string, string> => {
  networks += 1;
  return { 'x-forwarded-for': `198.51.${networks >> 8}.${networks & 255}` };
};

/** Addresses as a URL may spell them. */
const LITERALS = [
  ...['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1'],
  ...['017700000001', '0', '0.0.0.0', '10.0.0.1', '100.64.0.1', '169.254.169.254', '0xa9fea9fe'],
  ...['172.16.0.1', '192.0.0.8', '192.168.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[fe80::1]'],
  ...['[fd00:ec2::254]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]'],
  ...['[2001:0:7f00:1::]', '[ff02::1]', '127。0。0。1', '①②⑦.0.0.1', 'localhost', 'LocalHost'],
  ...['localhost.', '127.0.0.1.', 'a.localhost', 'intranet', 'metadata'],
];
/** Names, and what each means. */
const NAMES = [
  ...['v4-7f000001', 'v4-0a000001', 'v4-a9fea9fe', 'v4-c0a80001', 'v4-64400001', 'v4-00000000'],
  ...['v4-a83f8110', 'v4-c6120001', 'v4-e0000001', 'v4-f0000001'],
  ...['00000000000000000000000000000001', '00000000000000000000ffff7f000001'].map(
    (v6) => `v6-${v6}`,
  ),
  ...['0064ff9b00000000000000007f000001', '20027f00000100000000000000000000'].map(
    (v6) => `v6-${v6}`,
  ),
  ...['fd000ec2000000000000000000000254', 'fe800000000000000000000000000001'].map(
    (v6) => `v6-${v6}`,
  ),
  ...['20010000000000000000000000000001', '20010db8000000000000000000000001'].map(
    (v6) => `v6-${v6}`,
  ),
  ...['both', 'rebind', 'nowhere'],
].map((name) => `${name}.evil.example`);

/** URL members of a document (RFC 7591 §2, OpenID Connect Registration 1.0 §2) that nobody may follow. */
const NEVER_FETCHED = [
  ...['logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'sector_identifier_uri'],
  ...['backchannel_logout_uri', 'frontchannel_logout_uri', 'initiate_login_uri'],
  ...['backchannel_client_notification_endpoint', 'software_statement_uri'],
];

const documentAt = (w: AttackWorld, what: Handler | object): string => {
  const url = `https://${SITE}/${randomUUID()}/client.json`;
  w.web.put(
    url,
    typeof what === 'function'
      ? what
      : { client_id: url, client_name: 'App', redirect_uris: [CALLBACK], ...what },
  );
  return url;
};

const asking = (w: AttackWorld, client_id: string, more = {}): Promise<Answer> =>
  w.send(
    `/authorize?${w.encode(
      w.plain.query(pkce().challenge, { client_id, redirect_uri: CALLBACK, ...more }),
    )}`,
    { headers: elsewhere() },
  );
const pushing = (w: AttackWorld, client_id: string, more = {}): Promise<Answer> =>
  w.post(
    '/par',
    {
      ...w.plain.query(pkce().challenge, { redirect_uri: CALLBACK, ...more }),
      client_id,
    } as Record<string, string>,
    undefined,
    elsewhere(),
  );

/** Registers, or replaces what is registered. */
const registering = (
  w: AttackWorld,
  more: object,
  made?: { readonly client_id: string; readonly registration_access_token: string },
): Promise<Answer> =>
  w.send(made === undefined ? '/register' : `/register/${made.client_id}`, {
    method: made === undefined ? 'POST' : 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(made === undefined ? {} : { authorization: `Bearer ${made.registration_access_token}` }),
      ...elsewhere(),
    },
    body: JSON.stringify({ redirect_uris: [CALLBACK], client_id: made?.client_id, ...more }),
  });

/** Three segments, of which somebody might believe the first two. */
const signedBy = (header: object, claims: object): string =>
  [header, claims, 'signature']
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');

/** To the client only what it may be told, once its own document was good. */
const REFUSED =
  /^(?:40[01] (?:invalid_|unapproved_|request_uri_)|303 to client (?:invalid_|request_uri_))/;

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const KEYED = { token_endpoint_auth_method: 'private_key_jwt' };

/** Every URL of a registration, and of what vouches for one (CVE-2026-22752). */
async function everyFieldOfRegistration(
  w: AttackWorld,
  at: (path: string) => string,
): Promise<readonly Answer[]> {
  // What of these is kept, and what left out: asked for neither now, nor when its client proves itself.
  const { status, body: made } = await registering(w, {
    ...Object.fromEntries(NEVER_FETCHED.map((member) => [member, at('/never')])),
    token_endpoint_auth_method: 'client_secret_basic',
    jwks_uri: at('/jwks'),
  });
  if (status !== 201) throw new Error(`not registered: ${status}`);
  const { client_id: client } = made;
  const [alg, kid] = ['ES256', 'k'];
  const claims = { iss: client, sub: client, aud: w.issuer, exp: 4e9, jti: randomUUID() };
  return [
    await registering(w, { ...KEYED, jwks_uri: at('/jwks') }),
    await registering(w, { ...KEYED, jwks_uri: at('/jwks') }, made),
    await registering(w, {
      software_statement: signedBy({ alg, kid, jku: at('/jwks') }, { iss: at('/issuer') }),
    }),
    await w.post('/token', {
      grant_type: 'authorization_code',
      code: 'x',
      client_id: client,
      client_assertion_type: ASSERTION,
      client_assertion: signedBy({ alg, kid, jku: at('/jwks'), x5u: at('/x5u') }, claims),
    }),
  ];
}

/** Every field that takes a URL, leading to one host. */
async function everyField(w: AttackWorld, host: string): Promise<unknown> {
  const before = w.guarded.knocks();
  const at = (path: string) => `https://${host}:${w.guarded.port}/${randomUUID()}${path}`;
  const plainly = at('/client.json').replace('https:', 'http:');
  const bad = at('/x');
  const answers = [
    await asking(w, at('/client.json')),
    await asking(w, plainly),
    await pushing(w, at('/client.json')),
    await asking(w, documentAt(w, { ...KEYED, jwks_uri: at('/jwks') })),
    await asking(w, documentAt(w, { redirect_uris: [CALLBACK], request_uris: [at('/r')] }), {
      request_uri: at('/request.jwt'),
    }),
    await w.token(undefined, { grant_type: 'refresh_token', refresh_token: 'x', client_id: bad }),
    await w.post('/revoke', { token: 'x', client_id: bad }),
    ...(await everyFieldOfRegistration(w, at)),
  ];
  // Kept or left out or refused: in no case asked for.
  const described = Object.fromEntries(NEVER_FETCHED.map((member) => [member, at('/never')]));
  await asking(w, documentAt(w, described));
  return [answers.map(seen).filter((one) => !REFUSED.test(one)), w.guarded.knocks() - before];
}

const hosts: readonly Attack[] = [...LITERALS, ...NAMES].map((host) => ({
  id: 'S1',
  name: `${host} as client_id, jwks_uri, request_uri and every other URL of a document or a registration`,
  run: (w) => everyField(w, host),
  expected: [[], 0],
  ...(host === LITERALS[0] && {
    neighbour: (w: AttackWorld) => pageOf(asking(w, documentAt(w, {}))),
  }),
}));

/** The neighbour is a page: anything else is told. */
async function pageOf(answering: Promise<Answer>): Promise<void> {
  const answer = await answering;
  if (seen(answer) !== '303 to interaction') throw new Error(`no page: ${seen(answer)}`);
}

const proxies: readonly Attack[] = [
  {
    id: 'S2',
    name: 'proxies in the environment of the process lead to the guarded port: they are not asked',
    unaudited: SERVED,
    run: async (w) => {
      const before = w.guarded.knocks();
      const url = documentAt(w, {});
      const answer = seen(await asking(w, url));
      return [answer, w.web.asked.includes(url), w.guarded.knocks() - before];
    },
    expected: ['303 to interaction', true, 0],
  },
];

const JSON_TYPE = { 'content-type': 'application/json' };

/** Servers that would have us wait, swallow or wander. */
const servers: ReadonlyArray<readonly [string, Handler]> = [
  ['never answers', () => {}],
  [
    'answers for ever',
    (_req, res) => {
      res.writeHead(200, JSON_TYPE);
      const drip = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(drip));
    },
  ],
  [
    'answers with more than 5 KB',
    (_req, res) => res.writeHead(200, JSON_TYPE).end(' '.repeat(9999)),
  ],
  [
    'answers with a bomb',
    (_req, res) =>
      res
        .writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(10_000_000))),
  ],
  [
    'sends us to itself, again and again',
    (req, res) => res.writeHead(302, { location: `https://${SITE}${req.url}` }).end(),
  ],
  [
    'sends us to the inside',
    (_req, res) => res.writeHead(307, { location: 'https://127.0.0.1/' }).end(),
  ],
  ['hangs up', (_req, res) => res.socket?.destroy()],
];

const slow: readonly Attack[] = servers.map(([what, handler]) => ({
  id: 'S3',
  name: `a server that ${what}`,
  run: async (w) => {
    const url = documentAt(w, handler);
    const answers = [seen(await asking(w, url)), seen(await asking(w, url))];
    return [answers, w.web.asked.filter((one) => one === url).length];
  },
  // Asked once: failures are remembered for a moment.
  expected: [['400 invalid_client', '400 invalid_client'], 1],
}));

const flood: Attack = {
  id: 'S3',
  name: 'ten documents of one slow host at once: four are waited for, and another client is served',
  run: async (w) => {
    const urls = Array.from({ length: 10 }, () => documentAt(w, () => {}));
    const answers = urls.map((url) => asking(w, url));
    const other = seen(await w.ana.browser.get(w.ana.url({ prompt: 'none' })));
    await Promise.all(answers);
    return [other, w.web.asked.filter((one) => urls.includes(one)).length];
  },
  expected: ['303 to client with a code', 4],
  legitimate: { kinds: ['code', 'grant'], because: 'Ana’s own request, under her consent' },
};

const alike: readonly Attack[] = [
  {
    id: 'S4',
    name: 'open, closed, missing, inside, no JSON: one answer for all of them',
    run: async (w) => {
      const html: Handler = (_req, res) => res.writeHead(200).end('<html>');
      const ids = [
        documentAt(w, html),
        documentAt(w, (_req, res) => res.writeHead(500).end()),
        documentAt(w, (_req, res) => res.socket?.destroy()),
        `https://${SITE}/${randomUUID()}/missing`,
        `https://v4-7f000001.evil.example:${w.guarded.port}/x`,
        `https://v4-0a000001.evil.example/${randomUUID()}`,
        `https://nowhere.evil.example/${randomUUID()}`,
      ];
      const answers = await Promise.all(ids.map((id) => pushing(w, id)));
      return [...new Set(answers.map(({ status, text }) => `${status} ${text}`))];
    },
    expected: [
      '401 {"error":"invalid_client","error_description":"the client ID metadata document could not be fetched"}',
    ],
  },
  {
    id: 'S4',
    name: 'what only looks like a URL is told apart before anything is looked up',
    unaudited: NOTHING_DECIDED,
    run: async (w) => {
      const before = w.web.asked.length;
      const { status, body } = await w.send('/.well-known/oauth-authorization-server');
      return [status, body.client_id_metadata_document_supported, w.web.asked.length - before];
    },
    expected: [200, true, 0],
  },
];

export const requestForgery: readonly Attack[] = [...hosts, ...proxies, ...slow, flood, ...alike];
