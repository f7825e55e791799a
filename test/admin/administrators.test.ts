// Who may use the admin API: principals with permission at `<issuer>/admin`, and the bootstrap
// bearer while there is none (DESIGN §12, threats M1 and M2).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOf, callAdmin, nextAddress, ownToken, permit, userTokens } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  type Answer,
  authFor,
  claimsOf,
  postForm,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, BEN, FILES, OTHER_AGENT, SERVICE } from '../support/world.js';

let t: TestBroker;
let clockMs = Date.now();
beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 }, deps: { now: () => clockMs } });
});
afterAll(() => t.close());

const BOOTSTRAP = `Bearer ${ADMIN_TOKEN}`;
const ENDED =
  'The bootstrap token has ended: somebody holds admin:security. Send an access token for the admin API';
const NOT_GOOD = 'The access token is unknown, ended, or not for the admin API';
const told = ({ status, body }: Answer) => [status, body];
const problem = (status: number, title: string) => [status, { type: 'about:blank', status, title }];
const as = (token: string) => ({ authorization: `Bearer ${token}` });
const newest = async (type: string) =>
  (await callAudit(type)).map(({ by, detail }) => ({ by, detail }));
const callAudit = (type: string) =>
  t.opened.db.run<{ by: string; detail: Record<string, unknown> }>(
    'select by, detail from audit_events where type = $1 order by id desc limit 1',
    [type],
  );

describe('the resource <issuer>/admin is built in', () => {
  it('is shown without having been registered, with words for the consent page', async () => {
    const answer = await callAdmin(t, 'get', `/resources/${encodeURIComponent(adminOf(t))}`, {
      authorization: BOOTSTRAP,
    });
    expect(answer.status).toBe(200);
    const { identifier, name, status, scopes } = answer.body;
    expect([identifier, name, status]).toEqual([
      adminOf(t),
      'Administration of this server',
      'active',
    ]);
    const rules = Object.entries<Record<string, unknown>>(scopes).map(([scope, rule]) => [
      scope,
      rule.risk,
      rule.restricted,
      rule.implies,
      typeof rule.title,
    ]);
    expect(rules).toEqual([
      ['admin:read', 'read', true, [], 'string'],
      ['admin:write', 'write', true, ['admin:read'], 'string'],
      ['admin:security', 'destructive', true, ['admin:read'], 'string'],
    ]);
  });

  it.each([
    ['patch', { name: 'Mine' }],
    ['delete', undefined],
  ])('can not be changed by %s', async (method, body) => {
    const path = `/resources/${encodeURIComponent(adminOf(t))}`;
    const answer = await callAdmin(t, method, path, { authorization: BOOTSTRAP, body });
    const message = `${adminOf(t)} is built in and stays as it is`;
    expect([answer.status, answer.body.errors]).toEqual([409, [{ field: 'identifier', message }]]);
  });

  it('takes no permission for a scope it does not have', async () => {
    const path = `/permissions/${AGENT}/${encodeURIComponent(adminOf(t))}`;
    const body = { scopes: ['admin:everything'] };
    const answer = await callAdmin(t, 'put', path, { authorization: BOOTSTRAP, body });
    expect([answer.status, answer.body.errors]).toEqual([
      400,
      [
        {
          field: 'scopes.0',
          message: `names no scope of ${adminOf(t)}: "admin:everything"`,
        },
      ],
    ]);
  });

  it('gives nothing to whoever is not permitted: neither alone nor for a user', async () => {
    const alone = await postToken(t, SERVICE, {
      grant_type: 'client_credentials',
      resource: adminOf(t),
      scope: 'admin:read',
    });
    expect([alone.status, alone.body.error]).toEqual([400, 'invalid_scope']);
    await expect(userTokens(t, 'admin:read')).rejects.toThrow();
  });
});

