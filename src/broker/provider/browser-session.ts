/**
 * The engine's browser session, for pages of ours that no client sent anybody to (`/me`). Whoever
 * signs in there is signed in for authorizations too, and the other way round: it is one session,
 * kept by the engine, under the engine's cookie.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import { PASSWORD_ACR } from '../acr.js';
import { sessionKey } from '../artifact-key.js';
import { SESSION_TTL_SECONDS } from '../limits.js';
import { sessionCookie } from './cookies.js';

export interface BrowserSession {
  readonly userId: string;
  /** When the user proved who they are, in seconds. */
  readonly sinceSeconds: number;
  /** `user_sessions.uid`. */
  readonly key: string;
}

/** A session that nobody has yet: `key` is for its row, `begin` for when it is somebody's. */
export interface NewBrowserSession {
  readonly key: string;
  begin(userId: string, sinceSeconds: number): Promise<void>;
}

export interface BrowserSessions {
  /** Of this browser; undefined when nobody is signed in. */
  current(req: IncomingMessage, res: ServerResponse): Promise<BrowserSession | undefined>;
  /** Never continues the one the browser has: nobody can plant a session (I10). */
  prepare(req: IncomingMessage, res: ServerResponse): NewBrowserSession;
}

/** Koa's own members, which the engine's types leave out. */
type EngineApp = Provider & {
  createContext(req: IncomingMessage, res: ServerResponse): Context;
  Session: Provider['Session'] & {
    get(ctx: Context): Promise<InstanceType<Provider['Session']>>;
  };
};

export function createBrowserSessions(deps: {
  readonly issuer: string;
  readonly provider: () => Provider;
}): BrowserSessions {
  const engine = (): EngineApp => deps.provider() as EngineApp;
  return {
    current: async (req, res) => {
      const provider = engine();
      const session = await provider.Session.get(provider.createContext(req, res));
      if (session.accountId === undefined) return undefined;
      const { accountId: userId, loginTs: sinceSeconds = 0, uid } = session;
      return { userId, sinceSeconds, key: sessionKey(uid) };
    },
    prepare: (req, res) => {
      const provider = engine();
      const session = new provider.Session();
      return {
        key: sessionKey(session.uid),
        begin: async (accountId, loginTs) => {
          session.loginAccount({ accountId, loginTs, acr: PASSWORD_ACR, amr: ['pwd'] });
          await session.save(SESSION_TTL_SECONDS);
          const expires = new Date(session.exp * 1000);
          const { cookies } = provider.createContext(req, res);
          const options = { ...sessionCookie(deps.issuer), expires };
          cookies.set(provider.cookieName('session'), session.jti, options);
        },
      };
    },
  };
}
