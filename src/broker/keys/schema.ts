/** What administrators say about signing keys, and what they are shown: never a private part. */
import { z } from 'zod';
import { SIGNING_ALGS } from '../../protocol/index.js';
import { displayText, strict, TEXT_CHARS_MAX } from '../registry/fields.js';

export const rotateKeysSchema = strict({ alg: z.enum(SIGNING_ALGS).optional() });

/** A key that is only old is rotated; retiring one by hand stops everything it signed. */
export const retireKeySchema = strict({
  compromised: z.literal(true, 'must be true: a key that is not compromised is rotated instead'),
  reason: displayText(TEXT_CHARS_MAX),
});

export const keyViewSchema = z.object({
  kid: z.string(),
  alg: z.string(),
  state: z.enum(['next', 'active', 'retiring', 'retired']),
  created_at: z.string(),
  activated_at: z.string().nullable(),
  retires_at: z.string().nullable(),
  retired_reason: z.string().nullable(),
});
