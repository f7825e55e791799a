/** Why somebody who decided before is asked again: what is new, what is gone, what is different. */

import { displayed } from '../http/display.js';
import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import type { ConsentPageModel, ShownChange } from '../http/page-model.js';

const useTexts = () => useLanguage().texts.consent.changes;
const VALUE_CHARS_MAX = 500;

export function Changes({
  model: { changes, changedMeanwhile },
}: {
  readonly model: ConsentPageModel;
}) {
  const t = useTexts();
  return (
    <>
      {changedMeanwhile ? (
        <p class="notice problem" role="alert">
          {t.meanwhile}
        </p>
      ) : null}
      {changes === undefined ? null : <Since changes={changes} />}
    </>
  );
}

function Since({ changes }: { readonly changes: NonNullable<ConsentPageModel['changes']> }) {
  const t = useTexts();
  const { added, gone, changed } = changes;
  if (added.length + gone.length + changed.length === 0) {
    return <p class="notice same">{t.none}</p>;
  }
  return (
    <section class="notice caution changes" aria-labelledby="changes">
      <h2 id="changes">{t.title}</h2>
      <Scopes title={t.added} scopes={added} />
      {changed.map((change) => (
        <Difference key={`${change.part} ${change.scope}`} change={change} />
      ))}
      <Scopes title={t.gone} scopes={gone} />
    </section>
  );
}

interface ScopesProps {
  readonly title: string;
  readonly scopes: ReadonlyArray<{ readonly name: string; readonly title: string }>;
}

function Scopes({ title, scopes }: ScopesProps) {
  if (scopes.length === 0) return null;
  return (
    <div class="change">
      <h3>{title}</h3>
      <ul>
        {scopes.map((scope) => (
          <li key={scope.name}>
            <Name plain>{scope.title}</Name>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Said in words: strokes and colours alone would say nothing to many. */
function Difference({ change }: { readonly change: ShownChange }) {
  const t = useTexts();
  const part = t.parts[change.part];
  return (
    <div class="change">
      <h3>
        {change.scope === undefined ? (
          part
        ) : (
          <Sentence text={t.ofScope} places={{ scope: <Name plain>{change.scope}</Name>, part }} />
        )}
      </h3>
      <dl>
        <Values term={t.before} change={change} values={change.before} />
        <Values term={t.now} change={change} values={change.after} />
      </dl>
    </div>
  );
}

interface ValuesProps {
  readonly term: string;
  readonly change: ShownChange;
  readonly values: readonly string[];
}

function Values({ term, change, values }: ValuesProps) {
  const { texts } = useLanguage();
  const t = texts.consent;
  const worded = (value: string): string =>
    change.part === 'scopeRisk' && Object.hasOwn(t.groups, value)
      ? t.groups[value as keyof typeof t.groups].mark
      : displayed(value, VALUE_CHARS_MAX);
  return (
    <div>
      <dt>{term}</dt>
      {values.length === 0 ? <dd class="quiet">{t.changes.nothing}</dd> : null}
      {values.map((value) => (
        <dd key={value}>
          <bdi>{worded(value)}</bdi>
        </dd>
      ))}
    </div>
  );
}
