/** What an exchange is decided on, and what comes of it: plain data (DESIGN §8c). */
import type { ActorProof } from '../../protocol/index.js';
import type { Party, ScopeRules, TakenAway } from '../delegation/policy.js';

export type ActorProfile = 'ai_agent' | 'service';

/** One actor of a chain. */
export interface ChainActor {
  readonly id: string;
  readonly profile: ActorProfile;
}

/** The token that is exchanged, verified: what its claims say. */
export interface ParentToken {
  readonly subject: string;
  readonly subjectProfile: 'user' | ActorProfile;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Newest first; empty when nobody acts. */
  readonly chain: readonly ChainActor[];
  readonly via: readonly string[];
  /** Absent when nobody acts. */
  readonly actorProof?: ActorProof | undefined;
  /** Seconds. */
  readonly expiresAt: number;
  /** A hand-off token: the only actor that may take it up. */
  readonly mayAct?: string | undefined;
  /** The key it is bound to (RFC 9449 thumbprint). */
  readonly boundTo?: string | undefined;
  /** The certificate it is bound to (RFC 8705 thumbprint). */
  readonly boundToCertificate?: string | undefined;
}

/** Where scopes have a meaning: the parent's resource, and the one the result is for. */
export interface Place {
  readonly identifier: string;
  readonly scopes: ScopeRules;
  /** The only clients that may get tokens for it; null: any. */
  readonly clients: readonly string[] | null;
  /** The client of the resource server itself. */
  readonly ownClient: string | null;
  readonly requireUser: boolean;
  readonly downstream: readonly Edge[];
  /** What the subject is permitted here, a user by name or role. */
  readonly subjectPermitted: readonly string[];
}

export interface Edge {
  readonly resource: string;
  readonly scopes: Readonly<Record<string, readonly string[]>>;
}

/** Whoever would be the current actor of the result, proved. */
export interface Presenter extends Party, ChainActor {
  readonly proof: ActorProof;
  /** Seconds: the proof's own end. */
  readonly proofExpiresAt?: number | undefined;
  /** Scopes permitted at the target. */
  readonly permitted: readonly string[];
  /** Agents it takes work from. */
  readonly takesWorkFrom: readonly string[];
  /** Clients that may front for it. */
  readonly clients: readonly string[];
}

/** The client that asks. */
export interface Caller extends Party {
  /** RFC 6749 §5.2: whether it was given this grant. */
  readonly mayExchange: boolean;
  /** RFC 8705 §3.4: what it gets is bound to its certificate. */
  readonly certificateBound?: boolean;
  /** The agent an operator bound it to. */
  readonly boundTo?: string | null;
}

/** What the user decided, when the parent hangs on a user's consent. */
export interface Delegation {
  /** Empty: no agent was consented to. */
  readonly agentId: string;
  /** How many agents may follow it. */
  readonly helpers: number;
  readonly resource: string;
  /** Where the page said the resource's server may call onward. */
  readonly downstream: readonly Edge[];
  /** Seconds. */
  readonly expiresAt: number;
}

export interface ExchangeFacts {
  readonly parent: ParentToken;
  /** Everyone the parent hangs on: subject, clients, actors. One missing or stopped ends it. */
  readonly story: ReadonlyArray<Party | undefined>;
  readonly caller: Caller | undefined;
  readonly presenter: Presenter | undefined;
  /** `undefined`: ended, or run out. `null`: no user in the story. */
  readonly delegation: Delegation | null | undefined;
  /** The parent's resource; for a hand-off token the one it was made for. */
  readonly here: Place | undefined;
  /** What each actor that worked here is permitted here. */
  readonly heldHere: ReadonlyArray<readonly string[]>;
  readonly target: Place | undefined;
  /** The key that this request proved (RFC 9449 thumbprint). */
  readonly provedKey?: string | undefined;
  /** The certificate of its connection (RFC 8705 thumbprint). */
  readonly provedCertificate?: string | undefined;
  /** The helper of a hand-off. */
  readonly helper?: (Party & ChainActor & Pick<Presenter, 'takesWorkFrom'>) | undefined;
  /** Actors in the longest chain here (TX10); absent: as many as everybody takes. */
  readonly actDepthMax?: number | undefined;
}

export interface ExchangeRequest {
  /** Absent: everything the parent has. */
  readonly scopes?: readonly string[] | undefined;
  /** Make a token that only this helper can take up. */
  readonly handOffTo?: string | undefined;
}

/**
 * `continue`: the same actor, less. `hand_off`: a token for one helper. `take`: a helper becomes the
 * current actor. `go_on`: the resource's own service calls another resource.
 */
export type ExchangeStep = 'continue' | 'hand_off' | 'take' | 'go_on';

export type ExchangeDenial =
  | 'caller_not_active'
  | 'may_not_exchange'
  | 'ended'
  | 'not_active'
  | 'no_actor'
  | 'client_may_not_front'
  | 'not_in_the_story'
  | 'not_the_helper'
  | 'unknown_helper'
  | 'no_edge'
  | 'no_helpers_left'
  | 'repeated_actor'
  | 'too_deep'
  | 'unknown_target'
  | 'target_refuses_client'
  | 'target_requires_user'
  | 'not_consented_target'
  | 'key_not_proved'
  | 'widens'
  | 'nothing_left';

export interface ExchangeDecision {
  readonly step: ExchangeStep;
  readonly granted: readonly string[];
  readonly takenAway: readonly TakenAway[];
  /** Newest first; empty when nobody acts. */
  readonly chain: readonly ChainActor[];
  /** What the current actor may ever hold at the target; absent when nobody acts. */
  readonly agentScope?: readonly string[];
  readonly actorProof?: ActorProof;
  readonly via: readonly string[];
  /** The key the result is bound to; absent, and no certificate either: a bearer token. */
  readonly boundTo?: string;
  readonly boundToCertificate?: string;
  /** Seconds: the result ends no later. */
  readonly expMax: number;
}

export interface ExchangeRefused {
  readonly denied: ExchangeDenial;
  readonly takenAway?: readonly TakenAway[];
}

/** Facts in which everybody needed was found. */
export type Located = ExchangeFacts & {
  readonly here: Place;
  readonly target: Place;
  readonly presenter: Presenter;
};
