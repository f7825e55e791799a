/**
 * `WWW-Authenticate` challenges (RFC 6750 §3, RFC 9728 §5.1): written safely, read leniently.
 */

export interface BearerChallenge {
  readonly error?: string | undefined;
  readonly error_description?: string | undefined;
  readonly scope?: string | undefined;
  readonly resource_metadata?: string | undefined;
  readonly acr_values?: string | undefined;
  readonly max_age?: string | undefined;
  /** RFC 9449 §7.1: algorithms of DPoP proofs. */
  readonly algs?: string | undefined;
}

/** A quoted-string (RFC 9110 §5.6.4) limited to printable ASCII: nothing can break out of it. */
function quote(value: string): string {
  const printable = value.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, "'");
  return `"${printable}"`;
}

/** Serialises one Bearer challenge. Absent members are left out; `Bearer` alone is valid. */
export function formatChallenge(challenge: BearerChallenge, scheme = 'Bearer'): string {
  const members = Object.entries(challenge)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${name}=${quote(value)}`);
  return members.length === 0 ? scheme : `${scheme} ${members.join(', ')}`;
}

/** Reads the members of the first Bearer challenge in a header; anything unreadable is left out. */
export function parseChallenge(header: string | null | undefined): BearerChallenge | undefined {
  if (header === null || header === undefined || header.length > 4096) return undefined;
  const start = /^(?:bearer|dpop)\b/i.exec(header.trim());
  if (start === null) return undefined;
  const members: Record<string, string> = {};
  for (const match of header.matchAll(/([a-z_]{1,32})=(?:"([^"]{0,2048})"|([^\s,"]{1,2048}))/gi)) {
    const name = match[1]?.toLowerCase();
    if (name !== undefined && members[name] === undefined)
      members[name] = match[2] ?? match[3] ?? '';
  }
  return members;
}
