/**
 * Consents and grants in SQL: what a user decided, and each authorization that hangs on it. Ends
 * are durable columns that every stateful step reads; stopping goes through `narrow`, so no token
 * in flight slips past.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import { isSubset } from '../../protocol/index.js';
import { record } from '../audit/store.js';
import { type Database, type Executor, isDuplicate } from '../db/database.js';
import { newId } from '../ids.js';
import { narrow } from '../revocation/store.js';

export type ConsentRow = typeof consents.$inferSelect;
export type GrantRow = typeof grants.$inferSelect;

/** Who and where; an empty agent or resource means none. */
export interface ConsentSubject {
  readonly userId: string;
  readonly clientId: string;
  readonly agentId: string;
  readonly resource: string;
}

export async function findLiveConsent(
  db: Executor,
  subject: ConsentSubject,
): Promise<ConsentRow | undefined> {
  const [row] = await db
    .select()
    .from(consents)
    .where(
      and(
        eq(consents.userId, subject.userId),
        eq(consents.clientId, subject.clientId),
        eq(consents.agentId, subject.agentId),
        eq(consents.resource, subject.resource),
        isNull(consents.endedAt),
      ),
    );
  return row;
}

export interface Approval extends ConsentSubject {
  readonly clientHash: string;
  /** Everything the page showed. */
  readonly offered: readonly string[];
  /** What was ticked and is still allowed. */
  readonly granted: readonly string[];
  readonly lifeSeconds: number;
}

/**
 * Writes a decision and the grant for this authorization, in one transaction with its audit events.
 * A live consent for the same subject is widened in place; if the new decision takes something
 * back, or the client now describes itself otherwise, it ends, and with it everything it gave, so
 * that unticking a scope means what it says.
 */
export async function approve(
  db: Database,
  approval: Approval,
  requestId: string | undefined,
): Promise<GrantRow> {
  const previous = await findLiveConsent(db.orm, approval);
  if (previous === undefined) {
    try {
      return await db.transaction(async (tx) =>
        recordApproval(tx, await insertConsent(tx, approval), approval, requestId),
      );
    } catch (error) {
      // Another window was first: join its consent.
      if (!isDuplicate(error)) throw error;
    }
  }
  return narrow(db, async (tx) => {
    const live = await findLiveConsent(tx, approval);
    const keeps =
      live !== undefined &&
      live.clientHash === approval.clientHash &&
      isSubset(live.granted, approval.granted);
    const stops =
      live === undefined || keeps
        ? []
        : [await markConsentEnded(tx, live, 'replaced', approval.userId)];
    const consent = keeps
      ? await widenConsent(tx, live, approval)
      : await insertConsent(tx, approval);
    return { stops, result: await recordApproval(tx, consent, approval, requestId) };
  });
}

const decision = (approval: Approval) => ({
  offered: [...approval.offered],
  granted: [...approval.granted],
  expiresAt:
    sql`clock_timestamp() + make_interval(secs => ${approval.lifeSeconds})` as unknown as Date,
});

async function insertConsent(tx: Executor, approval: Approval): Promise<ConsentRow> {
  const { userId, clientId, clientHash, agentId, resource } = approval;
  const [consent] = await tx
    .insert(consents)
    .values({
      id: newId('cns'),
      userId,
      clientId,
      clientHash,
      agentId,
      resource,
      ...decision(approval),
    })
    .returning();
  if (consent === undefined) throw new Error('the consent was not written');
  return consent;
}

async function widenConsent(
  tx: Executor,
  live: ConsentRow,
  approval: Approval,
): Promise<ConsentRow> {
  const [consent] = await tx
    .update(consents)
    .set(decision(approval))
    .where(eq(consents.id, live.id))
    .returning();
  if (consent === undefined) throw new Error('the consent was not widened');
  return consent;
}

