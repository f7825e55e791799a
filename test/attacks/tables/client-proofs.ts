// K3–K6: clients that are to be proved one way and are shown another, two at once, or somebody else's;
// keys no client should have. And J, in the slot of a DPoP proof.
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import * as schema from '../../../schema/index.js';
import { ADMIN_TOKEN, basic } from '../../support/broker.js';
import { certificate } from '../../support/client-certificates.js';
import { AGENT, FILES, SERVICE } from '../../support/world.js';
import { ANSWERED, type Attack, seen } from '../support/attack.js';
import { encodePart, ownKey, resigned, signed } from '../support/forge.js';
import type { Answer, Fields } from '../support/http.js';
import type { AttackWorld } from '../support/world.js';

const seconds = (): number => Math.floor(Date.now() / 1000);
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
const SECRET = 'x'.repeat(43);

interface Proving {
  readonly id: string;
  readonly key: KeyObject;
}

/** An agent registered to prove itself so, with a key, whatever that may be good for. */
async function registered(w: AttackWorld, auth: string): Promise<Proving> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = `agt_proves${randomUUID().slice(0, 8)}`;
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: `key-${id}` };
  const { orm } = w.db;
  await orm.insert(schema.agents).values({ id, name: 'Proves', owner: 'Ops', auth });
  await orm.insert(schema.credentials).values([
    { id: `crd_${id}`, principal: id, kind: 'jwk', jwk },
    {
      id: `crd_${id}c`,
      principal: id,
      kind: 'certificate',
      rule: auth === 'tls_client_auth' ? { san_dns: 'proves.example' } : null,
      thumbprint: auth === 'tls_client_auth' ? null : CERTIFICATE.thumbprint,
    },
  ]);
  await orm
    .insert(schema.permissions)
    .values({ principal: id, resource: FILES, scopes: ['files:read'] });
  await orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
  await w.settle();
  return { id, key: privateKey };
}

const CERTIFICATE = certificate({ dns: 'proves.example' });

type Headers = Record<string, string>;
type Shown = readonly [Fields, Headers];

const assertionOf = (w: AttackWorld, { id, key }: Proving, kid = `key-${id}`): string =>
  signed(
    { alg: 'ES256', kid },
    { iss: id, sub: id, aud: w.issuer, jti: randomUUID(), exp: seconds() + 60 },
    key,
  );
const asserted = (w: AttackWorld, client: Proving): Fields => ({
  client_assertion_type: ASSERTION,
  client_assertion: assertionOf(w, client),
});

const WAYS: Readonly<Record<string, (w: AttackWorld, client: Proving) => Shown>> = {
  'a secret by Basic': (_w, { id }) => [{}, { authorization: basic(id, SECRET) }],
  'a secret in the form': (_w, { id }) => [{ client_id: id, client_secret: SECRET }, {}],
  'nothing but its id': (_w, { id }) => [{ client_id: id }, {}],
  'an assertion': (w, client) => [asserted(w, client), {}],
  'a certificate in a header (RFC 9440)': (_w, { id }) => [
    { client_id: id },
    { 'client-cert': CERTIFICATE.clientCert, 'x-client-verify': 'SUCCESS' },
  ],
  'a certificate under every name proxies use': (_w, { id }) => [
    { client_id: id },
    Object.fromEntries(
      ['x-ssl-client-cert', 'x-client-cert', 'ssl-client-cert', 'x-forwarded-client-cert'].map(
        (name) => [name, encodeURIComponent(CERTIFICATE.pem)],
      ),
    ),
  ],
  'an attestation of its own making': (w, { id, key }) => [
    {},
    {
      'oauth-client-attestation': signed(
        { alg: 'ES256', typ: 'oauth-client-attestation+jwt' },
        { iss: w.issuer, sub: id, iat: seconds(), exp: seconds() + 60, cnf: { jwk: {} } },
        key,
      ),
      'oauth-client-attestation-pop': signed(
        { alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' },
        { aud: w.issuer, jti: randomUUID(), iat: seconds() },
        key,
      ),
    },
  ],
};

const METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'attest_jwt_client_auth',
];

const ask = (w: AttackWorld, [fields, headers]: Shown): Promise<Answer> =>
  w.post('/token', { ...OWN, ...fields }, undefined, headers);

/** Nobody is believed about certificates or attestations here: only an assertion proves anything. */
const confusion: readonly Attack[] = METHODS.flatMap((auth) =>
  Object.entries(WAYS)
    .filter(([way]) => !(auth === 'private_key_jwt' && way === 'an assertion'))
    .map(
      ([way, show]): Attack => ({
        id: 'K3',
        name: `registered for ${auth}, proved by ${way}`,
        refs: ['47'],
        run: async (w) => seen(await ask(w, show(w, await registered(w, auth)))),
        expected: '401 invalid_client',
      }),
    ),
);

