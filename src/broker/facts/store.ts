/**
 * The facts decisions are made from, cached by policy epoch: agents, clients, credentials,
 * resources, users, permissions. Every change counts the epoch up, and the issue gate compares: a
 * cache is never wrong here, only sometimes slow. Absences are never cached.
 */
import { and, eq, inArray, isNull } from 'drizzle-orm';
import {
  agents,
  clients,
  credentials,
  permissions,
  resources,
  users,
} from '../../../schema/index.js';
import type { Database } from '../db/database.js';

export type AgentFacts = typeof agents.$inferSelect;
export type ClientFacts = typeof clients.$inferSelect;
export type CredentialFacts = typeof credentials.$inferSelect;
export type ResourceFacts = typeof resources.$inferSelect;
export type UserFacts = typeof users.$inferSelect;

/** One generation: everything in it is at least as new as its epoch. */
export interface Facts {
  readonly epoch: number;
  agent(id: string): Promise<AgentFacts | undefined>;
  client(id: string): Promise<ClientFacts | undefined>;
  /** Credentials neither removed nor expired: the others prove nothing, wherever they are shown. */
  credentials(principal: string): Promise<readonly CredentialFacts[]>;
  resource(identifier: string): Promise<ResourceFacts | undefined>;
  user(id: string): Promise<UserFacts | undefined>;
  /** Scopes permitted to any of these principals at a resource, as registered. */
  permitted(principals: readonly string[], resource: string): Promise<readonly string[]>;
  /** Resources at which a principal has permissions. */
  resourcesOf(principal: string): Promise<readonly string[]>;
}

export interface FactsCache {
  /** The current generation; its epoch was compared with the database at most a second ago. */
  current(): Promise<Facts>;
  /** A generation whose epoch was read after this call began. */
  fresh(): Promise<Facts>;
  /** Something changed somewhere: the next `current` asks, however short ago the last one did. */
  noticeChange(): void;
}

/** How long a generation is used without asking whether it is still the newest. */
const RECHECK_MS = 1000;
/** Entries of each kind kept in a generation. */
const ENTRIES_MAX = 10_000;

export function createFactsCache(
  db: Database,
  now: () => number = Date.now,
  /** Resources there are without being registered. */
  builtIn: readonly ResourceFacts[] = [],
): FactsCache {
  let generation: Facts | undefined;
  let checkedAtMs = 0;
  let notices = 0;
  let checking: Promise<Facts> | undefined;

  const check = async (): Promise<Facts> => {
    const startedAtMs = now();
    const noticed = notices;
    const [row] = await db.run<{ epoch: string | number }>(
      'select epoch from policy_epoch where id = 1',
    );
    const epoch = Number(row?.epoch);
    // A slow answer never replaces a newer generation: epochs only grow.
    if (generation === undefined || generation.epoch < epoch) {
      generation = createGeneration(db, epoch, now, builtIn);
    }
    // What was noticed meanwhile may be newer than the answer.
    if (notices === noticed) checkedAtMs = startedAtMs;
    return generation;
  };
  return {
    fresh: check,
    noticeChange: () => {
      notices += 1;
      checkedAtMs = 0;
      checking = undefined;
    },
    current: async () => {
      if (generation !== undefined && now() - checkedAtMs < RECHECK_MS) return generation;
      if (checking !== undefined) return checking;
      const mine = check().finally(() => {
        if (checking === mine) checking = undefined;
      });
      checking = mine;
      return mine;
    },
  };
}

/**
 * A database whose transactions are noticed at their end: who changed something through it finds it
 * changed, also before the database's own notice has come round.
 */
export const noticing = (db: Database, facts: Pick<FactsCache, 'noticeChange'>): Database => ({
  ...db,
  transaction: (work) => db.transaction(work).finally(facts.noticeChange),
});

/**
 * Remembers loads, shares those in flight, forgets failures and absences, and is bounded. Keys come
 * from requests: what cannot be an id (PostgreSQL text holds no NUL) names nothing.
 */
function memo<T>(load: (key: string) => Promise<T>, nothing: T): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (key) => {
    if (typeof key !== 'string' || key.includes('\0')) return Promise.resolve(nothing);
    const hit = known.get(key);
    if (hit !== undefined) return hit;
    const loading = load(key);
    if (known.size >= ENTRIES_MAX) known.delete(known.keys().next().value as string);
    known.set(key, loading);
    loading.then(
      (value) => {
        if (value === undefined) known.delete(key);
      },
      () => known.delete(key),
    );
    return loading;
  };
}

/** Ids say what they name (DESIGN §2): nothing else is asked for, and no absence costs a query. */
function only<T>(
  prefix: string,
  load: (id: string) => Promise<T | undefined>,
): (id: string) => Promise<T | undefined> {
  const known = memo<T | undefined>(load, undefined);
  return async (id) => (id.startsWith(prefix) ? known(id) : undefined);
}

function createGeneration(
  db: Database,
  epoch: number,
  now: () => number,
  builtIn: readonly ResourceFacts[],
): Facts {
  const { orm } = db;
  const credentialsOf = memo<readonly CredentialFacts[]>(
    async (principal) =>
      orm
        .select()
        .from(credentials)
        .where(and(eq(credentials.principal, principal), isNull(credentials.removedAt))),
    [],
  );
  const permittedAt = memo(async (key: string) => {
    const [resource = '', ...principals] = JSON.parse(key) as string[];
    const rows = await orm
      .select({ scopes: permissions.scopes })
      .from(permissions)
      .where(and(eq(permissions.resource, resource), inArray(permissions.principal, principals)));
    return [...new Set(rows.flatMap((row) => row.scopes))];
  }, []);
  return {
    epoch,
    agent: only(
      'agt_',
      async (id) => (await orm.select().from(agents).where(eq(agents.id, id)))[0],
    ),
    client: only(
      'cli_',
      async (id) => (await orm.select().from(clients).where(eq(clients.id, id)))[0],
    ),
    user: only('usr_', async (id) => (await orm.select().from(users).where(eq(users.id, id)))[0]),
    resource: memo(async (id) => {
      const own = builtIn.find(({ identifier }) => identifier === id);
      if (own !== undefined) return own;
      const [row] = await orm.select().from(resources).where(eq(resources.identifier, id));
      return row?.status === 'active' ? row : undefined;
    }, undefined),
    credentials: async (principal) =>
      (await credentialsOf(principal)).filter(
        ({ expiresAt }) => expiresAt === null || expiresAt.getTime() > now(),
      ),
    // Checked here: JSON writes a NUL out, and the memo would not see it.
    permitted: async (principals, resource) =>
      [resource, ...principals].some((word) => word.includes('\0'))
        ? []
        : permittedAt(JSON.stringify([resource, ...principals])),
    resourcesOf: memo(async (principal) => {
      const rows = await orm
        .select({ resource: permissions.resource })
        .from(permissions)
        .where(eq(permissions.principal, principal));
      return rows.map((row) => row.resource);
    }, []),
  };
}