describe('tokens of administrators', () => {
  beforeAll(async () => {
    await permit(t, ANA.id, 'admin:write');
    await permit(t, AGENT, 'admin:write', 'admin:security');
    await permit(t, SERVICE, 'admin:read');
  });

  it('a service alone reads, and is told what writing needs', async () => {
    const bearer = as(await ownToken(t, SERVICE, 'admin:read'));
    expect((await callAdmin(t, 'get', '/agents', bearer)).status).toBe(200);
    const refused = await callAdmin(t, 'post', '/roles', { ...bearer, body: { name: 'x' } });
    expect(told(refused)).toEqual(problem(403, 'This needs admin:write'));
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="behalf admin", error="insufficient_scope", scope="admin:write"',
    );
    expect(await newest('request.refused')).toEqual([
      {
        by: SERVICE,
        detail: {
          method: 'POST',
          path: '/admin/v1/roles',
          code: 'insufficient_scope',
          reason: 'needs admin:write',
        },
      },
    ]);
  });

  it('a user changes through an ordinary client, and the audit names them', async () => {
    const { access_token: token, scope } = await userTokens(t, 'admin:write');
    expect([scope, claimsOf(token).aud]).toEqual(['admin:read admin:write', adminOf(t)]);
    const body = { name: 'by-ana' };
    expect((await callAdmin(t, 'post', '/roles', { ...as(token), body })).status).toBe(201);
    expect(await newest('registry.created')).toEqual([
      { by: ANA.id, detail: { noun: 'role', id: 'by-ana' } },
    ]);
  });

  it('an agent acting for a user holds what both hold; the audit names both', async () => {
    const { access_token: token, scope } = await userTokens(t, 'admin:write', { agent: AGENT });
    expect([scope, claimsOf(token).agent_scope]).toEqual([
      'admin:read admin:write',
      'admin:read admin:security admin:write',
    ]);
    const body = { name: 'by-helper' };
    expect((await callAdmin(t, 'post', '/roles', { ...as(token), body })).status).toBe(201);
    expect(await newest('registry.created')).toEqual([
      { by: ANA.id, detail: { noun: 'role', id: 'by-helper', act: AGENT } },
    ]);
    const audit = await callAdmin(t, 'get', '/audit?type=registry.created&limit=1', as(token));
    expect(audit.body.items[0].sentence).toBe('Helper, for Ana Example, registered role by-helper');
    const block = { ...as(token), body: { status: 'blocked', reason: 'x' } };
    const refused = await callAdmin(t, 'put', `/agents/${OTHER_AGENT}/status`, block);
    expect(told(refused)).toEqual(problem(403, 'This needs admin:security'));
  });

  it('loses with the permission what it gave, at the next request', async () => {
    await permit(t, OTHER_AGENT, 'admin:write');
    const bearer = as(await ownToken(t, OTHER_AGENT, 'admin:write'));
    const write = () => callAdmin(t, 'post', '/roles', { ...bearer, body: {} });
    expect((await write()).status).toBe(400);
    await permit(t, OTHER_AGENT, 'admin:read');
    expect((await write()).status).toBe(403);
    expect((await callAdmin(t, 'get', '/agents', bearer)).status).toBe(200);
    await t.broker.registry.permissions.remove('cli', OTHER_AGENT, adminOf(t));
    expect((await callAdmin(t, 'get', '/agents', bearer)).status).toBe(403);
  });

  it('is good again for nobody whose permission came back after a stop', async () => {
    await permit(t, OTHER_AGENT, 'admin:read');
    const bearer = as(await ownToken(t, OTHER_AGENT, 'admin:read'));
    const status = (value: 'blocked' | 'active') =>
      t.broker.registry.agents.setStatus('cli', OTHER_AGENT, { status: value, reason: 'a test' });
    await status('blocked');
    expect(told(await callAdmin(t, 'get', '/agents', bearer))).toEqual(problem(401, NOT_GOOD));
    await status('active');
    expect((await callAdmin(t, 'get', '/agents', bearer)).status).toBe(401);
  });
});

