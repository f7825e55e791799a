// M10: every change of state leaves exactly its event, and M9: in its own transaction, so that where
// the event cannot be written nothing was changed. Every operation of the admin API that is not a GET,
// then every step of the flows. A first credential comes, and the last go, with whoever they prove.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_OPERATIONS } from '../../src/broker/admin/operations.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  actorToken,
  authFor,
  authorize,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { createIdp, IDP } from '../support/idp.js';
import { usedEarlier } from '../support/used-earlier.js';
import { AGENT, ANA, BEN, CALLBACK, FILES, FILES_CLIENT, HOST } from '../support/world.js';

let t: TestBroker;
const admin = (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });

const TABLES = [
  'agents',
  'clients',
  'users',
  'roles',
  'resources',
  'permissions',
  'consents',
  'grants',
  'revocations',
  'signing_keys',
  'policy_epoch',
  'user_sessions',
  'tool_inventories',
  'initial_access_tokens',
  'client_registrations',
  'trusted_issuers',
  'user_identities',
];
/** Everything that lasts; uses of credentials are noted later, whatever was done. */
async function state(): Promise<string> {
  const parts = await Promise.all([
    ...TABLES.map((table) => t.opened.db.run(`select * from ${table} order by 1`)),
    t.opened.db.run('select id, principal, removed_at, expires_at from credentials order by 1'),
  ]);
  return JSON.stringify(parts);
}
const last = async (): Promise<number> => {
  const [row] = await t.opened.db.run<{ id: number }>(
    'select coalesce(max(id), 0)::int as id from audit_events',
  );
  return row?.id ?? 0;
};
const since = async (id: number) =>
  t.opened.db.run<{ type: string; by: string; request_id: string | null }>(
    'select type, by, request_id from audit_events where id > $1 order by id',
    [id],
  );

/** The audit cannot be written. */
const breakAudit = async () => {
  await t.opened.db.run(`create function no_audit() returns trigger language plpgsql as
    $$ begin raise exception 'the audit is full'; end $$`);
  await t.opened.db.run(
    'create trigger no_audit before insert on audit_events for each row execute function no_audit()',
  );
};
const mendAudit = async () => {
  await t.opened.db.run('drop trigger no_audit on audit_events');
  await t.opened.db.run('drop function no_audit');
};

interface Ids {
  credential: string;
  initialToken: string;
  user: string;
  consent: string;
  grant: string;
  kid: string;
}
const ids: Ids = { credential: '', initialToken: '', user: '', consent: '', grant: '', kid: '' };
// biome-ignore lint/suspicious/noExplicitAny: the bodies of all operations
type Body = any;

interface Op {
  /** As the table of operations has it. */
  readonly op: string;
  readonly path: () => string;
  readonly body?: () => object;
  /** Exactly, in this order. */
  readonly leaves: readonly string[];
  /** What later ones need. */
  readonly keep?: (answer: Body) => void;
  readonly prepare?: () => Promise<void>;
}

const at = encodeURIComponent;
const SCOPES = { 'x:read': { title: 'Read', risk: 'read' } };
const delegate = async () => {
  const { body } = await redeem(t, await authorize(t));
  [ids.consent = '', ids.grant = ''] = String(claimsOf(body.access_token).jti).split('.');
};

/** What its own server says the tool is; a second definition is one nobody has seen. */
const publish = async (hash: string) => {
  const response = await fetch(`${t.issuer}/tools`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authFor(t, FILES_CLIENT) },
    body: JSON.stringify({ resource: FILES, tools: { read_file: hash } }),
  });
  expect(response.status).toBe(200);
};

