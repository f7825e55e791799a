/**
 * Permissions: which scopes an agent or service may hold, and a user or role may delegate, at a
 * resource. One set for each pair, replaced whole. Each operation is one transaction with one audit
 * event; `steps` are the same operations inside somebody else's transaction.
 */

import type { Database, Executor } from '../db/database.js';
import { type Change, isSame, narrowing, sortedSet } from '../registry/change.js';
import { type LiveTokens, stopLive } from '../registry/live-tokens.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, invalid, notFound, throwIfAny } from '../registry/refusal.js';
import type { Permission } from './schema.js';
import {
  deletePermission,
  findPermission,
  findRole,
  listPermissionRows,
  type PermissionFilter,
  type PermissionRow,
  permissionsOf,
  putPermission,
  removeScope,
} from './store.js';

/** What permissions must know of the other nouns. `undefined`: there is none in use. */
export interface PermissionDeps {
  readonly db: Database;
  readonly agentExists: (db: Executor, id: string) => Promise<boolean>;
  readonly clientKind: (db: Executor, id: string) => Promise<string | undefined>;
  /** The id of the user with this id or e-mail address. */
  readonly userIdOf: (db: Executor, idOrEmail: string) => Promise<string | undefined>;
  /** What somebody holds, or may delegate, no more, when a permission shrinks: implied ones too. */
  readonly lostScopes: (
    db: Executor,
    at: { readonly principal: string; readonly resource: string },
    before: readonly string[],
    after: readonly string[],
  ) => Promise<readonly string[]>;
  /** The scopes of a resource in use. */
  readonly scopesOf: (db: Executor, resource: string) => Promise<readonly string[] | undefined>;
}

export type Permissions = ReturnType<typeof createPermissions>;

export function createPermissions(deps: PermissionDeps) {
  const { db } = deps;
  const steps = {
    set: (change: Change, permission: Permission) => setPermission(deps, change, permission),
    roleTaken: (change: Change, userId: string, role: string) =>
      roleTaken(deps, change, userId, role),
    forgetScopes: async ({ tx }: Change, resource: string, scopes: readonly string[]) => {
      for (const scope of scopes) await removeScope(tx, resource, scope);
    },
  };
  return {
    steps,
    set: (by: string, permission: Permission) =>
      narrowing(db, by, async (change) => (await steps.set(change, permission)).permission),
    remove: (by: string, principal: string, resource: string): Promise<void> =>
      narrowing(db, by, (change) => remove(deps, change, principal, resource)),
    get: async (principal: string, resource: string): Promise<PermissionRow> => {
      const canonical = await resolve(deps, db.orm, principal);
      const row = canonical && (await findPermission(db.orm, canonical, resource));
      if (!row) throw notFound('permission', `${principal} at ${resource}`);
      return row;
    },
    list: async (request: PageRequest & PermissionFilter = {}): Promise<Page<PermissionRow>> => {
      const { after, take } = pageBounds(request);
      const [principal = '', resource = ''] = after.split('\n');
      const named = request.principal;
      const filter = {
        resource: request.resource,
        scope: request.scope,
        principal: named && ((await resolve(deps, db.orm, named)) ?? named),
      };
      const rows = await listPermissionRows(db.orm, filter, [principal, resource], take);
      return pageOf(rows, take, (row) => `${row.principal}\n${row.resource}`);
    },
  };
}

/** The principal as it is stored, or `undefined` when it names nobody in use. */
async function resolve(
  deps: PermissionDeps,
  db: Executor,
  principal: string,
): Promise<string | undefined> {
  if (principal.startsWith('agt_')) {
    return (await deps.agentExists(db, principal)) ? principal : undefined;
  }
  if (principal.startsWith('cli_')) {
    return (await deps.clientKind(db, principal)) === 'service' ? principal : undefined;
  }
  if (principal.startsWith('role:')) {
    const role = await findRole(db, principal.slice('role:'.length));
    return role === undefined ? undefined : principal;
  }
  return deps.userIdOf(db, principal);
}

/** The audit column that finds whose permission it was. */
function auditColumn(principal: string): { agentId?: string; clientId?: string; sub?: string } {
  if (principal.startsWith('agt_')) return { agentId: principal };
  if (principal.startsWith('cli_')) return { clientId: principal };
  return principal.startsWith('usr_') ? { sub: principal } : {};
}

