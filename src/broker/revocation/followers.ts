/**
 * Who follows the feed and how far (DESIGN §6): followers that authenticate acknowledge what they
 * have applied, which is what receipts show. Ids of facts are assigned under the gate's exclusive
 * lock, so whoever has applied one has applied every fact before it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { lt, sql } from 'drizzle-orm';
import { feedFollowers } from '../../../schema/index.js';
import type { Database, Executor } from '../db/database.js';
import { FACT_LIFE_SECONDS } from '../limits.js';

/** One process of a resource server. */
export interface Follower {
  readonly clientId: string;
  readonly resource: string;
  readonly instance: string;
}

export interface Confirmation extends Follower {
  /** When it had applied the fact; absent: it has not said so. */
  readonly at: Date | undefined;
  readonly seenAt: Date;
}

/** Verifiers are heard of at least every 20 s: one this silent before a stop was not there any more. */
export const AWAY_SECONDS = 60;

const ACKNOWLEDGE = `
insert into feed_followers (client_id, resource, instance, position)
select $1, $2, $3, $4::bigint from policy_epoch where last_fact >= $4::bigint
on conflict (client_id, resource, instance, position) do update set seen_at = clock_timestamp()
returning 1`;

/** False: the feed has not come that far. */
export async function acknowledge(
  db: Database,
  { clientId, resource, instance }: Follower,
  position: number,
): Promise<boolean> {
  const rows = await db.run(ACKNOWLEDGE, [clientId, resource, instance, position]);
  return rows.length > 0;
}

const CONFIRMATIONS = `
select client_id, resource, instance, max(seen_at) as seen_at,
  min(at) filter (where position >= $1::bigint) as at
from feed_followers
group by client_id, resource, instance
having bool_or(position >= $1::bigint)
  or max(seen_at) > coalesce((select revoked_at from revocations where id = $1::bigint), clock_timestamp())
     - make_interval(secs => ${AWAY_SECONDS})
order by client_id, resource, instance`;

interface ConfirmationRow {
  readonly client_id: string;
  readonly resource: string;
  readonly instance: string;
  readonly seen_at: Date | string;
  readonly at: Date | string | null;
}

/** Who was following when a fact was written, or has confirmed it since. */
export async function confirmationsOf(db: Database, factId: number): Promise<Confirmation[]> {
  const rows = await db.run<ConfirmationRow>(CONFIRMATIONS, [factId]);
  return rows.map((row) => ({
    clientId: row.client_id,
    resource: row.resource,
    instance: row.instance,
    at: row.at === null ? undefined : new Date(row.at),
    seenAt: new Date(row.seen_at),
  }));
}

const WAIT_MS = 1000;
const LOOK_EVERY_MS = 100;

/** Which followers have confirmed a fact; waits a moment for those that follow. */
export async function awaitConfirmations(db: Database, factId: number): Promise<Confirmation[]> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const followers = await confirmationsOf(db, factId);
    const isDone = followers.every(({ at }) => at !== undefined);
    if (isDone || waitedMs >= WAIT_MS) return followers;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Steps so old that every fact they confirm is forgotten; at most `limit` a call. */
export async function forgetFollowers(db: Executor, limit: number): Promise<number> {
  const old = db
    .select({ ctid: sql`ctid` })
    .from(feedFollowers)
    .where(
      lt(
        feedFollowers.seenAt,
        sql`clock_timestamp() - make_interval(secs => ${FACT_LIFE_SECONDS})`,
      ),
    )
    .limit(limit);
  const gone = await db
    .delete(feedFollowers)
    .where(sql`ctid in (${old})`)
    .returning({ position: feedFollowers.position });
  return gone.length;
}
