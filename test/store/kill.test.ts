// kill −9 at random points (threats G5): no acknowledged stop is lost, no acknowledged token is
// without its row, and the audit's chains are whole. The soak does it a thousand times.
import { expect, it } from 'vitest';
import { runKills } from '../soak/kill.js';

it.each([
  ['PostgreSQL', 12],
  ['PGlite', 12],
] as const)(
  '%s, %i times, in the middle of everything',
  { timeout: 600_000 },
  async (kind, kills) => {
    const { wrong, attempts } = await runKills(kind, kills);
    expect(wrong).toEqual([]);
    expect(attempts).toBeGreaterThan(kills);
  },
);