const OPS: readonly Op[] = [
  {
    op: 'post /clients',
    path: () => '/clients',
    body: () => ({ id: 'cli_m', kind: 'service', name: 'M' }),
    leaves: ['registry.created'],
  },
  {
    op: 'patch /clients/:id',
    path: () => '/clients/cli_m',
    body: () => ({ name: 'N' }),
    leaves: ['registry.changed'],
  },
  {
    op: 'post /clients/:id/credentials',
    path: () => '/clients/cli_m/credentials',
    body: () => ({ kind: 'secret' }),
    leaves: ['credential.added'],
    keep: ({ id }) => (ids.credential = id),
  },
  {
    op: 'delete /clients/:id/credentials/:credential',
    path: () => `/clients/cli_m/credentials/${ids.credential}`,
    leaves: ['credential.removed'],
  },
  {
    op: 'post /initial-access-tokens',
    path: () => '/initial-access-tokens',
    body: () => ({ name: 'M' }),
    leaves: ['registry.created'],
    keep: ({ id }) => (ids.initialToken = id),
  },
  {
    op: 'delete /initial-access-tokens/:id',
    path: () => `/initial-access-tokens/${ids.initialToken}`,
    leaves: ['registry.retired'],
  },
  {
    op: 'post /agents',
    path: () => '/agents',
    body: () => ({ id: 'agt_m', name: 'M', owner: 'Ops', status: 'draft' }),
    leaves: ['registry.created'],
  },
  {
    op: 'patch /agents/:id',
    path: () => '/agents/agt_m',
    body: () => ({ purpose: 'sorts' }),
    leaves: ['registry.changed'],
  },
  ...(
    [
      ['active', 'agent.activated'],
      ['paused', 'agent.paused'],
      ['active', 'agent.resumed'],
      ['blocked', 'agent.blocked'],
      ['active', 'agent.unblocked'],
    ] as const
  ).map(
    ([status, leaves]): Op => ({
      op: 'put /agents/:id/status',
      path: () => '/agents/agt_m/status',
      body: () => ({ status, reason: 'why' }),
      leaves: [leaves],
    }),
  ),
  {
    op: 'post /agents/:id/credentials',
    path: () => '/agents/agt_m/credentials',
    body: () => ({ kind: 'secret' }),
    leaves: ['credential.added'],
    keep: ({ id }) => (ids.credential = id),
  },
  {
    op: 'delete /agents/:id/credentials/:credential',
    path: () => `/agents/agt_m/credentials/${ids.credential}`,
    leaves: ['credential.removed'],
  },
  {
    op: 'post /roles',
    path: () => '/roles',
    body: () => ({ name: 'crew' }),
    leaves: ['registry.created'],
  },
  {
    op: 'patch /roles/:id',
    path: () => '/roles/crew',
    body: () => ({ description: 'all hands' }),
    leaves: ['registry.changed'],
  },
  {
    op: 'post /users',
    path: () => '/users',
    body: () => ({ email: 'm@example.com', name: 'M' }),
    leaves: ['registry.created'],
    keep: ({ id }) => (ids.user = id),
  },
  {
    op: 'patch /users/:id',
    path: () => `/users/${ids.user}`,
    body: () => ({ roles: ['crew'] }),
    leaves: ['registry.changed'],
  },
  ...(
    [
      ['disabled', 'user.disabled'],
      ['active', 'user.enabled'],
    ] as const
  ).map(
    ([status, leaves]): Op => ({
      op: 'put /users/:id/status',
      path: () => `/users/${ids.user}/status`,
      body: () => ({ status, reason: 'why' }),
      leaves: [leaves],
    }),
  ),
  {
    op: 'post /resources',
    path: () => '/resources',
    body: () => ({ identifier: 'https://m.example', name: 'M', scopes: SCOPES }),
    leaves: ['registry.created'],
  },
  {
    op: 'patch /resources/:identifier',
    path: () => `/resources/${at('https://m.example')}`,
    body: () => ({ name: 'N' }),
    leaves: ['registry.changed'],
  },
  {
    op: 'post /resources/:identifier/tools/accept',
    path: () => `/resources/${at(FILES)}/tools/accept`,
    body: () => ({ tool: 'read_file', schema_hash: 'b'.repeat(43) }),
    leaves: ['registry.changed'],
    prepare: async () => {
      for (const definition of ['a', 'b']) await publish(definition.repeat(43));
    },
  },
  ...(['registry.created', 'registry.changed'] as const).map(
    (leaves, n): Op => ({
      op: 'put /permissions/:principal/:resource',
      path: () => `/permissions/agt_m/${at(FILES)}`,
      body: () => ({ scopes: [['files:read'], ['files:write']][n] }),
      leaves: [leaves],
    }),
  ),
  {
    op: 'delete /permissions/:principal/:resource',
    path: () => `/permissions/agt_m/${at(FILES)}`,
    leaves: ['registry.retired'],
  },
  {
    op: 'delete /grants/:id',
    path: () => `/grants/${ids.grant}`,
    leaves: ['grant.ended'],
    prepare: delegate,
  },
  {
    op: 'delete /consents/:id',
    path: () => `/consents/${ids.consent}`,
    leaves: ['consent.ended'],
  },
  {
    op: 'post /consents/end',
    path: () => '/consents/end',
    body: () => ({ user: ANA.id, reason: 'why' }),
    leaves: ['consent.ended'],
    prepare: delegate,
  },
  {
    op: 'post /keys/rotate',
    path: () => '/keys/rotate',
    body: () => ({ alg: 'ES256' }),
    leaves: ['key.activated', 'key.published'],
    // Verifiers know it by now.
    prepare: async () => {
      await t.opened.db.run("update signing_keys set created_at = created_at - interval '1 day'");
    },
    keep: ({ items }) => {
      ids.kid = items.find((key: Body) => key.alg === 'ES256' && key.state === 'active').kid;
    },
  },
  {
    op: 'post /keys/:kid/retire',
    path: () => `/keys/${ids.kid}/retire`,
    body: () => ({ compromised: true, reason: 'lost' }),
    leaves: ['key.retired', 'key.activated', 'key.published'],
  },
  {
    op: 'post /world',
    path: () => '/world',
    body: () => ({ text: 'roles: [deck]' }),
    leaves: ['registry.created', 'world.applied'],
  },
  { op: 'delete /roles/:id', path: () => '/roles/deck', leaves: ['registry.retired'] },
  {
    op: 'post /trusted-issuers',
    path: () => '/trusted-issuers',
    body: () => ({ issuer: IDP, name: 'M', purposes: ['workload'], jwks: createIdp(IDP).jwks }),
    leaves: ['registry.created'],
  },
  {
    op: 'patch /trusted-issuers/:issuer',
    path: () => `/trusted-issuers/${at(IDP)}`,
    body: () => ({ purposes: ['attestation'] }),
    leaves: ['registry.changed'],
  },
  {
    op: 'post /users/:id/identities',
    path: () => `/users/${ids.user}/identities`,
    body: () => ({ issuer: IDP, subject: 'm' }),
    leaves: ['registry.created'],
  },
  {
    op: 'delete /users/:id/identities/:issuer/:subject',
    path: () => `/users/${ids.user}/identities/${at(IDP)}/m`,
    leaves: ['registry.retired'],
  },
  {
    op: 'delete /trusted-issuers/:issuer',
    path: () => `/trusted-issuers/${at(IDP)}`,
    leaves: ['registry.retired'],
  },
  { op: 'delete /users/:id', path: () => `/users/${ids.user}`, leaves: ['registry.retired'] },
  {
    op: 'delete /resources/:identifier',
    path: () => `/resources/${at('https://m.example')}`,
    leaves: ['registry.retired'],
  },
  {
    op: 'delete /agents/:id',
    path: () => '/agents/agt_m',
    leaves: ['registry.retired'],
  },
  {
    op: 'delete /clients/:id',
    path: () => '/clients/cli_m',
    leaves: ['registry.retired'],
  },
];

