/** How long, how far, and yes or no: the end of the consent page. */
import type { ComponentChildren } from 'preact';
import { Icon } from '../http/icons.js';
import { useLanguage } from '../http/language.js';
import { Sentence } from '../http/page.js';
import type { ConsentPageModel } from '../http/page-model.js';
import { phrase } from '../http/texts/index.js';

interface Props {
  readonly model: ConsentPageModel;
}

const useTexts = () => useLanguage().texts.consent;

export function Never({ model: { resource } }: Props) {
  const t = useTexts();
  const sentences = resource === undefined ? t.neverIdentity : t.never;
  return (
    <section aria-labelledby="never">
      <h2 id="never">{t.neverTitle}</h2>
      <ul class="plain never">
        {sentences.map((sentence) => (
          <li key={sentence}>
            <Icon of="cross" />
            <span>{sentence}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const Legend = ({ children }: { readonly children: ComponentChildren }) => (
  <legend>
    <h2>{children}</h2>
  </legend>
);

export function Durations({ model: { durations, resource } }: Props) {
  const { texts, duration } = useLanguage();
  const t = texts.consent;
  if (resource === undefined) return null;
  return (
    <fieldset>
      <Legend>{t.durationLegend}</Legend>
      <div class="options">
        {durations.map(({ seconds, chosen }, index) => (
          <label class="option" key={seconds}>
            <input type="radio" name="duration_seconds" value={seconds} checked={chosen} />
            <span>
              {index === 0
                ? phrase(t.untilStopped, { duration: duration(seconds) })
                : duration(seconds)}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** How many may follow in a row; the choice is between nobody and so many, never "any". */
export function Helpers({ model: { helpers } }: Props) {
  const { texts, counted } = useLanguage();
  const t = texts.consent;
  if (helpers === undefined) return null;
  return (
    <fieldset aria-describedby="helpers-hint">
      <Legend>{t.helpersLegend}</Legend>
      <p class="quiet" id="helpers-hint">
        {t.helpersHint}
      </p>
      <div class="options">
        {Array.from({ length: helpers.max + 1 }, (_, count) => (
          <label class="option" key={count}>
            <input type="radio" name="helpers" value={count} checked={count === helpers.chosen} />
            <span>{count === 0 ? t.helpersNone : counted(t.helpers, count)}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Both answers weigh the same, and neither is chosen for anybody. */
export function Decision({ model: { scopes, resource, manageUrl } }: Props) {
  const t = useTexts();
  const canAllow = scopes.length > 0 || resource === undefined;
  const link = <a href={manageUrl}>{manageUrl}</a>;
  return (
    <div class="decision">
      <div class="choices">
        <button type="submit" name="decision" value="deny" class="button">
          {t.deny}
        </button>
        {canAllow ? (
          <button type="submit" name="decision" value="allow" class="button">
            {t.allow}
          </button>
        ) : null}
      </div>
      <p class="quiet">
        <Sentence text={t.stopAnyTime} places={{ link }} />
      </p>
    </div>
  );
}
