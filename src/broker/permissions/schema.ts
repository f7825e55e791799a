/** Input and output shapes of permissions and roles. */
import { z } from 'zod';
import { displayText, isShowable, strict, TEXT_CHARS_MAX } from '../registry/fields.js';
import { identifierSchema } from '../resources/schema.js';
import { roleNameSchema } from '../users/schema.js';

const SCOPES_MAX = 100;

export const principalSchema = z
  .string()
  .min(1)
  .max(300)
  .refine(isShowable, 'must not contain control or invisible characters');

export const scopesSchema = z.array(z.string().min(1).max(128)).max(SCOPES_MAX);

/** `principal`: an agent, a service client, a user (id or e-mail), or `role:<name>`. */
export const permissionSchema = strict({
  principal: principalSchema,
  resource: identifierSchema,
  scopes: scopesSchema,
});

/** To take everything away is a removal, said as one. */
export const permissionBodySchema = strict({ scopes: scopesSchema.min(1) });

export const newRoleSchema = strict({
  name: roleNameSchema,
  description: displayText(TEXT_CHARS_MAX).optional(),
});

export const rolePatchSchema = strict({
  description: displayText(TEXT_CHARS_MAX).nullable().optional(),
});

export const permissionViewSchema = z.object({
  principal: z.string(),
  resource: z.string(),
  scopes: z.array(z.string()),
  created_at: z.string(),
});

export const roleViewSchema = z.object({
  name: z.string(),
  description: z.string().nullable(),
  created_at: z.string(),
});

export type Permission = z.infer<typeof permissionSchema>;
export type NewRole = z.infer<typeof newRoleSchema>;
export type RolePatch = z.infer<typeof rolePatchSchema>;
