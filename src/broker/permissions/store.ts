/** SQL of permissions and roles. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import { permissions, roles, users } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { nameHas } from '../registry/page.js';

export type PermissionRow = typeof permissions.$inferSelect;
export type RoleRow = typeof roles.$inferSelect;

const at = (principal: string, resource: string) =>
  and(eq(permissions.principal, principal), eq(permissions.resource, resource));

export async function findPermission(
  db: Executor,
  principal: string,
  resource: string,
): Promise<PermissionRow | undefined> {
  const [row] = await db.select().from(permissions).where(at(principal, resource));
  return row;
}

export interface PermissionFilter {
  readonly principal?: string | undefined;
  readonly resource?: string | undefined;
  readonly scope?: string | undefined;
}

/** Everything permitted to one principal. */
export const permissionsOf = (db: Executor, principal: string): Promise<PermissionRow[]> =>
  db.select().from(permissions).where(eq(permissions.principal, principal));

/** By principal, then resource. */
export const listPermissionRows = (
  db: Executor,
  filter: PermissionFilter,
  after: readonly [string, string],
  take: number,
): Promise<PermissionRow[]> =>
  db
    .select()
    .from(permissions)
    .where(
      and(
        sql`(${permissions.principal}, ${permissions.resource}) > (${after[0]}, ${after[1]})`,
        filter.principal === undefined ? undefined : eq(permissions.principal, filter.principal),
        filter.resource === undefined ? undefined : eq(permissions.resource, filter.resource),
        filter.scope === undefined ? undefined : sql`${filter.scope} = any(${permissions.scopes})`,
      ),
    )
    .orderBy(asc(permissions.principal), asc(permissions.resource))
    .limit(take);

export async function putPermission(
  db: Executor,
  principal: string,
  resource: string,
  scopes: string[],
): Promise<PermissionRow> {
  const [row] = await db
    .insert(permissions)
    .values({ principal, resource, scopes })
    .onConflictDoUpdate({ target: [permissions.principal, permissions.resource], set: { scopes } })
    .returning();
  return row as PermissionRow;
}

export async function deletePermission(
  db: Executor,
  principal: string,
  resource: string,
): Promise<boolean> {
  const gone = await db.delete(permissions).where(at(principal, resource)).returning();
  return gone.length > 0;
}

/** Takes one scope out of every permission at a resource; what is left empty goes. */
export async function removeScope(db: Executor, resource: string, scope: string): Promise<void> {
  await db
    .update(permissions)
    .set({ scopes: sql`array_remove(${permissions.scopes}, ${scope})` as unknown as string[] })
    .where(and(eq(permissions.resource, resource), sql`${scope} = any(${permissions.scopes})`));
  await db
    .delete(permissions)
    .where(and(eq(permissions.resource, resource), sql`cardinality(${permissions.scopes}) = 0`));
}

export async function findRole(db: Executor, name: string): Promise<RoleRow | undefined> {
  const [row] = await db.select().from(roles).where(eq(roles.name, name));
  return row;
}

export const listRoleRows = (
  db: Executor,
  { q }: { readonly q?: string | undefined },
  after: string,
  take: number,
): Promise<RoleRow[]> =>
  db
    .select()
    .from(roles)
    .where(and(gt(roles.name, after), q === undefined ? undefined : nameHas(roles.name, q)))
    .orderBy(asc(roles.name))
    .limit(take);

export async function existingRoles(db: Executor, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const rows = await db
    .select({ name: roles.name })
    .from(roles)
    .where(inArray(roles.name, [...names]));
  return rows.map(({ name }) => name);
}

export async function insertRole(
  db: Executor,
  name: string,
  description: string | null,
): Promise<RoleRow> {
  const [row] = await db.insert(roles).values({ name, description }).returning();
  return row as RoleRow;
}

export async function updateRole(
  db: Executor,
  name: string,
  description: string | null,
): Promise<RoleRow> {
  const [row] = await db.update(roles).set({ description }).where(eq(roles.name, name)).returning();
  return row as RoleRow;
}

export async function deleteRole(db: Executor, name: string): Promise<void> {
  await db.delete(roles).where(eq(roles.name, name));
}

/** Whether any of these roles has a permission at a resource. */
export async function rolesHavePermission(
  db: Executor,
  names: readonly string[],
  resource: string,
): Promise<boolean> {
  if (names.length === 0) return false;
  const principals = names.map((name) => `role:${name}`);
  const rows = await db
    .select({ principal: permissions.principal })
    .from(permissions)
    .where(and(eq(permissions.resource, resource), inArray(permissions.principal, principals)))
    .limit(1);
  return rows.length > 0;
}

/** Whether a user holds the role or a permission names it. */
export async function roleIsUsed(db: Executor, name: string): Promise<boolean> {
  const held = await db
    .select({ id: users.id })
    .from(users)
    .where(sql`${name} = any(${users.roles})`)
    .limit(1);
  const named = await db
    .select({ resource: permissions.resource })
    .from(permissions)
    .where(eq(permissions.principal, `role:${name}`))
    .limit(1);
  return held.length + named.length > 0;
}
