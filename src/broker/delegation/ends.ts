/**
 * How consents and grants end: a durable column that every stateful step reads, the fact that stops
 * self-contained tokens, the audit event, in one transaction under the gate's lock (DESIGN §6).
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import { type AuditEvent, record } from '../audit/store.js';
import type { Database, Executor } from '../db/database.js';
import { narrowCounted, type Receipt, receiptFor, type Told } from '../revocation/receipt.js';
import type { Stop } from '../revocation/store.js';
import type { ConsentRow, GrantRow } from './store.js';

/** The end itself; its event is `consentEnded`, once it is known what it ended. */
export async function markConsentEnded(
  tx: Executor,
  consent: ConsentRow,
  reason: string,
  by: string,
): Promise<Stop> {
  await tx
    .update(consents)
    .set({
      endedAt: sql`clock_timestamp()` as unknown as Date,
      endedReason: reason,
      endedBy: by,
    })
    .where(eq(consents.id, consent.id));
  return { key: consent.id, always: true, reason, by };
}

export const consentEnded = (consent: ConsentRow, reason: string, by: string): AuditEvent => ({
  type: 'consent.ended',
  by,
  sub: consent.userId,
  clientId: consent.clientId,
  agentId: consent.agentId || undefined,
  resource: consent.resource || undefined,
  detail: { consent: consent.id, reason },
});

/** Withdraws a consent and all it gave; undefined when it was not live. */
export const endConsent = (
  db: Database,
  id: string,
  reason: string,
  by: string,
): Promise<Receipt | undefined> =>
  narrowCounted(db, async (tx) => {
    const [consent] = await tx
      .select()
      .from(consents)
      .where(and(eq(consents.id, id), isNull(consents.endedAt)));
    if (consent === undefined) return NOT_LIVE;
    const stops = [await markConsentEnded(tx, consent, reason, by)];
    const receipt = await receiptFor(tx, [{ kind: 'consents', ids: [id] }]);
    return { stops, receipt, events: [consentEnded(consent, reason, by)] };
  });

const NOT_LIVE: Told<undefined> = { stops: [], receipt: undefined, events: [] };

/** Which of a user's live consents. */
export interface ConsentPick {
  readonly userId: string;
  readonly id?: string | undefined;
  /** Whoever acts: an agent, or a client that acts for itself. */
  readonly actor?: string | undefined;
}

/** Withdraws a user's consents, however many, in a fixed number of statements. The gate is closed. */
export async function endConsentsOf(
  tx: Executor,
  pick: ConsentPick,
  reason: string,
  by: string,
): Promise<Told> {
  const { userId, id, actor } = pick;
  const ended = await tx
    .update(consents)
    .set({ endedAt: sql`clock_timestamp()` as unknown as Date, endedReason: reason, endedBy: by })
    .where(
      and(
        eq(consents.userId, userId),
        isNull(consents.endedAt),
        gt(consents.expiresAt, sql`clock_timestamp()`),
        id === undefined ? undefined : eq(consents.id, id),
        actor === undefined
          ? undefined
          : sql`coalesce(nullif(${consents.agentId}, ''), ${consents.clientId}) = ${actor}`,
      ),
    )
    .returning();
  const ids = ended.map((consent) => consent.id);
  return {
    stops: ids.map((key) => ({ key, always: true, reason, by })),
    receipt: await receiptFor(tx, [{ kind: 'consents', ids }]),
    events: ended.map((consent) => consentEnded(consent, reason, by)),
  };
}

const grantEnded = (
  grant: GrantRow,
  reason: string,
  by: string,
  requestId?: string,
): AuditEvent => ({
  type: 'grant.ended',
  by,
  sub: grant.userId,
  clientId: grant.clientId,
  agentId: grant.agentId || undefined,
  resource: grant.resource || undefined,
  grantId: grant.id,
  requestId,
  detail: { reason, consent: grant.consentId },
});

/** Ends one authorization and all it gave; undefined when it was not live. */
export const endGrant = (
  db: Database,
  id: string,
  reason: string,
  by: string,
): Promise<Receipt | undefined> =>
  narrowCounted(db, async (tx) => {
    const [grant] = await tx
      .update(grants)
      .set({
        endedAt: sql`clock_timestamp()` as unknown as Date,
        endedReason: reason,
        endedBy: by,
      })
      .where(and(eq(grants.id, id), isNull(grants.endedAt)))
      .returning();
    if (grant === undefined) return NOT_LIVE;
    return {
      stops: [{ key: `${grant.consentId}.${grant.id}`, always: true, reason, by }],
      receipt: await receiptFor(tx, [{ kind: 'grant', id }]),
      events: [grantEnded(grant, reason, by)],
    };
  });

/** Ends a grant of which nothing was ever issued, so that there is nothing to stop. */
export const abandonGrant = (db: Database, id: string, requestId: string): Promise<void> =>
  db.transaction(async (tx) => {
    const endedReason = 'abandoned';
    const [grant] = await tx
      .update(grants)
      .set({ endedAt: sql`clock_timestamp()` as unknown as Date, endedReason, endedBy: 'system' })
      .where(and(eq(grants.id, id), isNull(grants.endedAt)))
      .returning();
    if (grant !== undefined) await record(tx, grantEnded(grant, endedReason, 'system', requestId));
  });
