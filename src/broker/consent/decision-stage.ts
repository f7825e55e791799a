/**
 * The last stage of an interaction: the answer. What is granted is what was ticked of what was shown
 * and is still allowed, and means the same, when the form arrives.
 */
import type { Context } from 'koa';
import type { Interaction } from 'oidc-provider';
import { formatScope, OAuthError } from '../../protocol/index.js';
import { record } from '../audit/store.js';
import { approve } from '../delegation/approve.js';
import { abandonGrant } from '../delegation/ends.js';
import type { TakenAway } from '../delegation/policy.js';
import { clientHash, termsHash } from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import type { Facts } from '../facts/store.js';
import { refusal } from '../http/refusals.js';
import { requestState } from '../http/request.js';
import { type Answer, clientGone, offer, readAnswer, readShown, refuse } from './answer.js';
import { isSignInFreshFor } from './authentication.js';
import { showConsent } from './consent-stage.js';
import {
  type InteractionDeps,
  keepResult,
  redirect,
  sessionOf,
  signedInUser,
  stillSignedIn,
} from './interaction.js';
import { grantable, type Shown } from './offer.js';
import { subjectOf } from './request.js';
import { showSignIn } from './sign-in-stage.js';
import { currentTerms } from './terms.js';

/**
 * A yes is decided on the facts at hand and written only if they were the newest, which the statement
 * that writes it looks at. Everything else is said on the newest facts only, and so is a yes that was
 * not written.
 */
export async function handleDecision(deps: InteractionDeps, ctx: Context): Promise<void> {
  const answer = await readAnswer(deps, ctx);
  const { form, interaction } = answer;
  if (form.get('decision') === 'allow') {
    const atHand = await decide(deps, ctx, answer, await deps.facts.current());
    if ('grantId' in atHand) return goOn(deps, ctx, interaction, atHand.grantId);
  }
  // Signed out elsewhere since: nothing is decided for whoever sits there now.
  const facts = await deps.facts.fresh();
  const userId = await signedInUser(facts, interaction);
  if (userId === undefined) return redirect(ctx, `/interaction/${interaction.uid}`);
  if (!(await stillSignedIn(deps, interaction))) return showSignIn(deps, ctx, interaction);
  const { shown, chosen } = readShown(deps, answer, userId);
  if (form.get('decision') !== 'allow') return deny(deps, ctx, interaction, shown);
  const decided = await decide(deps, ctx, answer, facts);
  if ('grantId' in decided) return goOn(deps, ctx, interaction, decided.grantId);
  if ('refused' in decided) return refuse(ctx, interaction, decided.refused);
  if (decided.no === 'nothing') return deny(deps, ctx, interaction, shown);
  if (decided.no === 'too_old') return showSignIn(deps, ctx, interaction, { tooOld: true });
  if (decided.no === 'overtaken') throw refusal('unavailable');
  // Whoever read the page agreed to what stood there: when that is not so any more, they read again.
  return showConsent(deps, ctx, interaction, userId, { chosen, changedMeanwhile: true });
}

type Decided =
  | { readonly grantId: string }
  | { readonly refused: OAuthError }
  | { readonly no: 'signed_out' | 'terms_changed' | 'nothing' | 'too_old' | 'overtaken' };

/** Writes a yes, or says why not and writes nothing. */
async function decide(
  deps: InteractionDeps,
  ctx: Context,
  answer: Answer,
  facts: Facts,
): Promise<Decided> {
  const { form, interaction } = answer;
  const userId = await signedInUser(facts, interaction);
  if (userId === undefined) return { no: 'signed_out' };
  const { shown, chosen } = readShown(deps, answer, userId);
  const asked = await offer(facts, interaction, userId);
  if ('refused' in asked) return { refused: asked.refused };
  const { request } = shown;
  const client = await applicationOf(facts, request.clientId);
  if (client === undefined) throw clientGone();
  const terms = await currentTerms(facts, request, client, shown.offered);
  if (termsHash(terms) !== shown.termsHash) return { no: 'terms_changed' };
  const granted = grantable(shown, form.getAll('scope'), asked.decision);
  // Nothing at the resource is a no, however much of one's identity was shared.
  const anything = granted.some(
    (scope) => request.resource === '' || !request.identityScopes.some((known) => known === scope),
  );
  if (!anything) return { no: 'nothing' };
  const { resource } = request;
  if (!(await isSignInFreshFor(deps, facts, interaction, { resource, scopes: granted }))) {
    return { no: 'too_old' };
  }
  const grant = await approve(
    deps.db,
    {
      ...subjectOf(request, userId),
      clientHash: clientHash(client),
      terms,
      offered: shown.offered,
      granted,
      asked: askedIn(request),
      takenAway: [...asked.decision.takenAway, ...unticked(shown, granted)],
      ...chosen,
      epoch: facts.epoch,
    },
    { requestId: requestState(ctx).id, session: sessionOf(interaction) },
  );
  return grant === undefined ? { no: 'overtaken' } : { grantId: grant.id };
}

/** For the audit: what was asked for, in the request's own order. */
const askedIn = ({ requested, identityScopes }: Shown['request']): string =>
  formatScope([...requested, ...identityScopes]);

/** What the user took away. */
const unticked = ({ offered }: Shown, granted: readonly string[]): TakenAway[] =>
  offered.filter((scope) => !granted.includes(scope)).map((scope) => ({ scope, by: ['consent'] }));

/** Answered in another window meanwhile: what was written for this one goes again. */
async function goOn(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  grantId: string,
): Promise<void> {
  const { login } = interaction.result ?? {};
  const result = { ...(login === undefined ? {} : { login }), consent: { grantId } };
  try {
    redirect(ctx, await keepResult(interaction, result));
  } catch (error) {
    await abandonGrant(deps.db, grantId, requestState(ctx).id);
    throw error;
  }
}

async function deny(
  deps: InteractionDeps,
  ctx: Context,
  interaction: Interaction,
  { request, userId, offered }: Shown,
): Promise<void> {
  await record(deps.db.orm, {
    type: 'consent.denied',
    by: userId,
    sub: userId,
    clientId: request.clientId,
    agentId: request.agentId || undefined,
    resource: request.resource || undefined,
    requestId: requestState(ctx).id,
    detail: { asked: askedIn(request), offered },
  });
  return refuse(ctx, interaction, new OAuthError('access_denied', 'the user did not allow it'));
}
