/**
 * Sign-in and consent in one interaction (DESIGN §8a 2–4): one page, then the other, then back to
 * the engine. Owns the HTTP around them; the pages are views, the decision is policy. What is
 * granted is what was ticked of what was shown and is still allowed when the form arrives.
 */
import Router from '@koa/router';
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import { record } from '../audit/store.js';
import { approve } from '../delegation/approve.js';
import { findLiveConsent } from '../delegation/store.js';
import { clientHash, termsHash } from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import type { Facts } from '../facts/store.js';
import { pageHeaders } from '../http/headers.js';
import { languageOf } from '../http/language.js';
import { refusal } from '../http/refusals.js';
import { requestState } from '../http/request.js';
import { INTERACTION_TTL_SECONDS } from '../limits.js';
import { isSignedInSince } from '../sessions/policy.js';
import { sessionStands } from '../sessions/store.js';
import { coveringConsent } from './engine-hooks.js';
import {
  currentInteraction,
  type InteractionDeps,
  keepResult,
  readOwnForm,
  redirect,
} from './interaction.js';
import { chosenLifeSeconds, consentPage, grantable, PURPOSE_SHOWN, type Shown } from './offer.js';
import {
  type AuthorizationRequest,
  decidedScopes,
  decideOffer,
  readAuthorizationRequest,
  subjectOf,
} from './request.js';
import { handleSignIn, handleSwitchUser, showSignIn } from './sign-in-stage.js';
import { currentTerms } from './terms.js';
import { renderConsent } from './views.js';

export function createInteractionRouter(deps: InteractionDeps): Router {
  const router = new Router({ prefix: '/interaction/:uid' });
  router.use((ctx, next) => recordRefusals(deps, ctx, next));
  router.get('/', (ctx) => showStage(deps, ctx));
  router.post('/sign-in', (ctx) => handleSignIn(deps, ctx));
  router.post('/decision', (ctx) => handleDecision(deps, ctx));
  router.post('/switch-user', (ctx) => handleSwitchUser(deps, ctx));
  return router;
}

/** A form that was forged, replayed or belongs to somebody else is known to the audit (I1, I7). */
async function recordRefusals(
  { db }: InteractionDeps,
  ctx: Context,
  next: () => Promise<unknown>,
): Promise<void> {
  try {
    await next();
  } catch (error) {
    if (error instanceof OAuthError) {
      const detail = { code: error.code, reason: error.reason ?? error.description };
      await record(db.orm, { type: 'request.refused', requestId: requestState(ctx).id, detail });
    }
    throw error;
  }
}

/** As `sign-in-stage.ts` keeps it. */
interface Login {
  readonly accountId: string;
  readonly ts: number;
  readonly session: string;
}

/**
 * Who has signed in: just now on our page, or earlier in this session when only consent is asked.
 * Nobody, when the user was stopped or changed the password since.
 */
async function signedInUser(facts: Facts, interaction: Interaction): Promise<string | undefined> {
  const { login } = (interaction.result ?? {}) as unknown as { login?: Login };
  const bySession =
    interaction.prompt.name === 'login' ? undefined : interaction.session?.accountId;
  const userId = login?.accountId ?? bySession;
  if (userId === undefined) return undefined;
  // The engine looked at the session when the interaction began.
  const since = login?.ts ?? (interaction as unknown as { iat: number }).iat;
  return isSignedInSince(await facts.user(userId), since) ? userId : undefined;
}

/** An earlier session is looked at whenever the interaction is read; a sign-in just now is not. */
async function stillSignedIn({ db }: InteractionDeps, { result }: Interaction): Promise<boolean> {
  const { login } = (result ?? {}) as unknown as { login?: Login };
  return login === undefined || sessionStands(db, login.session);
}

async function showStage(deps: InteractionDeps, ctx: Context): Promise<void> {
  const interaction = await currentInteraction(deps, ctx);
  const userId = await signedInUser(await deps.facts.current(), interaction);
  if (userId === undefined) return showSignIn(deps, ctx, interaction);
  if (await isCovered(deps, interaction, userId)) return redirect(ctx, interaction.returnTo);
  return showConsent(deps, ctx, interaction, userId);
}

/** Someone who just signed in may have allowed this before: then nothing is left to ask (§8a 3). */
async function isCovered(
  deps: InteractionDeps,
  interaction: Interaction,
  userId: string,
): Promise<boolean> {
  const { prompt } = interaction.params;
  const asked = typeof prompt === 'string' && prompt.split(' ').includes('consent');
  if (interaction.prompt.name !== 'login' || asked) return false;
  try {
    const request = await readAuthorizationRequest(await deps.facts.current(), interaction.params);
    return (await coveringConsent(deps, request, userId)) !== undefined;
  } catch (error) {
    // The page tells the client what is wrong.
    if (error instanceof OAuthError) return false;
    throw error;
  }
}