describe('who administers is decided with admin:security alone', () => {
  let writer: { authorization: string };
  let guard: { authorization: string };
  beforeAll(async () => {
    await t.broker.registry.roles.create('cli', { name: 'admins' });
    await t.broker.registry.roles.create('cli', { name: 'plain' });
    await permit(t, 'role:admins', 'admin:read');
    writer = as(await ownToken(t, AGENT, 'admin:write'));
    guard = as(await ownToken(t, AGENT, 'admin:write admin:security'));
  });
  /** `<admin>` stands for the identifier of the admin API. */
  const CASES: ReadonlyArray<readonly [string, string, object | undefined, number]> = [
    ['put', `/permissions/${SERVICE}/<admin>`, { scopes: ['admin:read'] }, 200],
    ['put', `/permissions/role:plain/<admin>`, { scopes: ['admin:read'] }, 200],
    ['delete', `/permissions/role:plain/<admin>`, undefined, 204],
    ['patch', `/users/${BEN.id}`, { roles: ['admins'] }, 200],
    // Taking it away is the same decision.
    ['patch', `/users/${BEN.id}`, { roles: [] }, 200],
    ['patch', `/users/${BEN.id}`, { password: 'a password nobody guesses' }, 200],
    ['patch', `/users/${BEN.id}`, { email: 'ben2@example.com' }, 200],
    ['put', `/users/${BEN.id}/status`, { status: 'disabled', reason: 'x' }, 200],
    ['put', `/users/${BEN.id}/status`, { status: 'active' }, 200],
    ['post', '/users', { email: 'c@example.com', name: 'C', roles: ['admins'] }, 201],
    ['post', `/agents/${AGENT}/credentials`, { kind: 'secret' }, 201],
    ['post', '/world', { text: 'roles: [{ name: third }]' }, 200],
  ];
  it.each(CASES)('%s %s %j', async (method, given, body, status) => {
    const path = given.replace('<admin>', encodeURIComponent(adminOf(t)));
    const refused = await callAdmin(t, method, path, { ...writer, body });
    expect([path, ...told(refused)]).toEqual([path, ...problem(403, 'This needs admin:security')]);
    expect([path, (await callAdmin(t, method, path, { ...guard, body })).status]).toEqual([
      path,
      status,
    ]);
  });

  it.each([
    ['patch', `/users/${BEN.id}`, { name: 'Ben' }, 200],
    ['patch', `/users/${BEN.id}`, { roles: ['plain'] }, 200],
    [
      'put',
      `/permissions/${SERVICE}/${encodeURIComponent(FILES)}`,
      { scopes: ['files:read'] },
      200,
    ],
  ])('the nearest thing that needs admin:write only: %s %s %j', async (method, path, body, status) => {
    expect((await callAdmin(t, method, path, { ...writer, body })).status).toBe(status);
  });
});

