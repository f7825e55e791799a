/**
 * Agents: identities that act. Registered, described, blocked and unblocked, retired; never
 * deleted, and no id is used twice. Each operation is one transaction with one audit event; `steps`
 * are the same operations inside somebody else's transaction. Decides nothing about tokens.
 */

import type { NewCredential } from '../clients/credential-schema.js';
import type { AddedCredential, CredentialSteps, CredentialView } from '../clients/credentials.js';
import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';
import {
  type Change,
  changedFields,
  databaseNow,
  narrowing,
  sortedSet,
  widening,
} from '../registry/change.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, invalid, notFound, throwIfAny } from '../registry/refusal.js';
import type { AgentPatch, AgentStatus, NewAgent } from './schema.js';
import { type AgentRow, findAgent, insertAgent, listAgentRows, updateAgent } from './store.js';

export interface AgentDeps {
  readonly db: Database;
  readonly credentials: CredentialSteps;
  /** Which of these are not clients in use. */
  readonly unknownClients: (db: Executor, ids: readonly string[]) => Promise<string[]>;
}

export interface CreatedAgent {
  readonly agent: AgentRow;
  readonly credential: AddedCredential | undefined;
}

export type Agents = ReturnType<typeof createAgents>;

export function createAgents(deps: AgentDeps) {
  const { db, credentials } = deps;
  const steps = createAgentSteps(deps);
  return {
    steps,
    create: (by: string, input: NewAgent) =>
      widening(db, by, (change) => steps.create(change, input)),
    get: (id: string) => requireAgent(db.orm, id),
    list: async (request: PageRequest = {}): Promise<Page<AgentRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listAgentRows(db.orm, after, take), take, ({ id }) => id);
    },
    patch: (by: string, id: string, patch: AgentPatch) =>
      narrowing(db, by, async (change) => (await steps.patch(change, id, patch)).agent),
    setStatus: (by: string, id: string, status: AgentStatus) =>
      narrowing(db, by, async (change) => (await steps.setStatus(change, id, status)).agent),
    block: (by: string, id: string, reason: string) =>
      narrowing(db, by, async (change) => {
        return (await steps.setStatus(change, id, { status: 'blocked', reason })).agent;
      }),
    unblock: (by: string, id: string, reason?: string) =>
      narrowing(db, by, async (change) => {
        return (await steps.setStatus(change, id, { status: 'active', reason })).agent;
      }),
    retire: (by: string, id: string) => narrowing(db, by, (change) => steps.retire(change, id)),
    addCredential: (by: string, id: string, input: NewCredential): Promise<AddedCredential> =>
      widening(db, by, async (change) => {
        await requireLive(change.tx, id);
        const at = input.kind === 'jwk' ? ['jwk'] : [];
        return credentials.add(change, { noun: 'agent', id }, input, at);
      }),
    listCredentials: async (id: string): Promise<CredentialView[]> => {
      await requireAgent(db.orm, id);
      return credentials.list(db.orm, id);
    },
    removeCredential: (by: string, id: string, credentialId: string): Promise<void> =>
      narrowing(db, by, async (change) => {
        await requireAgent(change.tx, id);
        await credentials.remove(change, { noun: 'agent', id }, credentialId);
      }),
  };
}

function createAgentSteps(deps: AgentDeps) {
  return {
    find: findAgent,
    create: (change: Change, input: NewAgent) => create(deps, change, input),
    patch: (change: Change, id: string, patch: AgentPatch) => patchAgent(deps, change, id, patch),
    setStatus,
    retire: (change: Change, id: string) => retire(deps, change, id),
  };
}

async function requireAgent(db: Executor, id: string): Promise<AgentRow> {
  const row = await findAgent(db, id);
  if (row === undefined) throw notFound('agent', id);
  return row;
}

async function requireLive(db: Executor, id: string): Promise<AgentRow> {
  const row = await requireAgent(db, id);
  if (row.status === 'retired') throw conflict(['id'], `${id} is retired`);
  return row;
}

