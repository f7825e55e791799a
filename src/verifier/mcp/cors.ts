/**
 * CORS for browser clients (Fetch §3.2). Any origin by default: what authorizes is the bearer token,
 * which a page must have been given; there are no cookies.
 */
import { type HttpInput, headerValues } from '../http-input.js';

type Headers = Readonly<Record<string, string>>;

const EXPOSED = [
  'WWW-Authenticate',
  'Mcp-Session-Id',
  'MCP-Protocol-Version',
  'DPoP-Nonce',
  'Retry-After',
].join(', ');

const ALLOWED = [
  'Authorization',
  'Content-Type',
  'DPoP',
  'MCP-Protocol-Version',
  'Mcp-Method',
  'Mcp-Name',
  'Mcp-Session-Id',
  'Last-Event-ID',
];

/** Tool arguments that a server asks to see in headers (MCP 2026-07-28). */
const PARAM_HEADER = /^mcp-param-[a-z0-9-]{1,100}$/;
const PARAM_HEADERS_MAX = 20;

export interface Cors {
  /** Whether requests of this page are served at all; those of no page are. */
  accepts(input: HttpInput): boolean;
  /** For every answer. */
  headers(input: HttpInput): Headers;
  /** Besides those, for the answer to a preflight. */
  preflight(input: HttpInput): Headers;
}

/** @param origins the pages served; undefined: any */
export function createCors(origins: readonly string[] | undefined): Cors {
  const served = origins === undefined ? undefined : new Set(origins);
  const originOf = (input: HttpInput) => headerValues(input, 'origin')[0];
  const accepts = (input: HttpInput): boolean => {
    const origin = originOf(input);
    return served === undefined || origin === undefined || served.has(origin);
  };

  function headers(input: HttpInput): Headers {
    if (served === undefined)
      return { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED };
    const origin = originOf(input);
    const isServed = origin !== undefined && served.has(origin);
    return {
      vary: 'Origin',
      ...(isServed
        ? { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED }
        : {}),
    };
  }

  return {
    accepts,
    headers,
    preflight(input) {
      const params = headerValues(input, 'access-control-request-headers')
        .flatMap((value) => value.toLowerCase().split(','))
        .map((name) => name.trim())
        .filter((name) => PARAM_HEADER.test(name))
        .slice(0, PARAM_HEADERS_MAX);
      return {
        'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
        'access-control-allow-headers': [...ALLOWED, ...params].join(', '),
        'access-control-max-age': '7200',
      };
    },
  };
}
