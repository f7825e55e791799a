/**
 * `client_credentials` (DESIGN §8b): an agent alone, or a service by itself. A resource is required
 * or the only one it has; scopes it does not hold are refused, not dropped in silence. With the
 * issuer as resource an agent gets its actor token, worthless anywhere else.
 */
import {
  childTokenId,
  formatScope,
  isScopeToken,
  OAuthError,
  type OAuthErrorCode,
  parseScope,
  type SigningAlg,
} from '../../protocol/index.js';
import { because } from '../delegation/denials.js';
import { explainTakenAway, type Party, type TakenAway } from '../delegation/policy.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { type RequestState, requestState } from '../http/request.js';
import { newTokenSegment } from '../ids.js';
import { ACTOR_TOKEN_TTL_SECONDS } from '../limits.js';
import type { GrantHandler } from '../provider/broker-provider.js';
import { rethrow } from '../provider/errors.js';
import { readDpopProof } from '../provider/internals.js';
import { bound } from './binding.js';
import type { Issuance, Issuer } from './issue.js';
import { decideOwn, type OwnDenial } from './policy.js';

export interface ClientCredentialsDeps {
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly tokens: Issuer;
}

interface Request {
  readonly principal: string;
  readonly credentialId: string;
  readonly resource: string;
  readonly requested: readonly string[];
}

/** Wraps the engine's `client_credentials` handler. */
export function wrapClientCredentials(
  deps: ClientCredentialsDeps,
  inner: GrantHandler,
): GrantHandler {
  return async function clientCredentialsGrant(ctx) {
    const { client, params = {} } = ctx.oidc;
    const { credentialId } = requestState(ctx);
    if (client === undefined || credentialId === undefined) {
      // RFC 6749 §4.4: confidential clients only (MM7).
      return rethrow(
        new OAuthError('unauthorized_client', 'client_credentials needs client authentication'),
      );
    }
    const facts = await deps.facts.current();
    const request: Request = await readRequest(deps.issuer, facts, {
      principal: client.clientId,
      credentialId,
      params,
    }).catch(rethrow);
    requestState(ctx).story = {
      sub: client.clientId,
      agentId: client.clientId.startsWith('agt_') ? client.clientId : undefined,
      resource: request.resource,
    };
    const jti = childTokenId(credentialId, newTokenSegment());
    const { workload } = requestState(ctx);
    const decided = async (now: Facts): Promise<Issuance> =>
      byPlatform(workload, await decide(deps.issuer, now, request, jti));
    const story = bound(ctx, client.clientId, await readDpopProof(ctx), decided);
    const { claims } = await story(facts, []).catch(rethrow);
    params.resource = request.resource;
    params.scope = claims.scope;
    deps.tokens.tell(ctx, story);
    return inner(ctx);
  };
}

/** What a platform's token obtains ends with it, and says whose word it was. */
function byPlatform(workload: RequestState['workload'], issuance: Issuance): Issuance {
  if (workload?.expiresAt === undefined) return issuance;
  const { provedBy: proved_by, provedSub: proved_sub, expiresAt } = workload;
  return {
    ...issuance,
    expMax: Math.min(issuance.expMax ?? expiresAt, expiresAt),
    detail: { ...issuance.detail, proved_by, proved_sub },
  };
}

async function readRequest(
  issuer: string,
  facts: Facts,
  from: Pick<Request, 'principal' | 'credentialId'> & {
    readonly params: Record<string, unknown>;
  },
): Promise<Request> {
  const { principal, credentialId, params } = from;
  const { resource, scope } = params;
  if (Array.isArray(resource)) {
    throw new OAuthError('invalid_target', 'ask for one resource at a time');
  }
  const requested = parseScope(typeof scope === 'string' ? scope : undefined);
  if (!requested.every(isScopeToken)) throw new OAuthError('invalid_scope', 'scope is malformed');
  if (typeof resource === 'string' && resource !== '') {
    const named = resource === issuer ? issuer : await facts.resourceNamed(resource);
    return { principal, credentialId, resource: named, requested };
  }
  const [only, ...others] = await facts.resourcesOf(principal);
  if (only === undefined || others.length > 0) {
    throw new OAuthError('invalid_target', 'resource is required (RFC 8707)');
  }
  return { principal, credentialId, resource: only, requested };
}

