/**
 * Log injection (M6): no line breaks, no terminal escapes, no direction overrides, nothing invisible,
 * whatever somebody wrote into a name. Pure.
 */

/** Controls, what formats without being seen, ends of lines and paragraphs, halves of characters. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const WORD_CHARS_MAX = 200;

/** Text for people: what is unsafe is seen to have been there. */
export const safeText = (value: string, charsMax = WORD_CHARS_MAX): string =>
  value.slice(0, charsMax).replace(UNSAFE, '\ufffd');

/** JSON for programs, which read exactly what was recorded; a terminal meets escapes only. */
export const safeJson = (value: unknown, indent?: number): string =>
  // `JSON.stringify` escapes what is below a space itself; the line breaks it adds are its own.
  JSON.stringify(value, null, indent).replace(UNSAFE, (unsafe) =>
    unsafe === '\n' ? unsafe : escaped(unsafe),
  );

const escaped = (text: string): string =>
  Array.from({ length: text.length }, (_, n) => text.charCodeAt(n))
    .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
    .join('');
