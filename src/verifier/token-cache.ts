/**
 * Tokens that were verified, by the SHA-256 of the whole token (J14: any less, and two tokens share
 * a fate). Holds what was found out, never the token. Everything that can change (time, keys,
 * revocation, the proof of possession) is looked at again at every use; see `check.ts`.
 */

export interface TokenCache<Value> {
  get(digest: string): Value | undefined;
  set(digest: string, value: Value): void;
}

/**
 * Keeps at most `max`: those used last, at least half of it. With 0 it keeps nothing. Two halves that
 * take turns cost the same at any size, which one list in the order of use does not.
 */
export function createTokenCache<Value>(max: number): TokenCache<Value> {
  const half = Math.max(1, Math.floor(max / 2));
  let recent = new Map<string, Value>();
  let older = new Map<string, Value>();

  function set(digest: string, value: Value): void {
    if (max === 0) return;
    if (recent.size >= half && !recent.has(digest)) {
      older = max > 1 ? recent : new Map();
      recent = new Map();
    }
    recent.set(digest, value);
  }

  return {
    get(digest) {
      const value = recent.get(digest);
      if (value !== undefined) return value;
      const last = older.get(digest);
      if (last !== undefined) set(digest, last);
      return last;
    },
    set,
  };
}
