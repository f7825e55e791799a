/** A client's id where somebody names it: one of ours, or the URL of a client's metadata document. */
import { z } from 'zod';
import { chosenIdPattern } from '../ids.js';
import { documentUrlProblem, isDocumentId } from './document-policy.js';

const OURS = chosenIdPattern('cli');

/** @param otherwise what is said of what is neither */
export const clientIdNamed = (otherwise: string, ours = OURS) =>
  z.string().superRefine((id, context) => {
    // Whether documents on loopback are believed is for the settings to say, and for whoever fetches.
    const problem = isDocumentId(id)
      ? documentUrlProblem(id, true)
      : ours.test(id)
        ? undefined
        : otherwise;
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
