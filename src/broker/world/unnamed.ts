/**
 * What the registry holds and a world file does not name: told beside a plan, and left alone. Ids as
 * a file would write them. What is retired is history, and the admin resource is built in: neither
 * is missing from any file. SQL that only reads.
 */
import { type AnyColumn, and, asc, eq, ne, notInArray, type SQL, sql } from 'drizzle-orm';
import {
  agents,
  clients,
  permissions,
  resources,
  roles,
  trustedIssuers,
  users,
} from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { emailKeyOf } from '../users/schema.js';
import type { World } from './schema.js';

export interface Unnamed {
  readonly noun:
    | 'role'
    | 'client'
    | 'agent'
    | 'user'
    | 'resource'
    | 'permission'
    | 'trusted issuer';
  readonly id: string;
}

export interface LeftAlone {
  /** In the order of the sections of a plan, by id. */
  readonly unnamed: readonly Unnamed[];
  /** How many more there are. */
  readonly unnamedLeftOut: number;
}

/** Of each noun: an answer has an end, however many users were imported. */
const LISTED_MAX = 1000;

interface Row {
  readonly id: string;
  readonly n: number;
}

/** `permitted`: principal and resource of every permission of the file, as they are stored. */
export async function unnamedIn(
  tx: Executor,
  world: World,
  permitted: ReadonlySet<string>,
): Promise<LeftAlone> {
  const found: ReadonlyArray<readonly [Unnamed['noun'], readonly Row[]]> = [
    [
      'role',
      await rolesBut(
        tx,
        (world.roles ?? []).map(({ name }) => name),
      ),
    ],
    [
      'client',
      await clientsBut(
        tx,
        (world.clients ?? []).map(({ id }) => id),
      ),
    ],
    [
      'agent',
      await agentsBut(
        tx,
        (world.agents ?? []).map(({ id }) => id),
      ),
    ],
    [
      'user',
      await usersBut(
        tx,
        (world.users ?? []).map(({ email }) => emailKeyOf(email)),
      ),
    ],
    [
      'resource',
      await resourcesBut(
        tx,
        (world.resources ?? []).map((one) => one.identifier),
      ),
    ],
    ['permission', await permissionsBut(tx, [...permitted])],
    [
      'trusted issuer',
      await issuersBut(
        tx,
        (world.trustedIssuers ?? []).map(({ issuer }) => issuer),
      ),
    ],
  ];
  return {
    unnamed: found.flatMap(([noun, rows]) => rows.map(({ id }) => ({ noun, id }))),
    unnamedLeftOut: found.reduce((sum, [, rows]) => sum + (rows[0]?.n ?? 0) - rows.length, 0),
  };
}

/** An id, and how many there are besides those of the page. */
const shown = (id: AnyColumn | SQL<string>) => ({
  id: sql<string>`${id}`,
  n: sql<number>`(count(*) over ())::int`,
});

const rolesBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(roles.name))
    .from(roles)
    .where(notInArray(roles.name, named))
    .orderBy(asc(roles.name))
    .limit(LISTED_MAX);

/** Those that came by themselves belong in no file. */
const clientsBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(clients.id))
    .from(clients)
    // Who came by themselves is missing from no file.
    .where(
      and(
        ne(clients.status, 'retired'),
        eq(clients.origin, 'operator'),
        notInArray(clients.id, named),
      ),
    )
    .orderBy(asc(clients.id))
    .limit(LISTED_MAX);

const agentsBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(agents.id))
    .from(agents)
    .where(and(ne(agents.status, 'retired'), notInArray(agents.id, named)))
    .orderBy(asc(agents.id))
    .limit(LISTED_MAX);

const usersBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(users.email))
    .from(users)
    .where(and(ne(users.status, 'retired'), notInArray(users.emailKey, named)))
    .orderBy(asc(users.emailKey))
    .limit(LISTED_MAX);

const resourcesBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(resources.identifier))
    .from(resources)
    .where(and(ne(resources.status, 'retired'), notInArray(resources.identifier, named)))
    .orderBy(asc(resources.identifier))
    .limit(LISTED_MAX);

const issuersBut = (tx: Executor, named: string[]): Promise<Row[]> =>
  tx
    .select(shown(trustedIssuers.issuer))
    .from(trustedIssuers)
    .where(and(ne(trustedIssuers.status, 'retired'), notInArray(trustedIssuers.issuer, named)))
    .orderBy(asc(trustedIssuers.issuer))
    .limit(LISTED_MAX);

/** Of whom and where nobody retired; a user is called by the address. */
const permissionsBut = (tx: Executor, named: string[]): Promise<Row[]> => {
  const { principal, resource } = permissions;
  const called = sql<string>`coalesce(${users.email}, ${principal}) || ' at ' || ${resource}`;
  const stored = sql<string>`${principal} || ' at ' || ${resource}`;
  const lives = (status: AnyColumn) => sql`${status} is distinct from 'retired'`;
  return tx
    .select(shown(called))
    .from(permissions)
    .leftJoin(users, eq(users.id, principal))
    .leftJoin(agents, eq(agents.id, principal))
    .leftJoin(clients, eq(clients.id, principal))
    .leftJoin(resources, eq(resources.identifier, resource))
    .where(
      and(
        ...[users, agents, clients, resources].map(({ status }) => lives(status)),
        notInArray(stored, named),
      ),
    )
    .orderBy(asc(principal), asc(resource))
    .limit(LISTED_MAX);
};
