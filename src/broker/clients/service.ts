/**
 * Clients that are not agents: apps, which sign users in, and services, which act by themselves.
 * Each operation is one transaction with one audit event; `steps` are the same operations inside
 * somebody else's transaction. Knows nothing of what a client may get.
 */

import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';
import {
  type Change,
  changedFields,
  databaseNow,
  narrowing,
  stopping,
  widening,
} from '../registry/change.js';
import { stopExchanged, stopLive } from '../registry/live-tokens.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, notFound, throwIfAny } from '../registry/refusal.js';
import type { Receipt } from '../revocation/receipt.js';
import { credentialField, type NewCredential } from './credential-schema.js';
import type {
  AddedCredential,
  CredentialFilter,
  CredentialSteps,
  CredentialView,
} from './credentials.js';
import { isDocumentId } from './document-policy.js';
import { profileProblems, stopUnbound } from './profile.js';
import {
  checkBinding,
  documentClientProblems,
  documentPatchProblems,
  kindProblems,
} from './rules.js';
import type { ClientPatch, NewClient } from './schema.js';
import {
  activeClients,
  type ClientFilter,
  type ClientRow,
  type ClientValues,
  endRegistration,
  findClient,
  insertClient,
  listClientRows,
  updateClient,
} from './store.js';

export interface ClientDeps {
  readonly db: Database;
  readonly credentials: CredentialSteps;
  /** The clients an agent that is not retired accepts; `undefined`: there is none such. */
  readonly acceptedBy: (db: Executor, agentId: string) => Promise<readonly string[] | undefined>;
}

export interface CreatedClient {
  readonly client: ClientRow;
  readonly credential: AddedCredential | undefined;
}

/** RFC 7591 §2: what it says it is a copy of. */
export interface Software {
  readonly softwareId?: string | null | undefined;
  readonly softwareVersion?: string | null | undefined;
}

/** A client no operator put here: by what way it came, for its row and for the audit. */
export interface Arrived extends Software {
  readonly origin: 'registration' | 'document';
  readonly detail?: Readonly<Record<string, unknown>>;
}

export type Clients = ReturnType<typeof createClients>;

export function createClients(deps: ClientDeps) {
  const { db, credentials } = deps;
  const steps = {
    find: findClient,
    create: (change: Change, input: NewClient, arrived?: Arrived) =>
      create(deps, change, input, arrived),
    patch: (change: Change, id: string, patch: ClientPatch & Software) =>
      patchClient(deps, change, id, patch),
    retire: (change: Change, id: string, reason?: string) => retire(deps, change, id, reason),
    unknown: unknownClients,
  };
  return {
    steps,
    create: (by: string, input: NewClient) =>
      widening(db, by, (change) => steps.create(change, input)),
    get: (id: string) => requireClient(db.orm, id),
    list: async (request: PageRequest & ClientFilter = {}): Promise<Page<ClientRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listClientRows(db.orm, request, after, take), take, ({ id }) => id);
    },
    patch: (by: string, id: string, patch: ClientPatch) =>
      narrowing(db, by, async (change) => (await steps.patch(change, id, patch)).client),
    retire: async (by: string, id: string): Promise<Receipt> =>
      (await stopping(db, by, (change) => steps.retire(change, id))).receipt,
    addCredential: (by: string, id: string, input: NewCredential): Promise<AddedCredential> =>
      widening(db, by, async (change) => {
        const client = await requireLive(change.tx, id);
        refuseDocuments(id);
        if (client.auth === 'none') throw conflict([], `${id} is a public client (auth: none)`);
        const at = credentialField(input.kind);
        return credentials.add(change, { noun: 'client', id }, input, at);
      }),
    listCredentials: async (id: string, filter?: CredentialFilter): Promise<CredentialView[]> => {
      await requireClient(db.orm, id);
      return credentials.list(db.orm, id, filter);
    },
    removeCredential: async (by: string, id: string, credentialId: string): Promise<Receipt> => {
      const { receipt } = await stopping(db, by, async (change) => {
        await requireClient(change.tx, id);
        refuseDocuments(id);
        await credentials.remove(change, { noun: 'client', id }, credentialId);
      });
      return receipt;
    },
  };
}

async function requireClient(db: Executor, id: string): Promise<ClientRow> {
  const row = await findClient(db, id);
  if (row === undefined) throw notFound('client', id);
  return row;
}

async function requireLive(db: Executor, id: string): Promise<ClientRow> {
  const row = await requireClient(db, id);
  if (row.status === 'retired') throw conflict(['id'], `${id} is retired`);
  return row;
}

const refuseDocuments = (id: string): void => {
  if (!isDocumentId(id)) return;
  throw conflict([], 'its keys are what its document says: retire the client to stop all of them');
};

