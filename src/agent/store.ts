/** Where transactions and delegations are kept between calls; in memory unless told otherwise. */

/**
 * Keeps begun transactions and delegations between calls; values are secrets. Share one between
 * processes.
 */
export interface TokenStore {
  /** The value under a key, unless its time is over. */
  get(key: string): Promise<string | undefined>;
  /** Puts a value there, in the place of any other. Values are secrets. */
  put(key: string, value: string, expiresAtMs?: number): Promise<void>;
  /** Returns and removes a value in one step: of several takers one gets it. */
  take(key: string): Promise<string | undefined>;
}

const ENTRIES_MAX = 100_000;

/**
 * A store of this process. Begun transactions and delegations end with it. Throws nothing.
 *
 * @param now milliseconds since the epoch
 */
export function createMemoryStore(now: () => number): TokenStore {
  const entries = new Map<string, { readonly value: string; readonly expiresAtMs: number }>();
  const live = (key: string): string | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.expiresAtMs > now() ? entry.value : undefined;
  };
  function makeRoom(): void {
    if (entries.size < ENTRIES_MAX) return;
    const nowMs = now();
    for (const [key, entry] of entries) if (entry.expiresAtMs <= nowMs) entries.delete(key);
    if (entries.size >= ENTRIES_MAX) throw new Error('the in-memory token store is full');
  }
  return {
    get: async (key) => live(key),
    put: async (key, value, expiresAtMs = Number.POSITIVE_INFINITY) => {
      makeRoom();
      entries.set(key, { value, expiresAtMs });
    },
    take: async (key) => {
      const value = live(key);
      entries.delete(key);
      return value;
    },
  };
}
