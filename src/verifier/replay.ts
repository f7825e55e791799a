/**
 * Which DPoP proofs were seen (RFC 9449 §11.1). In memory by default: right for one process. Several
 * processes of one server share a store, or use {@link createDpopNonces}, or accept that a stolen
 * proof may be used once at each of them.
 */

/**
 * Remembers which proofs were used (RFC 9449 §11.1). Share one between the processes of a server.
 */
export interface ReplayStore {
  /**
   * Remembers a key until then, atomically: of two simultaneous callers one is told `true`. May
   * throw; the request is then answered 503.
   *
   * @param untilMs milliseconds since the epoch
   * @returns whether the key was new
   */
  remember(key: string, untilMs: number): boolean | Promise<boolean>;
}

/** Bounds of a store in memory. */
export interface ReplayStoreOptions {
  /** Most proofs remembered at a time; default 200,000. More are refused, none is forgotten early. */
  readonly max?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const REMEMBERED_MAX = 200_000;

/**
 * A store in memory.
 *
 * @throws TypeError when `max` is not a positive number
 */
export function createReplayStore(options: ReplayStoreOptions = {}): ReplayStore {
  const { max = REMEMBERED_MAX, now = Date.now } = options;
  if (!(max >= 1)) throw new TypeError('max is a positive number');
  const untilByKey = new Map<string, number>();

  /** Nearly all end in the order in which they came: the front is where to look. */
  function forgetFirst(nowMs: number): void {
    for (const [key, untilMs] of untilByKey) {
      if (untilMs > nowMs) return;
      untilByKey.delete(key);
    }
  }
  function forgetAll(nowMs: number): void {
    for (const [key, untilMs] of untilByKey) if (untilMs <= nowMs) untilByKey.delete(key);
  }

  return {
    remember(key, untilMs) {
      const nowMs = now();
      if ((untilByKey.get(key) ?? 0) > nowMs) return false;
      forgetFirst(nowMs);
      if (untilByKey.size >= max) forgetAll(nowMs);
      // To forget one early would be to accept it twice.
      if (untilByKey.size >= max) throw new Error(`more than ${max} DPoP proofs at a time`);
      untilByKey.delete(key);
      untilByKey.set(key, untilMs);
      return true;
    },
  };
}
