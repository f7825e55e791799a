/** SQL of clients. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import { clients } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';

export type ClientRow = typeof clients.$inferSelect;
export type ClientValues = typeof clients.$inferInsert;

export async function findClient(db: Executor, id: string): Promise<ClientRow | undefined> {
  const [row] = await db.select().from(clients).where(eq(clients.id, id));
  return row;
}

/** By id; retired ones are left out. */
export const listClientRows = (db: Executor, after: string, take: number): Promise<ClientRow[]> =>
  db
    .select()
    .from(clients)
    .where(and(gt(clients.id, after), eq(clients.status, 'active')))
    .orderBy(asc(clients.id))
    .limit(take);

/** Those of the ids that name a client in use. */
export async function activeClients(db: Executor, ids: readonly string[]): Promise<ClientRow[]> {
  if (ids.length === 0) return [];
  return db
    .select()
    .from(clients)
    .where(and(inArray(clients.id, [...ids]), eq(clients.status, 'active')));
}

export async function insertClient(db: Executor, values: ClientValues): Promise<ClientRow> {
  const [row] = await db.insert(clients).values(values).returning();
  return row as ClientRow;
}

export async function updateClient(
  db: Executor,
  id: string,
  values: Partial<ClientValues>,
): Promise<ClientRow> {
  const [row] = await db.update(clients).set(values).where(eq(clients.id, id)).returning();
  return row as ClientRow;
}

export const clientNames = (db: Executor, ids: readonly string[]) =>
  db
    .select({ id: clients.id, name: clients.name })
    .from(clients)
    .where(inArray(clients.id, [...ids]));
