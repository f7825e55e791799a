/** SQL of how registrations end: when each was last used, which are due, which can be forgotten. */
import { sql } from 'drizzle-orm';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import { REGISTRATION_DISUSED_SECONDS } from '../limits.js';

/** For `clients/last-use.ts`: a client was given a token. */
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
