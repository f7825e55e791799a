/** SQL of resources. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import { resources } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { nameHas } from '../registry/page.js';

export type ResourceRow = typeof resources.$inferSelect;
export type ResourceValues = typeof resources.$inferInsert;

export async function findResource(
  db: Executor,
  identifier: string,
): Promise<ResourceRow | undefined> {
  const [row] = await db.select().from(resources).where(eq(resources.identifier, identifier));
  return row;
}

export interface ResourceFilter {
  readonly status?: string | undefined;
  /** Part of its name. */
  readonly q?: string | undefined;
  /** The resource server's own client. */
  readonly client?: string | undefined;
  /** Those that may go on to this one. */
  readonly downstream?: string | undefined;
}

const goesOnTo = (identifier: string) =>
  sql`${resources.downstream} @> ${JSON.stringify([{ resource: identifier }])}::text::jsonb`;

/** By identifier; retired ones are left out unless asked for. */
export const listResourceRows = (
  db: Executor,
  { status = 'active', q, client, downstream }: ResourceFilter,
  after: string,
  take: number,
): Promise<ResourceRow[]> =>
  db
    .select()
    .from(resources)
    .where(
      and(
        gt(resources.identifier, after),
        eq(resources.status, status),
        q === undefined ? undefined : nameHas(resources.name, q),
        client === undefined ? undefined : eq(resources.client, client),
        downstream === undefined ? undefined : goesOnTo(downstream),
      ),
    )
    .orderBy(asc(resources.identifier))
    .limit(take);

/** Those in use whose servers may go on to this one. */
export const resourcesUpstream = (db: Executor, identifier: string): Promise<ResourceRow[]> =>
  db
    .select()
    .from(resources)
    .where(and(eq(resources.status, 'active'), goesOnTo(identifier)))
    .orderBy(asc(resources.identifier));

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
