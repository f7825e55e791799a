/** From a decision to what the page shows, and from the page back to what may be granted. */

import { type Background, PEOPLE_MAX } from '../delegation/background.js';
import { sameTerms } from '../delegation/coverage.js';
import type { DelegationDecision } from '../delegation/policy.js';
import { keptTerms, keptTermsFacts, type Terms, termsFacts } from '../delegation/terms.js';
import type { AgentFacts, ClientFacts, ResourceFacts, UserFacts } from '../facts/store.js';
import type {
  ConsentPageModel,
  Preset,
  RedirectTarget,
  ShownAgent,
  ShownChange,
  ShownChanges,
  ShownClient,
  ShownScope,
} from '../http/page-model.js';
import type { Language } from '../http/texts/index.js';
import { changesSince } from './changes.js';
import { durationsUpTo, presetsFor, ticksOf } from './choices.js';
import { type AuthorizationRequest, decidedScopes } from './request.js';

/** Sealed into the page: what was shown, to whom, for what. Only that can be granted (I7). */
export interface Shown {
  readonly uid: string;
  readonly userId: string;
  /** Of everything the page said: whoever agrees, agrees to that and nothing else. */
  readonly termsHash: string;
  readonly request: AuthorizationRequest;
  /** Everything the page offered. */
  readonly offered: readonly string[];
}

export const PURPOSE_SHOWN = 'consent-shown';
export const PURPOSE_SIGN_IN = 'sign-in';

export function redirectTarget(uri: string): RedirectTarget {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) return { kind: 'app', display: '' };
  if (url.protocol === 'https:') return { kind: 'web', display: url.host };
  if (url.protocol === 'http:') return { kind: 'loopback', display: url.host };
  return { kind: 'app', display: url.protocol };
}

/** What the page is made from: the registry's words, the law's decision, and what was before. */
export interface Offer {
  readonly request: AuthorizationRequest;
  readonly decision: DelegationDecision;
  readonly terms: Terms;
  readonly user: UserFacts;
  readonly client: ClientFacts;
  readonly agent: AgentFacts | undefined;
  readonly resource: ResourceFacts | undefined;
  readonly background: Background;
}

/** What a form chose, when the page is shown again; a fresh page proposes. */
export interface Chosen {
  readonly lifeSeconds?: number | undefined;
  readonly helpers?: number | undefined;
  readonly preset?: Preset | undefined;
}

export interface Showing
  extends Pick<ConsentPageModel, 'shown' | 'actions' | 'manageUrl' | 'changedMeanwhile'> {
  readonly chosen: Chosen;
  readonly maxSeconds: number;
  readonly helpersMax: number;
  readonly nowMs: number;
  /** Scopes of OpenID Connect are named in it; everything else is registry data. */
  readonly language: Language;
}

export function consentPage(offer: Offer, showing: Showing): ConsentPageModel {
  const { request, decision, user, client, agent, resource } = offer;
  const { chosen, maxSeconds, helpersMax: max, nowMs, language, ...rest } = showing;
  const lifeSeconds = chosen.lifeSeconds ?? maxSeconds;
  const scopes = [...shownScopes(offer), ...shownIdentity(offer, language)];
  return {
    ...rest,
    user: { name: user.name, email: user.email },
    ...(agent === undefined ? {} : { agent: agentCard(agent, offer.background, nowMs) }),
    client: clientCard(client),
    redirect: redirectTarget(request.redirectUri),
    ...(resource === undefined
      ? {}
      : { resource: { identifier: resource.identifier, name: resource.name } }),
    scopes: scopes.map((scope) =>
      chosen.preset === undefined
        ? scope
        : { ...scope, ticked: ticksOf(chosen.preset, scope.risk) },
    ),
    takenAway: decision.takenAway.map(({ scope, by }) => ({
      name: scope,
      title: resource?.scopes[scope]?.title ?? scope,
      by,
    })),
    changes: shownChanges(offer, language),
    presets: resource === undefined ? [] : presetsFor(scopes.map(({ risk }) => risk)),
    preset: chosen.preset,
    durations: durationsUpTo(maxSeconds).map((seconds) => ({
      seconds,
      chosen: seconds === lifeSeconds,
    })),
    ...(agent === undefined || max === 0
      ? {}
      : { helpers: { max, chosen: chosen.helpers ?? earlierHelpers(offer, max) } }),
  };
}

const present = (text: string | null): string | undefined => text ?? undefined;

