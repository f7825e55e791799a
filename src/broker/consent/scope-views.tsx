/** What may be ticked, and what it means: the middle of the consent page. */

import type { VNode } from 'preact';
import { displayed } from '../http/display.js';
import { Icon } from '../http/icons.js';
import { useLanguage, useOwn } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import type { ConsentPageModel, ShownScope } from '../http/page-model.js';

/** The words of this page. */
const useTexts = () => useLanguage().texts.consent;

const GROUPS = ['read', 'write', 'destructive', 'identity'] as const;
type Group = (typeof GROUPS)[number];

/** OpenID Connect's own names (OIDC Core §5.4): about the person, not about the resource. */
const IDENTITY = new Set(['openid', 'profile', 'email', 'address', 'phone']);
const TOOLS_INLINE_MAX = 3;
const DESCRIPTION_CHARS_MAX = 1000;

/** A scope of the resource that merely bears such a name has tools or a risk, or is alone with it. */
const groupOf = ({ name, risk, tools }: ShownScope): Group =>
  IDENTITY.has(name) && risk === 'read' && tools.length === 0 ? 'identity' : risk;

export function Scopes({ model }: { readonly model: ConsentPageModel }) {
  const t = useTexts();
  const { scopes, resource } = model;
  const isIdentityOnly = resource === undefined;
  const hint = isIdentityOnly
    ? t.scopesHintIdentity
    : scopes.length === 0
      ? t.nothingLeft
      : t.scopesHint;
  const groups = GROUPS.map(
    (group) => [group, scopes.filter((s) => groupOf(s) === group)] as const,
  );
  return (
    <fieldset id="scopes" aria-describedby="scopes-hint">
      <legend>
        <h2>{isIdentityOnly ? t.scopesLegendIdentity : t.scopesLegend}</h2>
      </legend>
      <p class="quiet" id="scopes-hint">
        {hint}
      </p>
      <Presets model={model} />
      {groups.map(([group, members]) => {
        if (members.length === 0) return null;
        const rows = <Rows group={group} members={members} resourceName={resource?.name ?? ''} />;
        return isIdentityOnly ? rows : <ScopeGroup group={group}>{rows}</ScopeGroup>;
      })}
    </fieldset>
  );
}

function ScopeGroup({ group, children }: { readonly group: Group; readonly children: VNode }) {
  const { title, mark, hint } = useTexts().groups[group];
  return (
    <fieldset class={`group ${group}`} aria-labelledby={`group-${group}`}>
      <h3 id={`group-${group}`}>
        {title} <span class="badge">{mark}</span>
      </h3>
      {hint === '' ? null : <p class="quiet">{hint}</p>}
      {children}
    </fieldset>
  );
}

/** Buttons that have the page come back with other ticks: it works without a script. */
function Presets({ model: { presets, preset, actions } }: { readonly model: ConsentPageModel }) {
  const t = useTexts();
  const own = useOwn();
  if (presets.length === 0) return null;
  return (
    <div class="presets">
      <fieldset class="preset-buttons" aria-label={t.presetsLabel}>
        {presets.map((name) => (
          <button
            key={name}
            type="submit"
            name="preset"
            value={name}
            formAction={own(actions.preset)}
            class="button small"
          >
            {t.presets[name]}
          </button>
        ))}
      </fieldset>
      {preset === undefined ? null : <p role="status">{t.presetDone[preset]}</p>}
    </div>
  );
}

interface RowsProps {
  readonly group: Group;
  readonly members: readonly ShownScope[];
  readonly resourceName: string;
}

const Rows = ({ group, members, resourceName }: RowsProps) => (
  <ul class="plain rows">
    {members.map((scope, index) => (
      <li key={scope.name}>
        {isAlways(scope, group) ? (
          <Always scope={scope} />
        ) : (
          <Choice scope={scope} id={`${group}-${index}`} resourceName={resourceName} />
        )}
      </li>
    ))}
  </ul>
);

/** Signing in says that it is you: a box for it would promise a choice that is none. */
const isAlways = ({ name }: ShownScope, group: Group): boolean =>
  group === 'identity' && name === 'openid';

function Always({ scope }: { readonly scope: ShownScope }) {
  return (
    <div class="row">
      <input type="hidden" name="scope" value={scope.name} />
      <Icon of="tick" />
      <div>
        <Title scope={scope} />
        <p class="quiet">{useTexts().always}</p>
      </div>
    </div>
  );
}

interface ChoiceProps {
  readonly scope: ShownScope;
  readonly id: string;
  readonly resourceName: string;
}

function Choice({ scope, id, resourceName }: ChoiceProps) {
  const { name, description, ticked, tools } = scope;
  const text = description === undefined || description === '' ? undefined : description;
  const describedBy = text === undefined ? {} : { 'aria-describedby': `about-${id}` };
  return (
    <div class="row">
      <input type="checkbox" id={id} name="scope" value={name} checked={ticked} {...describedBy} />
      <div>
        <label for={id}>
          <Title scope={scope} />
        </label>
        {text === undefined ? null : (
          <p class="quiet" id={`about-${id}`}>
            <bdi>{displayed(text, DESCRIPTION_CHARS_MAX)}</bdi>
          </p>
        )}
        <Tools tools={tools} />
        <Onward scope={scope} resourceName={resourceName} />
      </div>
    </div>
  );
}

/** Where the resource's own server may go on with a scope: it, too, would act for whoever allows it. */
function Onward({ scope, resourceName }: Omit<ChoiceProps, 'id'>) {
  const { texts, list } = useLanguage();
  return (
    <>
      {scope.onward.map(({ name, titles }) => (
        <p class="onward" key={name}>
          <Sentence
            text={texts.consent.onward}
            places={{
              resource: <Name plain>{resourceName}</Name>,
              other: <Name>{name}</Name>,
              what: <bdi>{list(titles.map((title) => displayed(title)))}</bdi>,
            }}
          />
        </p>
      ))}
    </>
  );
}

/** The technical name stands beside the plain one, except where everybody knows what is meant. */
export const Title = ({ scope }: { readonly scope: Pick<ShownScope, 'name' | 'title'> }) => (
  <span class="title">
    <Name plain>{scope.title}</Name>
    {IDENTITY.has(scope.name) ? null : (
      <code>
        <Name plain>{scope.name}</Name>
      </code>
    )}
  </span>
);

function Tools({ tools }: { readonly tools: readonly string[] }) {
  const { texts, counted } = useLanguage();
  if (tools.length === 0) return null;
  if (tools.length > TOOLS_INLINE_MAX) {
    return (
      <details class="tools">
        <summary>{counted(texts.consent.toolsSummary, tools.length)}</summary>
        <ul>
          {tools.map((tool) => (
            <li key={tool}>
              <code>
                <Name plain>{tool}</Name>
              </code>
            </li>
          ))}
        </ul>
      </details>
    );
  }
  const names = tools.map((tool, index) => (
    <>
      {index === 0 ? '' : ', '}
      <code>
        <Name plain>{tool}</Name>
      </code>
    </>
  ));
  return (
    <p class="quiet">
      <Sentence text={texts.consent.toolsInline} places={{ tools: names }} />
    </p>
  );
}
