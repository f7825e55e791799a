/**
 * Single changes that could allow what was refused, and what the facts are after one of them. Pure
 * data and copies of it: nothing here changes anything.
 */
import type { DelegationFacts, DelegationRequest } from '../delegation/policy.js';
import type { ExchangeFacts, ExchangeRequest } from '../exchange/facts.js';
import type { OwnFacts } from '../tokens/policy.js';

export type Change =
  /** Paused, blocked, disabled or a draft: let it act again. */
  | { readonly kind: 'activate'; readonly id: string; readonly status: string }
  /** The client may act through the agent. */
  | { readonly kind: 'front'; readonly agent: string; readonly client: string }
  /** An operator binds the client to this agent instead of another. */
  | { readonly kind: 'bind'; readonly agent: string; readonly client: string }
  /** The client, or agent, is given the exchange grant. */
  | { readonly kind: 'let_exchange'; readonly client: string }
  | { readonly kind: 'accept_client'; readonly resource: string; readonly client: string }
  /** The resource also takes tokens that begin with nobody. */
  | { readonly kind: 'any_root'; readonly resource: string }
  | {
      readonly kind: 'permit';
      readonly principal: string;
      readonly resource: string;
      readonly scope: string;
    }
  /** The user ticks it, in a new authorization. */
  | { readonly kind: 'consent'; readonly user: string; readonly scope: string }
  /** The user allows so many helpers, in a new authorization. */
  | { readonly kind: 'helpers'; readonly helpers: number }
  /** A new authorization: the one there was is older than a stop, or over. */
  | { readonly kind: 'authorize' }
  | { readonly kind: 'take_work'; readonly helper: string; readonly from: string }
  /** A resource may call another: one of its scopes becomes one over there. */
  | {
      readonly kind: 'edge';
      readonly from: string;
      readonly to: string;
      readonly scope: string;
      readonly as: string;
    }
  /** The user sees that edge, in a new authorization. */
  | {
      readonly kind: 'show_edge';
      readonly to: string;
      readonly scope: string;
      readonly as: string;
    }
  /** Begin with a token that carries the scope. */
  | { readonly kind: 'wider_token'; readonly scope: string }
  | { readonly kind: 'prove_key' };

export interface DelegationQuestion {
  readonly kind: 'delegation';
  readonly userId: string;
  /** The authorization it hangs on has ended, or run out. */
  readonly over?: boolean;
  readonly resource: string;
  readonly facts: DelegationFacts;
  readonly request: DelegationRequest;
}

export interface ExchangeQuestion {
  readonly kind: 'exchange';
  readonly facts: ExchangeFacts;
  readonly request: ExchangeRequest;
  /** Whose permissions `facts.heldHere` are. */
  readonly worked: readonly string[];
}

export interface OwnQuestion {
  readonly kind: 'own';
  readonly resource: string;
  readonly facts: OwnFacts;
  /** Empty: the base scopes. */
  readonly asked: readonly string[];
}

/** What would be decided again. */
export type Question = DelegationQuestion | ExchangeQuestion | OwnQuestion;
