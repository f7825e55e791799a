/**
 * Which redirect URIs may be registered (A2, A3, A5; RFC 8252 §7, RFC 9700 §4.1). Requests are
 * compared with them exactly, so each must be written the one way a browser would write it. Pure.
 */

export const REDIRECT_URI_CHARS_MAX = 2000;

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Schemes that run, read or reach something themselves: never a native app's own. */
const FOREIGN_SCHEMES = new Set([
  'about:',
  'blob:',
  'cid:',
  'chrome:',
  'chrome-extension:',
  'content:',
  'data:',
  'dict:',
  'edge:',
  'feed:',
  'file:',
  'filesystem:',
  'ftp:',
  'geo:',
  'gopher:',
  'intent:',
  'jar:',
  'javascript:',
  'ldap:',
  'livescript:',
  'mailto:',
  'mid:',
  'mocha:',
  'moz-extension:',
  'ms-its:',
  'news:',
  'resource:',
  'sftp:',
  'sms:',
  'ssh:',
  'tel:',
  'telnet:',
  'urn:',
  'vbscript:',
  'view-source:',
  'wss:',
  'ws:',
  'wyciwyg:',
]);

/** @returns what is wrong with it, or `undefined` when it may be registered */
export function redirectUriProblem(uri: string): string | undefined {
  if (uri.length > REDIRECT_URI_CHARS_MAX)
    return `is longer than ${REDIRECT_URI_CHARS_MAX} characters`;
  if (!/^[\x21-\x7e]+$/.test(uri)) return 'must be printable ASCII without spaces';
  if (uri.includes('*')) return 'must not hold a wildcard: URIs are compared exactly';
  if (uri.includes('\\')) return 'must not hold a backslash';
  // Patterns and templates: browsers let them pass, and somebody would expect them to match (A2).
  if (/[{}|^`<>"]/.test(uri)) return 'must hold only characters of a URI (RFC 3986 §2)';
  if (/%(?:0|1|7f)/i.test(uri)) return 'must not hold encoded control characters';
  if (uri.includes('#')) return 'must not have a fragment (RFC 6749 §3.1.2)';
  if (!URL.canParse(uri)) return 'must be an absolute URI';
  const url = new URL(uri);
  if (url.protocol === 'https:' || url.protocol === 'http:') return webProblem(uri, url);
  return customSchemeProblem(uri, url);
}

function webProblem(uri: string, url: URL): string | undefined {
  if (url.username !== '' || url.password !== '') {
    return 'must not hold a user name';
  }
  if (url.hostname.endsWith('.')) return 'must not have a host that ends in a dot';
  if (url.protocol === 'http:' && !LOOPBACK_HOSTS.has(url.hostname)) {
    return 'must be https, or http on 127.0.0.1, [::1] or localhost';
  }
  // Dot segments, %2e, upper-case hosts, default ports, 127.1 and 0x7f.1 all fail this.
  const bare = `${url.protocol}//${url.host}`;
  if (uri !== url.href && uri !== bare) return `must be written as ${url.href}`;
  return undefined;
}

function customSchemeProblem(uri: string, url: URL): string | undefined {
  if (FOREIGN_SCHEMES.has(url.protocol)) return `must not use the scheme ${url.protocol}`;
  if (url.username !== '' || url.password !== '') return 'must not hold a user name';
  if (uri !== url.href) return `must be written as ${url.href}`;
  return undefined;
}