async function decide(
  issuer: string,
  facts: Facts,
  request: Request,
  jti: string,
): Promise<Issuance> {
  const { principal, resource } = request;
  const agent = await facts.agent(principal);
  const row = agent ?? (await facts.client(principal));
  if (row?.status !== 'active') throw refused({ denied: 'client_not_active' }, principal);
  const { notBefore, status } = row;
  const party = { id: principal, status, notBeforeMs: notBefore.getTime() };
  const identity = {
    iss: issuer,
    sub: principal,
    sub_profile: agent === undefined ? 'service' : 'ai_agent',
    client_id: principal,
    jti,
  };
  const recorded = {
    expMax: await endOf(facts, request),
    credentials: [request.credentialId],
    agentId: agent?.id,
    refusedCode: 'unauthorized_client' as const,
  };
  if (resource !== issuer)
    return { ...recorded, ...(await atResource(facts, party, request, identity)) };
  if (agent === undefined) throw new OAuthError('invalid_target', 'only agents have actor tokens');
  if (request.requested.length > 0) {
    throw new OAuthError('invalid_scope', 'an actor token has no scope');
  }
  return {
    ...recorded,
    claims: { ...identity, aud: issuer },
    ttlSeconds: ACTOR_TOKEN_TTL_SECONDS,
    signingAlg: 'ES256',
    detail: { purpose: 'actor_token' },
  };
}

/** Seconds: what hangs on a credential ends with it. One that just ended has been used too late. */
async function endOf(
  facts: Facts,
  { principal, credentialId }: Request,
): Promise<number | undefined> {
  const credentials = await facts.credentials(principal);
  const credential = credentials.find(({ id }) => id === credentialId);
  if (credential === undefined) throw refused({ denied: 'client_not_active' }, principal);
  return credential.expiresAt === null
    ? undefined
    : Math.floor(credential.expiresAt.getTime() / 1000);
}

async function atResource(
  facts: Facts,
  principal: Party,
  { resource, requested: asked }: Request,
  identity: Omit<Issuance['claims'], 'aud'>,
) {
  const target = await facts.resource(resource);
  const permitted = await facts.permitted([principal.id], resource);
  const decision = decideOwn({ principal, target, permitted }, asked);
  if (target === undefined || 'denied' in decision) {
    throw refused('denied' in decision ? decision : { denied: 'unknown_target' }, principal.id);
  }
  return {
    claims: { ...identity, aud: resource, scope: formatScope(decision.granted) },
    ttlSeconds: target.tokenTtlSeconds,
    signingAlg: target.signingAlg as SigningAlg,
    detail: { asked: formatScope(asked), taken_away: decision.takenAway },
  };
}

const WIRE: Record<OwnDenial, readonly [OAuthErrorCode, string]> = {
  client_not_active: ['unauthorized_client', 'the client may not be used'],
  unknown_target: ['invalid_target', 'resource is not one this server issues tokens for'],
  target_requires_user: ['invalid_target', 'resource accepts only tokens that begin with a user'],
  target_refuses_client: ['invalid_target', 'resource does not accept this client'],
  not_held: ['invalid_scope', 'a requested scope is unknown or not permitted'],
};

function refused(
  { denied, takenAway = [] }: { denied: OwnDenial; takenAway?: readonly TakenAway[] },
  principal: string,
): OAuthError {
  const [code, sentence] = WIRE[denied];
  const reason =
    denied === 'not_held' ? explainTakenAway(takenAway) : `${denied} (caller ${principal})`;
  return because(new OAuthError(code, sentence, reason), { rule: denied, takenAway });
}
