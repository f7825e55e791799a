/** SQL of clients. Single statements, each atomic by itself; callers bring the transaction. */
import { and, asc, eq, getTableColumns, gt, inArray, isNull, sql } from 'drizzle-orm';
import { clientRegistrations, clients } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { REGISTRATION_DISUSED_SECONDS } from '../limits.js';
import { databaseNow } from '../registry/change.js';
import { nameHas } from '../registry/page.js';
import { expiresWithin, nextExpiry } from './credential-store.js';

/** What is known of a client, and when the next of its credentials expires. */
export type ClientRow = typeof clients.$inferSelect & {
  readonly credentialsExpireAt: Date | null;
  /** Of one that registered itself: last seen, and gone from then on unless it is seen again. */
  readonly lastUsedAt: Date | null;
  readonly registrationExpiresAt: Date | null;
};
export type ClientValues = typeof clients.$inferInsert;

/** When nobody would miss it any more (RFC 7591 leaves it to us). */
const registrationEnd = sql<Date | null>`coalesce(${clientRegistrations.expiresAt},
  ${clientRegistrations.lastUsedAt} + make_interval(secs => ${sql.raw(String(REGISTRATION_DISUSED_SECONDS))}))`;

const shown = {
  ...getTableColumns(clients),
  credentialsExpireAt: nextExpiry(clients.id),
  lastUsedAt: clientRegistrations.lastUsedAt,
  registrationExpiresAt: registrationEnd.mapWith(clientRegistrations.expiresAt),
};
const isItsRegistration = and(
  eq(clientRegistrations.clientId, clients.id),
  isNull(clientRegistrations.deletedAt),
);

export async function findClient(db: Executor, id: string): Promise<ClientRow | undefined> {
  const [row] = await db
    .select(shown)
    .from(clients)
    .leftJoin(clientRegistrations, isItsRegistration)
    .where(eq(clients.id, id));
  return row;
}

export interface ClientFilter {
  readonly status?: string | undefined;
  readonly kind?: string | undefined;
  /** Who put it here: operator | registration | document */
  readonly origin?: string | undefined;
  readonly auth?: string | undefined;
  /** The agent it is bound to. */
  readonly agent?: string | undefined;
  /** Part of its name. */
  readonly q?: string | undefined;
  readonly expiringWithinSeconds?: number | undefined;
}

/** By id; retired ones are left out unless asked for. */
export const listClientRows = (
  db: Executor,
  filter: ClientFilter,
  after: string,
  take: number,
): Promise<ClientRow[]> => {
  const { status = 'active', kind, origin, auth, agent, q, expiringWithinSeconds: within } = filter;
  return db
    .select(shown)
    .from(clients)
    .leftJoin(clientRegistrations, isItsRegistration)
    .where(
      and(
        gt(clients.id, after),
        eq(clients.status, status),
        kind === undefined ? undefined : eq(clients.kind, kind),
        origin === undefined ? undefined : eq(clients.origin, origin),
        auth === undefined ? undefined : eq(clients.auth, auth),
        agent === undefined ? undefined : eq(clients.agentId, agent),
        q === undefined ? undefined : nameHas(clients.name, q),
        within === undefined ? undefined : expiresWithin(clients.id, within),
      ),
    )
    .orderBy(asc(clients.id))
    .limit(take);
};

/** Those of the ids that name a client in use. */
export async function activeClients(
  db: Executor,
  ids: readonly string[],
): Promise<{ id: string }[]> {
  if (ids.length === 0) return [];
  return db
    .select({ id: clients.id })
    .from(clients)
    .where(and(inArray(clients.id, [...ids]), eq(clients.status, 'active')));
}

export async function insertClient(db: Executor, values: ClientValues): Promise<ClientRow> {
  const [row] = await db.insert(clients).values(values).returning();
  const nothing = { credentialsExpireAt: null, lastUsedAt: null, registrationExpiresAt: null };
  return { ...(row as typeof clients.$inferSelect), ...nothing };
}

export async function updateClient(
  db: Executor,
  id: string,
  values: Partial<ClientValues>,
): Promise<ClientRow> {
  await db.update(clients).set(values).where(eq(clients.id, id));
  return (await findClient(db, id)) as ClientRow;
}

/** Nobody manages it any more, and the same may register again (RFC 7592 §2.3). */
export async function endRegistration(tx: Executor, clientId: string): Promise<void> {
  await tx
    .update(clientRegistrations)
    .set({ deletedAt: databaseNow, tokenHash: null })
    .where(and(eq(clientRegistrations.clientId, clientId), isNull(clientRegistrations.deletedAt)));
}

export const clientNames = (db: Executor, ids: readonly string[]) =>
  db
    .select({ id: clients.id, name: clients.name })
    .from(clients)
    .where(inArray(clients.id, [...ids]));
