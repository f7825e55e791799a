/** What the admin API's scopes are called; each operation's table entry names the one it needs. */

/**
 * `admin:read` sees everything but secrets; `admin:write` changes what is registered;
 * `admin:security` stops things, and decides on credentials, keys and who administers.
 */
export const ADMIN_SCOPES = ['admin:read', 'admin:write', 'admin:security'] as const;
export type AdminScope = (typeof ADMIN_SCOPES)[number];

/** RFC 6750 §3.1 `insufficient_scope`: the caller is known, and may not do this. */
export const forbidden = (scope: AdminScope): Error =>
  Object.assign(new Error(`needs ${scope}`), { missingScope: scope });
export const missingScope = (error: unknown): string | undefined =>
  error instanceof Error && 'missingScope' in error ? String(error.missingScope) : undefined;
