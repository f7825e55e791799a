/**
 * SQL of trusted issuers, and of whom they mean. Single statements, each atomic by itself; callers
 * bring the transaction.
 */
import { and, asc, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import { credentials, trustedIssuers, userIdentities } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { databaseNow } from '../registry/change.js';
import { nameHas } from '../registry/page.js';

export type TrustedIssuerRow = typeof trustedIssuers.$inferSelect;
export type TrustedIssuerValues = typeof trustedIssuers.$inferInsert;
export type IdentityRow = typeof userIdentities.$inferSelect;

export async function findIssuer(
  db: Executor,
  issuer: string,
): Promise<TrustedIssuerRow | undefined> {
  const [row] = await db.select().from(trustedIssuers).where(eq(trustedIssuers.issuer, issuer));
  return row;
}

export interface IssuerFilter {
  readonly status?: string | undefined;
  readonly purpose?: string | undefined;
  /** Part of its name. */
  readonly q?: string | undefined;
}

/** By issuer; retired ones are left out unless asked for. */
export const listIssuerRows = (
  db: Executor,
  { status = 'active', purpose, q }: IssuerFilter,
  after: string,
  take: number,
): Promise<TrustedIssuerRow[]> =>
  db
    .select()
    .from(trustedIssuers)
    .where(
      and(
        gt(trustedIssuers.issuer, after),
        eq(trustedIssuers.status, status),
        purpose === undefined ? undefined : sql`${purpose}::text = any(${trustedIssuers.purposes})`,
        q === undefined ? undefined : nameHas(trustedIssuers.name, q),
      ),
    )
    .orderBy(asc(trustedIssuers.issuer))
    .limit(take);

/** A new one, or one that was retired and is trusted again: nothing it said before then counts. */
export async function upsertIssuer(
  db: Executor,
  values: TrustedIssuerValues,
): Promise<TrustedIssuerRow> {
  const { issuer: _key, ...set } = values;
  const again = { ...set, status: 'active', notBefore: databaseNow };
  const [row] = await db
    .insert(trustedIssuers)
    .values(values)
    .onConflictDoUpdate({ target: trustedIssuers.issuer, set: again })
    .returning();
  return row as TrustedIssuerRow;
}

export async function updateIssuer(
  db: Executor,
  issuer: string,
  values: Partial<TrustedIssuerValues>,
): Promise<TrustedIssuerRow> {
  const [row] = await db
    .update(trustedIssuers)
    .set(values)
    .where(eq(trustedIssuers.issuer, issuer))
    .returning();
  return row as TrustedIssuerRow;
}

export async function vouchesForWorkloads(db: Executor, issuer: string): Promise<boolean> {
  const row = await findIssuer(db, issuer);
  return row?.status === 'active' && row.purposes.includes('workload');
}

/** Credentials that are the word of this platform or attester, and not removed. */
export const credentialsBy = (
  db: Executor,
  issuer: string,
): Promise<{ id: string; principal: string }[]> =>
  db
    .select({ id: credentials.id, principal: credentials.principal })
    .from(credentials)
    .where(
      and(
        inArray(credentials.kind, ['workload', 'attestation']),
        isNull(credentials.removedAt),
        sql`${credentials.rule} ->> 'issuer' = ${issuer}`,
      ),
    );

export async function findIdentity(
  db: Executor,
  issuer: string,
  subject: string,
): Promise<IdentityRow | undefined> {
  const [row] = await db
    .select()
    .from(userIdentities)
    .where(and(eq(userIdentities.issuer, issuer), eq(userIdentities.subject, subject)));
  return row;
}

export const identitiesOf = (db: Executor, userId: string): Promise<IdentityRow[]> =>
  db
    .select()
    .from(userIdentities)
    .where(eq(userIdentities.userId, userId))
    .orderBy(asc(userIdentities.issuer), asc(userIdentities.subject));

/** One that meant somebody who is retired may mean somebody else. */
export async function putIdentity(
  db: Executor,
  { issuer, subject, userId, createdBy }: Omit<IdentityRow, 'createdAt'>,
): Promise<IdentityRow> {
  const set = { userId, createdBy, createdAt: databaseNow };
  const [row] = await db
    .insert(userIdentities)
    .values({ issuer, subject, userId, createdBy })
    .onConflictDoUpdate({ target: [userIdentities.issuer, userIdentities.subject], set })
    .returning();
  return row as IdentityRow;
}

/** @returns whether it was there */
export async function removeIdentityRow(
  db: Executor,
  { issuer, subject, userId }: Pick<IdentityRow, 'issuer' | 'subject' | 'userId'>,
): Promise<boolean> {
  const gone = await db
    .delete(userIdentities)
    .where(
      and(
        eq(userIdentities.issuer, issuer),
        eq(userIdentities.subject, subject),
        eq(userIdentities.userId, userId),
      ),
    )
    .returning({ userId: userIdentities.userId });
  return gone.length > 0;
}
