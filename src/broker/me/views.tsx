/** What acts for a user: the list, and the pieces that one consent's own page shares with it. */
import { displayed } from '../http/display.js';
import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import { type Language, phrase } from '../http/texts/index.js';
import { byActor, overSince, stateOf } from './policy.js';
import { OwnForm, OwnLink, renderShell, type Signed, Terms } from './shell.js';
import type { MyConsent } from './store.js';

export interface Page {
  readonly signed: Signed;
  readonly nowMs: number;
}

interface One {
  readonly consent: MyConsent;
  readonly page: Page;
}

const useTexts = () => useLanguage().texts.me;

export const actorName = (consent: MyConsent): string =>
  displayed(consent.agentId === '' ? consent.clientName : consent.agentName);

export const placeName = (consent: MyConsent, { texts }: Language): string =>
  consent.resource === '' ? texts.me.consent.whoYouAre : displayed(consent.resourceName);

export const named = (consent: MyConsent, language: Language) => ({
  actor: actorName(consent),
  place: placeName(consent, language),
});

export interface ActingPage extends Page {
  readonly live: readonly MyConsent[];
  readonly over: readonly MyConsent[];
}

export const renderActing = (page: ActingPage, language: Language): string => {
  const { title } = language.texts.me.acting;
  const { signed } = page;
  return renderShell(language, {
    title,
    signed,
    place: 'acting',
    children: <Acting page={page} />,
  });
};

function Acting({ page }: { readonly page: ActingPage }) {
  const t = useTexts().acting;
  const { live, over } = page;
  return (
    <>
      <h1>{t.title}</h1>
      <p class="lead">{live.length === 0 ? t.nothing : t.lead}</p>
      {live.length + over.length === 0 ? <p>{t.nothingYet}</p> : null}
      {byActor(live).map(([actor, consents]) => (
        <Actor key={actor} actor={actor} consents={consents} page={page} />
      ))}
      {live.length > 1 ? (
        <p class="quiet">
          <OwnLink to="/me/stop">{t.stopEverything}</OwnLink>
        </p>
      ) : null}
      {over.length === 0 ? null : <Over page={page} />}
    </>
  );
}

function Actor(props: {
  readonly actor: string;
  readonly consents: readonly MyConsent[];
  readonly page: Page;
}) {
  const { actor, consents, page } = props;
  const t = useTexts();
  const [first] = consents;
  if (first === undefined) return null;
  const name = actorName(first);
  return (
    <section class="actor">
      <h2>
        <Name>{name}</Name>
      </h2>
      <RunBy consent={first} />
      <ul class="plain rows">
        {consents.map((consent) => (
          <li class="row" key={consent.id}>
            <div>
              <h3>
                <Place consent={consent} />
              </h3>
              <Summary consent={consent} />
            </div>
            <StopForm consent={consent} page={page} />
          </li>
        ))}
      </ul>
      {consents.length > 1 ? (
        <p class="quiet">
          <OwnLink to={`/me/stop?${new URLSearchParams({ actor })}`}>
            {phrase(t.acting.stopAllOf, { actor: name })}
          </OwnLink>
        </p>
      ) : null}
    </section>
  );
}

/** Who answers for the agent, and what it may do today whatever was allowed. */
export function RunBy({ consent }: { readonly consent: MyConsent }) {
  const t = useTexts().consent;
  const { agentOwner, agentStatus } = consent;
  const standing = Object.entries(t.standing).find(([status]) => status === agentStatus)?.[1];
  return (
    <>
      {agentOwner === undefined ? null : (
        <p class="quiet">
          <Sentence text={t.runBy} places={{ owner: <Name plain={true}>{agentOwner}</Name> }} />
        </p>
      )}
      {standing === undefined ? null : <p class="notice caution">{standing}</p>}
    </>
  );
}

const Place = ({ consent }: { readonly consent: MyConsent }) => {
  const language = useLanguage();
  return <bdi>{placeName(consent, language)}</bdi>;
};

/** The least one has to know to decide whether to stop it. */
function Summary({ consent }: { readonly consent: MyConsent }) {
  const language = useLanguage();
  const { acting } = language.texts.me;
  return (
    <>
      <p>{may(consent, language)}</p>
      <Terms rows={[...through(consent, language), ...when(consent, language)]} />
      <p class="quiet">
        <OwnLink
          to={`/me/consents/${consent.id}`}
          aria-label={phrase(acting.detailsOf, named(consent, language))}
        >
          {acting.details}
        </OwnLink>
      </p>
    </>
  );
}

/** Scopes in the words they were agreed to in; each is a sentence of its own. */
export function may({ granted, titles }: MyConsent, { texts }: Language): string {
  const identity: Readonly<Record<string, string>> = texts.consent.identityTitles;
  const titleOf = (scope: string): string =>
    titles[scope] ?? (Object.hasOwn(identity, scope) ? identity[scope] : undefined) ?? scope;
  return granted.map((scope) => displayed(titleOf(scope))).join('; ');
}

/** By way of whom, and to whom it may go on. */
export function through(consent: MyConsent, language: Language) {
  const t = language.texts.me.consent;
  const { agentId, clientName, helpers } = consent;
  if (agentId === '') return [];
  const client = (
    <Name key="client" plain={true}>
      {clientName}
    </Name>
  );
  const passing = helpers === 0 ? t.helpersNone : language.counted(t.helpersUpTo, helpers);
  return [[t.through, client] as const, [t.helpers, passing] as const];
}

export function when(consent: MyConsent, { texts, dateTime, date }: Language) {
  const t = texts.me.consent;
  const { lastUsedAt, createdAt, expiresAt } = consent;
  return [
    [t.since, date(createdAt.getTime())],
    [t.until, dateTime(expiresAt.getTime())],
    [t.lastUsed, lastUsedAt === undefined ? t.notUsed : dateTime(lastUsedAt.getTime())],
  ] as const;
}

export function StopForm({ consent, page }: One) {
  const language = useLanguage();
  const t = language.texts.me.consent;
  return (
    <OwnForm action={`/me/consents/${consent.id}/stop`} form={page.signed.form}>
      <button
        type="submit"
        class="button small stop"
        aria-label={phrase(t.stopNamed, named(consent, language))}
      >
        {t.stop}
      </button>
    </OwnForm>
  );
}

function Over({ page }: { readonly page: ActingPage }) {
  const language = useLanguage();
  const t = language.texts.me;
  return (
    <section class="actor">
      <h2>{t.acting.overTitle}</h2>
      <ul class="plain rows">
        {page.over.map((consent) => (
          <li class="row blocked" key={consent.id}>
            <div>
              <h3>
                <OwnLink to={`/me/consents/${consent.id}`}>
                  <bdi>{phrase(t.consent.title, named(consent, language))}</bdi>
                </OwnLink>
              </h3>
              <p class="quiet">{howOver(consent, page, language)}</p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How and when it was over; by whom, if by somebody. */
export function howOver(
  consent: MyConsent,
  { nowMs }: Page,
  { texts, dateTime }: Language,
): string {
  const t = texts.me.consent;
  const since = overSince(consent, nowMs);
  if (since === undefined) return '';
  const time = dateTime(since.getTime());
  const state = stateOf(consent, nowMs);
  if (state === 'expired') return phrase(t.expired, { time });
  if (state === 'replaced') return phrase(t.replaced, { time });
  const mine = consent.endedBy === consent.userId;
  return phrase(mine ? t.stoppedByYou : t.stoppedByOthers, { time });
}
