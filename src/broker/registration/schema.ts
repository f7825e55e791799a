/** What administrators say and see of initial access tokens. */
import { z } from 'zod';
import { displayText, instantField, NAME_CHARS_MAX, strict } from '../registry/fields.js';

export const newInitialTokenSchema = strict({
  /** What operators call it. */
  name: displayText(NAME_CHARS_MAX).optional(),
  /** Good until then; a day unless it is said. */
  expiresAt: instantField('must be a time as ISO 8601 writes it, with its zone').optional(),
});

export type NewInitialToken = z.infer<typeof newInitialTokenSchema>;

export const initialTokenViewSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  created_at: z.string(),
  created_by: z.string().nullable(),
  expires_at: z.string(),
  used_at: z.string().nullable(),
  /** The client that was registered with it. */
  used_by: z.string().nullable(),
});

/** The only answer that ever holds the token, once. */
export const newInitialTokenViewSchema = initialTokenViewSchema.extend({ token: z.string() });
