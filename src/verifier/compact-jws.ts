/** A compact JWS taken apart, with bounds, before anything in it is believed (RFC 7515 §7.1). */
import { base64url } from 'jose';
import { isCanonicalBase64url, parseStrictObject } from './strict-json.js';

/** RFC 7515 §4.1: members that point at a key, change the meaning, or belong to a JWE. */
const MEMBERS_REFUSED = ['crit', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'] as const;

export type CompactJws =
  | { readonly header: Readonly<Record<string, unknown>>; readonly payload: Uint8Array }
  | { readonly problem: 'too_long' | 'malformed' }
  | { readonly problem: 'header_member'; readonly member: string };

/** Reads header and payload. Does not check the signature. */
export function readCompactJws(token: unknown, charsMax: number): CompactJws {
  if (typeof token !== 'string') return { problem: 'malformed' };
  if (token.length > charsMax) return { problem: 'too_long' };
  const segments = token.split('.');
  if (segments.length !== 3 || segments.some((part) => part === '' || !isCanonicalBase64url(part)))
    return { problem: 'malformed' };
  const header = parseStrictObject(base64url.decode(segments[0] ?? ''));
  if (header === undefined) return { problem: 'malformed' };
  const member = MEMBERS_REFUSED.find((name) => Object.hasOwn(header, name));
  if (member !== undefined) return { problem: 'header_member', member };
  return { header, payload: base64url.decode(segments[1] ?? '') };
}

/** Whether a `typ` is this media type, written short or whole, in any case (RFC 7515 §4.1.9). */
export function isTyp(typ: unknown, expected: string): boolean {
  if (typeof typ !== 'string') return false;
  const given = typ.toLowerCase();
  return given === expected || given === `application/${expected}`;
}
