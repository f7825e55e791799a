// Clients in full (DESIGN §12): their own words, what they must do, the agent they are bound to.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  type Answer,
  authFor,
  authorize,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { refreshWith, registered, tokensOf } from '../support/registration.js';
import { AGENT, DESKTOP, FILES_CLIENT, HOST, OTHER_AGENT, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

async function admin(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${t.issuer}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === '' ? undefined : JSON.parse(text) };
}
const problems = ({ status, body }: Answer) => [status, body.errors];
const change = (id: string, body: object) => admin('PATCH', `/clients/${id}`, body);
const ids = async (path: string) =>
  (await admin('GET', path)).body.items.map(({ id }: { id: string }) => id);

describe('a client’s own words', () => {
  const words = {
    description: 'Keeps your desk tidy',
    client_uri: 'https://desk.example/',
    logo_uri: 'https://desk.example/logo.svg',
    policy_uri: 'https://desk.example/privacy',
    contact: 'help@desk.example',
  };

  it('are kept, shown, and emptied again', async () => {
    const made = await admin('POST', '/clients', {
      id: 'cli_words',
      name: 'Words',
      kind: 'app',
      redirect_uris: ['https://desk.example/cb'],
      ...words,
    });
    expect(made.body).toMatchObject(words);
    const emptied = Object.fromEntries(Object.keys(words).map((name) => [name, null]));
    expect((await change('cli_words', emptied)).body).toMatchObject(emptied);
    const { body } = await admin('GET', '/audit?client=cli_words&limit=1');
    expect(body.items[0].detail.fields.sort()).toEqual([
      'clientUri',
      'contact',
      'description',
      'logoUri',
      'policyUri',
    ]);
  });

  it.each([
    ['client_uri', 'javascript:alert(1)', 'must be an https URI'],
    ['logo_uri', 'data:image/svg+xml,x', 'must be an https URI'],
    ['policy_uri', 'http://desk.example/', 'must be an https URI'],
    ['client_uri', 'https://you@desk.example/', 'must not hold a user name'],
    ['client_uri', 'https://DESK.example/', 'must be written as https://desk.example/'],
    ['client_uri', 'https://desk.example/a b', 'must be printable ASCII without spaces'],
    ['client_uri', 'https://dеsk.example/', 'must be printable ASCII without spaces'],
    ['contact', 'javascript:alert(1)', 'must be an e-mail address or an https URI'],
    ['contact', 'http://desk.example', 'must be an e-mail address or an https URI'],
    ['description', 'one\nline', 'must not contain control or invisible characters'],
  ])('K9: refuse %s %s', async (field, value, message) => {
    expect(problems(await change(HOST, { [field]: value }))).toEqual([400, [{ field, message }]]);
  });

  it.each([
    ['logo_uri', 'javascript:alert(1)', 'must be an https URI'],
    ['contact', 'call me', 'must be an e-mail address or an https URI'],
    ['tags', ['Ops'], 'must be 1 to 50 of a-z 0-9 . _ : -, no sign first'],
    ['takes_work_from', ['agt_none'], 'names no agent: "agt_none"'],
    ['takes_work_from', [AGENT], 'must not name the agent itself'],
    ['clients', ['cli_none'], 'names no client: "cli_none"'],
  ])('and an agent’s refuse %s %j', async (field, value, message) => {
    const [status, errors] = problems(await admin('PATCH', `/agents/${AGENT}`, { [field]: value }));
    const at = Array.isArray(value) ? `${field}.0` : field;
    expect([status, errors]).toEqual([400, [{ field: at, message }]]);
  });
});

