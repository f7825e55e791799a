/** What people see instead of JSON when something did not work, and around signing out. */
import type { Context } from 'koa';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { OAuthError } from '../../protocol/index.js';
import { pageHeaders } from './headers.js';
import type { ErrorPageModel } from './page-model.js';
import { requestState } from './request.js';
import { texts } from './texts/index.js';

export interface ProblemViews {
  readonly renderError: (page: ErrorPageModel) => string;
  readonly renderSignOut: (page: { readonly action: string; readonly xsrf: string }) => string;
}

type AnyContext = Context | KoaContextWithOIDC;

/** The same pages for the boundary and for the engine. */
export function createProblemPage({ renderError, renderSignOut }: ProblemViews) {
  const html = (ctx: AnyContext, body: string): void => {
    ctx.set(pageHeaders({}));
    ctx.type = 'html';
    ctx.body = body;
  };
  const problem = (ctx: AnyContext, code: string, message: string): void => {
    const { title, advice } = texts.error;
    const { id: requestId } = requestState(ctx);
    html(ctx, renderError({ title, message, advice, code, requestId }));
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
        html(ctx, renderSignOut({ action, xsrf: secret ?? '' }));
      },
      renderLoggedOut: async (ctx: KoaContextWithOIDC) => html(ctx, renderError(texts.signedOut)),
    },
  };
}
