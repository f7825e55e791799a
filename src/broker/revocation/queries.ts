/** Facts as operators see them: who stopped what, when and why. Read only. */
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { revocations } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';

export type RevocationRow = typeof revocations.$inferSelect;

export interface RevocationFilter {
  /** The id of an agent, client, user, consent or credential; a path; `kid:…`. */
  readonly key?: string | undefined;
  readonly by?: string | undefined;
  /** Whether it stops everything, or only what is older. */
  readonly always?: boolean | undefined;
  /** Facts older than this id. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export async function findRevocation(db: Executor, id: number): Promise<RevocationRow | undefined> {
  const [row] = await db.select().from(revocations).where(eq(revocations.id, id));
  return row;
}

/** Those that still stop something, newest first. */
export const listRevocations = (
  db: Executor,
  { key, by, always, before, limit }: RevocationFilter,
): Promise<RevocationRow[]> =>
  db
    .select()
    .from(revocations)
    .where(
      and(
        gt(revocations.until, sql`clock_timestamp()`),
        key === undefined ? undefined : eq(revocations.key, key),
        by === undefined ? undefined : eq(revocations.by, by),
        always === undefined ? undefined : eq(revocations.always, always),
        before === undefined ? undefined : lt(revocations.id, before),
      ),
    )
    .orderBy(desc(revocations.id))
    .limit(limit);
