/**
 * Signing in with an address and a password. One answer for everything that is not a success, in
 * the same time: no such account, no password, wrong password, disabled (M4, no enumeration).
 * Decides who somebody is and notes the proof; the browser's session is the engine's.
 */
import { type AuditEvent, record } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { openSession, type Place } from '../sessions/store.js';
import { createWorkQueue, verifyPassword, type WorkQueue } from './password.js';
import { emailKeyOf } from './schema.js';
import { findUserByEmail, type UserRow } from './store.js';
import { createThrottle, type Throttle } from './throttle.js';

export interface SignInRequest {
  readonly email: string;
  readonly password: string;
  /** Where the request came from; an unknown address is empty. */
  readonly place: Place;
  /** How long the proof holds, or the session it is for. */
  readonly lifeSeconds: number;
  /** For the audit: the request, and the client that it is signed in for. */
  readonly requestId?: string;
  readonly clientId?: string;
  /** The browser's session, when there is one already (`sessions/store.ts`). */
  readonly key?: string;
}

export type SignInOutcome =
  | { readonly ok: true; readonly userId: string; readonly sessionId: string }
  | {
      readonly ok: false;
      readonly problem: 'wrong' | 'throttled';
      readonly retryAfterSeconds?: number;
    };

export type SignIn = (request: SignInRequest) => Promise<SignInOutcome>;

/** RFC 5321 §4.5.3.1.3; nothing longer was ever registered. */
const EMAIL_CHARS_MAX = 254;
/** Two of Node's four pool threads. */
const HASHES_PARALLEL = 2;
/** About a second of hashing: beyond it, waiting would only make everybody wait longer. */
const IN_FLIGHT_MAX = 50;

interface Parts {
  readonly db: Database;
  readonly throttle: Throttle;
  readonly queue: WorkQueue;
  readonly verify: typeof verifyPassword;
}

export function createSignIn(deps: {
  readonly db: Database;
  readonly now?: () => number;
  readonly verify?: typeof verifyPassword;
}): SignIn {
  const { db } = deps;
  const throttle = createThrottle(db, deps.now ?? Date.now);
  const queue = createWorkQueue(HASHES_PARALLEL);
  const parts = { db, throttle, queue, verify: deps.verify ?? verifyPassword };
  let inFlight = 0;
  return async (request) => {
    if (inFlight >= IN_FLIGHT_MAX) return { ok: false, problem: 'throttled', retryAfterSeconds: 1 };
    inFlight += 1;
    try {
      return await signIn(parts, request);
    } finally {
      inFlight -= 1;
    }
  };
}

/** What was refused untried is no attempt: not counted, not audited (P15: no unbounded rows). */
async function signIn(
  { db, throttle, queue, verify }: Parts,
  request: SignInRequest,
): Promise<SignInOutcome> {
  const { password, place, lifeSeconds, key, requestId, clientId } = request;
  const { address } = place;
  const email = request.email.trim();
  const who = { accountKey: emailKeyOf(email.slice(0, EMAIL_CHARS_MAX + 1)), address };
  const admission = await throttle.attempt(who);
  if (!admission.admitted) {
    return { ok: false, problem: 'throttled', retryAfterSeconds: admission.retryAfterSeconds };
  }
  const user = couldExist(email) ? await findUserByEmail(db.orm, email) : undefined;
  const fits = await queue.run(() => verify(user?.passwordHash ?? null, password));
  if (user === undefined || !fits || user.status !== 'active') {
    const reason = user === undefined ? 'no_such_user' : fits ? 'not_active' : 'wrong_password';
    await record(db.orm, { ...failed(user, reason, admission.failures), requestId, clientId });
    return { ok: false, problem: 'wrong' };
  }
  const { id: userId, passwordHash } = user;
  const proof = { userId, passwordHash, place, lifeSeconds, key, requestId, clientId };
  const sessionId = await openSession(db, proof);
  if (sessionId === undefined) {
    const { failures } = admission;
    await record(db.orm, { ...failed(user, 'changed_meanwhile', failures), requestId, clientId });
    return { ok: false, problem: 'wrong' };
  }
  await throttle.succeeded(who);
  return { ok: true, userId, sessionId };
}

/** PostgreSQL text holds no NUL: what has one is nobody's address. */
const couldExist = (email: string): boolean =>
  email.length <= EMAIL_CHARS_MAX && !email.includes('\0');

/** The address as typed stays out: people type passwords into it. */
const failed = (user: UserRow | undefined, reason: string, failures: number): AuditEvent => ({
  type: 'sign_in.failed',
  ...(user === undefined ? {} : { sub: user.id }),
  detail: { problem: 'wrong', reason, failures },
});
