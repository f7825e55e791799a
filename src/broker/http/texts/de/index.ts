/** The same words in German (polite form). */
import { consent } from './consent.js';
import { me } from './me.js';
import { problemDetails, problems } from './problems.js';
import { handOver, signedOut, signIn, signOut } from './sign-in.js';

export const de = {
  product: 'Behalf',
  skip: 'Zum Inhalt springen',
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
