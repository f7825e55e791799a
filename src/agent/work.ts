/**
 * Work an agent holds: a token for one resource, and passing on what it carries (DESIGN §8c): doing
 * less with it, or handing part of it to another agent.
 */
import { agentError, isAgentError } from './errors.js';
import { type ExchangeDeps, type Exchanged, exchangeToken } from './exchange.js';
import { isUsable, type TokenSet, toTokenSet } from './token-set.js';

/** What to go on with. */
export interface NarrowRequest {
  /** What is to be left, space-separated. */
  readonly scope: string;
}

/** What to hand to which agent. */
export interface HandOffRequest {
  /** The agent that is to take it up. */
  readonly to: string;
  /** What it may do, space-separated; absent: everything this work carries. */
  readonly scope?: string | undefined;
}

/** A token to give to another agent; a secret between the two, good for one take-up. */
export interface HandOff {
  readonly handOffToken: string;
  readonly to: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  /** Until when it can be taken up, and until when what comes of it lives at most. */
  readonly expiresAt: Date;
}

/** Ways to go on with less, or by somebody else (RFC 8693). */
export interface PassingOn {
  /**
   * The same work with less (RFC 8693, the same actor). Renewed from this work while that lives;
   * what stops this work stops it too.
   *
   * Does not check the scope here: the server does.
   * @throws AgentError `invalid_scope` for what this work does not carry; `invalid_request` once
   * something it hangs on was stopped
   */
  narrow(request: NarrowRequest): Promise<Work>;
  /**
   * Hands work to another agent: a token that this agent alone can take up, once, and that is
   * worthless at every resource (`may_act`, RFC 8693 §4.4). It lives two minutes at most, never
   * longer than this work's own token.
   *
   * Does not deliver the token, and does not tell whether it was taken up.
   * @throws AgentError `invalid_request` (`actor_unauthorized` where the server says so) unless that
   * agent is active, takes work from this one, and the user allowed so many helpers;
   * `invalid_scope` as {@link PassingOn.narrow}
   */
  handOff(request: HandOffRequest): Promise<HandOff>;
}

/** Something an agent does for somebody, with a token of its own for it. */
export interface Work extends PassingOn {
  /** Whom it is done for; absent when no human stands at the root. */
  readonly user: { readonly sub: string } | undefined;
  /** The agent that acts. */
  readonly agent: string;
  readonly resource: string;
  /** What is left, as of the newest token. */
  readonly scopes: ReadonlySet<string>;
  /**
   * A token that is good for a while. Work that was taken up ends with its token.
   * @throws AgentError `delegation_ended` once there is none any more
   */
  token(): Promise<TokenSet>;
}

/** Both ways of passing on what `token` gives, always from its newest. */
export function passingOn(deps: ExchangeDeps, token: () => Promise<TokenSet>): PassingOn {
  const exchange = async (request: { scope?: string | undefined; handOffTo?: string }) =>
    exchangeToken(deps, { subjectToken: (await token()).accessToken, ...request });
  return {
    async narrow({ scope }) {
      if (!scope) throw new TypeError('scope says what is to be left');
      return openWork(deps, await exchange({ scope }), () => exchange({ scope }));
    },
    async handOff({ to, scope }) {
      if (!to) throw new TypeError('to is the id of an agent');
      const made = await exchange({ scope, handOffTo: to });
      const { accessToken: handOffToken, resource, scopes, expiresAt } = made;
      return Object.freeze<HandOff>({ handOffToken, to, resource, scopes, expiresAt });
    },
  };
}

const ENDED = new Set(['invalid_request', 'invalid_grant', 'delegation_ended']);

/** @param renew makes the next token; absent where there is no second one */
export function openWork(
  deps: ExchangeDeps,
  first: Exchanged,
  renew?: () => Promise<Exchanged>,
): Work {
  let current = first;
  let renewing: Promise<Exchanged> | undefined;
  const isOver = (): boolean => current.expiresAt.getTime() <= deps.now();

  async function renewOnce(again: () => Promise<Exchanged>): Promise<Exchanged> {
    try {
      current = await again();
    } catch (error) {
      if (isAgentError(error) && ENDED.has(error.code))
        throw agentError('delegation_ended', 'the work has ended', { cause: error });
      if (isOver()) throw error;
    } finally {
      renewing = undefined;
    }
    return current;
  }

  async function token(): Promise<TokenSet> {
    if (isUsable(current, deps.now())) return toTokenSet(current);
    if (renew === undefined) {
      if (isOver()) throw agentError('delegation_ended', 'what was taken up has run out');
      return toTokenSet(current);
    }
    renewing ??= renewOnce(renew);
    return toTokenSet(await renewing);
  }

  return Object.freeze<Work>({
    user: first.user === undefined ? undefined : Object.freeze({ sub: first.user }),
    agent: deps.caller.id,
    resource: first.resource,
    get scopes() {
      return new Set(current.scopes);
    },
    token,
    ...passingOn(deps, token),
  });
}
