// J: every slot of these flows that takes a signed thing. What the broker's own key signs wrongly is
// refused for what it says; what anybody else signs is refused for who said it.
import { generateKeyPairSync, type KeyObject, sign as nodeSign, randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import * as schema from '../../../schema/index.js';
import { AGENT, ANA, FILES, FILES_CLIENT, HOST, SERVICE } from '../../support/world.js';
import { ANSWERED, type Attack, SERVED, seen, seenAll, tallied } from '../support/attack.js';
import {
  decodePart,
  encodePart,
  macced,
  ownKey,
  resigned,
  selfSigned,
  signed,
} from '../support/forge.js';
import type { Answer, Fields } from '../support/http.js';
import type { AttackWorld } from '../support/world.js';

const seconds = (): number => Math.floor(Date.now() / 1000);
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

interface Keyed {
  readonly id: string;
  readonly key: KeyObject;
}

/** A service that proves itself with a key. */
async function keyed(w: AttackWorld, auth = 'private_key_jwt'): Promise<Keyed> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = `cli_keyed${Math.random().toString(36).slice(2, 10)}`;
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: `key-${id}` };
  await w.db.orm.insert(schema.clients).values({ id, name: 'Keyed', kind: 'service', auth });
  await w.db.orm
    .insert(schema.credentials)
    .values({ id: `crd_${id}`, principal: id, kind: 'jwk', jwk });
  await w.db.orm
    .insert(schema.permissions)
    .values({ principal: id, resource: FILES, scopes: ['files:read'] });
  await w.db.orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
  await w.settle();
  return { id, key: privateKey };
}

const claimsFor = (w: AttackWorld, { id }: Keyed, more: object = {}) => ({
  iss: id,
  sub: id,
  aud: w.issuer,
  jti: randomUUID(),
  iat: seconds(),
  exp: seconds() + 60,
  ...more,
});
const assertion = (
  w: AttackWorld,
  client: Keyed,
  claims: object = {},
  header: object = {},
  key = client.key,
) =>
  signed({ alg: 'ES256', kid: `key-${client.id}`, ...header }, claimsFor(w, client, claims), key);
const present = (w: AttackWorld, client_assertion: string, more: Fields = {}): Promise<Answer> =>
  w.token(undefined, {
    grant_type: 'client_credentials',
    resource: FILES,
    client_assertion_type: ASSERTION,
    client_assertion,
    ...more,
  });

type Assertion = readonly [
  string,
  string,
  (w: AttackWorld, client: Keyed) => Promise<string> | string,
  string?,
];

