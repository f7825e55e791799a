/**
 * The consent page (people.md §4c): who wants to act for whom, where, what it may and may not do,
 * for how long. It shows what it is given and decides nothing; only what is sealed in `shown` can
 * be granted, whatever comes back.
 */
import type { ComponentChildren } from 'preact';
import { Icon } from '../http/icons.js';
import { useLanguage } from '../http/language.js';
import { Facts, Name, renderPage, Sentence } from '../http/page.js';
import type { ConsentPageModel } from '../http/page-model.js';
import { type Language, phrase } from '../http/texts/index.js';
import { Scopes, TakenAway } from './scope-views.js';

export { renderError } from './error-view.js';

interface Props {
  readonly model: ConsentPageModel;
}

export const renderConsent = (model: ConsentPageModel, language: Language): string =>
  renderPage({ language, title: titleOf(model, language), content: <Consent model={model} /> });

/** The words of this page. */
const useTexts = () => useLanguage().texts.consent;

function titleOf({ agent, client, resource }: ConsentPageModel, { texts }: Language): string {
  const t = texts.consent;
  if (agent !== undefined) return phrase(t.titleAgent, { agent: agent.name });
  return phrase(resource === undefined ? t.titleIdentity : t.titleClient, { client: client.name });
}

/** The forms are two and do not nest: "not you?" stands before the questions. */
function Consent({ model }: Props) {
  const t = useTexts();
  const { resource, actions, shown } = model;
  return (
    <>
      <Heading model={model} />
      <WhoIsAsking model={model} />
      <SignedIn model={model} />
      <Redirect model={model} />
      <form method="post" action={actions.decide} class="stack wide">
        <input type="hidden" name="shown" value={shown} />
        <Scopes model={model} />
        <TakenAway model={model} />
        <Never texts={resource === undefined ? t.neverIdentity : t.never} />
        {resource === undefined ? null : <Durations model={model} />}
        <Decision canAllow={model.scopes.length > 0 || resource === undefined} />
      </form>
    </>
  );
}

function Heading({ model: { agent, client, resource } }: Props) {
  const t = useTexts();
  const clientName = <Name>{client.name}</Name>;
  if (resource === undefined) {
    return (
      <h1 class="sentence">
        <Sentence text={t.headingIdentity} places={{ client: clientName }} />
      </h1>
    );
  }
  const common = { forYou: <strong>{t.forYou}</strong>, resource: <Name>{resource.name}</Name> };
  if (agent === undefined) {
    return (
      <h1 class="sentence">
        <Sentence text={t.headingClient} places={{ ...common, client: clientName }} />
      </h1>
    );
  }
  const owner = <Name>{agent.owner}</Name>;
  return (
    <>
      <h1 class="sentence">
        <Sentence text={t.headingAgent} places={{ ...common, agent: <Name>{agent.name}</Name> }} />
      </h1>
      <p class="lead">
        {agent.id === client.id ? (
          <Sentence text={t.agentOriginItself} places={{ owner }} />
        ) : (
          <Sentence text={t.agentOrigin} places={{ owner, client: clientName }} />
        )}
      </p>
    </>
  );
}

function WhoIsAsking({ model: { agent, client, resource } }: Props) {
  const t = useTexts();
  return (
    <details class="disclosure">
      <summary>{t.identitySummary}</summary>
      <Facts
        rows={[
          [t.agentName, agent?.name],
          [t.purpose, agent?.purpose],
          [t.about, agent?.description],
          [t.owner, agent?.owner],
          [t.agentId, agent?.id],
          [t.clientName, client.name],
          [t.clientId, client.id],
          [t.resourceName, resource?.name],
          [t.resourceId, resource?.identifier],
        ]}
      />
    </details>
  );
}

function SignedIn({ model: { user, actions } }: Props) {
  const t = useTexts();
  return (
    <form method="post" action={actions.switchUser} class="signed-in">
      <p>
        <Sentence text={t.signedInAs} places={{ name: <Name>{user.name}</Name> }} />
        <span class="quiet address">
          <Name plain>{user.email}</Name>
        </span>
      </p>
      <button type="submit" class="button small">
        {t.notYou}
      </button>
    </form>
  );
}

/** A host is shown whole (RFC 1035 §2.3.4, and a port): what counts of it is its end. */
const HOST_CHARS_MAX = 260;

/** Where the answer goes is what a phished person can check (MCP: the host, clearly). */
function Redirect({ model: { redirect } }: Props) {
  const words = useTexts().redirect[redirect.kind];
  return (
    <div class={redirect.kind === 'web' ? 'notice' : 'notice caution'}>
      <p>{words.before}</p>
      <p class="destination">
        <Name plain charsMax={HOST_CHARS_MAX}>
          {redirect.display}
        </Name>
      </p>
      <p class="quiet">{words.hint}</p>
    </div>
  );
}

function Never({ texts: sentences }: { readonly texts: readonly string[] }) {
  const t = useTexts();
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

function Durations({ model: { durations } }: Props) {
  const t = useTexts();
  return (
    <fieldset>
      <Legend>{t.durationLegend}</Legend>
      <div class="options">
        {durations.map(({ seconds, label }, index) => (
          <label class="option" key={seconds}>
            <input type="radio" name="duration_seconds" value={seconds} checked={index === 0} />
            <Name plain>{label}</Name>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const Legend = ({ children }: { readonly children: ComponentChildren }) => (
  <legend>
    <h2>{children}</h2>
  </legend>
);

/** "Don't allow" comes first: the Enter key in a form presses its first button. */
function Decision({ canAllow }: { readonly canAllow: boolean }) {
  const t = useTexts();
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
      <p class="quiet">{t.stopAnyTime}</p>
    </div>
  );
}
