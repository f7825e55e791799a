/**
 * Roles: names that stand for permissions many users share. A role in use is not removed, so no
 * permission ever hangs on a name that means nothing, or something new.
 */

import type { Database, Executor } from '../db/database.js';
import { type Change, isSame, narrowing, widening } from '../registry/change.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, notFound } from '../registry/refusal.js';
import type { NewRole, RolePatch } from './schema.js';
import {
  deleteRole,
  existingRoles,
  findRole,
  insertRole,
  listRoleRows,
  type RoleRow,
  roleIsUsed,
  updateRole,
} from './store.js';

export type Roles = ReturnType<typeof createRoles>;

export function createRoles(deps: { readonly db: Database }) {
  const { db } = deps;
  const steps = { find: findRole, create, patch: patchRole, retire };
  return {
    steps,
    create: (by: string, input: NewRole) => widening(db, by, (change) => create(change, input)),
    get: (name: string) => requireRole(db.orm, name),
    list: async (
      request: PageRequest & { readonly q?: string | undefined } = {},
    ): Promise<Page<RoleRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listRoleRows(db.orm, request, after, take), take, ({ name }) => name);
    },
    patch: (by: string, name: string, patch: RolePatch) =>
      widening(db, by, async (change) => (await patchRole(change, name, patch)).role),
    retire: (by: string, name: string) => narrowing(db, by, (change) => retire(change, name)),
  };
}

/** Which of these names are no role. */
export async function unknownRoles(db: Executor, names: readonly string[]): Promise<string[]> {
  const known = await existingRoles(db, names);
  return names.filter((name) => !known.includes(name));
}

async function requireRole(db: Executor, name: string): Promise<RoleRow> {
  const row = await findRole(db, name);
  if (row === undefined) throw notFound('role', name);
  return row;
}

async function create(change: Change, { name, description }: NewRole): Promise<RoleRow> {
  if ((await findRole(change.tx, name)) !== undefined) {
    throw conflict(['name'], `"${name}" is taken`);
  }
  const role = await insertRole(change.tx, name, description ?? null);
  await change.record({ type: 'registry.created', detail: { noun: 'role', id: name } });
  return role;
}

async function patchRole(
  change: Change,
  name: string,
  { description }: RolePatch,
): Promise<{ before: RoleRow; role: RoleRow; fields: string[] }> {
  const row = await requireRole(change.tx, name);
  if (description === undefined || isSame(row.description, description)) {
    return { before: row, role: row, fields: [] };
  }
  const role = await updateRole(change.tx, name, description);
  const fields = ['description'];
  await change.record({ type: 'registry.changed', detail: { noun: 'role', id: name, fields } });
  return { before: row, role, fields };
}

async function retire(change: Change, name: string): Promise<void> {
  await requireRole(change.tx, name);
  if (await roleIsUsed(change.tx, name)) {
    throw conflict([], `role "${name}" is in use: take it from users and permissions first`);
  }
  await deleteRole(change.tx, name);
  await change.record({ type: 'registry.retired', detail: { noun: 'role', id: name } });
}
