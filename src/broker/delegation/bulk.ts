/**
 * Many consents at once, by whom they concern: stopping an agent's every use at a resource, or having
 * everybody asked again. What is ended is what was live at the beginning; a batch is a transaction, so
 * that the gate is never closed for long. Whatever interrupts it leaves whole batches ended, and the
 * same call ends the rest.
 */
import { and, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import { consents } from '../../../schema/index.js';
import type { Database } from '../db/database.js';
import { addReceipts, narrowCounted, type Receipt, receiptFor } from '../revocation/receipt.js';
import { consentEnded } from './ends.js';

/** All that are named must fit. */
export interface ConsentsOf {
  readonly userId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly resource?: string | undefined;
}

const BATCH = 500;

/** What ending them would end now. Changes nothing. */
export const foresee = (db: Database, of: ConsentsOf): Promise<Receipt> =>
  inBatches(db, of, async (ids, before) =>
    added(before, await receiptFor(db.orm, [{ kind: 'consents', ids }])),
  );

/**
 * Ends them all; each is an event of its own, which tells the receipt up to its batch: that of the
 * last is the receipt of the whole.
 */
export const endConsents = (
  db: Database,
  of: ConsentsOf,
  reason: string,
  by: string,
): Promise<Receipt> =>
  inBatches(db, of, (ids, before) =>
    narrowCounted(db, async (tx) => {
      const endedAt = sql`clock_timestamp()` as unknown as Date;
      const ended = await tx
        .update(consents)
        .set({ endedAt, endedReason: reason, endedBy: by })
        .where(and(inArray(consents.id, [...ids]), isNull(consents.endedAt)))
        .returning();
      const gone = ended.map(({ id }) => id);
      return {
        stops: gone.map((key) => ({ key, always: true, reason, by })),
        receipt: added(before, await receiptFor(tx, [{ kind: 'consents', ids: gone }])),
        events: ended.map((consent) => consentEnded(consent, reason, by)),
      };
    }),
  );

const added = (before: Receipt | undefined, receipt: Receipt): Receipt =>
  before === undefined ? receipt : addReceipts(before, receipt);

/** @param work answers with the receipt of its batch and of what came before */
async function inBatches(
  db: Database,
  of: ConsentsOf,
  work: (ids: readonly string[], before: Receipt | undefined) => Promise<Receipt>,
): Promise<Receipt> {
  const ids = await liveIds(db, of);
  let receipt = await work(ids.slice(0, BATCH), undefined);
  for (let at = BATCH; at < ids.length; at += BATCH) {
    receipt = await work(ids.slice(at, at + BATCH), receipt);
  }
  return receipt;
}

async function liveIds(db: Database, of: ConsentsOf): Promise<string[]> {
  const rows = await db.orm
    .select({ id: consents.id })
    .from(consents)
    .where(
      and(
        isNull(consents.endedAt),
        gt(consents.expiresAt, sql`clock_timestamp()`),
        of.userId === undefined ? undefined : eq(consents.userId, of.userId),
        of.agentId === undefined ? undefined : eq(consents.agentId, of.agentId),
        of.clientId === undefined ? undefined : eq(consents.clientId, of.clientId),
        of.resource === undefined ? undefined : eq(consents.resource, of.resource),
      ),
    );
  return rows.map(({ id }) => id);
}
