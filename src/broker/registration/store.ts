/**
 * SQL of registrations (RFC 7591, RFC 7592): who registered, how many, since when unused. A registration
 * is live until it is deleted, and of use only while its client is active. Callers bring the transaction.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import { clientRegistrations, clients } from '../../../schema/index.js';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import {
  REGISTRATION_DISUSED_SECONDS,
  REGISTRATION_UNUSED_SECONDS,
  REGISTRATIONS_MAX,
} from '../limits.js';

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
  { perNetwork, total }: Quotas,
): Promise<boolean> {
  const recent = sql`r.initial_token_id is null
    and r.created_at > clock_timestamp() - make_interval(secs => ${HOUR_SECONDS})`;
  const bounded =
    initialTokenId === undefined
      ? sql`(select count(*) from client_registrations r
            where r.network_hash = ${networkHash} and ${recent}) < ${perNetwork}::int
          and (select count(*) from client_registrations r where ${recent}) < ${total}::int`
      : sql`true`;
  const written = await tx.execute(sql`
    insert into client_registrations
      (client_id, metadata, fingerprint, token_hash, initial_token_id, network_hash, created_at, expires_at)
    select ${clientId}, ${JSON.stringify(metadata)}::text::jsonb, ${fingerprint}, ${tokenHash},
      ${initialTokenId ?? null}, ${networkHash}, clock_timestamp(),
      clock_timestamp() + make_interval(secs => ${REGISTRATION_UNUSED_SECONDS})
    where ${bounded}
      and (select count(*) from client_registrations r where r.deleted_at is null) < ${REGISTRATIONS_MAX}
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

/** For `clients/last-use.ts`: a client was seen at the authorization or token endpoint. */
export const WRITE_CLIENT_USE = `
update client_registrations r set last_used_at = u.at, expires_at = null
from (select n.key as id, to_timestamp(n.value::float8 / 1000) as at
      from jsonb_each_text($1::text::jsonb) as n) as u
where r.client_id = u.id and r.deleted_at is null
  and (r.last_used_at is null or r.last_used_at < u.at)`;

/** Uses are written once a minute: nobody is gone before theirs can have been. */
const NOTED_WITHIN_SECONDS = 180;

const isDue = sql`r.deleted_at is null and (
    r.expires_at < clock_timestamp() - make_interval(secs => ${NOTED_WITHIN_SECONDS})
    or r.expires_at is null
      and r.last_used_at < clock_timestamp() - make_interval(secs => ${REGISTRATION_DISUSED_SECONDS}))`;

export interface Due {
  readonly clientId: string;
  readonly everUsed: boolean;
}

/** Those nobody would miss, locked until the transaction ends: a use that comes meanwhile waits. */
export async function dueRegistrations(tx: Executor, rowsMax: number): Promise<readonly Due[]> {
  return rowsOf<Due>(
    await tx.execute(sql`
      select r.client_id as "clientId", r.last_used_at is not null as "everUsed"
      from client_registrations r join clients c on c.id = r.client_id and c.status = 'active'
      where ${isDue} order by r.client_id limit ${rowsMax} for update of r`),
  );
}

export async function anyDue(db: Executor): Promise<boolean> {
  const rows = rowsOf(
    await db.execute(sql`
      select 1 from client_registrations r join clients c on c.id = r.client_id and c.status = 'active'
      where ${isDue} limit 1`),
  );
  return rows.length > 0;
}

/**
 * Forgets registrations that ended a day ago, and where they were never used the client too: nothing
 * ever hung on it, and its random id does not come again. What anybody can write is bounded (K8).
 */
export async function forgetRegistrations(db: Database, rowsMax: number): Promise<number> {
  const rows = await db.run(
    `with gone as (
       delete from client_registrations where client_id in (
         select client_id from client_registrations
         where deleted_at < clock_timestamp() - interval '1 day' limit $1::int)
       returning client_id, last_used_at),
     unused as (
       delete from clients c using gone g where c.id = g.client_id and g.last_used_at is null
         and c.origin = 'registration' and c.status = 'retired'
         and not exists (select from consents k where k.client_id = c.id)
       returning c.id),
     keys as (delete from credentials x using unused u where x.principal = u.id returning x.id)
     select client_id from gone`,
    [rowsMax],
  );
  return rows.length;
}
