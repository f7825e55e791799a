// What is alive in the tables, by name: two of these, compared, show what an attack left behind.
import type { Database } from '../../../src/broker/db/database.js';

export type Kind = 'token' | 'code' | 'refresh' | 'session' | 'grant' | 'consent';

/** `kind id` of everything alive. */
export type Living = ReadonlySet<string>;

const STOPPED = `exists (select 1 from revocations r
  where (r.key in (a.jti, a.sub, a.client_id, a.agent_id) or starts_with(a.jti, r.key || '.'))
    and (r.always or date_trunc('second', r.revoked_at) >= date_trunc('second', a.at)))`;
const HANGS = `left join grants g on g.id = a.grant_id left join consents c on c.id = g.consent_id`;
const STANDS = 'g.ended_at is null and c.ended_at is null';

const LIVING = `
select 'token ' || a.jti as name from audit_events a ${HANGS}
  where a.type = 'token.issued' and a.id > $1 and ${STANDS} and not ${STOPPED}
union all
select case a.model when 'AuthorizationCode' then 'code ' else 'refresh ' end || a.id from artifacts a ${HANGS}
  where a.model in ('AuthorizationCode', 'RefreshToken') and a.consumed_at is null
    and a.expires_at > clock_timestamp() and ${STANDS}
union all
select 'session ' || uid || ' ' || (payload ->> 'accountId') from artifacts
  where model = 'Session' and payload ? 'accountId' and expires_at > clock_timestamp()
union all
select 'grant ' || g.id from grants g join consents c on c.id = g.consent_id
  where ${STANDS} and g.expires_at > clock_timestamp()
union all
select 'consent ' || id || ' ' || array_to_string(granted, ' ') from consents
  where ended_at is null and expires_at > clock_timestamp()`;

/** Tokens recorded after the event `since`, and everything else that lives now. */
export async function living(db: Database, since: number): Promise<Living> {
  const rows = await db.run<{ name: string }>(LIVING, [since]);
  return new Set(rows.map(({ name }) => name));
}

export async function lastEventId(db: Database): Promise<number> {
  const [row] = await db.run<{ id: string | null }>('select max(id) as id from audit_events');
  return Number(row?.id ?? 0);
}

export const kindOf = (name: string): Kind => name.slice(0, name.indexOf(' ')) as Kind;

export interface Event {
  readonly id: number;
  readonly type: string;
  readonly text: string;
}

export const eventsSince = (db: Database, since: number): Promise<Event[]> =>
  db.run<Event>('select id, type, a::text as text from audit_events a where id > $1 order by id', [
    since,
  ]);

/** Every table as text: what somebody with a dump of the database could read. */
export async function dump(db: Database): Promise<string> {
  const tables = await db.run<{ name: string }>(
    `select table_name as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  const parts = await Promise.all(
    tables.map(({ name }) => db.run<{ row: string }>(`select t::text as row from "${name}" t`)),
  );
  return parts.flatMap((rows) => rows.map(({ row }) => row)).join('\n');
}
