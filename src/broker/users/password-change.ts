/**
 * A user changes the own password, knowing the one there is: counted and slowed like a sign-in,
 * because whoever sits at an open browser could guess here too. The new one ends every session and
 * whatever was issued before (`users/service.ts`); consents stay, authorizations under them do not.
 */
import { record, underRequest } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { narrowing } from '../registry/change.js';
import { endSessions } from '../sessions/store.js';
import { createWorkQueue, hashPassword, verifyPassword } from './password.js';
import { passwordSchema } from './schema.js';
import type { Users } from './service.js';
import { findUser } from './store.js';
import { createThrottle } from './throttle.js';

export interface PasswordChange {
  readonly userId: string;
  readonly current: string;
  readonly next: string;
  /** Network address; empty when unknown. */
  readonly address: string;
  /** For the audit. */
  readonly requestId: string;
}

export type PasswordOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly problem: 'wrong' | 'unfit' | 'same' }
  | { readonly ok: false; readonly problem: 'throttled'; readonly retryAfterSeconds: number };

export type ChangePassword = (change: PasswordChange) => Promise<PasswordOutcome>;

export function createPasswordChange(deps: {
  readonly db: Database;
  readonly now: () => number;
  readonly patchUser: Users['steps']['patch'];
}): ChangePassword {
  const { db, patchUser } = deps;
  const throttle = createThrottle(db, deps.now);
  // One at a time: changes are rare, and sign-ins need the threads.
  const queue = createWorkQueue(1);
  return async ({ userId, current, next, address, requestId }) => {
    if (!passwordSchema.safeParse(next).success) return { ok: false, problem: 'unfit' };
    const user = await findUser(db.orm, userId);
    const who = { accountKey: user?.emailKey ?? userId, address };
    const admission = await throttle.attempt(who);
    if (!admission.admitted) {
      const { retryAfterSeconds } = admission;
      return { ok: false, problem: 'throttled', retryAfterSeconds };
    }
    const known = user?.passwordHash ?? null;
    if (!(await queue.run(() => verifyPassword(known, current)))) {
      const { failures } = admission;
      const detail = { problem: 'wrong', reason: 'wrong_password_at_change', failures };
      await record(db.orm, { type: 'sign_in.failed', by: userId, sub: userId, requestId, detail });
      return { ok: false, problem: 'wrong' };
    }
    await throttle.succeeded(who);
    if (await queue.run(() => verifyPassword(known, next))) return { ok: false, problem: 'same' };
    const passwordHash = await queue.run(() => hashPassword(next));
    return narrowing(
      underRequest(db, requestId),
      userId,
      async (change): Promise<PasswordOutcome> => {
        const now = await findUser(change.tx, userId);
        // Somebody else changed it meanwhile: what was proved is no longer the password.
        if (now?.passwordHash !== known) return { ok: false, problem: 'wrong' };
        await patchUser(change, userId, { passwordHash });
        await endSessions(change.tx, { userId, reason: 'password' });
        return { ok: true };
      },
    );
  };
}
