/**
 * Every wire name that is not a member of a registered JWT, OAuth or MCP vocabulary, and the URNs
 * that are. Drafts move; the names stand together here so that one place follows them.
 */

/** Parameters of draft-oauth-ai-agents-on-behalf-of-user-02 (expired 2026-02-26). */
export const PARAM = {
  requestedActor: 'requested_actor',
  actorToken: 'actor_token',
  actorTokenType: 'actor_token_type',
} as const;

/** Claims Behalf adds to an RFC 9068 access token. None of them grants anything. */
export const CLAIM = {
  /** What the acting agent (or service) may ever hold at this resource. Unregistered. */
  agentScope: 'agent_scope',
  /** How the current actor was proved. Unregistered. */
  actorProof: 'actor_proof',
  /** Clients earlier in the lineage: history, for revocation. Unregistered. */
  via: 'via',
  /** The resource a hand-off token was made for. Unregistered. */
  handOff: 'hand_off',
  /** draft-mora-oauth-entity-profiles-01. */
  subProfile: 'sub_profile',
} as const;

/** RFC 8693 §2.1. */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** RFC 7523 §2.1. */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** RFC 8693 §3 token type identifiers. */
export const TOKEN_TYPE = {
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
} as const;

/** Error codes beyond RFC 6749/6750: draft-mcguinness-oauth-actor-profile-00 and RFC 9470 §3. */
export const ERROR = {
  actorUnauthorized: 'actor_unauthorized',
  insufficientUserAuthentication: 'insufficient_user_authentication',
} as const;

/** JOSE `typ` of an access token (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYP = 'at+jwt';

/** Signature algorithms an access token may use; ES256 unless the resource asks otherwise. */
export const SIGNING_ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;
export type SigningAlg = (typeof SIGNING_ALGS)[number];

/** Entity profiles (draft-mora-oauth-entity-profiles-01) that Behalf assigns itself. */
export type SubProfile = 'user' | 'ai_agent' | 'service';

/** How the current actor was proved; `none` is refused by verifiers unless they say otherwise. */
export const ACTOR_PROOFS = ['token', 'client_auth', 'client_binding', 'none'] as const;
export type ActorProof = (typeof ACTOR_PROOFS)[number];

/** The result counts `act` objects; a deeper one is refused, never truncated (TX10). */
export const ACT_DEPTH_MAX = 4;
