// The bench with a handful of iterations, so that it cannot rot. Nothing here looks at a time.
import { describe, expect, inject, it } from 'vitest';
import { type Verifier, verifiersFor } from './contenders.js';
import { tableOf } from './figures.js';
import { inFlight, inTurns, median } from './rounds.js';
import { SECTIONS } from './sections.js';
import { type BenchAlg, createTokenSource } from './tokens.js';

const ALGS: readonly BenchAlg[] = ['ES256', 'RS256', 'EdDSA'];

describe.each(ALGS)('%s: what is measured is a check', (alg) => {
  const source = createTokenSource(alg);
  const [good = ''] = source.make(1);
  const [header, payload] = good.split('.');
  const forged = `${header}.${payload}.${createTokenSource(alg).make(1)[0]?.split('.')[2]}`;
  const able = verifiersFor(alg).filter(
    (one): one is Verifier & { make: NonNullable<Verifier['make']> } => one.make !== undefined,
  );

  it.each(able)('$name takes a good token, and no signature of another key', async ({ make }) => {
    const check = await make(source);
    expect(await check(good)).toBeTruthy();
    await expect((async () => check(forged))()).rejects.toThrow();
  });
});

describe('the sections', () => {
  it.each(
    Object.entries(SECTIONS).filter(([, { fullOnly }]) => !fullOnly),
  )('%s gives figures', async (_name, { title, run }) => {
    const figures = await run('smoke', async () => inject('postgresUrl'));
    expect(figures.length).toBeGreaterThan(0);
    expect(figures.filter(({ value }) => !Number.isFinite(value))).toEqual([]);
    expect(tableOf(title, figures)).toContain(title);
  });
});

describe('the report', () => {
  it('shows each goal, and whether it is met', () => {
    const figures = [
      { what: 'a', value: 1.5, unit: '×', atLeast: 1.4 },
      { what: 'bb', value: 310, unit: 'MB', atMost: 300 },
      { what: 'c', value: 12_345, unit: 'tokens/s' },
    ];
    expect(tableOf('Title', figures)).toBe(
      [
        'Title',
        '  a           1.50 ×  ≥ 1.4 ×   met',
        '  bb          310 MB  ≤ 300 MB  missed',
        '  c   12345 tokens/s',
      ].join('\n'),
    );
    expect(tableOf('T', [{ what: 'd', value: Number.NaN, unit: '×', atLeast: 1 }])).toContain(
      'missed',
    );
  });

  it('takes the median of turns, every item once', async () => {
    expect(median([9, 1, 5])).toBe(5);
    const seen: number[] = [];
    await inFlight([1, 2, 3, 4, 5], 2, async (item) => seen.push(item));
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    const turns: string[] = [];
    const contender = (name: string) => ({
      name,
      prepare: async () => ({ count: 1, run: () => void turns.push(name) }),
    });
    const rates = await inTurns([contender('a'), contender('b')], 2);
    expect([turns, [...rates.keys()]]).toEqual([
      ['a', 'b', 'a', 'b'],
      ['a', 'b'],
    ]);
  });
});
