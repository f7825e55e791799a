/** What the consent page says besides the registry's words, in one statement: what this person decided before, and how long and how widely the agent has been about. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { consents } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import type { ConsentRow, ConsentSubject } from './store.js';

export interface Background {
  /** The live consent for this subject; it may have run out. */
  readonly earlier: ConsentRow | undefined;
  /** People who let the agent act for them now; never more than `PEOPLE_MAX`. */
  readonly people: number;
  /** When its description last changed. */
  readonly changedAtMs: number | undefined;
}

/** Whoever is used by more is used by many: counting on would only cost. */
export const PEOPLE_MAX = 1000;
/** One person may have let it act through several clients at several resources. */
const CONSENTS_READ_MAX = 5 * PEOPLE_MAX;

export async function findBackground(db: Executor, subject: ConsentSubject): Promise<Background> {
  const { userId, clientId, agentId, resource } = subject;
  const [row] = await db
    .select({
      earlier: consents,
      people: sql<number>`(select count(distinct user_id)::int from (
        select user_id from consents where agent_id = ${agentId} and ${agentId}::text <> ''
          and ended_at is null and expires_at > clock_timestamp() limit ${CONSENTS_READ_MAX}) as letting)`,
      changedAtMs: sql<number | null>`(select extract(epoch from max(at))::float8 * 1000
        from audit_events where agent_id = ${agentId} and type = 'registry.changed')`,
    })
    .from(sql`(select 1) as one`)
    .leftJoin(
      consents,
      and(
        eq(consents.userId, userId),
        eq(consents.clientId, clientId),
        eq(consents.agentId, agentId),
        eq(consents.resource, resource),
        isNull(consents.endedAt),
      ),
    );
  return {
    earlier: row?.earlier ?? undefined,
    people: Math.min(row?.people ?? 0, PEOPLE_MAX),
    changedAtMs: row?.changedAtMs ?? undefined,
  };
}
