/**
 * The languages of the pages. A translation that lacks a key, or a place in a text, does not compile;
 * a new language is a folder beside these and a line in LANGUAGES. What the registry says of agents,
 * scopes and people is data and is shown as it is.
 */
import { type Choice, preferredTags } from './choose.js';
import { de } from './de/index.js';
import { en } from './en/index.js';
import { createLanguage, type Language, type Texts } from './language.js';
import type { Translation } from './places.js';

/** The one place where literals become texts: what their types promise is checked here. */
const translated = <By>(words: By & Translation<typeof en, By>): Texts => words as unknown as Texts;

/** By primary subtag. British English: its dates have one reading. */
export const LANGUAGES: Readonly<Record<'en' | 'de', Language>> = {
  en: createLanguage('en', 'en-GB', translated(en)),
  de: createLanguage('de', 'de', translated(de)),
};

/** A list nobody can read is no reason to fail (OIDC Core §3.1.2.1): English, then. */
export const chooseLanguage = (choice: Choice): Language =>
  preferredTags(choice)
    .map(languageOfTag)
    .find((language) => language !== undefined) ?? LANGUAGES.en;

/** A region does not matter (RFC 4647 §3.4, lookup): de-AT is answered in German. */
function languageOfTag(tag: string): Language | undefined {
  const primary = tag.split('-')[0]?.toLowerCase() ?? '';
  return Object.hasOwn(LANGUAGES, primary)
    ? LANGUAGES[primary as keyof typeof LANGUAGES]
    : undefined;
}

export type { Language, Plural, Texts } from './language.js';
export { cut, type PlacesOf, phrase, type Text } from './places.js';
