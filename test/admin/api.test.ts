// The admin API over HTTP (DESIGN §12): one broker, its table of operations, and the bearer.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_OPERATIONS } from '../../src/broker/admin/operations.js';
import { endGrant } from '../../src/broker/delegation/ends.js';
import { feedKey } from '../../src/broker/revocation/feed.js';
import {
  ADMIN_TOKEN,
  type Answer,
  authFor,
  authorize,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { AGENT, ANA, FILES, FILES_CLIENT, HOST, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

interface Given {
  readonly body?: unknown;
  /** Sent as it is, in place of a JSON body. */
  readonly text?: string;
  readonly headers?: Record<string, string | undefined>;
}

async function call(method: string, path: string, given: Given = {}): Promise<Answer> {
  const text = given.text ?? (given.body === undefined ? undefined : JSON.stringify(given.body));
  const headers = {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...given.headers,
  };
  const present = Object.entries(headers).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  const response = await fetch(`${t.issuer}/admin/v1${path}`, {
    method: method.toUpperCase(),
    headers: present,
    ...(text === undefined ? {} : { body: text }),
  });
  const answered = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: answered === '' ? undefined : JSON.parse(answered),
  };
}

const told = ({ status, body }: Answer) => [status, body];
const problem = (status: number, title: string, more: object = {}) => [
  status,
  { type: 'about:blank', status, title, ...more },
];
const INVALID = 'The request is not valid';
const CONFLICT = 'The request conflicts with what there is';
const NOT_FOUND = 'There is no such thing';
const wrong = (...errors: [field: string, message: string][]) =>
  problem(400, INVALID, { errors: errors.map(([field, message]) => ({ field, message })) });
const taken = (field: string, message: string) =>
  problem(409, CONFLICT, { errors: [{ field, message }] });
const missing = (detail: string) => problem(404, NOT_FOUND, { detail });
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
/** What an agent's view says of fields nobody filled in. */
const UNSAID = {
  description: null,
  sponsor: null,
  purpose: null,
  vendor: null,
  model: null,
  version: null,
  logo_uri: null,
  contact: null,
  external_id: null,
  tags: [],
  require_par: false,
  require_signed_request: false,
  may_exchange: true,
  dpop_bound: false,
  certificate_bound: false,
  fapi: false,
  takes_work_from: [],
  credentials_expire_at: null,
};
const UNSAID_CLIENT = {
  origin: 'operator',
  software_id: null,
  software_version: null,
  last_used_at: null,
  registration_expires_at: null,
  description: null,
  client_uri: null,
  logo_uri: null,
  policy_uri: null,
  contact: null,
  agent_id: null,
  require_par: false,
  require_signed_request: false,
  may_exchange: false,
  dpop_bound: false,
  certificate_bound: false,
  fapi: false,
  credentials_expire_at: null,
};
const CREDENTIAL = {
  id: expect.stringMatching(/^crd_/),
  name: null,
  kid: null,
  thumbprint: null,
  rule: null,
  created_at: instant,
  created_by: 'admin',
  expires_at: null,
  last_used_at: null,
};
const inPath = encodeURIComponent;
const receiptOf = (accessTokens: number, refreshTokens = 0, grants = 0, consents = 0) => ({
  receipt: {
    ended_at: instant,
    access_tokens: accessTokens,
    exchanged_tokens: 0,
    helper_chains: 0,
    refresh_tokens: refreshTokens,
    grants,
    consents,
    revocation: expect.any(Number),
  },
});

describe('DESIGN §12: each noun is created, shown, listed, changed and retired', () => {
  it('an agent; its secret is in one answer only (K1)', async () => {
    const agent = {
      id: 'agt_round',
      name: 'Round',
      ...UNSAID,
      owner: 'Example Ops',
      purpose: 'goes round',
      status: 'active',
      status_reason: null,
      status_by: 'admin',
      status_at: instant,
      clients: [HOST],
      redirect_uris: ['https://round.example/callback'],
      auth: 'client_secret_basic',
      created_at: instant,
    };
    const { id, name, owner, purpose, clients, redirect_uris } = agent;
    const created = await call('post', '/agents', {
      body: { id, name, owner, purpose, clients, redirect_uris },
    });
    const credential = { ...CREDENTIAL, kind: 'secret' };
    expect(told(created)).toEqual([
      201,
      {
        ...agent,
        credential: { ...credential, secret: expect.stringMatching(/^[\w-]{43}$/) },
      },
    ]);
    expect(told(await call('get', '/agents/agt_round'))).toEqual([200, agent]);
    expect(told(await call('get', '/agents/agt_round/credentials'))).toEqual([
      200,
      { items: [credential], next_cursor: null },
    ]);
    const patched = await call('patch', '/agents/agt_round', {
      body: { name: 'Rounder', purpose: null },
    });
    expect(told(patched)).toEqual([200, { ...agent, name: 'Rounder', purpose: null }]);
    expect(told(await call('delete', '/agents/agt_round'))).toEqual([200, receiptOf(0)]);
    expect((await call('get', '/agents/agt_round')).body).toEqual({
      ...agent,
      name: 'Rounder',
      purpose: null,
      status: 'retired',
    });
    const again = await call('post', '/agents', { body: { id, name, owner } });
    expect(told(again)).toEqual(taken('id', '"agt_round" is taken; ids are never used again'));
    const late = await call('patch', '/agents/agt_round', { body: { name: 'Late' } });
    expect(told(late)).toEqual(taken('id', 'agt_round is retired'));
  });

  it('a client', async () => {
    const client = {
      ...UNSAID_CLIENT,
      id: 'cli_round',
      name: 'Round',
      kind: 'app',
      redirect_uris: ['https://round.example/cb'],
      auth: 'none',
      status: 'active',
      created_at: instant,
    };
    const { id, name, kind, redirect_uris } = client;
    const created = await call('post', '/clients', { body: { id, name, kind, redirect_uris } });
    expect(told(created)).toEqual([201, client]);
    expect(told(await call('get', '/clients/cli_round'))).toEqual([200, client]);
    const uris = ['https://round.example/2'];
    expect(
      told(await call('patch', '/clients/cli_round', { body: { redirect_uris: uris } })),
    ).toEqual([200, { ...client, redirect_uris: uris }]);
    const secret = await call('post', '/clients/cli_round/credentials', {
      body: { kind: 'secret' },
    });
    expect(told(secret)).toEqual(
      problem(409, CONFLICT, { detail: 'cli_round is a public client (auth: none)' }),
    );
    expect(told(await call('delete', '/clients/cli_round'))).toEqual([200, receiptOf(0)]);
    expect((await call('get', '/clients/cli_round')).body).toEqual({
      ...client,
      redirect_uris: uris,
      status: 'retired',
    });
    expect(
      told(await call('post', '/clients', { body: { id, name, kind, redirect_uris } })),
    ).toEqual(taken('id', '"cli_round" is taken; ids are never used again'));
  });

  it('a resource and its permission, both named by identifiers in the path', async () => {
    const identifier = 'https://round.example/api';
    const at = `/resources/${inPath(identifier)}`;
    const scope = { title: 'Go round', risk: 'read', reauth_seconds: 600 };
    const shown = { ...scope, description: null, restricted: false, implies: [], base: false };
    const resource = {
      identifier,
      name: 'Round',
      description: 'goes round',
      scopes: { 'round:go': shown },
      tools: { go: ['round:go'] },
      client: null,
      clients: null,
      downstream: [{ resource: FILES, scopes: { 'round:go': ['files:list'] } }],
      require_user: true,
      signing_alg: 'ES256',
      token_ttl_seconds: 300,
      status: 'active',
      created_at: instant,
    };
    const body = {
      identifier,
      name: 'Round',
      description: 'goes round',
      scopes: { 'round:go': scope },
      tools: resource.tools,
      downstream: resource.downstream,
      require_user: true,
    };
    expect(told(await call('post', '/resources', { body }))).toEqual([201, resource]);
    expect(told(await call('get', at))).toEqual([200, resource]);
    const upstream = `/resources?downstream=${inPath(FILES)}&q=ROUND&status=active`;
    expect((await call('get', upstream)).body).toEqual({ items: [resource], next_cursor: null });
    const misspelt = { 'round:go': { title: 'Go round', risk: 'read', reauthSeconds: 600 } };
    expect(told(await call('patch', at, { body: { scopes: misspelt } }))).toEqual(
      wrong(['scopes.round:go.reauthSeconds', 'is not a known field']),
    );
    const tooSoon = { 'round:go': { ...scope, reauth_seconds: 5 } };
    expect((await call('patch', at, { body: { scopes: tooSoon } })).body.errors).toEqual([
      { field: 'scopes.round:go.reauth_seconds', message: expect.stringContaining('60') },
    ]);
    expect(told(await call('patch', at, { body: { token_ttl_seconds: 60 } }))).toEqual([
      200,
      { ...resource, token_ttl_seconds: 60 },
    ]);
    const permission = `/permissions/${AGENT}/${inPath(identifier)}`;
    const allowed = {
      principal: AGENT,
      resource: identifier,
      scopes: ['round:go'],
      created_at: instant,
    };
    expect(told(await call('put', permission, { body: { scopes: ['round:go'] } }))).toEqual([
      200,
      allowed,
    ]);
    expect(told(await call('get', permission))).toEqual([200, allowed]);
    const none = await call('get', `/permissions?scope=round:stop`);
    expect(none.body).toEqual({ items: [], next_cursor: null });
    const some = await call('get', `/permissions?scope=round:go&principal=${AGENT}`);
    expect(some.body.items).toEqual([allowed]);
    expect(told(await call('get', `/permissions?resource=${inPath(identifier)}`))).toEqual([
      200,
      { items: [allowed], next_cursor: null },
    ]);
    expect(told(await call('put', permission, { body: { scopes: ['round:stop'] } }))).toEqual(
      wrong(['scopes.0', `names no scope of ${identifier}: "round:stop"`]),
    );
    expect(told(await call('delete', permission))).toEqual([204, undefined]);
    expect(told(await call('get', permission))).toEqual(
      missing(`there is no permission "${AGENT} at ${identifier}"`),
    );
    expect(told(await call('delete', permission))).toEqual(
      missing(`there is no permission "${AGENT} at ${identifier}"`),
    );
    const retired = { ...receiptOf(0).receipt, revocation: null };
    expect(told(await call('delete', at))).toEqual([200, { receipt: retired }]);
    expect(told(await call('post', '/resources', { body }))).toEqual(
      taken('identifier', `"${identifier}" is taken; identifiers are never used again`),
    );
  });

  it('a user, found by e-mail address, and a role that stays while somebody has it', async () => {
    const role = { name: 'walkers', description: 'who walk', created_at: instant };
    expect(
      told(await call('post', '/roles', { body: { name: 'walkers', description: 'who walk' } })),
    ).toEqual([201, role]);
    expect(told(await call('get', '/roles/walkers'))).toEqual([200, role]);
    expect(told(await call('get', '/roles/runners'))).toEqual(
      missing('there is no role "runners"'),
    );
    expect(told(await call('get', '/roles'))).toEqual([200, { items: [role], next_cursor: null }]);
    const body = {
      email: 'Rita@Example.com',
      name: 'Rita',
      password: 'a password of hers',
      roles: ['walkers'],
    };
    const created = await call('post', '/users', { body });
    const user = {
      id: expect.stringMatching(/^usr_[\w-]{20}$/),
      email: 'Rita@Example.com',
      name: 'Rita',
      has_password: true,
      roles: ['walkers'],
      status: 'active',
      status_reason: null,
      created_at: instant,
    };
    expect(told(created)).toEqual([201, user]);
    const at = `/users/${created.body.id}`;
    expect((await call('get', '/users?email=rita@example.com')).body).toEqual({
      items: [user],
      next_cursor: null,
    });
    expect((await call('get', '/users?email=nobody@example.com')).body).toEqual({
      items: [],
      next_cursor: null,
    });
    expect(told(await call('post', '/users', { body }))).toEqual(
      taken('email', '"Rita@Example.com" belongs to another user'),
    );
    expect(told(await call('delete', '/roles/walkers'))).toEqual(
      problem(409, CONFLICT, {
        detail: 'role "walkers" is in use: take it from users and permissions first',
      }),
    );
    expect(told(await call('patch', at, { body: { status: 'disabled' } }))).toEqual(
      wrong(['status', 'is not a known field']),
    );
    const disable = (body: object) => call('put', `${at}/status`, { body });
    expect(told(await disable({ status: 'disabled' }))).toEqual(wrong(['reason', 'must say why']));
    const disabled = { status: 'disabled', status_reason: 'left' };
    expect(told(await disable({ status: 'disabled', reason: 'left' }))).toEqual([
      200,
      { ...user, ...disabled, ...receiptOf(0) },
    ]);
    expect(told(await call('patch', at, { body: { roles: [] } }))).toEqual([
      200,
      { ...user, ...disabled, roles: [] },
    ]);
    expect(told(await call('patch', '/roles/walkers', { body: { description: null } }))).toEqual([
      200,
      { ...role, description: null },
    ]);
    expect(told(await call('delete', '/roles/walkers'))).toEqual([204, undefined]);
    expect(told(await call('delete', at))).toEqual([200, receiptOf(0)]);
    expect((await call('get', at)).body).toEqual({
      ...user,
      ...disabled,
      roles: [],
      has_password: false,
      status: 'retired',
    });
  });

  it('L3: whoever gets a retired user’s address is somebody else', async () => {
    const body = { email: 'moved@example.com', name: 'First' };
    const first = (await call('post', '/users', { body })).body.id;
    await call('delete', `/users/${first}`);
    const second = (await call('post', '/users', { body: { ...body, name: 'Second' } })).body;
    expect(second).toMatchObject({ name: 'Second', has_password: false, roles: [] });
    expect(second.id).not.toBe(first);
  });

  it.each([
    ['agents', 'id'],
    ['clients', 'id'],
    ['users', 'id'],
    ['resources', 'identifier'],
    ['roles', 'name'],
    ['permissions', 'principal'],
  ])('P12: %s come in pages that skip and repeat nothing', async (noun, key) => {
    for (const name of ['a', 'b', 'c']) {
      if (noun === 'roles') await call('post', '/roles', { body: { name } });
    }
    const whole = (await call('get', `/${noun}`)).body;
    expect(whole.next_cursor).toBeNull();
    expect(whole.items.length).toBeGreaterThan(1);
    const paged: unknown[] = [];
    let cursor = '';
    do {
      const page = (await call('get', `/${noun}?limit=1${cursor && `&cursor=${cursor}`}`)).body;
      expect(page.items).toHaveLength(1);
      paged.push(...page.items);
      cursor = page.next_cursor ?? '';
    } while (cursor !== '');
    expect(paged).toEqual(whole.items);
    expect(new Set(paged.map((item) => JSON.stringify((item as never)[key]))).size).toBe(
      paged.length,
    );
    expect(told(await call('get', `/${noun}?cursor=!`))).toEqual(
      wrong(['cursor', 'is not a cursor of this list']),
    );
    for (const limit of ['0', '201', 'x', '1.5']) {
      const answer = await call('get', `/${noun}?limit=${limit}`);
      expect([limit, answer.status, answer.body.errors[0].field]).toEqual([limit, 400, 'limit']);
    }
    expect(told(await call('get', `/${noun}?order=id`))).toEqual(
      wrong(['order', 'is not a known field']),
    );
  });
});

describe('RFC 9457: what is refused says which field, and nothing of our insides (M11)', () => {
  const agent = { id: 'agt_never', name: 'Never', owner: 'Nobody' };

  it('404 for what is not there, 405 for a method a path does not have', async () => {
    expect(told(await call('get', '/agents/agt_nobody'))).toEqual(
      missing('there is no agent "agt_nobody"'),
    );
    expect(told(await call('get', '/nothing'))).toEqual(problem(404, 'There is no such operation'));
    const answer = await call('put', '/agents', { body: agent });
    expect(told(answer)).toEqual(problem(405, 'This path has no such method'));
    expect(answer.headers.get('allow')).toBe('GET, POST');
  });

  it('P5: 415 for anything that is not JSON, whatever it holds', async () => {
    for (const type of [
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonp',
    ]) {
      const answer = await call('post', '/agents', {
        text: JSON.stringify(agent),
        headers: { 'content-type': type ?? '' },
      });
      expect([type, ...told(answer)]).toEqual([type, ...problem(415, 'Send application/json')]);
    }
  });

  it('P1: 413 for a body over the limit', async () => {
    const text = JSON.stringify({ ...agent, description: 'x'.repeat(256 * 1024) });
    expect(told(await call('post', '/agents', { text }))).toEqual(
      problem(413, 'The body is longer than 262144 bytes'),
    );
  });

  it('P1: a body that does not arrive whole is no body that is too long', async () => {
    const { hostname, port } = new URL(t.issuer);
    const head = [
      'POST /admin/v1/roles HTTP/1.1',
      `Host: ${hostname}`,
      `Authorization: Bearer ${ADMIN_TOKEN}`,
      'Content-Type: application/json',
      'Content-Length: 100',
      'Expect: 100-continue',
    ];
    const mark = t.logged.length;
    const socket = connect(Number(port), hostname);
    socket.write(`${head.join('\r\n')}\r\n\r\n{"name":`);
    // The request is being served.
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await eventually(() =>
      expect(t.logged.slice(mark).join('')).toContain('"path":"/admin/v1/roles","status":400'),
    );
  });

  it('400 for what is no JSON, or no object', async () => {
    for (const text of ['{', '{"name":}', '{"name":"x"} trailing', '\u0000']) {
      expect(told(await call('post', '/agents', { text }))).toEqual(
        problem(400, INVALID, { detail: 'the body is not JSON' }),
      );
    }
    for (const text of ['[]', 'null', '"text"', '1']) {
      expect(told(await call('post', '/agents', { text }))).toEqual(
        problem(400, INVALID, { detail: 'the body must be a JSON object' }),
      );
    }
  });

  it('P2: 32 levels are read, 33 and 28 000 are not', async () => {
    const nested = (depth: number) => `${'{"x":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const tooDeep = problem(400, INVALID, { detail: 'the body is nested too deeply' });
    expect((await call('post', '/agents', { text: nested(32) })).body.errors).toContainEqual({
      field: 'x',
      message: 'is not a known field',
    });
    expect(told(await call('post', '/agents', { text: nested(33) }))).toEqual(tooDeep);
    expect(told(await call('post', '/agents', { text: '['.repeat(28_000) }))).toEqual(tooDeep);
  });

  it('names an unknown field; camelCase is not a second spelling of a known one', async () => {
    const text = JSON.stringify({ ...agent, colour: 'red' });
    expect(told(await call('post', '/agents', { text }))).toEqual(
      wrong(['colour', 'is not a known field']),
    );
    const client = { name: 'Camel', kind: 'app', redirectUris: ['https://camel.example/cb'] };
    expect(told(await call('post', '/clients', { body: client }))).toEqual(
      wrong(['redirectUris', 'is not a known field']),
    );
  });

  it('P11: __proto__, constructor and prototype are no fields, at the top or below', async () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const text = `{"id":"agt_never","name":"Never","owner":"Nobody","${name}":{"status":"blocked"}}`;
      expect(told(await call('post', '/agents', { text }))).toEqual(
        wrong([name, 'is a reserved name']),
      );
      const below = `{"identifier":"https://proto.example/","name":"P","scopes":{"${name}":{"title":"x","risk":"read"}}}`;
      expect(told(await call('post', '/resources', { text: below }))).toEqual(
        wrong([`scopes.${name}`, 'is a reserved name']),
      );
    }
    expect(({} as { status?: unknown }).status).toBeUndefined();
  });

  it('P9: a NUL in a path, a query or a name is refused, never a 500', async () => {
    for (const path of [
      '/agents/%00',
      '/users?email=%00@x',
      '/audit?agent=%00',
      '/permissions?principal=%00',
    ]) {
      const { status } = await call('get', path);
      expect([path, status < 500 && status >= 400]).toEqual([path, true]);
    }
    const answer = await call('post', '/agents', { body: { ...agent, name: 'a\u0000b' } });
    expect(told(answer)).toEqual(
      wrong(['name', 'must not contain control or invisible characters']),
    );
  });

  it('M3: status, id, not_before and created_at are nobody’s to send', async () => {
    const fields = { status: 'active', not_before: '1970-01-01', created_at: '1970-01-01' };
    const blocked = await call('post', '/agents', { body: { ...agent, status: 'blocked' } });
    expect([blocked.status, blocked.body.errors[0].field]).toEqual([400, 'status']);
    for (const [field, value] of Object.entries(fields)) {
      const refused = wrong([field, 'is not a known field']);
      const created = await call('post', '/clients', { body: { ...agent, [field]: value } });
      expect(created.body.errors).toContainEqual({ field, message: 'is not a known field' });
      const patched = await call('patch', `/agents/${AGENT}`, { body: { [field]: value } });
      expect(told(patched)).toEqual(refused);
      const client = await call('patch', `/clients/${HOST}`, { body: { [field]: value } });
      expect(told(client)).toEqual(refused);
      const at = `/resources/${inPath(FILES)}`;
      expect(told(await call('patch', at, { body: { [field]: value } }))).toEqual(refused);
    }
    for (const path of [`/agents/${AGENT}`, `/clients/${HOST}`, `/users/${ANA.id}`]) {
      expect(told(await call('patch', path, { body: { id: 'agt_mine' } }))).toEqual(
        wrong(['id', 'is not a known field']),
      );
    }
    const user = { email: 'mass@example.com', name: 'Mass' };
    for (const field of ['id', 'password_hash', 'has_password', 'email_key', 'not_before']) {
      expect(told(await call('post', '/users', { body: { ...user, [field]: 'x' } }))).toEqual(
        wrong([field, 'is not a known field']),
      );
    }
    expect(told(await call('patch', `/clients/${HOST}`, { body: { kind: 'service' } }))).toEqual(
      wrong(['kind', 'is not a known field']),
    );
    expect((await call('get', '/agents/agt_never')).status).toBe(404);
  });
});

describe('K1: a secret is shown once', () => {
  it('to whoever adds it, and never by a list, an event or a log line', async () => {
    const made = await call('post', '/agents', { body: { id: 'agt_keys', name: 'K', owner: 'O' } });
    const added = await call('post', '/agents/agt_keys/credentials', { body: { kind: 'secret' } });
    const [first, second] = [made.body.credential.secret, added.body.secret];
    expect(told(added)).toEqual([
      201,
      {
        ...CREDENTIAL,
        kind: 'secret',
        secret: expect.stringMatching(/^[\w-]{43}$/),
      },
    ]);
    const token = { grant_type: 'client_credentials', resource: t.issuer };
    const works = async (secret: string) =>
      (
        await postForm(`${t.issuer}/token`, token, {
          authorization: `Basic ${btoa(`agt_keys:${secret}`)}`,
        })
      ).status;
    expect([await works(first), await works(second)]).toEqual([200, 200]);
    const gone = `/agents/agt_keys/credentials/${added.body.id}`;
    expect((await call('delete', `/agents/${AGENT}/credentials/${added.body.id}`)).status).toBe(
      404,
    );
    expect(told(await call('delete', gone))).toEqual([200, receiptOf(1)]);
    expect(told(await call('delete', gone))).toEqual(
      missing(`there is no credential "${added.body.id}"`),
    );
    expect([await works(first), await works(second)]).toEqual([200, 401]);
    const seen = [
      await call('get', '/agents?limit=200'),
      await call('get', '/agents/agt_keys'),
      await call('get', '/agents/agt_keys/credentials'),
      await call('get', '/audit?limit=200'),
      await t.opened.db.run('select * from audit_events'),
      await t.opened.db.run('select * from credentials'),
      t.logged,
    ];
    const everything = JSON.stringify(seen);
    expect([everything.includes(first), everything.includes(second)]).toEqual([false, false]);
  });
});

describe('DESIGN §6: blocking an agent over the API', () => {
  const introspect = async (token: string) =>
    (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body;
  const status = (body: object) => call('put', `/agents/${AGENT}/status`, { body });
  const factsAbout = async (key: string) =>
    (
      (await (await fetch(`${t.issuer}/revocations`)).json()).facts as {
        key: string;
        always: boolean;
      }[]
    )
      .filter((fact) => fact.key === feedKey(t.issuer, key))
      .map(({ always }) => always);

  it('ends its live token at once; unblocking tells the feed, and brings nothing back', async () => {
    const { body } = await redeem(t, await authorize(t));
    const token = body.access_token;
    expect((await introspect(token)).active).toBe(true);
    expect(told(await status({ status: 'blocked' }))).toEqual(wrong(['reason', 'must say why']));
    expect((await introspect(token)).active).toBe(true);
    const blocked = await status({ status: 'blocked', reason: 'misbehaves' });
    expect(told(blocked)).toEqual([
      200,
      {
        ...UNSAID,
        id: AGENT,
        name: 'Helper',
        owner: 'Example Ops',
        purpose: 'keeps files tidy',
        status: 'blocked',
        status_reason: 'misbehaves',
        status_by: 'admin',
        status_at: instant,
        clients: expect.any(Array),
        redirect_uris: [],
        auth: 'client_secret_basic',
        created_at: instant,
        receipt: {
          ended_at: instant,
          access_tokens: expect.any(Number),
          exchanged_tokens: 0,
          helper_chains: 0,
          refresh_tokens: expect.any(Number),
          grants: expect.any(Number),
          consents: 0,
          revocation: expect.any(Number),
        },
      },
    ]);
    expect(await introspect(token)).toEqual({ active: false });
    expect(await factsAbout(AGENT)).toEqual([true]);
    const refused = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource: t.issuer,
    });
    expect(refused.status).not.toBe(200);
    expect((await status({ status: 'active' })).body).toMatchObject({
      status: 'active',
      status_reason: null,
    });
    expect(await introspect(token)).toEqual({ active: false });
    expect((await factsAbout(AGENT)).at(-1)).toBe(false);
    // Tokens count whole seconds: what is asked for in the second of the unblocking is still older.
    const ask = { grant_type: 'client_credentials', resource: t.issuer };
    await eventually(async () => expect((await postToken(t, AGENT, ask)).status).toBe(200));
    expect(await introspect(token)).toEqual({ active: false });
    expect(told(await status({ status: 'draft' }))[0]).toBe(400);
  });
});

describe('consents, grants and the audit over the API', () => {
  it('says that the audit is whole, and then that it is not (M9)', async () => {
    const good = await call('post', '/audit/verify', { body: {} });
    expect([good.status, good.body]).toEqual([
      200,
      {
        events: expect.any(Number),
        chains: expect.any(Number),
        checkpoints: expect.any(Number),
        findings: [],
      },
    ]);
    const { db } = t.opened;
    const first = `(select id from audit_events order by id limit 1)`;
    await db.run(`update audit_events set by = 'x' || by where id = ${first}`);
    const bad = await call('post', '/audit/verify', { body: {} });
    expect(bad.body.findings).toEqual([
      {
        kind: 'altered',
        chain: expect.any(Number),
        from: expect.any(Number),
        to: expect.any(Number),
        says: 'these events do not match their link',
      },
    ]);
    await db.run(`update audit_events set by = substr(by, 2) where id = ${first}`);
    expect((await call('post', '/audit/verify', { body: {} })).body.findings).toEqual([]);
  });

  it('lists what a user allowed, ends it, and the token stops', async () => {
    const { body } = await redeem(t, await authorize(t));
    const [consent, grant] = String(claimsOf(body.access_token).jti).split('.') as [string, string];
    const live = await call(
      'get',
      `/grants?user=${ANA.id}&agent=${AGENT}&client=${HOST}&live=true`,
    );
    const shown = {
      user_id: ANA.id,
      client_id: HOST,
      agent_id: AGENT,
      resource: FILES,
      created_at: instant,
      expires_at: instant,
      ended_at: null,
      ended_reason: null,
      ended_by: null,
    };
    const whole = ['files:list', 'files:read', 'files:write'];
    expect(live.body.items[0]).toEqual({
      ...shown,
      id: grant,
      consent_id: consent,
      scopes: expect.arrayContaining(['files:write']),
      actor_proof: 'token',
      actor_credential_id: 'crd_helper',
      auth_time: expect.toBeOneOf([instant, null]),
      acr: null,
    });
    expect(told(await call('get', `/grants/${grant}`))).toEqual([200, live.body.items[0]]);
    expect(told(await call('get', '/grants/gnt_none'))).toEqual(
      missing('there is no grant "gnt_none"'),
    );
    const over = async (noun: string) =>
      (await call('get', `/${noun}?live=false`)).body.items.map(({ id }: { id: string }) => id);
    expect(await over('grants')).not.toContain(grant);
    expect(await over('consents')).not.toContain(consent);
    const consents = await call('get', '/consents?limit=1');
    expect(consents.body.items).toEqual([
      { ...shown, id: consent, offered: expect.any(Array), granted: expect.any(Array), helpers: 0 },
    ]);
    expect(told(await call('get', `/consents/${consent}`))).toEqual([
      200,
      { ...consents.body.items[0], terms: expect.any(Object) },
    ]);
    expect(told(await call('get', '/consents/cns_none'))).toEqual(
      missing('there is no consent "cns_none"'),
    );
    expect(whole).toEqual(expect.arrayContaining(consents.body.items[0].granted));
    const end = `/grants/${grant}?reason=${inPath('done with it')}`;
    expect(told(await call('delete', end))).toEqual([200, receiptOf(1, 1, 1)]);
    expect(told(await call('delete', end))).toEqual(missing(`there is no live grant "${grant}"`));
    const ended = (await call('get', '/grants?live=false')).body.items;
    expect(ended.find(({ id }: { id: string }) => id === grant)).toMatchObject({
      ended_at: instant,
      ended_reason: 'done with it',
      ended_by: 'admin',
    });
    expect((await call('delete', `/consents/${consent}`)).body.receipt.consents).toBe(1);
    expect(told(await call('delete', `/consents/${consent}`))).toEqual(
      missing(`there is no live consent "${consent}"`),
    );
    expect((await call('get', `/consents?user=${ANA.id}&live=true`)).body.items).toEqual([]);
    expect(await over('consents')).toContain(consent);
    expect(await endGrant(t.opened.db, grant, 'again', 'admin')).toBeUndefined();
    const introspected = await postForm(
      `${t.issuer}/introspect`,
      { token: body.access_token },
      authFor(t, FILES_CLIENT),
    );
    expect(introspected.body).toEqual({ active: false });
    // P14: a forged cursor that is no instant, or none a database knows, is refused, never a 500.
    for (const at of ['yesterday', '0000-01-01T00:00:00Z~x', '%2B275760-09-13T00:00:00Z~x']) {
      for (const noun of ['consents', 'grants']) {
        expect([at, ...told(await call('get', `/${noun}?cursor=${at}`))]).toEqual([
          at,
          ...wrong(['cursor', 'is not a cursor of this list']),
        ]);
      }
    }
  });

  it('tells what happened, newest first, each event with its sentence', async () => {
    await call('post', '/agents', { body: { id: 'agt_told', name: 'Told', owner: 'Ops' } });
    await call('put', '/agents/agt_told/status', {
      body: { status: 'blocked', reason: 'why\nnot'.replace('\n', ' ') },
    });
    const { body } = await call('get', '/audit?agent=agt_told');
    const event = {
      at: instant,
      by: 'admin',
      jti: null,
      sub: null,
      agent_id: 'agt_told',
      client_id: null,
      resource: null,
      grant_id: null,
      request_id: expect.stringMatching(/^[\w-]{16}$/),
    };
    expect(body).toEqual({
      items: [
        {
          ...event,
          id: expect.any(Number),
          type: 'agent.blocked',
          detail: {
            noun: 'agent',
            id: 'agt_told',
            name: 'Told',
            reason: 'why not',
            receipt: { ...receiptOf(0).receipt, facts: 1 },
          },
          sentence: 'Told was blocked by admin: why not',
        },
        {
          ...event,
          id: expect.any(Number),
          type: 'registry.created',
          detail: { noun: 'agent', id: 'agt_told', name: 'Told', owner: 'Ops' },
          sentence: 'admin registered agent agt_told',
        },
      ],
      next_cursor: null,
    });
    const first = (await call('get', '/audit?agent=agt_told&limit=1')).body;
    expect(first.items).toEqual([body.items[0]]);
    const rest = (await call('get', `/audit?agent=agt_told&limit=1&cursor=${first.next_cursor}`))
      .body;
    expect(rest.items).toEqual([body.items[1]]);
    for (const cursor of ['x', '1.5', '99999999999999999999']) {
      expect([cursor, ...told(await call('get', `/audit?cursor=${cursor}`))]).toEqual([
        cursor,
        ...wrong(['cursor', 'is not a cursor of this list']),
      ]);
    }
  });
});

describe('the world over the API', () => {
  it('names line and field as the file spells them, and changes nothing', async () => {
    const broken = { text: 'agents: [\n  - id' };
    expect((await call('post', '/world', { body: broken })).body.errors).toContainEqual({
      field: 'line 2',
      message: 'Block collections are not allowed within flow collections',
    });
    const text = 'clients:\n  - id: cli_world\n    name: W\n    kind: app\n    redirectUris: [x]\n';
    expect(told(await call('post', '/world', { body: { text } }))).toEqual(
      wrong(['line 5, clients.0.redirectUris.0', 'must be an absolute URI']),
    );
    const good = text.replace('[x]', '[https://world.example/cb]');
    const plan = {
      plan: [{ noun: 'client', id: 'cli_world', action: 'create', fields: [] }],
      secrets: {},
    };
    const dry = { body: { text: good, dry_run: true } };
    const rehearsed = await call('post', '/world', dry);
    const { unnamed, ...rest } = rehearsed.body;
    expect([rehearsed.status, rest]).toEqual([200, { ...plan, unnamed_left_out: 0 }]);
    // What the file does not name: told, and left alone.
    expect(unnamed).toContainEqual({ noun: 'agent', id: AGENT });
    expect(unnamed).not.toContainEqual({ noun: 'client', id: 'cli_world' });
    expect((await call('get', '/clients/cli_world')).status).toBe(404);
    expect(told(await call('post', '/world', { body: { text: good } }))).toEqual([200, plan]);
    expect((await call('get', '/clients/cli_world')).status).toBe(200);
  });
});

describe('GET /openapi.json', () => {
  it('lists exactly the operations, each with its parameters, and the bearer', async () => {
    const { status, body } = await call('get', '/openapi.json');
    expect([status, body.openapi, body.security, body.servers]).toEqual([
      200,
      '3.1.0',
      [{ bearer: [] }],
      [{ url: `${t.issuer}/admin/v1` }],
    ]);
    const listed = Object.entries(
      body.paths as Record<string, Record<string, { parameters: { name: string; in: string }[] }>>,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters }]) => ({
        operation: `${method} ${path}`,
        inPath: parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`),
      })),
    );
    expect(listed.map(({ operation }) => operation).sort()).toEqual(
      ADMIN_OPERATIONS.map(
        ({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`,
      ).sort(),
    );
    for (const { operation, inPath: names } of listed) {
      expect(names).toEqual(operation.match(/\{\w+\}/g) ?? []);
    }
    const also = ADMIN_OPERATIONS.filter(({ alsoNeeds }) => alsoNeeds !== undefined);
    const described = Object.values(body.paths as Record<string, Record<string, object>>)
      .flatMap((methods) => Object.values(methods))
      .filter((one) => 'description' in one && String(one.description).includes('admin:security'));
    expect(described).toHaveLength(also.length);
    const { properties, required } =
      body.paths['/clients'].post.requestBody.content['application/json'].schema;
    expect(Object.keys(properties).sort()).toEqual([
      'auth',
      'certificate_bound',
      'client_uri',
      'contact',
      'description',
      'dpop_bound',
      'fapi',
      'id',
      'jwks',
      'kind',
      'logo_uri',
      'may_exchange',
      'name',
      'policy_uri',
      'redirect_uris',
      'require_par',
      'require_signed_request',
    ]);
    expect([...required].sort()).toEqual(['kind', 'name']);
  });
});

describe('a database that is gone', () => {
  it('is a 503 with Retry-After, and no word about the database', async () => {
    const lost = await startTestBroker();
    try {
      const ask = () =>
        fetch(`${lost.issuer}/admin/v1/agents`, {
          headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        });
      expect((await ask()).status).toBe(200);
      await lost.opened.db.close();
      const answer = await ask();
      expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toEqual([
        503,
        '1',
        { type: 'about:blank', status: 503, title: 'The server cannot answer now' },
      ]);
    } finally {
      await lost.close().catch(() => undefined);
    }
  });
});

it('M2: a service’s own client credentials open nothing here', async () => {
  const headers = authFor(t, SERVICE);
  expect((await call('get', '/agents', { headers })).status).toBe(401);
});