async function recordApproval(
  tx: Executor,
  consent: ConsentRow,
  approval: Approval,
  requestId: string | undefined,
): Promise<GrantRow> {
  await record(tx, {
    type: 'consent.granted',
    by: approval.userId,
    sub: approval.userId,
    clientId: approval.clientId,
    agentId: approval.agentId || undefined,
    resource: approval.resource || undefined,
    requestId,
    detail: { consent: consent.id, offered: approval.offered, granted: approval.granted },
  });
  return insertGrant(tx, consent, approval.granted, requestId);
}

/** A fresh grant under a consent that covers a request. Never shared by two authorizations. */
export async function insertGrant(
  tx: Executor,
  consent: ConsentRow,
  scopes: readonly string[],
  requestId: string | undefined,
): Promise<GrantRow> {
  const [grant] = await tx
    .insert(grants)
    .values({
      id: newId('gnt'),
      consentId: consent.id,
      userId: consent.userId,
      clientId: consent.clientId,
      agentId: consent.agentId,
      resource: consent.resource,
      scopes: [...scopes],
      expiresAt: consent.expiresAt,
    })
    .returning();
  if (grant === undefined) throw new Error('the grant was not written');
  await record(tx, {
    type: 'grant.created',
    by: consent.userId,
    sub: consent.userId,
    clientId: consent.clientId,
    agentId: consent.agentId || undefined,
    resource: consent.resource || undefined,
    grantId: grant.id,
    requestId,
    detail: { consent: consent.id, scope: scopes.join(' ') },
  });
  return grant;
}

/** Undefined when the grant, or the consent it hangs on, has ended. */
export async function findLiveGrant(db: Executor, id: string): Promise<GrantRow | undefined> {
  const [row] = await db
    .select({ grant: grants })
    .from(grants)
    .innerJoin(consents, eq(consents.id, grants.consentId))
    .where(and(eq(grants.id, id), isNull(grants.endedAt), isNull(consents.endedAt)));
  return row?.grant;
}

async function markConsentEnded(tx: Executor, consent: ConsentRow, reason: string, by: string) {
  await tx
    .update(consents)
    .set({ endedAt: sql`clock_timestamp()` as unknown as Date, endedReason: reason })
    .where(eq(consents.id, consent.id));
  await record(tx, {
    type: 'consent.ended',
    by,
    sub: consent.userId,
    clientId: consent.clientId,
    agentId: consent.agentId || undefined,
    resource: consent.resource || undefined,
    detail: { consent: consent.id, reason },
  });
  return { key: consent.id, always: true, reason, by };
}

/** Withdraws a consent and all it gave; false when it was not live. */
export const endConsent = (
  db: Database,
  id: string,
  reason: string,
  by: string,
): Promise<boolean> =>
  narrow(db, async (tx) => {
    const [consent] = await tx
      .select()
      .from(consents)
      .where(and(eq(consents.id, id), isNull(consents.endedAt)));
    if (consent === undefined) return { stops: [], result: false };
    return { stops: [await markConsentEnded(tx, consent, reason, by)], result: true };
  });

/** Ends one authorization and all it gave; false when it was not live. */
export const endGrant = (db: Database, id: string, reason: string, by: string): Promise<boolean> =>
  narrow(db, async (tx) => {
    const [grant] = await tx
      .update(grants)
      .set({ endedAt: sql`clock_timestamp()` as unknown as Date, endedReason: reason })
      .where(and(eq(grants.id, id), isNull(grants.endedAt)))
      .returning();
    if (grant === undefined) return { stops: [], result: false };
    await record(tx, {
      type: 'grant.ended',
      by,
      sub: grant.userId,
      clientId: grant.clientId,
      agentId: grant.agentId || undefined,
      resource: grant.resource || undefined,
      grantId: grant.id,
      detail: { reason, consent: grant.consentId },
    });
    return {
      stops: [{ key: `${grant.consentId}.${grant.id}`, always: true, reason, by }],
      result: true,
    };
  });
