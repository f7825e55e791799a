/**
 * An authorization request as the broker understands it: who asks, through whom, for what, where.
 * Read from the engine's parameters; the same reading serves the endpoint, the page and the resume.
 */
import { closure, OAuthError, parseScope } from '../../protocol/index.js';
import { denialError } from '../delegation/denials.js';
import { loadDelegationFacts } from '../delegation/load.js';
import {
  baseScopes,
  type DelegationDecision,
  decideDelegation,
  hierarchyOf,
} from '../delegation/policy.js';
import type { ConsentSubject } from '../delegation/store.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, Facts, ResourceFacts } from '../facts/store.js';

/** OpenID Connect scopes: about who the user is, not about any resource. */
export const IDENTITY_SCOPES = ['openid', 'profile', 'email'] as const;
export type IdentityScope = (typeof IDENTITY_SCOPES)[number];

const isIdentityScope = (scope: string): scope is IdentityScope =>
  IDENTITY_SCOPES.some((known) => known === scope);

export interface AuthorizationRequest {
  readonly clientId: string;
  /** Empty: no agent acts. */
  readonly agentId: string;
  /** Empty: identity only. */
  readonly resource: string;
  /** Scopes at the resource, written out downward. */
  readonly requested: readonly string[];
  readonly identityScopes: readonly IdentityScope[];
  readonly redirectUri: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * @throws OAuthError `invalid_target` for several resources, an unknown one, or an agent without one;
 * `invalid_scope` when nothing at the resource was asked for
 */
export async function readAuthorizationRequest(
  facts: Facts,
  params: Readonly<Record<string, unknown>>,
): Promise<AuthorizationRequest> {
  const { resource: named } = params;
  if (Array.isArray(named) && named.length > 1) {
    throw new OAuthError('invalid_target', 'ask for one resource at a time');
  }
  const spelled = text([named].flat()[0]);
  const identifier = spelled === '' ? '' : await facts.resourceNamed(spelled);
  const agentId = await actorOf(facts, params);
  const scopes = parseScope(text(params.scope));
  const identityScopes = scopes.filter(isIdentityScope);
  const common = {
    clientId: text(params.client_id),
    agentId,
    redirectUri: text(params.redirect_uri),
    identityScopes,
  };
  if (identifier === '') {
    if (agentId !== '')
      throw new OAuthError('invalid_target', 'requested_actor needs a resource (RFC 8707)');
    if (identityScopes.length === 0)
      throw new OAuthError('invalid_target', 'resource is required (RFC 8707)');
    return { ...common, resource: '', requested: [] };
  }
  const resource = await facts.resource(identifier);
  if (resource === undefined) {
    throw new OAuthError('invalid_target', 'resource is not one this server issues tokens for');
  }
  return { ...common, resource: identifier, requested: requestedAt(resource, scopes) };
}

/**
 * Who acts: the agent that is asked for, or else the one the client is bound to, so that a client
 * that knows nothing of agents acts as its own (§8a). Whether the two agree is for the law to say.
 */
export async function actorOf(
  facts: Facts,
  params: Readonly<Record<string, unknown>>,
): Promise<string> {
  const asked = text(params.requested_actor);
  if (asked !== '' || text([params.resource].flat()[0]) === '') return asked;
  return (await applicationOf(facts, text(params.client_id)))?.agentId ?? '';
}

/** Unknown scopes are ignored (RFC 6749 §3.3); none at all means the base ones. */
function requestedAt(resource: ResourceFacts, scopes: readonly string[]): string[] {
  const known = scopes.filter((scope) => Object.hasOwn(resource.scopes, scope));
  const asked = known.length > 0 ? known : unnamed(scopes) ? baseScopes(resource.scopes) : [];
  if (asked.length === 0)
    throw new OAuthError('invalid_scope', 'the resource has none of the requested scopes');
  return closure(asked, hierarchyOf(resource.scopes));
}

const unnamed = (scopes: readonly string[]): boolean =>
  scopes.every(
    (scope) => IDENTITY_SCOPES.some((known) => known === scope) || scope === 'offline_access',
  );

/** Everything but the user, before anyone has signed in: a request nobody could grant ends here. */
export async function checkBeforeSignIn(
  facts: Facts,
  request: AuthorizationRequest,
): Promise<void> {
  if (request.resource === '') return;
  const loaded = await loadDelegationFacts(facts, { ...request, userId: '' });
  const anyone = { id: '', status: 'active', notBeforeMs: 0 };
  const everything = Object.keys(loaded.resource?.scopes ?? {});
  const decision = decideDelegation(
    { ...loaded, user: anyone, userPermitted: everything },
    { requested: request.requested, sinceMs: Number.MAX_SAFE_INTEGER },
  );
  if ('denied' in decision) throw denialError('authorization', decision);
}

/**
 * What this user could grant of this request, and who takes away the rest.
 *
 * @throws OAuthError when nothing could be
 */
export async function decideOffer(
  facts: Facts,
  request: AuthorizationRequest,
  userId: string,
): Promise<DelegationDecision> {
  if (request.resource === '') return { granted: [], takenAway: [] };
  const decision = decideDelegation(await loadDelegationFacts(facts, subjectOf(request, userId)), {
    requested: request.requested,
    sinceMs: Number.MAX_SAFE_INTEGER,
  });
  if ('denied' in decision) throw denialError('authorization', decision);
  return decision;
}

export const subjectOf = (request: AuthorizationRequest, userId: string): ConsentSubject => ({
  userId,
  clientId: request.clientId,
  agentId: request.agentId,
  resource: request.resource,
});

/** Everything the request asks to have decided, identity included. */
export const decidedScopes = (
  decision: DelegationDecision,
  request: AuthorizationRequest,
): string[] => [...decision.granted, ...request.identityScopes];

/**
 * Whether a consent may be reused in silence: only for clients that authenticate at the token
 * endpoint or whose answer goes to an https address somebody vouched for. Loopback, app schemes and
 * public clients that registered themselves always see the page (DC10).
 */
export function mayReuseInSilence(
  client: Pick<ClientFacts, 'id' | 'auth' | 'origin'>,
  redirectUri: string,
): boolean {
  const isWeb = redirectUri.startsWith('https://');
  if (!client.id.startsWith('https://')) {
    return client.auth !== 'none' || (client.origin !== 'registration' && isWeb);
  }
  // Anybody may send the URL of a document: its key, or an answer to its own origin, tells who it is (K12).
  if (!isWeb) return false;
  return client.auth !== 'none' || URL.parse(redirectUri)?.origin === new URL(client.id).origin;
}
