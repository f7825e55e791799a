/** A compact JWS taken apart, with bounds, before anything in it is believed (RFC 7515 §7.1). */
import type { Platform } from './platform.js';
import { parseStrictObject } from './strict-json.js';

/** RFC 7515 §4.1: members that point at a key, change the meaning, or belong to a JWE. */
const MEMBERS_REFUSED = ['crit', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'] as const;

export type CompactJws =
  | {
      readonly header: Readonly<Record<string, unknown>>;
      readonly payload: Uint8Array;
      readonly signature: Uint8Array;
    }
  | { readonly problem: 'too_long' | 'malformed' }
  | { readonly problem: 'header_member'; readonly member: string };

/** Reads header and payload. Does not check the signature. */
export function readCompactJws(
  token: unknown,
  charsMax: number,
  decode: Platform['decode'],
): CompactJws {
  if (typeof token !== 'string') return { problem: 'malformed' };
  if (token.length > charsMax) return { problem: 'too_long' };
  const segments = token.split('.', 4);
  const [first, second, third] = segments.map(decode);
  if (segments.length !== 3 || !first?.length || !second?.length || !third?.length)
    return { problem: 'malformed' };
  const header = parseStrictObject(first);
  if (header === undefined) return { problem: 'malformed' };
  const member = MEMBERS_REFUSED.find((name) => Object.hasOwn(header, name));
  if (member !== undefined) return { problem: 'header_member', member };
  return { header, payload: second, signature: third };
}

/** Whether a `typ` is this media type, written short or whole, in any case (RFC 7515 §4.1.9). */
export function isTyp(typ: unknown, expected: string): boolean {
  if (typeof typ !== 'string') return false;
  const given = typ.toLowerCase();
  return given === expected || given === `application/${expected}`;
}
