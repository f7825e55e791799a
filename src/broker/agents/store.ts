/** SQL of agents. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray, ne } from 'drizzle-orm';
import { agents } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';

export type AgentRow = typeof agents.$inferSelect;
export type AgentValues = typeof agents.$inferInsert;

export async function findAgent(db: Executor, id: string): Promise<AgentRow | undefined> {
  const [row] = await db.select().from(agents).where(eq(agents.id, id));
  return row;
}

/** By id; retired ones are left out. */
export const listAgentRows = (db: Executor, after: string, take: number): Promise<AgentRow[]> =>
  db
    .select()
    .from(agents)
    .where(and(gt(agents.id, after), ne(agents.status, 'retired')))
    .orderBy(asc(agents.id))
    .limit(take);

export async function insertAgent(db: Executor, values: AgentValues): Promise<AgentRow> {
  const [row] = await db.insert(agents).values(values).returning();
  return row as AgentRow;
}

export async function updateAgent(
  db: Executor,
  id: string,
  values: Partial<AgentValues>,
): Promise<AgentRow> {
  const [row] = await db.update(agents).set(values).where(eq(agents.id, id)).returning();
  return row as AgentRow;
}

export const agentNames = (db: Executor, ids: readonly string[]) =>
  db
    .select({ id: agents.id, name: agents.name })
    .from(agents)
    .where(inArray(agents.id, [...ids]));
