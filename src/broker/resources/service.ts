/**
 * Resources: the MCP servers and APIs that tokens are for, their scopes and tools. Each operation
 * is one transaction with one audit event; `steps` are the same operations inside somebody else's
 * transaction. An identifier is never used again: tokens of a former owner name it.
 */

import type { Database, Executor } from '../db/database.js';
import {
  type Change,
  changedFields,
  narrowing,
  sortedSet,
  stopping,
  widening,
} from '../registry/change.js';
import { stopLive } from '../registry/live-tokens.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, type FieldProblem, invalid, notFound, throwIfAny } from '../registry/refusal.js';
import type { Receipt } from '../revocation/receipt.js';
import { problemsOfEdges, refuseWhileDownstream } from './edges.js';
import { acceptTool, noteMapping, reportTools } from './inventory-service.js';
import {
  edgeListProblems,
  identifierProblem,
  scopeProblems,
  scopesTaken,
  slashTwin,
} from './policy.js';
import type { AcceptedTool, NewEdge, NewResource, ResourcePatch } from './schema.js';
import {
  findResource,
  insertResource,
  listResourceRows,
  type ResourceFilter,
  type ResourceRow,
  type ResourceValues,
  updateResource,
} from './store.js';

export interface ResourceDeps {
  readonly db: Database;
  readonly issuer: string;
  /** The kind of a client in use, or `undefined`. */
  readonly clientKind: (db: Executor, id: string) => Promise<string | undefined>;
  /** Which of these are neither clients nor agents in use. */
  readonly unknownPrincipals: (db: Executor, ids: readonly string[]) => Promise<string[]>;
  /** Takes scopes that no longer exist out of every permission at a resource. */
  readonly forgetScopes: (
    change: Change,
    resource: string,
    scopes: readonly string[],
  ) => Promise<void>;
}

/** Later: several resources change together, and only the end of it counts. */
type Edges = 'checked' | 'checked later';

export type Resources = ReturnType<typeof createResources>;

export function createResources(deps: ResourceDeps) {
  const { db } = deps;
  const steps = {
    find: findResource,
    create: (change: Change, input: NewResource, edges: Edges = 'checked') =>
      create(deps, change, input, edges),
    patch: (change: Change, identifier: string, patch: ResourcePatch, edges: Edges = 'checked') =>
      patchResource(deps, change, identifier, patch, edges),
    /** What is left to say when all that were changed together stand as they will. */
    checkEdges: async (change: Change, identifier: string): Promise<void> =>
      throwIfAny(await problemsOfEdges(change.tx, await requireLive(change.tx, identifier))),
    retire,
  };
  return {
    steps,
    create: (by: string, input: NewResource) =>
      widening(db, by, (change) => steps.create(change, input)),
    get: (identifier: string) => requireResource(db.orm, identifier),
    list: async (request: PageRequest & ResourceFilter = {}): Promise<Page<ResourceRow>> => {
      const { after, take } = pageBounds(request);
      const rows = await listResourceRows(db.orm, request, after, take);
      return pageOf(rows, take, ({ identifier }) => identifier);
    },
    patch: (by: string, identifier: string, patch: ResourcePatch) =>
      narrowing(db, by, async (change) => (await steps.patch(change, identifier, patch)).resource),
    retire: async (by: string, identifier: string): Promise<Receipt> =>
      (await stopping(db, by, (change) => steps.retire(change, identifier))).receipt,
    /** Its tools as they are mapped, beside what its server says it has. */
    tools: (identifier: string) => reportTools(db.orm, identifier),
    acceptTool: (by: string, identifier: string, seen: AcceptedTool) =>
      acceptTool(db, by, identifier, seen),
  };
}

async function requireResource(db: Executor, identifier: string): Promise<ResourceRow> {
  const row = await findResource(db, identifier);
  if (row === undefined) throw notFound('resource', identifier);
  return row;
}

async function requireLive(db: Executor, identifier: string): Promise<ResourceRow> {
  const row = await requireResource(db, identifier);
  if (row.status === 'retired') throw conflict(['identifier'], `${identifier} is retired`);
  return row;
}

/** Lists in their stored order, so that equal values compare equal. */
function normalised(patch: ResourcePatch): ResourcePatch {
  const scopes = Object.entries(patch.scopes ?? {}).map(
    ([name, scope]) => [name, { ...scope, implies: sortedSet(scope.implies) }] as const,
  );
  const tools = Object.entries(patch.tools ?? {}).map(
    ([tool, needed]) => [tool, sortedSet(needed)] as const,
  );
  return {
    ...patch,
    ...(patch.scopes === undefined ? {} : { scopes: Object.fromEntries(scopes) }),
    ...(patch.tools === undefined ? {} : { tools: Object.fromEntries(tools) }),
    ...(patch.clients ? { clients: sortedSet(patch.clients) } : {}),
    ...(patch.downstream === undefined ? {} : { downstream: patch.downstream.map(sortedEdge) }),
  };
}

const sortedEdge = ({ resource, scopes }: NewEdge): NewEdge => ({
  resource,
  scopes: Object.fromEntries(Object.entries(scopes).map(([from, to]) => [from, sortedSet(to)])),
});

