/**
 * Says in the log, once a day, which credentials will soon prove nothing: nobody looks at a list every
 * day. What another one of its kind already takes the place of is not worth a word. Every process says
 * it for itself; decides nothing.
 */
import type { Logger } from 'pino';
import type { Database } from '../db/database.js';

const EVERY_MS = 24 * 3600_000;
/** Time for whoever is away to come back. */
const AHEAD_DAYS = 14;
const WARNINGS_MAX = 100;

const EXPIRING = `
select c.id as credential, c.principal, c.name, c.expires_at from credentials c
where c.removed_at is null and c.expires_at > clock_timestamp()
  and c.expires_at < clock_timestamp() + make_interval(days => $1::int)
  and not exists (select from credentials o
    where o.principal = c.principal and o.kind = c.kind and o.removed_at is null
      and o.created_at > c.created_at and (o.expires_at is null or o.expires_at > c.expires_at))
order by c.expires_at, c.id limit $2::int`;

/** A chore to be called often: it does something once a day. */
export function createExpiryWarnings(deps: {
  readonly db: Database;
  readonly now: () => number;
  readonly log: Pick<Logger, 'warn'>;
}): () => Promise<void> {
  const { db, now, log } = deps;
  let dueAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (now() < dueAtMs) return;
    const rows = await db.run<Record<string, unknown>>(EXPIRING, [AHEAD_DAYS, WARNINGS_MAX]);
    dueAtMs = now() + EVERY_MS;
    for (const row of rows) log.warn(row, 'a credential expires soon: rotate it');
  };
}
