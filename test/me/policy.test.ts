// What a user is told of who has confirmed a stop: servers, not their processes.
import { describe, expect, it } from 'vitest';
import { confirmedOf } from '../../src/broker/me/policy.js';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const follower = (resource: string, since: number | undefined, seen: number) => ({
  resource,
  at: since === undefined ? undefined : at(since),
  seenAt: at(seen),
});
const names = new Map([
  ['urn:files', 'Files'],
  ['urn:notes', 'Notes'],
]);

describe('servers that confirmed a stop (DESIGN §6)', () => {
  it('a server knows of it since the last of its processes does', () => {
    const found = [
      follower('urn:notes', 3, 9),
      follower('urn:files', 1, 8),
      follower('urn:files', 2, 7),
    ];
    expect(confirmedOf(found, names)).toEqual({
      servers: [
        { name: 'Files', since: at(2), seenAt: at(8) },
        { name: 'Notes', since: at(3), seenAt: at(9) },
      ],
      others: { by: 0, of: 0 },
    });
  });

  it('and does not while one of them has not said so', () => {
    const found = [follower('urn:files', 1, 8), follower('urn:files', undefined, 7)];
    expect(confirmedOf(found, names).servers).toEqual([
      { name: 'Files', since: undefined, seenAt: at(8) },
    ]);
  });

  it('others are counted, server by server, and not named', () => {
    const found = [
      follower('urn:a', 1, 1),
      follower('urn:a', undefined, 1),
      follower('urn:b', 1, 1),
      follower('urn:b', 1, 1),
    ];
    expect(confirmedOf(found, names)).toEqual({ servers: [], others: { by: 1, of: 2 } });
    expect(confirmedOf([], names)).toEqual({ servers: [], others: { by: 0, of: 0 } });
  });
});
