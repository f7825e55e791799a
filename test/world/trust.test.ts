// Trusted issuers of a world file, and whom they mean: in whatever order, idempotent, drift told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { AdminServices } from '../../src/broker/admin/operation.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';
import { createIdp, IDP } from '../support/idp.js';

const FILES = 'https://files.example/mcp';
const idp = createIdp(IDP);
const WORLD = {
  trustedIssuers: [
    {
      issuer: IDP,
      name: 'Example Corp',
      purposes: ['workload', 'id_jag'],
      jwks: idp.jwks,
      rules: {
        idJag: {
          resources: [{ resource: FILES, scopes: ['files:delete'] }],
          clients: ['cli_desk'],
          subject: 'email',
          emailDomains: ['example.com'],
          maxAgeSeconds: 120,
        },
      },
    },
    {
      issuer: 'https://cluster.example',
      name: 'Cluster',
      purposes: ['workload'],
      jwksUri: 'https://cluster.example/jwks',
    },
  ],
  users: [
    {
      email: 'ana@example.com',
      name: 'Ana',
      identities: [
        { issuer: IDP, subject: 'ana' },
        { issuer: IDP, subject: 'ana2' },
      ],
    },
    {
      email: 'ben@example.com',
      name: 'Ben',
      identities: [] as { issuer: string; subject: string }[],
    },
  ],
  clients: [
    {
      id: 'cli_desk',
      kind: 'app',
      name: 'Desk',
      redirectUris: ['https://desk.example/cb'],
      auth: 'client_secret_basic',
    },
  ],
  resources: [
    {
      identifier: FILES,
      name: 'Files',
      scopes: { 'files:delete': { title: 'Delete', risk: 'destructive' } },
    },
  ],
};
type World = typeof WORLD;
const changed = (change: (world: World) => void): World => {
  const world = structuredClone(WORLD);
  change(world);
  return world;
};

const RULE = { issuer: 'https://cluster.example', subject: 'system:serviceaccount:prod:helper' };

