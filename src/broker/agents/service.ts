/**
 * Agents: identities that act. Registered, described, paused, blocked, retired (`status.ts`); never
 * deleted, and no id is used twice. Each operation is one transaction with one audit event; `steps`
 * are the same operations inside somebody else's transaction. Decides nothing about tokens.
 */

import { credentialField, type NewCredential } from '../clients/credential-schema.js';
import type {
  AddedCredential,
  CredentialFilter,
  CredentialSteps,
  CredentialView,
} from '../clients/credentials.js';
import { profileProblems, stopUnbound } from '../clients/profile.js';
import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';
import {
  type Change,
  changedFields,
  databaseNow,
  narrowing,
  type Stopped,
  sortedLists,
  stopping,
  stoppingAtOnce,
  widening,
} from '../registry/change.js';
import { stopExchanged, stopLive } from '../registry/live-tokens.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, type FieldProblem, notFound, throwIfAny } from '../registry/refusal.js';
import type { Receipt } from '../revocation/receipt.js';
import type { AgentPatch, AgentStatus, NewAgent } from './schema.js';
import { retire, setStatus } from './status.js';
import {
  type AgentFilter,
  type AgentRow,
  type AgentValues,
  findAgent,
  insertAgent,
  listAgentRows,
  liveAgents,
  lockAgent,
  updateAgent,
} from './store.js';

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
  const toStatus = (by: string, id: string, status: AgentStatus): Promise<Stopped<AgentRow>> => {
    // Whoever is stopped does not wait for a world file to be applied.
    const run = status.status === 'retired' ? stopping : stoppingAtOnce;
    return run(db, by, async (change) => (await steps.setStatus(change, id, status)).agent);
  };
  return {
    steps,
    create: (by: string, input: NewAgent) =>
      widening(db, by, (change) => steps.create(change, input)),
    get: (id: string) => requireAgent(db.orm, id),
    list: async (request: PageRequest & AgentFilter = {}): Promise<Page<AgentRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listAgentRows(db.orm, request, after, take), take, ({ id }) => id);
    },
    patch: (by: string, id: string, patch: AgentPatch) =>
      narrowing(db, by, async (change) => (await steps.patch(change, id, patch)).agent),
    setStatus: toStatus,
    block: async (by: string, id: string, reason: string): Promise<AgentRow> =>
      (await toStatus(by, id, { status: 'blocked', reason })).result,
    unblock: async (by: string, id: string, reason?: string): Promise<AgentRow> =>
      (await toStatus(by, id, { status: 'active', reason })).result,
    retire: async (by: string, id: string): Promise<Receipt> =>
      (await stopping(db, by, (change) => steps.retire(change, id))).receipt,
    addCredential: (by: string, id: string, input: NewCredential): Promise<AddedCredential> =>
      widening(db, by, async (change) => {
        await requireLive(change.tx, id);
        const at = credentialField(input.kind);
        return credentials.add(change, { noun: 'agent', id }, input, at);
      }),
    listCredentials: async (id: string, filter?: CredentialFilter): Promise<CredentialView[]> => {
      await requireAgent(db.orm, id);
      return credentials.list(db.orm, id, filter);
    },
    removeCredential: async (by: string, id: string, credentialId: string): Promise<Receipt> => {
      const { receipt } = await stopping(db, by, async (change) => {
        await requireAgent(change.tx, id);
        await credentials.remove(change, { noun: 'agent', id }, credentialId);
      });
      return receipt;
    },
  };
}

function createAgentSteps(deps: AgentDeps) {
  return {
    find: findAgent,
    create: (change: Change, input: NewAgent) => create(deps, change, input),
    patch: (change: Change, id: string, patch: AgentPatch) => patchAgent(deps, change, id, patch),
    setStatus: async (change: Change, id: string, status: AgentStatus) =>
      setStatus(deps, change, await requireLocked(change.tx, id), status),
    retire: async (change: Change, id: string): Promise<void> => {
      await retire(deps, change, await requireLocked(change.tx, id));
    },
  };
}

async function requireAgent(db: Executor, id: string): Promise<AgentRow> {
  const row = await findAgent(db, id);
  if (row === undefined) throw notFound('agent', id);
  return row;
}

async function requireLocked(tx: Executor, id: string): Promise<AgentRow> {
  const row = await lockAgent(tx, id);
  if (row === undefined) throw notFound('agent', id);
  return row;
}

async function requireLive(db: Executor, id: string): Promise<AgentRow> {
  const row = await requireAgent(db, id);
  if (row.status === 'retired') throw conflict(['id'], `${id} is retired`);
  return row;
}

