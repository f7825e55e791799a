// A scenario's world as rows of the registry, under ids of its own, so that many worlds fit into one
// broker. One secret each; one password for everybody.
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import * as tables from '../../../schema/index.js';
import type { Database } from '../../../src/broker/db/database.js';
import { edgesOf, rulesOf } from './policy.js';
import type { Permits, WorldWords } from './words.js';

export const PASSWORD = 'correct horse battery';

/** From the words of a scenario to what they are called in the broker. */
export interface Names {
  /** An agent, a person, an app or a service. */
  of(name: string): string;
  resource(name: string): string;
  /** And back. */
  word(id: string): string;
  email(person: string): string;
  callback(app: string): string;
}

export function namesFor(prefix: string, world: WorldWords): Names {
  const kinds = [
    ['usr', world.people],
    ['agt', world.agents],
    ['cli', world.apps],
    ['cli', world.services],
  ] as const;
  const ids = new Map(
    kinds.flatMap(([kind, all]) =>
      Object.keys(all).map((name) => [name, `${kind}_${prefix}-${name}`] as const),
    ),
  );
  return {
    // Who does not exist has an id all the same: to be asked for, and not found.
    of: (name) => ids.get(name) ?? `agt_${prefix}-${name}`,
    resource: (name) => `https://${prefix}-${name}.example/mcp`,
    word: (id) => id.slice(id.indexOf('-') + 1),
    email: (person) => `${prefix}-${person}@example.com`,
    callback: (app) => `https://${prefix}-${app}.example/callback`,
  };
}

export async function writeWorld(
  db: Database,
  world: WorldWords,
  names: Names,
  passwordHash: string,
): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  const secretOf = (principal: string) => {
    const secret = randomBytes(32).toString('base64url');
    secrets[principal] = secret;
    return {
      id: `crd_${principal}`,
      principal,
      kind: 'secret',
      secretHash: createHash('sha256').update(secret).digest('hex'),
    };
  };
  const { people, agents, apps, services } = world;
  const mayExchange = (name: string): boolean => world.mayNotExchange?.includes(name) !== true;
  const proving = [agents, apps, services].flatMap((all) => Object.keys(all).map(names.of));
  const rows = {
    users: Object.keys(people).map((name) => ({
      id: names.of(name),
      email: names.email(name),
      emailKey: names.email(name),
      name,
      passwordHash,
    })),
    agents: Object.entries(agents).map(([name, { clients = [], takesWorkFrom = [] }]) => ({
      id: names.of(name),
      name,
      owner: 'Ops',
      clients: clients.map(names.of),
      takesWorkFrom: takesWorkFrom.map(names.of),
      mayExchange: mayExchange(name),
      auth: 'client_secret_basic',
    })),
    clients: [
      ...Object.entries(apps).map(([name, { agent }]) => ({
        id: names.of(name),
        name,
        kind: 'app',
        redirectUris: [names.callback(name)],
        auth: 'client_secret_basic',
        agentId: agent === undefined ? null : names.of(agent),
        mayExchange: mayExchange(name),
      })),
      ...Object.keys(services).map((name) => ({
        id: names.of(name),
        name,
        kind: 'service',
        mayExchange: mayExchange(name),
        auth: 'client_secret_basic',
      })),
    ],
    resources: resourceRows(world, names),
    permissions: permissionRows(world, names),
    credentials: proving.map(secretOf),
  };
  await db.transaction(async (tx) => {
    await tx.insert(tables.users).values(rows.users);
    await tx.insert(tables.agents).values(rows.agents);
    await tx.insert(tables.clients).values(rows.clients);
    await tx.insert(tables.resources).values(rows.resources);
    if (rows.permissions.length > 0) await tx.insert(tables.permissions).values(rows.permissions);
    await tx.insert(tables.credentials).values(rows.credentials);
    await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  });
  return secrets;
}

export const downstreamRows = (
  downstream: Readonly<Record<string, Permits>>,
  { resource }: Names,
) =>
  edgesOf({ scopes: {}, downstream }).map((edge) => ({
    ...edge,
    resource: resource(edge.resource),
  }));

const resourceRows = ({ resources }: WorldWords, names: Names) =>
  Object.entries(resources).map(([name, words]) => ({
    identifier: names.resource(name),
    name,
    scopes: Object.fromEntries(
      Object.entries(rulesOf(words)).map(([scope, rule]) => [scope, { title: scope, ...rule }]),
    ),
    tools: words.tools ?? {},
    client: words.server === undefined ? null : names.of(words.server),
    clients: words.clients?.map(names.of) ?? null,
    requireUser: words.requireUser ?? false,
    downstream: downstreamRows(words.downstream ?? {}, names),
  }));

function permissionRows({ people, agents, services }: WorldWords, names: Names) {
  const holders: ReadonlyArray<readonly [string, { readonly may?: Permits }]> = [
    people,
    agents,
    services,
  ].flatMap((all) => Object.entries(all));
  return holders.flatMap(([name, { may = {} }]) =>
    Object.entries(may)
      .filter(([, scopes]) => scopes.length > 0)
      .map(([where, scopes]) => ({
        principal: names.of(name),
        resource: names.resource(where),
        scopes: [...scopes],
      })),
  );
}
