/** One consent with its history, and the question before many stops. */
import { displayed } from '../http/display.js';
import { useLanguage } from '../http/language.js';
import { type Language, phrase } from '../http/texts/index.js';
import { OwnForm, OwnLink, renderShell, Terms } from './shell.js';
import type { MyConsent } from './store.js';
import {
  actorName,
  howOver,
  may,
  named,
  type Page,
  RunBy,
  StopForm,
  through,
  when,
} from './views.js';

export interface ConsentPage extends Page {
  readonly consent: MyConsent;
  readonly history: ReadonlyArray<{ readonly at: Date; readonly sentence: string }>;
  /** Where older ones are; absent: there are none. */
  readonly earlier?: string | undefined;
}

export const renderMyConsent = (page: ConsentPage, language: Language): string =>
  renderShell(language, {
    title: phrase(language.texts.me.consent.title, named(page.consent, language)),
    signed: page.signed,
    children: <MyConsentPage page={page} />,
  });

function MyConsentPage({ page }: { readonly page: ConsentPage }) {
  const language = useLanguage();
  const t = language.texts.me.consent;
  const { consent } = page;
  const over = howOver(consent, page, language);
  return (
    <>
      <h1>
        <bdi>{phrase(t.title, named(consent, language))}</bdi>
      </h1>
      <RunBy consent={consent} />
      {over === '' ? null : <p class="notice">{over}</p>}
      <div class="facts-box">
        <Terms rows={[...details(consent, language), ...when(consent, language)]} />
      </div>
      {over === '' ? <StopForm consent={consent} page={page} /> : null}
      <History page={page} />
      <p class="quiet">
        <OwnLink to="/me">{t.back}</OwnLink>
      </p>
    </>
  );
}

function details(consent: MyConsent, language: Language) {
  const t = language.texts.me.consent;
  const { agentId, resource } = consent;
  return [
    ...(agentId === '' ? [] : [[t.agentId, <code key="id">{agentId}</code>] as const]),
    ...(resource === '' ? [] : [[t.at, <code key="at">{resource}</code>] as const]),
    [t.may, may(consent, language)] as const,
    ...through(consent, language),
  ];
}

const SENTENCE_CHARS_MAX = 1000;

/** The sentences are the audit's own, which are written in English. */
function History({ page: { history, earlier } }: { readonly page: ConsentPage }) {
  const { texts, dateTime } = useLanguage();
  const t = texts.me.consent;
  return (
    <section class="actor">
      <h2>{t.historyTitle}</h2>
      {history.length === 0 ? <p class="quiet">{t.historyNothing}</p> : null}
      <ol class="plain history">
        {history.map(({ at, sentence }) => (
          <li key={`${at.getTime()} ${sentence}`}>
            <time dateTime={at.toISOString()}>{dateTime(at.getTime())}</time>
            <span lang="en">
              <bdi>{displayed(sentence, SENTENCE_CHARS_MAX)}</bdi>
            </span>
          </li>
        ))}
      </ol>
      {earlier === undefined ? null : (
        <p class="quiet">
          <OwnLink to={earlier}>{t.earlier}</OwnLink>
        </p>
      )}
    </section>
  );
}

export interface StopPage extends Page {
  /** Empty: everything. */
  readonly actor: string;
  readonly consents: readonly MyConsent[];
}

export function renderStop(page: StopPage, language: Language): string {
  const t = language.texts.me.stop;
  const [first] = page.consents;
  const title =
    page.actor === '' || first === undefined
      ? t.titleAll
      : phrase(t.titleActor, { actor: actorName(first) });
  return renderShell(language, {
    title,
    signed: page.signed,
    children: (
      <>
        <h1>{title}</h1>
        <p class="lead">{t.lead}</p>
        <ul class="plain rows">
          {page.consents.map((consent) => (
            <li class="row" key={consent.id}>
              <div>
                <h2>
                  <bdi>{phrase(language.texts.me.consent.title, named(consent, language))}</bdi>
                </h2>
                <p class="quiet">{may(consent, language)}</p>
              </div>
            </li>
          ))}
        </ul>
        <OwnForm action="/me/stop" form={page.signed.form} class="choices">
          <input type="hidden" name="actor" value={page.actor} />
          <OwnLink class="button" to="/me">
            {t.keep}
          </OwnLink>
          <button type="submit" class="button">
            {t.confirm}
          </button>
        </OwnForm>
      </>
    ),
  });
}