async function checkClients(
  deps: AgentDeps,
  db: Executor,
  wanted: readonly string[],
  known: readonly string[],
) {
  const unknown = new Set(
    await deps.unknownClients(
      db,
      wanted.filter((id) => !known.includes(id)),
    ),
  );
  throwIfAny(
    wanted.flatMap((id, index) =>
      unknown.has(id) ? [{ path: ['clients', index], message: `names no client: "${id}"` }] : [],
    ),
  );
}

/** Keys of theirs say how they prove themselves; otherwise a secret of ours. */
export const agentAuth = (input: Pick<NewAgent, 'auth' | 'jwks'>): NonNullable<NewAgent['auth']> =>
  input.auth ?? (input.jwks === undefined ? 'client_secret_basic' : 'private_key_jwt');

/** As they were written: the order is the operator's. */
const unique = (uris: readonly string[] = []): string[] => [...new Set(uris)];

async function create(deps: AgentDeps, change: Change, input: NewAgent): Promise<CreatedAgent> {
  const { jwks, ...described } = input;
  const id = input.id ?? newId('agt');
  if ((await findAgent(change.tx, id)) !== undefined) {
    throw conflict(['id'], `"${id}" is taken; ids are never used again`);
  }
  await checkClients(deps, change.tx, input.clients ?? [], []);
  const auth = agentAuth(input);
  const lists = {
    clients: sortedSet(input.clients ?? []),
    redirectUris: unique(input.redirectUris),
  };
  const agent = await insertAgent(change.tx, { ...described, ...lists, id, auth });
  const credential = await deps.credentials.issueFirst(change, { noun: 'agent', id }, auth, jwks);
  const detail = { noun: 'agent', id, name: agent.name, owner: agent.owner };
  await change.record({ type: 'registry.created', agentId: id, detail });
  return { agent, credential };
}

async function patchAgent(
  deps: AgentDeps,
  change: Change,
  id: string,
  patch: AgentPatch,
): Promise<{ agent: AgentRow; fields: string[] }> {
  const row = await requireLive(change.tx, id);
  const values = {
    ...patch,
    ...(patch.clients === undefined ? {} : { clients: sortedSet(patch.clients) }),
    ...(patch.redirectUris === undefined ? {} : { redirectUris: unique(patch.redirectUris) }),
  };
  const fields = changedFields(row, values);
  if (fields.length === 0) return { agent: row, fields };
  await checkClients(deps, change.tx, patch.clients ?? [], row.clients);
  const agent = await updateAgent(change.tx, id, values as Partial<AgentRow>);
  const detail = { noun: 'agent', id, name: agent.name, fields };
  await change.record({ type: 'registry.changed', agentId: id, detail });
  return { agent, fields };
}

/**
 * Blocking stops everything the agent has, at once. Unblocking lets it ask again; nothing from
 * before comes back to life.
 */
async function setStatus(
  change: Change,
  id: string,
  { status, reason }: AgentStatus,
): Promise<{ agent: AgentRow; changed: boolean }> {
  const row = await requireLive(change.tx, id);
  const blocking = status === 'blocked';
  if (blocking && reason === undefined)
    throw invalid({ path: ['reason'], message: 'must say why' });
  const statusReason = reason ?? null;
  const same = !blocking || row.statusReason === statusReason;
  if (row.status === status && same) return { agent: row, changed: false };
  const agent = await updateAgent(change.tx, id, { status, statusReason, notBefore: databaseNow });
  change.stop({
    key: id,
    always: blocking,
    reason: reason ?? (blocking ? 'agent blocked' : 'agent unblocked'),
  });
  await change.record({
    type: blocking ? 'agent.blocked' : 'agent.unblocked',
    agentId: id,
    detail: { noun: 'agent', id, name: agent.name, ...(reason === undefined ? {} : { reason }) },
  });
  return { agent, changed: true };
}

async function retire(deps: AgentDeps, change: Change, id: string): Promise<void> {
  const row = await requireLive(change.tx, id);
  await updateAgent(change.tx, id, { status: 'retired', notBefore: databaseNow });
  await deps.credentials.removeAll(change, { noun: 'agent', id });
  change.stop({ key: id, always: true, reason: 'agent retired' });
  await change.record({
    type: 'registry.retired',
    agentId: id,
    detail: { noun: 'agent', id, name: row.name },
  });
}
