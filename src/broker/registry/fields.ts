/** Kinds of input fields that several nouns share, with their bounds. */
import { z } from 'zod';

/** Control, format (bidi, zero-width), surrogate and line-separator characters: K9, M6, P6, P9. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

export const isShowable = (value: string): boolean => !UNSHOWABLE.test(value);

/** Text that people will read: no characters that hide, reorder or break lines. */
export const displayText = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    .refine(isShowable, 'must not contain control or invisible characters')
    .refine((value) => value.trim() === value, 'must not begin or end with a space');

/** An object that refuses every field it does not know (M3: no mass assignment). */
export const strict = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? 'is not a known field' : undefined),
  });

/** Printable ASCII without spaces: ids and URIs. */
export const plainAscii = (charsMax: number) =>
  z
    .string()
    .min(1)
    .max(charsMax)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

/** An instant of the years 1 to 9999: what both databases keep, and RFC 3339 §5.6 can write. */
export const isInstant = (at: Date): boolean =>
  at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9999;

/** RFC 3339. Asked again of what it means: an offset may lead out of the years it is written in. */
export const instantField = (message: string) =>
  z.iso
    .datetime({ offset: true, error: message })
    .transform((text) => new Date(text))
    .refine(isInstant, message);

const URI_CHARS_MAX = 2000;

/** A page somebody may open or quote: https, spelled as a browser would, nobody's password in it. */
export const httpsUri = z
  .string()
  .min(1)
  .max(URI_CHARS_MAX)
  .superRefine((value, context) => {
    const message = httpsUriProblem(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

function httpsUriProblem(value: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(value)) return 'must be printable ASCII without spaces';
  if (!/^https:\/\//.test(value) || !URL.canParse(value)) return 'must be an https URI';
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') return 'must not hold a user name';
  const bare = `${url.protocol}//${url.host}`;
  return value === url.href || value === bare ? undefined : `must be written as ${url.href}`;
}

/** Where to ask: an e-mail address or an https page. */
export const contactField = z.union(
  [
    httpsUri,
    z
      .string()
      .max(254)
      .regex(/^[^\s@<>"':]{1,64}@[^\s@<>"':/]{1,189}$/)
      .refine(isShowable),
  ],
  { error: 'must be an e-mail address or an https URI' },
);

/** Words to find things by. */
export const tagsField = z
  .array(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9._:-]{0,49}$/, 'must be 1 to 50 of a-z 0-9 . _ : -, no sign first'),
  )
  .max(20);

/** Names that are special to JavaScript objects never become keys of ours (P11). */
const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
export const isSpecialKey = (key: string): boolean => SPECIAL_KEYS.has(key);

export const NAME_CHARS_MAX = 100;
export const TEXT_CHARS_MAX = 1000;
/** Lists on one agent, client or resource. */
export const LIST_MAX = 100;
