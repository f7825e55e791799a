/** Words, numbers, dates and durations as one language writes them. */
import type { en } from './en/index.js';
import { phrase, type Words } from './places.js';

export type Texts = Words<typeof en>;

/** A text in the forms English and German have; both say the count. */
export type Plural = Texts['consent']['toolsSummary'];

export interface Language {
  /** For `<html lang>` (BCP 47). */
  readonly tag: string;
  readonly texts: Texts;
  /** The path of the issuer, before every address of ours on the page; none by default. */
  readonly base?: string;
  readonly number: (value: number) => string;
  /** "30 days": in the greatest unit that says it well, rounded up. */
  readonly duration: (seconds: number) => string;
  /** "3 months ago": in the greatest unit of which there is one, rounded down. */
  readonly ago: (seconds: number) => string;
  /** "21 Nov 2026". */
  readonly date: (ms: number) => string;
  /** "21 Nov 2026, 06:50 UTC": a page without scripts does not know where its reader is. */
  readonly dateTime: (ms: number) => string;
  /** "a, b and c". */
  readonly list: (items: readonly string[]) => string;
  /** The form of a text that goes with a count, with the count in it. */
  readonly counted: (forms: Plural, count: number) => string;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;
/** From here on a greater unit, rounded up, says it better than many smaller ones. */
const ROUND_FROM = 1.5;

const PAST = [
  ['year', 365.25 * 86_400],
  ['month', (365.25 / 12) * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;

const fits = (seconds: number, unitSeconds: number): boolean =>
  seconds >= unitSeconds &&
  (seconds % unitSeconds === 0 || seconds > ROUND_FROM * unitSeconds || unitSeconds === 1);

/** @param locale whose conventions numbers and dates follow */
export function createLanguage(tag: string, locale: string, texts: Texts): Language {
  const numbers = new Intl.NumberFormat(locale);
  const plurals = new Intl.PluralRules(locale);
  const lists = new Intl.ListFormat(locale);
  const day = { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' } as const;
  const past = new Intl.RelativeTimeFormat(locale, { numeric: 'always' });
  const dates = new Intl.DateTimeFormat(locale, day);
  const clock = { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  const dateTimes = new Intl.DateTimeFormat(locale, { ...day, ...clock });
  const counted = (unit: string, count: number): string =>
    new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(count);
  return {
    tag,
    texts,
    number: (value) => numbers.format(value),
    duration: (seconds) => {
      const whole = Math.max(0, Math.ceil(seconds));
      const [unit, size] = UNITS.find(([, size]) => fits(whole, size)) ?? ['second', 1];
      return counted(unit, Math.ceil(whole / size));
    },
    ago: (seconds) => {
      const [unit, size] = PAST.find(([, size]) => seconds >= size) ?? ['minute', 60];
      return past.format(-Math.max(1, Math.floor(seconds / size)), unit);
    },
    date: (ms) => dates.format(ms),
    dateTime: (ms) => dateTimes.format(ms),
    list: (items) => lists.format(items),
    counted: (forms, count) => {
      const form = plurals.select(count) === 'one' ? forms.one : forms.other;
      return phrase(form, { count: numbers.format(count) });
    },
  };
}