describe.each(DATABASES)('on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, 'https://broker.example');
  });
  afterAll(() => opened.close());

  const apply = (world: object) => services.applyWorld(stringify(world), 'cli');
  const planOf = async (world: object) => {
    const outcome = await apply(world);
    if ('problems' in outcome)
      return outcome.problems.map(({ field, message }) => [field, message]);
    return outcome.plan.filter(({ action }) => action !== 'unchanged');
  };

  it('all of it is created at once, whatever stands first in the file', async () => {
    const plan = await planOf(WORLD);
    expect(plan.map((one) => ('noun' in one ? [one.noun, one.id, one.action] : one))).toEqual([
      ['client', 'cli_desk', 'create'],
      ['user', 'ana@example.com', 'create'],
      ['user', 'ben@example.com', 'create'],
      ['resource', FILES, 'create'],
      ['trusted issuer', IDP, 'create'],
      ['trusted issuer', 'https://cluster.example', 'create'],
    ]);
    const { items } = await services.registry.trust.list();
    expect(items.map(({ issuer, purposes, rules }) => ({ issuer, purposes, rules }))).toEqual([
      { issuer: 'https://cluster.example', purposes: ['workload'], rules: {} },
      { issuer: IDP, purposes: ['id_jag', 'workload'], rules: WORLD.trustedIssuers[0]?.rules },
    ]);
  });

  it('the same again changes nothing, and what the file does not name is told', async () => {
    expect(await planOf(WORLD)).toEqual([]);
    const planned = await services.planWorld(
      stringify({ trustedIssuers: [WORLD.trustedIssuers[0]] }),
    );
    expect('unnamed' in planned && planned.unnamed).toContainEqual({
      noun: 'trusted issuer',
      id: 'https://cluster.example',
    });
  });

  it('a file without identities leaves them alone; with others, it makes them those', async () => {
    expect(
      await planOf(
        changed(({ users }) => delete (users[0] as { identities?: unknown }).identities),
      ),
    ).toEqual([]);
    const plan = await planOf(
      changed(({ users }) => {
        users[0]?.identities?.pop();
        (users[1] as World['users'][0]).identities = [{ issuer: IDP, subject: 'ana2' }];
      }),
    );
    expect(plan).toEqual([
      {
        noun: 'user',
        id: 'ana@example.com',
        action: 'change',
        fields: ['identities'],
        changes: [{ field: 'identities', from: [`${IDP} ana`, `${IDP} ana2`], to: [`${IDP} ana`] }],
      },
      {
        noun: 'user',
        id: 'ben@example.com',
        action: 'change',
        fields: ['identities'],
        changes: [{ field: 'identities', from: [], to: [`${IDP} ana2`] }],
      },
    ]);
  });

  it('drift of an issuer is told field by field', async () => {
    const plan = await planOf(
      changed(({ trustedIssuers: [first] }) => {
        if (first !== undefined) first.name = 'Example Corporation';
      }),
    );
    expect(plan).toContainEqual({
      noun: 'trusted issuer',
      id: IDP,
      action: 'change',
      fields: ['name'],
      changes: [{ field: 'name', from: 'Example Corp', to: 'Example Corporation' }],
    });
  });

  it.each<[string, (world: World) => void, unknown[]]>([
    [
      'an issuer named twice',
      ({ trustedIssuers }) =>
        trustedIssuers.push(structuredClone(WORLD.trustedIssuers[1]) as never),
      [['trustedIssuers.2.issuer', 'is here twice: "https://cluster.example"']],
    ],
    [
      'rules for a client there is not',
      ({ trustedIssuers: [first] }) => first?.rules?.idJag.clients.push('cli_nobody'),
      [['trustedIssuers.0.rules.idJag.clients.1', 'names no client: "cli_nobody"']],
    ],
    [
      'an identity of an issuer nobody trusts',
      ({ users }) => users[0]?.identities?.push({ issuer: 'https://evil.example', subject: 'x' }),
      [['users.0.identities.2.issuer', 'names no trusted issuer: "https://evil.example"']],
    ],
    [
      'one subject of two users',
      ({ users }) =>
        ((users[1] as World['users'][0]).identities = [{ issuer: IDP, subject: 'ana' }]),
      [['users.1.identities.0.subject', 'means another user: remove that identity first']],
    ],
  ])('%s changes nothing, and says where', async (_what, change, problems) => {
    expect(await planOf(WORLD)).toEqual(expect.any(Array));
    expect(await planOf(changed(change))).toEqual(problems);
    expect(await planOf(WORLD)).toEqual([]);
  });

  it('workloads of agents and services become those of the file, and may move from one to the other', async () => {
    const withWorkloads = (agent: object[] | undefined, service: object[]) => ({
      ...WORLD,
      clients: [
        ...WORLD.clients,
        { id: 'cli_job', kind: 'service', name: 'Job', workloads: service },
      ],
      agents: [
        {
          id: 'agt_pod',
          name: 'Pod',
          owner: 'Ops',
          ...(agent === undefined ? {} : { workloads: agent }),
        },
      ],
    });
    expect(await planOf(withWorkloads([RULE], []))).toMatchObject([
      { id: 'cli_job', action: 'create' },
      { id: 'agt_pod', action: 'create' },
    ]);
    const rulesOf = async () =>
      Promise.all(
        ['agt_pod', 'cli_job'].map(async (id) =>
          (await services.registry.credentials.list(opened.db.orm, id)).flatMap(
            ({ rule }) => rule ?? [],
          ),
        ),
      );
    expect(await rulesOf()).toEqual([[RULE], []]);
    expect(await planOf(withWorkloads([RULE], []))).toEqual([]);
    expect(await planOf(withWorkloads(undefined, []))).toEqual([]);
    expect(await planOf(withWorkloads([], [RULE]))).toMatchObject([
      { id: 'cli_job', changes: [{ field: 'workloads', from: [], to: [RULE] }] },
      { id: 'agt_pod', changes: [{ field: 'workloads', from: [RULE], to: [] }] },
    ]);
    expect(await rulesOf()).toEqual([[], [RULE]]);
    const foreign = { ...RULE, issuer: 'https://evil.example' };
    expect(await planOf(withWorkloads([foreign], [RULE]))).toEqual([
      [
        'agents.0.workloads.0.issuer',
        'names no issuer that is trusted for workloads: "https://evil.example"',
      ],
    ]);
  });
});
