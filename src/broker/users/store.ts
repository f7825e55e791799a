/** SQL of users. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray, ne, sql } from 'drizzle-orm';
import { users } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { nameHas } from '../registry/page.js';
import { emailKeyOf } from './schema.js';

export type UserRow = typeof users.$inferSelect;
export type UserValues = typeof users.$inferInsert;

export async function findUser(db: Executor, id: string): Promise<UserRow | undefined> {
  const [row] = await db.select().from(users).where(eq(users.id, id));
  return row;
}

/** The user who signs in with this address, whatever its case; retired users have none. */
export async function findUserByEmail(db: Executor, email: string): Promise<UserRow | undefined> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(users.emailKey, emailKeyOf(email)), ne(users.status, 'retired')));
  return row;
}

export interface UserFilter {
  readonly email?: string | undefined;
  readonly status?: string | undefined;
  readonly role?: string | undefined;
  /** Part of the name. */
  readonly q?: string | undefined;
}

/** By id; retired ones are left out unless asked for. */
export const listUserRows = (
  db: Executor,
  { email, status, role, q }: UserFilter,
  after: string,
  take: number,
): Promise<UserRow[]> =>
  db
    .select()
    .from(users)
    .where(
      and(
        gt(users.id, after),
        status === undefined ? ne(users.status, 'retired') : eq(users.status, status),
        email === undefined ? undefined : eq(users.emailKey, emailKeyOf(email)),
        role === undefined ? undefined : sql`${role} = any(${users.roles})`,
        q === undefined ? undefined : nameHas(users.name, q),
      ),
    )
    .orderBy(asc(users.id))
    .limit(take);

export async function insertUser(db: Executor, values: UserValues): Promise<UserRow> {
  const [row] = await db.insert(users).values(values).returning();
  return row as UserRow;
}

export async function updateUser(
  db: Executor,
  id: string,
  values: Partial<UserValues>,
): Promise<UserRow> {
  const [row] = await db.update(users).set(values).where(eq(users.id, id)).returning();
  return row as UserRow;
}

export const userNames = (db: Executor, ids: readonly string[]) =>
  db
    .select({ id: users.id, name: users.name })
    .from(users)
    .where(inArray(users.id, [...ids]));
