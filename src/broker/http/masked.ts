/**
 * What somebody sent, fit for a log line or an event (M7). People put secrets where they do not belong:
 * a token into a path, a secret into `grant_type`. Whatever is as long as one keeps its beginning only.
 */

/** 256 bits in base64url are 43 characters; a token's parts and other spellings are longer. */
const LIKE_A_SECRET = /[\w-]{43,}/g;
/** Names of the registry are no secrets, and may be that long (`ids.ts`). */
const IS_NAME = /^(?:agt|cli)_/;
const KEPT_CHARS = 6;

export const masked = (text: string): string =>
  text.replace(LIKE_A_SECRET, (run) => (IS_NAME.test(run) ? run : `${run.slice(0, KEPT_CHARS)}…`));

/** The same for everything a value holds. */
export function maskedAll<T>(value: T): T {
  if (typeof value === 'string') return masked(value) as T;
  if (Array.isArray(value)) return value.map(maskedAll) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, maskedAll(member)]),
  ) as T;
}
