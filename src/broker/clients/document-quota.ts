/**
 * How many documents strangers make us fetch, and how many clients they make us write down, counted by
 * network in this process: whoever is over it waits, and nobody else does (P15, S3).
 */
export interface Allowance {
  /** Counts a fetch; false: too many. */
  fetch(network: string): boolean;
  /** Counts a client that begins; false: too many. */
  admit(network: string): boolean;
}

const FETCHES_PER_MINUTE = 30;
const CLIENTS_PER_HOUR = 20;
const MINUTE_MS = 60_000;
/** Of a flood from everywhere, not even the networks are kept. */
const NETWORKS_MAX = 10_000;

export function createAllowance(now: () => number): Allowance {
  return {
    fetch: createCounter(now, FETCHES_PER_MINUTE, MINUTE_MS),
    admit: createCounter(now, CLIENTS_PER_HOUR, 60 * MINUTE_MS),
  };
}

/** No more entries than networks were heard of in one window. @returns false: too many */
export function createCounter(now: () => number, max: number, windowMs: number) {
  let startedAtMs = now();
  let counted = new Map<string, number>();
  return (network: string): boolean => {
    if (now() - startedAtMs >= windowMs || counted.size >= NETWORKS_MAX) {
      [startedAtMs, counted] = [now(), new Map()];
    }
    const count = counted.get(network) ?? 0;
    if (count >= max) return false;
    counted.set(network, count + 1);
    return true;
  };
}
