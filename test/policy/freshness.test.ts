// How recent a sign-in has to be: the strictest of the scopes that are granted decides.
import { describe, expect, it } from 'vitest';
import { freshScopes, isFreshFor } from '../../src/broker/delegation/freshness.js';

const RULES = { read: {}, write: { reauthSeconds: 600 }, pay: { reauthSeconds: 60 } };
const NOW = 1_800_000_000;

describe('a sign-in is recent enough', () => {
  it.each([
    [['read'], 100_000, true, 'nothing asks for it'],
    [[], 100_000, true, 'nothing is granted'],
    [['write'], 600, true, 'no older than that'],
    [['write'], 601, false, 'a second older'],
    [['write', 'pay'], 61, false, 'the strictest decides'],
    [['pay', 'write'], 60, true, 'whatever the order'],
    [['unknown'], 100_000, true, 'a scope the resource does not have is granted by nobody'],
    [['write'], -5, true, 'a clock that is ahead'],
  ])('%j after %s s: %s (%s)', (scopes, age, answer, _why) => {
    expect(isFreshFor(RULES, scopes, NOW - age, NOW)).toBe(answer);
  });

  it('never for a sign-in nobody knows of', () => {
    expect(isFreshFor(RULES, ['write'], 0, NOW)).toBe(false);
  });

  it('says which scopes ask for it', () => {
    expect(freshScopes(RULES, ['read', 'pay', 'write', 'unknown'])).toEqual(['pay', 'write']);
  });
});