describe('a client that is bound to an agent (client_binding)', () => {
  const bind = (id: string, agent: string | null) => change(id, { agent_id: agent });

  it('is confidential, signs users in, and is accepted by the agent', async () => {
    const refused = async (id: string, agent: string) => (await bind(id, agent)).body.errors;
    const because = (message: string) => [{ field: 'agent_id', message }];
    expect(await refused(DESKTOP, AGENT)).toEqual(
      because('must not be set for a public client: anybody could act as the agent'),
    );
    expect(await refused('cli_stranger', AGENT)).toEqual(
      because(
        'does not accept this client: agt_helper must name cli_stranger among its clients first',
      ),
    );
    expect(await refused(HOST, 'agt_nobody')).toEqual(because('names no agent: "agt_nobody"'));
    await admin('POST', '/agents', { id: 'agt_gone', name: 'G', owner: 'O', clients: [HOST] });
    await admin('DELETE', '/agents/agt_gone');
    expect(await refused(HOST, 'agt_gone')).toEqual(because('names no agent: "agt_gone"'));
    const service = { clients: [HOST, DESKTOP, SERVICE] };
    await admin('PATCH', `/agents/${AGENT}`, service);
    expect(await refused(SERVICE, AGENT)).toEqual(
      because('must be left out: a service signs nobody in'),
    );
    expect((await bind(HOST, AGENT)).body).toMatchObject({ id: HOST, agent_id: AGENT });
    expect(await ids(`/clients?agent=${AGENT}`)).toEqual([HOST]);
    expect(problems(await change(HOST, { auth: 'none' }))).toEqual([
      400,
      because('must not be set for a public client: anybody could act as the agent'),
    ]);
  });

  it('loses what it obtained as the agent when it is bound no more, or to another', async () => {
    const introspect = async (token: string) =>
      (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;
    for (const next of [OTHER_AGENT, null]) {
      const agent = next === null ? OTHER_AGENT : AGENT;
      const params = { requested_actor: undefined, scope: 'files:read' };
      const authorized = await authorize(t, { params });
      const { body } = await redeem(t, authorized, { actor_token: undefined });
      expect([agent, await introspect(body.access_token)]).toEqual([agent, true]);
      expect((await bind(HOST, next)).body.agent_id).toBe(next);
      expect([agent, await introspect(body.access_token)]).toEqual([agent, false]);
    }
  });

  it('gets nothing back when the binding does: the authorization began before', async () => {
    await bind(HOST, AGENT);
    const params = { requested_actor: undefined, scope: 'files:read' };
    const { body } = await redeem(t, await authorize(t, { params }), { actor_token: undefined });
    await bind(HOST, null);
    await bind(HOST, AGENT);
    const { refresh_token } = body;
    const fields = { grant_type: 'refresh_token', refresh_token };
    const refused = await postForm(`${t.issuer}/token`, fields, authFor(t, HOST));
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    await bind(HOST, null);
  });
});

describe('what a client must do', () => {
  it('push, or sign, its requests; a public client has no key to sign with', async () => {
    const must = { require_par: true, require_signed_request: true };
    expect((await change(HOST, must)).body).toMatchObject(must);
    expect((await change(DESKTOP, { require_par: true })).body.require_par).toBe(true);
    expect(problems(await change(DESKTOP, { require_signed_request: true }))).toEqual([
      400,
      [
        {
          field: 'require_signed_request',
          message: 'must not be set for a public client: it has no key',
        },
      ],
    ]);
    expect(problems(await change(SERVICE, { require_par: true }))).toEqual([
      400,
      [{ field: 'require_par', message: 'must be left out: a service signs nobody in' }],
    ]);
    const free = { require_par: false, require_signed_request: false };
    expect((await change(HOST, free)).body).toMatchObject(free);
  });
});

describe('RFC 8693 §5 whether a client may exchange tokens', () => {
  const publicOnly = {
    field: 'may_exchange',
    message: 'must not be set for a public client: whoever exchanges proves itself',
  };

  it('is said of each: yes, unless it says so, of whoever authenticates; a public one never may', async () => {
    const app = { kind: 'app', name: 'New', redirect_uris: ['https://new.example/cb'] };
    const made = async (more: object) =>
      (await admin('POST', '/clients', { ...app, ...more })).body;
    expect((await made({ auth: 'client_secret_basic' })).may_exchange).toBe(true);
    const told = await made({ auth: 'client_secret_basic', may_exchange: false });
    expect(told.may_exchange).toBe(false);
    const open = await made({ auth: 'none' });
    expect(open.may_exchange).toBe(false);
    expect(problems(await admin('POST', '/clients', { ...app, may_exchange: true }))).toEqual([
      400,
      [publicOnly],
    ]);
    expect(problems(await change(open.id, { may_exchange: true }))).toEqual([400, [publicOnly]]);
    const agent = { name: 'New', owner: 'Ops' };
    expect((await admin('POST', '/agents', agent)).body.may_exchange).toBe(true);
    const quiet = await admin('POST', '/agents', { ...agent, may_exchange: false });
    expect(quiet.body.may_exchange).toBe(false);
  });

  it('ends with its proof of who it is, and does not come back by itself', async () => {
    const app = { kind: 'app', name: 'New', redirect_uris: ['https://new.example/cb'] };
    const made = await admin('POST', '/clients', { ...app, auth: 'client_secret_basic' });
    const { id } = made.body;
    expect((await change(id, { auth: 'none' })).body.may_exchange).toBe(false);
    const proved = await change(id, { auth: 'client_secret_basic' });
    expect(proved.body.may_exchange).toBe(false);
    expect((await change(id, { may_exchange: true })).body.may_exchange).toBe(true);
    const both = { auth: 'none', may_exchange: true };
    expect(problems(await change(id, both))).toEqual([400, [publicOnly]]);
  });
});

describe('what an agent that is its own client must do', () => {
  const changeAgent = (body: object) => admin('PATCH', `/agents/${AGENT}`, body);
  const only = 'must be left out: without redirect URIs the agent signs nobody in';

  it('push, or sign, its requests; without redirect URIs it makes none', async () => {
    const must = { require_par: true, require_signed_request: true };
    const refused = (...fields: string[]) => [
      400,
      fields.map((field) => ({ field, message: only })),
    ];
    expect(problems(await changeAgent(must))).toEqual(refused(...Object.keys(must)));
    const redirects = { redirect_uris: ['https://helper.example/callback'] };
    expect((await changeAgent({ ...must, ...redirects })).body).toMatchObject({
      ...must,
      ...redirects,
    });
    expect(problems(await changeAgent({ redirect_uris: [] }))).toEqual(
      refused(...Object.keys(must)),
    );
    const free = { require_par: false, require_signed_request: false, redirect_uris: [] };
    expect((await changeAgent(free)).body).toMatchObject(free);
    const made = { id: 'agt_asks', name: 'Asks', owner: 'Ops', require_par: true };
    expect(problems(await admin('POST', '/agents', made))).toEqual(refused('require_par'));
    expect((await admin('POST', '/agents', { ...made, ...redirects })).status).toBe(201);
  });
});

describe('lists are filtered', () => {
  it('of clients: by kind, auth, status, part of the name', async () => {
    expect(await ids('/clients?kind=service')).toEqual([FILES_CLIENT, SERVICE]);
    expect(await ids('/clients?auth=none&kind=app&q=DESK')).toEqual([DESKTOP]);
    expect(await ids('/clients?q=%25')).toEqual([]);
    await admin('POST', '/clients', { id: 'cli_gone', name: 'Gone', kind: 'service' });
    await admin('DELETE', '/clients/cli_gone');
    expect(await ids('/clients?q=gone')).toEqual([]);
    expect(await ids('/clients?q=gone&status=retired')).toEqual(['cli_gone']);
  });

  it('of agents: by status, owner, tag, client, external id, part of the name', async () => {
    const made = { owner: 'Listers', tags: ['night', 'eu:west'], external_id: 'CMDB-7' };
    const agent = { id: 'agt_listed', name: 'List_ed', clients: [DESKTOP], ...made };
    expect((await admin('POST', '/agents', agent)).body.tags).toEqual(['eu:west', 'night']);
    for (const filter of [
      'owner=Listers',
      'tag=night',
      'tag=eu:west',
      'external_id=CMDB-7',
      `client=${DESKTOP}&owner=Listers`,
      'q=list_',
      'status=active&tag=night',
    ]) {
      expect([filter, await ids(`/agents?${filter}`)]).toEqual([filter, ['agt_listed']]);
    }
    for (const filter of ['tag=nigh', 'status=draft', 'q=list%25', 'owner=listers']) {
      expect([filter, await ids(`/agents?${filter}`)]).toEqual([filter, []]);
    }
    const { status, body } = await admin('GET', '/agents?status=asleep');
    expect([status, body.errors[0].field]).toEqual([400, 'status']);
  });

  it('of users: by status, role, part of the name', async () => {
    expect((await admin('GET', '/users?q=ana%20ex')).body.items).toHaveLength(1);
    await admin('PUT', '/users/usr_ben/status', { status: 'disabled', reason: 'away' });
    expect(await ids('/users?status=disabled')).toEqual(['usr_ben']);
    await admin('POST', '/roles', { name: 'listed' });
    await admin('PATCH', '/users/usr_ana', { roles: ['listed'] });
    expect(await ids('/users?role=listed')).toEqual(['usr_ana']);
    const named = (await admin('GET', '/roles?q=list')).body.items;
    expect(named.map(({ name }: { name: string }) => name)).toEqual(['listed']);
  });
});

describe('clients that registered themselves (RFC 7591)', () => {
  const guest = async (more: object = {}) =>
    registered(t, {
      client_name: 'Guest',
      redirect_uris: ['https://guest.example/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
      software_id: 'guest-app',
      software_version: '1.2',
      ...more,
    });

  it('are shown with where they came from, what they say they are, and when they end', async () => {
    const { client_id: id } = await guest();
    const shown = (await admin('GET', `/clients/${id}`)).body;
    expect(shown).toMatchObject({
      id,
      name: 'Guest',
      kind: 'app',
      origin: 'registration',
      software_id: 'guest-app',
      software_version: '1.2',
      may_exchange: false,
      last_used_at: null,
    });
    const lifeMs = Date.parse(shown.registration_expires_at) - Date.parse(shown.created_at);
    expect(Math.round(lifeMs / 60_000)).toBe(24 * 60);
    expect(await ids('/clients?origin=registration')).toEqual([id]);
    expect(await ids('/clients?origin=operator')).not.toContain(id);
    await t.opened.db.run(
      'update client_registrations set last_used_at = clock_timestamp(), expires_at = null where client_id = $1',
      [id],
    );
    const used = (await admin('GET', `/clients/${id}`)).body;
    const restMs = Date.parse(used.registration_expires_at) - Date.parse(used.last_used_at);
    expect(restMs).toBe(90 * 24 * 3_600_000);
  });

  it('are bound to no agent and let exchange nothing, not by an operator either (DC11)', async () => {
    const { client_id: id } = await guest();
    await admin('PATCH', `/agents/${AGENT}`, { clients: [HOST, DESKTOP, id] });
    for (const [field, value] of [
      ['agent_id', AGENT],
      ['may_exchange', true],
    ] as const) {
      const [status, errors] = problems(await change(id, { [field]: value }));
      expect([status, errors[0].field]).toEqual([400, field]);
    }
  });

  it('are retired like any other: with a receipt, and what they hold stops', async () => {
    const made = await guest();
    const { body: tokens } = await tokensOf(t, made);
    const { status, body } = await admin('DELETE', `/clients/${made.client_id}`);
    expect([status, body.receipt]).toEqual([
      200,
      expect.objectContaining({ access_tokens: 1, refresh_tokens: 1, grants: 1, consents: 1 }),
    ]);
    const answer = await refreshWith(t, made.client_id, tokens.refresh_token);
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
  });
});
