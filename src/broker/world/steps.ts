/**
 * What each entry of a world file becomes: a creation, a change, or nothing. A thing the file names
 * becomes what the file says, and a field left out takes its default; except status, password and
 * jwks, which are about life and not description, and are then left alone. What the file does not
 * name is never touched.
 */

import type { Registry } from '../admin/registry.js';
import { AGENT_TEXTS, type AgentStatus } from '../agents/schema.js';
import { agentAuth } from '../agents/service.js';
import type { Jwks } from '../clients/credential-schema.js';
import type { AddedCredential, CredentialOwner } from '../clients/credentials.js';
import { clientAuth } from '../clients/service.js';
import type { NewRole, Permission } from '../permissions/schema.js';
import type { Change } from '../registry/change.js';
import { invalid } from '../registry/refusal.js';
import type { NewResource } from '../resources/schema.js';
import type { NewUser } from '../users/schema.js';
import type { WorldAgent, WorldClient } from './schema.js';

/** Passwords compared and hashed before any lock is taken; remembered for the length of one apply. */
export interface Passwords {
  matches(storedHash: string | null, password: string): Promise<boolean>;
  hash(email: string, password: string): Promise<string>;
}

/** Known now, never again. */
export interface GeneratedSecret {
  readonly principal: string;
  readonly credential: string;
  readonly secret: string;
}

export interface Run {
  readonly registry: Registry;
  readonly change: Change;
  readonly passwords: Passwords;
  readonly secrets: GeneratedSecret[];
  /** Principal and resource of every permission so far, as they are stored. */
  readonly permitted: Set<string>;
}

/** `created`, or the fields that changed (none: unchanged). */
export type Outcome = 'created' | readonly string[];

const DEFAULT_TTL_SECONDS = 300;

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
  const patch = { description: role.description ?? null };
  return (await steps.patch(change, role.name, patch)).fields;
}

export async function applyClient(run: Run, entry: WorldClient): Promise<Outcome> {
  const { registry, change } = run;
  const { steps } = registry.clients;
  const row = await steps.find(change.tx, entry.id);
  if (row === undefined) {
    const { client, credential } = await steps.create(change, entry);
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
  const patch = { name: entry.name, redirectUris: entry.redirectUris ?? [], auth };
  const { fields } = await steps.patch(change, entry.id, patch);
  const owner = { noun: 'client', id: entry.id } as const;
  return [...fields, ...(await applyKeys(run, owner, auth, entry.jwks, fields))];
}

export async function applyAgent(run: Run, entry: WorldAgent): Promise<Outcome> {
  const { registry, change } = run;
  const { steps } = registry.agents;
  const { status, statusReason = 'world file', ...input } = entry;
  const row = await steps.find(change.tx, entry.id);
  const reach = async (from: string, why: string | null): Promise<string[]> => {
    const same = status === from && (entry.statusReason ?? why) === why;
    if (status === undefined || same) return [];
    const wanted = { status, reason: statusReason } as AgentStatus;
    return (await steps.setStatus(change, entry.id, wanted)).changed ? ['status'] : [];
  };
  if (row === undefined) {
    const first = status === 'draft' || status === 'retired' ? 'draft' : 'active';
    const { agent, credential } = await steps.create(change, { ...input, status: first });
    if (status !== 'retired') keep(run, agent.id, credential);
    await reach(first, null);
    return 'created';
  }
  // History is not described anew: that it is over is all there is to agree about.
  if (row.status === 'retired' && status === 'retired') return [];
  const auth = agentAuth(entry);
  const { fields } = await steps.patch(change, entry.id, {
    ...Object.fromEntries(AGENT_TEXTS.map((name) => [name, entry[name] ?? null])),
    name: entry.name,
    owner: entry.owner,
    tags: entry.tags ?? [],
    clients: entry.clients ?? [],
    redirectUris: entry.redirectUris ?? [],
    takesWorkFrom: entry.takesWorkFrom ?? [],
    auth,
  });
  const owner = { noun: 'agent', id: entry.id } as const;
  const keys = await applyKeys(run, owner, auth, entry.jwks, fields);
  return [...fields, ...keys, ...(await reach(row.status, row.statusReason))];
}

/** Keys become those of the file; a principal that now needs a secret and has none is given one. */
async function applyKeys(
  run: Run,
  owner: CredentialOwner,
  auth: string,
  jwks: Jwks | undefined,
  changed: readonly string[],
): Promise<string[]> {
  const { registry, change } = run;
  if (jwks !== undefined) {
    if (auth !== 'private_key_jwt') {
      throw invalid({
        path: ['jwks'],
        message: `is of no use to ${auth}: only to private_key_jwt`,
      });
    }
    return (await registry.credentials.syncKeys(change, owner, jwks, ['jwks'])) ? ['jwks'] : [];
  }
  const needsSecret = changed.includes('auth') && auth.startsWith('client_secret_');
  if (!needsSecret || (await registry.credentials.hasSecret(change.tx, owner.id))) return [];
  keep(run, owner.id, await registry.credentials.add(change, owner, { kind: 'secret' }));
  return [];
}

export async function applyUser(run: Run, { password, ...entry }: NewUser): Promise<Outcome> {
  const { registry, change, passwords } = run;
  const { steps } = registry.users;
  const row = await steps.findByEmail(change.tx, entry.email);
  const isNew =
    password !== undefined && !(await passwords.matches(row?.passwordHash ?? null, password));
  const passwordHash = isNew ? await passwords.hash(entry.email, password) : undefined;
  if (row === undefined) {
    await steps.create(change, { ...entry, passwordHash });
    return 'created';
  }
  const { email, name, roles = [] } = entry;
  return (await steps.patch(change, row.id, { email, name, roles, passwordHash })).fields;
}

export async function applyResource(
  { registry, change }: Run,
  entry: NewResource,
): Promise<Outcome> {
  const { steps } = registry.resources;
  if ((await steps.find(change.tx, entry.identifier)) === undefined) {
    await steps.create(change, entry);
    return 'created';
  }
  const { fields } = await steps.patch(change, entry.identifier, {
    name: entry.name,
    scopes: entry.scopes,
    tools: entry.tools ?? {},
    client: entry.client ?? null,
    clients: entry.clients ?? null,
    signingAlg: entry.signingAlg ?? 'ES256',
    tokenTtlSeconds: entry.tokenTtlSeconds ?? DEFAULT_TTL_SECONDS,
  });
  return fields;
}

export async function applyPermission(
  { registry, change, permitted }: Run,
  entry: Permission,
): Promise<Outcome> {
  const { principal, created, fields } = await registry.permissions.steps.set(change, entry);
  // An id and an address, or two spellings of one: the parser cannot know that they are the same.
  const pair = `${principal} at ${entry.resource}`;
  if (permitted.has(pair))
    throw invalid({ path: ['principal'], message: `is here twice: "${pair}"` });
  permitted.add(pair);
  return created ? 'created' : fields;
}
