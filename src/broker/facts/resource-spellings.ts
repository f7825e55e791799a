/** Resources as clients write them (RFC 8707 §2, Q12). Pure. */

/**
 * How a resource that a client writes like this may be registered, likeliest first. Scheme and host
 * have no case (RFC 3986 §6.2.2.1), and a host alone is the same with or without a slash after it; a
 * path is compared as it stands.
 */
export function resourceSpellings(identifier: string): readonly string[] {
  const [, origin, rest = ''] = /^([a-z]+:\/\/[^/?#@]+)(.*)$/is.exec(identifier) ?? [];
  if (origin === undefined) return [identifier];
  const base = origin.toLowerCase();
  const spelled = rest === '' || rest === '/' ? [base, `${base}/`] : [`${base}${rest}`];
  return [...new Set([identifier, ...spelled])];
}
