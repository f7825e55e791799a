/**
 * The registry: every noun's operations, wired to each other. The one place where one noun's
 * functions are handed to another; the API, the world file and the CLI all start from here.
 */

import { createAgents } from '../agents/service.js';
import { agentNames, findAgent } from '../agents/store.js';
import { createCredentialSteps } from '../clients/credentials.js';
import { createClients } from '../clients/service.js';
import { clientNames, findClient } from '../clients/store.js';
import type { Database, Executor } from '../db/database.js';
import { delegableScopes, heldScopes } from '../delegation/policy.js';
import type { ResourceFacts } from '../facts/store.js';
import { createRoles, unknownRoles } from '../permissions/roles.js';
import { createPermissions } from '../permissions/service.js';
import { createInitialTokens } from '../registration/initial-tokens.js';
import { conflict } from '../registry/refusal.js';
import { toolsReport } from '../resources/inventory-service.js';
import { createResources, type Resources } from '../resources/service.js';
import { findResource, resourceNames } from '../resources/store.js';
import { createTrustService } from '../trust/service.js';
import { vouchesForWorkloads } from '../trust/store.js';
import { createUsers } from '../users/service.js';
import { findUser, findUserByEmail, userNames } from '../users/store.js';
import { createAdminResource } from './resource.js';

export interface RegistryDeps {
  readonly db: Database;
  /** Exact issuer identifier: no resource may be at or under it. */
  readonly issuer: string;
  readonly hashSecret: (secret: string) => string;
  readonly hashPassword: (password: string) => Promise<string>;
}

export type Registry = ReturnType<typeof createRegistry>;

export function createRegistry({ db, issuer, hashSecret, hashPassword }: RegistryDeps) {
  const credentials = createCredentialSteps({ hashSecret, vouchesForWorkloads });
  const clients = createClients({ db, credentials, acceptedBy });
  const agents = createAgents({ db, credentials, unknownClients: clients.steps.unknown });
  const roles = createRoles({ db });
  const builtIn = createAdminResource(issuer);
  const permissions = createPermissions({
    db,
    agentExists,
    clientKind,
    userIdOf,
    scopesOf: async (tx, resource) =>
      resource === builtIn.identifier ? Object.keys(builtIn.scopes) : scopesOf(tx, resource),
    lostScopes,
  });
  const users = createUsers({
    db,
    hashPassword,
    unknownRoles,
    roleTaken: permissions.steps.roleTaken,
  });
  const resources = createResources({
    db,
    issuer,
    clientKind,
    unknownPrincipals,
    forgetScopes: permissions.steps.forgetScopes,
  });
  const trust = createTrustService({ db, issuer, unknownPrincipals, scopesOf, findUser });
  return {
    agents,
    clients,
    trust,
    resources: withBuiltIn(resources, builtIn),
    users,
    roles,
    permissions,
    credentials,
    initialTokens: createInitialTokens({ db, hashSecret }),
    /** The names behind ids, for audit sentences; ids that name nothing are left out. */
    namesOf: async (ids: readonly string[]) =>
      new Map([...(await namesOf(db.orm, ids)), [builtIn.identifier, builtIn.name]]),
  };
}

/** Shown like any other; what it says is the program's to say. */
function withBuiltIn(resources: Resources, builtIn: ResourceFacts): Resources {
  const { identifier: own } = builtIn;
  const unlessOwn = <T>(identifier: string, change: () => Promise<T>): Promise<T> =>
    identifier === own
      ? Promise.reject(conflict(['identifier'], `${own} is built in and stays as it is`))
      : change();
  return {
    ...resources,
    get: async (identifier) => (identifier === own ? builtIn : resources.get(identifier)),
    patch: (by, identifier, patch) =>
      unlessOwn(identifier, () => resources.patch(by, identifier, patch)),
    retire: (by, identifier) => unlessOwn(identifier, () => resources.retire(by, identifier)),
    tools: async (identifier) =>
      identifier === own ? toolsReport(builtIn, undefined) : resources.tools(identifier),
  };
}

async function acceptedBy(db: Executor, id: string): Promise<readonly string[] | undefined> {
  const agent = await findAgent(db, id);
  return agent === undefined || agent.status === 'retired' ? undefined : agent.clients;
}

async function agentExists(db: Executor, id: string): Promise<boolean> {
  const agent = await findAgent(db, id);
  return agent !== undefined && agent.status !== 'retired';
}

async function clientKind(db: Executor, id: string): Promise<string | undefined> {
  const client = await findClient(db, id);
  return client?.status === 'active' ? client.kind : undefined;
}

async function userIdOf(db: Executor, idOrEmail: string): Promise<string | undefined> {
  const user = await (idOrEmail.includes('@') ? findUserByEmail : findUser)(db, idOrEmail);
  return user === undefined || user.status === 'retired' ? undefined : user.id;
}

async function scopesOf(db: Executor, resource: string): Promise<readonly string[] | undefined> {
  const row = await findResource(db, resource);
  return row?.status === 'active' ? Object.keys(row.scopes) : undefined;
}

/** A user may delegate open scopes without any permission: those are never lost. */
async function lostScopes(
  db: Executor,
  { principal, resource }: { readonly principal: string; readonly resource: string },
  before: readonly string[],
  after: readonly string[],
): Promise<readonly string[]> {
  // The admin API looks at permissions itself, at every request: its tokens need no stop.
  const row = await findResource(db, resource);
  if (row === undefined) return [];
  const acts = principal.startsWith('agt_') || principal.startsWith('cli_');
  const held = acts ? heldScopes : delegableScopes;
  const kept = held(row.scopes, after);
  return held(row.scopes, before).filter((scope) => !kept.includes(scope));
}

async function unknownPrincipals(db: Executor, ids: readonly string[]): Promise<string[]> {
  const unknown: string[] = [];
  for (const id of ids) {
    const exists = id.startsWith('agt_')
      ? await agentExists(db, id)
      : (await clientKind(db, id)) !== undefined;
    if (!exists) unknown.push(id);
  }
  return unknown;
}

async function namesOf(db: Executor, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return new Map();
  const found = await Promise.all(
    [agentNames, clientNames, userNames, resourceNames].map((names) => names(db, wanted)),
  );
  return new Map(found.flat().map(({ id, name }) => [id, name] as const));
}
