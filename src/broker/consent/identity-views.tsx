/** Who asks, for whom, and where the answer goes: the top of the consent page. */

import { displayed } from '../http/display.js';
import { useLanguage, useOwn } from '../http/language.js';
import { Facts, Name, Sentence } from '../http/page.js';
import type { ConsentPageModel, ShownAgent, ShownClient } from '../http/page-model.js';
import { phrase } from '../http/texts/index.js';

interface Props {
  readonly model: ConsentPageModel;
}

/** The words of this page. */
const useTexts = () => useLanguage().texts.consent;

export function Heading({ model }: Props) {
  const { agent, client } = model;
  return (
    <div class="who">
      <Avatar id={agent?.id ?? client.id} name={agent?.name ?? client.name} />
      <div>
        <h1 class="sentence">
          <Question model={model} />
        </h1>
        {agent === undefined ? null : <Origin agent={agent} client={client} />}
      </div>
    </div>
  );
}

function Question({ model: { agent, client, resource } }: Props) {
  const t = useTexts();
  const clientName = <Name>{client.name}</Name>;
  if (resource === undefined)
    return <Sentence text={t.headingIdentity} places={{ client: clientName }} />;
  const common = { forYou: <strong>{t.forYou}</strong>, resource: <Name>{resource.name}</Name> };
  if (agent === undefined)
    return <Sentence text={t.headingClient} places={{ ...common, client: clientName }} />;
  return (
    <Sentence text={t.headingAgent} places={{ ...common, agent: <Name>{agent.name}</Name> }} />
  );
}

function Origin({ agent, client }: { readonly agent: ShownAgent; readonly client: ShownClient }) {
  const t = useTexts();
  const owner = <Name>{agent.owner}</Name>;
  return (
    <>
      <p class="lead">
        {agent.id === client.id ? (
          <Sentence text={t.agentOriginItself} places={{ owner }} />
        ) : (
          <Sentence text={t.agentOrigin} places={{ owner, client: <Name>{client.name}</Name> }} />
        )}
      </p>
      <Standing agent={agent} />
    </>
  );
}

const WEEK_SECONDS = 7 * 24 * 3600;

/** A lookalike is new, and nobody uses it: that much cannot be made up (I14). */
function Standing({ agent }: { readonly agent: ShownAgent }) {
  const { texts, ago, counted, number } = useLanguage();
  const t = texts.consent;
  const { count, orMore } = agent.people;
  const use = orMore
    ? phrase(t.usedByMany, { count: number(count) })
    : count === 0
      ? t.usedByNobody
      : counted(t.usedBy, count);
  const isNew = count === 0 || agent.registeredSecondsAgo < WEEK_SECONDS;
  return (
    <p class={isNew ? 'standing new' : 'standing'}>
      {isNew ? <span class="badge">{t.newHere}</span> : null}{' '}
      <span>{phrase(t.registered, { ago: ago(agent.registeredSecondsAgo), use })}</span>
    </p>
  );
}

const HUES = 5;

/** Made from the name: a picture of somebody else's choice is never loaded, nor shown as theirs. */
function Avatar({ id, name }: { readonly id: string; readonly name: string }) {
  const initials = displayed(name)
    .split(' ')
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toLocaleUpperCase('en');
  const hue = [...id].reduce((sum, char) => sum + (char.codePointAt(0) ?? 0), 0) % HUES;
  return (
    <span class={`avatar hue-${hue}`} aria-hidden="true">
      {initials}
    </span>
  );
}

export function IdentityCard({ model: { agent, client, resource } }: Props) {
  const { texts, ago } = useLanguage();
  const t = texts.consent;
  const isItself = agent?.id === client.id;
  const changed = agent?.changedSecondsAgo;
  return (
    <details class="disclosure">
      <summary>{t.identitySummary}</summary>
      <div class="identity-card">
        {agent === undefined ? null : (
          <Facts
            rows={[
              [t.agentName, agent.name],
              [t.purpose, agent.purpose],
              [t.about, agent.description],
              [t.owner, agent.owner],
              [t.sponsor, agent.sponsor],
              [t.vendor, agent.vendor],
              [t.model, agent.model],
              [t.version, agent.version],
              [t.agentId, agent.id],
              [t.lastChanged, changed === undefined ? t.neverChanged : ago(changed)],
            ]}
          />
        )}
        {isItself ? (
          <Facts rows={[[t.redirects, client.redirectUris.join('  ')]]} />
        ) : (
          <Facts
            rows={[
              [t.clientName, client.name],
              [t.clientId, client.id],
              [t.clientKnown, known(client, t)],
              [t.redirects, client.redirectUris.join('  ')],
            ]}
          />
        )}
        {resource === undefined ? null : (
          <Facts
            rows={[
              [t.resourceName, resource.name],
              [t.resourceId, resource.identifier],
            ]}
          />
        )}
      </div>
    </details>
  );
}

export function SignedIn({ model: { user, actions } }: Props) {
  const t = useTexts();
  const own = useOwn();
  return (
    <form method="post" action={own(actions.switchUser)} class="signed-in">
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

type Texts = ReturnType<typeof useTexts>;

const known = ({ introducedBy: host, origin }: ShownClient, t: Texts): string =>
  host === undefined ? t.clientKnownBy[origin] : phrase(t.clientDocument, { host });

const WORDS_CHARS_MAX = 1000;

/** What the client says of itself stands apart, as its own: nobody has checked it. */
export function OwnWords({ model: { agent, client } }: Props) {
  const t = useTexts();
  const { description, clientUri, policyUri, contact, logoUri } = client;
  const links = [
    [t.clientSite, clientUri],
    [t.clientPolicy, policyUri],
    [t.clientLogo, logoUri],
  ] as const;
  const says = [description, contact, ...links.map(([, uri]) => uri)];
  if (agent?.id === client.id || says.every((word) => word === undefined)) return null;
  return (
    <section aria-labelledby="own-words">
      <h2 id="own-words">{t.ownWordsTitle}</h2>
      <p class="quiet">{t.ownWordsHint}</p>
      <div class="own-words">
        {description === undefined ? null : (
          <blockquote>
            <bdi>{displayed(description, WORDS_CHARS_MAX)}</bdi>
          </blockquote>
        )}
        <ul class="plain">
          {links.map(([label, uri]) =>
            uri === undefined ? null : (
              <li key={label}>
                {label}: <Elsewhere uri={uri} />
              </li>
            ),
          )}
          {contact === undefined ? null : (
            <li>
              {t.clientContact}: <Name plain>{contact}</Name>
            </li>
          )}
        </ul>
      </div>
    </section>
  );
}

/** Opens beside this page, tells nobody where from, and is a link only where one can go. */
function Elsewhere({ uri }: { readonly uri: string }) {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const name = (
    <Name plain charsMax={WORDS_CHARS_MAX}>
      {uri}
    </Name>
  );
  if (url?.protocol !== 'https:') return name;
  return (
    <a href={url.href} rel="noreferrer noopener nofollow" target="_blank">
      {name}
    </a>
  );
}
