/**
 * The second stage of an interaction: the question. What it shows is sealed into it; its answer is
 * the next stage (`decision-stage.ts`).
 */
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { type Background, findBackground } from '../delegation/background.js';
import { termsHash } from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import { pageHeaders } from '../http/headers.js';
import { languageOf } from '../http/language.js';
import { INTERACTION_TTL_SECONDS } from '../limits.js';
import { clientGone, offer, readAnswer, readShown, refuse } from './answer.js';
import { presetNamed } from './choices.js';
import { type InteractionDeps, redirect, signedInUser, stillSignedIn } from './interaction.js';
import { type Chosen, consentPage, PURPOSE_SHOWN, type Shown } from './offer.js';
import { decidedScopes, subjectOf } from './request.js';
import { showSignIn } from './sign-in-stage.js';
import { currentTerms } from './terms.js';
import { renderConsent } from './views.js';

/** A page that is shown again keeps what was chosen, and says why it is back. */
interface Again {
  readonly chosen?: Chosen;
  readonly changedMeanwhile?: boolean;
  /** When it was looked up already. */
  readonly background?: Background | undefined;
}

export async function showConsent(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  userId: string,
  { chosen = {}, changedMeanwhile = false, ...known }: Again = {},
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
    known.background ?? findBackground(deps.db.orm, subjectOf(request, userId)),
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
      helpersMax: deps.helpersMax,
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

/** The same page with other ticks: without a script, only we can set them. Decides nothing. */
export async function handlePreset(deps: InteractionDeps, ctx: Context): Promise<void> {
  const answer = await readAnswer(deps, ctx);
  const { form, interaction } = answer;
  const userId = await signedInUser(await deps.facts.current(), interaction);
  if (userId === undefined) return redirect(ctx, `/interaction/${interaction.uid}`);
  if (!(await stillSignedIn(deps, interaction))) return showSignIn(deps, ctx, interaction);
  const { chosen } = readShown(deps, answer, userId);
  const preset = presetNamed(form.get('preset'));
  await showConsent(deps, ctx, interaction, userId, { chosen: { ...chosen, preset } });
}
