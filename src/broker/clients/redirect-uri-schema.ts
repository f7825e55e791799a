/** A list of redirect URIs, of whoever may be the client of a code flow: an app, or an agent. */
import { z } from 'zod';
import { REDIRECT_URI_CHARS_MAX, redirectUriProblem } from './redirect-uri.js';

const redirectUri = z
  .string()
  .min(1)
  .max(REDIRECT_URI_CHARS_MAX)
  .superRefine((uri, context) => {
    const problem = redirectUriProblem(uri);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

const REDIRECT_URIS_MAX = 20;

export const redirectUrisSchema = z.array(redirectUri).max(REDIRECT_URIS_MAX);
