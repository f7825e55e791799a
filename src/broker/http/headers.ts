/** Headers of every page for people: nothing runs in it, nothing frames it, nothing keeps it. */

export interface PageHeaderOptions {
  /**
   * Redirect URIs a form of this page may lead to in the end. Chromium applies `form-action` to
   * every redirect that follows a POST, so without them the answer never reaches the client.
   */
  readonly formAction?: readonly string[];
  /**
   * Leaves `window.opener` alone. Severing is the default; but a client that opened us in a popup
   * and waits for its callback page to call back has lost it for ever once we sever it.
   */
  readonly keepsOpener?: boolean;
}

const FIXED = {
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  // Not `no-referrer`: that makes browsers send `Origin: null` with our own forms, which then could
  // be told from a foreign one only by Sec-Fetch-Site. Other sites learn nothing either way.
  'Referrer-Policy': 'same-origin',
  'Cache-Control': 'no-store',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy':
    'camera=(), microphone=(), geolocation=(), payment=(), usb=(), publickey-credentials-get=(self)',
} as const;

export function pageHeaders(options: PageHeaderOptions): Record<string, string> {
  const targets = new Set((options.formAction ?? []).flatMap(formActionSource));
  const policy = [
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    ["form-action 'self'", ...targets].join(' '),
  ].join('; ');
  return {
    'Content-Security-Policy': policy,
    'Cross-Origin-Opener-Policy': options.keepsOpener === true ? 'unsafe-none' : 'same-origin',
    ...FIXED,
  };
}

/** Schemes that would run or show something in our place; never a redirect target. */
const NEVER = new Set(['javascript:', 'data:', 'blob:', 'vbscript:', 'about:', 'filesystem:']);

/**
 * The narrowest CSP source that covers a redirect URI, or none. Only characters that cannot end a
 * source or a directive get through.
 */
function formActionSource(uri: string): string[] {
  if (!URL.canParse(uri)) return [];
  const { protocol, host, hostname } = new URL(uri);
  if (NEVER.has(protocol)) return [];
  if (protocol !== 'https:' && protocol !== 'http:') return [protocol];
  // CSP has no words for an IPv6 address (CSP3 §2.3.1, host-char): the scheme has to do.
  if (hostname.startsWith('[')) return [protocol];
  return /^[a-z0-9.-]+(:\d+)?$/.test(host) ? [`${protocol}//${host}`] : [];
}
