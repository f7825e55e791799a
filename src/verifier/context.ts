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
import type { Source } from './introspection.js';
import { createRecent } from './recent.js';

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
  /** How this is known: by the token's signature, or by the issuer's word as well. */
  readonly source: Source;
  /** Whether the call may use all of these scopes. */
  can(...scopes: string[]): boolean;
  /** Aborts when the token expires or is revoked: ends what outlives one request. */
  readonly signal: AbortSignal;
}

function refuseChange(): never {
  throw new TypeError('the scopes of an AuthContext cannot be changed');
}

/** A set whose ways to be changed are closed, with one prototype for all: they are made for many calls. */
const FROZEN_SET_PROTOTYPE: object = Object.freeze(
  Object.create(Set.prototype, {
    add: { value: refuseChange },
    delete: { value: refuseChange },
    clear: { value: refuseChange },
    constructor: { value: Set },
  }),
);

/** A set that cannot be grown by whoever holds it. */
function frozenSet(values: Iterable<string>): ReadonlySet<string> {
  const set = new Set(values);
  Object.setPrototypeOf(set, FROZEN_SET_PROTOTYPE);
  return Object.freeze(set);
}

const toActor = ({ sub: id, iss: issuer, sub_profile: profile }: Act): Actor =>
  Object.freeze(profile === undefined ? { id, issuer } : { id, issuer, profile });

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

const HELD_MAX = 1_000;
const HELD_MAX_CHARS = 1_000;
const NOBODY: readonly string[] = Object.freeze([]);

/** What was found out about a token beside its claims. */
export interface Findings {
  readonly binding: Binding | undefined;
  readonly source: Source;
}

/** A context without what is found out when somebody asks; see `issued.ts`. */
export type BareContext = Omit<AuthContext, 'expiresAt' | 'signal'>;
type Writable = { -readonly [Name in keyof BareContext]: BareContext[Name] };

interface Held {
  readonly scopes: ReadonlySet<string>;
  readonly can: AuthContext['can'];
}

/** What a scope string comes to; whoever calls, the same few come back. */
export type HeldScopes = (scope: string | undefined) => Held;

export function createHeldScopes(): HeldScopes {
  const byText = createRecent<Held>(HELD_MAX);
  return (scope = '') => {
    const known = byText.get(scope);
    if (known !== undefined) return known;
    const scopes = frozenSet(parseScope(scope));
    const made: Held = { scopes, can: (...wanted) => wanted.every((one) => scopes.has(one)) };
    if (scope.length <= HELD_MAX_CHARS) byText.set(scope, made);
    return made;
  };
}

/** Builds the context of verified claims. */
export function createAuthContext(
  claims: AccessTokenClaims,
  { binding, source }: Findings,
  heldScopes: HeldScopes,
): BareContext {
  const kind = principalKind(claims);
  const chain = actorChain(claims.act).map(toActor);
  const { scopes, can } = heldScopes(claims.scope);
  const { sub: id, iss: issuer, sub_profile: profile } = claims;
  const subject = Object.freeze(profile === undefined ? { id, issuer } : { id, issuer, profile });
  const user = toUser(claims);
  const agent = kind === 'agent' ? subject : chain[0];
  const context: Writable = {
    kind,
    subject,
    actorChain: Object.freeze(chain),
    client: Object.freeze({ id: claims.client_id }),
    via: claims.via === undefined ? NOBODY : Object.freeze([...claims.via]),
    scopes,
    tokenId: claims.jti,
    issuer,
    audience: claims.aud,
    source,
    can,
  };
  // Members that are not there for every caller, one by one: this is made for every call.
  if (user !== undefined) context.user = user;
  if (agent !== undefined) context.agent = agent;
  if (claims.actor_proof !== undefined) context.actorProof = claims.actor_proof;
  if (claims.act !== undefined) context.agentScopes = heldScopes(claims.agent_scope).scopes;
  if (binding !== undefined) context.binding = binding;
  return context;
}
