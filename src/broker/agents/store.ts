/** SQL of agents. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, getTableColumns, gt, inArray, ne, sql } from 'drizzle-orm';
import { agents } from '../../../schema/index.js';
import { expiresWithin, nextExpiry } from '../clients/credential-store.js';
import type { Executor } from '../db/database.js';
import { nameHas } from '../registry/page.js';

/** What is known of an agent, and when the next of its credentials expires. */
export type AgentRow = typeof agents.$inferSelect & { readonly credentialsExpireAt: Date | null };
export type AgentValues = typeof agents.$inferInsert;

const shown = { ...getTableColumns(agents), credentialsExpireAt: nextExpiry(agents.id) };

export async function findAgent(db: Executor, id: string): Promise<AgentRow | undefined> {
  const [row] = await db.select(shown).from(agents).where(eq(agents.id, id));
  return row;
}

/** The same, and nobody else changes it before this transaction ends. */
export async function lockAgent(tx: Executor, id: string): Promise<AgentRow | undefined> {
  await tx.select({ id: agents.id }).from(agents).where(eq(agents.id, id)).for('update');
  return findAgent(tx, id);
}

export interface AgentFilter {
  readonly status?: string | undefined;
  readonly owner?: string | undefined;
  readonly tag?: string | undefined;
  /** A client that may front for it. */
  readonly client?: string | undefined;
  readonly externalId?: string | undefined;
  /** Part of its name. */
  readonly q?: string | undefined;
  readonly expiringWithinSeconds?: number | undefined;
}

/** By id; retired ones are left out unless asked for. */
export const listAgentRows = (
  db: Executor,
  filter: AgentFilter,
  after: string,
  take: number,
): Promise<AgentRow[]> => {
  const { status, owner, tag, client, externalId, q, expiringWithinSeconds: within } = filter;
  return db
    .select(shown)
    .from(agents)
    .where(
      and(
        gt(agents.id, after),
        status === undefined ? ne(agents.status, 'retired') : eq(agents.status, status),
        owner === undefined ? undefined : eq(agents.owner, owner),
        tag === undefined ? undefined : sql`${tag} = any(${agents.tags})`,
        client === undefined ? undefined : sql`${client} = any(${agents.clients})`,
        externalId === undefined ? undefined : eq(agents.externalId, externalId),
        q === undefined ? undefined : nameHas(agents.name, q),
        within === undefined ? undefined : expiresWithin(agents.id, within),
      ),
    )
    .orderBy(asc(agents.id))
    .limit(take);
};

/** Those of the ids that name an agent that is not retired. */
export async function liveAgents(db: Executor, ids: readonly string[]): Promise<{ id: string }[]> {
  if (ids.length === 0) return [];
  return db
    .select({ id: agents.id })
    .from(agents)
    .where(and(inArray(agents.id, [...ids]), ne(agents.status, 'retired')));
}

export async function insertAgent(db: Executor, values: AgentValues): Promise<AgentRow> {
  const [row] = await db.insert(agents).values(values).returning();
  return { ...(row as typeof agents.$inferSelect), credentialsExpireAt: null };
}

export async function updateAgent(
  db: Executor,
  id: string,
  values: Partial<AgentValues>,
): Promise<AgentRow> {
  await db.update(agents).set(values).where(eq(agents.id, id));
  return (await findAgent(db, id)) as AgentRow;
}

export const agentNames = (db: Executor, ids: readonly string[]) =>
  db
    .select({ id: agents.id, name: agents.name })
    .from(agents)
    .where(inArray(agents.id, [...ids]));
