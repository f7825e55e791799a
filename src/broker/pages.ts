/** The pages for people, put together: what an authorization asks, and what is the user's own. */
import type Router from '@koa/router';
import type { Provider } from 'oidc-provider';
import type { AdminServices } from './admin/operation.js';
import { notingRefusals } from './audit/note-refusals.js';
import type { RefusalLog } from './audit/refusals.js';
import type { Config } from './config.js';
import { helpersUpTo } from './consent/choices.js';
import { createInteractionRouter } from './consent/routes.js';
import type { Database } from './db/database.js';
import type { FactsCache } from './facts/store.js';
import { createFormSealer } from './http/csrf.js';
import type { Secrets } from './keys/secrets.js';
import { DELEGATION_MAX_DEFAULT_SECONDS } from './limits.js';
import { createMeRouter } from './me/routes.js';
import { createBrowserSessions } from './provider/browser-session.js';
import { hostCookieName } from './provider/cookies.js';
import { createPasswordChange } from './users/password-change.js';
import { createSignIn } from './users/sign-in.js';
import { renderSignIn } from './users/sign-in-views.js';

export function createPageRouters(deps: {
  readonly config: Pick<Config, 'issuer' | 'delegationMaxSeconds' | 'actDepthMax'>;
  readonly db: Database;
  readonly facts: FactsCache;
  readonly secrets: Secrets;
  readonly provider: () => Provider;
  readonly services: Pick<AdminServices, 'registry' | 'sentences'>;
  readonly refusals: RefusalLog;
  readonly now: () => number;
}): readonly Router[] {
  const { db, facts, secrets, provider, services, refusals, now } = deps;
  const { issuer, delegationMaxSeconds = DELEGATION_MAX_DEFAULT_SECONDS } = deps.config;
  const helpersMax = helpersUpTo(deps.config.actDepthMax);
  const forms = createFormSealer(...(secrets.derive('forms') as [Buffer, ...Buffer[]]));
  const signIn = createSignIn({ db, now });
  const noteRefusals = notingRefusals(refusals);
  const shared = { db, issuer, facts, forms, signIn, renderSignIn, noteRefusals, now };
  const changePassword = createPasswordChange({
    db,
    now,
    patchUser: services.registry.users.steps.patch,
  });
  return [
    createInteractionRouter({ ...shared, provider, delegationMaxSeconds, helpersMax }),
    createMeRouter({
      ...shared,
      changePassword,
      sessions: createBrowserSessions({ issuer, provider }),
      sentences: services.sentences,
      formCookie: hostCookieName(issuer, 'behalf_sign_in'),
    }),
  ];
}
