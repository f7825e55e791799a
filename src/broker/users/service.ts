/**
 * Users: people. Their ids are random and never reassigned; an address may move to somebody else,
 * who inherits nothing (L3). Each operation is one transaction with one audit event; `steps` are
 * the same operations inside somebody else's transaction, with passwords already hashed, because
 * hashing is slow and must not hold a lock.
 */

import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';
import {
  type Change,
  changedFields,
  databaseNow,
  narrowing,
  type Stopped,
  sortedSet,
  stopping,
  widening,
} from '../registry/change.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, invalid, notFound, throwIfAny } from '../registry/refusal.js';
import type { Receipt } from '../revocation/receipt.js';
import { emailKeyOf, type NewUser, type UserPatch, type UserStatus } from './schema.js';
import {
  findUser,
  findUserByEmail,
  insertUser,
  listUserRows,
  type UserFilter,
  type UserRow,
  updateUser,
} from './store.js';

export interface UserDeps {
  readonly db: Database;
  readonly hashPassword: (password: string) => Promise<string>;
  readonly unknownRoles: (db: Executor, names: readonly string[]) => Promise<string[]>;
  /** Stops what only this role of theirs allowed. */
  readonly roleTaken: (change: Change, userId: string, role: string) => Promise<void>;
}

/** A password as a step takes it. */
type Hashed<Input extends { readonly password?: string | undefined }> = Omit<Input, 'password'> & {
  readonly passwordHash?: string | undefined;
};
export type HashedNewUser = Hashed<NewUser>;
export type HashedUserPatch = Hashed<UserPatch>;

export type Users = ReturnType<typeof createUsers>;

export function createUsers(deps: UserDeps) {
  const { db } = deps;
  const steps = {
    find: findUser,
    findByEmail: findUserByEmail,
    create: (change: Change, input: HashedNewUser) => create(deps, change, input),
    patch: (change: Change, id: string, patch: HashedUserPatch) =>
      patchUser(deps, change, id, patch),
    setStatus,
    retire,
  };
  const hashed = async <Input extends { password?: string | undefined }>(input: Input) => {
    const { password, ...rest } = input;
    const passwordHash = password === undefined ? undefined : await deps.hashPassword(password);
    return { ...rest, passwordHash };
  };
  const toStatus = (by: string, id: string, status: UserStatus): Promise<Stopped<UserRow>> =>
    stopping(db, by, async (change) => (await steps.setStatus(change, id, status)).user);
  return {
    steps,
    create: async (by: string, input: NewUser) => {
      const ready = await hashed(input);
      return widening(db, by, (change) => steps.create(change, ready));
    },
    get: (id: string) => requireUser(db.orm, id),
    list: async (request: PageRequest & UserFilter = {}): Promise<Page<UserRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listUserRows(db.orm, request, after, take), take, ({ id }) => id);
    },
    patch: async (by: string, id: string, patch: UserPatch) => {
      const ready = await hashed(patch);
      return narrowing(db, by, async (change) => (await steps.patch(change, id, ready)).user);
    },
    setStatus: toStatus,
    disable: async (by: string, id: string, reason: string): Promise<UserRow> =>
      (await toStatus(by, id, { status: 'disabled', reason })).result,
    enable: async (by: string, id: string): Promise<UserRow> =>
      (await toStatus(by, id, { status: 'active' })).result,
    retire: async (by: string, id: string): Promise<Receipt> =>
      (await stopping(db, by, (change) => steps.retire(change, id))).receipt,
  };
}

async function requireUser(db: Executor, id: string): Promise<UserRow> {
  const row = await findUser(db, id);
  if (row === undefined) throw notFound('user', id);
  return row;
}

async function requireLive(db: Executor, id: string): Promise<UserRow> {
  const row = await requireUser(db, id);
  if (row.status === 'retired') throw conflict(['id'], `${id} is retired`);
  return row;
}

async function checkRoles(
  deps: UserDeps,
  db: Executor,
  wanted: readonly string[],
  known: readonly string[],
): Promise<void> {
  const fresh = wanted.filter((name) => !known.includes(name));
  const unknown = new Set(fresh.length === 0 ? [] : await deps.unknownRoles(db, fresh));
  throwIfAny(
    wanted.flatMap((name, index) =>
      unknown.has(name) ? [{ path: ['roles', index], message: `names no role: "${name}"` }] : [],
    ),
  );
}

