// World files (DESIGN §12): every file either settles or is refused, and planning one is in nobody's way.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdminServices } from '../../src/broker/admin/operation.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';

const ISSUER = 'http://localhost:4000';
const RESOURCE = 'https://files.example/mcp';
const GROUND = `
users: [{ email: ana@example.com, name: Ana }]
resources:
  - { identifier: '${RESOURCE}', name: Files, scopes: { 'files:read': { title: Read, risk: read } } }
`;

const publicKey = () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return pair.publicKey.export({ format: 'jwk' });
};
const keyed = (...keys: object[]) =>
  `agents: [{ id: agt_keyed, name: Keyed, owner: O, jwks: { keys: ${JSON.stringify(keys)} } }]\n`;

describe.each(DATABASES)('a world file on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, ISSUER);
    await services.applyWorld(GROUND, 'cli');
  });
  afterAll(() => opened.close());

  const agent = (action: string, ...fields: string[]) => ({
    plan: [
      {
        noun: 'agent',
        id: 'agt_keyed',
        action,
        fields,
        ...(fields.length === 0
          ? {}
          : {
              changes: fields.map((field) => ({
                field,
                from: [expect.any(String)],
                to: [expect.any(String)],
              })),
            }),
      },
    ],
    secrets: [],
  });

  it('renames a key without touching it: the same credential, one event, no fact', async () => {
    const key = publicKey();
    expect(await services.applyWorld(keyed({ ...key, kid: 'old' }), 'cli')).toEqual(
      agent('create'),
    );
    const [before] = await services.registry.agents.listCredentials('agt_keyed');
    const renamed = keyed({ ...key, kid: 'new' });
    expect(await services.applyWorld(renamed, 'cli')).toEqual(agent('change', 'jwks'));
    expect(await services.applyWorld(renamed, 'cli')).toEqual(agent('unchanged'));
    const after = await services.registry.agents.listCredentials('agt_keyed');
    expect(after).toEqual([{ ...before, kid: 'new' }]);
    const [applied, changed] = await services.listEvents({ limit: 2 });
    expect([applied?.type, changed?.type, changed?.detail]).toEqual([
      'world.applied',
      'registry.changed',
      { noun: 'agent', id: 'agt_keyed', fields: ['jwks'] },
    ]);
    expect(await opened.db.run('select key from revocations')).toEqual([]);
  });

  it('rotates under one name: the old key is removed and stopped, the new one takes its name', async () => {
    const [old] = await services.registry.agents.listCredentials('agt_keyed');
    const rotated = keyed({ ...publicKey(), kid: 'new' });
    expect(await services.applyWorld(rotated, 'cli')).toEqual(agent('change', 'jwks'));
    expect(await opened.db.run('select key, always from revocations')).toEqual([
      { key: old?.id, always: true },
    ]);
  });

  it.each([
    [
      'two keys under one name',
      keyed({ ...publicKey(), kid: 'k' }, { ...publicKey(), kid: 'k' }),
      { line: 1, field: 'agents.0.jwks.keys.1.kid' },
    ],
    [
      'one user in two spellings',
      'users:\n  - { email: ana@example.com, name: A }\n  - { email: ANA@example.com, name: B }\n',
      { line: 3, field: 'users.1.email' },
    ],
    [
      'one principal in two spellings',
      `permissions:
  - { principal: ana@example.com, resource: '${RESOURCE}', scopes: ['files:read'] }
  - { principal: Ana@example.com, resource: '${RESOURCE}', scopes: [] }\n`,
      { line: 3, field: 'permissions.1.principal' },
    ],
  ])('with %s is refused: it could never settle', async (_what, text, where) => {
    const outcome = await services.applyWorld(text, 'cli');
    expect(outcome).toEqual({ problems: [{ ...where, message: expect.any(String) }] });
    expect(await services.planWorld(text)).toEqual(outcome);
  });

  it('with one principal by id and by address is refused too', async () => {
    const [ana] = (await services.registry.users.list({ email: 'ana@example.com' })).items;
    const entry = (principal: string | undefined, scopes: string) =>
      `  - { principal: ${principal}, resource: '${RESOURCE}', scopes: ${scopes} }\n`;
    const text = `permissions:\n${entry('ana@example.com', "['files:read']")}${entry(ana?.id, '[]')}`;
    expect(await services.applyWorld(text, 'cli')).toEqual({
      problems: [
        {
          line: 3,
          field: 'permissions.1.principal',
          message: `is here twice: "${ana?.id} at ${RESOURCE}"`,
        },
      ],
    });
  });
});

it('P15: an agent is blocked, and tokens are issued, while a plan is being made', async () => {
  const opened = await openTestPostgres();
  try {
    const services = createAdminServices(opened.db, ISSUER);
    await services.applyWorld('agents: [{ id: agt_other, name: Other, owner: O }]', 'cli');
    // The plan stands still, holding whatever it holds, because somebody else holds a row it wants.
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let inserted = () => {};
    const hasInserted = new Promise<void>((resolve) => {
      inserted = resolve;
    });
    const holder = opened.db.transaction(async (tx) => {
      await tx.execute(
        "insert into agents (id, name, owner, auth) values ('agt_new', 'N', 'O', 'none')",
      );
      inserted();
      await held;
      throw new Error('let go');
    });
    await hasInserted;
    const plan = services.planWorld('agents: [{ id: agt_new, name: New, owner: O }]');
    await waitingOnLock(opened);
    await services.registry.agents.block('cli', 'agt_other', 'a stop does not wait');
    expect(await opened.db.run("select * from behalf_issue('[]'::jsonb)")).toEqual([]);
    letGo();
    await expect(holder).rejects.toThrow('let go');
    expect(await plan).toMatchObject({
      plan: [{ noun: 'agent', id: 'agt_new', action: 'create', fields: [] }],
    });
  } finally {
    await opened.close();
  }
});

it('a plan that meets an id somebody else has just taken is made again, and says so', async () => {
  const opened = await openTestPostgres();
  try {
    const services = createAdminServices(opened.db, ISSUER);
    let commit = () => {};
    const held = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let inserted = () => {};
    const hasInserted = new Promise<void>((resolve) => {
      inserted = resolve;
    });
    const other = opened.db.transaction(async (tx) => {
      await tx.execute(
        "insert into agents (id, name, owner, auth) values ('agt_new', 'Before', 'O', 'client_secret_basic')",
      );
      inserted();
      await held;
    });
    await hasInserted;
    const plan = services.planWorld('agents: [{ id: agt_new, name: New, owner: O }]');
    await waitingOnLock(opened);
    commit();
    await other;
    expect(await plan).toMatchObject({
      plan: [
        {
          noun: 'agent',
          id: 'agt_new',
          action: 'change',
          fields: ['name'],
          changes: [{ field: 'name', from: 'Before', to: 'New' }],
        },
      ],
    });
  } finally {
    await opened.close();
  }
});

/** Until some statement of this database waits for another transaction. */
async function waitingOnLock({ db }: OpenedDatabase): Promise<void> {
  await expect
    .poll(() =>
      db.run(
        "select 1 as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      ),
    )
    .toHaveLength(1);
}
