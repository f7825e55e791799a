/**
 * What a user does on the own pages: stop what acts, sign out. Each is one transaction; nothing here
 * can name what belongs to somebody else, because everything goes by the user's id.
 */
import type { Database } from '../db/database.js';
import { endConsentsOf } from '../delegation/ends.js';
import { awaitConfirmations } from '../revocation/followers.js';
import { concludeTold, narrowCounted, type Receipt } from '../revocation/receipt.js';
import { closeGate } from '../revocation/store.js';
import { endSessions } from '../sessions/store.js';
import { type Confirmed, confirmedOf } from './policy.js';
import { namesOfOwn } from './store.js';

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

/** Who has confirmed a stop, a moment after it; undefined: nobody follows, or nothing was stopped. */
export async function confirmationOf(
  db: Database,
  userId: string,
  { revocation, isFollowed }: Receipt,
): Promise<Confirmed | undefined> {
  if (!isFollowed || revocation === undefined) return undefined;
  const followers = await awaitConfirmations(db, revocation);
  const resources = followers.map(({ resource }) => resource);
  return confirmedOf(followers, await namesOfOwn(db, userId, [...new Set(resources)]));
}

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
