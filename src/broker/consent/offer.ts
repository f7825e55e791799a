/** From a decision to what the page shows, and from the page back to what may be granted. */

import type { DelegationDecision } from '../delegation/policy.js';
import { applicationOf } from '../facts/application.js';
import type { AgentFacts, Facts, ResourceFacts } from '../facts/store.js';
import type {
  ConsentPageModel,
  RedirectTarget,
  ShownScope,
  ShownTakenAway,
} from '../http/page-model.js';
import type { Language } from '../http/texts/index.js';
import { DELEGATION_TTL_MAX_SECONDS } from '../limits.js';
import type { AuthorizationRequest } from './request.js';

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

const HOUR_SECONDS = 3600;
const DURATIONS_SECONDS = [30 * 24 * HOUR_SECONDS, 24 * HOUR_SECONDS, HOUR_SECONDS] as const;

/** A duration of ours, whatever was posted; never beyond the cap. */
export function chosenLifeSeconds(posted: string | null): number {
  const choice = DURATIONS_SECONDS.find((seconds) => String(seconds) === posted);
  return Math.min(choice ?? DURATIONS_SECONDS[0], DELEGATION_TTL_MAX_SECONDS);
}

export function redirectTarget(uri: string): RedirectTarget {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) return { kind: 'app', display: '' };
  if (url.protocol === 'https:') return { kind: 'web', display: url.host };
  if (url.protocol === 'http:') return { kind: 'loopback', display: url.host };
  return { kind: 'app', display: url.protocol };
}

export async function consentPage(
  facts: Facts,
  request: AuthorizationRequest,
  decision: DelegationDecision,
  userId: string,
  page: Pick<ConsentPageModel, 'shown' | 'actions'> & {
    /** What a live consent gives already. */
    readonly granted: readonly string[];
    /** Scopes of OpenID Connect and times are named in it; everything else is registry data. */
    readonly language: Language;
  },
): Promise<ConsentPageModel> {
  const [user, client, agent, resource] = await Promise.all([
    facts.user(userId),
    applicationOf(facts, request.clientId),
    request.agentId === '' ? undefined : facts.agent(request.agentId),
    request.resource === '' ? undefined : facts.resource(request.resource),
  ]);
  const takenAway: ShownTakenAway[] = decision.takenAway.map(({ scope, by }) => ({
    name: scope,
    title: resource?.scopes[scope]?.title ?? scope,
    by,
  }));
  const { granted, language, ...rest } = page;
  return {
    ...rest,
    user: { name: user?.name ?? '', email: user?.email ?? '' },
    ...(agent === undefined ? {} : { agent: agentCard(agent) }),
    client: { id: request.clientId, name: client?.name ?? request.clientId },
    redirect: redirectTarget(request.redirectUri),
    ...(resource === undefined
      ? {}
      : { resource: { identifier: resource.identifier, name: resource.name } }),
    scopes: [
      ...shownScopes(resource, decision.granted, granted),
      ...shownIdentity(request, language),
    ],
    takenAway,
    durations: DURATIONS_SECONDS.map((seconds) => ({
      seconds,
      label: language.duration(seconds),
    })),
  };
}

const agentCard = ({ id, name, owner, purpose, description }: AgentFacts) => ({
  id,
  name,
  owner,
  purpose: purpose ?? undefined,
  description: description ?? undefined,
});

function shownScopes(
  resource: ResourceFacts | undefined,
  offered: readonly string[],
  granted: readonly string[],
): ShownScope[] {
  const tools = Object.entries(resource?.tools ?? {});
  return offered.flatMap((name) => {
    const rule = resource?.scopes[name];
    if (rule === undefined) return [];
    const { title, description, risk } = rule;
    const needing = tools.filter(([, needed]) => needed.includes(name)).map(([tool]) => tool);
    // What was granted before stays ticked: unticking it is a decision, not a default.
    const ticked = risk !== 'destructive' || granted.includes(name);
    return [{ name, title, description, risk, tools: needing, ticked }];
  });
}

const shownIdentity = (request: AuthorizationRequest, { texts }: Language): ShownScope[] =>
  request.identityScopes.map((name) => ({
    name,
    title: texts.consent.identityTitles[name],
    risk: 'read',
    tools: [],
    ticked: true,
  }));

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
