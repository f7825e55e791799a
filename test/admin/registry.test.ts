// What may be registered, and what each change leaves behind, on both databases.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminServices, runOperation } from '../../src/broker/admin/operation.js';
import { ADMIN_OPERATIONS } from '../../src/broker/admin/operations.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { isRefusal } from '../../src/broker/registry/refusal.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

const ISSUER = 'https://id.example';
const NOTES = 'https://notes.example/api';

type PublicKey = Record<string, string>;
const publicKey = (curve: 'P-256' | 'P-384'): PublicKey =>
  generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' }) as PublicKey;
const EC = publicKey('P-256');
const ED = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as PublicKey;
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
  format: 'jwk',
}) as PublicKey;
const WEAK_RSA = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'jwk',
}) as PublicKey;
const SHARED = publicKey('P-256');
/** Points of order 1, 2 and 8, as Ed25519 writes them, and one with its sign bit set. */
const SMALL_ORDER = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];

describe.each(DATABASES)('the registry on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, ISSUER);
  });
  afterAll(() => opened.close());

  /** An operation as the API and the CLI run it; a refusal as its kind and fields. */
  async function run(operation: string, params: Record<string, string>, body: object = {}) {
    const found = ADMIN_OPERATIONS.find(({ method, path }) => `${method} ${path}` === operation);
    if (found === undefined) throw new Error(`no operation ${operation}`);
    try {
      return await runOperation(found, {
        services,
        by: 'admin',
        holds: () => true,
        params,
        query: {},
        body,
      });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return [
        error.refusal,
        ...error.problems.map(({ path, message }) => `${path.join('.')}: ${message}`),
      ];
    }
  }
  const create = (noun: string, body: object) => run(`post /${noun}`, {}, body);

  /** How many events, the newest fact, and the epoch. */
  const marks = async () => {
    const [row] = await opened.db.run<{ events: number; facts: number; epoch: string }>(
      `select (select count(*)::int from audit_events) as events,
        (select coalesce(max(id), 0)::int from revocations) as facts, epoch from policy_epoch`,
    );
    return { events: row?.events ?? 0, facts: row?.facts ?? 0, epoch: Number(row?.epoch) };
  };

  describe('redirect URIs at registration', () => {
    const register = (uri: string) =>
      create('clients', { name: 'C', kind: 'app', redirect_uris: [uri] });

    it.each([
      'https://a.example/cb',
      'https://a.example',
      'https://a.example:8443/cb?x=1',
      'http://127.0.0.1:7777/cb',
      'http://[::1]/cb',
      'http://localhost/cb',
      'com.example.app:/cb',
      'vscode://example.helper/cb',
    ])('accepts %s', async (uri) => {
      expect(await register(uri)).toMatchObject({ redirect_uris: [uri] });
    });

    it.each<readonly [string, string, string]>([
      ['A2', 'https://*.a.example/cb', 'must not hold a wildcard: URIs are compared exactly'],
      ['A2', 'http://localhost:*/cb', 'must not hold a wildcard: URIs are compared exactly'],
      ['A1', 'https://good.example@evil.example/cb', 'must not hold a user name'],
      ['A1', 'https://a.example/cb#f', 'must not have a fragment (RFC 6749 §3.1.2)'],
      ['A1', 'https://a.example/cb#', 'must not have a fragment (RFC 6749 §3.1.2)'],
      ['A1', 'https://a.example\\@evil.example/cb', 'must not hold a backslash'],
      ['A1', 'https://a.example/a/../cb', 'must be written as https://a.example/cb'],
      ['A1', 'https://a.example/a/%2e%2e/cb', 'must be written as https://a.example/cb'],
      ['A1', 'https://A.example/cb', 'must be written as https://a.example/cb'],
      ['A1', 'https://a.example:443/cb', 'must be written as https://a.example/cb'],
      ['A1', 'https://a.example./cb', 'must not have a host that ends in a dot'],
      ['A1', 'https://a.example/%00', 'must not hold encoded control characters'],
      ['A1', 'https://a.example/c b', 'must be printable ASCII without spaces'],
      ['A1', 'https://аpple.example/cb', 'must be printable ASCII without spaces'],
      ['A1', '/cb', 'must be an absolute URI'],
      ['A3', 'http://127.1/cb', 'must be written as http://127.0.0.1/cb'],
      ['A3', 'http://0x7f.1/cb', 'must be written as http://127.0.0.1/cb'],
      ...['http://a.example/cb', 'http://127.0.0.1.nip.io/cb', 'http://[::ffff:7f00:1]/cb'].map(
        (uri) => ['A3', uri, 'must be https, or http on 127.0.0.1, [::1] or localhost'] as const,
      ),
      ...['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd'].map(
        (uri) => ['A5', uri, `must not use the scheme ${uri.split(':')[0]}:`] as const,
      ),
      ['A5', 'blob:https://a.example/x', 'must not use the scheme blob:'],
      ['A5', 'JavaScript:alert(1)', 'must not use the scheme javascript:'],
    ])('%s: refuses %s', async (_id, uri, message) => {
      expect(await register(uri)).toEqual(['invalid', `redirectUris.0: ${message}`]);
    });

    it('asks an app for one, and a service for none and a proof', async () => {
      expect(await create('clients', { name: 'C', kind: 'app' })).toEqual([
        'invalid',
        'redirectUris: must hold at least one URI for an app',
      ]);
      const service = { name: 'C', kind: 'service', redirect_uris: ['https://a.example'] };
      expect(await create('clients', { ...service, auth: 'none' })).toEqual([
        'invalid',
        'redirectUris: must be left out: a service signs nobody in',
        'auth: must not be none: a service proves itself',
      ]);
    });
  });

  describe('K6: keys', () => {
    const register = (jwk: object, id?: string) =>
      create('agents', { id, name: 'K', owner: 'O', jwks: { keys: [jwk] } });

    it('accepts P-256, Ed25519 and RSA-2048, each for one principal only', async () => {
      expect(await register({ ...EC, kid: 'one', use: 'sig' }, 'agt_ec')).toMatchObject({
        id: 'agt_ec',
        auth: 'private_key_jwt',
      });
      expect(await register(ED)).toMatchObject({ auth: 'private_key_jwt' });
      expect(await register(RSA)).toMatchObject({ auth: 'private_key_jwt' });
      expect(await register(EC, 'agt_thief')).toEqual([
        'conflict',
        'jwks.keys.0: is the key of another principal: a key proves one identity only',
      ]);
      expect(await run('get /agents/:id', { id: 'agt_thief' })).toEqual([
        'not_found',
        ': there is no agent "agt_thief"',
      ]);
    });

    const flipped = (x: string) => `${x.startsWith('A') ? 'B' : 'A'}${x.slice(1)}`;
    it.each<readonly [string, object, string]>([
      ['a private member', { ...EC, d: 'AAAA' }, 'd: is private: send the public key only'],
      ['a private RSA member', { ...RSA, dp: 'AAAA' }, 'dp: is private: send the public key only'],
      ['an unknown member', { ...EC, x5u: 'AAAA' }, 'x5u: is not a known field'],
      ['RSA-1024', WEAK_RSA, 'n: must have 2048 to 8192 bits, not 1024'],
      ['e = 1', { ...RSA, e: 'AQ' }, 'e: must be odd and greater than 3 (usually AQAB)'],
      ['e = 3', { ...RSA, e: 'Aw' }, 'e: must be odd and greater than 3 (usually AQAB)'],
      ['e = 65536', { ...RSA, e: 'AQAA' }, 'e: must be odd and greater than 3 (usually AQAB)'],
      [
        'a point off its curve',
        { ...EC, x: flipped(EC.x as string) },
        'x: is not a point of P-256',
      ],
      [
        'a point of small order (anybody could sign for it)',
        { ...ED, x: Buffer.alloc(32).toString('base64url') },
        'x: is a point of small order: anybody could sign for it',
      ],
      ...SMALL_ORDER.map(
        (hex) =>
          [
            `the point of small order ${hex.slice(0, 8)}…`,
            { ...ED, x: Buffer.from(hex, 'hex').toString('base64url') },
            'x: is a point of small order: anybody could sign for it',
          ] as const,
      ),
      [
        'an Ed25519 value that is no point',
        { ...ED, x: Buffer.from(`02${'00'.repeat(31)}`, 'hex').toString('base64url') },
        'x: is not a point of Ed25519',
      ],
      [
        'an Ed25519 point above its field',
        { ...ED, x: Buffer.from(`ee${'ff'.repeat(30)}7f`, 'hex').toString('base64url') },
        'x: is not a point of Ed25519',
      ],
      ['half a key', { kty: 'EC', crv: 'P-256', x: EC.x }, 'y: is missing from this EC key'],
      ['another curve', { ...EC, crv: 'Ed25519' }, 'crv: must be P-256 for a key of type EC'],
      ['an algorithm of another kind', { ...EC, alg: 'RS256' }, 'alg: must be ES256 for this key'],
    ])('refuses %s', async (_what, jwk, message) => {
      expect(await register(jwk)).toEqual(['invalid', `jwks.keys.0.${message}`]);
    });

    it('refuses a symmetric key, an unsupported curve, and more than ten', async () => {
      expect(await register({ kty: 'oct', k: 'AAAA' })).toEqual([
        'invalid',
        'jwks.keys.0.kty: must be EC, OKP or RSA: public keys only',
        'jwks.keys.0.k: is private: send the public key only',
      ]);
      expect(await register(publicKey('P-384'))).toEqual([
        'invalid',
        'jwks.keys.0.crv: must be P-256 or Ed25519',
      ]);
      const keys = Array.from({ length: 11 }, () => EC);
      expect(await create('agents', { name: 'K', owner: 'O', jwks: { keys } })).toEqual([
        'invalid',
        'jwks.keys: must not hold more than 10 keys',
      ]);
      const [kind, first] = (await register({ ...RSA, n: 'A'.repeat(2000) })) as string[];
      expect([kind, first?.startsWith('jwks.keys.0.n: ')]).toEqual(['invalid', true]);
    });

    it('a removed key is never good again, not even for who had it', async () => {
      await create('agents', { id: 'agt_lost', name: 'L', owner: 'O' });
      const jwk = { kind: 'jwk', jwk: SHARED };
      const at = { id: 'agt_lost' };
      const added = (await run('post /agents/:id/credentials', at, jwk)) as { id: string };
      expect(added).toMatchObject({ kind: 'jwk', thumbprint: expect.any(String) });
      expect(await run('post /agents/:id/credentials', at, jwk)).toEqual([
        'conflict',
        'jwk: is already registered',
      ]);
      const one = { id: 'agt_lost', credential: added.id };
      await run('delete /agents/:id/credentials/:credential', one);
      expect(await register(SHARED, 'agt_finder')).toEqual([
        'conflict',
        'jwks.keys.0: is the key of another principal: a key proves one identity only',
      ]);
      expect(await run('post /agents/:id/credentials', at, jwk)).toEqual([
        'conflict',
        'jwk: was removed before: a removed key is never good again',
      ]);
    });
  });

  describe('resources', () => {
    const scope = (more: object = {}) => ({ title: 'S', risk: 'read', ...more });
    const register = (identifier: string, scopes: object = { 's:a': scope() }, more: object = {}) =>
      create('resources', { identifier, name: 'R', scopes, ...more });

    it.each([
      [ISSUER, 'must not be at or under the issuer'],
      [`${ISSUER}/admin`, 'must not be at or under the issuer'],
      ['https://r.example/#', 'must not have a fragment (RFC 8707 §2)'],
      ['https://u@r.example/', 'must not hold a user name'],
      ['https://*.r.example/', 'must not hold a wildcard'],
      ['https://R.example/x', 'must be written as https://r.example/x'],
      ['https://r.example/a/../x', 'must be written as https://r.example/x'],
      ['http://r.example/', 'must be https, or http on 127.0.0.1, [::1] or localhost'],
      ['urn:r', 'must be https, or http on 127.0.0.1, [::1] or localhost'],
      ['r.example', 'must be an absolute URI'],
    ])('refuses the identifier %s', async (identifier, message) => {
      expect(await register(identifier)).toEqual(['invalid', `identifier: ${message}`]);
    });

    it('refuses the spelling with, or without, the last slash of one that is there', async () => {
      expect(await register('https://slash.example/x')).toMatchObject({ status: 'active' });
      expect(await register('https://slash.example/x/')).toEqual([
        'conflict',
        'identifier: "https://slash.example/x" is taken; identifiers are never used again',
      ]);
      expect(await register('https://slash.example/y/')).toMatchObject({ status: 'active' });
      expect(await register('https://slash.example/y')).toEqual([
        'conflict',
        'identifier: "https://slash.example/y/" is taken; identifiers are never used again',
      ]);
    });

    it.each<[string, object, string]>([
      ['a reserved scope', { openid: scope() }, 'scopes.openid: is a reserved name'],
      [
        'one that implies nothing known',
        { 's:a': scope({ implies: ['s:b'] }) },
        'scopes.s:a.implies.0: names no scope here: "s:b"',
      ],
      [
        'one that implies itself',
        { 's:a': scope({ implies: ['s:a'] }) },
        'scopes.s:a.implies.0: must not imply itself',
      ],
      [
        'an open one that implies a restricted one',
        { 's:a': scope({ implies: ['s:b'] }), 's:b': scope({ restricted: true }) },
        'scopes.s:a.implies.0: "s:b" is restricted, so "s:a" must be too',
      ],
      [
        'a destructive base',
        { 's:a': scope({ base: true, risk: 'destructive' }) },
        'scopes.s:a.base: must not be set where restricted or destructive scopes come along',
      ],
      [
        'a base with something destructive two steps behind it',
        {
          's:a': scope({ base: true, implies: ['s:b'] }),
          's:b': scope({ implies: ['s:c'] }),
          's:c': scope({ risk: 'destructive' }),
        },
        'scopes.s:a.base: must not be set where restricted or destructive scopes come along',
      ],
    ])('refuses %s', async (_what, scopes, message) => {
      expect(await register('https://scopes.example/', scopes)).toEqual(['invalid', message]);
    });

    it('refuses scope names that are no RFC 6749 token, and tools that need what is not there', async () => {
      for (const name of ['a b', 'a"b', 'a\\b', 'é']) {
        const [kind, first] = (await register('https://scopes.example/', {
          [name]: scope(),
        })) as string[];
        expect([kind, first?.startsWith(`scopes.${name}: `)]).toEqual(['invalid', true]);
      }
      expect(
        await register('https://scopes.example/', undefined, { tools: { go: ['s:b'] } }),
      ).toEqual(['invalid', 'tools.go.0: names no scope here: "s:b"']);
      expect(
        await register('https://scopes.example/', undefined, {
          client: 'cli_none',
          clients: ['agt_none'],
        }),
      ).toEqual([
        'invalid',
        'client: names no service client: "cli_none"',
        'clients.0: names no client or agent: "agt_none"',
      ]);
    });

    it('a scope that is taken away is taken out of every permission', async () => {
      await create('agents', { id: 'agt_scoped', name: 'S', owner: 'O' });
      await register(NOTES, { 's:a': scope(), 's:b': scope() });
      const at = { principal: 'agt_scoped', resource: NOTES };
      await run('put /permissions/:principal/:resource', at, { scopes: ['s:b', 's:a'] });
      await run(
        'patch /resources/:identifier',
        { identifier: NOTES },
        { scopes: { 's:a': scope() } },
      );
      expect((await services.registry.permissions.get('agt_scoped', NOTES)).scopes).toEqual([
        's:a',
      ]);
    });
  });

  describe('permissions', () => {
    it('are for agents, services, users by id or address, and roles; for nobody else', async () => {
      const user = (await create('users', { email: 'p@example.com', name: 'P' })) as { id: string };
      await create('roles', { name: 'readers' });
      await create('clients', { id: 'cli_svc', name: 'S', kind: 'service' });
      const app = { id: 'cli_app', name: 'A', kind: 'app', redirect_uris: ['https://a.example/'] };
      await create('clients', app);
      const put = (principal: string) =>
        run(
          'put /permissions/:principal/:resource',
          { principal, resource: NOTES },
          { scopes: ['s:a'] },
        );
      for (const principal of ['agt_scoped', 'cli_svc', user.id, 'role:readers']) {
        expect(await put(principal)).toMatchObject({ principal, scopes: ['s:a'] });
      }
      expect(await put('P@example.com')).toMatchObject({ principal: user.id });
      for (const principal of [
        'cli_app',
        'agt_none',
        'usr_none',
        'role:none',
        'q@example.com',
        'x',
      ]) {
        expect(await put(principal)).toEqual([
          'invalid',
          `principal: names no agent, service client, user (id or e-mail) or role:<name>: "${principal}"`,
        ]);
      }
      expect(await run('delete /roles/:id', { id: 'readers' })).toEqual([
        'conflict',
        ': role "readers" is in use: take it from users and permissions first',
      ]);
    });
  });

  it('M10: each change is one event and moves the policy epoch; what narrows writes its fact', async () => {
    const agent = (await create('agents', { id: 'agt_m', name: 'M', owner: 'O' })) as {
      credential: { id: string };
    };
    const client = { id: 'cli_m', name: 'M', kind: 'app', redirect_uris: ['https://m.example/'] };
    await create('clients', client);
    const user = (await create('users', { email: 'm@example.com', name: 'M' })) as { id: string };
    const status = 'put /agents/:id/status';
    const id = 'agt_m';
    const changes: [
      string,
      Record<string, string>,
      object,
      string,
      [string, boolean] | undefined,
    ][] = [
      ['patch /agents/:id', { id }, { name: 'MM' }, 'registry.changed', undefined],
      [status, { id }, { status: 'blocked', reason: 'r' }, 'agent.blocked', [id, true]],
      [status, { id }, { status: 'active' }, 'agent.unblocked', [id, false]],
      ['post /agents/:id/credentials', { id }, { kind: 'secret' }, 'credential.added', undefined],
      [
        'delete /agents/:id/credentials/:credential',
        { id, credential: agent.credential.id },
        {},
        'credential.removed',
        [agent.credential.id, true],
      ],
      ['delete /agents/:id', { id }, {}, 'registry.retired', [id, true]],
      [
        'put /users/:id/status',
        { id: user.id },
        { status: 'disabled', reason: 'r' },
        'user.disabled',
        [user.id, true],
      ],
      [
        'patch /users/:id',
        { id: user.id },
        { password: 'a new password' },
        'registry.changed',
        [user.id, true],
      ],
      [
        'put /users/:id/status',
        { id: user.id },
        { status: 'active' },
        'user.enabled',
        [user.id, false],
      ],
      [
        'patch /users/:id',
        { id: user.id },
        { password: 'another password' },
        'registry.changed',
        [user.id, false],
      ],
      ['delete /users/:id', { id: user.id }, {}, 'registry.retired', [user.id, true]],
      ['delete /clients/:id', { id: 'cli_m' }, {}, 'registry.retired', ['cli_m', true]],
      ['delete /resources/:identifier', { identifier: NOTES }, {}, 'registry.retired', undefined],
    ];
    for (const [operation, params, body, type, fact] of changes) {
      const before = await marks();
      const answer = await run(operation, params, body);
      expect([operation, Array.isArray(answer)]).toEqual([operation, false]);
      const after = await marks();
      expect([operation, after.events - before.events, after.facts > before.facts]).toEqual([
        operation,
        1,
        fact !== undefined,
      ]);
      expect([operation, after.epoch > before.epoch]).toEqual([operation, true]);
      const [event] = await services.listEvents({ limit: 1 });
      expect([event?.type, event?.by]).toEqual([type, 'admin']);
      if (fact === undefined) continue;
      const [last] = await opened.db.run<object>(
        'select key, always, by from revocations order by id desc limit 1',
      );
      expect(last).toEqual({ key: fact[0], always: fact[1], by: 'admin' });
    }
  });

  it('a change that is refused, or changes nothing, leaves no event and no fact', async () => {
    await create('agents', { id: 'agt_quiet', name: 'Q', owner: 'O' });
    const before = await marks();
    const id = 'agt_quiet';
    await run('patch /agents/:id', { id }, { name: 'Q' });
    await run('put /agents/:id/status', { id }, { status: 'active' });
    await run('patch /agents/:id', { id }, { clients: ['cli_none'] });
    await create('agents', { id, name: 'Q', owner: 'O' });
    const { events, facts } = await marks();
    expect({ events, facts }).toEqual({ events: before.events, facts: before.facts });
  });
});
