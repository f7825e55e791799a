/** The words of the pages, typed: a key or a place that does not exist does not compile. */
import { en } from './en.js';

type Words<T> = T extends string
  ? string
  : T extends readonly unknown[]
    ? readonly string[]
    : { readonly [K in keyof T]: Words<T[K]> };

/** What a translation has to provide. */
export type Texts = Words<typeof en>;

/** One language now; a second one makes this a function of the request. */
export const texts = en satisfies Texts;

/** The names of the places in a text. */
export type PlacesOf<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlacesOf<Rest>
  : never;

type Part = { readonly words: string } | { readonly place: string };

/** A text cut at its places: words, and names of places, in the order of the language. */
export const cut = (text: string): readonly Part[] =>
  text
    .split(/(\{[a-zA-Z]+\})/)
    .filter((part) => part !== '')
    .map((part) => (/^\{.+\}$/.test(part) ? { place: part.slice(1, -1) } : { words: part }));

/** A text with plain words in its places: for titles and attributes. */
export const phrase = <T extends string>(
  text: T,
  places: { readonly [Name in PlacesOf<T>]: string | number },
): string =>
  cut(text)
    .map((part) => ('words' in part ? part.words : String(places[part.place as PlacesOf<T>])))
    .join('');
