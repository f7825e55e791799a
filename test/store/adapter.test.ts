// The engine's storage (DESIGN §9.3, §9.7) as one suite on both databases: what is stored yields no
// token, and whatever may happen once happens once.
import { randomBytes } from 'node:crypto';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consents, grants } from '../../schema/index.js';
import { createEngineGrants } from '../../src/broker/consent/engine-grants.js';
import { abandonGrant, endConsent, endGrant } from '../../src/broker/delegation/ends.js';
import { createSecrets } from '../../src/broker/keys/secrets.js';
import { createAdapterFactory, sweepArtifacts } from '../../src/broker/provider/adapter.js';
import { ROOT_SECRET } from '../support/broker.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

/** Everything the engine stores, and what it might one day. */
const MODELS = [
  'AccessToken',
  'AuthorizationCode',
  'DeviceCode',
  'Interaction',
  'PushedAuthorizationRequest',
  'RefreshToken',
  'RegistrationAccessToken',
  'ReplayDetection',
  'Session',
] as const;
type Model = (typeof MODELS)[number];

const HOUR_SECONDS = 3600;
/** Another value of the same object; not a secret of its own. */
const uidOf = (id: string): string => [...id].reverse().join('');
const value = (): string => randomBytes(32).toString('base64url');

describe.each(DATABASES)('the engine’s adapter on %s', (_name, open) => {
  let opened: OpenedDatabase;
  let adapter: (model: Model) => Adapter;
  beforeAll(async () => {
    opened = await open();
    const factory = createAdapterFactory({
      now: Date.now,
      db: opened.db,
      secrets: createSecrets(ROOT_SECRET),
      findClient: async (id) =>
        (id === 'cli_known' ? { client_id: id } : undefined) as AdapterPayload | undefined,
      findGrant: createEngineGrants(opened.db).find,
      abandonGrant: (id, requestId) => abandonGrant(opened.db, id, requestId),
      endGrant: async (id, reason) => void (await endGrant(opened.db, id, reason, 'test')),
    });
    adapter = factory as typeof adapter;
  });
  afterAll(() => opened.close());

  const payload = (id: string, more: Partial<AdapterPayload> = {}): AdapterPayload => ({
    jti: id,
    uid: uidOf(id),
    kind: 'what the engine wrote',
    exp: 4_000_000_000,
    ...more,
  });
  const store = async (
    model: Model,
    more: Partial<AdapterPayload> = {},
    lifeSeconds = HOUR_SECONDS,
  ) => {
    const id = value();
    await adapter(model).upsert(id, payload(id, more), lifeSeconds);
    return id;
  };
  /** Not a record of the engine's: our grant, written out. */
  const grantAdapter = () => adapter('Grant' as Model);
  const rowsNow = async () => (await opened.db.run('select 1 from artifacts')).length;

  /** A grant under a consent, as an approval leaves them. */
  const delegation = async (name: string) => {
    const consentId = `cns_${name}`;
    const grantId = `gnt_${name}`;
    const subject = {
      userId: `usr_${name}`,
      clientId: 'cli_a',
      expiresAt: new Date(Date.now() + 3_600_000),
    };
    await opened.db.orm.insert(consents).values({ id: consentId, clientHash: 'h', ...subject });
    await opened.db.orm.insert(grants).values({ id: grantId, consentId, ...subject });
    return { consentId, grantId };
  };

  describe.each(MODELS)('%s', (model) => {
    it('gives back what was stored, under its own value and no other', async () => {
      const id = await store(model);
      expect(await adapter(model).find(id)).toEqual(payload(id));
      // C7: truncated, padded, case-changed.
      for (const near of [id.slice(0, -1), `${id}A`, `${id} `, id.toLowerCase(), '']) {
        if (near !== id) expect(await adapter(model).find(near)).toBeUndefined();
      }
    });
  });

  it.each(MODELS)('forgets a %s once destroyed, and not its neighbour', async (model) => {
    const [id, neighbour] = [await store(model), await store(model)];
    await adapter(model).destroy(id);
    expect(await adapter(model).find(id)).toBeUndefined();
    expect(await adapter(model).find(neighbour)).toEqual(payload(neighbour));
  });

  it('overwrites what is saved again, sessions above all', async () => {
    const id = await store('Session');
    await adapter('Session').upsert(id, payload(id, { state: { a: 1 } }), HOUR_SECONDS);
    expect(await adapter('Session').find(id)).toEqual(payload(id, { state: { a: 1 } }));
  });

  it('finds a session by its uid, and nothing else by it', async () => {
    const id = await store('Session');
    expect(await adapter('Session').findByUid(uidOf(id))).toMatchObject({ uid: uidOf(id) });
    expect(await adapter('Session').findByUid(id)).toBeUndefined();
    expect(await adapter('Session').find(uidOf(id))).toBeUndefined();
    const code = await store('AuthorizationCode');
    expect(await adapter('AuthorizationCode').findByUid(uidOf(code))).toBeUndefined();
  });

  it('confuses no model with another: of 9 × 9 look-ups only the nine of their own kind find (C10)', async () => {
    const found: string[] = [];
    for (const stored of MODELS) {
      const id = await store(stored);
      for (const asked of MODELS) {
        if ((await adapter(asked).find(id)) !== undefined) found.push(`${stored} as ${asked}`);
      }
    }
    expect(found).toEqual(MODELS.map((model) => `${model} as ${model}`));
  });

  it('puts the kind into the key as well as into the row (C10)', async () => {
    const id = value();
    for (const model of MODELS) await adapter(model).upsert(id, payload(id), HOUR_SECONDS);
    const rows = await opened.db.run<{ id: string }>(
      'select id from artifacts order by expires_at desc, model limit 9',
    );
    expect(new Set(rows.map((row) => row.id)).size).toBe(MODELS.length);
  });

  it('does nothing to one model in the name of another (C10)', async () => {
    const id = await store('RefreshToken');
    await expect(adapter('AuthorizationCode').consume(id)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    await adapter('AuthorizationCode').destroy(id);
    expect(await adapter('RefreshToken').find(id)).toEqual(payload(id));
  });

  it('stores neither the value nor anything it can be computed back from (K1, DESIGN §9.7)', async () => {
    const ids = await Promise.all(MODELS.map((model) => store(model)));
    const dump = JSON.stringify(
      await opened.db.run('select model, id, payload, grant_id, uid from artifacts'),
    );
    expect(ids.filter((id) => dump.includes(id))).toEqual([]);
  });

  it('seals a whole request, which may name more than its parameters show (PA5)', async () => {
    for (const model of ['Interaction', 'PushedAuthorizationRequest'] as const) {
      const id = await store(model, { params: { login_hint: 'canary@example.com' } });
      expect(await adapter(model).find(id)).toMatchObject({
        params: { login_hint: 'canary@example.com' },
      });
    }
    const dump = JSON.stringify(await opened.db.run('select payload from artifacts'));
    expect(dump).not.toContain('canary@example.com');
    // The nearest model that is not sealed, so that the assertion above is able to fail.
    await store('AuthorizationCode', { redirectUri: 'https://canary.example/' });
    expect(JSON.stringify(await opened.db.run('select payload from artifacts'))).toContain(
      'canary.example',
    );
  });

  it.each([
    ['AuthorizationCode', 'invalid_grant'],
    ['RefreshToken', 'invalid_grant'],
    ['PushedAuthorizationRequest', 'invalid_request_uri'],
  ] as const)('consumes a %s once: of twenty at the same time one wins, the others get %s (C2, R2, PA1)', async (model, error) => {
    const id = await store(model);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => adapter(model).consume(id)),
    );
    const lost = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.error] : [],
    );
    expect(lost).toEqual(Array(19).fill(error));
    expect(await adapter(model).find(id)).toEqual({ ...payload(id), consumed: expect.any(Number) });
    await expect(adapter(model).consume(value())).rejects.toMatchObject({ error });
  });

  it('says when something was consumed, in seconds, on the database’s clock', async () => {
    const id = await store('AuthorizationCode');
    await adapter('AuthorizationCode').consume(id);
    const [row] = await opened.db.run<{ now: number }>(
      'select extract(epoch from clock_timestamp())::float8 as now',
    );
    const { consumed } = (await adapter('AuthorizationCode').find(id)) as { consumed: number };
    expect(Math.abs((row?.now as number) - consumed)).toBeLessThan(5);
  });

  it('keeps a code consumed when it is saved again', async () => {
    const id = await store('AuthorizationCode');
    await adapter('AuthorizationCode').consume(id);
    await adapter('AuthorizationCode').upsert(id, payload(id), HOUR_SECONDS);
    expect(await adapter('AuthorizationCode').find(id)).toHaveProperty('consumed');
  });

  it('takes a replay marker once, and again when the first has expired (K5)', async () => {
    const replay = adapter('ReplayDetection');
    const id = value();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => replay.upsert(id, payload(id), HOUR_SECONDS)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(replay.upsert(id, payload(id), HOUR_SECONDS)).rejects.toMatchObject({
      error: 'invalid_client',
    });
    const expired = await store('ReplayDetection', {}, -1);
    await replay.upsert(expired, payload(expired), HOUR_SECONDS);
    await expect(replay.upsert(expired, payload(expired), HOUR_SECONDS)).rejects.toMatchObject({
      error: 'invalid_client',
    });
  });

  it('ends an interaction once, so that a form sent twice gives one code (I8)', async () => {
    const id = await store('Interaction');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => adapter('Interaction').destroy(id)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    // A session may be destroyed twice: signing out twice is signing out.
    const session = await store('Session');
    await adapter('Session').destroy(session);
    await expect(adapter('Session').destroy(session)).resolves.toBeUndefined();
  });

  it('keeps what came of an interaction that stands, and does not begin a resumed one again (I8)', async () => {
    const id = await store('Interaction');
    const answered = payload(id, { result: { consent: {} } } as Partial<AdapterPayload>);
    await adapter('Interaction').upsert(id, answered, HOUR_SECONDS);
    expect(await adapter('Interaction').find(id)).toEqual(answered);
    await adapter('Interaction').destroy(id);
    await expect(adapter('Interaction').upsert(id, answered, HOUR_SECONDS)).rejects.toThrow(
      errors.SessionNotFound,
    );
    expect(await adapter('Interaction').find(id)).toBeUndefined();
  });

  it.each([
    ['grant', (ids: { grantId: string }) => endGrant(opened.db, ids.grantId, 'test', 'test')],
    [
      'consent',
      (ids: { consentId: string }) => endConsent(opened.db, ids.consentId, 'test', 'test'),
    ],
  ] as const)('hides everything that hangs on an ended %s, and nothing else (DESIGN §6 ends)', async (what, end) => {
    const [ended, other] = [await delegation(`ended_${what}`), await delegation(`other_${what}`)];
    const models = ['AccessToken', 'AuthorizationCode', 'RefreshToken'] as const;
    const ids = await Promise.all(models.map((model) => store(model, { grantId: ended.grantId })));
    const others = await Promise.all(
      models.map((model) => store(model, { grantId: other.grantId })),
    );
    expect(await grantAdapter().find(ended.grantId)).toMatchObject({ jti: ended.grantId });
    expect(await end(ended)).toMatchObject({ grants: 1 });
    expect(await grantAdapter().find(ended.grantId)).toBeUndefined();
    for (const [n, model] of models.entries()) {
      expect(await adapter(model).find(ids[n] as string)).toBeUndefined();
      expect(await adapter(model).find(others[n] as string)).toMatchObject({
        grantId: other.grantId,
      });
    }
  });

  it('ends the delegation when the engine destroys its grant (RFC 7009, replay)', async () => {
    const { grantId } = await delegation('destroyed');
    const refresh = await store('RefreshToken', { grantId });
    await grantAdapter().destroy(grantId);
    expect(await adapter('RefreshToken').find(refresh)).toBeUndefined();
    const [row] = await opened.db.run<{ ended: boolean }>(
      'select ended_at is not null as ended from grants where id = $1',
      [grantId],
    );
    expect(row).toEqual({ ended: true });
  });

  it('reads the engine’s grant from ours, and lets the engine write none', async () => {
    const { grantId } = await delegation('written_out');
    await opened.db.run('update grants set resource = $2, scopes = $3 where id = $1', [
      grantId,
      'https://files.example/mcp',
      ['email', 'files:read', 'openid'],
    ]);
    expect(await grantAdapter().find(grantId)).toEqual({
      kind: 'Grant',
      jti: grantId,
      iat: expect.any(Number),
      exp: expect.any(Number),
      accountId: 'usr_written_out',
      clientId: 'cli_a',
      openid: { scope: 'email openid' },
      resources: { 'https://files.example/mcp': 'files:read' },
    });
    await expect(grantAdapter().upsert(grantId, payload(grantId), 1)).rejects.toThrow();
  });

  it('knows only registered clients, and registers none (DESIGN §9.3)', async () => {
    const clients = adapter('Client' as Model);
    expect(await clients.find('cli_known')).toEqual({ client_id: 'cli_known' });
    expect(await clients.find('cli_unknown')).toBeUndefined();
    await expect(
      clients.upsert('cli_new', { client_id: 'cli_new' } as AdapterPayload, 60),
    ).rejects.toMatchObject({ error: 'invalid_request' });
  });

  describe('the sweep', () => {
    it('deletes what has expired, at most its limit at a time, and nothing that lives', async () => {
      await sweepArtifacts(opened.db, 1000);
      const live = await store('RefreshToken', {}, 60);
      const before = await rowsNow();
      await Promise.all(Array.from({ length: 5 }, () => store('RefreshToken', {}, -1)));
      expect(await sweepArtifacts(opened.db, 3)).toBe(3);
      expect(await rowsNow()).toBe(before + 2);
      expect(await sweepArtifacts(opened.db, 3)).toBe(2);
      expect(await sweepArtifacts(opened.db, 3)).toBe(0);
      expect(await adapter('RefreshToken').find(live)).toBeDefined();
    });

    it('never deletes twice, when several processes sweep', async () => {
      await Promise.all(Array.from({ length: 40 }, () => store('Session', {}, -1)));
      const swept = await Promise.all(
        Array.from({ length: 4 }, () => sweepArtifacts(opened.db, 20)),
      );
      const rest = await sweepArtifacts(opened.db, 1000);
      expect(swept.reduce((sum, n) => sum + n, rest)).toBe(40);
    });

    it('keeps the tombstone of a used code until the grant’s own end, so that a replay is known (L11, R3)', async () => {
      const { grantId } = await delegation('tombstone');
      const used = await store('AuthorizationCode', { grantId }, 0.05);
      const unused = await store('AuthorizationCode', { grantId }, 0.05);
      await adapter('AuthorizationCode').consume(used);
      await new Promise((resolve) => setTimeout(resolve, 80));
      expect(await sweepArtifacts(opened.db, 1000)).toBe(1);
      expect(await adapter('AuthorizationCode').find(unused)).toBeUndefined();
      expect(await adapter('AuthorizationCode').find(used)).toHaveProperty('consumed');
      await opened.db.run(
        `update artifacts set expires_at = clock_timestamp() - interval '1 second' where grant_id = $1`,
        [grantId],
      );
      expect(await sweepArtifacts(opened.db, 1000)).toBe(1);
    });
  });
});
