/** The engine's configuration: what is on, for how long, and whose functions answer. */
import type { Configuration, interactionPolicy, KoaContextWithOIDC } from 'oidc-provider';
import { PASSWORD_ACR } from '../acr.js';
import type { FactsCache } from '../facts/store.js';
import { outward } from '../http/mount.js';
import { requestState } from '../http/request.js';
import type { Secrets } from '../keys/secrets.js';
import type { LoadedKeys, VerificationKey } from '../keys/store.js';
import {
  ACCESS_TOKEN_TTL_SECONDS,
  CODE_TTL_SECONDS,
  DELEGATION_MAX_RANGE,
  INTERACTION_TTL_SECONDS,
  REFRESH_TOKEN_TTL_SECONDS,
  SESSION_TTL_SECONDS,
} from '../limits.js';
import type { Outbound } from '../outbound/outbound.js';
import { followsFapi } from '../tokens/fapi.js';
import type { Issuer } from '../tokens/issue.js';
import { type AdapterDeps, createAdapterFactory } from './adapter.js';
import { ATTESTATION_AUTH } from './attestation.js';
import { assertClientAssertion } from './client-authentication.js';
import { cookies } from './cookies.js';
import { isOwnOrigin } from './cross-origin.js';
import { rethrow } from './errors.js';
import { features, isOfLiveGrant } from './features.js';
import { BrokerSigningKey } from './signing-key.js';

export interface ConfigurationDeps extends Omit<AdapterDeps, 'findClient'> {
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly secrets: Secrets;
  readonly keys: LoadedKeys;
  readonly tokens: Issuer;
  readonly now: () => number;
  readonly outbound: Outbound;
  readonly findClient: AdapterDeps['findClient'];
  /** Whoever proved a key is written down, if nobody has yet. */
  readonly admitClient: (ctx: KoaContextWithOIDC) => Promise<void>;
  readonly policy: interactionPolicy.DefaultPolicy;
  /** RFC 9449 §8: no proof is taken without a nonce of ours. */
  readonly dpopRequiresNonce: boolean;
  /** Whether attesters are listened to. */
  readonly attestation: boolean;
  /** Whether what hangs on this grant is still good. */
  readonly stands: (grantId: string) => Promise<boolean>;
  readonly loadExistingGrant: NonNullable<Configuration['loadExistingGrant']>;
  /** What is asked beyond the engine's own parameters, and the check of the whole request. */
  readonly extraParams: NonNullable<Configuration['extraParams']>;
  readonly renderError: NonNullable<Configuration['renderError']>;
  readonly renderLogout: (ctx: KoaContextWithOIDC, form: string) => Promise<void>;
  readonly renderLoggedOut: (ctx: KoaContextWithOIDC) => Promise<void>;
}

const ASYMMETRIC_ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;

export function createConfiguration(deps: ConfigurationDeps): Configuration {
  return {
    ...VOCABULARY,
    adapter: createAdapterFactory(deps),
    fetch: deps.outbound.engineFetch as NonNullable<Configuration['fetch']>,
    jwks: { keys: engineKeys(deps.keys) as never[] },
    routes: ROUTES,
    ttl: LIVES,
    cookies: cookies(deps),
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    // OAuth 2.1: for every client, S256 only (OB4).
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    conformIdTokenClaims: true,
    // FAPI 2.0 §5.3.2.1: not its clients'.
    rotateRefreshToken: async (ctx) => !(await keepsRefreshToken(deps, ctx)),
    issueRefreshToken: async (ctx, client) => {
      requestState(ctx).keepsRefreshToken = await keepsRefreshToken(deps, ctx);
      return client.grantTypeAllowed('refresh_token');
    },
    // Tied to the session, authorizing agent B would end agent A.
    expiresWithSession: async () => false,
    loadExistingGrant: deps.loadExistingGrant,
    findAccount: (_ctx, id, token) => findAccount(deps, id, token),
    extraParams: deps.extraParams,
    interactions: {
      policy: deps.policy,
      url: (ctx, { uid }) => outward(ctx, `/interaction/${uid}`),
    },
    renderError: deps.renderError,
    // A browser-based client calls from the origin it is sent back to (DI8); nobody else does.
    clientBasedCORS: (_ctx, origin, client) => isOwnOrigin(origin, client),
    formats: {
      bitsOfOpaqueRandomness: 256,
      customizers: {
        jwt: async (ctx, token, jwt) => {
          const issuing = deps.tokens.issue(ctx as KoaContextWithOIDC, token as never);
          jwt.payload = { ...(await issuing.catch(rethrow)) } as unknown as typeof jwt.payload;
        },
      },
    },
    extraTokenClaims: async (ctx, token) => {
      // A token for userinfo is opaque and stored: recorded here, before it is (DESIGN §5).
      if (token.resourceServer === undefined) {
        await deps.tokens.issue(ctx, token as never).catch(rethrow);
      }
      return undefined;
    },
    assertJwtClientAuthClaimsAndHeader: createAssertionCheck(deps),
    clientAuthMethods: [
      ...CLIENT_AUTH_METHODS,
      ...(deps.attestation ? ([ATTESTATION_AUTH] as const) : []),
    ],
    features: features(deps),
  };
}

