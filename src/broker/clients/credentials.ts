/**
 * Credentials of agents and clients: added, listed, removed. A secret is generated here, returned
 * once and kept as a hash; a key is public, good (`public-key.ts`) and nobody else's. Removing one
 * stops every token it obtained. Reads no request and knows no agent or client beyond its id.
 */
import type { Executor } from '../db/database.js';
import { type Change, isSame } from '../registry/change.js';
import { conflict, type FieldPath, invalid, notFound } from '../registry/refusal.js';
import {
  type AddedCredential,
  type CredentialDeps,
  type CredentialOwner,
  type CredentialView,
  issue,
  viewOf,
} from './credential-issue.js';
import { thumbprintOf } from './credential-keys.js';
import type { Jwks, NewCredential } from './credential-schema.js';
import { describeKey, liveCredentials, removeCredentialRow } from './credential-store.js';

export type {
  AddedCredential,
  CredentialDeps,
  CredentialOwner,
  CredentialView,
} from './credential-issue.js';

export interface CredentialFilter {
  readonly expiringWithinSeconds?: number | undefined;
}

/** How an agent or client proves itself at the token endpoint. */
export type AuthMethod =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'attest_jwt_client_auth';

export type CredentialSteps = ReturnType<typeof createCredentialSteps>;

export function createCredentialSteps(deps: CredentialDeps) {
  return {
    /** Part of creating a principal, which is the event. */
    issueFirst: (
      change: Change,
      owner: CredentialOwner,
      auth: AuthMethod,
      jwks: Jwks | undefined,
    ) => issueFirst(deps, change, owner, auth, jwks),
    hasSecret: async (db: Executor, principal: string): Promise<boolean> =>
      (await liveCredentials(db, principal)).some(
        ({ kind, expired }) => kind === 'secret' && !expired,
      ),
    add: (change: Change, owner: CredentialOwner, input: NewCredential, at: FieldPath = []) =>
      add(deps, change, owner, input, at),
    list: async (
      db: Executor,
      principal: string,
      filter: CredentialFilter = {},
    ): Promise<CredentialView[]> =>
      (await liveCredentials(db, principal, filter.expiringWithinSeconds)).map(viewOf),
    remove,
    removeAll,
    syncKeys: (change: Change, owner: CredentialOwner, jwks: Jwks, at: FieldPath) =>
      syncKeys(deps, change, owner, jwks, at),
  };
}

type Deps = CredentialDeps;

const auditColumn = (owner: CredentialOwner) =>
  owner.noun === 'agent' ? { agentId: owner.id } : { clientId: owner.id };

/** What the method needs to begin with: a secret of ours, keys of theirs, or nothing. */
async function issueFirst(
  deps: Deps,
  change: Change,
  owner: CredentialOwner,
  auth: AuthMethod,
  jwks: Jwks | undefined,
): Promise<AddedCredential | undefined> {
  const needsKeys = auth === 'private_key_jwt';
  if (needsKeys && (jwks === undefined || jwks.keys.length === 0)) {
    throw invalid({ path: ['jwks'], message: 'must hold at least one key for private_key_jwt' });
  }
  if (!needsKeys && jwks !== undefined && jwks.keys.length > 0) {
    throw invalid({ path: ['jwks'], message: `is of no use to ${auth}: only to private_key_jwt` });
  }
  for (const [index, jwk] of (jwks?.keys ?? []).entries()) {
    await issue(deps, change, owner, { kind: 'jwk', jwk }, ['jwks', 'keys', index]);
  }
  // A certificate or an attester is added when there is somebody to add it to.
  if (!auth.startsWith('client_secret_')) return undefined;
  return issue(deps, change, owner, { kind: 'secret' }, []);
}

async function add(
  deps: Deps,
  change: Change,
  owner: CredentialOwner,
  input: NewCredential,
  at: FieldPath,
): Promise<AddedCredential> {
  const added = await issue(deps, change, owner, input, at);
  const detail = {
    noun: owner.noun,
    id: owner.id,
    credential: added.id,
    kind: added.kind,
    ...(added.name === null ? {} : { name: added.name }),
    ...(added.expiresAt === null ? {} : { expires_at: added.expiresAt.toISOString() }),
    ...(input.replaces === undefined
      ? {}
      : { replaces: input.replaces, overlap_seconds: input.overlapSeconds }),
  };
  await change.record({ type: 'credential.added', ...auditColumn(owner), detail });
  return added;
}

/** Removes one credential: what it obtained dies with it. Narrowing. */
async function remove(change: Change, owner: CredentialOwner, id: string): Promise<void> {
  const removed = await removeCredentialRow(change.tx, owner.id, id);
  if (removed === undefined) throw notFound('credential', id);
  const ends = { kind: 'credential', id, principal: owner.id } as const;
  change.stop({ key: id, always: true, reason: 'credential removed', ends });
  await change.recordStop({
    type: 'credential.removed',
    ...auditColumn(owner),
    detail: { noun: owner.noun, id: owner.id, credential: id, kind: removed.kind },
  });
}

/** Part of retiring a principal, whose own stop covers its tokens. */
async function removeAll(change: Change, owner: CredentialOwner): Promise<void> {
  for (const { id } of await liveCredentials(change.tx, owner.id)) {
    await removeCredentialRow(change.tx, owner.id, id);
  }
}

/** Makes the principal's keys exactly these. Narrowing. @returns whether anything changed */
async function syncKeys(
  deps: Deps,
  change: Change,
  owner: CredentialOwner,
  jwks: Jwks,
  at: FieldPath,
): Promise<boolean> {
  const live = (await liveCredentials(change.tx, owner.id)).filter(({ kind }) => kind === 'jwk');
  const wanted = new Map<string, number>();
  for (const [index, jwk] of jwks.keys.entries()) {
    const thumbprint = await thumbprintOf(jwk, [...at, 'keys', index]);
    if (wanted.has(thumbprint)) {
      throw conflict([...at, 'keys', index], 'is the same key as another one in this list');
    }
    if (jwk.kid !== undefined && jwks.keys.findIndex(({ kid }) => kid === jwk.kid) < index) {
      throw conflict([...at, 'keys', index, 'kid'], 'is the name of another key in this list');
    }
    wanted.set(thumbprint, index);
  }
  const gone = live.filter(({ thumbprint }) => !wanted.has(thumbprint ?? ''));
  for (const { id } of gone) await remove(change, owner, id);
  let described = false;
  for (const { id, thumbprint, jwk: known } of live) {
    const jwk = jwks.keys[wanted.get(thumbprint ?? '') ?? -1];
    wanted.delete(thumbprint ?? '');
    if (jwk === undefined || isSame(known, jwk)) continue;
    await describeKey(change.tx, id, jwk);
    described = true;
  }
  if (described) {
    const detail = { noun: owner.noun, id: owner.id, fields: ['jwks'] };
    await change.record({ type: 'registry.changed', ...auditColumn(owner), detail });
  }
  for (const index of wanted.values()) {
    const jwk = jwks.keys[index];
    if (jwk === undefined) continue;
    await add(deps, change, owner, { kind: 'jwk', jwk }, [...at, 'keys', index]);
  }
  return described || gone.length > 0 || wanted.size > 0;
}