const assertions: readonly Assertion[] = [
  ['J1', 'alg none', (w, c) => `${encodePart({ alg: 'none' })}.${encodePart(claimsFor(w, c))}.`],
  ['J1', 'alg nOnE', (w, c) => `${encodePart({ alg: 'nOnE' })}.${encodePart(claimsFor(w, c))}.`],
  ['J1', 'no signature', (w, c) => `${assertion(w, c).split('.').slice(0, 2).join('.')}.`],
  [
    'J1',
    'a signature of zeros',
    (w, c) => `${assertion(w, c).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`,
  ],
  ['J2', 'HS256 keyed by its own public key', async (w, c) => hmacOf(w, c)],
  ['J3', 'the key of another', (w, c) => assertion(w, c, {}, {}, ownKey())],
  ['J3', 'alg ES384 over a P-256 key', (w, c) => assertion(w, c, {}, { alg: 'ES384' })],
  ['J3', 'alg RS256 over an EC key', (w, c) => assertion(w, c, {}, { alg: 'RS256' })],
  ['J4', 'the kid of nobody', (w, c) => assertion(w, c, {}, { kid: 'nobody' })],
  ['J4', 'a kid as a list', (w, c) => assertion(w, c, {}, { kid: [`key-${c.id}`] })],
  ['J4', 'kid __proto__', (w, c) => assertion(w, c, {}, { kid: '__proto__' })],
  [
    'J5',
    'a jwk header with the attacker’s key',
    (w, c) => selfSigned(assertion(w, c), { header: { jwk: {}, kid: undefined } }),
  ],
  [
    'J5',
    'a jku header',
    (w, c) => selfSigned(assertion(w, c), { header: { jku: 'http://127.0.0.1:9/' } }),
  ],
  ['J6', 'an unknown crit', (w, c) => assertion(w, c, {}, { crit: ['x'], x: true })],
  ['J6', 'an empty crit', (w, c) => assertion(w, c, {}, { crit: [] })],
  ['J6', 'b64 false', (w, c) => assertion(w, c, {}, { crit: ['b64'], b64: false })],
  ['J8', 'padding', (w, c) => `${assertion(w, c)}==`],
  ['J8', 'a newline after', (w, c) => `${assertion(w, c)}\n`],
  ['J8', 'a fourth part', (w, c) => `${assertion(w, c)}.AAAA`],
  [
    'J8',
    'JSON serialisation',
    (w, c) => {
      const [p, b, s] = assertion(w, c).split('.');
      return JSON.stringify({ protected: p, payload: b, signature: s });
    },
  ],
  ['J9', 'five parts, as a JWE has', (w, c) => `${assertion(w, c)}.AAAA.AAAA`],
  [
    'J9',
    'a JWE header with p2c of ten million',
    () =>
      `${encodePart({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 10_000_000, p2s: 'AAAA' })}.AAAA.AAAA.AAAA.AAAA`,
  ],
  ['J11', 'no exp', (w, c) => assertion(w, c, { exp: undefined })],
  ['J11', 'exp a minute ago', (w, c) => assertion(w, c, { exp: seconds() - 61 })],
  ['J11', 'exp in an hour', (w, c) => assertion(w, c, { exp: seconds() + 3600 })],
  ['J11', 'exp as text', (w, c) => assertion(w, c, { exp: String(seconds() + 60) })],
  ['J11', 'exp as null', (w, c) => assertion(w, c, { exp: null })],
  ['J11', 'exp beyond numbers', (w, c) => rawAssertion(w, c, '"exp":60', '"exp":1e400')],
  ['J11', 'nbf in two minutes', (w, c) => assertion(w, c, { nbf: seconds() + 120 })],
  ['J11', 'nbf as text', (w, c) => assertion(w, c, { nbf: '0' })],
  ['J11', 'iat in two minutes', (w, c) => assertion(w, c, { iat: seconds() + 120 })],
  ['J11', 'iat as text', (w, c) => assertion(w, c, { iat: String(seconds()) })],
  [
    'J12',
    'the token endpoint as audience',
    (w, c) => assertion(w, c, { aud: `${w.issuer}/token` }),
  ],
  ['J12', 'a slash after the audience', (w, c) => assertion(w, c, { aud: `${w.issuer}/` })],
  ['J12', 'the audience as a list', (w, c) => assertion(w, c, { aud: [w.issuer] })],
  ['J12', 'two audiences', (w, c) => assertion(w, c, { aud: [w.issuer, 'https://other.example'] })],
  [
    'J12',
    'another server as audience',
    (w, c) => assertion(w, c, { aud: 'https://other.example' }),
  ],
  ['J12', 'a resource as audience', (w, c) => assertion(w, c, { aud: FILES })],
  ['J12', 'no audience', (w, c) => assertion(w, c, { aud: undefined })],
  ['J12', 'Aud for aud', (w, c) => assertion(w, c, { aud: undefined, Aud: w.issuer })],
  ['J12', 'another issuer', (w, c) => assertion(w, c, { iss: HOST })],
  ['J12', 'no issuer', (w, c) => assertion(w, c, { iss: undefined })],
  ['J12', 'another subject', (w, c) => assertion(w, c, { sub: HOST })],
  ['J12', 'another client altogether', (w, c) => assertion(w, c, { sub: HOST, iss: HOST })],
  ['J12', 'no subject', (w, c) => assertion(w, c, { sub: undefined })],
  [
    'J12',
    'a subject with a NUL',
    (w, c) => assertion(w, c, { sub: `${c.id}\0`, iss: `${c.id}\0` }),
  ],
  [
    'J12',
    'a subject as an object',
    (w, c) => assertion(w, c, { sub: { id: c.id }, iss: { id: c.id } }),
  ],
  ['J12', 'no jti', (w, c) => assertion(w, c, { jti: undefined })],
  ['J12', 'an empty jti', (w, c) => assertion(w, c, { jti: '' })],
  ['J12', 'a jti that is no text', (w, c) => assertion(w, c, { jti: { a: 1 } })],
];

