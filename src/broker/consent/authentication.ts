/**
 * What a request demands of the sign-in behind it: how it was done (`acr`), and how long ago. There is
 * one way to sign in, so a demand for another cannot be met; a recent sign-in is asked for again.
 */
import type { Interaction, KoaContextWithOIDC } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import { PASSWORD_ACR } from '../acr.js';
import { freshScopes, isFreshFor } from '../delegation/freshness.js';
import type { Facts } from '../facts/store.js';
import { type ConsentHookDeps, coveringConsent } from './covering.js';
import type { InteractionDeps, Login } from './interaction.js';
import { type AuthorizationRequest, decideOffer, readAuthorizationRequest } from './request.js';

/**
 * RFC 9470 §5: for an access token `acr_values` are necessary, and what cannot be met is said. Without
 * a resource they are a wish (OIDC Core §3.1.2.1).
 *
 * @throws OAuthError `unmet_authentication_requirements`
 */
export function checkAcrValues(acrValues: unknown, request: AuthorizationRequest): void {
  if (typeof acrValues !== 'string' || request.resource === '') return;
  if (!acrValues.split(' ').includes(PASSWORD_ACR)) throw unmet();
}

/**
 * OIDC Core §5.5.1.1: an essential `acr` that cannot be reached is a failed sign-in. Nothing else of
 * the `claims` parameter is supported, nor read.
 *
 * @throws OAuthError `unmet_authentication_requirements`
 */
export function checkEssentialAcr(claims: unknown): void {
  const { essential, value, values } = acrClaim(claims);
  if (essential !== true || (value === undefined && values === undefined)) return;
  const accepted = [value, values].flat();
  if (!accepted.includes(PASSWORD_ACR)) throw unmet();
}

/** The name of the engine's check, and so the reason an interaction gives for a sign-in. */
export const SIGN_IN_TOO_OLD = 'sign_in_too_old';

const unmet = (): OAuthError =>
  new OAuthError(
    'unmet_authentication_requirements',
    `the only way to sign in here is ${PASSWORD_ACR}`,
  );

interface AcrClaim {
  readonly essential?: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
}

function acrClaim(claims: unknown): AcrClaim {
  try {
    const parsed = JSON.parse(String(claims)) as { id_token?: { acr?: AcrClaim } } | null;
    return parsed?.id_token?.acr ?? {};
  } catch {
    return {};
  }
}

/** For the engine: whether whoever is signed in must prove it again before this is granted. */
export async function mustSignInAgain(
  deps: Pick<ConsentHookDeps, 'db' | 'facts' | 'now'>,
  ctx: KoaContextWithOIDC,
): Promise<boolean> {
  const { session, result, params = {} } = ctx.oidc;
  // Approved on the page just now, where it was looked at.
  if (session?.accountId === undefined || result?.consent?.grantId !== undefined) return false;
  const facts = await deps.facts.current();
  try {
    const request = await readAuthorizationRequest(facts, params);
    const rules = (await facts.resource(request.resource))?.scopes ?? {};
    const now = Math.floor(deps.now() / 1000);
    const isFresh = (scopes: readonly string[]) =>
      isFreshFor(rules, scopes, session.loginTs ?? 0, now);
    if (isFresh(request.requested)) return false;
    const covering = await coveringConsent(deps, request, session.accountId);
    const { accountId } = session;
    const granted = covering?.covered ?? (await decideOffer(facts, request, accountId)).granted;
    return !isFresh(granted);
  } catch (error) {
    // The request cannot be granted at all: that is said by whoever decides it.
    if (error instanceof OAuthError) return false;
    throw error;
  }
}

/** For the consent form: whether the sign-in of this interaction may grant these scopes. */
export async function isSignInFreshFor(
  { provider, now }: Pick<InteractionDeps, 'provider' | 'now'>,
  facts: Facts,
  interaction: Interaction,
  granting: { readonly resource: string; readonly scopes: readonly string[] },
): Promise<boolean> {
  const rules = (await facts.resource(granting.resource))?.scopes ?? {};
  if (freshScopes(rules, granting.scopes).length === 0) return true;
  const { login } = (interaction.result ?? {}) as unknown as { login?: Login };
  const uid = interaction.session?.uid ?? '';
  const signedInAt = login?.ts ?? (await provider().Session.findByUid(uid))?.loginTs ?? 0;
  return isFreshFor(rules, granting.scopes, signedInAt, Math.floor(now() / 1000));
}

/**
 * Why somebody who is signed in has to sign in again, if that is so: what asks for it, by title, or
 * nothing in particular.
 */
export async function reasonToSignInAgain(
  facts: Facts,
  interaction: Interaction,
  tooOld = interaction.prompt.reasons.includes(SIGN_IN_TOO_OLD),
): Promise<{ readonly email: string; readonly scopes: readonly string[] } | undefined> {
  const user = await facts.user(interaction.session?.accountId ?? '');
  if (user === undefined) return undefined;
  if (!tooOld) return { email: user.email, scopes: [] };
  const { resource, requested } = await readAuthorizationRequest(facts, interaction.params);
  const rules = (await facts.resource(resource))?.scopes ?? {};
  const scopes = freshScopes(rules, requested).map((scope) => rules[scope]?.title ?? scope);
  return { email: user.email, scopes };
}
