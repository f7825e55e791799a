import { describe, expect, it } from 'vitest';
import { displayed, NAMELESS } from '../../src/broker/http/display.js';

describe('a displayed name (I5, P6, P9)', () => {
  it.each([
    ['Expense Bot', 'Expense Bot'],
    ['  two   spaces ', 'two spaces'],
    ['line\r\nbreak\tand tab', 'line break and tab'],
    ['evil\u202Etxt.exe', 'eviltxt.exe'],
    ['\u2066isolate\u2069', 'isolate'],
    ['Ex\u200Bpen\u200Dse\uFEFF', 'Expense'],
    ['nul\0 esc\u001B[31m', 'nul esc[31m'],
    ['sep\u2028para\u2029', 'seppara'],
    ['tag\u{E0041}\u{E0042}', 'tag'],
    ['soft\u00ADhyphen', 'softhyphen'],
    ['lone\uD800', 'lone'],
    ['\u3164\u115F\u2800', NAMELESS],
    ['', NAMELESS],
    ['日本語 שלום é', '日本語 שלום é'],
  ])('%j is shown as %j', (text, shown) => {
    expect(displayed(text)).toBe(shown);
  });

  it('stacks no towers of marks and has an end', () => {
    expect(displayed(`a${'\u0301'.repeat(50)}b`)).toBe(`a${'\u0301'.repeat(4)}b`);
    expect([...displayed('😀'.repeat(500))]).toHaveLength(200);
    expect(displayed('x'.repeat(201)).endsWith('…')).toBe(true);
    expect(displayed('x'.repeat(200))).toBe('x'.repeat(200));
  });

  it('is quick about 1 MB of anything (P10)', () => {
    for (const unit of [' ', '\u0301', '\u202E', 'a', '\t ']) {
      const text = unit.repeat(1_000_000 / unit.length);
      // Milliseconds; with the square of the length it would be hours, and the test out of time.
      expect([...displayed(text, 1000)].length).toBeLessThanOrEqual(1000);
    }
  });
});