async function hmacOf(w: AttackWorld, client: Keyed): Promise<string> {
  const { createHmac, createPublicKey } = await import('node:crypto');
  const pem = createPublicKey(client.key).export({ format: 'pem', type: 'spki' });
  const input = `${encodePart({ alg: 'HS256' })}.${encodePart(claimsFor(w, client))}`;
  return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
}

/** A number JSON.stringify would not write. */
function rawAssertion(w: AttackWorld, client: Keyed, from: string, to: string): string {
  const payload = JSON.stringify({ ...claimsFor(w, client), exp: 60 }).replace(from, to);
  const input = `${encodePart({ alg: 'ES256', kid: `key-${client.id}` })}.${encodePart(payload)}`;
  const signature = nodeSign('sha256', Buffer.from(input), {
    key: client.key,
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64url')}`;
}

const clientAssertions: readonly Attack[] = [
  ...assertions.map(
    ([id, name, make]): Attack => ({
      id,
      name: `a client assertion with ${name}; a good one still works`,
      refs: ['K5', '29'],
      run: async (w) => {
        const client = await keyed(w);
        const tried = await present(w, await make(w, client));
        const good = await w.honestly(() => present(w, assertion(w, client)));
        return [
          tried.status >= 400 && tried.status < 500 ? 'refused' : seen(tried),
          ['invalid_client', 'invalid_request'].includes(tried.body.error),
          seen(good),
        ];
      },
      expected: ['refused', true, '200 json'],
    }),
  ),
  {
    id: 'J1',
    name: 'a client assertion is used twice',
    refs: ['K5'],
    run: async (w) => {
      const one = assertion(w, await keyed(w));
      await w.honestly(() => present(w, one));
      return seen(await present(w, one));
    },
    expected: '401 invalid_client',
  },
  {
    id: 'J1',
    name: 'a client assertion is used twenty times at once: one wins',
    refs: ['K5', '57'],
    legitimate: { kinds: ['token'], because: 'one of the twenty is the client itself' },
    run: async (w) => {
      const one = assertion(w, await keyed(w));
      return tallied(await seenAll(Array.from({ length: 20 }, () => present(w, one))));
    },
    expected: { '200 json': 1, '401 invalid_client': 19 },
  },
  {
    id: 'J1',
    name: 'a client assertion in another spelling of its signature is the same assertion',
    refs: ['K5'],
    run: async (w) => {
      const one = assertion(w, await keyed(w));
      await w.honestly(() => present(w, one));
      const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      return seen(
        await present(w, one.slice(0, -1) + ALPHABET[ALPHABET.indexOf(one.slice(-1)) ^ 1]),
      );
    },
    expected: '401 invalid_client',
  },
  ...(
    [
      [
        'a secret for a client that has a key',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return w.token(undefined, {
            grant_type: 'client_credentials',
            resource: FILES,
            client_id: c.id,
            client_secret: 'x'.repeat(43),
          });
        },
      ],
      [
        'no proof for a client that has a key',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return w.token(undefined, {
            grant_type: 'client_credentials',
            resource: FILES,
            client_id: c.id,
          });
        },
      ],
      [
        'an assertion for a client that has a secret',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(w, signed({ alg: 'ES256' }, claimsFor(w, { ...c, id: SERVICE }), c.key));
        },
      ],
      [
        'an assertion and a secret',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(w, assertion(w, c), { client_secret: 'x'.repeat(43) });
        },
      ],
      [
        'an assertion and another client_id',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(w, assertion(w, c), { client_id: SERVICE });
        },
      ],
      [
        'an assertion of another type',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(w, assertion(w, c), {
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
          });
        },
      ],
      [
        'an assertion without a type',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(w, assertion(w, c), { client_assertion_type: undefined });
        },
      ],
      [
        'an assertion by the agent’s own resource token',
        async (w: AttackWorld) =>
          present(
            w,
            (
              await w.honestly(() =>
                w.token(AGENT, { grant_type: 'client_credentials', resource: FILES }),
              )
            ).body.access_token,
          ),
      ],
      [
        'an assertion by an ID token',
        async (w: AttackWorld) => present(w, (await w.ana.tokens()).id_token ?? ''),
      ],
      [
        'an assertion signed by the broker’s own key',
        async (w: AttackWorld) => {
          const c = await keyed(w);
          return present(
            w,
            signed({ alg: 'ES256' }, claimsFor(w, c), (await w.signingKey()).privateKey),
          );
        },
      ],
    ] as const
  ).map(
    ([name, attempt]): Attack => ({
      id: 'J7',
      name,
      refs: ['K3', 'K4'],
      run: async (w) => {
        const { status, body } = await attempt(w);
        return [
          status === 400 || status === 401,
          body.error === 'invalid_client' || body.error === 'invalid_request',
        ];
      },
      expected: [true, true],
    }),
  ),
];