async function showConsent(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  userId: string,
): Promise<void> {
  // What is shown is decided again when the form arrives: here the cache will do.
  const facts = await deps.facts.current();
  const asked = await offer(facts, interaction, userId);
  if ('refused' in asked) return refuse(deps, ctx, asked.refused);
  const client = await applicationOf(facts, asked.request.clientId);
  if (client === undefined) throw new OAuthError('invalid_request', 'the client no longer exists');
  const offered = decidedScopes(asked.decision, asked.request);
  const terms = await currentTerms(facts, asked.request, client, offered);
  const shown: Shown = {
    uid: interaction.uid,
    userId,
    termsHash: termsHash(terms),
    request: asked.request,
    offered,
  };
  const live = await findLiveConsent(deps.db.orm, subjectOf(asked.request, userId));
  const path = `/interaction/${interaction.uid}`;
  ctx.set(pageHeaders({ formAction: [asked.request.redirectUri], keepsOpener: true }));
  ctx.type = 'html';
  ctx.vary('Accept-Language');
  const language = languageOf(ctx, interaction.params);
  ctx.body = renderConsent(
    await consentPage(facts, asked.request, asked.decision, userId, {
      language,
      granted: live?.granted ?? [],
      shown: deps.forms.seal(PURPOSE_SHOWN, shown, INTERACTION_TTL_SECONDS, deps.now()),
      actions: { decide: `${path}/decision`, switchUser: `${path}/switch-user` },
    }),
    language,
  );
}

/** The request read and decided again with fresh facts: the engine does not do so on resume. */
async function offer(facts: Facts, interaction: Interaction, userId: string) {
  try {
    const request: AuthorizationRequest = await readAuthorizationRequest(facts, interaction.params);
    return { request, decision: await decideOffer(facts, request, userId) };
  } catch (error) {
    if (error instanceof OAuthError) return { refused: error };
    throw error;
  }
}

async function handleDecision(deps: InteractionDeps, ctx: Context): Promise<void> {
  const form = await readOwnForm(deps, ctx);
  const interaction = await currentInteraction(deps, ctx);
  const facts = await deps.facts.fresh();
  const userId = await signedInUser(facts, interaction);
  if (userId === undefined) return redirect(ctx, `/interaction/${interaction.uid}`);
  // Signed out elsewhere since: nothing is decided for whoever sits there now.
  if (!(await stillSignedIn(deps, interaction))) return showSignIn(deps, ctx, interaction);
  const shown = deps.forms.open(PURPOSE_SHOWN, form.get('shown') ?? '', deps.now()) as
    | Shown
    | undefined;
  if (shown?.uid !== interaction.uid || shown.userId !== userId) {
    throw refusal('formExpired');
  }
  if (form.get('decision') !== 'allow') return deny(deps, ctx, shown);

  const asked = await offer(facts, interaction, userId);
  if ('refused' in asked) return refuse(deps, ctx, asked.refused);
  const { request } = shown;
  const client = await applicationOf(facts, request.clientId);
  if (client === undefined) throw new OAuthError('invalid_request', 'the client no longer exists');
  const terms = await currentTerms(facts, request, client, shown.offered);
  // Whoever read the page agreed to what stood there: when that is not so any more, they read again.
  if (termsHash(terms) !== shown.termsHash) return showConsent(deps, ctx, interaction, userId);
  const granted = grantable(shown, form.getAll('scope'), asked.decision);
  // Nothing at the resource is a no, however much of one's identity was shared.
  const anything = granted.some(
    (scope) => request.resource === '' || !request.identityScopes.some((known) => known === scope),
  );
  if (!anything) return deny(deps, ctx, shown);
  const grant = await approve(
    deps.db,
    {
      userId,
      clientId: request.clientId,
      agentId: request.agentId,
      resource: request.resource,
      clientHash: clientHash(client),
      terms,
      offered: shown.offered,
      granted,
      helpers: 0,
      lifeSeconds: chosenLifeSeconds(form.get('duration_seconds')),
    },
    requestState(ctx).id,
  );
  const { login } = interaction.result ?? {};
  const result = { ...(login === undefined ? {} : { login }), consent: { grantId: grant.id } };
  redirect(ctx, await keepResult(interaction, result));
}

async function deny(
  deps: InteractionDeps,
  ctx: Context,
  { request, userId }: Shown,
): Promise<void> {
  await record(deps.db.orm, {
    type: 'consent.denied',
    by: userId,
    sub: userId,
    clientId: request.clientId,
    agentId: request.agentId || undefined,
    resource: request.resource || undefined,
    requestId: requestState(ctx).id,
  });
  return refuse(deps, ctx, new OAuthError('access_denied', 'the user did not allow it'));
}

/** Sends the client an error by way of the engine, which knows where it may go. */
async function refuse(
  deps: InteractionDeps,
  ctx: Context,
  { code, description }: OAuthError,
): Promise<void> {
  const result = { error: code, error_description: description };
  redirect(ctx, await deps.provider().interactionResult(ctx.req, ctx.res, result));
}