async function recordChange(
  change: Change,
  type: 'registry.created' | 'registry.changed' | 'registry.retired',
  row: { readonly principal: string; readonly resource: string },
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  const { principal, resource } = row;
  const added = after.filter((scope) => !before.includes(scope));
  const removed = before.filter((scope) => !after.includes(scope));
  await change.recordStop({
    type,
    ...auditColumn(principal),
    resource,
    detail: { noun: 'permission', id: `${principal} at ${resource}`, principal, added, removed },
  });
}

export interface SetPermission {
  /** As it is stored: an e-mail address became a user's id. */
  readonly principal: string;
  /** Absent: no scopes, no permission. */
  readonly permission: PermissionRow | undefined;
  readonly created: boolean;
  /** The scopes there were. */
  readonly before: readonly string[];
  readonly fields: readonly string[];
}

async function setPermission(
  deps: PermissionDeps,
  change: Change,
  input: Permission,
): Promise<SetPermission> {
  const { resource } = input;
  const principal = await resolve(deps, change.tx, input.principal);
  if (principal === undefined) {
    const message = 'names no agent, service client, user (id or e-mail) or role:<name>';
    throw invalid({ path: ['principal'], message: `${message}: "${input.principal}"` });
  }
  const known = await deps.scopesOf(change.tx, resource);
  if (known === undefined) {
    throw invalid({ path: ['resource'], message: `names no resource: "${resource}"` });
  }
  throwIfAny(
    input.scopes.flatMap((scope, index) =>
      known.includes(scope)
        ? []
        : [{ path: ['scopes', index], message: `names no scope of ${resource}: "${scope}"` }],
    ),
  );
  const scopes = sortedSet(input.scopes);
  const before = await findPermission(change.tx, principal, resource);
  const created = before === undefined;
  const was = before?.scopes ?? [];
  if (isSame(was, scopes)) {
    return { principal, permission: before, created: false, before: was, fields: [] };
  }
  if (scopes.length === 0) {
    await remove(deps, change, principal, resource);
    return { principal, permission: undefined, created: false, before: was, fields: ['scopes'] };
  }
  const permission = await putPermission(change.tx, principal, resource, scopes);
  await stopLost(deps, change, { principal, resource }, was, scopes);
  const type = created ? 'registry.created' : 'registry.changed';
  await recordChange(change, type, permission, was, scopes);
  return { principal, permission, created, before: was, fields: ['scopes'] };
}

async function remove(
  deps: PermissionDeps,
  change: Change,
  named: string,
  resource: string,
): Promise<void> {
  // A retired principal resolves to nobody, but its permission can still be taken away.
  const principal = (await resolve(deps, change.tx, named)) ?? named;
  const before = await findPermission(change.tx, principal, resource);
  if (before === undefined) throw notFound('permission', `${named} at ${resource}`);
  if (!(await deletePermission(change.tx, principal, resource))) {
    throw conflict([], 'was removed at the same time');
  }
  await stopLost(deps, change, { principal, resource }, before.scopes, []);
  await recordChange(change, 'registry.retired', before, before.scopes, []);
}

/** Live tokens that carry what is permitted no more: whoever they are of, or for. */
async function stopLost(
  deps: PermissionDeps,
  change: Change,
  at: { readonly principal: string; readonly resource: string },
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  const { principal, resource } = at;
  const scopes = await deps.lostScopes(change.tx, at, before, after);
  const reason = `${principal} lost ${scopes.join(' ')} at ${resource}`;
  stopLive(change, { ...tokensOf(principal), resource, scopes }, reason);
}

function tokensOf(principal: string): LiveTokens {
  if (principal.startsWith('agt_')) return { agentId: principal };
  if (principal.startsWith('cli_')) return { clientId: principal };
  if (principal.startsWith('usr_')) return { sub: principal };
  return { role: principal.slice('role:'.length) };
}

async function roleTaken(
  deps: PermissionDeps,
  change: Change,
  userId: string,
  role: string,
): Promise<void> {
  for (const { principal, resource, scopes } of await permissionsOf(change.tx, `role:${role}`)) {
    const lost = await deps.lostScopes(change.tx, { principal, resource }, scopes, []);
    const reason = `${userId} lost ${lost.join(' ')} at ${resource} with role ${role}`;
    stopLive(change, { sub: userId, resource, scopes: lost }, reason);
  }
}
