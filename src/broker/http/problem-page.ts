/** What people see instead of JSON when something did not work, and around signing out. */
import type { Context } from 'koa';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { OAuthError } from '../../protocol/index.js';
import { pageHeaders } from './headers.js';
import { languageOf } from './language.js';
import type { ErrorPageModel } from './page-model.js';
import { requestState } from './request.js';
import type { Language } from './texts/index.js';

export interface ProblemViews {
  readonly renderError: (page: ErrorPageModel, language: Language) => string;
  readonly renderSignOut: (
    page: { readonly action: string; readonly xsrf: string },
    language: Language,
  ) => string;
}

type AnyContext = Context | KoaContextWithOIDC;

/** The same pages for the boundary and for the engine. */
export function createProblemPage({ renderError, renderSignOut }: ProblemViews) {
  const html = (ctx: AnyContext, body: string): void => {
    ctx.set(pageHeaders({}));
    ctx.vary('Accept-Language');
    ctx.type = 'html';
    ctx.body = body;
  };
  const problem = (ctx: AnyContext, code: string, message: string): void => {
    const language = languageOf(ctx);
    const { title, advice } = language.texts.error;
    const { id: requestId } = requestState(ctx);
    html(ctx, renderError({ title, message, advice, code, requestId }, language));
  };
  return {
    render: (ctx: Context, error: OAuthError) => problem(ctx, error.code, error.description),
    engine: {
      renderError: (ctx: KoaContextWithOIDC, out: ErrorOut) => {
        if (ctx.accepts('json', 'html') === 'json') ctx.body = out;
        else problem(ctx, out.error, out.error_description ?? out.error);
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
