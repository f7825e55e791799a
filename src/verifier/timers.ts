/** Timers that never keep a process alive, where the runtime has such a notion. */

/** Longest delay a timer takes; a longer one would fire at once. */
export const TIMER_MAX_MS = 2_147_483_647;

/** Calls `run` once after `delayMs`, unreferenced. Returns what cancels it. */
export function later(delayMs: number, run: () => void): () => void {
  const timer: unknown = setTimeout(run, Math.min(Math.max(delayMs, 0), TIMER_MAX_MS));
  (timer as { unref?: () => void }).unref?.();
  return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
}

/** Waits for `delayMs`, or until the signal aborts, whichever is first; never rejects. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = later(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
