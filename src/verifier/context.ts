/**
 * What a protected server gets to know about a call: who it is for, who acts, through which
 * client, and what is left. Frozen, and without the token: nothing here can be passed on (VF17).
 */
import {
  type AccessTokenClaims,
  type Act,
  type ActorProof,
  actorChain,
  type PrincipalKind,
  parseScope,
  principalKind,
} from '../protocol/index.js';
import type { Binding } from './binding.js';

/** An agent or service that acts, or acted. */
export interface Actor {
  readonly id: string;
  readonly issuer: string;
  /** `ai_agent` or `service` (draft-mora-oauth-entity-profiles-01). */
  readonly profile?: string;
}

/** The user at the root of a call. */
export interface User {
  readonly id: string;
  readonly issuer: string;
  /** RFC 9470 §6: how and when (seconds since the epoch) the user signed in. */
  readonly acr?: string;
  readonly authTimeSeconds?: number;
}

/** The facts of one verified access token. Identify people by `issuer` and `id` together. */
export interface AuthContext {
  readonly kind: PrincipalKind;
  /** `sub` and its profile, whatever it is: a user, an agent or a service. */
  readonly subject: { readonly id: string; readonly issuer: string; readonly profile?: string };
  /** Absent when no human stands at the root of the call. */
  readonly user?: User;
  /** The current actor; for an agent on its own, that agent. The only actor that may decide. */
  readonly agent?: Actor;
  /** Newest first; everything after the first is history, for audit only (RFC 8693 §4.1). */
  readonly actorChain: readonly Actor[];
  readonly actorProof?: ActorProof;
  readonly client: { readonly id: string };
  /** Clients earlier in the lineage, oldest first. History: for audit only. */
  readonly via: readonly string[];
  /** E: what this call may do. */
  readonly scopes: ReadonlySet<string>;
  /** A: what the current actor may ever hold here. Grants nothing. Absent without an actor. */
  readonly agentScopes?: ReadonlySet<string>;
  /** `jti`; to you it is opaque. */
  readonly tokenId: string;
  readonly issuer: string;
  readonly audience: string;
  readonly expiresAt: Date;
  /** The key the token is bound to, which the caller has proved; absent for a bearer token. */
  readonly binding?: Binding;
  /** Whether the call may use all of these scopes. */
  can(...scopes: string[]): boolean;
  /** Aborts when the token expires or is revoked: ends what outlives one request. */
  readonly signal: AbortSignal;
}

function refuseChange(): never {
  throw new TypeError('the scopes of an AuthContext cannot be changed');
}

/** A set that cannot be grown by whoever holds it. */
function frozenSet(values: Iterable<string>): ReadonlySet<string> {
  const set = new Set(values);
  for (const method of ['add', 'delete', 'clear'])
    Object.defineProperty(set, method, { value: refuseChange });
  return Object.freeze(set);
}

const toActor = ({ sub, iss, sub_profile: profile }: Act): Actor =>
  Object.freeze({ id: sub, issuer: iss, ...(profile === undefined ? {} : { profile }) });

function toUser(claims: AccessTokenClaims): User | undefined {
  const profile = claims.sub_profile ?? 'user';
  if (profile !== 'user' || claims.sub === claims.client_id) return undefined;
  return Object.freeze({
    id: claims.sub,
    issuer: claims.iss,
    ...(claims.acr === undefined ? {} : { acr: claims.acr }),
    ...(claims.auth_time === undefined ? {} : { authTimeSeconds: claims.auth_time }),
  });
}

/** What was found out about a token beside its claims. */
export interface Findings {
  readonly binding: Binding | undefined;
}

/**
 * Builds the context of verified claims.
 *
 * @param signalOf makes the abort signal the first time it is asked for
 */
export function createAuthContext(
  claims: AccessTokenClaims,
  { binding }: Findings,
  signalOf: () => AbortSignal,
): AuthContext {
  const kind = principalKind(claims);
  const chain = actorChain(claims.act).map(toActor);
  const scopes = frozenSet(parseScope(claims.scope));
  const { sub: id, iss: issuer, sub_profile: profile } = claims;
  const subject = Object.freeze({ id, issuer, ...(profile === undefined ? {} : { profile }) });
  const user = toUser(claims);
  const agent = kind === 'agent' ? subject : chain[0];
  let signal: AbortSignal | undefined;
  const context: AuthContext = {
    kind,
    subject,
    ...(user === undefined ? {} : { user }),
    ...(agent === undefined ? {} : { agent }),
    actorChain: Object.freeze(chain),
    ...(claims.actor_proof === undefined ? {} : { actorProof: claims.actor_proof }),
    client: Object.freeze({ id: claims.client_id }),
    via: Object.freeze([...(claims.via ?? [])]),
    scopes,
    ...(claims.act === undefined ? {} : { agentScopes: frozenSet(parseScope(claims.agent_scope)) }),
    tokenId: claims.jti,
    issuer,
    audience: claims.aud,
    ...(binding === undefined ? {} : { binding }),
    get expiresAt() {
      return new Date(claims.exp * 1000);
    },
    can: (...wanted) => wanted.every((scope) => scopes.has(scope)),
    get signal() {
      signal ??= signalOf();
      return signal;
    },
  };
  return Object.freeze(context);
}
