/** The page for what went wrong: what happened, and what to do now. */

import { displayed } from '../http/display.js';
import { Facts, renderPage } from '../http/page.js';
import type { ErrorPageModel } from '../http/page-model.js';
import type { Language } from '../http/texts/index.js';

const MESSAGE_CHARS_MAX = 500;

export function renderError(model: ErrorPageModel, language: Language): string {
  const { title, message, advice, code, requestId } = model;
  const { texts } = language;
  const hasDetails = code !== undefined || requestId !== undefined;
  return renderPage({
    language,
    title,
    content: (
      <>
        <h1>{displayed(title)}</h1>
        <p class="lead">
          <bdi>{displayed(message, MESSAGE_CHARS_MAX)}</bdi>
        </p>
        <p>{displayed(advice, MESSAGE_CHARS_MAX)}</p>
        {hasDetails ? (
          <section class="small-print" aria-label={texts.error.details}>
            <Facts
              rows={[
                [texts.error.code, code],
                [texts.error.request, requestId],
              ]}
            />
          </section>
        ) : null}
      </>
    ),
  });
}
