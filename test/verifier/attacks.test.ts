// Attack classes V and J at a protected server: every class has rows, here or in `maliciousTokens`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maliciousTokens } from '../../src/testing/index.js';
import { VERIFIER_ATTACKS } from './support/attack-rows.js';
import { type McpWorld, startMcpWorld } from './support/mcp-world.js';

/** V14, a resource's server that asks about another's token, is asked of the broker. */
const DUE = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((n) => `V${n}`),
  ...Array.from({ length: 15 }, (_, n) => `J${n + 1}`),
];

let world: McpWorld;
beforeAll(async () => {
  world = await startMcpWorld();
});
afterAll(() => world.close());

describe('V, J: attacks on a protected server', () => {
  it('has rows for every class, each said once', async () => {
    const names = VERIFIER_ATTACKS.map(({ id, name }) => `${id} ${name}`);
    expect(new Set(names).size).toBe(names.length);
    const tokens = await maliciousTokens(world.issuer);
    const covered = new Set(
      [...names, ...tokens.map(({ name }) => name)].map((name) => name.split(' ')[0]),
    );
    expect(DUE.filter((id) => !covered.has(id))).toEqual([]);
  });

  it.each(VERIFIER_ATTACKS)('$id $name', async ({ run, expected }) => {
    expect(await run(world)).toEqual(expected);
    // The one tool that any of them may use: whatever was refused ran nothing.
    expect(world.executed.filter((tool) => tool !== 'read_file')).toEqual([]);
  });
});
