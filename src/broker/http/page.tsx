/**
 * The shell of every page for people: a complete document without scripts. Pages stand inside it
 * and bring only their content; whatever others named goes through `Name`.
 */
import type { ComponentChildren, VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { displayed } from './display.js';
import { InLanguage, useLanguage, useOwn } from './language.js';
import { stylesheet } from './style.css.js';
import { cut, type Language, phrase, type Text } from './texts/index.js';

export interface PageOptions {
  /** Plain words; names in it are cleaned here. */
  readonly title: string;
  readonly content: VNode;
  readonly language: Language;
  /** For a page of a few lines or fields. */
  readonly narrow?: boolean;
}

const TITLE_CHARS_MAX = 300;

/** The whole document, ready to send as text/html. */
export function renderPage({ language, ...page }: PageOptions): string {
  const document = (
    <InLanguage value={language}>
      <Document {...page} />
    </InLanguage>
  );
  return `<!doctype html>${renderToString(document)}`;
}

function Document({ title, content, narrow }: Omit<PageOptions, 'language'>) {
  const { tag, texts } = useLanguage();
  const own = useOwn();
  return (
    <html lang={tag}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{phrase(texts.pageTitle, { title: displayed(title, TITLE_CHARS_MAX) })}</title>
        <link rel="stylesheet" href={own(stylesheet.path)} />
      </head>
      <body {...(narrow === true ? { class: 'narrow' } : {})}>
        <a class="skip" href="#main">
          {texts.skip}
        </a>
        <header class="brand">
          <Mark />
          <span>{texts.product}</span>
        </header>
        <main class="card" id="main" tabIndex={-1}>
          {content}
        </main>
      </body>
    </html>
  );
}

/** Two circles that share a part: what one may do for the other. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 28 20" width="28" height="20" aria-hidden="true">
      <circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="3" />
      <circle cx="18" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="3" />
    </svg>
  );
}

interface NameProps {
  readonly children: string;
  /** Without emphasis. */
  readonly plain?: boolean;
  readonly charsMax?: number;
}

/** A name somebody else chose: cleaned, and kept from reordering the sentence around it. */
export const Name = ({ children, plain, charsMax }: NameProps) => {
  const name = <bdi>{displayed(children, charsMax)}</bdi>;
  return plain === true ? name : <strong class="name">{name}</strong>;
};

/** A text with elements in its places. */
export function Sentence<Place extends string>(props: {
  readonly text: Text<Place>;
  readonly places: { readonly [Name in Place]: ComponentChildren };
}) {
  return (
    <>
      {cut(props.text).map((part) =>
        'words' in part ? part.words : props.places[part.place as Place],
      )}
    </>
  );
}

/** Terms and what they are; rows without a value are left out. */
export function Facts({
  rows,
}: {
  /** Term, value, and its language where that is not the page's. */
  readonly rows: ReadonlyArray<readonly [string, string | undefined, string?]>;
}) {
  return (
    <dl class="facts">
      {rows.map(([term, value, lang]) =>
        value === undefined || value === '' ? null : (
          <div key={term}>
            <dt>{term}</dt>
            <dd>
              <bdi {...(lang === undefined ? {} : { lang })}>
                {displayed(value, FACT_CHARS_MAX)}
              </bdi>
            </dd>
          </div>
        ),
      )}
    </dl>
  );
}

/** A description may be as long as the registry lets it be. */
const FACT_CHARS_MAX = 1000;
