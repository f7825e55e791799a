/** Which of the engine's features are on, and whose functions answer where they ask. */
import type { Configuration } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { type RequestContext, requestState } from '../http/request.js';
import { ACTOR_TOKEN_TTL_SECONDS } from '../limits.js';
import { followsFapi } from '../tokens/fapi.js';
import { attestClientAuth } from './attestation.js';
import { mutualTls } from './certificates.js';
import type { ConfigurationDeps } from './configuration.js';
import { assertRequestObject } from './request-object.js';

export function features(deps: ConfigurationDeps): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    // RFC 9449: whoever sends a proof gets a token bound to its key. Nonces (§8) are asked for where a
    // clock is off, or of everybody; the secret is the same in every process.
    dPoP: {
      enabled: true,
      nonceSecret: deps.secrets.derive('dpop-nonces')[0] as Buffer,
      requireNonce: () => deps.dpopRequiresNonce,
    },
    mTLS: mutualTls(deps.now),
    attestClientAuth: attestClientAuth(deps),
    externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    introspection: {
      enabled: true,
      // Of the opaque kinds only its own client's: JWTs are ours (`revocation/jwt-endpoints.ts`).
      allowedPolicy: async (ctx, client, token) =>
        isOwn(ctx, client, token) && isOfLiveGrant(deps, token),
    },
    revocation: {
      enabled: true,
      // RFC 7009 §2.1, L6: a foreign token is answered 200 and left alone.
      allowedPolicy: async (ctx, client, token) => isOwn(ctx, client, token),
    },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: {
      enabled: true,
      assertJwtClaimsAndHeader: async (ctx, claims, header, { clientId }) => {
        const { issuer } = deps;
        const nowSeconds = Math.floor(deps.now() / 1000);
        const fapi = await followsFapi(await deps.facts.current(), clientId);
        assertRequestObject(ctx, claims, header, { issuer, clientId, nowSeconds, fapi });
      },
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: deps.renderLogout,
      postLogoutSuccessSource: deps.renderLoggedOut,
    },
    userinfo: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => oneOf as unknown as string,
      useGrantedResource: async () => true,
      getResourceServerInfo: (_ctx, identifier) => resourceServer(deps, identifier),
    },
  };
}

async function resourceServer(deps: ConfigurationDeps, identifier: string) {
  if (identifier === deps.issuer) {
    return {
      scope: '',
      audience: deps.issuer,
      accessTokenTTL: ACTOR_TOKEN_TTL_SECONDS,
      accessTokenFormat: 'jwt' as const,
      jwt: { sign: { alg: 'ES256' as const } },
    };
  }
  const facts = await deps.facts.current();
  const resource = await facts.resource(await facts.resourceNamed(identifier));
  if (resource === undefined)
    throw new errors.InvalidTarget('resource is not one this server issues tokens for');
  return {
    scope: Object.keys(resource.scopes).join(' '),
    audience: resource.identifier,
    accessTokenTTL: resource.tokenTtlSeconds,
    accessTokenFormat: 'jwt' as const,
    jwt: { sign: { alg: resource.signingAlg as 'ES256' } },
  };
}

/** Whose it is otherwise, is told to the audit (`revocation/foreign.ts`). */
function isOwn(
  ctx: RequestContext,
  client: { readonly clientId: string },
  token: { readonly clientId?: string | undefined; readonly grantId?: string | undefined },
): boolean {
  if (token.clientId === client.clientId) return true;
  requestState(ctx).foreign = { grantId: token.grantId };
  return false;
}

export const isOfLiveGrant = (deps: ConfigurationDeps, token: object): Promise<boolean> =>
  deps.stands((token as { grantId?: string }).grantId ?? '');
