/**
 * Texts with places. The type of a text knows the names of its places, so that a place nobody fills,
 * or one that a translation lost, does not compile.
 */

declare const PLACES: unique symbol;

/** A text with these places in it, in any order. */
export type Text<Place extends string> = string & { readonly [PLACES]: (place: Place) => Place };

/** The names of the places in a literal text. */
export type PlacesOf<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PlacesOf<Rest>
  : never;

type IsSame<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** The words of one language as views see them: texts, and plain strings where nothing is put in. */
export type Words<T> = T extends string
  ? [PlacesOf<T>] extends [never]
    ? string
    : Text<PlacesOf<T>>
  : T extends readonly unknown[]
    ? readonly string[]
    : { readonly [K in keyof T]: Words<T[K]> };

/** What a translation of `Of` must be: the same keys, in each text the same places. */
export type Translation<Of, By> = Of extends string
  ? By extends string
    ? IsSame<PlacesOf<Of>, PlacesOf<By>> extends true
      ? By
      : ['the places must be', PlacesOf<Of>]
    : string
  : Of extends readonly unknown[]
    ? { readonly [K in keyof Of]: string }
    : { readonly [K in keyof Of]: K extends keyof By ? Translation<Of[K], By[K]> : Of[K] };

type Part = { readonly words: string } | { readonly place: string };

/** A text cut at its places: words, and names of places, in the order of the language. */
export const cut = (text: string): readonly Part[] =>
  text
    .split(/(\{[a-zA-Z]+\})/)
    .filter((part) => part !== '')
    .map((part) => (/^\{.+\}$/.test(part) ? { place: part.slice(1, -1) } : { words: part }));

/** A text with plain words in its places: for titles and attributes. */
export const phrase = <Place extends string>(
  text: Text<Place>,
  places: { readonly [Name in Place]: string | number },
): string =>
  cut(text)
    .map((part) => ('words' in part ? part.words : String(places[part.place as Place])))
    .join('');
