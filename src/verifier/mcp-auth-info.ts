/** A context in the shape in which the MCP SDKs carry it through to a tool handler. */
import type { AuthContext } from './context.js';

/** What the MCP SDKs, v1 and v2, call `AuthInfo`. */
export interface McpAuthInfo {
  /** The token's id, not the token: what a handler cannot see, it cannot pass on (VF17). */
  token: string;
  clientId: string;
  scopes: string[];
  /** Seconds since the epoch. */
  expiresAt: number;
  resource: URL;
  extra: { context: AuthContext };
}

export const toMcpAuthInfo = (context: AuthContext): McpAuthInfo => ({
  token: context.tokenId,
  clientId: context.client.id,
  scopes: [...context.scopes],
  expiresAt: Math.floor(context.expiresAt.getTime() / 1000),
  resource: new URL(context.audience),
  extra: { context },
});
