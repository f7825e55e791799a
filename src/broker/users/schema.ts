/**
 * Input and output shapes of users and roles' names on them. Ids are never chosen; status is no field
 * of a patch: it has an operation of its own.
 */
import { z } from 'zod';
import {
  displayText,
  isShowable,
  LIST_MAX,
  NAME_CHARS_MAX,
  strict,
  TEXT_CHARS_MAX,
} from '../registry/fields.js';

/** RFC 5321 §4.5.3.1.3. */
const EMAIL_CHARS_MAX = 254;
/** ASVS 6.2.1 (at least 8), 6.2.9 (long ones allowed); hashed, so the bound is only for cost. */
const PASSWORD_CHARS_MIN = 8;
const PASSWORD_CHARS_MAX = 256;

export const emailSchema = z
  .string()
  .max(EMAIL_CHARS_MAX)
  .regex(/^[^\s@]{1,64}@[^\s@]{1,253}$/, 'must be an e-mail address')
  .refine(isShowable, 'must not contain control or invisible characters');

export const passwordSchema = z
  .string()
  .min(PASSWORD_CHARS_MIN)
  .max(PASSWORD_CHARS_MAX)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character');

export const roleNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be a lower-case name of at most 64 characters');

const roles = z.array(roleNameSchema).max(LIST_MAX);

export const newUserSchema = strict({
  email: emailSchema,
  name: displayText(NAME_CHARS_MAX),
  password: passwordSchema.optional(),
  roles: roles.optional(),
});

export const userPatchSchema = strict({
  email: emailSchema.optional(),
  name: displayText(NAME_CHARS_MAX).optional(),
  password: passwordSchema.optional(),
  roles: roles.optional(),
});

export const userStatusSchema = strict({
  status: z.enum(['active', 'disabled']),
  reason: displayText(TEXT_CHARS_MAX).optional(),
});

export const userViewSchema = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string(),
  has_password: z.boolean(),
  roles: z.array(z.string()),
  status: z.enum(['active', 'disabled', 'retired']),
  status_reason: z.string().nullable(),
  created_at: z.string(),
});

export type NewUser = z.infer<typeof newUserSchema>;
export type UserStatus = z.infer<typeof userStatusSchema>;
export type UserPatch = z.infer<typeof userPatchSchema>;

/** The form under which an address is unique and signs in: case and width do not tell people apart. */
export const emailKeyOf = (email: string): string => email.normalize('NFKC').toLowerCase();