/** What the lists name must be there; what was there before may stay. */
async function checkLists(
  deps: AgentDeps,
  db: Executor,
  id: string,
  wanted: Pick<AgentPatch, 'clients' | 'takesWorkFrom'>,
  known: Pick<AgentRow, 'clients' | 'takesWorkFrom'>,
): Promise<void> {
  const fresh = (list: 'clients' | 'takesWorkFrom') =>
    (wanted[list] ?? []).filter((one) => !known[list].includes(one));
  const noClients = new Set(await deps.unknownClients(db, fresh('clients')));
  const noAgents = new Set(await unknownAgents(db, fresh('takesWorkFrom')));
  const problems = (list: 'clients' | 'takesWorkFrom', why: (one: string) => string | undefined) =>
    (wanted[list] ?? []).flatMap((one, index): FieldProblem[] => {
      const message = why(one);
      return message === undefined ? [] : [{ path: [list, index], message }];
    });
  throwIfAny([
    ...problems('clients', (one) => (noClients.has(one) ? `names no client: "${one}"` : undefined)),
    ...problems('takesWorkFrom', (one) => {
      if (one === id) return 'must not name the agent itself';
      return noAgents.has(one) ? `names no agent: "${one}"` : undefined;
    }),
  ]);
}

/** How it must ask can be said only of an agent that is its own client. */
function checkRequests(
  wanted: Pick<AgentPatch, 'redirectUris' | 'requirePar' | 'requireSignedRequest'>,
  known?: AgentRow,
): void {
  if ((wanted.redirectUris ?? known?.redirectUris ?? []).length > 0) return;
  const message = 'must be left out: without redirect URIs the agent signs nobody in';
  const asked = (['requirePar', 'requireSignedRequest'] as const).filter(
    (name) => wanted[name] ?? known?.[name],
  );
  throwIfAny(asked.map((name) => ({ path: [name], message })));
}

async function unknownAgents(db: Executor, ids: readonly string[]): Promise<string[]> {
  const known = new Set((await liveAgents(db, ids)).map(({ id }) => id));
  return ids.filter((id) => !known.has(id));
}

/** Keys of theirs say how they prove themselves; otherwise a secret of ours. */
export const agentAuth = (input: Pick<NewAgent, 'auth' | 'jwks'>): NonNullable<NewAgent['auth']> =>
  input.auth ?? (input.jwks === undefined ? 'client_secret_basic' : 'private_key_jwt');

/** Lists as they are stored: sorted where order means nothing; of redirects it is the operator's. */
const listed = <Input extends Partial<AgentPatch>>(input: Input): Input => ({
  ...sortedLists(input, ['clients', 'takesWorkFrom', 'tags']),
  ...(input.redirectUris === undefined ? {} : { redirectUris: [...new Set(input.redirectUris)] }),
});

async function create(deps: AgentDeps, change: Change, input: NewAgent): Promise<CreatedAgent> {
  const { jwks, ...described } = input;
  const id = input.id ?? newId('agt');
  if ((await findAgent(change.tx, id)) !== undefined) {
    throw conflict(['id'], `"${id}" is taken; ids are never used again`);
  }
  checkRequests(input);
  await checkLists(deps, change.tx, id, input, { clients: [], takesWorkFrom: [] });
  const auth = agentAuth(input);
  throwIfAny(profileProblems({ ...input, auth }));
  const agent = await insertAgent(change.tx, {
    ...listed(described),
    id,
    auth,
    statusBy: change.by,
    statusAt: databaseNow,
  });
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
): Promise<{ before: AgentRow; agent: AgentRow; fields: string[] }> {
  const row = await requireLive(change.tx, id);
  const values = listed(patch);
  const fields = changedFields(row, values);
  if (fields.length === 0) return { before: row, agent: row, fields };
  checkRequests(patch, row);
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  throwIfAny(profileProblems({ ...row, ...Object.fromEntries(given) }));
  await checkLists(deps, change.tx, id, patch, row);
  const agent = await updateAgent(change.tx, id, values as Partial<AgentValues>);
  stopWhatWasTaken(change, row, agent);
  const detail = { noun: 'agent', id, name: agent.name, fields };
  await change.recordStop({ type: 'registry.changed', agentId: id, detail });
  return { before: row, agent, fields };
}

/** Whoever may no longer front for the agent, or hand it work: their tokens with it stop; and what it may no longer exchange. */
function stopWhatWasTaken(change: Change, before: AgentRow, after: AgentRow): void {
  const { id: agentId } = before;
  for (const clientId of before.clients.filter((one) => !after.clients.includes(one))) {
    stopLive(change, { agentId, clientId }, `${clientId} may not front for ${agentId}`);
  }
  stopExchanged(change, before, after);
  stopUnbound(change, before, after);
  const edges = before.takesWorkFrom.filter((one) => !after.takesWorkFrom.includes(one));
  for (const takenFrom of edges) {
    stopLive(change, { agentId, takenFrom }, `${agentId} takes no work from ${takenFrom}`);
  }
}
