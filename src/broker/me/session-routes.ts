/** Where a user is signed in, signing out, and the password. */
import type { Context } from 'koa';
import { underRequest } from '../audit/store.js';
import { addressOf, requestState } from '../http/request.js';
import { endSessions, listLiveSessions } from '../sessions/store.js';
import { type PasswordProblem, renderPassword, renderPasswordChanged } from './password-views.js';
import { confirmationOf, signOutEverywhere } from './service.js';
import {
  renderSessions,
  renderSignedOutEverywhere,
  renderSignOutEverywhere,
} from './session-views.js';
import { type MeDeps, nothingHere, seeOther, showPage, type Visitor } from './visit.js';

export async function showSessions(
  deps: MeDeps,
  ctx: Context,
  { userId, signed }: Visitor,
): Promise<void> {
  const sessions = await listLiveSessions(deps.db, userId);
  showPage(ctx, (language) => renderSessions({ signed, sessions }, language));
}

/** One session of one's own; the present one is how to sign out. */
export async function endOne(deps: MeDeps, ctx: Context, visitor: Visitor): Promise<void> {
  const { userId, sessionId } = visitor;
  const id = String(ctx.params.id);
  const reason = id === sessionId ? 'sign_out' : 'ended_by_user';
  const db = underRequest(deps.db, requestState(ctx).id);
  const ended = await db.transaction((tx) => endSessions(tx, { userId, id, reason }));
  if (ended === 0) throw nothingHere();
  seeOther(ctx, id === sessionId ? '/me' : '/me/sessions');
}

export async function showEverywhere(_: MeDeps, ctx: Context, { signed }: Visitor): Promise<void> {
  showPage(ctx, (language) => renderSignOutEverywhere(signed, language));
}

export async function handleEverywhere(
  deps: MeDeps,
  ctx: Context,
  { userId }: Visitor,
  form: URLSearchParams,
): Promise<void> {
  const { browsers, receipt } = await signOutEverywhere(
    underRequest(deps.db, requestState(ctx).id),
    userId,
    form.get('agents') === 'stop',
  );
  const stopped = receipt && {
    ...receipt,
    confirmed: await confirmationOf(deps.db, userId, receipt),
  };
  showPage(ctx, (language) => renderSignedOutEverywhere({ browsers, receipt: stopped }, language));
}

export async function showPassword(_: MeDeps, ctx: Context, { signed }: Visitor): Promise<void> {
  showPage(ctx, (language) => renderPassword({ signed }, language));
}

const STATUS: Readonly<Record<PasswordProblem, number>> = {
  wrong: 403,
  unfit: 422,
  same: 422,
  throttled: 429,
};

export async function handlePassword(
  deps: MeDeps,
  ctx: Context,
  { userId, signed }: Visitor,
  form: URLSearchParams,
): Promise<void> {
  const outcome = await deps.changePassword({
    userId,
    current: form.get('current') ?? '',
    next: form.get('next') ?? '',
    address: addressOf(ctx.req),
    requestId: requestState(ctx).id,
  });
  if (outcome.ok) return showPage(ctx, renderPasswordChanged);
  const { problem } = outcome;
  const retryAfterSeconds = problem === 'throttled' ? outcome.retryAfterSeconds : undefined;
  if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds));
  ctx.status = STATUS[problem];
  showPage(ctx, (language) => renderPassword({ signed, problem, retryAfterSeconds }, language));
}
