/** SQL of credentials. Single statements, each atomic by itself; callers bring the transaction. */
import { type AnyColumn, and, asc, eq, getTableColumns, isNull, type SQL, sql } from 'drizzle-orm';
import { clients, credentials } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { databaseNow } from '../registry/change.js';

export type CredentialRow = typeof credentials.$inferSelect;
/** By the database's clock. */
export type KnownCredential = CredentialRow & { readonly expired: boolean };
export type NewCredentialRow = typeof credentials.$inferInsert;

const known = {
  ...getTableColumns(credentials),
  expired: sql<boolean>`coalesce(${credentials.expiresAt} <= clock_timestamp(), false)`,
};

/** Credentials not removed, expired ones included, oldest first. Bounded by what may be added. */
export const liveCredentials = (
  db: Executor,
  principal: string,
  expiringWithinSeconds?: number,
): Promise<KnownCredential[]> =>
  db
    .select(known)
    .from(credentials)
    .where(
      and(
        eq(credentials.principal, principal),
        isNull(credentials.removedAt),
        expiringWithinSeconds === undefined ? undefined : isEnding(expiringWithinSeconds),
      ),
    )
    .orderBy(asc(credentials.createdAt), asc(credentials.id));

export async function insertCredential(
  db: Executor,
  row: NewCredentialRow,
): Promise<KnownCredential> {
  const [inserted] = await db.insert(credentials).values(row).returning(known);
  return inserted as KnownCredential;
}

/** Marks a live credential of this principal removed; `undefined` if there is none such. */
export async function removeCredentialRow(
  db: Executor,
  principal: string,
  id: string,
): Promise<CredentialRow | undefined> {
  const [removed] = await db
    .update(credentials)
    .set({ removedAt: databaseNow })
    .where(
      and(
        eq(credentials.id, id),
        eq(credentials.principal, principal),
        isNull(credentials.removedAt),
      ),
    )
    .returning();
  return removed;
}

/** Brings a credential's end nearer, never further away. */
export async function endCredentialWithin(
  db: Executor,
  id: string,
  seconds: number,
): Promise<void> {
  const end = sql`clock_timestamp() + make_interval(secs => ${seconds})`;
  await db
    .update(credentials)
    .set({ expiresAt: sql`least(${credentials.expiresAt}, ${end})` as unknown as Date })
    .where(eq(credentials.id, id));
}

/** Changes what is said of a key (its name, its algorithm), never the key. */
export async function describeKey(
  db: Executor,
  id: string,
  jwk: NonNullable<CredentialRow['jwk']>,
): Promise<void> {
  await db.update(credentials).set({ jwk }).where(eq(credentials.id, id));
}

/**
 * A client that came by itself, or is what a document says, showed a key that anybody could have shown:
 * nobody proved to hold it.
 */
const isVouchedFor = (principal: AnyColumn | string): SQL =>
  sql`not exists (select from ${clients} c where c.id = ${principal}
    and (c.origin <> 'operator' or c.id like 'https://%'))`;

/**
 * Uses ever made of this key, removed ones included: the principal's own, and those of others, as far as
 * somebody answers for both of them.
 */
export const usesOfKey = (
  db: Executor,
  thumbprint: string,
  principal: string,
): Promise<CredentialRow[]> =>
  db
    .select()
    .from(credentials)
    .where(
      and(
        eq(credentials.thumbprint, thumbprint),
        sql`(${credentials.principal} = ${principal}
          or ${isVouchedFor(credentials.principal)} and ${isVouchedFor(principal)})`,
      ),
    )
    .limit(10);

/** Who has this name in a certificate prove them now; a name may move, a certificate may not. */
export const usesOfRule = (
  db: Executor,
  rule: Readonly<Record<string, unknown>>,
): Promise<CredentialRow[]> =>
  db
    .select()
    .from(credentials)
    .where(
      and(
        eq(credentials.kind, 'certificate'),
        isNull(credentials.removedAt),
        sql`${credentials.rule} = ${JSON.stringify(rule)}::text::jsonb`,
      ),
    )
    .limit(1);

/** Still good, but not for long. */
const isEnding = (seconds: number): SQL =>
  sql`${credentials.expiresAt} > clock_timestamp()
    and ${credentials.expiresAt} <= clock_timestamp() + make_interval(secs => ${seconds})`;

const unexpired = (principal: AnyColumn): SQL =>
  sql`${credentials.principal} = ${principal} and ${credentials.removedAt} is null
    and ${credentials.expiresAt} > clock_timestamp()`;

/** A column of a list of principals: when the next of their credentials expires, if one does. */
export const nextExpiry = (principal: AnyColumn) =>
  sql<Date | null>`(select min(${credentials.expiresAt}) from ${credentials} where ${unexpired(principal)})`.mapWith(
    credentials.expiresAt,
  );

/** Principals one of whose credentials expires soon. */
export const expiresWithin = (principal: AnyColumn, seconds: number): SQL =>
  sql`exists (select 1 from ${credentials} where ${unexpired(principal)}
    and ${isEnding(seconds)})`;
