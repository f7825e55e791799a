/** The first stage of an interaction: who is there? */
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { PASSWORD_ACR } from '../acr.js';
import { applicationOf } from '../facts/application.js';
import { pageHeaders } from '../http/headers.js';
import { languageOf } from '../http/language.js';
import { refusal } from '../http/refusals.js';
import { placeOf, requestState } from '../http/request.js';
import { INTERACTION_TTL_SECONDS } from '../limits.js';
import { reasonToSignInAgain } from './authentication.js';
import {
  currentInteraction,
  type InteractionDeps,
  keepResult,
  readOwnForm,
  redirect,
} from './interaction.js';
import { PURPOSE_SIGN_IN } from './offer.js';
import { actorOf } from './request.js';

export async function showSignIn(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  failed: {
    problem?: 'wrong' | 'throttled';
    retryAfterSeconds?: number;
    email?: string;
    /** Of a sign-in that may not grant what was ticked. */
    tooOld?: true;
  } = {},
): Promise<void> {
  const facts = await deps.facts.current();
  const { client_id: clientId, login_hint: hint } = interaction.params;
  const { redirect_uri: redirectUri } = interaction.params;
  const client = await applicationOf(facts, String(clientId));
  const agent = await facts.agent(await actorOf(facts, interaction.params));
  const again = await reasonToSignInAgain(facts, interaction, failed.tooOld);
  const email =
    failed.email ??
    (typeof hint === 'string' && /^[^@\s\p{C}]{1,64}@[^@\s\p{C}]{1,255}$/u.test(hint)
      ? hint
      : again?.email);
  // A sign-in that leads straight to a refusal ends at the client: Chromium asks about that redirect.
  ctx.set(pageHeaders({ formAction: [String(redirectUri)], keepsOpener: true }));
  ctx.type = 'html';
  ctx.status = failed.problem === undefined ? 200 : failed.problem === 'throttled' ? 429 : 403;
  if (failed.retryAfterSeconds !== undefined)
    ctx.set('Retry-After', String(failed.retryAfterSeconds));
  ctx.vary('Accept-Language');
  const page = {
    client: { id: String(clientId), name: client?.name ?? String(clientId) },
    ...(agent === undefined ? {} : { agent: { name: agent.name } }),
    email,
    ...(again === undefined ? {} : { again: { scopes: again.scopes } }),
    ...(failed.problem === undefined ? {} : { problem: failed.problem }),
    retryAfterSeconds: failed.retryAfterSeconds,
    form: deps.forms.seal(
      PURPOSE_SIGN_IN,
      { uid: interaction.uid },
      INTERACTION_TTL_SECONDS,
      deps.now(),
    ),
    action: `/interaction/${interaction.uid}/sign-in`,
  };
  ctx.body = deps.renderSignIn(page, languageOf(ctx, interaction.params));
}

export async function handleSignIn(deps: InteractionDeps, ctx: Context): Promise<void> {
  const form = await readOwnForm(deps, ctx);
  const interaction = await currentInteraction(deps, ctx);
  const sealed = deps.forms.open(PURPOSE_SIGN_IN, form.get('form') ?? '', deps.now());
  if ((sealed as { uid?: string } | undefined)?.uid !== interaction.uid) {
    throw refusal('formExpired');
  }
  const email = form.get('email') ?? '';
  // No later than the proof: a password that is changed from here on ends what this begins (M2).
  const ts = Math.floor(deps.now() / 1000);
  const outcome = await deps.signIn({
    email,
    password: form.get('password') ?? '',
    place: placeOf(ctx.req),
    requestId: requestState(ctx).id,
    clientId: String(interaction.params.client_id),
    // Until the engine takes it up.
    lifeSeconds: INTERACTION_TTL_SECONDS,
  });
  if (!outcome.ok) {
    const { problem, retryAfterSeconds } = outcome;
    return showSignIn(deps, ctx, interaction, {
      problem,
      email,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
  const { userId, sessionId: session } = outcome;
  const login = { accountId: userId, acr: PASSWORD_ACR, amr: ['pwd'], ts, session };
  await keepResult(interaction, { login });
  redirect(ctx, `/interaction/${interaction.uid}`);
}

export async function handleSwitchUser(deps: InteractionDeps, ctx: Context): Promise<void> {
  await readOwnForm(deps, ctx);
  const interaction = await currentInteraction(deps, ctx);
  await showSignIn(deps, ctx, interaction);
}
