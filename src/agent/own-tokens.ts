/** The agent's own tokens by `client_credentials` (RFC 6749 §4.4, RFC 8707). */
import { formatScope, parseScope } from '../protocol/index.js';
import type { ClientIdentity } from './client-auth.js';
import type { AuthorizationServer } from './server.js';
import { isUsable, parseTokenResponse, type TokenResponse } from './token-set.js';

const CACHED_MAX = 1_000;

export interface OwnTokens {
  /** A token for a resource: kept, asked for once at a time, renewed before it ends. */
  get(resource: string, scope: string | undefined): Promise<TokenResponse>;
  /** A fresh actor token: for the issuer, used once, so never kept. */
  actorToken(): Promise<string>;
}

export function createOwnTokens(
  server: AuthorizationServer,
  agent: ClientIdentity,
  now: () => number,
): OwnTokens {
  const held = new Map<string, TokenResponse>();
  const asking = new Map<string, Promise<TokenResponse>>();

  async function ask(resource: string, scope: string | undefined): Promise<TokenResponse> {
    const { tokenEndpoint } = await server.metadata();
    const form = { grant_type: 'client_credentials', resource, scope };
    // Life is counted from before the request: the token is never thought younger than it is.
    const askedAtMs = now();
    const answer = await server.post(tokenEndpoint, agent, form);
    return parseTokenResponse(answer, { resource, scope }, askedAtMs);
  }

  async function renew(key: string, resource: string, scope?: string): Promise<TokenResponse> {
    const previous = held.get(key);
    try {
      const token = await ask(resource, scope);
      if (held.size >= CACHED_MAX) held.clear();
      held.set(key, token);
      return token;
    } catch (error) {
      // Renewal is early on purpose: a server that is away for a moment costs nothing.
      if (previous !== undefined && previous.expiresAt.getTime() > now()) return previous;
      throw error;
    } finally {
      asking.delete(key);
    }
  }

  return {
    async get(resource, asked) {
      const scope = asked === undefined ? undefined : formatScope(parseScope(asked));
      if (resource === server.issuer) return ask(resource, scope);
      const key = JSON.stringify([resource, scope]);
      const token = held.get(key);
      if (token !== undefined && isUsable(token, now())) return token;
      const pending = asking.get(key) ?? renew(key, resource, scope);
      asking.set(key, pending);
      return pending;
    },
    actorToken: async () => (await ask(server.issuer, undefined)).accessToken,
  };
}