async function unknownClients(db: Executor, ids: readonly string[]): Promise<string[]> {
  const known = new Set((await activeClients(db, ids)).map(({ id }) => id));
  return ids.filter((id) => !known.has(id));
}

/** RFC 8693 §5: whoever exchanges authenticates; they all may, unless it is said. */
export const clientMayExchange = (auth: string, wanted: boolean | undefined): boolean =>
  wanted ?? auth !== 'none';

/** How a client proves itself unless it says so. */
export const clientAuth = (
  input: Pick<NewClient, 'auth' | 'jwks' | 'kind'>,
): NonNullable<NewClient['auth']> => {
  if (input.auth !== undefined) return input.auth;
  if (input.jwks !== undefined) return 'private_key_jwt';
  return input.kind === 'app' ? 'none' : 'client_secret_basic';
};

async function create(
  deps: ClientDeps,
  change: Change,
  input: NewClient,
  arrived?: Arrived,
): Promise<CreatedClient> {
  const { jwks, ...described } = input;
  const { detail: how, ...origin } = arrived ?? {};
  const id = input.id ?? newId('cli');
  throwIfAny(documentClientProblems(id, input));
  const auth = clientAuth(input);
  const values = {
    ...described,
    ...origin,
    auth,
    redirectUris: [...new Set(input.redirectUris ?? [])],
    mayExchange: clientMayExchange(auth, input.mayExchange),
  };
  throwIfAny([...kindProblems(input.kind, { ...values, id }), ...profileProblems(values)]);
  if ((await findClient(change.tx, id)) !== undefined) {
    throw conflict(['id'], `"${id}" is taken; ids are never used again`);
  }
  const client = await insertClient(change.tx, { ...values, id });
  const owner = { noun: 'client', id } as const;
  const credential = await deps.credentials.issueFirst(change, owner, auth, jwks);
  const detail = { noun: 'client', id, name: client.name, kind: client.kind, ...how };
  await change.record({ type: 'registry.created', clientId: id, detail });
  return { client, credential };
}

async function patchClient(
  deps: ClientDeps,
  change: Change,
  id: string,
  patch: ClientPatch & Software,
): Promise<{ before: ClientRow; client: ClientRow; fields: string[] }> {
  const row = await requireLive(change.tx, id);
  const values: ClientPatch & Software = {
    ...patch,
    ...(patch.redirectUris && { redirectUris: [...new Set(patch.redirectUris)] }),
    // Nobody proves anything for a client that becomes public.
    ...(patch.auth === 'none' && { mayExchange: patch.mayExchange ?? false }),
  };
  const fields = changedFields(row, values);
  if (patch.agentId) await checkBinding(deps.acceptedBy, change, id, patch.agentId);
  if (fields.length === 0) return { before: row, client: row, fields };
  throwIfAny(documentPatchProblems(id, fields));
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const whole: ClientRow = { ...row, ...Object.fromEntries(given) };
  throwIfAny([...kindProblems(row.kind, whole), ...profileProblems(whole)]);
  const unbinds = row.agentId !== null && fields.includes('agentId');
  const client = await updateClient(change.tx, id, values as Partial<ClientValues>);
  if (row.agentId !== null && unbinds) {
    // Nor does a grant survive it, should the binding come back before anybody looks (§8a); not one
    // either that was decided on it and is written while this is under way.
    change.whenClosed(async () => {
      await updateClient(change.tx, id, { notBefore: databaseNow });
    });
    const reason = `${id} acts as ${row.agentId} no more`;
    stopLive(change, { clientId: id, agentId: row.agentId }, reason);
    change.end({ kind: 'grants', client: id, since: row.notBefore });
  }
  stopExchanged(change, row, client);
  stopUnbound(change, row, client);
  const detail = { noun: 'client', id, name: client.name, fields };
  await change.recordStop({ type: 'registry.changed', clientId: id, detail });
  return { before: row, client, fields };
}

async function retire(
  deps: ClientDeps,
  change: Change,
  id: string,
  reason?: string,
): Promise<void> {
  const row = await requireLive(change.tx, id);
  await endRegistration(change.tx, id);
  await updateClient(change.tx, id, { status: 'retired', notBefore: databaseNow });
  await deps.credentials.removeAll(change, { noun: 'client', id });
  const ends = { kind: 'client', id, reach: 'consents', since: row.notBefore } as const;
  change.stop({ key: id, always: true, reason: reason ?? 'client retired', ends });
  await change.recordStop({
    type: 'registry.retired',
    clientId: id,
    detail: { noun: 'client', id, name: row.name, ...(reason === undefined ? {} : { reason }) },
  });
}
