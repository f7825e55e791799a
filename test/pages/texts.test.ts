// The words of the pages: every language says everything, about the same things, and is chosen by
// what the client and the browser say of their user.
import { describe, expect, it } from 'vitest';
import { de } from '../../src/broker/http/texts/de/index.js';
import { en } from '../../src/broker/http/texts/en/index.js';
import {
  chooseLanguage,
  cut,
  LANGUAGES,
  type PlacesOf,
  phrase,
  type Text,
} from '../../src/broker/http/texts/index.js';
import type { Translation } from '../../src/broker/http/texts/places.js';
import { pagesIn } from './site.js';

/** A literal as the types of the translations see it. */
const text = <T extends string>(words: T) => words as unknown as Text<PlacesOf<T>>;

/** Every text by its path. */
function textsOf(node: unknown, path = ''): Array<readonly [string, string]> {
  if (typeof node === 'string') return [[path, node]];
  return Object.entries(node as object).flatMap(([key, value]) => textsOf(value, `${path}/${key}`));
}

const placesIn = (words: string): string[] =>
  cut(words)
    .flatMap((part) => ('place' in part ? [part.place] : []))
    .sort();

describe('a text', () => {
  it('is put together in its own order', () => {
    expect(cut('{a} and {b}.')).toEqual([
      { place: 'a' },
      { words: ' and ' },
      { place: 'b' },
      { words: '.' },
    ]);
    expect(phrase(text('{b}, then {a}'), { a: 1, b: 'two' })).toBe('two, then 1');
  });

  it('puts nothing into what was put in', () => {
    expect(phrase(text('{a} {b}'), { a: '{b}', b: 'x' })).toBe('{b} x');
  });

  it('with a place nobody fills does not compile', () => {
    // @ts-expect-error a place is missing
    expect(phrase(text('{a} {b}'), { a: 1 })).toBe('1 undefined');
    // @ts-expect-error a place does not exist
    expect(phrase(text('{a}'), { a: 1, b: 2 })).toBe('1');
  });
});

it('a translation that lost a key or a place does not compile', () => {
  interface Original {
    readonly a: 'to {b}';
    readonly c: 'd';
  }
  const whole: Translation<Original, { a: 'nach {b}'; c: 'e' }> = { a: 'nach {b}', c: 'e' };
  // @ts-expect-error {b} is lost
  const placeless: Translation<Original, { a: 'nach'; c: 'e' }> = { a: 'nach', c: 'e' };
  // @ts-expect-error c is lost
  const short: Translation<Original, { a: 'nach {b}' }> = { a: 'nach {b}' };
  expect([whole, placeless, short]).toHaveLength(3);
});

describe.each([
  ['en', en],
  ['de', de],
])('%s', (_tag, words) => {
  const own = textsOf(words);

  it('says everything English says, with the same places in it', () => {
    const places = (all: typeof own) => all.map(([path, one]) => [path, placesIn(one)]);
    expect(places(own)).toEqual(places(textsOf(en)));
    expect(own.length).toBeGreaterThan(80);
  });

  it('has no place that is misspelt beyond recognition, and no space where none belongs', () => {
    const bad = /[{}]|^\s|\s$|\s\s/;
    const without = own.map(([path, one]) => [path, one.replace(/\{[a-zA-Z]+\}/g, '-')] as const);
    expect(without.filter(([, one]) => bad.test(one))).toEqual([]);
  });

  it('leaves out only what English leaves out', () => {
    const empty = (all: typeof own) => all.filter(([, one]) => one === '').map(([path]) => path);
    expect(empty(own)).toEqual(empty(textsOf(en)));
  });
});

it('German is German: hardly a sentence is the same', () => {
  const english = new Map(textsOf(en));
  const same = textsOf(de).filter(([path, one]) => one !== '' && english.get(path) === one);
  // Names, a code and an agent are called the same.
  expect(same.every(([, one]) => one.split(' ').length <= 3)).toBe(true);
});

