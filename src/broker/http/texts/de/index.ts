/** The same words in German (polite form). */
import { consent } from './consent.js';
import { error } from './problems.js';
import { signedOut, signIn, signOut } from './sign-in.js';

export const de = {
  product: 'Behalf',
  pageTitle: '{title} – Behalf',
  signIn,
  consent,
  error,
  signedOut,
  signOut,
} as const;
