/** SQL of resources. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray } from 'drizzle-orm';
import { resources } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';

export type ResourceRow = typeof resources.$inferSelect;
export type ResourceValues = typeof resources.$inferInsert;

export async function findResource(
  db: Executor,
  identifier: string,
): Promise<ResourceRow | undefined> {
  const [row] = await db.select().from(resources).where(eq(resources.identifier, identifier));
  return row;
}

/** By identifier; retired ones are left out. */
export const listResourceRows = (
  db: Executor,
  after: string,
  take: number,
): Promise<ResourceRow[]> =>
  db
    .select()
    .from(resources)
    .where(and(gt(resources.identifier, after), eq(resources.status, 'active')))
    .orderBy(asc(resources.identifier))
    .limit(take);

export async function insertResource(db: Executor, values: ResourceValues): Promise<ResourceRow> {
  const [row] = await db.insert(resources).values(values).returning();
  return row as ResourceRow;
}

export async function updateResource(
  db: Executor,
  identifier: string,
  values: Partial<ResourceValues>,
): Promise<ResourceRow> {
  const [row] = await db
    .update(resources)
    .set(values)
    .where(eq(resources.identifier, identifier))
    .returning();
  return row as ResourceRow;
}

export const resourceNames = (db: Executor, identifiers: readonly string[]) =>
  db
    .select({ id: resources.identifier, name: resources.name })
    .from(resources)
    .where(inArray(resources.identifier, [...identifiers]));
