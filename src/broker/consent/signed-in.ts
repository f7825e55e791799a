/** Who is signed in in the browser of an authorization request, still, and as whom they came back. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { sessionKey } from '../artifact-key.js';
import type { Database } from '../db/database.js';
import type { Facts } from '../facts/store.js';
import { SESSION_TTL_SECONDS } from '../limits.js';
import { isSignedInSince } from '../sessions/policy.js';
import { joinSession } from '../sessions/store.js';

/** The engine's session, of a user who was stopped or changed the password since. */
export async function isOver(
  facts: Facts,
  session: { accountId?: string | undefined; loginTs?: number | undefined } | undefined,
): Promise<boolean> {
  if (session?.accountId === undefined) return false;
  return !isSignedInSince(await facts.user(session.accountId), session.loginTs ?? 0);
}

const joining = new WeakMap<object, Promise<boolean>>();

/**
 * Who proved who they are in this interaction now has a session, unless it was ended since
 * (`sessions/store.ts`): then the browser is nobody's. Asked by several checks, answered once.
 */
export function hasJoined(db: Database, ctx: KoaContextWithOIDC): Promise<boolean> {
  const { result, session } = ctx.oidc;
  const login = result?.login as { session?: string } | undefined;
  if (login === undefined || session === undefined) return Promise.resolve(true);
  const join = async (): Promise<boolean> => {
    const id = login.session ?? '';
    const isJoined = await joinSession(db, id, sessionKey(session.uid), SESSION_TTL_SECONDS);
    if (!isJoined) delete session.accountId;
    return isJoined;
  };
  const answer = joining.get(ctx.req) ?? join();
  joining.set(ctx.req, answer);
  return answer;
}
