// DESIGN §5, §6, M2: what is given on facts that end meanwhile is not newer than their end. A stop says
// since when once nothing more is written under the old facts; real PostgreSQL, several connections.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Registry } from '../../src/broker/admin/registry.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import type { Database } from '../../src/broker/db/database.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { type Approval, approve, createGrant } from '../../src/broker/delegation/approve.js';
import { findLiveConsent, type NewGrant } from '../../src/broker/delegation/store.js';
import { GATE_LOCK } from '../../src/broker/limits.js';
import { hashPassword, verifyPassword } from '../../src/broker/users/password.js';
import { createSignIn } from '../../src/broker/users/sign-in.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { AGENT, ANA, FILES, HOST, seedWorld } from '../support/world.js';

const ORIGIN = { requestId: 'req', session: '' };
let opened: OpenedDatabase;
let other: Database;
let registry: Registry;
beforeAll(async () => {
  opened = await openTestPostgres();
  await seedWorld(opened.db);
  other = await openPostgres({ url: opened.url as string });
  registry = createAdminServices(other, 'https://id.example').registry;
  await registry.clients.patch('admin', HOST, { agentId: AGENT });
});
afterAll(async () => {
  await other.close();
  await opened.close();
});
beforeEach(async () => {
  await opened.db.run('delete from grants');
  await opened.db.run('delete from consents');
});

