/**
 * `/me`: what acts for a user, and where the user is signed in, for the user alone. Owns the HTTP
 * around it. Whatever belongs to somebody else is answered as if it did not exist.
 */
import Router from '@koa/router';
import type { Context } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { underRequest } from '../audit/store.js';
import { requestState } from '../http/request.js';
import { renderMyConsent, renderStop } from './consent-views.js';
import { actorOf } from './policy.js';
import { renderReceipt } from './receipt-views.js';
import { confirmationOf, stopActing } from './service.js';
import {
  endOne,
  handleEverywhere,
  handlePassword,
  showEverywhere,
  showPassword,
  showSessions,
} from './session-routes.js';
import { handleSignIn, showSignIn } from './sign-in.js';
import { findMyConsent, listMyConsents, timelineOf } from './store.js';
import { renderActing } from './views.js';
import {
  type MeDeps,
  nothingHere,
  readVisitorsForm,
  seeOther,
  showPage,
  type Visitor,
  visitorOf,
} from './visit.js';

/** What is asked of a page of ours, by somebody who is signed in. */
export type Visit = (deps: MeDeps, ctx: Context, visitor: Visitor) => Promise<void>;
/** The same, with a form of that visitor's. */
export type Deed = (
  deps: MeDeps,
  ctx: Context,
  visitor: Visitor,
  form: URLSearchParams,
) => Promise<void>;

export function createMeRouter(deps: MeDeps): Router {
  const router = new Router({ prefix: '/me' });
  router.use(deps.noteRefusals);
  const page = (path: string, visit: Visit): void => {
    router.get(path, async (ctx) => {
      const visitor = await visitorOf(deps, ctx);
      if (visitor === undefined) return showSignIn(deps, ctx, ctx.url);
      refuseNul(Object.values(ctx.params));
      await visit(deps, ctx, visitor);
    });
  };
  const deed = (path: string, act: Deed): void => {
    router.post(path, async (ctx) => {
      const visitor = await visitorOf(deps, ctx);
      // Nobody is signed in any more: nothing is done, whatever the form says.
      if (visitor === undefined) return seeOther(ctx, '/me');
      const form = await readVisitorsForm(deps, ctx, visitor);
      refuseNul([...Object.values(ctx.params), form.get('actor')]);
      await act(deps, ctx, visitor, form);
    });
  };
  router.post('/sign-in', (ctx) => handleSignIn(deps, ctx));
  page('/', showActing);
  page('/consents/:id', showConsent);
  deed('/consents/:id/stop', stopOne);
  page('/stop', showStop);
  deed('/stop', stopMany);
  page('/sessions', showSessions);
  deed('/sessions/:id/end', endOne);
  page('/sign-out-everywhere', showEverywhere);
  deed('/sign-out-everywhere', handleEverywhere);
  page('/password', showPassword);
  deed('/password', handlePassword);
  return router;
}

/** PostgreSQL keeps no NUL: what holds one names nothing (P9). */
function refuseNul(names: readonly unknown[]): void {
  if (names.some((name) => String(name).includes('\0'))) throw nothingHere();
}

async function showActing(deps: MeDeps, ctx: Context, { userId, signed }: Visitor): Promise<void> {
  const found = await listMyConsents(deps.db, userId);
  const page = { ...found, signed, nowMs: deps.now() };
  showPage(ctx, (language) => renderActing(page, language));
}

const HISTORY_PAGE = 50;

async function showConsent(deps: MeDeps, ctx: Context, visitor: Visitor): Promise<void> {
  const { userId, signed } = visitor;
  const before = beforeOf(ctx);
  const id = String(ctx.params.id);
  const [consent, events] = await Promise.all([
    findMyConsent(deps.db, userId, id),
    timelineOf(deps.db, { userId, consentId: id }, { before, limit: HISTORY_PAGE + 1 }),
  ]);
  if (consent === undefined) throw nothingHere();
  const shown = events.slice(0, HISTORY_PAGE);
  const sentences = await deps.sentences(shown);
  const oldest = events.length > HISTORY_PAGE ? shown.at(-1)?.id : undefined;
  const page = {
    consent,
    signed,
    nowMs: deps.now(),
    history: shown.map(({ at }, n) => ({ at, sentence: sentences[n] ?? '' })),
    earlier: oldest === undefined ? undefined : `/me/consents/${id}?before=${oldest}`,
  };
  showPage(ctx, (language) => renderMyConsent(page, language));
}

/** An event's id; whatever else is written there starts at the newest. */
function beforeOf(ctx: Context): number | undefined {
  const { before } = ctx.query;
  return typeof before === 'string' && /^[1-9]\d{0,14}$/.test(before) ? Number(before) : undefined;
}

async function stopOne(deps: MeDeps, ctx: Context, visitor: Visitor): Promise<void> {
  const { userId } = visitor;
  const id = String(ctx.params.id);
  const consent = await findMyConsent(deps.db, userId, id);
  if (consent === undefined) throw nothingHere();
  await showReceipt(deps, ctx, visitor, { id });
}

async function showStop(deps: MeDeps, ctx: Context, { userId, signed }: Visitor): Promise<void> {
  const { actor = '' } = ctx.query;
  const { live } = await listMyConsents(deps.db, userId);
  const consents = live.filter((consent) => actor === '' || actorOf(consent) === actor);
  if (consents.length === 0) throw nothingHere();
  const page = { signed, nowMs: deps.now(), actor: String(actor), consents };
  showPage(ctx, (language) => renderStop(page, language));
}

async function stopMany(
  deps: MeDeps,
  ctx: Context,
  visitor: Visitor,
  form: URLSearchParams,
): Promise<void> {
  const actor = form.get('actor');
  if (actor === null) throw new OAuthError('invalid_request', 'actor is missing');
  await showReceipt(deps, ctx, visitor, actor === '' ? {} : { actor });
}

async function showReceipt(
  deps: MeDeps,
  ctx: Context,
  { userId, signed }: Visitor,
  pick: { readonly id?: string; readonly actor?: string },
): Promise<void> {
  const receipt = await stopActing(underRequest(deps.db, requestState(ctx).id), userId, pick);
  const confirmed = await confirmationOf(deps.db, userId, receipt);
  const page = { signed, nowMs: deps.now(), receipt: { ...receipt, confirmed } };
  showPage(ctx, (language) => renderReceipt(page, language));
}
