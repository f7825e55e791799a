/** SQL of client ID metadata documents. Single statements, each atomic by itself; callers bring the transaction. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { clientDocuments, clients, credentials } from '../../../schema/index.js';
import { storable } from '../audit/store.js';
import { type Database, type Executor, rowsOf } from '../db/database.js';
import { bumpEpoch } from '../revocation/store.js';
import type { ClientValues } from './store.js';

export type Snapshot = typeof clientDocuments.$inferSelect;

export async function findSnapshot(db: Executor, url: string): Promise<Snapshot | undefined> {
  const [row] = await db.select().from(clientDocuments).where(eq(clientDocuments.url, url));
  return row;
}

/** @returns false: one that was asked for later is kept already */
export async function keepSnapshot(db: Executor, snapshot: Snapshot): Promise<boolean> {
  const { url: target, ...said } = snapshot;
  // Members nobody looks at may hold what PostgreSQL cannot (P9).
  const set = { ...said, document: storable(said.document) };
  const rows = await db
    .insert(clientDocuments)
    .values({ url: target, ...set })
    .onConflictDoUpdate({
      target: clientDocuments.url,
      set,
      setWhere: sql`${clientDocuments.fetchedAt} <= excluded.fetched_at`,
    })
    .returning({ url: clientDocuments.url });
  return rows.length > 0;
}

/** Whoever is first. @returns whether it was us */
export async function beginClient(db: Executor, values: ClientValues): Promise<boolean> {
  const rows = await db.insert(clients).values(values).onConflictDoNothing().returning();
  return rows.length > 0;
}

/** Public keys of a document, not removed. */
export const documentKeys = (db: Executor, principal: string) =>
  db
    .select()
    .from(credentials)
    .where(
      and(
        eq(credentials.principal, principal),
        eq(credentials.kind, 'jwk'),
        isNull(credentials.removedAt),
      ),
    );

/** Nobody ever decided about it, no operator bound, named or retired it: nothing hangs on it. */
const UNUSED = sql`c.origin = 'document' and c.status = 'active' and c.agent_id is null
  and not exists (select 1 from consents where client_id = c.id)
  and not exists (select 1 from agents where c.id = any(agents.clients))
  and not exists (select 1 from resources where c.id = any(resources.clients))`;

/** As far as a bound. */
export async function countUnused(db: Executor, max: number): Promise<number> {
  const rows = await db.execute(
    sql`select count(*)::int as n from (select 1 from clients c where ${UNUSED} limit ${max}) found`,
  );
  return rowsOf<{ n: number }>(rows)[0]?.n ?? 0;
}

/** A request takes minutes to be decided; what was not is fetched again when it is needed. */
const UNUSED_SECONDS = 3600;

/** For the sweeper: clients that a document announced and nobody used; how many went. */
export const forgetUnusedDocuments = (db: Database, rowsMax: number): Promise<number> =>
  db.transaction(async (tx) => {
    const deleted = await tx.execute(sql`
      delete from clients where id in (
        select c.id from clients c where ${UNUSED}
          and c.created_at < clock_timestamp() - make_interval(secs => ${UNUSED_SECONDS})
        limit ${rowsMax} for update of c skip locked)
      returning id`);
    const gone = rowsOf<{ id: string }>(deleted);
    if (gone.length === 0) return 0;
    const ids = sql`(${sql.join(
      gone.map(({ id }) => sql`${id}`),
      sql`, `,
    )})`;
    await tx.execute(sql`delete from client_documents where url in ${ids}`);
    await tx.execute(sql`delete from credentials where principal in ${ids}`);
    await bumpEpoch(tx);
    return gone.length;
  });
