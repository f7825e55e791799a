/**
 * Tokens that were verified, by the SHA-256 of the whole token (J14: any less, and two tokens share
 * a fate). Holds what was found out, never the token. Everything that can change (time, keys,
 * revocation, the proof of possession) is looked at again at every use; see `check.ts`.
 */

export interface TokenCache<Value> {
  get(digest: string): Value | undefined;
  set(digest: string, value: Value): void;
}

/** Keeps the `max` used last. With 0 it keeps nothing. */
export function createTokenCache<Value>(max: number): TokenCache<Value> {
  const values = new Map<string, Value>();
  return {
    get(digest) {
      const value = values.get(digest);
      if (value === undefined) return undefined;
      values.delete(digest);
      values.set(digest, value);
      return value;
    },
    set(digest, value) {
      if (max === 0) return;
      values.delete(digest);
      const oldest = values.size >= max ? values.keys().next().value : undefined;
      if (oldest !== undefined) values.delete(oldest);
      values.set(digest, value);
    },
  };
}
