/**
 * The second stage of an interaction: the question and its answer. What is granted is what was
 * ticked of what was shown and is still allowed, and means the same, when the form arrives.
 */
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import { record } from '../audit/store.js';
import { approve } from '../delegation/approve.js';
import { findBackground } from '../delegation/background.js';
import { clientHash, termsHash } from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import type { Facts } from '../facts/store.js';
import { pageHeaders } from '../http/headers.js';
import { languageOf } from '../http/language.js';
import { refusal } from '../http/refusals.js';
import { requestState } from '../http/request.js';
import { INTERACTION_TTL_SECONDS } from '../limits.js';
import { isSignInFreshFor } from './authentication.js';
import { chosenHelpers, chosenLifeSeconds, presetNamed } from './choices.js';
import {
  currentInteraction,
  type InteractionDeps,
  keepResult,
  readOwnForm,
  redirect,
  signedInUser,
  stillSignedIn,
} from './interaction.js';
import { type Chosen, consentPage, grantable, PURPOSE_SHOWN, type Shown } from './offer.js';
import { decidedScopes, decideOffer, readAuthorizationRequest, subjectOf } from './request.js';
import { showSignIn } from './sign-in-stage.js';
import { currentTerms } from './terms.js';
import { renderConsent } from './views.js';

/** A page that is shown again keeps what was chosen, and says why it is back. */
interface Again {
  readonly chosen?: Chosen;
  readonly changedMeanwhile?: boolean;
}

export async function showConsent(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  userId: string,
  { chosen = {}, changedMeanwhile = false }: Again = {},
): Promise<void> {
  // What is shown is decided again when the form arrives: here the cache will do.
  const facts = await deps.facts.current();
  const asked = await offer(facts, interaction, userId);
  if ('refused' in asked) return refuse(ctx, interaction, asked.refused);
  const { request, decision } = asked;
  const [user, client, agent, resource, background] = await Promise.all([
    facts.user(userId),
    applicationOf(facts, request.clientId),
    facts.agent(request.agentId),
    facts.resource(request.resource),
    findBackground(deps.db.orm, subjectOf(request, userId)),
  ]);
  if (user === undefined || client === undefined) throw clientGone();
  const offered = decidedScopes(decision, request);
  const terms = await currentTerms(facts, request, client, offered);
  const shown: Shown = {
    uid: interaction.uid,
    userId,
    termsHash: termsHash(terms),
    request,
    offered,
  };
  const path = `/interaction/${interaction.uid}`;
  const nowMs = deps.now();
  ctx.set(pageHeaders({ formAction: [request.redirectUri], keepsOpener: true }));
  ctx.type = 'html';
  ctx.vary('Accept-Language');
  const language = languageOf(ctx, interaction.params);
  const page = consentPage(
    { request, decision, terms, user, client, agent, resource, background },
    {
      language,
      nowMs,
      chosen,
      changedMeanwhile,
      maxSeconds: deps.delegationMaxSeconds,
      manageUrl: `${deps.issuer}/me`,
      shown: deps.forms.seal(PURPOSE_SHOWN, shown, INTERACTION_TTL_SECONDS, nowMs),
      actions: {
        decide: `${path}/decision`,
        preset: `${path}/preset#scopes`,
        switchUser: `${path}/switch-user`,
      },
    },
  );
  ctx.body = renderConsent(page, language);
}

const clientGone = (): OAuthError =>
  new OAuthError('invalid_request', 'the client no longer exists');

/** The request read and decided again with fresh facts: the engine does not do so on resume. */
async function offer(facts: Facts, interaction: Interaction, userId: string) {
  try {
    const request = await readAuthorizationRequest(facts, interaction.params);
    return { request, decision: await decideOffer(facts, request, userId) };
  } catch (error) {
    if (error instanceof OAuthError) return { refused: error };
    throw error;
  }
}

/** A form of ours, from this browser, about a page that this very person was shown. */
async function readShownForm(deps: InteractionDeps, ctx: Context) {
  const form = await readOwnForm(deps, ctx);
  const interaction = await currentInteraction(deps, ctx);
  const facts = await deps.facts.fresh();
  const userId = await signedInUser(facts, interaction);
  if (userId === undefined) {
    redirect(ctx, `/interaction/${interaction.uid}`);
    return undefined;
  }
  // Signed out elsewhere since: nothing is decided for whoever sits there now.
  if (!(await stillSignedIn(deps, interaction))) {
    await showSignIn(deps, ctx, interaction);
    return undefined;
  }
  const shown = deps.forms.open(PURPOSE_SHOWN, form.get('shown') ?? '', deps.now()) as
    | Shown
    | undefined;
  if (shown?.uid !== interaction.uid || shown.userId !== userId) {
    throw refusal('formExpired');
  }
  const acts = shown.request.agentId !== '';
  const chosen = {
    lifeSeconds: chosenLifeSeconds(form.get('duration_seconds'), deps.delegationMaxSeconds),
    helpers: chosenHelpers(form.get('helpers'), acts),
  };
  return { form, interaction, facts, userId, shown, chosen };
}

/** The same page with other ticks: without a script, only we can set them. Decides nothing. */
export async function handlePreset(deps: InteractionDeps, ctx: Context): Promise<void> {
  const read = await readShownForm(deps, ctx);
  if (read === undefined) return;
  const { form, interaction, userId, chosen } = read;
  const preset = presetNamed(form.get('preset'));
  await showConsent(deps, ctx, interaction, userId, { chosen: { ...chosen, preset } });
}

export async function handleDecision(deps: InteractionDeps, ctx: Context): Promise<void> {
  const read = await readShownForm(deps, ctx);
  if (read === undefined) return;
  const { form, interaction, facts, userId, shown, chosen } = read;
  if (form.get('decision') !== 'allow') return deny(deps, ctx, interaction, shown);

  const asked = await offer(facts, interaction, userId);
  if ('refused' in asked) return refuse(ctx, interaction, asked.refused);
  const { request } = shown;
  const client = await applicationOf(facts, request.clientId);
  if (client === undefined) throw clientGone();
  const terms = await currentTerms(facts, request, client, shown.offered);
  // Whoever read the page agreed to what stood there: when that is not so any more, they read again.
  if (termsHash(terms) !== shown.termsHash) {
    return showConsent(deps, ctx, interaction, userId, { chosen, changedMeanwhile: true });
  }
  const granted = grantable(shown, form.getAll('scope'), asked.decision);
  // Nothing at the resource is a no, however much of one's identity was shared.
  const anything = granted.some(
    (scope) => request.resource === '' || !request.identityScopes.some((known) => known === scope),
  );
  if (!anything) return deny(deps, ctx, interaction, shown);
  const { resource } = request;
  if (!(await isSignInFreshFor(deps, facts, interaction, { resource, scopes: granted }))) {
    return showSignIn(deps, ctx, interaction, { tooOld: true });
  }
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
      helpers: chosen.helpers,
      lifeSeconds: chosen.lifeSeconds,
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
  interaction: Interaction,
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
  return refuse(ctx, interaction, new OAuthError('access_denied', 'the user did not allow it'));
}

/** Sends the client an error by way of the engine, which knows where it may go. */
async function refuse(
  ctx: Context,
  interaction: Interaction,
  { code, description }: OAuthError,
): Promise<void> {
  const result = { error: code, error_description: description };
  redirect(ctx, await keepResult(interaction, result));
}
