/** Text of others on pages of ours: nothing in it may hide, reorder or flood what stands around it. */

/** Control, format (bidi, zero-width), surrogate, separator and other characters without a shape. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
/** Stacked marks that would cover other lines; no language stacks more. */
const STACKED = /(\p{M}{4})\p{M}+/gu;

export const DISPLAY_CHARS_MAX = 200;
export const NAMELESS = '—';

/** What a name, title or description is shown as. Never use it for a value that is sent back. */
export function displayed(text: string, charsMax = DISPLAY_CHARS_MAX): string {
  // Bounded first, so that no text is too long to clean.
  const clean = text
    .slice(0, charsMax * 8)
    .replace(/[\t\r\n]/g, ' ')
    .replace(UNSHOWABLE, '')
    .replace(STACKED, '$1')
    .replace(/\s+/g, ' ')
    .trim();
  if (clean === '') return NAMELESS;
  const characters = [...clean];
  return characters.length <= charsMax ? clean : `${characters.slice(0, charsMax - 1).join('')}…`;
}
