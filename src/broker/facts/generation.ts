/** One generation of facts: each loaded once, when first asked for, and never newer than it says. */
import { and, eq, inArray, isNull } from 'drizzle-orm';
import {
  agents,
  clients,
  credentials,
  permissions,
  resources,
  trustedIssuers,
  userIdentities,
  users,
} from '../../../schema/index.js';
import type { Database } from '../db/database.js';
import { resourceSpellings } from './resource-spellings.js';
import type { CredentialFacts, Facts, ResourceFacts } from './store.js';

/** Entries of each kind kept in a generation. */
const ENTRIES_MAX = 10_000;

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
  prefixes: readonly string[],
  load: (id: string) => Promise<T | undefined>,
): (id: string) => Promise<T | undefined> {
  const known = memo<T | undefined>(load, undefined);
  return async (id) => (prefixes.some((prefix) => id.startsWith(prefix)) ? known(id) : undefined);
}

export function createGeneration(
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
      ['agt_'],
      async (id) => (await orm.select().from(agents).where(eq(agents.id, id)))[0],
    ),
    client: only(
      ['cli_', 'https://'],
      async (id) => (await orm.select().from(clients).where(eq(clients.id, id)))[0],
    ),
    user: only(['usr_'], async (id) => (await orm.select().from(users).where(eq(users.id, id)))[0]),
    ...resourcesIn(db, builtIn),
    credentials: async (principal) =>
      (await credentialsOf(principal)).filter(
        ({ expiresAt }) => expiresAt === null || expiresAt.getTime() > now(),
      ),
    // Checked here: JSON writes a NUL out, and the memo would not see it.
    permitted: async (principals, resource) =>
      [resource, ...principals].some((word) => word.includes('\0'))
        ? []
        : permittedAt(JSON.stringify([resource, ...principals])),
    ...othersIn(db),
    resourcesOf: memo(async (principal) => {
      const rows = await orm
        .select({ resource: permissions.resource })
        .from(permissions)
        .where(eq(permissions.principal, principal));
      return rows.map((row) => row.resource);
    }, []),
  };
}

/** Other issuers, and whom they mean. */
function othersIn({ orm }: Database): Pick<Facts, 'trustedIssuer' | 'identity'> {
  const identityOf = memo(async (key: string) => {
    const [issuer = '', subject = ''] = JSON.parse(key) as string[];
    const [row] = await orm
      .select({ userId: userIdentities.userId })
      .from(userIdentities)
      .where(and(eq(userIdentities.issuer, issuer), eq(userIdentities.subject, subject)));
    return row?.userId;
  }, undefined);
  return {
    trustedIssuer: memo(async (issuer) => {
      const [row] = await orm
        .select()
        .from(trustedIssuers)
        .where(eq(trustedIssuers.issuer, issuer));
      return row?.status === 'active' ? row : undefined;
    }, undefined),
    identity: async (issuer, subject) =>
      `${issuer}${subject}`.includes('\0')
        ? undefined
        : identityOf(JSON.stringify([issuer, subject])),
  };
}

/** Resources, as they are registered and as clients write them. */
function resourcesIn(
  { orm }: Database,
  builtIn: readonly ResourceFacts[],
): Pick<Facts, 'resource' | 'resourceNamed'> {
  const resource = memo(async (id) => {
    const own = builtIn.find(({ identifier }) => identifier === id);
    if (own !== undefined) return own;
    const [row] = await orm.select().from(resources).where(eq(resources.identifier, id));
    return row?.status === 'active' ? row : undefined;
  }, undefined);
  return {
    resource,
    resourceNamed: async (spelled) => {
      for (const one of resourceSpellings(spelled)) {
        if ((await resource(one)) !== undefined) return one;
      }
      return spelled;
    },
  };
}