describe('M1: the bootstrap bearer', () => {
  const list = () => callAdmin(t, 'get', '/roles', { authorization: BOOTSTRAP });

  it('ends with the first principal that holds admin:security, and says why', async () => {
    // The agent of the tests above holds it.
    const refused = await list();
    expect(told(refused)).toEqual(problem(401, ENDED));
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer realm="behalf admin", error="invalid_token", error_description="${ENDED}"`,
    );
    expect(await newest('request.refused')).toEqual([
      {
        by: null,
        detail: {
          method: 'GET',
          path: '/admin/v1/roles',
          code: 'invalid_token',
          reason: 'bootstrap_ended',
        },
      },
    ]);
  });

  it('is good again when nobody who holds it could use it, and that is in the audit', async () => {
    const blocked = { status: 'blocked', reason: 'gone' } as const;
    const uses = () => t.opened.db.run("select from audit_events where type = 'bootstrap.used'");
    const before = (await uses()).length;
    await t.broker.registry.agents.setStatus('cli', AGENT, blocked);
    expect((await list()).status).toBe(200);
    expect(await uses()).toHaveLength(before + 1);
    expect((await list()).status).toBe(200);
    expect(await uses()).toHaveLength(before + 1);
    await t.broker.registry.agents.setStatus('cli', AGENT, { status: 'active' });
    expect((await list()).status).toBe(401);
  });

  it('is not ended by somebody who has nothing to prove it by', async () => {
    await t.broker.registry.permissions.remove('cli', AGENT, adminOf(t));
    const { id } = await t.broker.registry.users.create('cli', {
      email: 'new@example.com',
      name: 'New',
    });
    await permit(t, id, 'admin:security');
    expect((await list()).status).toBe(200);
    await t.broker.registry.users.patch('cli', id, { password: 'a password nobody guesses' });
    expect((await list()).status).toBe(401);
    await t.broker.registry.users.disable('cli', id, 'test');
    expect((await list()).status).toBe(200);
  });

  describe('is not ended by somebody who could get no token, however permitted', () => {
    const run = (text: string, ...params: unknown[]) => t.opened.db.run(text, params);
    const withdraw = (id: string) => t.broker.registry.permissions.remove('cli', id, adminOf(t));
    const status = async () => (await list()).status;

    it('a user, without an app to sign in at', async () => {
      await permit(t, ANA.id, 'admin:security');
      expect(await status()).toBe(401);
      await run("update clients set status = 'retired' where kind = 'app' and auth = 'none'");
      expect(await status()).toBe(401);
      // The one that is left proves itself by a secret: without one, nobody signs in at it.
      await run("update credentials set expires_at = now() where principal = 'cli_host'");
      expect(await status()).toBe(200);
      await run("update credentials set expires_at = null where principal = 'cli_host'");
      // Bound to an agent, it gives what that agent holds too.
      await run("update clients set agent_id = $1 where id = 'cli_host'", OTHER_AGENT);
      expect(await status()).toBe(200);
      await run("update clients set agent_id = null where id = 'cli_host'");
      // It must sign its requests, and has no key.
      await run("update clients set require_signed_request = true where id = 'cli_host'");
      expect(await status()).toBe(200);
      await run("update clients set require_signed_request = false where id = 'cli_host'");
      // Its tokens are bound: the admin API takes none of those.
      await run("update clients set dpop_bound = true where id = 'cli_host'");
      expect(await status()).toBe(200);
      await run("update clients set dpop_bound = false where id = 'cli_host'");
      expect(await status()).toBe(401);
      // Registered itself: anybody can do that, and must not end the bootstrap by it.
      await run("update clients set origin = 'registration' where id = 'cli_host'");
      expect(await status()).toBe(200);
      await run("update clients set origin = 'operator' where id = 'cli_host'");
      expect(await status()).toBe(401);
      await run("update clients set status = 'retired' where kind = 'app'");
      expect(await status()).toBe(200);
      await run("update clients set status = 'active' where kind = 'app'");
      await withdraw(ANA.id);
    });

    it.each([
      [OTHER_AGENT, 'agents'],
      [SERVICE, 'clients'],
    ])('%s, whose credential expired, or does not fit how it proves itself', async (id, table) => {
      await permit(t, id, 'admin:security');
      expect(await status()).toBe(401);
      await run('update credentials set expires_at = now() where principal = $1', id);
      expect(await status()).toBe(200);
      await run('update credentials set expires_at = null where principal = $1', id);
      await run(`update ${table} set auth = 'private_key_jwt' where id = $1`, id);
      expect(await status()).toBe(200);
      await run("update credentials set kind = 'jwk' where principal = $1", id);
      expect(await status()).toBe(401);
      await run(`update ${table} set auth = 'tls_client_auth' where id = $1`, id);
      expect(await status()).toBe(200);
      await run("update credentials set kind = 'certificate' where principal = $1", id);
      expect(await status()).toBe(401);
      await run("update credentials set kind = 'secret' where principal = $1", id);
      await run(`update ${table} set auth = 'client_secret_basic' where id = $1`, id);
      expect(await status()).toBe(401);
      for (const bound of ['dpop_bound', 'certificate_bound']) {
        await run(`update ${table} set ${bound} = true where id = $1`, id);
        expect([bound, await status()]).toEqual([bound, 200]);
        await run(`update ${table} set ${bound} = false where id = $1`, id);
      }
      expect(await status()).toBe(401);
      await withdraw(id);
      expect(await status()).toBe(200);
    });
  });

  it('of many that make the first administrator at once, one does', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        t.broker.registry.agents.create('cli', {
          id: `agt_racer${n}`,
          name: `Racer ${n}`,
          owner: 'Ops',
        }),
      ),
    );
    const path = (id: string) => `/permissions/${id}/${encodeURIComponent(adminOf(t))}`;
    const body = { scopes: ['admin:security'] };
    const answers = await Promise.all(
      made.map(({ agent }) =>
        callAdmin(t, 'put', path(agent.id), { authorization: BOOTSTRAP, body }),
      ),
    );
    const counts = answers.map(({ status }) => status).sort();
    expect(counts).toEqual([200, ...Array.from({ length: 19 }, () => 401)]);
    const winner = made[answers.findIndex(({ status }) => status === 200)]?.agent.id as string;
    await t.broker.registry.permissions.remove('cli', winner, adminOf(t));
  });
});

describe('failed authentication is bounded', () => {
  it('M4: counts by address, says when to come again, and lets in who proves themselves', async () => {
    const address = nextAddress();
    const guess = () => callAdmin(t, 'get', '/agents', { authorization: 'Bearer wrong', address });
    const answers: Answer[] = [];
    for (let n = 0; n < 52; n += 1) answers.push(await guess());
    const [first, last] = [answers[0] as Answer, answers.at(-1) as Answer];
    expect(told(first)).toEqual(problem(401, NOT_GOOD));
    expect(told(last)).toEqual(problem(429, 'Too many failed attempts: wait'));
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    // Another address, and who proves themselves from the same one.
    expect((await callAdmin(t, 'get', '/agents', { authorization: 'Bearer wrong' })).status).toBe(
      401,
    );
    const good = { authorization: BOOTSTRAP, address };
    expect((await callAdmin(t, 'get', '/agents', good)).status).toBe(200);
    clockMs += 60_000;
    expect((await guess()).status).toBe(401);
  });
});

describe('P1, P15: what cannot be read, and what would fill the audit', () => {
  const refusals = async (own: TestBroker) =>
    (
      await own.opened.db.run<{ detail: Record<string, unknown> }>(
        "select detail from audit_events where type = 'request.refused' order by id",
      )
    ).map(({ detail }) => detail.code);

  it('so is whoever posts forms to the pages: nobody has to be anybody for that either (P15)', async () => {
    const own = await startTestBroker({ config: { refusalsPerMinute: 3 } });
    try {
      for (let n = 0; n < 8; n += 1) {
        const path = n % 2 === 0 ? '/interaction/any/sign-in' : '/me/sign-in';
        const origin = 'https://evil.example';
        const answer = await postForm(`${own.issuer}${path}`, { email: 'x' }, { origin });
        expect(answer.status).toBe(403);
      }
      expect(await refusals(own)).toHaveLength(3);
    } finally {
      await own.close();
    }
  });

  it('a network is heard so often a minute; the rest is counted and told as one event', async () => {
    let nowMs = Date.now();
    const own = await startTestBroker({
      config: { trustedProxies: 1, refusalsPerMinute: 3 },
      deps: { now: () => nowMs },
    });
    try {
      const address = nextAddress();
      const probe = (from: string) => callAdmin(own, 'get', '/agents', { address: from });
      for (let n = 0; n < 5; n += 1) expect((await probe(address)).status).toBe(401);
      // The token endpoint has the same share: nobody proved who they are there either.
      const stranger = { 'x-forwarded-for': address };
      await postForm(`${own.issuer}/introspect`, { token: 'x' }, stranger);
      expect(await refusals(own)).toEqual(['invalid_token', 'invalid_token', 'invalid_token']);
      // Another network is heard; so is a client that proved who it is.
      await probe(nextAddress());
      const asked = { grant_type: 'client_credentials', resource: 'https://nowhere.example' };
      const known = await postForm(`${own.issuer}/token`, asked, {
        ...stranger,
        ...authFor(own, SERVICE),
      });
      expect([known.status, known.body.error]).toEqual([400, 'invalid_target']);
      expect(await refusals(own)).toHaveLength(4);
      nowMs += 60_000;
      await probe(address);
      expect((await refusals(own)).slice(4)).toEqual(['too_many', 'invalid_token']);
      const [summary] = await own.opened.db.run<{ detail: Record<string, unknown> }>(
        "select detail from audit_events where detail ->> 'code' = 'too_many'",
      );
      expect(summary?.detail).toEqual({
        code: 'too_many',
        reason: '3 more refusals of callers nobody knows were counted, not recorded',
        count: 3,
        since: expect.any(String),
      });
    } finally {
      await own.close();
    }
  });
});
