// What a narrower registry takes from tokens that are out (the law, DESIGN §1, §6): exactly those
// that carry what is allowed no more, on both databases. Tokens are rows the gate recorded.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AdminServices } from '../../src/broker/admin/operation.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { createGate } from '../../src/broker/tokens/gate.js';
import { tokenIdPrefixes } from '../../src/protocol/token-id.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';
import {
  AGENT,
  ANA,
  BEN,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
  SERVICE,
  seedWorld,
} from '../support/world.js';

interface Token {
  readonly jti: string;
  readonly sub?: string;
  readonly agentId?: string;
  readonly clientId?: string;
  readonly resource?: string;
  readonly scope?: string;
  readonly parent?: string;
  readonly exchange?: string;
  readonly ttlSeconds?: number;
}

describe.each(DATABASES)('a narrower registry on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let services: AdminServices;
  beforeAll(async () => {
    opened = await open();
    await seedWorld(opened.db);
    services = createAdminServices(opened.db, 'https://id.example');
    const { registry } = services;
    await registry.agents.patch('admin', AGENT, { takesWorkFrom: [OTHER_AGENT] });
    await registry.roles.create('admin', { name: 'quota' });
    const permission = (principal: string, ...scopes: string[]) =>
      registry.permissions.set('admin', { principal, resource: FILES, scopes });
    await permission('role:quota', 'admin:quota');
    await permission(AGENT, 'files:write', 'files:delete');
    for (const { id } of [ANA, BEN]) await registry.users.patch('admin', id, { roles: ['quota'] });
    await registry.clients.patch('admin', HOST, { agentId: AGENT });
  });
  afterAll(() => opened.close());
  beforeEach(() => opened.db.run('delete from revocations').then(() => undefined));

  async function issue(tokens: readonly Token[]): Promise<void> {
    const gate = createGate(opened.db);
    const [row] = await opened.db.run<{ epoch: string }>('select epoch from policy_epoch');
    for (const { scope = 'files:read', parent, exchange, ttlSeconds = 300, ...token } of tokens) {
      const outcome = await gate.issue({
        epoch: Number(row?.epoch),
        checks: [],
        sub: ANA.id,
        clientId: HOST,
        agentId: AGENT,
        resource: FILES,
        ttlSeconds,
        ...token,
        detail: {
          scope,
          ...(parent === undefined ? {} : { parent }),
          ...(exchange === undefined ? {} : { exchange }),
        },
      });
      expect(outcome.outcome).toBe('issued');
    }
  }
  /** Which of these are stopped now, by a fact about any prefix of their id. */
  async function dead(tokens: readonly Token[]): Promise<string[]> {
    const facts = await opened.db.run<{ key: string }>('select key from revocations');
    const keys = new Set(facts.map(({ key }) => key));
    return tokens
      .map(({ jti }) => jti)
      .filter((jti) => tokenIdPrefixes(jti).some((p) => keys.has(p)));
  }
  let run = 0;
  const named = (tokens: readonly Token[]): Token[] => {
    run += 1;
    return tokens.map((token) => ({ ...token, jti: `cns_${run}.gnt.${token.jti}` }));
  };
  const short = (ids: readonly string[]) => ids.map((id) => id.split('.').slice(2).join('.'));

  async function stopped(given: readonly Token[], change: () => Promise<unknown>) {
    const tokens = named(given);
    await issue(tokens);
    await change();
    return short(await dead(tokens));
  }

  it('a client that may front no more: its tokens with this agent, and what came of them', async () => {
    const tokens = [
      { jti: 'with' },
      { jti: 'with.child', agentId: OTHER_AGENT, clientId: OTHER_AGENT },
      { jti: 'another-agent', agentId: OTHER_AGENT },
      { jti: 'another-client', clientId: 'cli_desktop' },
      { jti: 'alone', clientId: AGENT, sub: AGENT },
    ];
    const { agents } = services.registry;
    const { clients } = await agents.get(AGENT);
    const without = clients.filter((id) => id !== HOST);
    expect(await stopped(tokens, () => agents.patch('admin', AGENT, { clients: without }))).toEqual(
      ['with', 'with.child'],
    );
    // Naming it again, or anybody new, stops nothing.
    expect(await stopped(tokens, () => agents.patch('admin', AGENT, { clients }))).toEqual([]);
  });

  it('a client that is bound no more: its tokens with the agent it was bound to', async () => {
    const { clients } = services.registry;
    const tokens = [{ jti: 'bound' }, { jti: 'another-client', clientId: 'cli_desktop' }];
    const unbind = () => clients.patch('admin', HOST, { agentId: null });
    expect(await stopped(tokens, unbind)).toEqual(['bound']);
  });

  it('whoever may exchange no more: what it got so, and what others made of that', async () => {
    const tokens = (id: string): Token[] => [
      { jti: 'from-a-code', clientId: id },
      { jti: 'from-a-code.taken', clientId: id, agentId: OTHER_AGENT, exchange: 'take' },
      { jti: 'from-a-code.taken.on', clientId: FILES_CLIENT, exchange: 'go_on' },
      { jti: 'another.taken', clientId: 'cli_desktop', exchange: 'take' },
    ];
    const { agents, clients } = services.registry;
    for (const [id, noun] of [
      [HOST, clients],
      [AGENT, agents],
    ] as const) {
      const may = (mayExchange: boolean) => () => noun.patch('admin', id, { mayExchange });
      expect(await stopped(tokens(id), may(false))).toEqual([
        'from-a-code.taken',
        'from-a-code.taken.on',
      ]);
      expect(await stopped(tokens(id), may(false))).toEqual([]);
      expect(await stopped(tokens(id), may(true))).toEqual([]);
    }
  });

  it('an agent whose work is taken no more: what was taken from it, and nothing it did itself', async () => {
    const handedOn = named([{ jti: 'parent', agentId: OTHER_AGENT }, { jti: 'own-parent' }]);
    const [parent, own] = handedOn as [Token, Token];
    const taken = [
      ...handedOn,
      { jti: `${parent.jti}.taken`, clientId: AGENT, parent: parent.jti },
      { jti: `${own.jti}.continued`, clientId: AGENT, parent: own.jti },
    ];
    await issue(taken);
    await services.registry.agents.patch('admin', AGENT, { takesWorkFrom: [] });
    expect(short(await dead(taken))).toEqual(['parent.taken']);
  });

  it('an agent’s permission that shrinks: tokens that carry what was lost, implied scopes too', async () => {
    const { permissions } = services.registry;
    const tokens = [
      { jti: 'writes', scope: 'files:list files:read files:write' },
      { jti: 'reads', scope: 'files:list files:read' },
      { jti: 'deletes', scope: 'files:delete' },
      { jti: 'elsewhere', scope: 'files:write', resource: NOTES },
      { jti: 'another-agent', scope: 'files:write', agentId: OTHER_AGENT },
    ];
    const allow = (...scopes: string[]) =>
      permissions.set('admin', { principal: AGENT, resource: FILES, scopes });
    expect(await stopped(tokens, () => allow('files:read', 'files:delete'))).toEqual(['writes']);
    expect(await stopped(tokens, () => allow('files:delete', 'files:write'))).toEqual([]);
    expect(await stopped(tokens, () => allow('files:delete'))).toEqual(['writes', 'reads']);
    expect(await stopped(tokens, () => permissions.remove('admin', AGENT, FILES))).toEqual([
      'deletes',
    ]);
  });

  it('a service’s permission that is removed: its own tokens, and no other service’s', async () => {
    const alone = { sub: SERVICE, clientId: SERVICE, resource: NOTES, scope: 'notes:read' };
    const tokens = [
      { ...alone, jti: 'own' },
      { ...alone, jti: 'another', clientId: 'cli_files', sub: 'cli_files' },
    ];
    const remove = () => services.registry.permissions.remove('admin', SERVICE, NOTES);
    expect(await stopped(tokens, remove)).toEqual(['own']);
  });

  it('a role taken from a user: what only that role allowed, for that user', async () => {
    const tokens = [
      { jti: 'quota', scope: 'admin:quota files:read' },
      { jti: 'open', scope: 'files:read' },
      { jti: 'bens', scope: 'admin:quota', sub: BEN.id },
    ];
    const { users } = services.registry;
    expect(await stopped(tokens, () => users.patch('admin', ANA.id, { roles: [] }))).toEqual([
      'quota',
    ]);
  });

  it('a permission taken from a role: for every user who has it', async () => {
    const tokens = [
      { jti: 'anas', scope: 'admin:quota' },
      { jti: 'bens', scope: 'admin:quota', sub: BEN.id },
      { jti: 'bens-open', scope: 'files:read', sub: BEN.id },
    ];
    const remove = () => services.registry.permissions.remove('admin', 'role:quota', FILES);
    // Ana's was taken before.
    expect(await stopped(tokens, remove)).toEqual(['bens']);
  });

  it('more than a few hundred are stopped by what they hang on, and what is over is left alone', async () => {
    const { agents } = services.registry;
    const many = Array.from({ length: 501 }, (_, n) => ({
      jti: `cns_many.gnt.t${n}`,
      clientId: 'cli_desktop',
    }));
    await issue([...many, { jti: 'cns_over.gnt.t', clientId: 'cli_desktop', ttlSeconds: 0 }]);
    await opened.db.run(
      `update audit_events set at = at - interval '2 hours' where jti = 'cns_over.gnt.t'`,
    );
    await agents.patch('admin', AGENT, { clients: [HOST] });
    const facts = await opened.db.run('select key, always from revocations');
    expect(facts).toContainEqual({ key: 'cns_many', always: false });
    expect(facts.length).toBeLessThan(20);
    expect(JSON.stringify(facts)).not.toContain('cns_over');
  });

  describe('a resource that takes back', () => {
    const scope = (risk: 'read' | 'write', more: object = {}) => ({
      title: risk,
      risk,
      restricted: false,
      implies: [],
      base: false,
      ...more,
    });
    const SCOPES = { 'place:see': scope('read'), 'place:set': scope('write') };
    let place = '';
    beforeEach(async () => {
      place = `https://place${run}.example/mcp`;
      const input = { identifier: place, name: 'Place', scopes: SCOPES };
      await services.registry.resources.create('admin', input);
    });
    const patch = (change: object) => () =>
      services.registry.resources.patch('admin', place, change);
    const at = (jti: string, more: Partial<Token> = {}): Token => ({
      jti,
      resource: place,
      scope: 'place:see place:set',
      ...more,
    });

    it('a scope, by closing it or keeping it for a few: tokens that carry it', async () => {
      const tokens = [
        at('both'),
        at('other', { scope: 'place:see' }),
        at('else', { resource: FILES }),
      ];
      const { 'place:see': see } = SCOPES;
      expect(await stopped(tokens, patch({ scopes: { 'place:see': see } }))).toEqual(['both']);
      const restricted = { 'place:see': scope('read', { restricted: true }) };
      const [, other] = tokens as [Token, Token];
      expect(await stopped([other], patch({ scopes: restricted }))).toEqual(['other']);
      // Dearer, or open again: nobody holds what they may not.
      expect(await stopped([other], patch({ scopes: { 'place:see': scope('write') } }))).toEqual(
        [],
      );
    });

    it('a client, by a shorter list: tokens of everybody else', async () => {
      const tokens = [
        at('host'),
        at('service', { clientId: SERVICE, sub: SERVICE, agentId: SERVICE }),
      ];
      expect(await stopped(tokens, patch({ clients: [HOST] }))).toEqual(['service']);
      expect(await stopped(tokens, patch({ clients: [HOST, SERVICE] }))).toEqual([]);
      expect(await stopped(tokens, patch({ clients: [SERVICE] }))).toEqual(['host']);
      expect(await stopped(tokens, patch({ clients: null }))).toEqual([]);
    });

    it('what begins without a user, once it demands one', async () => {
      const tokens = [at('user'), at('agent', { clientId: AGENT, sub: AGENT })];
      expect(await stopped(tokens, patch({ requireUser: true }))).toEqual(['agent']);
      expect(await stopped(tokens, patch({ requireUser: false }))).toEqual([]);
    });

    it('an edge, or a part of it: what went on over that part', async () => {
      const edge = (scopes: object) => ({ downstream: [{ resource: FILES, scopes }] });
      const whole = { 'place:see': ['files:list'], 'place:set': ['files:write'] };
      await patch(edge(whole))();
      const from = `cns_${run + 1}.gnt`;
      const there = (jti: string, parent: string, name: string): Token => ({
        jti,
        parent: `${from}.${parent}`,
        scope: name,
      });
      const tokens = [
        at('here'),
        at('elsewhere', { resource: NOTES }),
        there('here.wrote', 'here', 'files:write'),
        there('here.listed', 'here', 'files:list'),
        there('elsewhere.wrote', 'elsewhere', 'files:write'),
      ];
      const less = edge({ 'place:see': ['files:list'] });
      expect(await stopped(tokens, patch(less))).toEqual(['here.wrote']);
      expect(await stopped(tokens, patch(edge(whole)))).toEqual([]);
    });

    it('itself, by retiring; a tool that needs more, a name, a longer life stop nothing', async () => {
      const tokens = [
        at('one'),
        at('agent', { clientId: AGENT, sub: AGENT }),
        at('x', { resource: FILES }),
      ];
      const harmless = { name: 'P', tools: { see: ['place:set'] }, tokenTtlSeconds: 600 };
      expect(await stopped(tokens, patch(harmless))).toEqual([]);
      const retire = () => services.registry.resources.retire('admin', place);
      expect(await stopped(tokens, retire)).toEqual(['one', 'agent']);
    });
  });
});