function createAssertionCheck(
  deps: ConfigurationDeps,
): NonNullable<Configuration['assertJwtClientAuthClaimsAndHeader']> {
  return async function checkAssertion(ctx, claims, header) {
    const nowSeconds = Math.floor(deps.now() / 1000);
    await deps.admitClient(ctx);
    const facts = await deps.facts.current();
    await assertClientAssertion(deps.issuer, facts, ctx, claims, header, nowSeconds);
  };
}

/** What the engine speaks: one response type, asymmetric algorithms, no client of its own. */
const VOCABULARY = {
  clients: [],
  responseTypes: ['code'],
  scopes: ['openid', 'profile', 'email'],
  claims: { openid: ['sub', 'acr'], profile: ['name'], email: ['email', 'email_verified'] },
  acrValues: [PASSWORD_ACR],
  subjectTypes: ['public'],
  clientDefaults: { id_token_signed_response_alg: 'ES256', grant_types: [], response_types: [] },
  enabledJWA: {
    clientAuthSigningAlgValues: [...ASYMMETRIC_ALGS],
    idTokenSigningAlgValues: [...ASYMMETRIC_ALGS],
    requestObjectSigningAlgValues: [...ASYMMETRIC_ALGS],
  },
} satisfies Configuration;

const CLIENT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  // By certificate, either way (`certificates.ts`).
  'tls_client_auth',
  'none',
] as const;

const LIVES: NonNullable<Configuration['ttl']> = {
  AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? ACCESS_TOKEN_TTL_SECONDS,
  ClientCredentials: (_ctx, token) =>
    token.resourceServer?.accessTokenTTL ?? ACCESS_TOKEN_TTL_SECONDS,
  AuthorizationCode: CODE_TTL_SECONDS,
  // Each is given its own, from the consent; not prolonged by rotation.
  Grant: DELEGATION_MAX_RANGE.max,
  IdToken: ACCESS_TOKEN_TTL_SECONDS,
  Interaction: INTERACTION_TTL_SECONDS,
  // One that stays the same is good as long as its grant, which is asked each time.
  RefreshToken: (ctx) =>
    requestState(ctx).keepsRefreshToken === true
      ? DELEGATION_MAX_RANGE.max
      : REFRESH_TOKEN_TTL_SECONDS,
  // Nobody's session only carries a form from one page to the next (P15).
  Session: (_ctx, { accountId }) =>
    accountId === undefined ? INTERACTION_TTL_SECONDS : SESSION_TTL_SECONDS,
};

/** The engine signs with the first key of an algorithm: only the active one may be that. */
const engineKeys = ({ published, hints }: LoadedKeys): BrokerSigningKey[] => {
  const isActive = ({ state }: VerificationKey): number => Number(state === 'active');
  return [...published, ...hints]
    .sort((a, b) => isActive(b) - isActive(a))
    .map((key) => new BrokerSigningKey(key));
};

/** FAPI 2.0 §5.3.2.1: `nbf` up to ten seconds ahead is taken. */
const CLOCK_TOLERANCE_SECONDS = 10;

const keepsRefreshToken = async (
  { facts }: ConfigurationDeps,
  ctx: KoaContextWithOIDC,
): Promise<boolean> => followsFapi(await facts.current(), ctx.oidc.client?.clientId ?? '');

const ROUTES = {
  authorization: '/authorize',
  pushed_authorization_request: '/par',
  token: '/token',
  introspection: '/introspect',
  revocation: '/revoke',
  userinfo: '/userinfo',
  end_session: '/logout',
  jwks: '/.well-known/jwks.json',
  challenge: '/challenge',
};

async function findAccount(deps: ConfigurationDeps, id: string, token: object | undefined) {
  const user = await (await deps.facts.current()).user(id);
  if (user === undefined || user.status !== 'active') return undefined;
  // At userinfo; everywhere else a story decides.
  const { kind } = (token ?? {}) as { kind?: string };
  if (token !== undefined && kind === 'AccessToken' && !(await isOfLiveGrant(deps, token)))
    return undefined;
  return {
    accountId: user.id,
    claims: async () => ({
      sub: user.id,
      name: user.name,
      email: user.email,
      // Addresses come from an operator; nobody has proved them.
      email_verified: false,
    }),
  };
}
