// What a stop says it ended (DESIGN §6): counted on the rows the stop itself left, on both databases.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { artifacts, consents, grants, revocations } from '../../schema/index.js';
import { record } from '../../src/broker/audit/store.js';
import { endConsent, endGrant } from '../../src/broker/delegation/ends.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';
import { AGENT, ANA, BEN, FILES, HOST, OTHER_AGENT, seedWorld } from '../support/world.js';

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
      detail: { iat: now - 2, exp: now + lifeSeconds },
    });
    return jti;
  }

  const counts = (receipt: object | undefined) => {
    expect(receipt).toMatchObject({ endedAt: expect.any(Date) });
    const { endedAt: _at, ...rest } = receipt as { endedAt: Date };
    return rest;
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

  it('grants of a user who is disabled ended with that', async () => {
    const id = await consent({ user: BEN.id });
    await grant(id, { user: BEN.id });
    await opened.db.run(`update users set not_before = clock_timestamp() where id = $1`, [BEN.id]);
    expect(counts(await endConsent(opened.db, id, 'done', BEN.id))).toEqual({
      ...NOTHING,
      consents: 1,
    });
  });
});
