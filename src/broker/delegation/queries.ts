/** Lists of consents and grants for operators and for the user's own page. Read only. */
import { and, desc, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import type { ConsentRow, GrantRow } from './store.js';

export interface DelegationFilter {
  readonly userId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly live?: boolean | undefined;
  /** Created before this instant: the cursor. */
  readonly before?: Date | undefined;
  readonly limit?: number | undefined;
}

const PAGE_MAX = 200;

/** Newest first. */
export async function listConsents(db: Executor, filter: DelegationFilter): Promise<ConsentRow[]> {
  return db
    .select()
    .from(consents)
    .where(conditions(consents, filter))
    .orderBy(desc(consents.createdAt))
    .limit(Math.min(filter.limit ?? 50, PAGE_MAX));
}

/** Newest first. */
export async function listGrants(db: Executor, filter: DelegationFilter): Promise<GrantRow[]> {
  return db
    .select()
    .from(grants)
    .where(conditions(grants, filter))
    .orderBy(desc(grants.createdAt))
    .limit(Math.min(filter.limit ?? 50, PAGE_MAX));
}

function conditions(table: typeof consents | typeof grants, filter: DelegationFilter) {
  return and(
    filter.userId === undefined ? undefined : eq(table.userId, filter.userId),
    filter.agentId === undefined ? undefined : eq(table.agentId, filter.agentId),
    filter.clientId === undefined ? undefined : eq(table.clientId, filter.clientId),
    filter.live === true
      ? and(isNull(table.endedAt), gt(table.expiresAt, sql`clock_timestamp()`))
      : undefined,
    filter.before === undefined ? undefined : lt(table.createdAt, filter.before),
  );
}