/** Only references that are new are looked up: what was named once may have retired since. */
async function referenceProblems(
  deps: ResourceDeps,
  db: Executor,
  input: ResourcePatch,
  known?: ResourceRow,
): Promise<FieldProblem[]> {
  const problems: FieldProblem[] = [];
  const { client } = input;
  if (client !== undefined && client !== null && client !== known?.client) {
    if ((await deps.clientKind(db, client)) !== 'service') {
      problems.push({ path: ['client'], message: `names no service client: "${client}"` });
    }
  }
  const wanted = input.clients ?? [];
  const fresh = wanted.filter((id) => known?.clients?.includes(id) !== true);
  const unknown = new Set(await deps.unknownPrincipals(db, fresh));
  for (const [index, id] of wanted.entries()) {
    if (!unknown.has(id)) continue;
    problems.push({ path: ['clients', index], message: `names no client or agent: "${id}"` });
  }
  return problems;
}

async function create(
  deps: ResourceDeps,
  change: Change,
  input: NewResource,
  edges: Edges,
): Promise<ResourceRow> {
  const { identifier } = input;
  const problem = identifierProblem(identifier, deps.issuer);
  if (problem !== undefined) throw invalid({ path: ['identifier'], message: problem });
  throwIfAny([
    ...scopeProblems(input.scopes, input.tools ?? {}),
    ...edgeListProblems(identifier, input.scopes, input.downstream ?? []),
    ...(await referenceProblems(deps, change.tx, input)),
  ]);
  for (const taken of [identifier, slashTwin(identifier)]) {
    if ((await findResource(change.tx, taken)) === undefined) continue;
    throw conflict(['identifier'], `"${taken}" is taken; identifiers are never used again`);
  }
  const row = await insertResource(change.tx, { ...input, ...normalised(input) } as ResourceValues);
  if (edges === 'checked') throwIfAny(await problemsOfEdges(change.tx, row));
  const detail = { noun: 'resource', id: identifier, name: row.name };
  await change.record({ type: 'registry.created', resource: identifier, detail });
  return row;
}

async function patchResource(
  deps: ResourceDeps,
  change: Change,
  identifier: string,
  patch: ResourcePatch,
  edges: Edges,
): Promise<{ resource: ResourceRow; fields: string[] }> {
  const row = await requireLive(change.tx, identifier);
  const values = normalised(patch);
  const fields = changedFields(row, values);
  if (fields.length === 0) return { resource: row, fields };
  const scopes = values.scopes ?? row.scopes;
  throwIfAny([
    ...scopeProblems(scopes, values.tools ?? row.tools),
    ...edgeListProblems(identifier, scopes, values.downstream ?? row.downstream),
    ...(await referenceProblems(deps, change.tx, patch, row)),
  ]);
  const resource = await updateResource(change.tx, identifier, values as Partial<ResourceRow>);
  if (edges === 'checked' && fields.some((field) => field === 'scopes' || field === 'downstream')) {
    throwIfAny(await problemsOfEdges(change.tx, resource));
  }
  stopWhatWasTaken(change, row, resource);
  if (values.tools !== undefined) await noteMapping(change, identifier, row.tools, resource.tools);
  const gone = Object.keys(row.scopes).filter((name) => !Object.hasOwn(scopes, name));
  if (gone.length > 0) await deps.forgetScopes(change, identifier, gone);
  const detail = {
    noun: 'resource',
    id: identifier,
    name: resource.name,
    fields,
    ...(gone.length === 0 ? {} : { scopes_removed: gone }),
  };
  await change.recordStop({ type: 'registry.changed', resource: identifier, detail });
  return { resource, fields };
}

/** Tokens out there that would not be issued any more (DESIGN §7) stop. */
function stopWhatWasTaken(change: Change, before: ResourceRow, after: ResourceRow): void {
  const { identifier: resource, clients } = after;
  const scopes = scopesTaken(before.scopes, after.scopes);
  stopLive(change, { resource, scopes }, `${resource} closed ${scopes.join(' ')}`);
  if (clients !== null && before.clients?.every((id) => clients.includes(id)) !== true) {
    stopLive(change, { resource, clientsBut: clients }, `${resource} accepts fewer clients`);
  }
  if (after.requireUser && !before.requireUser) {
    stopLive(change, { resource, withoutUser: true }, `${resource} demands a user`);
  }
  for (const edge of before.downstream) {
    const now = after.downstream.find((other) => other.resource === edge.resource)?.scopes ?? {};
    const lost = Object.entries(edge.scopes).flatMap(([from, to]) =>
      to.filter((name) => now[from]?.includes(name) !== true),
    );
    const which = { resource: edge.resource, goneOnFrom: resource, scopes: [...new Set(lost)] };
    stopLive(change, which, `${resource} goes on to less of ${edge.resource}`);
  }
}

async function retire(change: Change, identifier: string): Promise<void> {
  const row = await requireLive(change.tx, identifier);
  await refuseWhileDownstream(change.tx, identifier);
  await updateResource(change.tx, identifier, { status: 'retired' });
  stopLive(change, { resource: identifier }, `${identifier} retired`);
  const detail = { noun: 'resource', id: identifier, name: row.name };
  await change.recordStop({ type: 'registry.retired', resource: identifier, detail });
}
