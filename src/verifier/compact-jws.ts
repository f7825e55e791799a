/** A compact JWS taken apart, with bounds, before anything in it is believed (RFC 7515 §7.1). */
import type { Platform } from './platform.js';
import { parseStrictObject } from './strict-json.js';

/** RFC 7515 §4.1: members that point at a key, change the meaning, or belong to a JWE. */
const MEMBERS_REFUSED = ['crit', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'] as const;

type Members = Readonly<Record<string, unknown>>;

export type HeaderProblem =
  | { readonly problem: 'malformed' }
  | { readonly problem: 'header_member'; readonly member: string };

export type CompactJws =
  | { readonly header: Members; readonly payload: Uint8Array; readonly signature: Uint8Array }
  | { readonly problem: 'too_long' }
  | HeaderProblem;

/** Header, payload and signature as they are written; `undefined` unless there are just these. */
export function splitJws(
  token: string,
): readonly [header: string, payload: string, signature: string] | undefined {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first === -1 || second === -1 || token.includes('.', second + 1)) return undefined;
  return [token.slice(0, first), token.slice(first + 1, second), token.slice(second + 1)];
}

/** Reads the header out of its segment. */
export function readJwsHeader(
  segment: string,
  decode: Platform['decode'],
): { readonly header: Members } | HeaderProblem {
  const bytes = decode(segment);
  const header = bytes?.length ? parseStrictObject(bytes) : undefined;
  if (header === undefined) return { problem: 'malformed' };
  const member = MEMBERS_REFUSED.find((name) => Object.hasOwn(header, name));
  return member === undefined ? { header } : { problem: 'header_member', member };
}

/** Reads header and payload. Does not check the signature. */
export function readCompactJws(
  token: unknown,
  charsMax: number,
  decode: Platform['decode'],
): CompactJws {
  if (typeof token !== 'string') return { problem: 'malformed' };
  if (token.length > charsMax) return { problem: 'too_long' };
  const [first, second, third] = splitJws(token) ?? [];
  const payload = second && decode(second);
  const signature = third && decode(third);
  if (!first || !payload || !signature) return { problem: 'malformed' };
  const read = readJwsHeader(first, decode);
  return 'problem' in read ? read : { header: read.header, payload, signature };
}

/** Whether a `typ` is this media type, written short or whole, in any case (RFC 7515 §4.1.9). */
export function isTyp(typ: unknown, expected: string): boolean {
  if (typeof typ !== 'string') return false;
  const given = typ.toLowerCase();
  return given === expected || given === `application/${expected}`;
}