const agentCard = (agent: AgentFacts, background: Background, nowMs: number): ShownAgent => {
  const secondsSince = (ms: number): number => Math.max(0, Math.floor((nowMs - ms) / 1000));
  const { people, changedAtMs } = background;
  return {
    id: agent.id,
    name: agent.name,
    owner: agent.owner,
    sponsor: present(agent.sponsor),
    purpose: present(agent.purpose),
    description: present(agent.description),
    vendor: present(agent.vendor),
    model: present(agent.model),
    version: present(agent.version),
    registeredSecondsAgo: secondsSince(agent.createdAt.getTime()),
    changedSecondsAgo: changedAtMs === undefined ? undefined : secondsSince(changedAtMs),
    people: { count: people, orMore: people >= PEOPLE_MAX },
  };
};

const clientCard = (client: ClientFacts): ShownClient => ({
  id: client.id,
  name: client.name,
  origin: client.origin === 'registration' ? 'registration' : 'operator',
  redirectUris: [...client.redirectUris].sort(),
  introducedBy: client.origin === 'document' ? new URL(client.id).host : undefined,
  description: present(client.description),
  clientUri: present(client.clientUri),
  logoUri: present(client.logoUri),
  policyUri: present(client.policyUri),
  contact: present(client.contact),
});

/** Whether an earlier decision was about the very same, as far as this scope goes. */
function decidedBefore({ background: { earlier }, terms }: Offer, scope?: string): boolean {
  if (earlier === undefined || (scope !== undefined && !earlier.offered.includes(scope)))
    return false;
  const scopes = scope === undefined ? [] : [scope];
  return sameTerms(keptTermsFacts(earlier), termsFacts(terms), scopes);
}

/** How many may follow is proposed as it was decided, for the same agent; otherwise nobody. */
const earlierHelpers = (offer: Offer, max: number): number =>
  decidedBefore(offer) ? Math.min(offer.background.earlier?.helpers ?? 0, max) : 0;

function shownScopes(offer: Offer): ShownScope[] {
  const { decision, terms, background } = offer;
  return decision.granted.flatMap((name) => {
    const words = terms.scopes[name];
    if (words === undefined) return [];
    const risk = words.risk as ShownScope['risk'];
    // What was decided before stands as it was decided, as long as it means the same.
    const ticked = decidedBefore(offer, name)
      ? background.earlier?.granted.includes(name) === true
      : risk !== 'destructive';
    return [
      {
        name,
        title: words.title,
        description: words.description,
        risk,
        tools: words.tools,
        onward: Object.values(words.downstream).map((to) => ({
          name: to.name,
          titles: Object.values(to.scopes),
        })),
        ticked,
      },
    ];
  });
}

const shownIdentity = (offer: Offer, { texts }: Language): ShownScope[] =>
  offer.request.identityScopes.map((name) => ({
    name,
    title: texts.consent.identityTitles[name],
    risk: 'read',
    tools: [],
    onward: [],
    ticked: decidedBefore(offer, name)
      ? offer.background.earlier?.granted.includes(name) === true
      : true,
  }));

function shownChanges(offer: Offer, { texts }: Language): ShownChanges | undefined {
  const { background, decision, request, resource, terms } = offer;
  const { earlier } = background;
  if (earlier === undefined) return undefined;
  const titles: Readonly<Record<string, string>> = texts.consent.identityTitles;
  const isKnown = (scope: string): boolean =>
    Object.hasOwn(titles, scope) || Object.hasOwn(resource?.scopes ?? {}, scope);
  const changes = changesSince(
    { terms: keptTerms(earlier), offered: earlier.offered, granted: earlier.granted },
    {
      terms,
      offered: decidedScopes(decision, request),
      lost: [
        ...decision.takenAway.map(({ scope }) => scope),
        ...earlier.granted.filter((scope) => !isKnown(scope)),
      ],
      titleOf: (scope) => resource?.scopes[scope]?.title ?? titles[scope] ?? scope,
    },
  );
  if (request.agentId !== request.clientId) return changes;
  // An agent that is its own client says everything once.
  const isSaid = ({ part }: ShownChange) =>
    !part.startsWith('client') || part === 'clientRedirects';
  return { ...changes, changed: changes.changed.filter(isSaid) };
}

/** Ticked, shown, and still allowed: nothing else can be granted. `openid` is the sign-in itself. */
export function grantable(
  shown: Shown,
  ticked: readonly string[],
  decision: DelegationDecision,
): readonly string[] {
  const allowed = new Set([...decision.granted, ...shown.request.identityScopes]);
  const wanted = new Set([...ticked, 'openid']);
  return shown.offered.filter((scope) => wanted.has(scope) && allowed.has(scope));
}
