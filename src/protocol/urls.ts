/**
 * Identifiers that are URLs: issuers (RFC 8414 §2) and resources (RFC 8707 §2). They are compared
 * as strings, byte for byte; parsing serves only to refuse those that could never be safe.
 */

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** https anywhere, or http on a loopback host (RFC 8252 §7.3), and no credentials inside. */
export const isSecureUrl = (url: URL): boolean =>
  url.username === '' &&
  url.password === '' &&
  (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname)));

/** The parsed form of an absolute, secure URL without fragment; `undefined` for anything else. */
export function parseSecureUrl(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.includes('#') || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return isSecureUrl(url) ? url : undefined;
}

/** A URL below an identifier, whether or not that ends in a slash: `<issuer>/revocations`. */
export const urlBelow = (identifier: string, path: string): string =>
  `${identifier.replace(/\/$/, '')}/${path}`;

/**
 * Where a well-known document of an identifier is found: the suffix goes between host and path
 * (RFC 8414 §3.1, RFC 9728 §3.1). Without a path both ways of writing it agree.
 */
export function wellKnownUrl(identifier: string, suffix: string): string {
  const { origin, pathname, search } = new URL(identifier);
  return `${origin}/.well-known/${suffix}${pathname === '/' ? '' : pathname}${search}`;
}
