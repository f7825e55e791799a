/**
 * Who is at the own pages: the engine's session of this browser, a live row for it, a user in good
 * standing. Forms belong to one session, and before there is one to one browser (I1, I11).
 */
import { randomBytes } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import type { OAuthError } from '../../protocol/index.js';
import type { RecordedEvent } from '../audit/store.js';
import type { Database } from '../db/database.js';
import type { FactsCache, UserFacts } from '../facts/store.js';
import { readForm } from '../http/body.js';
import { type FormSealer, isSameOrigin } from '../http/csrf.js';
import { pageHeaders } from '../http/headers.js';
import { languageOf } from '../http/language.js';
import { cookiePath, outward } from '../http/mount.js';
import type { SignInPageModel } from '../http/page-model.js';
import { refusal } from '../http/refusals.js';
import type { Language } from '../http/texts/index.js';
import type { BrowserSessions } from '../provider/browser-session.js';
import { isSignedInSince } from '../sessions/policy.js';
import { seeSession } from '../sessions/store.js';
import type { ChangePassword } from '../users/password-change.js';
import type { SignIn } from '../users/sign-in.js';
import type { Signed } from './shell.js';

export interface MeDeps {
  readonly db: Database;
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly sessions: BrowserSessions;
  readonly forms: FormSealer;
  readonly signIn: SignIn;
  readonly changePassword: ChangePassword;
  readonly sentences: (events: readonly RecordedEvent[]) => Promise<readonly string[]>;
  /** To the audit, a bounded number of them. */
  readonly noteRefusals: Middleware;
  readonly renderSignIn: (page: SignInPageModel, language: Language) => string;
  /** Name of the cookie that binds a sign-in form to its browser. */
  readonly formCookie: string;
  readonly now: () => number;
}

export interface Visitor {
  readonly userId: string;
  readonly sessionId: string;
  readonly signed: Signed;
}

/** A page of these may stay open for long: stopping must work all the same. */
const FORM_TTL_SECONDS = 12 * 3600;
const SIGN_IN_FORM_TTL_SECONDS = 15 * 60;
const PURPOSE = 'me';
const PURPOSE_SIGN_IN = 'me-sign-in';

/** Undefined when nobody is signed in. Counts as being seen. */
export async function visitorOf(deps: MeDeps, ctx: Context): Promise<Visitor | undefined> {
  const session = await deps.sessions.current(ctx.req, ctx.res);
  if (session === undefined) return undefined;
  // What a stop or a new password did must hold here at once.
  const user = await (await deps.facts.fresh()).user(session.userId);
  if (!isSignedInSince(user, session.sinceSeconds)) return undefined;
  const sessionId = await seeSession(deps.db, session.key);
  if (sessionId === undefined) return undefined;
  const form = deps.forms.seal(PURPOSE, { session: sessionId }, FORM_TTL_SECONDS, deps.now());
  const { id: userId, name, email } = user as UserFacts;
  return { userId, sessionId, signed: { name, email, sessionId, form } };
}

/** @throws OAuthError unless the form is from a page of ours, made for this very session */
export async function readVisitorsForm(
  deps: MeDeps,
  ctx: Context,
  visitor: Visitor,
): Promise<URLSearchParams> {
  const form = await readOwnForm(deps, ctx);
  const sealed = deps.forms.open(PURPOSE, form.get('form') ?? '', deps.now());
  if ((sealed as { session?: string } | undefined)?.session !== visitor.sessionId)
    throw refusal('formExpired');
  return form;
}

async function readOwnForm(deps: MeDeps, ctx: Context): Promise<URLSearchParams> {
  if (!isSameOrigin(ctx.req.headers, deps.issuer)) {
    throw refusal('foreignForm');
  }
  return readForm(ctx.req);
}

const NONCE = /^[A-Za-z0-9_-]{32}$/;

/** A form for signing in, and where it leads; only the browser it was made for can send it. */
export function sealSignIn(deps: MeDeps, ctx: Context, to: string): string {
  const known = ctx.cookies.get(deps.formCookie) ?? '';
  const browser = NONCE.test(known) ? known : randomBytes(24).toString('base64url');
  ctx.cookies.set(deps.formCookie, browser, {
    httpOnly: true,
    sameSite: 'lax',
    secure: deps.issuer.startsWith('https:'),
    path: cookiePath(deps.issuer),
    signed: false,
    maxAge: SIGN_IN_FORM_TTL_SECONDS * 1000,
  });
  return deps.forms.seal(PURPOSE_SIGN_IN, { browser, to }, SIGN_IN_FORM_TTL_SECONDS, deps.now());
}

/** @throws OAuthError unless the form was made for this browser */
export async function readSignInForm(
  deps: MeDeps,
  ctx: Context,
): Promise<{ readonly form: URLSearchParams; readonly to: string }> {
  const form = await readOwnForm(deps, ctx);
  const sealed = deps.forms.open(PURPOSE_SIGN_IN, form.get('form') ?? '', deps.now()) as
    | { readonly browser: string; readonly to: string }
    | undefined;
  if (sealed === undefined || sealed.browser !== ctx.cookies.get(deps.formCookie))
    throw refusal('formExpired');
  return { form, to: sealed.to };
}

/** There is nothing here, or nothing of this visitor's: one answer, so that nobody can ask which. */
export const nothingHere = (): OAuthError => refusal('notFound');

export function showPage(ctx: Context, render: (language: Language) => string): void {
  ctx.set(pageHeaders({}));
  ctx.vary('Accept-Language');
  ctx.type = 'html';
  ctx.body = render(languageOf(ctx));
}

/** 303 after a POST, never 307 (A11). */
export function seeOther(ctx: Context, location: string): void {
  ctx.redirect(outward(ctx, location));
  ctx.status = 303;
}