describe('the language of a page', () => {
  it.each([
    ['de', undefined, 'de', 'ui_locales (OIDC Core §3.1.2.1)'],
    ['fr-CA de en', undefined, 'de', 'the first one that exists'],
    ['de', 'en', 'de', 'the client knows its user: before the browser'],
    ['fr', 'de;q=0.5', 'de', 'one nobody can read decides nothing'],
    [undefined, 'de-AT,en;q=0.5', 'de', 'a region does not matter (RFC 4647 §3.4)'],
    [undefined, 'DE', 'de', 'nor does case (RFC 5646 §2.1.1)'],
    [undefined, 'en;q=0.4, de;q=0.9', 'de', 'weights decide (RFC 9110 §12.5.4)'],
    [undefined, 'de;q=0, en', 'en', 'weight 0 means: not this'],
    [undefined, 'de;q=0', 'en', 'weight 0 alone'],
    [undefined, 'de;q=7, en', 'en', 'a weight that is none is left out'],
    [undefined, '*', 'en', 'anything'],
    [undefined, undefined, 'en', 'nothing said'],
    ['', '', 'en', 'nothing said, at length'],
    ['__proto__ constructor', 'toString', 'en', 'names every object has are no languages'],
    [['de'], undefined, 'en', 'what is no text'],
    [`${'xx '.repeat(1000)}de`, undefined, 'en', 'a list too long to be honest'],
  ])('ui_locales %j, Accept-Language %j: %s (%s)', (uiLocales, acceptLanguage, tag, _why) => {
    expect(chooseLanguage({ uiLocales, acceptLanguage }).tag).toBe(tag);
  });

  it.each(Object.values(LANGUAGES))('is said in <html lang>: $tag', (language) => {
    const pages = Object.values(pagesIn(language));
    expect(pages.filter((html) => !html.includes(`<html lang="${language.tag}">`))).toEqual([]);
  });
});

describe('numbers and times', () => {
  const { en: english, de: german } = LANGUAGES;

  it.each([
    [0, '0 seconds', '0 Sekunden'],
    [1, '1 second', '1 Sekunde'],
    [60, '1 minute', '1 Minute'],
    [61, '61 seconds', '61 Sekunden'],
    [90, '90 seconds', '90 Sekunden'],
    [91, '2 minutes', '2 Minuten'],
    [3600, '1 hour', '1 Stunde'],
    [5400, '90 minutes', '90 Minuten'],
    [86_400, '1 day', '1 Tag'],
    [2_592_000, '30 days', '30 Tage'],
  ])('%s seconds are %s, %s', (seconds, inEnglish, inGerman) => {
    expect([english.duration(seconds), german.duration(seconds)]).toEqual([inEnglish, inGerman]);
  });

  it('take the form that goes with the count', () => {
    const counts = [0, 1, 2, 1234];
    const forms = (language: typeof english) =>
      counts.map((n) => language.counted(language.texts.consent.toolsSummary, n));
    expect(forms(english)).toEqual([
      'Used by 0 tools',
      'Used by 1 tool',
      'Used by 2 tools',
      'Used by 1,234 tools',
    ]);
    expect(forms(german)).toEqual([
      'Gebraucht von 0 Werkzeugen',
      'Gebraucht von 1 Werkzeug',
      'Gebraucht von 2 Werkzeugen',
      'Gebraucht von 1.234 Werkzeugen',
    ]);
  });

  it('are dates with one reading, and say their time zone', () => {
    const ms = Date.UTC(2026, 10, 3, 18, 5);
    expect([english.date(ms), english.dateTime(ms)]).toEqual([
      '3 Nov 2026',
      '3 Nov 2026, 18:05 UTC',
    ]);
    expect([german.date(ms), german.dateTime(ms)]).toEqual([
      '3. Nov. 2026',
      '3. Nov. 2026, 18:05 UTC',
    ]);
  });

  it('make lists', () => {
    const items = ['a', 'b', 'c'];
    expect([english.list(items), german.list(items)]).toEqual(['a, b and c', 'a, b und c']);
  });
});