const good = async (w: AttackWorld) => {
  const client = await registered(w, 'private_key_jwt');
  return w.honestly(() => ask(w, [asserted(w, client), {}]));
};

/** Two ways at once: each row is what is sent beside a good assertion. */
const BESIDE: ReadonlyArray<readonly [string, (client: Proving) => Shown, expected?: string]> = [
  ['a secret by Basic', ({ id }) => [{}, { authorization: basic(id, SECRET) }]],
  ['another client by Basic', () => [{}, { authorization: basic(SERVICE, SECRET) }]],
  ['a secret in the form', () => [{ client_secret: SECRET }, {}]],
  // Taken for a platform's word about that one, which nobody trusts (`workload/`).
  ['another client_id', () => [{ client_id: AGENT }, {}], '401 invalid_client'],
  ['two client_ids', ({ id }) => [{ client_id: [id, AGENT] }, {}]],
  ['a bearer token', () => [{}, { authorization: 'Bearer x' }]],
  ['an attestation', () => [{}, { 'oauth-client-attestation': 'a.b.c' }]],
];
const both: readonly Attack[] = BESIDE.map(
  ([what, show, expected = '400 invalid_request']): Attack => ({
    id: 'K4',
    name: `an assertion beside ${what}`,
    run: async (w) => {
      const client = await registered(w, 'private_key_jwt');
      const [fields, headers] = show(client);
      return seen(await ask(w, [{ ...asserted(w, client), ...fields }, headers]));
    },
    expected,
    neighbour: good,
  }),
);

const othersKeys: readonly Attack[] = [
  {
    id: 'K5',
    name: 'an assertion under the kid of another client’s key, signed by that one',
    run: async (w) => {
      const [mine, theirs] = [
        await registered(w, 'private_key_jwt'),
        await registered(w, 'private_key_jwt'),
      ];
      const forged = assertionOf(w, { id: theirs.id, key: mine.key }, `key-${mine.id}`);
      const fields = { client_assertion_type: ASSERTION, client_assertion: forged };
      return seen(await ask(w, [fields, {}]));
    },
    expected: '401 invalid_client',
    neighbour: good,
  },
  {
    id: 'K5',
    name: 'an assertion used at one endpoint, then at another',
    run: async (w) => {
      const fields = asserted(w, await registered(w, 'private_key_jwt'));
      await w.honestly(() => ask(w, [fields, {}]));
      return seen(await w.post('/introspect', { token: 'x', ...fields }));
    },
    expected: '401 invalid_client',
    neighbour: good,
  },
];

const publicKey = (): Record<string, unknown> =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as Record<
    string,
    unknown
  >;
