/** SQL of initial access tokens. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, getTableColumns, gt, isNull, sql } from 'drizzle-orm';
import { initialAccessTokens } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { databaseNow } from '../registry/change.js';

export type InitialTokenRow = Omit<typeof initialAccessTokens.$inferSelect, 'tokenHash'>;

const { tokenHash: _hash, ...shown } = getTableColumns(initialAccessTokens);
const notRemoved = isNull(initialAccessTokens.removedAt);
/** Whoever shows it may still register with it. */
const isGood = and(
  isNull(initialAccessTokens.usedAt),
  notRemoved,
  gt(initialAccessTokens.expiresAt, databaseNow),
);

export async function insertInitialToken(
  tx: Executor,
  values: Pick<typeof initialAccessTokens.$inferInsert, 'id' | 'tokenHash' | 'name' | 'createdBy'>,
  expiry: Date | { readonly inSeconds: number },
): Promise<InitialTokenRow & { readonly expired: boolean; readonly lifeSeconds: number }> {
  const expiresAt =
    expiry instanceof Date
      ? expiry
      : (sql`clock_timestamp() + make_interval(secs => ${expiry.inSeconds})` as unknown as Date);
  const left = sql`extract(epoch from ${initialAccessTokens.expiresAt} - clock_timestamp())`;
  const [row] = await tx
    .insert(initialAccessTokens)
    .values({ ...values, createdAt: databaseNow, expiresAt })
    .returning({
      ...shown,
      expired: sql<boolean>`${left} <= 0`,
      lifeSeconds: sql<number>`floor(${left})::float8`,
    });
  return row as NonNullable<typeof row>;
}

export async function findInitialToken(
  db: Executor,
  id: string,
): Promise<InitialTokenRow | undefined> {
  const [row] = await db
    .select(shown)
    .from(initialAccessTokens)
    .where(and(eq(initialAccessTokens.id, id), notRemoved));
  return row;
}

/** By id, used and expired ones too, until they are removed or forgotten. */
export const listInitialTokens = (
  db: Executor,
  after: string,
  take: number,
): Promise<InitialTokenRow[]> =>
  db
    .select(shown)
    .from(initialAccessTokens)
    .where(and(gt(initialAccessTokens.id, after), notRemoved))
    .orderBy(asc(initialAccessTokens.id))
    .limit(take);

export async function removeInitialToken(tx: Executor, id: string): Promise<boolean> {
  const rows = await tx
    .update(initialAccessTokens)
    .set({ removedAt: databaseNow })
    .where(and(eq(initialAccessTokens.id, id), notRemoved))
    .returning({ id: initialAccessTokens.id });
  return rows.length > 0;
}

/** Whether it could be used now: asked before anything else is looked at, and burns nothing. */
export async function isGoodInitialToken(db: Executor, tokenHash: string): Promise<boolean> {
  const rows = await db
    .select({ id: initialAccessTokens.id })
    .from(initialAccessTokens)
    .where(and(eq(initialAccessTokens.tokenHash, tokenHash), isGood));
  return rows.length > 0;
}

/** Uses it up for a client: of many at once, one. `undefined`: it was too late, or never good. */
export async function useInitialToken(
  tx: Executor,
  tokenHash: string,
  clientId: string,
): Promise<string | undefined> {
  const [used] = await tx
    .update(initialAccessTokens)
    .set({ usedAt: databaseNow, usedBy: clientId })
    .where(and(eq(initialAccessTokens.tokenHash, tokenHash), isGood))
    .returning({ id: initialAccessTokens.id });
  return used?.id;
}
