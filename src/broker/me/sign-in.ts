/** Signing in without any client: the same page and the same counters as in an authorization. */
import type { Context } from 'koa';
import { underRequest } from '../audit/store.js';
import { placeOf, requestState } from '../http/request.js';
import { SESSION_TTL_SECONDS } from '../limits.js';
import { endSessionByKey } from '../sessions/store.js';
import { type MeDeps, readSignInForm, sealSignIn, seeOther, showPage } from './visit.js';

interface Failed {
  readonly problem?: 'wrong' | 'throttled';
  readonly retryAfterSeconds?: number | undefined;
  readonly email?: string;
}

/** @param to one of our pages, where it goes on afterwards */
export function showSignIn(deps: MeDeps, ctx: Context, to: string, failed: Failed = {}): void {
  const { problem, retryAfterSeconds, email } = failed;
  const form = sealSignIn(deps, ctx, to);
  ctx.status = problem === undefined ? 200 : problem === 'throttled' ? 429 : 403;
  if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds));
  showPage(ctx, (language) =>
    deps.renderSignIn(
      {
        ...(problem === undefined ? {} : { problem }),
        retryAfterSeconds,
        email,
        form,
        action: '/me/sign-in',
      },
      language,
    ),
  );
}

export async function handleSignIn(deps: MeDeps, ctx: Context): Promise<void> {
  const { form, to } = await readSignInForm(deps, ctx);
  const email = form.get('email') ?? '';
  const sinceSeconds = Math.floor(deps.now() / 1000);
  const former = await deps.sessions.current(ctx.req, ctx.res);
  const fresh = deps.sessions.prepare(ctx.req, ctx.res);
  const outcome = await deps.signIn({
    email,
    password: form.get('password') ?? '',
    place: placeOf(ctx.req),
    requestId: requestState(ctx).id,
    lifeSeconds: SESSION_TTL_SECONDS,
    key: fresh.key,
  });
  if (!outcome.ok) {
    const { problem, retryAfterSeconds } = outcome;
    return showSignIn(deps, ctx, to, { problem, retryAfterSeconds, email });
  }
  if (former !== undefined) {
    await endSessionByKey(underRequest(deps.db, requestState(ctx).id), former.key, 'replaced');
  }
  await fresh.begin(outcome.userId, sinceSeconds);
  seeOther(ctx, to);
}
