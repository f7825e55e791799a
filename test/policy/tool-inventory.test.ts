// What a server says its tools are, beside what they need: new, changed, removed, and seen (V7).
import { describe, expect, it } from 'vitest';
import {
  afterMapping,
  afterPublication,
  type Inventory,
  inventoryChanges,
  reportOf,
} from '../../src/broker/resources/inventory.js';

const [FIRST, LATER] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
const mapped = { read: ['files:read'], write: ['files:write'] };
const published = afterPublication({}, { read: 'r1', write: 'w1', extra: 'e1' }, mapped, FIRST);
const states = (inventory: Inventory | undefined, tools: typeof mapped | object = mapped) =>
  Object.fromEntries(
    reportOf(tools as typeof mapped, inventory).map(({ tool, state }) => [tool, state]),
  );

describe('an inventory', () => {
  it('takes the first word about a mapped tool for what the operator meant', () => {
    expect(published).toEqual({
      read: { hash: 'r1', accepted: 'r1', since: FIRST },
      write: { hash: 'w1', accepted: 'w1', since: FIRST },
      extra: { hash: 'e1', accepted: null, since: FIRST },
    });
    expect(states(published)).toEqual({ read: 'known', write: 'known', extra: 'new' });
  });

  it('shows what changed and what is gone, since when', () => {
    const after = afterPublication(published, { read: 'r2', late: 'l1' }, mapped, LATER);
    expect(after).toEqual({
      read: { hash: 'r2', accepted: 'r1', since: LATER },
      late: { hash: 'l1', accepted: null, since: LATER },
      write: { hash: null, accepted: 'w1', since: LATER },
    });
    expect(states(after)).toEqual({ read: 'changed', late: 'new', write: 'removed' });
    expect(inventoryChanges(published, after)).toEqual({
      added: ['late'],
      removed: ['extra', 'write'],
      altered: ['read'],
    });
  });

  it('does not take a tool for known that went away and came back another', () => {
    const gone = afterPublication(published, { read: 'r1' }, mapped, LATER);
    expect(states(afterPublication(gone, { read: 'r1', write: 'evil' }, mapped, LATER))).toEqual({
      read: 'known',
      write: 'changed',
    });
  });

  it('says the same when the same is published again', () => {
    const again = { read: 'r1', write: 'w1', extra: 'e1' };
    expect(afterPublication(published, again, mapped, LATER)).toEqual(published);
  });

  it('takes for seen what is mapped, and forgets that for what is not mapped any more', () => {
    const now = { read: ['files:read'], extra: [] };
    const after = afterMapping(published, mapped, now);
    expect(after.extra).toEqual({ hash: 'e1', accepted: 'e1', since: FIRST });
    expect(states(after, now)).toEqual({ read: 'known', extra: 'known', write: 'new' });
    const gone = afterPublication(published, { read: 'r1' }, mapped, LATER);
    expect(afterMapping(gone, mapped, { read: [] })).toEqual({ read: published.read });
  });

  it('does not take a changed tool for seen because its scopes were changed', () => {
    const changed = afterPublication(published, { read: 'r2', write: 'w1' }, mapped, LATER);
    const stricter = { ...mapped, read: ['files:write'] };
    expect(states(afterMapping(changed, mapped, stricter), stricter).read).toBe('changed');
  });

  it('is not there before a server has said anything: nothing drifts', () => {
    expect(states(undefined)).toEqual({ read: 'not_published', write: 'not_published' });
  });

  it.each(['toString', 'hasOwnProperty', 'constructor'])('knows no tool named %s', (tool) => {
    expect(states({ [tool]: { hash: 'x', accepted: null, since: FIRST } }, {})).toEqual({
      [tool]: 'new',
    });
    expect(afterPublication({}, { [tool]: 'x' }, mapped, FIRST)[tool]?.accepted).toBeNull();
  });
});
