/** Signing out through the engine (OpenID Connect RP-Initiated Logout) ends the session's row too. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { sessionKey } from '../artifact-key.js';
import { underRequest } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { requestState } from '../http/request.js';
import { endSessionByKey } from './store.js';

export function createSignOutRecorder(db: Database) {
  return async function recordSignOut(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    await next();
    const session = ctx.oidc?.session as { uid: string; destroyed?: boolean } | undefined;
    if (ctx.oidc?.route !== 'end_session_confirm' || session?.destroyed !== true) return;
    const { id } = requestState(ctx);
    await endSessionByKey(underRequest(db, id), sessionKey(session.uid), 'sign_out');
  };
}
