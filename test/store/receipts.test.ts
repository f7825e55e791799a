// What a stop says it ended (DESIGN §6): counted on the rows the stop itself left, on both databases.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { artifacts, consents, grants, revocations } from '../../schema/index.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { record } from '../../src/broker/audit/store.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { endConsents, foresee } from '../../src/broker/delegation/bulk.js';
import { endConsent, endGrant } from '../../src/broker/delegation/ends.js';
import { narrowing } from '../../src/broker/registry/change.js';
import type { Receipt } from '../../src/broker/revocation/receipt.js';
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
  async function token(parent: string, given: Given & { readonly sub?: string } = {}) {
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
        ...(/\.t_[^.]+$/.test(parent) ? { parent } : {}),
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
      ...rest
    } = receipt as Receipt;
    return exchangedTokens === 0 ? rest : { exchangedTokens, ...rest };
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
    expect(counts(await endConsents(opened.db, of, 'again', 'admin'))).toEqual(whole);
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
      });
      // What hung on the middle is dead: of six under the consent's and the agent's own root, two live.
      expect(counts(await endConsent(opened.db, id, 'done', ANA.id))).toEqual({
        accessTokens: 2,
        exchangedTokens: 1,
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
