/** Composes the agent host: one agent, one authorization server, optionally one client. */
import { parseSecureUrl } from '../protocol/index.js';
import {
  type AuthorizationDeps,
  type BegunDelegation,
  beginAuthorization,
  completeAuthorization,
  type DelegationRequest,
} from './authorization.js';
import { type ClientCredentials, hasCredential } from './client-auth.js';
import { createDelegation, type Delegation, resumeDelegation } from './delegation.js';
import { exchangeToken } from './exchange.js';
import { createOwnTokens } from './own-tokens.js';
import { createAuthorizationServer } from './server.js';
import { createMemoryStore, type TokenStore } from './store.js';
import { type TokenSet, toTokenSet } from './token-set.js';
import { openWork, type Work } from './work.js';

/** Who the agent is, where its broker is, and what it keeps where. */
export interface AgentHostOptions {
  /** The exact issuer identifier of the authorization server. */
  readonly issuer: string;
  /** The agent's own identity and credential. */
  readonly agent: { readonly id: string; readonly auth: ClientCredentials };
  /** The client that fronts for the agent; without `auth` a public one. Needed to act for users. */
  readonly client?:
    | {
        readonly id: string;
        readonly auth?: ClientCredentials | undefined;
        readonly redirectUri: string;
      }
    | undefined;
  readonly store?: TokenStore | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

/**
 * One agent’s side of every flow: its own tokens, acting for users, passing work on and taking it
 * up.
 */
export interface AgentHost {
  /** The agent's own token for a resource: kept, shared by callers, renewed early. */
  token(request: { readonly resource: string; readonly scope?: string }): Promise<TokenSet>;
  /** Starts acting for a user. Nothing is granted before {@link AgentHost.completeDelegation}. */
  beginDelegation(request: DelegationRequest): Promise<BegunDelegation>;
  /**
   * Takes the user's return: checks `state` and `iss`, proves the agent by a fresh actor token,
   * redeems the code.
   * @throws AgentError with the server's code, or a local one
   */
  completeDelegation(
    callback: string | URL | URLSearchParams,
    transaction: string,
  ): Promise<Delegation>;
  /** Opens a delegation kept in the store, by its id. */
  resume(id: string): Promise<Delegation | undefined>;
  /**
   * Takes up what another agent handed to this one, once: this agent becomes the current actor, the
   * one before stays in the chain. Ends with its token, minutes later at most; not renewed.
   *
   * Does not check the token: the server does.
   * @throws AgentError `invalid_request` (`invalid_grant` or `actor_unauthorized` where the server
   * says so) when it is for another agent, used, run out, or anything it hangs on was stopped
   */
  takeUp(handOffToken: string): Promise<Work>;
  /**
   * Exchanges a token that this agent was given, or holds, for one in which it is the current actor
   * (RFC 8693): its own for less, or another agent's for its own where that agent, the operator and
   * the user allow it. Asked as the agent itself, with its own credential; a resource that keeps a
   * list of clients has it on that list. Asked anew each time.
   * @throws AgentError `invalid_request` (`actor_unauthorized`, `invalid_grant`), `invalid_scope`,
   * `invalid_target` (RFC 8693 §2.2.2)
   */
  exchange(request: {
    readonly subjectToken: string;
    readonly resource?: string;
    readonly scope?: string;
  }): Promise<TokenSet>;
}

function checkHostOptions({ issuer, agent, client }: AgentHostOptions): void {
  if (parseSecureUrl(issuer) === undefined)
    throw new TypeError('issuer is an absolute https URL (http on loopback)');
  if (!agent.id || agent.auth === undefined || !hasCredential(agent.auth))
    throw new TypeError('agent has an id and a secret or private key');
  if (client !== undefined && (!client.id || !URL.canParse(client.redirectUri)))
    throw new TypeError('client has an id and an absolute redirectUri');
}

const callbackParameters = (callback: string | URL | URLSearchParams): URLSearchParams =>
  callback instanceof URLSearchParams ? callback : new URL(callback).searchParams;

/**
 * Creates the host of one agent. Fetches nothing before its first use; keeps tokens in memory
 * unless given a store. Does not follow redirects, and sends no credential to another origin.
 *
 * @throws TypeError when an option is missing or unsafe
 */
export function createAgentHost(options: AgentHostOptions): AgentHost {
  checkHostOptions(options);
  const { issuer, agent, client } = options;
  const now = options.now ?? Date.now;
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const server = createAuthorizationServer({ issuer, fetch, now });
  const ownTokens = createOwnTokens(server, agent, now);
  const store = options.store ?? createMemoryStore(now);
  const asAgent = { server, caller: agent, now };

  function deps(): AuthorizationDeps {
    if (client === undefined) throw new TypeError('acting for users needs options.client');
    // The agent may be its own client; its credential then proves both (`client_auth`).
    const auth = client.auth ?? (client.id === agent.id ? agent.auth : undefined);
    return { server, agent, client: { ...client, auth }, ownTokens, store, now };
  }

  return Object.freeze<AgentHost>({
    token: async ({ resource, scope }) => toTokenSet(await ownTokens.get(resource, scope)),
    beginDelegation: async (request) => beginAuthorization(deps(), request),
    completeDelegation: async (callback, transaction) => {
      const given = deps();
      const token = await completeAuthorization(given, callbackParameters(callback), transaction);
      return createDelegation(given, token);
    },
    resume: async (id) => resumeDelegation(deps(), id),
    takeUp: async (handOffToken) =>
      openWork(asAgent, await exchangeToken(asAgent, { subjectToken: handOffToken })),
    exchange: async (request) => toTokenSet(await exchangeToken(asAgent, request)),
  });
}
