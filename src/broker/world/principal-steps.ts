/**
 * Agents, clients, users and roles of a world file, and what ties them to each other: who a client
 * acts as, and whom an agent takes work from, may stand further down in the file, so those are
 * looked at when all of them exist.
 */
import { AGENT_TEXTS, type AgentStatus } from '../agents/schema.js';
import { agentAuth } from '../agents/service.js';
import type { Jwks } from '../clients/credential-schema.js';
import type { AddedCredential, CredentialOwner } from '../clients/credentials.js';
import { isDocumentId } from '../clients/document-policy.js';
import { profileOf } from '../clients/profile.js';
import { CLIENT_WORDS } from '../clients/schema.js';
import { clientAuth, clientMayExchange } from '../clients/service.js';
import type { NewRole } from '../permissions/schema.js';
import { invalid, isRefusal } from '../registry/refusal.js';
import type { WorldAgent, WorldClient, WorldUser } from './schema.js';
import { type Drift, driftOf, type Outcome, type Run } from './steps.js';

/** A reason the file does not give. */
const BY_FILE = 'world file';

function keep(run: Run, principal: string, added: AddedCredential | undefined): void {
  if (added?.secret === undefined) return;
  run.secrets.push({ principal, credential: added.id, secret: added.secret });
}

export async function applyRole({ registry, change }: Run, role: NewRole): Promise<Outcome> {
  const { steps } = registry.roles;
  if ((await steps.find(change.tx, role.name)) === undefined) {
    await steps.create(change, role);
    return 'created';
  }
  const wanted = { description: role.description ?? null };
  const { before, role: after, fields } = await steps.patch(change, role.name, wanted);
  return driftOf(before, after, fields);
}

export async function applyClient(run: Run, entry: WorldClient): Promise<Outcome> {
  const { registry, change } = run;
  const { steps } = registry.clients;
  const { agent, workloads: _later, ...input } = entry;
  const row = await steps.find(change.tx, entry.id);
  if (row === undefined) {
    const { client, credential } = await steps.create(change, input);
    keep(run, client.id, credential);
    return 'created';
  }
  if (row.kind !== entry.kind) {
    throw invalid({
      path: ['kind'],
      message: `cannot change: ${entry.id} is a client of kind ${row.kind}`,
    });
  }
  const auth = clientAuth(entry);
  // A document says the rest.
  const wanted = isDocumentId(entry.id)
    ? { ...(agent === undefined ? { agentId: null } : {}) }
    : {
        ...Object.fromEntries(CLIENT_WORDS.map((name) => [name, entry[name] ?? null])),
        name: entry.name,
        redirectUris: entry.redirectUris ?? [],
        requirePar: entry.requirePar ?? false,
        requireSignedRequest: entry.requireSignedRequest ?? false,
        mayExchange: clientMayExchange(auth, entry.mayExchange),
        ...profileOf(entry),
        auth,
        // A client that becomes public is let go first.
        ...(agent === undefined ? { agentId: null } : {}),
      };
  const patching = steps.patch(change, entry.id, wanted).catch(named('agent'));
  const { client, fields } = await patching;
  const owner = { noun: 'client', id: entry.id } as const;
  const keys = await applyKeys(run, owner, auth, entry.jwks, fields);
  return [...asWritten(driftOf(row, client, fields)), ...keys];
}

/** Binds a client to its agent, once the agent says that it accepts it. */
export async function bindClient(
  { registry, change }: Run,
  { id, agent }: WorldClient,
): Promise<Outcome> {
  if (agent === undefined) return [];
  const wanted = { agentId: agent };
  const bound = await registry.clients.steps.patch(change, id, wanted).catch(named('agent'));
  return asWritten(driftOf(bound.before, bound.client, bound.fields));
}

/** The file says `agent` where the API says `agent_id`. */
const asWritten = (drift: readonly Drift[]): Drift[] =>
  drift.map((one) => (one.field === 'agentId' ? { ...one, field: 'agent' } : one));

const named =
  (field: string) =>
  (error: unknown): never => {
    if (!isRefusal(error)) throw error;
    throw invalid(
      ...error.problems.map((one) => (one.path[0] === 'agentId' ? { ...one, path: [field] } : one)),
    );
  };

