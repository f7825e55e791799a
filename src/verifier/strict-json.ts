/**
 * JSON as a signed object must be written: UTF-8 without surprises, one object, no member twice
 * (RFC 7519 §4 lets a parser reject duplicates; two parsers that differ are an attack, J8).
 */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Skips a string that starts at `at`; returns the index after its closing quote. */
function endOfString(text: string, at: number): number {
  let end = at + 1;
  while (text.charCodeAt(end) !== 0x22) end += text.charCodeAt(end) === 0x5c ? 2 : 1;
  return end + 1;
}

function isFollowedByColon(text: string, at: number): boolean {
  let next = at;
  while (next < text.length && text.charCodeAt(next) <= 0x20) next += 1;
  return text[next] === ':';
}

/** Whether any object in this (already valid) JSON text names a member twice. */
function hasDuplicateMembers(text: string): boolean {
  const open: Array<Set<string> | undefined> = [];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, at);
      const members = open.at(-1);
      if (members !== undefined && isFollowedByColon(text, end)) {
        const name = JSON.parse(text.slice(at, end)) as string;
        if (members.has(name)) return true;
        members.add(name);
      }
      at = end - 1;
    }
  }
  return false;
}

/**
 * How many strings a value is written with, names of members included. Should anybody have added to
 * every object's prototype, there are more, and the text is read letter by letter.
 */
function countStrings(value: unknown): number {
  if (typeof value === 'string') return 1;
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countStrings(item);
    return count;
  }
  for (const name in value) count += 1 + countStrings((value as Record<string, unknown>)[name]);
  return count;
}

/**
 * Whether it is plain that the text says nothing twice. Without escapes each string is between two quotes,
 * and a member that was named again would have more of them than the value that came out.
 */
function isPlainlyOnce(bytes: Uint8Array, value: object): boolean {
  let quotes = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === 0x22) quotes += 1;
    else if (bytes[at] === 0x5c) return false;
  }
  return quotes === 2 * countStrings(value);
}

/** The object a signed text stands for; `undefined` when it is anything else or ambiguous. */
export function parseStrictObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const isOnce = isPlainlyOnce(bytes, value) || !hasDuplicateMembers(text);
    return isOnce ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** base64url without padding, whitespace or stray trailing bits (RFC 7515 §2, RFC 4648 §3.5). */
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** Whether exactly one byte string is written this way, so that a token has one spelling only. */
export const isCanonicalBase64url = (value: string): boolean => CANONICAL.test(value);
