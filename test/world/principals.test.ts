// Agents, clients, users and roles of a world file (DESIGN §12): every field there is, in whatever
// order they name each other; idempotent; and drift told field by field, secrets never.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { AdminServices } from '../../src/broker/admin/operation.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

const publicKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const KEY = { ...publicKey(), kid: 'first' };

/** Everything that may be said; who is named may stand further down, or further up. */
const WORLD = {
  roles: [{ name: 'staff', description: 'who work here' }],
  clients: [
    {
      id: 'cli_desk',
      name: 'Desk',
      kind: 'app',
      description: 'A desk',
      clientUri: 'https://desk.example/',
      logoUri: 'https://desk.example/logo.svg',
      policyUri: 'https://desk.example/privacy',
      contact: 'help@desk.example',
      redirectUris: ['https://desk.example/cb'],
      auth: 'client_secret_basic',
      agent: 'agt_scribe',
      requirePar: true,
      requireSignedRequest: true,
      mayExchange: false,
    },
  ],
  agents: [
    {
      id: 'agt_scribe',
      name: 'Scribe',
      owner: 'Office',
      sponsor: 'Board',
      description: 'Writes',
      purpose: 'Tidies notes',
      vendor: 'Acme',
      model: 'quill-3',
      version: '1.2',
      logoUri: 'https://acme.example/quill.svg',
      contact: 'https://acme.example/help',
      externalId: 'CMDB-7',
      tags: ['night', 'eu'],
      status: 'paused',
      statusReason: 'under review',
      clients: ['cli_desk'],
      redirectUris: ['https://scribe.example/cb'],
      requirePar: true,
      requireSignedRequest: true,
      mayExchange: false,
      takesWorkFrom: ['agt_lead'],
      jwks: { keys: [KEY] },
    },
    { id: 'agt_lead', name: 'Lead', owner: 'Office', takesWorkFrom: ['agt_scribe'] },
    { id: 'agt_next', name: 'Next', owner: 'Office', status: 'draft' },
    { id: 'agt_bad', name: 'Bad', owner: 'Office', status: 'blocked', statusReason: 'spoke' },
    { id: 'agt_past', name: 'Past', owner: 'Office', status: 'retired' },
  ],
  users: [
    {
      email: 'ana@example.com',
      name: 'Ana',
      password: 'correct horse battery staple',
      roles: ['staff'],
      status: 'disabled',
      statusReason: 'on leave',
    },
  ],
};
type World = typeof WORLD;

/** The file with some entry of a section changed. */
const changed = (section: keyof World, index: number, more: object): string =>
  stringify({
    ...WORLD,
    [section]: WORLD[section].map((entry, n) => (n === index ? { ...entry, ...more } : entry)),
  });
/** The file with fields of an entry left out. */
const without = (section: keyof World, index: number, ...fields: string[]): string =>
  stringify({
    ...WORLD,
    [section]: WORLD[section].map((entry, n) =>
      n === index
        ? Object.fromEntries(Object.entries(entry).filter(([name]) => !fields.includes(name)))
        : entry,
    ),
  });