const epoch = async () =>
  Number((await opened.db.run<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch);

const approval = (decidedAt: number): Approval => ({
  userId: ANA.id,
  clientId: HOST,
  agentId: AGENT,
  resource: FILES,
  clientHash: 'hash',
  terms: {
    client: {
      name: 'Host',
      redirectUris: [],
      description: '',
      clientUri: '',
      logoUri: '',
      policyUri: '',
      contact: '',
    },
    scopes: {},
  },
  asked: '',
  takenAway: [],
  offered: ['files:read'],
  granted: ['files:read'],
  helpers: 0,
  lifeSeconds: 3600,
  epoch: decidedAt,
});

const waitingForTheGate = async () =>
  (
    await opened.db.run(
      `select 1 from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`,
    )
  ).length;

/**
 * A token is on its way, so `stop` waits for the gate with its rows written; then somebody writes
 * what was decided before the stop, and the token's batch is done.
 */
async function given(stop: () => Promise<unknown>, write: () => Promise<NewGrant | undefined>) {
  let stopping: Promise<unknown> = Promise.resolve();
  let writing: Promise<NewGrant | undefined> = Promise.resolve(undefined);
  await other.transaction(async (tx) => {
    await tx.execute(
      sql`select pg_advisory_xact_lock_shared(${GATE_LOCK}, hashtext(current_schema()))`,
    );
    stopping = stop();
    await expect.poll(waitingForTheGate).toBe(1);
    let isWritten = false;
    writing = write().finally(() => {
      isWritten = true;
    });
    await expect.poll(async () => isWritten || (await waitingForTheGate()) === 2).toBe(true);
  });
  await stopping;
  return writing;
}

/** Grants that are not older than what the table says of somebody. */
const surviving = (table: string, column: string) =>
  opened.db.run(
    `select g.id from grants g join ${table} p on p.id = g.${column}
     where g.ended_at is null and g.created_at >= p.not_before`,
  );

const STOPS = [
  [
    'a new password',
    'users',
    'user_id',
    async () => registry.users.patch('admin', ANA.id, { password: 'another good password' }),
  ],
  [
    'a user who is disabled',
    'users',
    'user_id',
    async () => registry.users.disable('admin', ANA.id, 'race'),
  ],
  [
    'an agent that is blocked',
    'agents',
    'agent_id',
    async () => registry.agents.setStatus('admin', AGENT, { status: 'blocked', reason: 'race' }),
  ],
  [
    'a client that is bound no more',
    'clients',
    'client_id',
    async () => registry.clients.patch('admin', HOST, { agentId: null }),
  ],
] as const;

const undo = async () => {
  await registry.users.enable('admin', ANA.id);
  await registry.agents.setStatus('admin', AGENT, { status: 'active' });
  await registry.clients.patch('admin', HOST, { agentId: AGENT });
};

describe.each(
  STOPS,
)('%s, while somebody decides on how it was before', (_what, table, column, stop) => {
  it('leaves no grant behind from a yes', async () => {
    const decidedAt = await epoch();
    const grant = await given(stop, () => approve(opened.db, approval(decidedAt), ORIGIN));
    expect([grant, await surviving(table, column)]).toEqual([undefined, []]);
    await undo();
  });

  it('leaves no grant behind from a consent that covers', async () => {
    await approve(opened.db, approval(await epoch()), ORIGIN);
    const consent = await findLiveConsent(opened.db.orm, approval(0));
    if (consent === undefined) throw new Error('no consent');
    const decidedAt = await epoch();
    const grant = await given(stop, () =>
      createGrant(opened.db.orm, consent, ['files:read'], ORIGIN, decidedAt),
    );
    expect([grant, await surviving(table, column)]).toEqual([undefined, []]);
    await undo();
  });
});

it('a grant in silence is written on the newest facts, and on no others', async () => {
  const decidedAt = await epoch();
  await approve(opened.db, approval(decidedAt), ORIGIN);
  const consent = await findLiveConsent(opened.db.orm, approval(0));
  if (consent === undefined) throw new Error('no consent');
  const write = () => createGrant(opened.db.orm, consent, ['files:read'], ORIGIN, decidedAt);
  expect(await write()).toMatchObject({ consentId: consent.id, scopes: ['files:read'] });
  await registry.users.patch('admin', ANA.id, { name: 'Ana E.' });
  expect(await write()).toBeUndefined();
});

describe('a session that was ended while somebody decided in it', () => {
  const inSession = async (end: 'live' | 'ended') => {
    await opened.db.run('delete from user_sessions');
    await opened.db.run(
      `insert into user_sessions (id, uid, user_id, expires_at, ended_at)
       values ('ses_1', 'key', $1, now() + interval '1 hour', $2::timestamptz)`,
      [ANA.id, end === 'ended' ? new Date().toISOString() : null],
    );
  };
  afterAll(() => opened.db.run('delete from user_sessions'));

  it.each([
    'ses_1',
    'key',
  ])('gives nothing, by a yes or in silence (known as %s)', async (session) => {
    const origin = { ...ORIGIN, session };
    const decidedAt = await epoch();
    await inSession('live');
    expect(await approve(opened.db, approval(decidedAt), origin)).toBeDefined();
    const consent = await findLiveConsent(opened.db.orm, approval(0));
    if (consent === undefined) throw new Error('no consent');
    const inSilence = () => createGrant(opened.db.orm, consent, ['files:read'], origin, decidedAt);
    expect(await inSilence()).toBeDefined();
    await inSession('ended');
    expect([await approve(opened.db, approval(decidedAt), origin), await inSilence()]).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe('M2: a sign-in whose password is changed while it is looked at', () => {
  const place = { userAgent: undefined, address: '127.0.0.9' };
  const signInWhile = (password: string, meanwhile: () => Promise<unknown>) =>
    createSignIn({
      db: opened.db,
      verify: async (known, typed) => {
        const fits = await verifyPassword(known, typed);
        await meanwhile();
        return fits;
      },
    })({ email: ANA.email, password, place, lifeSeconds: 60 });
  const set = async (password: string) =>
    opened.db.run('update users set password_hash = $1 where id = $2', [
      await hashPassword(password),
      ANA.id,
    ]);
  beforeEach(() => set(ANA.password).then(() => undefined));

  it('signs nobody in', async () => {
    const patch = { password: 'a password of today' };
    expect(
      await signInWhile(ANA.password, () => registry.users.patch('admin', ANA.id, patch)),
    ).toEqual({ ok: false, problem: 'wrong' });
    expect(await opened.db.run('select 1 from user_sessions')).toEqual([]);
  });

  it('signs nobody in who is disabled meanwhile, and whoever is only renamed', async () => {
    const disable = () => registry.users.disable('admin', ANA.id, 'meanwhile');
    expect(await signInWhile(ANA.password, disable)).toEqual({ ok: false, problem: 'wrong' });
    await registry.users.enable('admin', ANA.id);
    const rename = () => registry.users.patch('admin', ANA.id, { name: 'Ana' });
    expect(await signInWhile(ANA.password, rename)).toMatchObject({ ok: true, userId: ANA.id });
  });
});
