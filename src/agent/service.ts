/**
 * The host of a service: a client that acts by itself, or an MCP server that calls another one for
 * whoever called it (DESIGN §8c "go on").
 */
import { parseSecureUrl } from '../protocol/index.js';
import { type ClientCredentials, hasCredential } from './client-auth.js';
import { exchangeToken } from './exchange.js';
import { createOwnTokens } from './own-tokens.js';
import { createAuthorizationServer } from './server.js';
import { type TokenSet, toTokenSet } from './token-set.js';

/** Who the service is, and where its broker is. */
export interface ServiceHostOptions {
  /** The exact issuer identifier of the authorization server. */
  readonly issuer: string;
  /** The service's own client and credential; for a resource, the client registered as its own. */
  readonly service: { readonly id: string; readonly auth: ClientCredentials };
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

/** A service’s side: its own tokens, and tokens to go on for whoever called it. */
export interface ServiceHost {
  /** The service's own token for a resource (RFC 6749 §4.4): kept, shared by callers, renewed early. */
  token(request: { readonly resource: string; readonly scope?: string }): Promise<TokenSet>;
  /**
   * A token for the next resource, for whom and by whom the given one was: the service becomes the
   * current actor, everyone before stays in the chain (RFC 8693 §2.1, §4.1). It carries what the
   * resource's edge makes of the caller's scopes and the user saw on the consent page, and never
   * outlives the token it came from. Asked anew each time.
   *
   * Give it a token that a verifier has just accepted. Does not verify that token, and does not
   * check the edge: the server does.
   * @throws AgentError `invalid_target` where there is no such edge; `invalid_scope` for more than
   * the edge gives; `invalid_request` when the token is not alive or this service is not its
   * resource's own
   */
  exchangeFor(request: {
    readonly subjectToken: string;
    readonly resource: string;
    readonly scope?: string;
  }): Promise<TokenSet>;
}

/**
 * Creates the host of one service. Fetches nothing before its first use; does not follow redirects,
 * and sends no credential to another origin.
 *
 * @throws TypeError when an option is missing or unsafe
 */
export function createServiceHost(options: ServiceHostOptions): ServiceHost {
  const { issuer, service: caller } = options;
  if (parseSecureUrl(issuer) === undefined)
    throw new TypeError('issuer is an absolute https URL (http on loopback)');
  if (!caller.id || caller.auth === undefined || !hasCredential(caller.auth))
    throw new TypeError('service has an id and a secret or private key');
  const now = options.now ?? Date.now;
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const server = createAuthorizationServer({ issuer, fetch, now });
  const ownTokens = createOwnTokens(server, caller, now);
  return Object.freeze<ServiceHost>({
    token: async ({ resource, scope }) => toTokenSet(await ownTokens.get(resource, scope)),
    exchangeFor: async (request) =>
      toTokenSet(await exchangeToken({ server, caller, now }, request)),
  });
}
