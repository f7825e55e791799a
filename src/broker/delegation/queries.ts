/** Lists of consents and grants for operators and for the user's own page. Read only. */
import { and, desc, eq, lt, or, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import type { ConsentRow, GrantRow } from './store.js';

export interface DelegationFilter {
  readonly userId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly resource?: string | undefined;
  /** Of grants: the one they hang on. */
  readonly consentId?: string | undefined;
  /** True: neither ended nor expired; false: one of the two; absent: both kinds. */
  readonly live?: boolean | undefined;
  /** The last one of the page before. */
  readonly before?: { readonly createdAt: Date; readonly id: string } | undefined;
  readonly limit?: number | undefined;
}

const PAGE_MAX = 200;

/** Newest first. */
export async function listConsents(db: Executor, filter: DelegationFilter): Promise<ConsentRow[]> {
  return db
    .select()
    .from(consents)
    .where(conditions(consents, filter))
    .orderBy(desc(consents.createdAt), desc(consents.id))
    .limit(Math.min(filter.limit ?? 50, PAGE_MAX));
}

/** Newest first. */
export async function listGrants(db: Executor, filter: DelegationFilter): Promise<GrantRow[]> {
  return db
    .select()
    .from(grants)
    .where(conditions(grants, filter))
    .orderBy(desc(grants.createdAt), desc(grants.id))
    .limit(Math.min(filter.limit ?? 50, PAGE_MAX));
}

/** Whatever became of it. */
export async function findConsent(db: Executor, id: string): Promise<ConsentRow | undefined> {
  const [row] = await db.select().from(consents).where(eq(consents.id, id));
  return row;
}

/** Whatever became of it. */
export async function findGrant(db: Executor, id: string): Promise<GrantRow | undefined> {
  const [row] = await db.select().from(grants).where(eq(grants.id, id));
  return row;
}

function conditions(table: typeof consents | typeof grants, filter: DelegationFilter) {
  return and(
    filter.userId === undefined ? undefined : eq(table.userId, filter.userId),
    filter.agentId === undefined ? undefined : eq(table.agentId, filter.agentId),
    filter.clientId === undefined ? undefined : eq(table.clientId, filter.clientId),
    filter.resource === undefined ? undefined : eq(table.resource, filter.resource),
    filter.consentId === undefined || !('consentId' in table)
      ? undefined
      : eq(table.consentId, filter.consentId),
    filter.live === undefined ? undefined : eq(isLive(table), filter.live),
    filter.before === undefined ? undefined : olderThan(table, filter.before),
  );
}

const isLive = (table: typeof consents | typeof grants) =>
  sql<boolean>`(${table.endedAt} is null and ${table.expiresAt} > clock_timestamp())`;

/** Two of the same millisecond are told apart by their ids: no page skips one (P12). */
const olderThan = (
  table: typeof consents | typeof grants,
  { createdAt, id }: { readonly createdAt: Date; readonly id: string },
) => or(lt(table.createdAt, createdAt), and(eq(table.createdAt, createdAt), lt(table.id, id)));
