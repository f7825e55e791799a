// World files (DESIGN §12) on both databases: all or nothing, as often as one likes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdminServices } from '../../src/broker/admin/operation.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { ROOT } from '../support/repository.js';

const ISSUER = 'http://localhost:4000';
const EXAMPLE = readFileSync(join(ROOT, 'examples/world.yaml'), 'utf8');
const RESOURCE = 'http://127.0.0.1:4100/mcp';

const planOf = (action: string) =>
  [
    ['client', 'cli_files'],
    ['client', 'cli_desk'],
    ['agent', 'agt_scribe'],
    ['user', 'ana@example.com'],
    ['resource', RESOURCE],
    ['permission', `agt_scribe at ${RESOURCE}`],
  ].map(([noun, id]) => ({ noun, id, action, fields: [] }));

const NOTHING_ELSE = { unnamed: [], unnamedLeftOut: 0 };

const BROKEN: readonly [string, string, { line: number; field: string; message: unknown }][] = [
  [
    'an unknown field',
    'agents:\n  - id: agt_x\n    name: X\n    owner: O\n    colour: red\n',
    { line: 5, field: 'agents.0.colour', message: 'is not a known field' },
  ],
  [
    'a wrong type',
    'agents:\n  - id: agt_x\n    name: 7\n    owner: O\n',
    { line: 3, field: 'agents.0.name', message: expect.any(String) },
  ],
  [
    'a missing field, at the entry that lacks it',
    'agents:\n  - id: agt_x\n    name: X\n',
    { line: 2, field: 'agents.0.owner', message: expect.any(String) },
  ],
  [
    'a bad reference, after things that were good',
    'roles: [cooks]\nagents:\n  - id: agt_x\n    name: X\n    owner: O\n    clients: [cli_none]\n',
    { line: 6, field: 'agents.0.clients.0', message: 'names no client: "cli_none"' },
  ],
  [
    'a YAML syntax error',
    'agents:\n  - id: agt_x\n    name: [X\n',
    { line: 4, field: '', message: expect.any(String) },
  ],
  [
    'an id that is there twice',
    'agents:\n  - { id: agt_x, name: X, owner: O }\n  - { id: agt_x, name: Y, owner: O }\n',
    { line: 3, field: 'agents.1.id', message: 'is here twice: "agt_x"' },
  ],
  [
    'an alias bomb (P1)',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((name, n) => `${name}: &${name} [${`*${'abcdefg'[n]},`.repeat(9)}]`)
      .join('\n')}\n`,
    { line: 1, field: '', message: expect.stringMatching(/alias/) },
  ],
  [
    'a reserved name (P11)',
    'resources:\n  - identifier: https://x.example/\n    name: X\n    scopes:\n      __proto__: { title: X, risk: read }\n',
    { line: 5, field: '__proto__', message: 'is a reserved name' },
  ],
];

describe.each(DATABASES)('a world file on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, ISSUER);
  });
  afterAll(() => opened.close());

  /** Everything there is: rows, events, facts and the epoch. */
  const everything = async () => {
    const tables = ['agents', 'clients', 'users', 'roles', 'resources', 'permissions'];
    const more = ['credentials', 'audit_events', 'revocations', 'policy_epoch'];
    const dump: Record<string, string[]> = {};
    for (const table of [...tables, ...more]) {
      const rows = await opened.db.run<object>(`select * from ${table}`);
      dump[table] = rows.map((row) => JSON.stringify(row)).sort();
    }
    return dump;
  };
  const apply = (text: string) => services.applyWorld(text, 'cli');

  it.each(
    BROKEN,
  )('with %s changes nothing and names line and field', async (_what, text, problem) => {
    const before = await everything();
    const outcome = (await apply(text)) as { problems: object[] };
    expect(outcome.problems).toContainEqual(problem);
    expect(await services.planWorld(text)).toEqual(outcome);
    expect(await everything()).toEqual(before);
  });

  it('is planned without a change, applied as planned, and then finds nothing to do', async () => {
    const before = await everything();
    expect(await services.planWorld(EXAMPLE)).toEqual({ plan: planOf('create'), ...NOTHING_ELSE });
    expect(await everything()).toEqual(before);
    const secret = expect.stringMatching(/^[\w-]{43}$/);
    const credential = expect.stringMatching(/^crd_/);
    const first = await apply(EXAMPLE);
    expect(first).toEqual({
      plan: planOf('create'),
      secrets: ['cli_files', 'cli_desk', 'agt_scribe'].map((principal) => ({
        principal,
        credential,
        secret,
      })),
    });
    const after = await everything();
    const shown = 'secrets' in first ? first.secrets : [];
    for (const one of shown) expect(JSON.stringify(after)).not.toContain(one.secret);
    expect(await apply(EXAMPLE)).toEqual({ plan: planOf('unchanged'), secrets: [] });
    expect(await everything()).toEqual(after);
    const types = (await services.listEvents({})).map(({ type, by }) => `${type} ${by}`);
    expect(types).toEqual(['world.applied cli', ...Array(6).fill('registry.created cli')]);
  });

  it('that names fewer scopes takes the others away, and says so in the audit', async () => {
    const read = EXAMPLE.replace('scopes: [files:write]', 'scopes: [files:read]');
    const plan = planOf('unchanged').map((item) =>
      item.noun === 'permission'
        ? {
            ...item,
            action: 'change',
            fields: ['scopes'],
            changes: [{ field: 'scopes', from: ['files:write'], to: ['files:read'] }],
          }
        : item,
    );
    const epoch = async () =>
      (await opened.db.run<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch;
    const before = await epoch();
    expect(await services.planWorld(read)).toEqual({ plan, ...NOTHING_ELSE });
    expect(await apply(read)).toEqual({ plan, secrets: [] });
    expect(Number(await epoch())).toBeGreaterThan(Number(before));
    expect((await services.registry.permissions.get('agt_scribe', RESOURCE)).scopes).toEqual([
      'files:read',
    ]);
    const [applied, changed] = await services.listEvents({ limit: 2 });
    expect(applied).toMatchObject({ type: 'world.applied', detail: { created: 0, changed: 1 } });
    expect(changed?.detail).toEqual({
      noun: 'permission',
      id: `agt_scribe at ${RESOURCE}`,
      principal: 'agt_scribe',
      added: ['files:read'],
      removed: ['files:write'],
    });
  });
});

describe.each(DATABASES)('what a world file does not name, on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, ISSUER);
    await services.applyWorld(EXAMPLE, 'cli');
    const more = [
      'roles: [night]',
      "permissions: [{ principal: ana@example.com, resource: 'http://localhost:4000/admin', scopes: ['admin:read'] }]",
      'agents: [{ id: agt_gone, name: Gone, owner: O, status: retired }, { id: agt_draft, name: D, owner: O, status: draft }]',
    ].join('\n');
    await services.applyWorld(more, 'cli');
    await services.registry.clients.create('cli', { id: 'cli_old', kind: 'service', name: 'Old' });
    const old = { principal: 'cli_old', resource: RESOURCE, scopes: ['files:read'] };
    await services.registry.permissions.set('cli', old);
    await services.registry.clients.retire('cli', 'cli_old');
  });
  afterAll(() => opened.close());

  const unnamed = async (text: string) => {
    const outcome = await services.planWorld(text);
    if ('problems' in outcome) throw new Error(JSON.stringify(outcome.problems));
    expect(outcome.unnamedLeftOut).toBe(0);
    return outcome.unnamed.map(({ noun, id }) => `${noun} ${id}`);
  };
  const added = ['role night', 'agent agt_draft', `permission ana@example.com at ${ISSUER}/admin`];

  it('is told by a plan: nobody who retired, nothing that is built in', async () => {
    // Nor a client that came by itself: it belongs in no file.
    await opened.db.run(
      "insert into clients (id, name, origin, kind, auth) values ('cli_guest', 'Guest', 'registration', 'app', 'none')",
    );
    expect(await unnamed(EXAMPLE)).toEqual(added);
    expect(await unnamed('')).toEqual([
      'role night',
      'client cli_desk',
      'client cli_files',
      'agent agt_draft',
      'agent agt_scribe',
      'user ana@example.com',
      `resource ${RESOURCE}`,
      `permission agt_scribe at ${RESOURCE}`,
      `permission ana@example.com at ${ISSUER}/admin`,
    ]);
  });

  it('is named by an address in another spelling, and by an id', async () => {
    const [ana] = (await services.registry.users.list({ email: 'ana@example.com' })).items;
    const named = `roles: [night]
agents: [{ id: agt_draft, name: D, owner: O }]
permissions: [{ principal: ${ana?.id}, resource: '${ISSUER}/admin', scopes: ['admin:read'] }]
users: [{ email: ANA@example.com, name: Ana }]`;
    expect(await unnamed(named)).toEqual([
      'client cli_desk',
      'client cli_files',
      'agent agt_scribe',
      `resource ${RESOURCE}`,
      `permission agt_scribe at ${RESOURCE}`,
    ]);
  });

  it('is left alone by an application, which says nothing of it', async () => {
    const applied = await services.applyWorld('', 'cli');
    expect(applied).toEqual({ plan: [], secrets: [] });
    expect(await unnamed(EXAMPLE)).toEqual(added);
  });

  it('is counted beyond a thousand of a noun', async () => {
    await opened.db.run(
      "insert into roles (name) select 'r' || to_char(n, 'FM0000') from generate_series(1, 1004) n",
    );
    const outcome = await services.planWorld(EXAMPLE);
    if ('problems' in outcome) throw new Error('broken');
    expect([outcome.unnamed.length, outcome.unnamedLeftOut]).toEqual([1002, 5]);
  });
});

it('two applies at once on PostgreSQL make one world, and one of them its secrets', async () => {
  const opened = await openTestPostgres();
  try {
    const services = createAdminServices(opened.db, ISSUER);
    const outcomes = await Promise.all([1, 2].map(() => services.applyWorld(EXAMPLE, 'cli')));
    const secrets = outcomes.map((outcome) => ('secrets' in outcome ? outcome.secrets.length : -1));
    expect(secrets.sort()).toEqual([0, 3]);
    const events = await opened.db.run<{ n: number }>(
      "select count(*)::int as n from audit_events where type = 'registry.created'",
    );
    expect(events).toEqual([{ n: 6 }]);
  } finally {
    await opened.close();
  }
});
