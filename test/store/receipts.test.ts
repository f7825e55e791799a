// What a stop says it ended (DESIGN §6): counted on the rows the stop itself left, on both databases.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { artifacts, consents, grants, revocations } from '../../schema/index.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { type AuditType, listEvents, record } from '../../src/broker/audit/store.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { endConsents, foresee } from '../../src/broker/delegation/bulk.js';
import { endConsent, endGrant } from '../../src/broker/delegation/ends.js';
import { stopActing } from '../../src/broker/me/service.js';
import { narrowing } from '../../src/broker/registry/change.js';
import { stopLive } from '../../src/broker/registry/live-tokens.js';
import type { NewResource } from '../../src/broker/resources/schema.js';
import { listRevocations, type RevocationRow } from '../../src/broker/revocation/queries.js';
import { type Receipt, receiptFor, receiptOf } from '../../src/broker/revocation/receipt.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { AGENT, ANA, BEN, DESKTOP, FILES, HOST, OTHER_AGENT, seedWorld } from '../support/world.js';

describe.each(DATABASES)('receipts on %s', (_name, open) => {
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await open();
    await seedWorld(opened.db);
  });
  afterAll(() => opened.close());

  const inSeconds = (seconds: number) =>
    sql`clock_timestamp() + make_interval(secs => ${seconds}::float8)` as unknown as Date;

  let serial = 0;
  const next = (prefix: string) => {
    serial += 1;
    return `${prefix}_${serial}`;
  };

  beforeEach(async () => {
    const { orm } = opened.db;
    for (const table of [artifacts, grants, consents, revocations]) await orm.delete(table);
    await opened.db.run('delete from audit_events');
    await opened.db.run(
      `update agents set status = 'active', not_before = 'epoch' where id in ($1, $2)`,
      [AGENT, OTHER_AGENT],
    );
  });

  interface Given {
    readonly user?: string;
    readonly agent?: string;
    readonly client?: string;
    readonly lifeSeconds?: number;
  }

  interface GivenToken extends Given {
    readonly sub?: string;
    readonly kid?: string;
    /** By the same actor, for less: exchanged, and handed to nobody. */
    readonly continues?: boolean;
  }

  async function consent({
    user = ANA.id,
    agent = AGENT,
    client = HOST,
    lifeSeconds = 900,
  }: Given) {
    const id = next('cns');
    await opened.db.orm.insert(consents).values({
      id,
      userId: user,
      agentId: agent,
      clientId: client,
      clientHash: '',
      resource: `${FILES}/${id}`,
      expiresAt: inSeconds(lifeSeconds),
    });
    return id;
  }

  /** A grant with one refresh token. */
  async function grant(consentId: string, given: Given = {}) {
    const { user = ANA.id, agent = AGENT, client = HOST, lifeSeconds = 900 } = given;
    const id = next('gnt');
    await opened.db.orm.insert(grants).values({
      id,
      consentId,
      userId: user,
      agentId: agent,
      clientId: client,
      expiresAt: inSeconds(lifeSeconds),
    });
    await refreshToken(id);
    return id;
  }

  const refreshToken = (grantId: string, more: { consumed?: boolean; lifeSeconds?: number } = {}) =>
    opened.db.orm.insert(artifacts).values({
      model: 'RefreshToken',
      id: next('rt'),
      payload: {},
      grantId,
      expiresAt: inSeconds(more.lifeSeconds ?? 900),
      ...(more.consumed === true ? { consumedAt: inSeconds(0) } : {}),
    });

  /** An issued token, as the gate records it. */
  async function token(parent: string, given: GivenToken = {}) {
    const { agent = AGENT, client = HOST, lifeSeconds = 300 } = given;
    const jti = `${parent}.${next('t')}`;
    const now = Math.floor(Date.now() / 1000);
    await record(opened.db.orm, {
      type: 'token.issued',
      jti,
      sub: given.sub ?? given.user ?? ANA.id,
      agentId: agent || undefined,
      clientId: client,
      grantId: parent.startsWith('cns_') ? parent.split('.')[1] : undefined,
      detail: {
        iat: now - 2,
        exp: now + lifeSeconds,
        kid: given.kid ?? 'kid_good',
        ...(/\.t_[^.]+$/.test(parent) ? { parent, earlier_actors: ['agt_before'] } : {}),
        ...(given.continues === true ? { earlier_actors: undefined } : {}),
      },
    });
    return jti;
  }

  const counts = (receipt: object | undefined) => {
    expect(receipt).toMatchObject({ endedAt: expect.any(Date) });
    const {
      endedAt: _at,
      revocation: _fact,
      isFollowed: _who,
      exchangedTokens,
      helperChains,
      ...rest
    } = receipt as Receipt;
    return exchangedTokens === 0 ? rest : { exchangedTokens, helperChains, ...rest };
  };
  const NOTHING = { accessTokens: 0, refreshTokens: 0, grants: 0, consents: 0 };

  it('a withdrawn consent: its grants and theirs, and not what was over already', async () => {
    const mine = await consent({});
    const [one, two] = [await grant(mine), await grant(mine)];
    const over = await grant(mine, { lifeSeconds: -1 });
    const neighbour = await consent({});
    const other = await grant(neighbour);
    await refreshToken(one, { consumed: true });
    await refreshToken(one, { lifeSeconds: -1 });
    await token(`${mine}.${one}`);
    await token(`${mine}.${two}`);
    await token(`${mine}.${two}`, { lifeSeconds: -1 });
    await token(`${mine}.${over}`);
    await token(`${neighbour}.${other}`);
    expect(counts(await endConsent(opened.db, mine, 'done', ANA.id))).toEqual({
      accessTokens: 3,
      refreshTokens: 2,
      grants: 2,
      consents: 1,
    });
    expect(await endConsent(opened.db, mine, 'again', ANA.id)).toBeUndefined();
    expect(counts(await endConsent(opened.db, neighbour, 'done', ANA.id))).toEqual({
      accessTokens: 1,
      refreshTokens: 1,
      grants: 1,
      consents: 1,
    });
  });

  it('what one receipt said is not said again by the next: grant, then its consent', async () => {
    const id = await consent({});
    const [one, two] = [await grant(id), await grant(id)];
    await token(`${id}.${one}`);
    await token(`${id}.${two}`);
    const whole = { accessTokens: 1, refreshTokens: 1, grants: 1 };
    expect(counts(await endGrant(opened.db, one, 'done', ANA.id))).toEqual({
      ...whole,
      consents: 0,
    });
    expect(await endGrant(opened.db, one, 'done', ANA.id)).toBeUndefined();
    expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toEqual({
      ...whole,
      consents: 1,
    });
    expect(counts(await endGrant(opened.db, two, 'late', ANA.id))).toEqual(NOTHING);
  });

  it('a consent that has run out ends nothing but its tokens’ last minutes', async () => {
    const id = await consent({ lifeSeconds: -1 });
    const one = await grant(id);
    await token(`${id}.${one}`);
    expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toEqual({
      ...NOTHING,
      accessTokens: 1,
    });
  });

  it('a token already revoked, or its key’s, is not counted', async () => {
    const id = await consent({});
    const one = await grant(id);
    const revoked = await token(`${id}.${one}`);
    await token(`${id}.${one}`);
    await opened.db.run(
      `insert into revocations (key, revoked_at, always, until, reason, by)
       values ($1, clock_timestamp(), true, clock_timestamp() + interval '1 hour', 'x', 'x')`,
      [revoked],
    );
    expect(counts(await endGrant(opened.db, one, 'done', ANA.id))).toMatchObject({
      accessTokens: 1,
    });
  });

  it('hundreds at once, batch by batch: counted as foreseen, each with its fact and event', async () => {
    for (let n = 0; n < 3; n += 1) {
      await opened.db.run(
        `insert into consents (id, user_id, client_id, client_hash, agent_id, resource, expires_at)
         select 'cns_bulk' || n, 'usr_bulk', $1, '', $2, 'r' || n, clock_timestamp() + interval '1 hour'
         from generate_series($3::int, $4::int) as n`,
        [HOST, AGENT, n * 401, n * 401 + 400],
      );
    }
    const neighbour = await consent({});
    const one = await grant('cns_bulk7', { user: 'usr_ana' });
    await token(`cns_bulk7.${one}`);
    const whole = { accessTokens: 1, refreshTokens: 1, grants: 1, consents: 1203 };
    const of = { userId: 'usr_bulk', agentId: AGENT };
    expect(counts(await foresee(opened.db, of))).toEqual(whole);
    const receipt = await endConsents(opened.db, of, 'again', 'admin');
    expect(counts(receipt)).toEqual(whole);
    // The fact it names is of the last batch, whose receipt is the whole's.
    const [newest] = await listRevocations(opened.db.orm, { limit: 1 });
    expect(newest?.id).toBe(receipt.revocation);
    expect(await receiptOf(opened.db.orm, newest as RevocationRow)).toMatchObject({
      access_tokens: 1,
      consents: 1203,
      revocation: receipt.revocation,
    });
    const [left] = await opened.db.run(
      `select (select count(*)::int from revocations where key like 'cns\\_bulk%') as facts,
        (select count(*)::int from audit_events where type = 'consent.ended') as events,
        (select array_agg(id) from consents where ended_at is null) as live`,
    );
    expect(left).toEqual({ facts: 1203, events: 1203, live: [neighbour] });
    expect(counts(await endConsents(opened.db, of, 'again', 'admin'))).toEqual(NOTHING);
  });

  it('grants of a user who is disabled ended with that', async () => {
    const id = await consent({ user: BEN.id });
    await grant(id, { user: BEN.id });
    await opened.db.run(
      `update users set not_before = clock_timestamp() + interval '1 second' where id = $1`,
      [BEN.id],
    );
    expect(counts(await endConsent(opened.db, id, 'done', BEN.id))).toEqual({
      ...NOTHING,
      consents: 1,
    });
  });

  describe('one token, and what was exchanged from it', () => {
    it('counts children and theirs, under a consent and under a credential, and no neighbour', async () => {
      const id = await consent({});
      const root = await token(`${id}.${await grant(id)}`);
      const alone = await token('crd_helper', { sub: AGENT, client: AGENT });
      for (const one of [root, alone]) {
        const child = await token(one, { agent: OTHER_AGENT });
        await token(child, { agent: 'agt_third' });
        await token(one, { agent: OTHER_AGENT, lifeSeconds: -1 });
      }
      await token(root, { continues: true });
      const whole = { ...NOTHING, accessTokens: 3, exchangedTokens: 2, helperChains: 1 };
      const of = (ids: readonly string[]) =>
        receiptFor(opened.db.orm, [{ kind: 'tokens', ids }]).then(counts);
      expect(await of([alone])).toEqual(whole);
      // What an actor exchanged for less for itself is no chain of helpers.
      expect(await of([root])).toEqual({ ...whole, accessTokens: 4, exchangedTokens: 3 });
      // Whoever ends two at once counts what hangs on both once.
      expect(await of([root, root, alone])).toMatchObject({ accessTokens: 7, helperChains: 2 });
      const kind = 'roots';
      const roots = await receiptFor(opened.db.orm, [{ kind, ids: [id, 'crd_helper'] }]);
      expect(counts(roots)).toMatchObject({ accessTokens: 7, refreshTokens: 0 });
      const both = [
        { kind: 'tokens', ids: [root] },
        { kind: 'consents', ids: [id] },
      ] as const;
      expect(counts(await receiptFor(opened.db.orm, both))).toMatchObject({ accessTokens: 4 });
    });

    it('a key: what it signed, before and after an instant, and nothing of another', async () => {
      const id = await consent({});
      const one = `${id}.${await grant(id)}`;
      const at = new Date();
      const signed = await token(one, { kid: 'kid_lost' });
      await token(signed, { kid: 'kid_lost', agent: OTHER_AGENT });
      await token(one);
      const kid = 'kid_lost';
      const of = (part: { until: Date } | { after: Date }) =>
        receiptFor(opened.db.orm, [{ kind: 'key', kid, ...part }]).then(counts);
      const later = new Date(at.getTime() + 60_000);
      const both = { ...NOTHING, accessTokens: 2, exchangedTokens: 1, helperChains: 1 };
      expect(await of({ until: later })).toEqual(both);
      expect(await of({ after: later })).toEqual(NOTHING);
      expect(await of({ after: new Date(at.getTime() - 60_000) })).toEqual(both);
      await opened.db.run(
        `insert into revocations (key, revoked_at, always, until, reason, by)
         values ('kid:kid_lost', clock_timestamp(), true, clock_timestamp() + interval '1 hour', 'x', 'x')`,
      );
      expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toMatchObject({
        accessTokens: 1,
      });
    });
  });

  describe('kept in the stop’s own event', () => {
    const registry = () => createAdminServices(opened.db, 'https://id.example').registry;
    const events = async (type: AuditType) =>
      (await listEvents(opened.db.orm, { type })).map(({ detail }) => detail?.receipt);
    const factsOf = () => listRevocations(opened.db.orm, { limit: 100 });
    const kept = (receipt: Receipt | undefined, facts: number) => {
      const { endedAt, revocation } = receipt as Receipt;
      return {
        ended_at: endedAt.toISOString(),
        access_tokens: receipt?.accessTokens,
        exchanged_tokens: receipt?.exchangedTokens,
        helper_chains: receipt?.helperChains,
        refresh_tokens: receipt?.refreshTokens,
        grants: receipt?.grants,
        consents: receipt?.consents,
        revocation,
        facts,
      };
    };

    it('of a consent and of a grant: the counts that were answered, found by the fact', async () => {
      const [one, two] = [await consent({}), await consent({})];
      await token(`${one}.${await grant(one)}`);
      const lone = await grant(two);
      await token(`${two}.${lone}`);
      const first = kept(await endConsent(opened.db, one, 'done', ANA.id), 1);
      const second = kept(await endGrant(opened.db, lone, 'done', ANA.id), 1);
      expect(first).toMatchObject({ access_tokens: 1, refresh_tokens: 1, consents: 1 });
      expect(await events('consent.ended')).toEqual([first]);
      expect(await events('grant.ended')).toEqual([second]);
      const [newer, older] = await factsOf();
      expect(await receiptOf(opened.db.orm, older as RevocationRow)).toEqual(first);
      expect(await receiptOf(opened.db.orm, newer as RevocationRow)).toEqual(second);
    });

    it('of many at once: each fact finds the receipt of the whole stop', async () => {
      for (let n = 0; n < 3; n += 1) {
        const id = await consent({});
        await token(`${id}.${await grant(id)}`);
      }
      const receipt = await stopActing(opened.db, ANA.id, {});
      expect(counts(receipt)).toMatchObject({ accessTokens: 3, consents: 3 });
      const told = await events('consent.ended');
      expect(told).toEqual([kept(receipt, 3), kept(receipt, 3), kept(receipt, 3)]);
      for (const fact of await factsOf()) {
        expect(await receiptOf(opened.db.orm, fact)).toEqual(kept(receipt, 3));
      }
    });

    it('of an agent, a user, a client, a resource, a credential; and not of what lifts a stop', async () => {
      const { agents, users, clients, resources } = registry();
      const id = await consent({ user: BEN.id, agent: OTHER_AGENT });
      await token(`${id}.${await grant(id, { user: BEN.id, agent: OTHER_AGENT })}`, {
        user: BEN.id,
        agent: OTHER_AGENT,
      });
      const blocked = await agents.setStatus('admin', OTHER_AGENT, {
        status: 'blocked',
        reason: 'test',
      });
      expect(await events('agent.blocked')).toEqual([kept(blocked.receipt, 1)]);
      await agents.unblock('admin', OTHER_AGENT);
      expect(await events('agent.unblocked')).toEqual([undefined]);
      const [lifted] = await factsOf();
      expect(await receiptOf(opened.db.orm, lifted as RevocationRow)).toBeUndefined();
      const user = await users.create('admin', { email: 'eve@example.com', name: 'Eve' });
      const gone = await users.retire('admin', user.id);
      const client = await clients.create('admin', {
        id: 'cli_kept',
        name: 'Kept',
        kind: 'service',
      });
      const lost = client.credential?.id as string;
      const removed = await clients.removeCredential('admin', 'cli_kept', lost);
      expect(await events('credential.removed')).toEqual([kept(removed, 1)]);
      const left = await clients.retire('admin', 'cli_kept');
      await resources.create('admin', {
        identifier: 'https://kept.example',
        name: 'Kept',
        scopes: {
          'kept:read': {
            title: 'Read',
            risk: 'read',
            restricted: false,
            implies: [],
            base: true,
          },
        },
      } as NewResource);
      const [alone] = [await token('crd_kept', { agent: '', client: HOST, sub: HOST })];
      await opened.db.run(
        `update audit_events set resource = 'https://kept.example' where jti = $1`,
        [alone],
      );
      const closed = await resources.retire('admin', 'https://kept.example');
      expect(counts(closed)).toEqual({ ...NOTHING, accessTokens: 1 });
      expect(await events('registry.retired')).toEqual([
        kept(closed, 1),
        kept(left, 1),
        kept(gone, 1),
      ]);
    });

    it('of a change that narrows: a password, an edge; of a file, in the events that stopped something', async () => {
      const { agents, users } = registry();
      const id = await consent({});
      const root = await token(`${id}.${await grant(id)}`);
      await token(root, { agent: OTHER_AGENT });
      const told = async () => (await events('registry.changed'))[0];
      await agents.patch('admin', OTHER_AGENT, { takesWorkFrom: [AGENT] });
      expect(await told()).toBeUndefined();
      await agents.patch('admin', OTHER_AGENT, { takesWorkFrom: [] });
      expect(await told()).toMatchObject({ access_tokens: 1, helper_chains: 1, grants: 0 });
      await users.patch('admin', ANA.id, { password: 'a new one, long enough' });
      expect(await told()).toMatchObject({ access_tokens: 1, refresh_tokens: 1, grants: 1 });
      await narrowing(opened.db, 'admin', async (change) => {
        await change.recordStop({ type: 'registry.changed', detail: { n: 'before' } });
        change.stop({
          key: 'crd_x',
          always: true,
          reason: 'x',
          ends: { kind: 'credential', id: 'crd_x', principal: AGENT },
        });
        await change.recordStop({ type: 'registry.changed', detail: { n: 'stopped' } });
        stopLive(change, { sub: 'usr_nobody' }, 'nobody’s');
        await change.recordStop({ type: 'registry.changed', detail: { n: 'nothing found' } });
        await change.recordStop({ type: 'world.applied', detail: { n: 'whole' } }, 'change');
      });
      const recorded = await listEvents(opened.db.orm, { limit: 4 });
      expect(
        Object.fromEntries(
          recorded.map(({ detail }) => [detail?.n, detail?.receipt !== undefined]),
        ),
      ).toEqual({ before: false, stopped: true, 'nothing found': false, whole: true });
    });
  });

  describe('principals', () => {
    const registry = () => createAdminServices(opened.db, 'https://id.example').registry;

    /** Two grants of the agent with a token each, and two tokens of its own. */
    async function delegated() {
      const id = await consent({});
      for (const one of [await grant(id), await grant(id)]) await token(`${id}.${one}`);
      await token('crd_helper', { sub: AGENT, client: AGENT });
      await token('crd_second', { sub: AGENT, client: AGENT });
      // Somebody else's, which no receipt below counts.
      const other = await consent({ user: BEN.id, agent: OTHER_AGENT, client: DESKTOP });
      const given = { user: BEN.id, agent: OTHER_AGENT, client: DESKTOP };
      await token(`${other}.${await grant(other, given)}`, given);
      return id;
    }
    const status = async (to: 'active' | 'paused' | 'blocked' | 'retired') =>
      (await registry().agents.setStatus('admin', AGENT, { status: to, reason: 'test' })).receipt;

    it('a pause ends tokens and lets the rest wait; the block that follows ends that', async () => {
      await delegated();
      expect(counts(await status('paused'))).toEqual({ ...NOTHING, accessTokens: 4 });
      expect(counts(await status('blocked'))).toEqual({ ...NOTHING, refreshTokens: 2, grants: 2 });
      expect(counts(await status('blocked'))).toEqual(NOTHING);
      expect(counts(await status('active'))).toEqual(NOTHING);
    });

    it('an agent in the middle ends its own and what was handed on, which others do not count again', async () => {
      const id = await consent({ agent: OTHER_AGENT });
      const one = await grant(id, { agent: OTHER_AGENT });
      const root = await token(`${id}.${one}`, { agent: OTHER_AGENT });
      const middle = await token(root, { agent: AGENT, client: AGENT });
      await token(middle, { agent: 'agt_third', client: 'agt_third' });
      await token(root, { agent: 'agt_third', client: 'agt_third' });
      const own = await token('crd_other', { agent: OTHER_AGENT, sub: OTHER_AGENT });
      const taken = await token(own, { agent: AGENT, client: AGENT, sub: OTHER_AGENT });
      await token(taken, { agent: 'agt_third', client: 'agt_third', sub: OTHER_AGENT });
      expect(counts(await status('paused'))).toEqual({
        ...NOTHING,
        accessTokens: 4,
        exchangedTokens: 4,
        helperChains: 2,
      });
      // What hung on the middle is dead: of six under the consent's and the agent's own root, two live.
      expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toEqual({
        accessTokens: 2,
        exchangedTokens: 1,
        helperChains: 1,
        refreshTokens: 1,
        grants: 1,
        consents: 1,
      });
    });

    it('a block ends grants, and the consent stays the user’s; nothing counts a second time', async () => {
      const id = await delegated();
      expect(counts(await status('blocked'))).toEqual({
        accessTokens: 4,
        refreshTokens: 2,
        grants: 2,
        consents: 0,
      });
      await status('active');
      expect(counts(await status('blocked'))).toEqual(NOTHING);
      expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toEqual({
        ...NOTHING,
        consents: 1,
      });
    });

    it('a user who is disabled, a client that retires, an agent that retires', async () => {
      const whole = { refreshTokens: 2, grants: 2 };
      await delegated();
      const { receipt } = await registry().users.setStatus('admin', ANA.id, {
        status: 'disabled',
        reason: 'test',
      });
      expect(counts(receipt)).toEqual({ ...whole, accessTokens: 2, consents: 0 });
      await registry().users.enable('admin', ANA.id);
      // The user's stop counted the grants; what is left of the agent's is its own tokens.
      await opened.db.run('delete from revocations');
      await opened.db.run(`update users set not_before = 'epoch'`);
      const client = await registry().clients.create('admin', {
        id: 'cli_leaving',
        name: 'Leaving',
        kind: 'service',
      });
      const consentId = await consent({ client: client.client.id });
      const given = { client: client.client.id };
      await token(`${consentId}.${await grant(consentId, given)}`, given);
      await token('crd_leaving', { ...given, agent: '', sub: client.client.id });
      expect(counts(await registry().clients.retire('admin', client.client.id))).toEqual({
        accessTokens: 2,
        refreshTokens: 1,
        grants: 1,
        consents: 1,
      });
      const agent = await registry().agents.create('admin', {
        id: 'agt_leaving',
        name: 'Leaving',
        owner: 'Ops',
      });
      const theirs = { agent: agent.agent.id };
      const last = await consent(theirs);
      await token(`${last}.${await grant(last, theirs)}`, theirs);
      expect(counts(await registry().agents.retire('admin', agent.agent.id))).toEqual({
        accessTokens: 1,
        refreshTokens: 1,
        grants: 1,
        consents: 1,
      });
    });

    it('a credential: what it obtained, and not what its neighbour did', async () => {
      await delegated();
      expect(
        counts(await registry().agents.removeCredential('admin', AGENT, 'crd_helper')),
      ).toEqual({ ...NOTHING, accessTokens: 1 });
    });
  });
});

describe('a stop beside a long change, on PostgreSQL', () => {
  it('does not wait for it: neither an agent’s nor a consent’s', async () => {
    const opened = await openTestPostgres();
    await seedWorld(opened.db);
    const { agents } = createAdminServices(opened.db, 'https://id.example').registry;
    const other = await openPostgres({ url: opened.url as string });
    const order: string[] = [];
    await narrowing(other, 'cli', async (change) => {
      await change.record({ type: 'world.applied' });
      await agents.block('admin', AGENT, 'now');
      order.push('blocked');
      await endConsent(opened.db, 'cns_none', 'now', 'admin');
      order.push('ended');
    });
    order.push('applied');
    expect(order).toEqual(['blocked', 'ended', 'applied']);
    expect((await agents.get(AGENT)).status).toBe('blocked');
    await other.close();
    await opened.close();
  });
});
