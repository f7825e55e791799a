/**
 * Sign-in and consent in one interaction (DESIGN §8a 2–4): one page, then the other, then back to
 * the engine. Owns the way between the stages; each is a file of its own, the pages are views, the
 * decision is policy.
 */
import Router from '@koa/router';
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import { type Background, findBackground } from '../delegation/background.js';
import { handlePreset, showConsent } from './consent-stage.js';
import { coveringConsent } from './covering.js';
import { handleDecision } from './decision-stage.js';
import { currentInteraction, type InteractionDeps, redirect, signedInUser } from './interaction.js';
import { readAuthorizationRequest } from './request.js';
import { handleSignIn, handleSwitchUser, showSignIn } from './sign-in-stage.js';

export function createInteractionRouter(deps: InteractionDeps): Router {
  const router = new Router({ prefix: '/interaction/:uid' });
  router.use(deps.noteRefusals);
  router.get('/', (ctx) => showStage(deps, ctx));
  router.post('/sign-in', (ctx) => handleSignIn(deps, ctx));
  router.post('/decision', (ctx) => handleDecision(deps, ctx));
  router.post('/preset', (ctx) => handlePreset(deps, ctx));
  router.post('/switch-user', (ctx) => handleSwitchUser(deps, ctx));
  return router;
}

async function showStage(deps: InteractionDeps, ctx: Context): Promise<void> {
  const interaction = await currentInteraction(deps, ctx);
  const userId = await signedInUser(await deps.facts.current(), interaction);
  if (userId === undefined) return showSignIn(deps, ctx, interaction);
  const earlier = await lookBack(deps, interaction, userId);
  if (earlier.covers) return redirect(ctx, interaction.returnTo);
  return showConsent(deps, ctx, interaction, userId, earlier);
}

/** Someone who just signed in may have allowed this before: then nothing is left to ask (§8a 3). */
async function lookBack(
  deps: InteractionDeps,
  interaction: Interaction,
  userId: string,
): Promise<{ readonly covers: boolean; readonly background?: Background | undefined }> {
  const { prompt } = interaction.params;
  const asked = typeof prompt === 'string' && prompt.split(' ').includes('consent');
  if (interaction.prompt.name !== 'login' || asked) return { covers: false };
  let background: Background | undefined;
  try {
    const request = await readAuthorizationRequest(await deps.facts.current(), interaction.params);
    const covering = await coveringConsent(deps, request, userId, async (db, subject) => {
      background = await findBackground(db, subject);
      return background.earlier;
    });
    return { covers: covering !== undefined, background };
  } catch (error) {
    // The page tells the client what is wrong.
    if (error instanceof OAuthError) return { covers: false };
    throw error;
  }
}
