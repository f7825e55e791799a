/** What the question and its answer share: the request as it is decided now, and the form's reading. */
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import type { Facts } from '../facts/store.js';
import { refusal } from '../http/refusals.js';
import { chosenHelpers, chosenLifeSeconds } from './choices.js';
import {
  currentInteraction,
  type InteractionDeps,
  keepResult,
  readOwnForm,
  redirect,
} from './interaction.js';
import { PURPOSE_SHOWN, type Shown } from './offer.js';
import { decideOffer, readAuthorizationRequest } from './request.js';

export const clientGone = (): OAuthError =>
  new OAuthError('invalid_request', 'the client no longer exists');

/** The request read and decided again with fresh facts: the engine does not do so on resume. */
export async function offer(facts: Facts, interaction: Interaction, userId: string) {
  try {
    const request = await readAuthorizationRequest(facts, interaction.params);
    return { request, decision: await decideOffer(facts, request, userId) };
  } catch (error) {
    if (error instanceof OAuthError) return { refused: error };
    throw error;
  }
}

export interface Answer {
  readonly form: URLSearchParams;
  readonly interaction: Interaction;
}

/** A form of ours, from this browser. */
export async function readAnswer(deps: InteractionDeps, ctx: Context): Promise<Answer> {
  const form = await readOwnForm(deps, ctx);
  return { form, interaction: await currentInteraction(deps, ctx) };
}

/** What it is about: a page that this very person was shown, and the choices on it. */
export function readShown(deps: InteractionDeps, { form, interaction }: Answer, userId: string) {
  const shown = deps.forms.open(PURPOSE_SHOWN, form.get('shown') ?? '', deps.now()) as
    | Shown
    | undefined;
  if (shown?.uid !== interaction.uid || shown.userId !== userId) throw refusal('formExpired');
  const chosen = {
    lifeSeconds: chosenLifeSeconds(form.get('duration_seconds'), deps.delegationMaxSeconds),
    helpers: chosenHelpers(form.get('helpers'), shown.request.agentId === '' ? 0 : deps.helpersMax),
  };
  return { shown, chosen };
}

/** Sends the client an error by way of the engine, which knows where it may go. */
export async function refuse(
  ctx: Context,
  interaction: Interaction,
  { code, description }: OAuthError,
): Promise<void> {
  const result = { error: code, error_description: description };
  redirect(ctx, await keepResult(interaction, result));
}
