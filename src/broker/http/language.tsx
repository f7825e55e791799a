/** The language of a page, and where its links begin: found in the request, given to everything on it. */
import type { IncomingMessage } from 'node:http';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { mountOf } from './mount.js';
import { chooseLanguage, type Language } from './texts/index.js';

const LanguageContext = createContext<Language | undefined>(undefined);

export const InLanguage = LanguageContext.Provider;

/** @throws Error outside a page */
export function useLanguage(): Language {
  const language = useContext(LanguageContext);
  if (language === undefined) throw new Error('texts are used outside a page');
  return language;
}

/** An address of ours, for links and forms on a page: where the broker stands comes first. */
export function useOwn(): (path: string) => string {
  const { base = '' } = useLanguage();
  return (path) => `${base}${path}`;
}

/** The part of a Koa context, ours or the engine's, that tells what somebody reads. */
interface Asked {
  readonly req: IncomingMessage;
  readonly query: NodeJS.Dict<string | string[]>;
  readonly oidc?: { readonly params?: Readonly<Record<string, unknown>> | undefined };
}

/** @param params of the authorization request, where the address does not carry them */
export const languageOf = (
  ctx: Asked,
  params: Readonly<Record<string, unknown>> = ctx.oidc?.params ?? ctx.query,
): Language => ({
  ...chooseLanguage({
    uiLocales: params.ui_locales,
    acceptLanguage: ctx.req.headers['accept-language'],
  }),
  base: mountOf(ctx),
});