const rsa = (bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' }) as Record<
    string,
    unknown
  >;

const KEYS: ReadonlyArray<readonly [string, () => unknown, string]> = [
  ['a private key', () => ({ ...publicKey(), d: 'AAAA' }), '400 json'],
  ['a symmetric key', () => ({ kty: 'oct', k: 'AAAA' }), '400 json'],
  ['an RSA key of 1024 bits', () => rsa(1024), '400 json'],
  ['an RSA key with e = 1', () => ({ ...rsa(2048), e: 'AQ' }), '400 json'],
  ['a point off its curve', () => ({ ...publicKey(), y: 'A'.repeat(43) }), '400 json'],
  ['a curve nobody offers', () => ({ ...publicKey(), crv: 'P-192' }), '400 json'],
  ['a key of a megabyte', () => ({ ...publicKey(), x: 'A'.repeat(1_000_000) }), '413 json'],
];
const UNWRITTEN = 'a form of an administrator that was not taken: nothing happened';
const withAdmin = (w: AttackWorld, path: string, body: unknown): Promise<Answer> =>
  w.honestly(() =>
    w.send(`/admin/v1${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
    }),
  );
const badKeys: readonly Attack[] = [
  ...KEYS.map(
    ([what, jwk, expected]): Attack => ({
      id: 'K6',
      name: `a client is to be proved by ${what}`,
      run: async (w) => {
        const credential = { kind: 'jwk', jwk: jwk() };
        return seen(await withAdmin(w, `/clients/${SERVICE}/credentials`, credential));
      },
      expected,
      unaudited: UNWRITTEN,
    }),
  ),
  {
    id: 'K6',
    name: 'a client is to be proved by a thousand keys',
    run: async (w) => {
      const keys = Array.from({ length: 1000 }, () => ({
        kty: 'EC',
        crv: 'P-256',
        x: 'A',
        y: 'A',
      }));
      const client = { name: 'Many', kind: 'service', auth: 'private_key_jwt', jwks: { keys } };
      return seen(await withAdmin(w, '/clients', client));
    },
    expected: '400 json',
    unaudited: UNWRITTEN,
  },
];

type Proof = (w: AttackWorld, key: KeyObject, jwk: Record<string, unknown>) => string;
const proved = (
  w: AttackWorld,
  key: KeyObject,
  header: Record<string, unknown>,
  claims: Record<string, unknown> = {},
): string =>
  signed(
    { alg: 'ES256', typ: 'dpop+jwt', ...header },
    { htm: 'POST', htu: `${w.issuer}/token`, iat: seconds(), jti: randomUUID(), ...claims },
    key,
  );
const PROOFS: ReadonlyArray<readonly [string, string, Proof]> = [
  [
    'J1',
    'alg none',
    (w, key, jwk) =>
      `${encodePart({ alg: 'none', typ: 'dpop+jwt', jwk })}.${proved(w, key, { jwk }).split('.')[1]}.`,
  ],
  [
    'J1',
    'no signature',
    (w, key, jwk) => `${proved(w, key, { jwk }).split('.').slice(0, 2).join('.')}.`,
  ],
  ['J2', 'alg HS256 over a public key', (w, key, jwk) => proved(w, key, { jwk, alg: 'HS256' })],
  ['J3', 'alg ES384 over a P-256 key', (w, key, jwk) => proved(w, key, { jwk, alg: 'ES384' })],
  ['J5', 'a jku in place of its key', (w, key) => proved(w, key, { jku: 'http://127.0.0.1:9/' })],
  ['J5', 'another key than signed it', (w, _key, jwk) => proved(w, ownKey(), { jwk })],
  ['J6', 'an unknown crit', (w, key, jwk) => proved(w, key, { jwk, crit: ['x'], x: 1 })],
  ['J7', 'the type of an access token', (w, key, jwk) => proved(w, key, { jwk, typ: 'at+jwt' })],
  ['J8', 'padding', (w, key, jwk) => `${proved(w, key, { jwk })}==`],
  ['J11', 'an iat as text', (w, key, jwk) => proved(w, key, { jwk }, { iat: String(seconds()) })],
  ['J12', 'the issuer as its place', (w, key, jwk) => proved(w, key, { jwk }, { htu: w.issuer })],
  ['J12', 'the method in another case', (w, key, jwk) => proved(w, key, { jwk }, { htm: 'post' })],
];
const proofs: readonly Attack[] = PROOFS.map(
  ([id, what, make]): Attack => ({
    id,
    name: `a DPoP proof with ${what}`,
    run: async (w) => {
      const key = ownKey();
      const { d: _private, ...jwk } = key.export({ format: 'jwk' }) as Record<string, unknown>;
      const dpop = make(w, key, jwk);
      return seen(await w.post('/token', { ...OWN }, AGENT, { dpop }));
    },
    expected: '400 invalid_dpop_proof',
    neighbour: async (w) => {
      const key = ownKey();
      const { d: _private, ...jwk } = key.export({ format: 'jwk' }) as Record<string, unknown>;
      return w.post('/token', { ...OWN }, AGENT, { dpop: proved(w, key, { jwk }) });
    },
  }),
);

/** Whoever has the broker's own signing key, and a bound token, but not its key. */
const unbound: readonly Attack[] = (['stripped', 'another'] as const).map((how) => ({
  id: 'X15',
  name: `a bound token signed again by the broker’s own key, its cnf ${how}`,
  run: async (w) => {
    const key = ownKey();
    const { d: _private, ...jwk } = key.export({ format: 'jwk' }) as Record<string, unknown>;
    const dpop = proved(w, key, { jwk });
    const { body } = await w.honestly(() => w.post('/token', { ...OWN }, AGENT, { dpop }));
    const cnf = how === 'stripped' ? undefined : { jkt: 'A'.repeat(43) };
    const forged = await resigned(w, body.access_token, { claims: { cnf } });
    const same = await resigned(w, body.access_token, {});
    return [(await w.introspect(forged)).body.active, (await w.introspect(same)).body.active];
  },
  expected: [false, true],
  unaudited: ANSWERED,
}));

export const clientProofs: readonly Attack[] = [
  ...confusion,
  ...both,
  ...othersKeys,
  ...badKeys,
  ...proofs,
  ...unbound,
];
