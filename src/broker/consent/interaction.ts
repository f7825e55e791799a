/** What the stages of an interaction share: the browser it belongs to, its forms, the way on. */
import type { Context, Middleware } from 'koa';
import type { Interaction, InteractionResults, Provider } from 'oidc-provider';
import { sessionKey } from '../artifact-key.js';
import type { Database } from '../db/database.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { readForm } from '../http/body.js';
import { type FormSealer, isSameOrigin } from '../http/csrf.js';
import { outward } from '../http/mount.js';
import type { SignInPageModel } from '../http/page-model.js';
import { refusal } from '../http/refusals.js';
import { requestState } from '../http/request.js';
import type { Language } from '../http/texts/index.js';
import { isSignedInSince } from '../sessions/policy.js';
import { sessionStands } from '../sessions/store.js';
import type { SignIn } from '../users/sign-in.js';

export interface InteractionDeps {
  readonly db: Database;
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly provider: () => Provider;
  readonly forms: FormSealer;
  readonly signIn: SignIn;
  readonly renderSignIn: (page: SignInPageModel, language: Language) => string;
  /** Around every page. */
  readonly noteRefusals: Middleware;
  /** The longest anybody may be let act. */
  readonly delegationMaxSeconds: number;
  /** How many may follow the agent at most. */
  readonly helpersMax: number;
  readonly now: () => number;
}

/** The interaction of this browser; the cookie must be the one the address names (I3). */
export async function currentInteraction(
  deps: InteractionDeps,
  ctx: Context,
): Promise<Interaction> {
  const interaction = await deps.provider().interactionDetails(ctx.req, ctx.res);
  if (interaction.uid !== ctx.params.uid) {
    throw refusal('expired');
  }
  tellInteraction(ctx, interaction);
  return interaction;
}

/** Whom it is about, for the audit, should a form of it be refused. */
function tellInteraction(ctx: Context, { params, result, session }: Interaction): void {
  const { login } = (result ?? {}) as unknown as { login?: Login };
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value : undefined;
  requestState(ctx).story = {
    sub: login?.accountId ?? session?.accountId,
    clientId: text(params.client_id),
    agentId: text(params.requested_actor),
    resource: text(params.resource),
    detail: { asked: text(params.scope) },
  };
}

/**
 * Keeps what came of a stage, and says where the engine takes it up. The interaction was just read:
 * the engine's own `interactionResult` would read it, and its session, once more.
 */
export async function keepResult(
  interaction: Interaction,
  result: InteractionResults,
): Promise<string> {
  const merged = 'error' in result ? result : { ...interaction.lastSubmission, ...result };
  Object.assign(interaction, { result: merged });
  await interaction.persist();
  return interaction.returnTo;
}

/** Cross-site posts never get here with the cookie; these two close what is left (I1, I11). */
export async function readOwnForm(deps: InteractionDeps, ctx: Context): Promise<URLSearchParams> {
  if (!isSameOrigin(ctx.req.headers, deps.issuer)) {
    throw refusal('foreignForm');
  }
  return readForm(ctx.req);
}

/** As `sign-in-stage.ts` keeps it. */
export interface Login {
  readonly accountId: string;
  readonly ts: number;
  readonly session: string;
}

/** The sign-in that was just now on our page; an earlier one is the engine's session. */
export const newSessionOf = ({ result }: Interaction): string | undefined =>
  ((result ?? {}) as unknown as { login?: Login }).login?.session;

/** The session an answer is given in (`delegation/approve.ts`). */
export const sessionOf = (interaction: Interaction): string => {
  const { uid } = interaction.session ?? {};
  return newSessionOf(interaction) ?? (uid === undefined ? '' : sessionKey(uid));
};

/** An earlier session is looked at whenever the interaction is read; a sign-in just now is not. */
export async function stillSignedIn(
  { db }: Pick<InteractionDeps, 'db'>,
  { result }: Interaction,
): Promise<boolean> {
  const { login } = (result ?? {}) as unknown as { login?: Login };
  return login === undefined || sessionStands(db, login.session);
}

/**
 * Who has signed in: just now on our page, or earlier in this session when only consent is asked.
 * Nobody, when the user was stopped or changed the password since.
 */
export async function signedInUser(
  facts: Facts,
  interaction: Interaction,
): Promise<string | undefined> {
  const { login } = (interaction.result ?? {}) as unknown as { login?: Login };
  const bySession =
    interaction.prompt.name === 'login' ? undefined : interaction.session?.accountId;
  const userId = login?.accountId ?? bySession;
  if (userId === undefined) return undefined;
  // The engine looked at the session when the interaction began.
  const since = login?.ts ?? (interaction as unknown as { iat: number }).iat;
  return isSignedInSince(await facts.user(userId), since) ? userId : undefined;
}

/** 303 after a POST, never 307 (A11). */
export function redirect(ctx: Context, location: string): void {
  ctx.redirect(outward(ctx, location));
  ctx.status = 303;
}