/** They change nothing that lasts; resealing is told of where it does (`test/engine/keys.test.ts`). */
const CHANGE_NOTHING = ['post /audit/verify', 'post /explain', 'post /keys/reseal'];

beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
  await admin('GET', '/agents');
});
afterAll(() => t.close());

describe('M9, M10: the admin API', () => {
  it('has a row for every operation that changes something', () => {
    const named = new Set([...OPS.map(({ op }) => op), ...CHANGE_NOTHING]);
    const all = ADMIN_OPERATIONS.filter(({ method }) => method !== 'get');
    const missing = all
      .map(({ method, path }) => `${method} ${path}`)
      .filter((op) => !named.has(op));
    expect(missing).toEqual([]);
  });

  it.each(
    OPS.map((one) => [one.op, one.leaves.join(', '), one] as const),
  )('%s leaves %s, or nothing at all', async (op, _leaves, {
    path,
    body,
    leaves,
    keep,
    prepare,
  }) => {
    await prepare?.();
    const [method = ''] = op.split(' ');
    const before = await state();
    const n = await last();
    await breakAudit();
    const failed = await admin(method, path(), body?.()).finally(mendAudit);
    expect([failed.status, await since(n)]).toEqual([500, []]);
    expect((await state()) === before).toBe(true);
    const done = await admin(method, path(), body?.());
    expect([op, done.status < 300]).toEqual([op, true]);
    keep?.(done.body);
    const events = await since(n);
    expect(events.map(({ type }) => type).sort()).toEqual([...leaves].sort());
    for (const event of events) {
      expect(event).toEqual({ type: event.type, by: 'admin', request_id: expect.any(String) });
    }
    expect(new Set(events.map((event) => event.request_id)).size).toBe(1);
    expect((await state()) === before).toBe(false);
  });
});