/** kind → how to get one; and the slots in which it is the right thing. */
const kinds: ReadonlyArray<readonly [string, (w: AttackWorld) => Promise<string>]> = [
  ['an actor token', (w) => w.actorToken(AGENT)],
  [
    'an agent’s resource token',
    async (w) =>
      (
        await w.honestly(() =>
          w.token(AGENT, { grant_type: 'client_credentials', resource: FILES }),
        )
      ).body.access_token,
  ],
  ['a delegated token', async (w) => (await w.ana.tokens()).access_token],
  ['a plain token', async (w) => (await w.plain.tokens()).access_token],
  ['an ID token', async (w) => (await w.ana.tokens()).id_token ?? ''],
  ['a refresh token', async (w) => (await w.ana.tokens()).refresh_token],
  ['a code', async (w) => (await w.ana.code()).code],
  ['a client assertion', async (w) => assertion(w, await keyed(w))],
];
const slots: ReadonlyArray<
  readonly [string, (w: AttackWorld, value: string) => Promise<boolean>, readonly string[]]
> = [
  [
    'the actor token',
    async (w, value) =>
      (await w.ana.redeem(await w.ana.code(), { actor_token: value })).status === 200,
    ['an actor token'],
  ],
  [
    'introspection by the file server',
    async (w, value) => (await w.introspect(value, FILES_CLIENT)).body.active,
    ['an agent’s resource token', 'a delegated token', 'a plain token'],
  ],
  [
    'the client assertion',
    async (w, value) => (await present(w, value)).status === 200,
    ['a client assertion'],
  ],
  [
    'the id_token_hint',
    async (w, value) =>
      /[?&]code=/.test(
        (await w.ana.browser.get(w.ana.url({ prompt: 'none', id_token_hint: value }))).headers
          .location ?? '',
      ),
    ['an ID token'],
  ],
  [
    'userinfo',
    async (w, value) =>
      (
        await w.send('/userinfo', {
          headers: { authorization: `Bearer ${value}`, accept: 'application/json' },
        })
      ).status === 200,
    [],
  ],
  [
    'the refresh token',
    async (w, value) => (await w.ana.refresh(value)).status === 200,
    ['a refresh token'],
  ],
  [
    'the id_token_hint at sign-out',
    async (w, value) =>
      (await w.browser().get(`/logout?${w.encode({ id_token_hint: value })}`)).status === 200,
    ['an ID token'],
  ],
  [
    'the bearer of the admin API',
    async (w, value) =>
      (
        await w.send('/admin/v1/agents', {
          headers: { authorization: `Bearer ${value}`, accept: 'application/json' },
        })
      ).status === 200,
    [],
  ],
];

