/**
 * CORS for browser clients (Fetch §3.2). Any origin: what authorizes is the bearer token, which a
 * page must have been given; there are no cookies.
 */

const joined = (names: readonly string[]): string => names.join(', ');

export const CORS_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': joined([
    'WWW-Authenticate',
    'DPoP-Nonce',
    'Mcp-Session-Id',
    'MCP-Protocol-Version',
    'Retry-After',
  ]),
} as const;

export const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-headers': joined([
    'Authorization',
    'Content-Type',
    'DPoP',
    'MCP-Protocol-Version',
    'Mcp-Method',
    'Mcp-Name',
    'Mcp-Session-Id',
    'Last-Event-ID',
  ]),
  'access-control-max-age': '7200',
} as const;
