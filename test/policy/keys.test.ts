// When keys are made, rotated and retired, as a table: DESIGN §9.8.
import { describe, expect, it } from 'vitest';
import {
  dueSteps,
  type KeyFacts,
  type KeyState,
  type KeyStep,
  replacementSteps,
  rotationProblem,
  rotationSteps,
} from '../../src/broker/keys/policy.js';

const DAY_MS = 24 * 3600 * 1000;
const NOW = Date.parse('2030-01-01T00:00:00Z');
const RULES = { rotationDays: 90, leadSeconds: 1200 };

const ago = (ms: number) => new Date(NOW - ms);
const key = (kid: string, state: KeyState, more: Partial<KeyFacts> = {}): KeyFacts => ({
  kid,
  alg: 'ES256',
  state,
  createdAt: ago(DAY_MS),
  activatedAt: null,
  retiresAt: null,
  ...more,
});
const active = (more: Partial<KeyFacts> = {}) =>
  key('a', 'active', { activatedAt: ago(DAY_MS), ...more });
const next = (more: Partial<KeyFacts> = {}) => key('n', 'next', more);

/** A step in a word. */
const told = (step: KeyStep): string =>
  step.step === 'create'
    ? `create ${step.state}`
    : step.step === 'retire'
      ? `retire ${step.key.kid}`
      : `activate ${step.key.kid} after ${step.before?.kid ?? 'none'}`;
const due = (keys: readonly KeyFacts[], rules = RULES) =>
  dueSteps(keys, ['ES256'], NOW, rules).map(told);

describe('what is due for an algorithm in use', () => {
  it.each<[string, readonly KeyFacts[], readonly string[]]>([
    ['nothing yet: a key that signs and the next', [], ['create active', 'create next']],
    ['no next key: one', [active()], ['create next']],
    ['both, and no time for a change: nothing', [active(), next()], []],
    ['none that signs: the next one does', [next()], ['activate n after none', 'create next']],
    [
      'one that has signed for 90 days: the next takes over',
      [active({ activatedAt: ago(90 * DAY_MS) }), next()],
      ['activate n after a', 'create next'],
    ],
    [
      'one that has signed for a moment less: nothing',
      [active({ activatedAt: ago(90 * DAY_MS - 1) }), next()],
      [],
    ],
    [
      'one made before keys said when they began: counted from when it was made',
      [active({ activatedAt: null, createdAt: ago(90 * DAY_MS) }), next()],
      ['activate n after a', 'create next'],
    ],
    [
      'a due one whose successor was published a moment too late: nothing',
      [active({ activatedAt: ago(91 * DAY_MS) }), next({ createdAt: ago(1_199_999) })],
      [],
    ],
    [
      'a due one whose successor has just been published for long enough',
      [active({ activatedAt: ago(91 * DAY_MS) }), next({ createdAt: ago(1_200_000) })],
      ['activate n after a', 'create next'],
    ],
    [
      'a retiring one whose last token has run out: it retires',
      [active(), next(), key('r', 'retiring', { retiresAt: ago(0) })],
      ['retire r'],
    ],
    [
      'a retiring one whose last token has a moment left: nothing',
      [active(), next(), key('r', 'retiring', { retiresAt: ago(-1) })],
      [],
    ],
    [
      'a retired one: nothing',
      [active(), next(), key('r', 'retired', { retiresAt: ago(DAY_MS) })],
      [],
    ],
  ])('%s', (_name, keys, steps) => {
    expect(due(keys)).toEqual(steps);
  });

  it('with rotation off: never another, however old', () => {
    const keys = [active({ activatedAt: ago(4000 * DAY_MS) }), next()];
    expect(due(keys, { ...RULES, rotationDays: 0 })).toEqual([]);
  });

  it('keeps algorithms apart, and makes nothing for those nobody asks for', () => {
    const other = active({ kid: 'e', alg: 'EdDSA' });
    expect(due([active(), next(), other])).toEqual([]);
    expect(dueSteps([active(), next(), other], ['ES256', 'EdDSA'], NOW, RULES)).toEqual([
      { step: 'create', alg: 'EdDSA', state: 'next' },
    ]);
  });
});

describe('a rotation that is asked for', () => {
  it('lets the next key take over once it has been published for long enough', () => {
    const keys = [active(), next({ createdAt: ago(1_200_000) })];
    expect(rotationProblem(keys, ['ES256'], NOW, RULES)).toBeUndefined();
    expect(rotationSteps(keys, ['ES256']).map(told)).toEqual(['activate n after a', 'create next']);
  });

  it('is refused a moment before, with the moment', () => {
    const keys = [active(), next({ createdAt: ago(1_199_999) })];
    expect(rotationProblem(keys, ['ES256'], NOW, RULES)).toBe(
      'the next ES256 key has not been published for long enough: whoever verifies knows it from 2030-01-01T00:00:00.001Z on',
    );
  });

  it('is refused while there is no next key', () => {
    expect(rotationProblem([active()], ['ES256'], NOW, RULES)).toBe(
      'there is no next ES256 key yet: try again in a moment',
    );
  });
});

describe('a compromised key', () => {
  const young = next({ createdAt: ago(1) });
  it.each<[string, readonly KeyFacts[], KeyFacts, readonly string[]]>([
    [
      'that signs: the next takes over, however young',
      [active(), young],
      active(),
      ['activate n after none', 'create next'],
    ],
    [
      'that signs, without a next: a new one signs',
      [active()],
      active(),
      ['create active', 'create next'],
    ],
    ['that was to be next: another is', [active(), next()], next(), ['create next']],
    [
      'that was retiring: nothing else changes',
      [active(), next(), key('r', 'retiring')],
      key('r', 'retiring'),
      [],
    ],
  ])('%s', (_name, keys, compromised, steps) => {
    expect(replacementSteps(keys, compromised).map(told)).toEqual(steps);
  });
});
