/**
 * Consents and grants in SQL: what a user decided, and each authorization that hangs on it. Ends
 * are durable columns that every stateful step reads; stopping goes through `narrow`, so no token
 * in flight slips past.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import { type ActorProof, isSubset } from '../../protocol/index.js';
import { record } from '../audit/store.js';
import { type Database, type Executor, isDuplicate } from '../db/database.js';
import { newId } from '../ids.js';
import { narrow } from '../revocation/store.js';
import { markConsentEnded } from './ends.js';

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
  const adds = previous === undefined || keeps(previous, approval);
  if (adds) {
    try {
      return await db.transaction(async (tx) => {
        const consent =
          previous === undefined
            ? await insertConsent(tx, approval)
            : await widenConsent(tx, previous, approval);
        return recordApproval(tx, consent, approval, requestId);
      });
    } catch (error) {
      // Another window was first: look again, with everything else standing still.
      if (!isDuplicate(error) && error !== OVERTAKEN) throw error;
    }
  }
  return narrow(db, async (tx) => {
    const live = await findLiveConsent(tx, approval);
    const kept = live !== undefined && keeps(live, approval) ? live : undefined;
    const stops =
      live === undefined || kept !== undefined
        ? []
        : [await markConsentEnded(tx, live, 'replaced', approval.userId)];
    const consent =
      kept === undefined
        ? await insertConsent(tx, approval)
        : await widenConsent(tx, kept, approval);
    return { stops, result: await recordApproval(tx, consent, approval, requestId) };
  });
}

const OVERTAKEN = new Error('the consent changed meanwhile');

/** Whether a new decision takes nothing back: what was granted and is offered again stays ticked. */
const keeps = (live: ConsentRow, approval: Approval): boolean =>
  live.clientHash === approval.clientHash &&
  isSubset(
    live.granted.filter((scope) => approval.offered.includes(scope)),
    approval.granted,
  );

const union = (one: readonly string[], other: readonly string[]): string[] =>
  [...new Set([...one, ...other])].sort();

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

/** Adds to the very row that was looked at; if it changed since, everything is decided again. */
async function widenConsent(
  tx: Executor,
  seen: ConsentRow,
  approval: Approval,
): Promise<ConsentRow> {
  const [consent] = await tx
    .update(consents)
    .set({
      ...decision(approval),
      offered: union(seen.offered, approval.offered),
      granted: union(seen.granted, approval.granted),
    })
    .where(
      and(
        eq(consents.id, seen.id),
        isNull(consents.endedAt),
        eq(consents.clientHash, seen.clientHash),
        eq(consents.offered, seen.offered),
        eq(consents.granted, seen.granted),
      ),
    )
    .returning();
  if (consent === undefined) throw OVERTAKEN;
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

/**
 * Undefined when the grant, or the consent it hangs on, has ended or run out. A grant lasts no longer
 * than its consent: for how long is the user's latest word.
 */
export async function findLiveGrant(db: Executor, id: string): Promise<GrantRow | undefined> {
  const [row] = await db
    .select({ grant: grants, consentExpiresAt: consents.expiresAt })
    .from(grants)
    .innerJoin(consents, eq(consents.id, grants.consentId))
    .where(
      and(
        eq(grants.id, id),
        isNull(grants.endedAt),
        isNull(consents.endedAt),
        gt(grants.expiresAt, sql`clock_timestamp()`),
        gt(consents.expiresAt, sql`clock_timestamp()`),
      ),
    );
  if (row === undefined) return undefined;
  const endsAtMs = Math.min(row.grant.expiresAt.getTime(), row.consentExpiresAt.getTime());
  return { ...row.grant, expiresAt: new Date(endsAtMs) };
}

/** The kind of proof a grant stands on from now on, and no credential of the agent's behind it. */
export async function rememberActorProof(
  db: Executor,
  id: string,
  actorProof: ActorProof,
): Promise<void> {
  await db.update(grants).set({ actorProof, actorCredentialId: null }).where(eq(grants.id, id));
}