/** Tokens introspection knows, of somebody else: answered like any other, and audited. */
const ANOTHERS = new Set(['an actor token', 'a refresh token']);

const matrix: readonly Attack[] = slots.flatMap(([slot, accepts, right]) =>
  kinds.map(([kind, make]): Attack => {
    const fits = right.includes(kind);
    const silent = /introspection|sign-out/.test(slot);
    return {
      id: 'J7',
      name: `${kind} as ${slot}: ${fits ? 'accepted, it is the diagonal' : 'refused'}`,
      ...(fits
        ? {
            unaudited: SERVED,
            legitimate: {
              kinds: ['token', 'refresh', 'code', 'grant', 'session'],
              because: 'the right thing in the right place',
            },
          }
        : {}),
      ...(silent && !fits && slot !== 'the id_token_hint at sign-out' && !ANOTHERS.has(kind)
        ? { unaudited: ANSWERED }
        : {}),
      run: async (w) => accepts(w, await make(w)),
      expected: fits,
    };
  }),
);

type Forged = readonly [string, string, (w: AttackWorld, good: string) => Promise<string>];

const introspected: readonly Forged[] = [
  [
    'J1',
    'alg none',
    async (_w, t) => `${encodePart({ alg: 'none', typ: 'at+jwt' })}.${t.split('.')[1]}.`,
  ],
  ['J2', 'HS256 keyed by our PEM', (w, t) => macced(w, t, 'pem')],
  ['J2', 'HS256 keyed by our JWK', (w, t) => macced(w, t, 'jwk')],
  ['J3', 'the attacker’s key', async (_w, t) => selfSigned(t, {})],
  ['J4', 'no kid', (w, t) => resigned(w, t, { header: { kid: undefined } })],
  ['J5', 'a jwk header', async (_w, t) => selfSigned(t, { header: { jwk: {} } })],
  ['J6', 'an unknown crit', (w, t) => resigned(w, t, { header: { crit: ['x'], x: 1 } })],
  ['J7', 'typ JWT', (w, t) => resigned(w, t, { header: { typ: 'JWT' } })],
  ['J7', 'typ dpop+jwt', (w, t) => resigned(w, t, { header: { typ: 'dpop+jwt' } })],
  ['J8', 'another spelling of the signature', async (_w, t) => `${t}==`],
  ['J8', 'a space before', async (_w, t) => ` ${t}`],
  ['J10', 'r = s = 0', async (_w, t) => `${t.split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`],
  [
    'J10',
    'a DER signature',
    async (w, t) => {
      const { privateKey } = await w.signingKey();
      const input = t.split('.').slice(0, 2).join('.');
      return `${input}.${nodeSign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
    },
  ],
  [
    'J11',
    'a longer life than it was given, past its own',
    (w, t) => resigned(w, t, { claims: { iat: seconds() + 7200, exp: seconds() + 9000 } }),
  ],
  ['J11', 'exp as text', (w, t) => resigned(w, t, { claims: { exp: String(seconds() + 60) } })],
  ['J11', 'nbf in an hour', (w, t) => resigned(w, t, { claims: { nbf: seconds() + 3600 } })],
  ['J12', 'another issuer', (w, t) => resigned(w, t, { claims: { iss: 'https://evil.example' } })],
  [
    'J12',
    'two audiences',
    (w, t) => resigned(w, t, { claims: { aud: [FILES, 'https://notes.example/api'] } }),
  ],
  [
    'X1',
    'more scope than was recorded',
    (w, t) =>
      resigned(w, t, {
        claims: { scope: 'files:delete files:write', agent_scope: 'files:delete files:write' },
      }),
  ],
  ['X12', 'another user', (w, t) => resigned(w, t, { claims: { sub: 'usr_ben' } })],
  ['X12', 'another client', (w, t) => resigned(w, t, { claims: { client_id: FILES_CLIENT } })],
  [
    'X12',
    'another audience',
    (w, t) => resigned(w, t, { claims: { aud: 'https://notes.example/api' } }),
  ],
  [
    'X12',
    'an id that nobody recorded',
    (w, t) =>
      resigned(w, t, {
        claims: { jti: 'cns_AAAAAAAAAAAAAAAAAAAA.gnt_AAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAA' },
      }),
  ],
  ['X12', 'no act', (w, t) => resigned(w, t, { claims: { act: undefined } })],
  [
    'X12',
    'an act that is the user',
    (w, t) => resigned(w, t, { claims: { act: { sub: ANA.id, iss: 'x' } } }),
  ],
  ['X18', 'an acr', (w, t) => resigned(w, t, { claims: { acr: 'urn:other' } })],
  ['X18', 'a fresher sign-in', (w, t) => resigned(w, t, { claims: { auth_time: 4_000_000_000 } })],
  [
    'D3',
    'a stronger proof of its actor',
    (w, t) => resigned(w, t, { claims: { actor_proof: 'client_auth' } }),
  ],
  [
    'X15',
    'another key to be bound to',
    (w, t) => resigned(w, t, { claims: { cnf: { jkt: 'x' } } }),
  ],
  ['X7', 'a claim nobody issued', (w, t) => resigned(w, t, { claims: { roles: ['admin'] } })],
  ['X13', 'an act ten thousand deep', (w, t) => deep(w, t)],
];

async function deep(w: AttackWorld, token: string): Promise<string> {
  let act = '{"sub":"agt_x","iss":"x"}';
  for (let n = 0; n < 700; n += 1) act = `{"sub":"agt_x","iss":"x","act":${act}}`;
  const { privateKey } = await w.signingKey();
  const payload = JSON.stringify({ ...decodePart(token, 1), act: 'ACT' }).replace('"ACT"', act);
  return signed(decodePart(token, 0), payload, privateKey);
}

const introspections: readonly Attack[] = [
  ...introspected.map(
    ([id, name, forge]): Attack => ({
      id,
      name: `a delegated token with ${name}, introspected`,
      refs: ['70', '71', '76'],
      // By a stolen key, for another server: to the one that asks it is somebody else's.
      ...(name === 'another audience' ? {} : { unaudited: ANSWERED }),
      run: async (w) => {
        const good = (await w.ana.tokens()).access_token;
        const tried = await w.introspect(await forge(w, good));
        return [tried.status, tried.body, (await w.introspect(good)).body.active];
      },
      expected: [200, { active: false }, true],
    }),
  ),
  {
    id: 'J13',
    name: 'a token of a key that was declared compromised, and what it would sign next',
    run: async (w) => {
      const { access_token } = await w.ana.tokens();
      const { narrow } = await import('../../support/narrow.js');
      const key = `kid:${decodePart(access_token, 0).kid}`;
      await narrow(w.db, async () => ({
        stops: [{ key, always: true, reason: 'test', by: 'admin' }],
        result: undefined,
      }));
      const { body } = await w.introspect(access_token);
      const gate = await w.token(AGENT, { grant_type: 'client_credentials', resource: FILES });
      await w.db.run('delete from revocations where key = $1', [key]);
      return [body, gate.status];
    },
    expected: [{ active: false }, 400],
  },
  {
    id: 'J13',
    name: 'the published keys hold no private part',
    unaudited: SERVED,
    run: async (w) => {
      const { body } = await w.send('/.well-known/jwks.json');
      return body.keys.flatMap((key: object) =>
        Object.keys(key).filter((name) =>
          ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].includes(name),
        ),
      );
    },
    expected: [],
  },
];

const hints: ReadonlyArray<readonly [string, (w: AttackWorld) => Promise<string>]> = [
  ['garbage', async () => 'garbage'],
  [
    'alg none',
    async (w) =>
      `${encodePart({ alg: 'none' })}.${((await w.ana.tokens()).id_token ?? '').split('.')[1]}.`,
  ],
  ['the attacker’s key', async (w) => selfSigned((await w.ana.tokens()).id_token ?? '', {})],
  ['HS256 keyed by our PEM', async (w) => macced(w, (await w.ana.tokens()).id_token ?? '', 'pem')],
  [
    'another audience',
    async (w) =>
      resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: 'cli_nobody' } }),
  ],
  [
    'an audience as an object',
    async (w) => resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: { a: 1 } } }),
  ],
  [
    'an audience as a list',
    async (w) => resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: [[HOST]] } }),
  ],
  [
    'an audience as a number',
    async (w) => resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: 1 } }),
  ],
  [
    'an audience with a NUL',
    async (w) =>
      resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: `${HOST}\0` } }),
  ],
  [
    'no audience',
    async (w) => resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { aud: undefined } }),
  ],
  [
    'another issuer',
    async (w) =>
      resigned(w, (await w.ana.tokens()).id_token ?? '', {
        claims: { iss: 'https://evil.example' },
      }),
  ],
  [
    'no subject',
    async (w) => resigned(w, (await w.ana.tokens()).id_token ?? '', { claims: { sub: undefined } }),
  ],
  [
    'a payload that is no JSON',
    async (w) => signed({ alg: 'ES256' }, 'not json', (await w.signingKey()).privateKey),
  ],
  [
    'a payload that is null',
    async (w) => signed({ alg: 'ES256' }, 'null', (await w.signingKey()).privateKey),
  ],
  [
    'a payload that is a list',
    async (w) => signed({ alg: 'ES256' }, '[]', (await w.signingKey()).privateKey),
  ],
  ['a header that is null', async () => `${encodePart('null')}.${encodePart('{}')}.AAAA`],
  [
    'an unknown crit',
    async (w) =>
      resigned(w, (await w.ana.tokens()).id_token ?? '', { header: { crit: ['x'], x: 1 } }),
  ],
  ['five parts', async (w) => `${(await w.ana.tokens()).id_token}.A.A`],
];

const idTokenHints: readonly Attack[] = [
  ...hints.map(
    ([name, make]): Attack => ({
      id: 'J7',
      name: `an id_token_hint with ${name} at /authorize: no code`,
      run: async (w) => {
        const { headers, status } = await w.ana.browser.get(
          w.ana.url({ prompt: 'none', id_token_hint: await make(w) }),
        );
        return [status, /[?&]code=/.test(headers.location ?? '')];
      },
      expected: [303, false],
    }),
  ),
  ...hints.map(
    ([name, make]): Attack => ({
      id: 'J7',
      name: `an id_token_hint with ${name} at sign-out: a local page, and nobody is signed out`,
      run: async (w) =>
        seen(await w.ana.browser.get(`/logout?${w.encode({ id_token_hint: await make(w) })}`)),
      expected: '400 page',
    }),
  ),
  {
    id: 'J7',
    name: 'an id_token_hint of another user: not served from this session',
    run: async (w) =>
      seen(
        await w.ana.browser.get(
          w.ana.url({ prompt: 'none', id_token_hint: (await w.ben.tokens()).id_token }),
        ),
      ),
    expected: '303 to client login_required',
  },
];

export const jose: readonly Attack[] = [
  ...clientAssertions,
  ...matrix,
  ...introspections,
  ...idTokenHints,
];
