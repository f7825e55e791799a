// Downstream edges (DESIGN §8c): both ends exist, nothing gets wider on the way, and nobody pulls the
// ground from under somebody else's edge. Through the operations themselves, on both databases.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AdminServices, runOperation } from '../../src/broker/admin/operation.js';
import { ADMIN_OPERATIONS } from '../../src/broker/admin/operations.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { isRefusal } from '../../src/broker/registry/refusal.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

const MAIL = 'https://mail.example/mcp';
const FILES = 'https://files.example/mcp';

const scope = (risk: string, more: object = {}) => ({ title: risk, risk, ...more });
const MAIL_SCOPES = {
  'mail:read': scope('read'),
  'mail:send': scope('write'),
  'mail:purge': scope('destructive'),
  'audit:see': scope('read', { restricted: true }),
};
const FILE_SCOPES = {
  'files:list': scope('read'),
  'files:read': scope('read', { implies: ['files:list'] }),
  'files:write': scope('write', { implies: ['files:read'] }),
  'files:sweep': scope('read', { implies: ['files:delete'] }),
  'files:delete': scope('destructive'),
  'quota:see': scope('read', { restricted: true }),
};

describe.each(DATABASES)('downstream edges on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    services = createAdminServices(opened.db, 'https://id.example');
  });
  afterAll(() => opened.close());
  beforeEach(async () => {
    await opened.db.run('delete from resources');
    await run('post /resources', {}, { identifier: FILES, name: 'Files', scopes: FILE_SCOPES });
    await run('post /resources', {}, { identifier: MAIL, name: 'Mail', scopes: MAIL_SCOPES });
  });

  async function run(operation: string, params: Record<string, string>, body: object = {}) {
    const found = ADMIN_OPERATIONS.find(({ method, path }) => `${method} ${path}` === operation);
    if (found === undefined) throw new Error(`no operation ${operation}`);
    const call = { services, by: 'admin', holds: () => true, params, query: {}, body };
    try {
      return await runOperation(found, call);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const told = error.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
      return [error.refusal, ...told];
    }
  }
  const change = (identifier: string, body: object) =>
    run('patch /resources/:identifier', { identifier }, body);
  const edge = (scopes: object, resource = FILES) => ({ downstream: [{ resource, scopes }] });

  it('keeps what both ends have, with the scopes it becomes in order', async () => {
    const given = { 'mail:send': ['files:write', 'files:list'], 'mail:read': ['files:read'] };
    expect(await change(MAIL, edge(given))).toMatchObject({
      downstream: [
        {
          resource: FILES,
          scopes: { 'mail:send': ['files:list', 'files:write'], 'mail:read': ['files:read'] },
        },
      ],
    });
    expect(await change(MAIL, { downstream: [] })).toMatchObject({ downstream: [] });
  });

  const none = 'https://none.example/mcp';
  it.each<[string, object, string]>([
    [
      'an end that does not exist',
      edge({ 'mail:read': ['files:read'] }, none),
      `downstream.0.resource: names no resource: "${none}"`,
    ],
    [
      'an edge to itself',
      edge({ 'mail:read': ['mail:read'] }, MAIL),
      'downstream.0.resource: must not be the resource itself',
    ],
    [
      'administration of this server',
      edge({ 'mail:purge': ['admin:security'] }, 'https://id.example/admin'),
      'downstream.0.resource: names no resource: "https://id.example/admin"',
    ],
    [
      'a scope that is not here',
      edge({ 'mail:write': ['files:read'] }),
      `downstream.0.scopes.mail:write: names no scope of ${MAIL}: "mail:write"`,
    ],
    [
      'a scope that is not there',
      edge({ 'mail:read': ['mail:read'] }),
      `downstream.0.scopes.mail:read: names no scope of ${FILES}: "mail:read"`,
    ],
    [
      'what is more dangerous there',
      edge({ 'mail:read': ['files:list', 'files:write'] }),
      `downstream.0.scopes.mail:read: "files:write" is write at ${FILES}, and "mail:read" only read here`,
    ],
    [
      'what is more dangerous there with all that comes along',
      edge({ 'mail:send': ['files:sweep'] }),
      `downstream.0.scopes.mail:send: "files:sweep" is destructive at ${FILES}, and "mail:send" only write here`,
    ],
    [
      'what is restricted there and open here',
      edge({ 'mail:purge': ['quota:see'] }),
      `downstream.0.scopes.mail:purge: "quota:see" is restricted at ${FILES}, so "mail:purge" must be too`,
    ],
  ])('refuses %s', async (_what, body, message) => {
    expect(await change(MAIL, body)).toEqual(['invalid', message]);
    expect(await run('get /resources/:identifier', { identifier: MAIL })).toMatchObject({
      downstream: [],
    });
  });

  it('accepts their nearest neighbours: as dangerous, and restricted at both ends', async () => {
    const given = {
      'mail:send': ['files:write'],
      'mail:purge': ['files:sweep'],
      'audit:see': ['quota:see'],
    };
    expect(await change(MAIL, edge(given))).toMatchObject({ identifier: MAIL });
  });

  it('refuses the same place twice, an empty map, and a scope that becomes nothing', async () => {
    const one = { resource: FILES, scopes: { 'mail:read': ['files:read'] } };
    expect(await change(MAIL, { downstream: [one, one] })).toEqual([
      'invalid',
      `downstream.1.resource: is here twice: "${FILES}"`,
    ]);
    expect(await change(MAIL, edge({}))).toEqual([
      'invalid',
      'downstream.0.scopes: must map at least one scope',
    ]);
    const [kind, told] = (await change(MAIL, edge({ 'mail:read': [] }))) as string[];
    expect([kind, told?.split(':', 3).slice(0, 2).join(':')]).toEqual([
      'invalid',
      'downstream.0.scopes.mail:read',
    ]);
  });

  describe('what an edge stands on', () => {
    beforeEach(async () => {
      await change(MAIL, edge({ 'mail:read': ['files:read'], 'mail:send': ['files:write'] }));
    });
    const without = (scopes: object, name: string) =>
      Object.fromEntries(Object.entries(scopes).filter(([one]) => one !== name));
    const inTheWay = (name: string, from: string) =>
      `scopes.${name}: no longer fits the edge from ${MAIL} ("${from}" → "${name}"): change that first`;

    it('is not removed under it, at neither end', async () => {
      expect(await change(FILES, { scopes: without(FILE_SCOPES, 'files:write') })).toEqual([
        'invalid',
        inTheWay('files:write', 'mail:send'),
      ]);
      expect(await change(MAIL, { scopes: without(MAIL_SCOPES, 'mail:send') })).toEqual([
        'invalid',
        `downstream.0.scopes.mail:send: names no scope of ${MAIL}: "mail:send"`,
      ]);
      // What it does not name may go.
      expect(await change(FILES, { scopes: without(FILE_SCOPES, 'quota:see') })).toMatchObject({
        identifier: FILES,
      });
    });

    it('does not become more dangerous or restricted under it', async () => {
      const riskier = { ...FILE_SCOPES, 'files:read': scope('write') };
      expect(await change(FILES, { scopes: riskier })).toEqual([
        'invalid',
        inTheWay('files:read', 'mail:read'),
      ]);
      const restricted = {
        ...FILE_SCOPES,
        'files:write': scope('write', { restricted: true }),
      };
      expect(await change(FILES, { scopes: restricted })).toEqual([
        'invalid',
        inTheWay('files:write', 'mail:send'),
      ]);
    });

    it('does not retire under it; the one that goes on may', async () => {
      expect(await run('delete /resources/:identifier', { identifier: FILES })).toEqual([
        'conflict',
        `identifier: is downstream of ${MAIL}: take that edge away first`,
      ]);
      for (const identifier of [MAIL, FILES]) {
        expect(await run('delete /resources/:identifier', { identifier })).toMatchObject({
          receipt: { access_tokens: 0, consents: 0 },
        });
      }
    });
  });

  it('a world file may name what stands further down, and two that change together', async () => {
    const text = (there: string, here: string, agreed: string) => `
resources:
  - identifier: https://a.example/mcp
    name: A
    description: goes on to B
    requireUser: true
    scopes: {${here}: {title: x, risk: read, reauthSeconds: 600}}
    downstream: [{resource: https://b.example/mcp, scopes: {${here}: [${agreed}]}}]
  - identifier: https://b.example/mcp
    name: B
    scopes: {${there}: {title: x, risk: read}}
`;
    const actions = (outcome: object) =>
      'plan' in outcome
        ? (outcome.plan as { action: string; fields: string[] }[]).map(({ action, fields }) =>
            `${action} ${fields.join(' ')}`.trim(),
          )
        : outcome;
    const first = text('b:old', 'a:old', 'b:old');
    expect(actions(await services.planWorld(first))).toEqual(['create', 'create']);
    expect(actions(await services.applyWorld(first, 'cli'))).toEqual(['create', 'create']);
    expect(actions(await services.applyWorld(first, 'cli'))).toEqual(['unchanged', 'unchanged']);
    // Somebody changes it by hand: the plan shows the drift, and apply takes it back.
    await change('https://a.example/mcp', { downstream: [], description: null });
    expect(actions(await services.planWorld(first))).toEqual([
      'change description downstream',
      'unchanged',
    ]);
    await services.applyWorld(first, 'cli');
    const second = text('b:new', 'a:new', 'b:new');
    expect(actions(await services.applyWorld(second, 'cli'))).toEqual([
      'change scopes downstream',
      'change scopes',
    ]);
    expect(actions(await services.applyWorld(text('b:third', 'a:new', 'b:new'), 'cli'))).toEqual({
      problems: [
        {
          line: 8,
          field: 'resources.0.downstream.0.scopes.a:new',
          message: 'names no scope of https://b.example/mcp: "b:new"',
        },
        {
          line: 11,
          field: 'resources.1.scopes.b:new',
          message:
            'no longer fits the edge from https://a.example/mcp ("a:new" → "b:new"): change that first',
        },
      ],
    });
    expect(actions(await services.planWorld(second))).toEqual(['unchanged', 'unchanged']);
  });
});
