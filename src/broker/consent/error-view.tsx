/** The page for what went wrong: what happened, what to do now, and what support needs to know. */

import { displayed } from '../http/display.js';
import { useLanguage } from '../http/language.js';
import { Facts, renderPage } from '../http/page.js';
import type { ErrorPageModel } from '../http/page-model.js';
import type { Language } from '../http/texts/index.js';

const MESSAGE_CHARS_MAX = 500;

export const renderError = (model: ErrorPageModel, language: Language): string =>
  renderPage({
    language,
    narrow: true,
    title: model.title,
    content: (
      <>
        <h1>{displayed(model.title)}</h1>
        <p class="lead">
          <bdi>{displayed(model.message, MESSAGE_CHARS_MAX)}</bdi>
        </p>
        <p class="advice">{displayed(model.advice, MESSAGE_CHARS_MAX)}</p>
        {model.details === undefined ? null : <Details of={model.details} />}
      </>
    ),
  });

function Details({ of }: { readonly of: NonNullable<ErrorPageModel['details']> }) {
  const { texts, dateTime } = useLanguage();
  const t = texts.problemDetails;
  return (
    <section class="small-print" aria-labelledby="details">
      <h2 id="details">{t.title}</h2>
      <Facts
        rows={[
          [t.request, of.requestId],
          [t.time, dateTime(of.atMs)],
          [t.code, of.code],
          // As the operator's log has it.
          [t.what, of.what, 'en'],
        ]}
      />
    </section>
  );
}
