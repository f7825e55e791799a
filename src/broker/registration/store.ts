/**
 * SQL of registrations (RFC 7591, RFC 7592): who registered, how many, since when unused. A registration
 * is live until it is deleted, and of use only while its client is active. Callers bring the transaction.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import { clientRegistrations, clients } from '../../../schema/index.js';
import { type Executor, rowsOf } from '../db/database.js';
import { REGISTRATION_UNUSED_SECONDS, REGISTRATIONS_MAX } from '../limits.js';

export type RegisteredClient = typeof clients.$inferSelect;
export type Registration = typeof clientRegistrations.$inferSelect;

export interface Registered {
  readonly registration: Registration;
  readonly client: RegisteredClient;
}

const isLive = and(
  isNull(clientRegistrations.deletedAt),
  eq(clients.status, 'active'),
  eq(clients.origin, 'registration'),
);

async function findOne(db: Executor, which: SQL): Promise<Registered | undefined> {
  const [row] = await db
    .select({ registration: clientRegistrations, client: clients })
    .from(clientRegistrations)
    .innerJoin(clients, eq(clients.id, clientRegistrations.clientId))
    .where(and(which, isLive));
  return row;
}

export const findRegistered = (db: Executor, clientId: string): Promise<Registered | undefined> =>
  findOne(db, eq(clientRegistrations.clientId, clientId));

/** Whoever said the very same before, if it may be shared. */
export const findTwin = (db: Executor, fingerprint: string): Promise<Registered | undefined> =>
  findOne(db, eq(clientRegistrations.fingerprint, fingerprint));

const HOUR_SECONDS = 3600;

export interface Quotas {
  /** In an hour, of those an operator did not ask for (without an initial access token). */
  readonly perNetwork: number;
  readonly total: number;
}

export interface NewRegistration {
  readonly clientId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly fingerprint: string;
  readonly tokenHash: string;
  readonly initialTokenId: string | undefined;
  readonly networkHash: string;
}

/** Counted are those of the last hour that came without an initial access token; bounded, all alive. */
function within(networkHash: string, { perNetwork, total }: Quotas, isCounted: boolean): SQL {
  const all = sql`(select count(*) from client_registrations r
    where r.deleted_at is null) < ${REGISTRATIONS_MAX}::int`;
  if (!isCounted) return all;
  const recent = sql`r.initial_token_id is null
    and r.created_at > clock_timestamp() - make_interval(secs => ${HOUR_SECONDS})`;
  return sql`(select count(*) from client_registrations r
      where r.network_hash = ${networkHash} and ${recent}) < ${perNetwork}::int
    and (select count(*) from client_registrations r where ${recent}) < ${total}::int
    and ${all}`;
}

/** Whether another one is worth a transaction: a flood that is refused holds no lock. */
export async function hasRoom(db: Executor, networkHash: string, quotas: Quotas): Promise<boolean> {
  const [row] = rowsOf<{ room: boolean }>(
    await db.execute(sql`select ${within(networkHash, quotas, true)} as room`),
  );
  return row?.room === true;
}

/**
 * Counts and writes in one statement (K8), under the lock that every registration holds: processes that
 * share a database agree on how many there were. Who came with an initial access token is counted by
 * whoever made that; the bound on all that are alive holds for everybody.
 *
 * @returns whether there was room
 */
export async function insertWithinQuotas(
  tx: Executor,
  { clientId, metadata, fingerprint, tokenHash, initialTokenId, networkHash }: NewRegistration,
  quotas: Quotas,
): Promise<boolean> {
  const written = await tx.execute(sql`
    insert into client_registrations
      (client_id, metadata, fingerprint, token_hash, initial_token_id, network_hash, created_at, expires_at)
    select ${clientId}, ${JSON.stringify(metadata)}::text::jsonb, ${fingerprint}, ${tokenHash},
      ${initialTokenId ?? null}, ${networkHash}, clock_timestamp(),
      clock_timestamp() + make_interval(secs => ${REGISTRATION_UNUSED_SECONDS})
    where ${within(networkHash, quotas, initialTokenId === undefined)}
    returning client_id`);
  return rowsOf(written).length > 0;
}

/** When the oldest of the last hour leaves the count; never longer than that. */
export async function roomInSeconds(db: Executor, networkHash: string): Promise<number> {
  const [row] = rowsOf<{ seconds: number | null }>(
    await db.execute(sql`
      select ceil(${HOUR_SECONDS} - extract(epoch from clock_timestamp() - min(r.created_at)))::float8
        as seconds
      from client_registrations r
      where r.network_hash = ${networkHash} and r.initial_token_id is null
        and r.created_at > clock_timestamp() - make_interval(secs => ${HOUR_SECONDS})`),
  );
  return Math.max(1, Math.min(Number(row?.seconds ?? HOUR_SECONDS), HOUR_SECONDS));
}

/** Nobody manages it alone any more. @returns whether somebody did */
export async function withdrawManagement(tx: Executor, clientId: string): Promise<boolean> {
  const rows = await tx
    .update(clientRegistrations)
    .set({ tokenHash: null })
    .where(
      and(
        eq(clientRegistrations.clientId, clientId),
        isNull(clientRegistrations.deletedAt),
        sql`${clientRegistrations.tokenHash} is not null`,
      ),
    )
    .returning({ id: clientRegistrations.clientId });
  return rows.length > 0;
}

/** Whoever is given it now has as long as whoever registered it had; at most one write an hour. */
export async function prolongUnused(tx: Executor, clientId: string): Promise<void> {
  const full = sql`clock_timestamp() + make_interval(secs => ${REGISTRATION_UNUSED_SECONDS})`;
  await tx
    .update(clientRegistrations)
    .set({ expiresAt: full as unknown as Date })
    .where(
      and(
        eq(clientRegistrations.clientId, clientId),
        isNull(clientRegistrations.deletedAt),
        sql`${clientRegistrations.expiresAt} < ${full} - make_interval(secs => ${HOUR_SECONDS})`,
      ),
    );
}

/** Puts another registration access token in place of this one: of many at once, one. */
export async function rotateToken(
  tx: Executor,
  clientId: string,
  {
    from,
    to,
    metadata,
  }: {
    readonly from: string;
    readonly to: string;
    readonly metadata: Readonly<Record<string, unknown>>;
  },
): Promise<boolean> {
  const rows = await tx
    .update(clientRegistrations)
    .set({ tokenHash: to, metadata, fingerprint: to })
    .where(managedWith(clientId, from))
    .returning({ id: clientRegistrations.clientId });
  return rows.length > 0;
}

/** Uses the token up with the registration: of many at once, one. */
export async function deleteWithToken(
  tx: Executor,
  clientId: string,
  tokenHash: string,
): Promise<boolean> {
  const rows = await tx
    .update(clientRegistrations)
    .set({ tokenHash: null })
    .where(managedWith(clientId, tokenHash))
    .returning({ id: clientRegistrations.clientId });
  return rows.length > 0;
}

const managedWith = (clientId: string, tokenHash: string) =>
  and(
    eq(clientRegistrations.clientId, clientId),
    eq(clientRegistrations.tokenHash, tokenHash),
    isNull(clientRegistrations.deletedAt),
  );
