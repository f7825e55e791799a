/** What people see instead of JSON when something did not work, and around signing out. */
import type { Context } from 'koa';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { OAuthError } from '../../protocol/index.js';
import { pageHeaders } from './headers.js';
import { languageOf } from './language.js';
import type { ErrorPageModel } from './page-model.js';
import { problemOf, refusal } from './refusals.js';
import { requestState } from './request.js';
import type { Language } from './texts/index.js';

export interface ProblemViews {
  readonly renderError: (page: ErrorPageModel, language: Language) => string;
  readonly renderSignOut: (
    page: { readonly action: string; readonly xsrf: string },
    language: Language,
  ) => string;
  readonly now: () => number;
}

type AnyContext = Context | KoaContextWithOIDC;

/** Whether an answer is read by a person: then it is a page. */
export const wantsPage = (ctx: AnyContext): boolean => ctx.accepts('json', 'html') === 'html';

/** The same pages for the boundary and for the engine. */
export function createProblemPage({ renderError, renderSignOut, now }: ProblemViews) {
  const html = (ctx: AnyContext, body: string): void => {
    ctx.set(pageHeaders({}));
    ctx.vary('Accept-Language');
    ctx.type = 'html';
    ctx.body = body;
  };
  const problem = (ctx: AnyContext, code: string, sentence: string): void => {
    const language = languageOf(ctx);
    const { id: requestId } = requestState(ctx);
    const details = { code, what: sentence, requestId, atMs: now() };
    const words = language.texts.problems[problemOf({ code, sentence })];
    html(ctx, renderError({ ...words, details }, language));
  };
  const render = (ctx: AnyContext, error: OAuthError): void =>
    problem(ctx, error.code, error.description);
  return {
    render,
    engine: {
      renderError: (ctx: KoaContextWithOIDC, out: ErrorOut, error: Error) => {
        if (!wantsPage(ctx)) ctx.body = out;
        else if (error.name === 'SessionNotFound') render(ctx, refusal('expired'));
        else problem(ctx, out.error, out.error_description ?? out.error);
      },
      refuse: (ctx: KoaContextWithOIDC, error: OAuthError) => {
        ctx.status = error.status;
        if (wantsPage(ctx)) render(ctx, error);
        else ctx.body = { error: error.code, error_description: error.description };
      },
      renderLogout: async (ctx: KoaContextWithOIDC) => {
        const { secret } = (ctx.oidc.session?.state ?? {}) as { secret?: string };
        const action = ctx.oidc.urlFor('end_session_confirm');
        html(ctx, renderSignOut({ action, xsrf: secret ?? '' }, languageOf(ctx)));
      },
      renderLoggedOut: async (ctx: KoaContextWithOIDC) => {
        const language = languageOf(ctx);
        html(ctx, renderError(language.texts.signedOut, language));
      },
    },
  };
}
