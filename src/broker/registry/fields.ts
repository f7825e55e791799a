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

/** Names that are special to JavaScript objects never become keys of ours (P11). */
const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
export const isSpecialKey = (key: string): boolean => SPECIAL_KEYS.has(key);

export const NAME_CHARS_MAX = 100;
export const TEXT_CHARS_MAX = 1000;
/** Lists on one agent, client or resource. */
export const LIST_MAX = 100;