describe.each(DATABASES)('principals of a world file on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, 'https://id.example');
  });
  afterAll(() => opened.close());

  const plan = async (text: string) => {
    const outcome = await services.planWorld(text);
    if ('problems' in outcome) return outcome.problems;
    return outcome.plan.filter(({ action }) => action !== 'unchanged');
  };

  it('are made as they are described, one plan item an entry, secrets only where they are of use', async () => {
    const applied = await services.applyWorld(stringify(WORLD), 'cli');
    if ('problems' in applied) throw new Error(JSON.stringify(applied.problems));
    expect(applied.plan.map(({ noun, id, action }) => `${action} ${noun} ${id}`)).toEqual([
      'create role staff',
      'create client cli_desk',
      ...['scribe', 'lead', 'next', 'bad', 'past'].map((name) => `create agent agt_${name}`),
      'create user ana@example.com',
    ]);
    expect(applied.secrets.map(({ principal }) => principal)).toEqual([
      'cli_desk',
      'agt_lead',
      'agt_next',
      'agt_bad',
    ]);
    const { agents, clients, users } = services.registry;
    const { jwks: _keys, ...scribe } = WORLD.agents[0] as Record<string, unknown>;
    expect(await agents.get('agt_scribe')).toMatchObject({
      ...scribe,
      tags: ['eu', 'night'],
      auth: 'private_key_jwt',
      statusBy: 'cli',
    });
    const statuses = (await agents.list({})).items.map(({ id, status }) => `${id} ${status}`);
    expect(statuses).toEqual([
      'agt_bad blocked',
      'agt_lead active',
      'agt_next draft',
      'agt_scribe paused',
    ]);
    expect((await agents.get('agt_past')).status).toBe('retired');
    const { agent, ...desk } = WORLD.clients[0] as Record<string, unknown>;
    expect(await clients.get('cli_desk')).toMatchObject({ ...desk, agentId: agent });
    const [ana] = (await users.list({ email: 'ana@example.com' })).items;
    expect(ana).toMatchObject({ status: 'disabled', statusReason: 'on leave', roles: ['staff'] });
  });

  it('have nothing to do the second time', async () => {
    const again = await services.applyWorld(stringify(WORLD), 'cli');
    expect(again).toMatchObject({ secrets: [] });
    expect(await plan(stringify(WORLD))).toEqual([]);
  });

  const item = (noun: string, id: string, ...changes: { field: string }[]) => [
    { noun, id, action: 'change', fields: changes.map(({ field }) => field), changes },
  ];
  const agent = (field: string, from: unknown, to: unknown) =>
    item('agent', 'agt_scribe', { field, from, to } as { field: string });
  const client = (field: string, from: unknown, to: unknown) =>
    item('client', 'cli_desk', { field, from, to } as { field: string });

  it.each([
    ['agents', 0, { name: 'Scriba' }, agent('name', 'Scribe', 'Scriba')],
    ['agents', 0, { owner: 'Guild' }, agent('owner', 'Office', 'Guild')],
    ['agents', 0, { sponsor: 'Owner' }, agent('sponsor', 'Board', 'Owner')],
    ['agents', 0, { model: 'quill-4' }, agent('model', 'quill-3', 'quill-4')],
    ['agents', 0, { tags: ['eu'] }, agent('tags', ['eu', 'night'], ['eu'])],
    ['agents', 0, { requirePar: false }, agent('requirePar', true, false)],
    ['agents', 0, { requireSignedRequest: undefined }, agent('requireSignedRequest', true, false)],
    ['agents', 0, { dpopBound: true }, agent('dpopBound', false, true)],
    ['agents', 0, { certificateBound: true }, agent('certificateBound', false, true)],
    ['agents', 0, { mayExchange: undefined }, agent('mayExchange', false, true)],
    ['agents', 0, { takesWorkFrom: [] }, agent('takesWorkFrom', ['agt_lead'], [])],
    [
      'agents',
      0,
      { status: 'blocked', statusReason: 'under review' },
      agent('status', 'paused', 'blocked'),
    ],
    ['agents', 0, { statusReason: 'still' }, agent('statusReason', 'under review', 'still')],
    ['clients', 0, { requirePar: false }, client('requirePar', true, false)],
    ['clients', 0, { dpopBound: true }, client('dpopBound', false, true)],
    ['clients', 0, { certificateBound: undefined }, []],
    ['clients', 0, { mayExchange: true }, client('mayExchange', false, true)],
    ['clients', 0, { mayExchange: undefined }, client('mayExchange', false, true)],
    [
      'clients',
      0,
      { policyUri: 'https://desk.example/p' },
      client('policyUri', 'https://desk.example/privacy', 'https://desk.example/p'),
    ],
    [
      'roles',
      0,
      { description: 'all' },
      item('role', 'staff', { field: 'description', from: 'who work here', to: 'all' } as never),
    ],
    [
      'users',
      0,
      { roles: [] },
      item('user', 'ana@example.com', { field: 'roles', from: ['staff'], to: [] } as never),
    ],
    [
      'users',
      0,
      { statusReason: 'gone' },
      item('user', 'ana@example.com', {
        field: 'statusReason',
        from: 'on leave',
        to: 'gone',
      } as never),
    ],
  ] as const)('%s[%i] with %j drift, and say from what to what', async (section, index, more, expected) => {
    expect(await plan(changed(section, index, more))).toEqual(expected);
  });

  it('take a field that is left out for its default, and status for nobody’s business', async () => {
    expect(await plan(without('agents', 0, 'vendor', 'jwks'))).toEqual([
      ...item(
        'agent',
        'agt_scribe',
        { field: 'vendor', from: 'Acme', to: null } as never,
        {
          field: 'auth',
          from: 'private_key_jwt',
          to: 'client_secret_basic',
        } as never,
      ),
    ]);
    expect(await plan(without('agents', 0, 'status', 'statusReason'))).toEqual([]);
    expect(await plan(without('clients', 0, 'agent'))).toEqual(client('agent', 'agt_scribe', null));
    expect(await plan(without('users', 0, 'password', 'status', 'statusReason'))).toEqual([]);
  });

  it('tell a new password and a new key, and never a secret', async () => {
    const next = 'a very different password';
    const password = await plan(changed('users', 0, { password: next }));
    expect(password).toEqual(item('user', 'ana@example.com', { field: 'password' }));
    const jwks = { keys: [{ ...publicKey(), kid: 'second' }] };
    const [keys] = (await plan(changed('agents', 0, { jwks }))) as unknown as [
      { changes: unknown },
    ];
    expect(keys.changes).toEqual([
      {
        field: 'jwks',
        from: [expect.stringMatching(/^[\w-]{43} first$/)],
        to: [expect.stringMatching(/^[\w-]{43} second$/)],
      },
    ]);
    expect(JSON.stringify([password, keys])).not.toMatch(/different|argon2/);
  });

  it.each([
    [
      'a step there is not',
      changed('agents', 1, { status: 'draft' }),
      'agents.1.status',
      'cannot become draft: agt_lead is active',
    ],
    [
      'a life after the last state',
      changed('agents', 4, { status: 'active' }),
      'agents.4.id',
      'agt_past is retired',
    ],
    [
      'a binding the agent does not accept',
      changed('clients', 0, { agent: 'agt_lead' }),
      'clients.0.agent',
      'does not accept this client: agt_lead must name cli_desk among its clients first',
    ],
    [
      'a bound client whose agent accepts it no more',
      changed('agents', 0, { clients: [] }),
      'clients.0.agent',
      'does not accept this client: agt_scribe must name cli_desk among its clients first',
    ],
    [
      'how an agent asks that asks for nobody',
      changed('agents', 1, { requirePar: true }),
      'agents.1.requirePar',
      'must be left out: without redirect URIs the agent signs nobody in',
    ],
    [
      'work from nobody',
      changed('agents', 1, { takesWorkFrom: ['agt_none'] }),
      'agents.1.takesWorkFrom.0',
      'names no agent: "agt_none"',
    ],
    [
      'work from a retired agent',
      changed('agents', 1, { takesWorkFrom: ['agt_past'] }),
      'agents.1.takesWorkFrom.0',
      'names no agent: "agt_past"',
    ],
    [
      'a public client that acts as an agent',
      changed('clients', 0, { auth: 'none', requireSignedRequest: false }),
      'clients.0.agent',
      'must not be set for a public client: anybody could act as the agent',
    ],
  ])('refuse %s, and change nothing', async (_what, text, field, message) => {
    const before = (await services.listEvents({ limit: 1 }))[0]?.id;
    const outcome = await services.applyWorld(text, 'cli');
    expect(outcome).toEqual({ problems: [{ line: expect.any(Number), field, message }] });
    expect((await services.listEvents({ limit: 1 }))[0]?.id).toBe(before);
  });

  it('go through the states as the file says, and resume', async () => {
    const resumed = changed('agents', 0, { status: 'active', statusReason: undefined });
    const applied = await services.applyWorld(resumed, 'cli');
    expect(applied).not.toHaveProperty('problems');
    expect(await plan(resumed)).toEqual([]);
    const [, event] = await services.listEvents({ limit: 2 });
    expect([event?.type, event?.by, event?.agentId]).toEqual([
      'agent.resumed',
      'cli',
      'agt_scribe',
    ]);
  });
});
