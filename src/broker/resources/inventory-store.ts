/** SQL of tool inventories. Single statements; callers bring the transaction. */
import { eq } from 'drizzle-orm';
import { toolInventories } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { databaseNow } from '../registry/change.js';
import type { Inventory } from './inventory.js';

export type InventoryRow = typeof toolInventories.$inferSelect;

export async function findInventory(
  db: Executor,
  resource: string,
): Promise<InventoryRow | undefined> {
  const [row] = await db
    .select()
    .from(toolInventories)
    .where(eq(toolInventories.resource, resource));
  return row;
}

/** The same, held until the transaction ends: whoever changes it waits for the other. */
export async function lockInventory(
  tx: Executor,
  resource: string,
): Promise<InventoryRow | undefined> {
  const [row] = await tx
    .select()
    .from(toolInventories)
    .where(eq(toolInventories.resource, resource))
    .for('update');
  return row;
}

/** Makes room for the first publication, so that a second at the same time waits for it. */
export async function openInventory(
  tx: Executor,
  resource: string,
  publishedBy: string,
): Promise<void> {
  const values = { resource, tools: {}, publishedBy, publishedAt: databaseNow };
  await tx.insert(toolInventories).values(values).onConflictDoNothing();
}

/** As just published. */
export async function saveInventory(
  db: Executor,
  resource: string,
  tools: Inventory,
  publishedBy: string,
): Promise<void> {
  const values = { tools, publishedBy, publishedAt: databaseNow };
  await db.update(toolInventories).set(values).where(eq(toolInventories.resource, resource));
}

/** What operators have seen of it, without a new publication. */
export async function keepInventory(
  db: Executor,
  resource: string,
  tools: Inventory,
): Promise<void> {
  await db.update(toolInventories).set({ tools }).where(eq(toolInventories.resource, resource));
}

/** The same was published again. */
export async function touchInventory(
  db: Executor,
  resource: string,
  publishedBy: string,
): Promise<void> {
  await db
    .update(toolInventories)
    .set({ publishedAt: databaseNow, publishedBy })
    .where(eq(toolInventories.resource, resource));
}
