/**
 * The engine's own page, which posts an answer on to the client (form_post) or to itself (signing
 * out without a session): the same form and the same script, in a document people can read and use
 * without scripts.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { languageOf } from '../http/language.js';
import { renderPage } from '../http/page.js';
import type { Language } from '../http/texts/index.js';

/** The engine's template (lib/response_modes/form_post.js): one script, one form, hidden fields. */
const TEMPLATE =
  /<script>([\s\S]*?)<\/script>[\s\S]*<form method="post" action="([^"]*)">([\s\S]*?)<noscript>/;
const FIELD = /<input type="hidden" name="([^"]*)" value="([^"]*)"\/>/g;

export async function rewriteHandOver(
  ctx: KoaContextWithOIDC,
  next: () => Promise<unknown>,
): Promise<void> {
  await next();
  const parts = typeof ctx.body === 'string' ? TEMPLATE.exec(ctx.body) : null;
  if (parts === null) return;
  const [, script = '', action = '', fields = ''] = parts;
  const page = {
    action: decoded(action),
    fields: [...fields.matchAll(FIELD)].map(
      ([, name = '', value = '']) => [decoded(name), decoded(value)] as const,
    ),
    script,
  };
  ctx.body = renderHandOver(page, languageOf(ctx));
  const policy = ctx.response.get('Content-Security-Policy');
  ctx.set('Content-Security-Policy', `${policy}; style-src 'self'`);
  ctx.vary('Accept-Language');
}

export interface HandOverPageModel {
  readonly action: string;
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>;
  /** The policy names it by its hash: not a character may change. */
  readonly script: string;
}

export function renderHandOver(model: HandOverPageModel, language: Language): string {
  const t = language.texts.handOver;
  return renderPage({
    language,
    narrow: true,
    title: t.title,
    content: (
      <>
        <h1>{t.title}</h1>
        <p class="lead">{t.message}</p>
        <form method="post" action={model.action} class="stack">
          {model.fields.map(([name, value]) => (
            <input key={name} type="hidden" name={name} value={value} />
          ))}
          <button type="submit" class="button primary">
            {t.go}
          </button>
        </form>
        <script dangerouslySetInnerHTML={{ __html: model.script }} />
      </>
    ),
  });
}

/** What the engine escapes (lib/helpers/html_safe.js). */
const decoded = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#039;', "'")
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