async function checkEmail(db: Executor, email: string): Promise<void> {
  if ((await findUserByEmail(db, email)) !== undefined) {
    throw conflict(['email'], `"${email}" belongs to another user`);
  }
}

async function create(deps: UserDeps, change: Change, input: HashedNewUser): Promise<UserRow> {
  const { email, name } = input;
  await checkEmail(change.tx, email);
  await checkRoles(deps, change.tx, input.roles ?? [], []);
  const user = await insertUser(change.tx, {
    id: newId('usr'),
    email,
    emailKey: emailKeyOf(email),
    name,
    passwordHash: input.passwordHash ?? null,
    roles: sortedSet(input.roles ?? []),
  });
  const detail = { noun: 'user', id: user.id, name };
  await change.record({ type: 'registry.created', sub: user.id, detail });
  return user;
}

async function patchUser(
  deps: UserDeps,
  change: Change,
  id: string,
  { passwordHash, ...patch }: HashedUserPatch,
): Promise<{ before: UserRow; user: UserRow; fields: string[] }> {
  const row = await requireLive(change.tx, id);
  const values = patch.roles === undefined ? patch : { ...patch, roles: sortedSet(patch.roles) };
  const fields: string[] = changedFields(row, values);
  if (passwordHash !== undefined) fields.push('password');
  if (fields.length === 0) return { before: row, user: row, fields };
  const { email } = patch;
  if (email !== undefined && emailKeyOf(email) !== row.emailKey) await checkEmail(change.tx, email);
  await checkRoles(deps, change.tx, patch.roles ?? [], row.roles);
  const newPassword = passwordHash !== undefined;
  const user = await updateUser(change.tx, id, {
    ...(values as Partial<UserRow>),
    ...(email === undefined ? {} : { emailKey: emailKeyOf(email) }),
    ...(newPassword ? { passwordHash } : {}),
  });
  if (newPassword) {
    endWhatIsOlder(change, id);
    // The newest fact about a key counts: a disabled user must stay stopped.
    const always = row.status === 'disabled';
    const ends = { kind: 'user', id, reach: 'grants', since: row.notBefore } as const;
    change.stop({ key: id, always, reason: 'password changed', ends });
  }
  for (const role of row.roles.filter((one) => !user.roles.includes(one))) {
    await deps.roleTaken(change, id, role);
  }
  const detail = { noun: 'user', id, name: user.name, fields };
  await change.recordStop({ type: 'registry.changed', sub: id, detail });
  return { before: row, user, fields };
}

/** Since when is said last: nothing decided on what was before is newer (DESIGN §5). */
const endWhatIsOlder = (change: Change, id: string): void =>
  change.whenClosed(async () => {
    await updateUser(change.tx, id, { notBefore: databaseNow });
  });

/** A disabled user has nothing; being enabled again brings nothing back. */
async function setStatus(
  change: Change,
  id: string,
  { status, reason }: UserStatus,
): Promise<{ user: UserRow; changed: boolean }> {
  const row = await requireLive(change.tx, id);
  const disabling = status === 'disabled';
  if (disabling && reason === undefined) {
    throw invalid({ path: ['reason'], message: 'must say why' });
  }
  const statusReason = reason ?? null;
  if (row.status === status && (!disabling || row.statusReason === statusReason)) {
    return { user: row, changed: false };
  }
  const user = await updateUser(change.tx, id, { status, statusReason });
  endWhatIsOlder(change, id);
  change.stop({
    key: id,
    always: disabling,
    reason: reason ?? `user ${status}`,
    ...(disabling ? { ends: { kind: 'user', id, reach: 'grants', since: row.notBefore } } : {}),
  });
  await change.recordStop({
    type: disabling ? 'user.disabled' : 'user.enabled',
    sub: id,
    detail: { noun: 'user', id, name: user.name, ...(reason === undefined ? {} : { reason }) },
  });
  return { user, changed: true };
}

async function retire(change: Change, id: string): Promise<void> {
  const row = await requireLive(change.tx, id);
  // The address becomes free; the row stays, so that the past keeps its names.
  await updateUser(change.tx, id, {
    status: 'retired',
    emailKey: `retired:${id}`,
    passwordHash: null,
    roles: [],
    notBefore: databaseNow,
  });
  const ends = { kind: 'user', id, reach: 'consents', since: row.notBefore } as const;
  change.stop({ key: id, always: true, reason: 'user retired', ends });
  await change.recordStop({
    type: 'registry.retired',
    sub: id,
    detail: { noun: 'user', id, name: row.name },
  });
}
