/**
 * The engine, assembled: a provider built from the current signing keys, and a holder that swaps it
 * whole when they change (DESIGN §9.8). Nothing keeps a provider; everything asks `current()`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { JWT_BEARER, TOKEN_EXCHANGE } from '../../protocol/index.js';
import {
  ASSERTION_PARAMETERS,
  ASSERTION_REPEATABLE,
  type AssertionDeps,
  createAssertionGrant,
} from '../assertion/grant.js';
import { createEngineGrants } from '../consent/engine-grants.js';
import {
  checkClaimsParameter,
  createGrantLoader,
  createInteractionPolicy,
  createRequestCheck,
} from '../consent/engine-hooks.js';
import { termsStand } from '../consent/terms.js';
import type { Database } from '../db/database.js';
import { type ActorProver, createActorProver } from '../delegation/actor-proof.js';
import { abandonGrant } from '../delegation/ends.js';
import {
  DELEGATION_PARAMETERS,
  wrapAuthorizationCode,
  wrapRefreshToken,
} from '../delegation/grant.js';
import { grantStands } from '../delegation/standing.js';
import type { ErrorProfile } from '../exchange/denials.js';
import { createTokenExchange } from '../exchange/grant.js';
import { EXCHANGE_PARAMETERS, REPEATABLE_PARAMETERS } from '../exchange/request.js';
import type { FactsCache } from '../facts/store.js';
import type { ClientFinder } from '../find-client.js';
import type { Secrets } from '../keys/secrets.js';
import type { LoadedKeys } from '../keys/store.js';
import type { Outbound } from '../outbound/outbound.js';
import type { TokenReader } from '../tokens/access-tokens.js';
import { wrapClientCredentials } from '../tokens/grant.js';
import type { Issuer } from '../tokens/issue.js';
import type { TrustVerifier } from '../trust/verify.js';
import { createBrokerProvider, type GrantHandler } from './broker-provider.js';
import { useHashedSecrets } from './client-authentication.js';
import { type ConfigurationDeps, createConfiguration } from './configuration.js';

export type EngineMiddleware = (
  ctx: KoaContextWithOIDC,
  next: () => Promise<unknown>,
) => Promise<void>;

export interface EngineDeps
  extends Pick<
    ConfigurationDeps,
    | 'attestation'
    | 'dpopRequiresNonce'
    | 'endGrant'
    | 'renderError'
    | 'renderLogout'
    | 'renderLoggedOut'
  > {
  readonly db: Database;
  readonly issuer: string;
  readonly secrets: Secrets;
  readonly facts: FactsCache;
  readonly tokens: Issuer;
  readonly reader: TokenReader;
  readonly keys: () => LoadedKeys;
  readonly now: () => number;
  readonly outbound: Outbound;
  readonly clients: ClientFinder;
  readonly exchangeErrors: ErrorProfile;
  readonly trust: TrustVerifier;
  /** Whether assertions are taken as a grant. */
  readonly assertionGrant: boolean;
  readonly userByEmail: AssertionDeps['userByEmail'];
  readonly actDepthMax: number | undefined;
  /** How long a refresh is answered again. */
  readonly refreshGraceSeconds: number;
  readonly strictReplay: boolean;
  /** A refresh right after `insufficient_scope` is refused once. */
  readonly stepUpByRefresh: boolean;
  /** Outermost first. */
  readonly middleware: readonly EngineMiddleware[];
  /** What the engine refused or could not do, before its answer leaves. */
  readonly onRefusal: (ctx: KoaContextWithOIDC, error: Error) => void;
}

export interface Engine {
  current(): Provider;
  /** Builds a provider from the current keys and puts it in place; requests in flight finish on the old one. */
  swap(): void;
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
}

export function createEngine(deps: EngineDeps): Engine {
  let provider: Provider | undefined;
  let handler: ((req: IncomingMessage, res: ServerResponse) => Promise<void>) | undefined;
  const current = (): Provider => {
    if (provider === undefined) throw new Error('the engine has not been built');
    return provider;
  };
  const actors = createActorProver(deps);
  const swap = (): void => {
    provider = build(deps, actors, current);
    handler = provider.callback() as typeof handler;
  };
  swap();
  return {
    current,
    swap,
    handle: async (req, res) => handler?.(req, res),
  };
}

const ERROR_EVENTS = [
  'authorization.error',
  'grant.error',
  'pushed_authorization_request.error',
  'introspection.error',
  'revocation.error',
  'userinfo.error',
  'end_session.error',
  'end_session_confirm.error',
  'server_error',
] as const;

function build(deps: EngineDeps, actors: ActorProver, current: () => Provider): Provider {
  const grants = createEngineGrants(deps.db);
  const hooks = { ...deps, ...deps.clients, grants, provider: current };
  const configuration = createConfiguration({
    ...deps,
    keys: deps.keys(),
    policy: createInteractionPolicy(deps),
    stands: (grantId) => grantStands(deps, grantId),
    loadExistingGrant: createGrantLoader(hooks),
    extraParams: { requested_actor: createRequestCheck(hooks), claims: checkClaimsParameter },
    findGrant: grants.find,
    abandonGrant: (id, requestId) => abandonGrant(deps.db, id, requestId),
    ...deps.clients,
  });
  const delegation = { ...hooks, actors, termsStand, readGrant: grants.read };
  const own: { grant?: GrantHandler } = {};
  const provider = createBrokerProvider(deps.issuer, configuration, {
    authorization_code: {
      wrap: (inner) => wrapAuthorizationCode(delegation, inner),
      parameters: DELEGATION_PARAMETERS,
    },
    refresh_token: {
      wrap: (inner) => wrapRefreshToken(delegation, inner),
      parameters: DELEGATION_PARAMETERS,
    },
    client_credentials: {
      wrap: (inner) => {
        own.grant = wrapClientCredentials(deps, inner);
        return own.grant;
      },
      parameters: [],
    },
  });
  registerGrants(provider, deps, delegation, own.grant as GrantHandler);
  // The first middleware has pinned the forwarded headers to the issuer: believe them.
  provider.proxy = true;
  useHashedSecrets(provider, deps.facts);
  for (const middleware of deps.middleware) provider.use(middleware as never);
  for (const event of ERROR_EVENTS) {
    provider.on(event as 'grant.error', (ctx, error) => deps.onRefusal(ctx, error));
  }
  return provider;
}

/** Grants the engine does not have. */
function registerGrants(
  provider: Provider,
  deps: EngineDeps,
  delegation: Parameters<typeof wrapAuthorizationCode>[0],
  ownToken: GrantHandler,
): void {
  provider.registerGrantType(
    TOKEN_EXCHANGE,
    createTokenExchange({
      ...delegation,
      ...deps,
      errors: deps.exchangeErrors,
    }),
    [...EXCHANGE_PARAMETERS],
    [...REPEATABLE_PARAMETERS],
  );
  if (!deps.assertionGrant) return;
  const actorProfile = deps.exchangeErrors === 'actor-profile';
  provider.registerGrantType(
    JWT_BEARER,
    createAssertionGrant({ ...deps, actors: delegation.actors, actorProfile, ownToken }),
    [...ASSERTION_PARAMETERS],
    [...ASSERTION_REPEATABLE],
  );
}
