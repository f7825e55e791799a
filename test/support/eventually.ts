// Waiting for what another process, a notice or a timer brings about: until it is so, for as long as
// a busy machine may need. What never comes about fails with what was last seen.
import { vi } from 'vitest';

/** Less than a test may take, so that the failure is told as what it is. */
const MOST_MS = 20_000;

export const eventually = <Seen>(look: () => Seen | Promise<Seen>): Promise<Seen> =>
  vi.waitFor(look, MOST_MS);
