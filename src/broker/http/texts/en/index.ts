/**
 * Every word a person reads on our pages, in English. `{name}` is a place something is put into, so
 * that another language may order its sentences as it likes. `one` and `other` are the plural forms
 * of a sentence with a `{count}`. A translation has the same keys and the same places.
 */
import { consent } from './consent.js';
import { me } from './me.js';
import { problemDetails, problems } from './problems.js';
import { handOver, signedOut, signIn, signOut } from './sign-in.js';

export const en = {
  product: 'Behalf',
  skip: 'Skip to the content',
  pageTitle: '{title} – Behalf',
  signIn,
  consent,
  problems,
  problemDetails,
  me,
  signedOut,
  signOut,
  handOver,
} as const;
