/**
 * What a user does on the own pages: stop what acts, sign out. Each is one transaction; nothing here
 * can name what belongs to somebody else, because everything goes by the user's id.
 */
import type { Database } from '../db/database.js';
import { endConsentsOf } from '../delegation/ends.js';
import { concludeTold, narrowCounted, type Receipt } from '../revocation/receipt.js';
import { closeGate } from '../revocation/store.js';
import { endSessions } from '../sessions/store.js';

/** What the audit says of it. */
const STOPPED = 'stopped by the user';
const SIGNED_OUT = 'signed out everywhere';

/** One consent, all of one actor, or everything. */
export interface StopPick {
  readonly id?: string | undefined;
  readonly actor?: string | undefined;
}

/** Ends what is picked of the user's live consents; a receipt of nothing when nothing was live. */
export const stopActing = (db: Database, userId: string, pick: StopPick): Promise<Receipt> =>
  narrowCounted(db, (tx) => endConsentsOf(tx, { ...pick, userId }, STOPPED, userId));

export interface SignedOut {
  /** In how many browsers the user was signed in. */
  readonly browsers: number;
  /** Absent: agents go on. */
  readonly receipt: Receipt | undefined;
}

/**
 * Ends every session, and on request every consent with them: both, or nothing. Sessions first: a
 * change of password holds theirs while it waits for the gate.
 */
export const signOutEverywhere = (
  db: Database,
  userId: string,
  stopAgents: boolean,
): Promise<SignedOut> =>
  db.transaction(async (tx) => {
    const browsers = await endSessions(tx, { userId, reason: 'everywhere' });
    if (!stopAgents) return { browsers, receipt: undefined };
    await closeGate(tx);
    const ended = await endConsentsOf(tx, { userId }, SIGNED_OUT, userId);
    return { browsers, receipt: await concludeTold(tx, ended) };
  });