export async function applyAgent(run: Run, entry: WorldAgent): Promise<Outcome> {
  const { registry, change } = run;
  const { steps } = registry.agents;
  const { status, statusReason, takesWorkFrom: _later, workloads: _last, ...input } = entry;
  const row = await steps.find(change.tx, entry.id);
  if (row === undefined) {
    const first = status === 'draft' || status === 'retired' ? 'draft' : 'active';
    const { agent, credential } = await steps.create(change, { ...input, status: first });
    if (status !== 'retired') keep(run, agent.id, credential);
    await reachStatus(run, entry, { status: first, statusReason: null });
    return 'created';
  }
  // History is not described anew: that it is over is all there is to agree about.
  if (row.status === 'retired' && status === 'retired') return [];
  const auth = agentAuth(entry);
  const { agent, fields } = await steps.patch(change, entry.id, {
    ...Object.fromEntries(AGENT_TEXTS.map((name) => [name, entry[name] ?? null])),
    name: entry.name,
    owner: entry.owner,
    tags: entry.tags ?? [],
    clients: entry.clients ?? [],
    redirectUris: entry.redirectUris ?? [],
    requirePar: entry.requirePar ?? false,
    requireSignedRequest: entry.requireSignedRequest ?? false,
    mayExchange: entry.mayExchange ?? true,
    ...profileOf(entry),
    auth,
  });
  const owner = { noun: 'agent', id: entry.id } as const;
  const keys = await applyKeys(run, owner, auth, entry.jwks, fields);
  return [...driftOf(row, agent, fields), ...keys, ...(await reachStatus(run, entry, row))];
}

/** A status is reached by a step; one the file does not name is left alone. */
async function reachStatus(
  { registry, change }: Run,
  { id, status, statusReason }: WorldAgent,
  row: { readonly status: string; readonly statusReason: string | null },
): Promise<Drift[]> {
  const same = status === row.status && (statusReason ?? row.statusReason) === row.statusReason;
  if (status === undefined || same) return [];
  const wanted = { status, reason: statusReason ?? BY_FILE } as AgentStatus;
  const { agent, changed } = await registry.agents.steps.setStatus(change, id, wanted);
  return changed ? statusDrift(row, agent) : [];
}

type Standing = { readonly status: string; readonly statusReason: string | null };
const statusDrift = (before: Standing, after: Standing): Drift[] =>
  driftOf(
    before,
    after,
    (['status', 'statusReason'] as const).filter((field) => before[field] !== after[field]),
  );

/** Names whom the agent takes work from, once all of them are there. */
export async function linkAgent(
  { registry, change }: Run,
  { id, status, takesWorkFrom = [] }: WorldAgent,
): Promise<Outcome> {
  if (status === 'retired') return [];
  const linked = await registry.agents.steps.patch(change, id, { takesWorkFrom });
  return driftOf(linked.before, linked.agent, linked.fields);
}

/** Keys become those of the file; a principal that now needs a secret and has none is given one. */
async function applyKeys(
  run: Run,
  owner: CredentialOwner,
  auth: string,
  jwks: Jwks | undefined,
  changed: readonly PropertyKey[],
): Promise<Drift[]> {
  const { registry, change } = run;
  if (jwks !== undefined) {
    if (auth !== 'private_key_jwt') {
      throw invalid({
        path: ['jwks'],
        message: `is of no use to ${auth}: only to private_key_jwt`,
      });
    }
    const from = await keysOf(run, owner);
    if (!(await registry.credentials.syncKeys(change, owner, jwks, ['jwks']))) return [];
    return [{ field: 'jwks', from, to: await keysOf(run, owner) }];
  }
  const needsSecret = changed.includes('auth') && auth.startsWith('client_secret_');
  if (!needsSecret || (await registry.credentials.hasSecret(change.tx, owner.id))) return [];
  keep(run, owner.id, await registry.credentials.add(change, owner, { kind: 'secret' }));
  return [];
}

/** Keys are public: told by thumbprint (RFC 7638), and by name where there is one. */
async function keysOf({ registry, change }: Run, owner: CredentialOwner): Promise<string[]> {
  const known = await registry.credentials.list(change.tx, owner.id);
  return known.flatMap(({ kind, kid, thumbprint }) =>
    kind === 'jwk' ? [[thumbprint, kid].filter((part) => part !== null).join(' ')] : [],
  );
}

export async function applyUser(run: Run, entry: WorldUser): Promise<Outcome> {
  const { registry, change, passwords } = run;
  const { password, status, statusReason, identities: _later, ...input } = entry;
  const { steps } = registry.users;
  const row = await steps.findByEmail(change.tx, entry.email);
  const isNew =
    password !== undefined && !(await passwords.matches(row?.passwordHash ?? null, password));
  const passwordHash = isNew ? await passwords.hash(entry.email, password) : undefined;
  const reach = async (known: Standing & { readonly id: string }): Promise<Drift[]> => {
    const same =
      status === known.status && (statusReason ?? known.statusReason) === known.statusReason;
    if (status === undefined || same) return [];
    const wanted = { status, reason: statusReason ?? BY_FILE };
    const { user, changed } = await steps.setStatus(change, known.id, wanted);
    return changed ? statusDrift(known, user) : [];
  };
  if (row === undefined) {
    await reach(await steps.create(change, { ...input, passwordHash }));
    return 'created';
  }
  const { email, name, roles = [] } = input;
  const wanted = { email, name, roles, passwordHash };
  const { user, fields } = await steps.patch(change, row.id, wanted);
  // That a password differs is all that is ever said of one.
  const told = fields.filter((field) => field !== 'password');
  const secret = fields.length === told.length ? [] : [{ field: 'password' }];
  return [...driftOf(row, user, told), ...secret, ...(await reach(row))];
}