describe('M9, M10: the flows', () => {
  const types = async (n: number) => (await since(n)).map(({ type }) => type);

  it('sign-in, consent, redemption, refresh, revocation: one event each, each with its request', async () => {
    let n = await last();
    const authorized = await authorize(t);
    expect(await types(n)).toEqual(['sign_in.succeeded', 'consent.granted', 'grant.created']);
    n = await last();
    const proof = await actorToken(t);
    expect(await types(n)).toEqual(['token.issued']);
    n = await last();
    const { body } = await redeem(t, authorized, { actor_token: proof });
    expect(await types(n)).toEqual(['token.issued']);
    n = await last();
    const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    const refreshed = await postToken(t, HOST, refresh);
    expect([refreshed.status, await types(n)]).toEqual([200, ['token.issued']]);
    n = await last();
    const token = refreshed.body.access_token;
    await postForm(`${t.issuer}/revoke`, { token }, authFor(t, HOST));
    expect(await types(n)).toEqual(['token.revoked']);
    const rows = await t.opened.db.run<{ n: number }>(
      `select count(*)::int as n from audit_events where request_id is null and by = $1`,
      [ANA.id],
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('refusals: a wrong password, a consent denied, a scope not held, a code used twice', async () => {
    let n = await last();
    await expect(authorize(t, { visitor: { ...BEN, password: 'no' } })).rejects.toThrow();
    expect(new Set(await types(n))).toEqual(new Set(['sign_in.failed']));
    n = await last();
    const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:delete' };
    await postToken(t, AGENT, fields);
    expect(await types(n)).toEqual(['token.refused']);
    const authorized = await authorize(t);
    await usedEarlier(t.opened.db, (await redeem(t, authorized)).body);
    n = await last();
    const { code, verifier } = authorized;
    await postToken(t, HOST, {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
    });
    expect(await types(n)).toEqual(['grant.ended', 'code.replayed', 'token.refused']);
  });

  it('no token leaves, and no consent stands, where its event cannot be written', async () => {
    const before = await state();
    const n = await last();
    await breakAudit();
    const own = { grant_type: 'client_credentials', resource: t.issuer };
    const [token] = await Promise.all([
      postToken(t, AGENT, own),
      authorize(t).catch((error: unknown) => error),
    ]).finally(mendAudit);
    expect([token.status, token.body.access_token]).toEqual([500, undefined]);
    expect([await since(n), (await state()) === before]).toEqual([[], true]);
  });
});
