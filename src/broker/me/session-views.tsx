/** Where a user is signed in, and the password: the pages about the account itself. */
import { displayed } from '../http/display.js';
import { useLanguage } from '../http/language.js';
import { renderPage } from '../http/page.js';
import { type Language, phrase } from '../http/texts/index.js';
import type { LiveSession } from '../sessions/store.js';
import { browserOf } from './policy.js';
import { Receipt, type Stopped } from './receipt-views.js';
import { OwnForm, OwnLink, renderShell, type Signed, Terms } from './shell.js';

export interface SessionsPage {
  readonly signed: Signed;
  readonly sessions: readonly LiveSession[];
}

export const renderSessions = (page: SessionsPage, language: Language): string => {
  const t = language.texts.me.sessions;
  return renderShell(language, {
    title: t.title,
    signed: page.signed,
    place: 'sessions',
    children: (
      <>
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <ul class="plain rows">
          {page.sessions.map((session) => (
            <Session key={session.id} session={session} signed={page.signed} />
          ))}
        </ul>
        <p class="quiet">
          <OwnLink to="/me/sign-out-everywhere">{t.everywhere}</OwnLink>
        </p>
      </>
    ),
  });
};

function Session({ session, signed }: { readonly session: LiveSession; readonly signed: Signed }) {
  const language = useLanguage();
  const t = language.texts.me.sessions;
  const browser = nameOf(session, language);
  const since = language.dateTime(session.signedInAt.getTime());
  return (
    <li class="row">
      <div>
        <h2>
          <bdi>{browser}</bdi>
          {session.id === signed.sessionId ? <span class="badge here">{t.thisOne}</span> : null}
        </h2>
        <Terms
          rows={[
            [t.address, <bdi key="address">{session.address ?? t.unknownAddress}</bdi>],
            [t.since, since],
            [t.seen, language.dateTime(session.lastSeenAt.getTime())],
          ]}
        />
      </div>
      <OwnForm action={`/me/sessions/${session.id}/end`} form={signed.form}>
        <button
          type="submit"
          class="button small"
          aria-label={phrase(t.endNamed, { browser, since })}
        >
          {t.end}
        </button>
      </OwnForm>
    </li>
  );
}

const AGENT_CHARS_MAX = 60;

/** As people call it; else what it says of itself. */
function nameOf({ userAgent }: LiveSession, { texts }: Language): string {
  const t = texts.me.sessions;
  const { browser, system } = browserOf(userAgent);
  if (browser !== undefined && system !== undefined)
    return phrase(t.browserOn, { browser, system });
  if (userAgent === null) return t.unknown;
  return browser ?? displayed(userAgent, AGENT_CHARS_MAX);
}

export const renderSignOutEverywhere = (signed: Signed, language: Language): string => {
  const t = language.texts.me.everywhere;
  return renderShell(language, {
    title: t.title,
    signed,
    children: (
      <>
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <OwnForm action="/me/sign-out-everywhere" form={signed.form} class="stack">
          <fieldset>
            <legend>
              <h2>{t.legend}</h2>
            </legend>
            <div class="options">
              {(['keep', 'stop'] as const).map((choice) => (
                <label class="option" key={choice}>
                  <input type="radio" name="agents" value={choice} checked={choice === 'keep'} />
                  {choice === 'keep' ? t.keepAgents : t.stopAgents}
                </label>
              ))}
            </div>
          </fieldset>
          <div class="choices">
            <OwnLink class="button" to="/me/sessions">
              {t.stay}
            </OwnLink>
            <button type="submit" class="button">
              {t.confirm}
            </button>
          </div>
        </OwnForm>
      </>
    ),
  });
};

function AgentsToo({ receipt }: { readonly receipt: Stopped }) {
  const { everywhere, receipt: t } = useLanguage().texts.me;
  if (receipt.consents === 0) return <p>{t.none}</p>;
  return (
    <>
      <p>{everywhere.agentsStopped}</p>
      <Receipt receipt={receipt} />
    </>
  );
}

/** Nobody is signed in any more: this page stands alone. */
export const renderSignedOutEverywhere = (
  { browsers, receipt }: { readonly browsers: number; readonly receipt: Stopped | undefined },
  language: Language,
): string => {
  const t = language.texts.me.everywhere;
  return renderPage({
    language,
    title: t.done,
    content: (
      <>
        <h1>{t.done}</h1>
        <p class="lead">{language.counted(t.browsers, browsers)}</p>
        {receipt === undefined ? <p>{t.agentsGoOn}</p> : <AgentsToo receipt={receipt} />}
        <p>
          <OwnLink to="/me">{t.again}</OwnLink>
        </p>
      </>
    ),
  });
};
