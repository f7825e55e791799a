/**
 * Credentials of agents and clients: added, listed, removed. A secret is generated here, returned
 * once and kept as a hash; a key is public, good (`public-key.ts`) and nobody else's. Removing one
 * stops every token it obtained. Reads no request and knows no agent or client beyond its id.
 */
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Executor } from '../db/database.js';
import { newId, newSecret } from '../ids.js';
import { type Change, databaseNow, isSame } from '../registry/change.js';
import { conflict, type FieldPath, invalid, notFound } from '../registry/refusal.js';
import {
  type Jwks,
  type NewCredential,
  PUBLIC_KEYS_MAX,
  type PublicJwk,
  SECRETS_MAX,
} from './credential-schema.js';
import {
  type CredentialRow,
  describeKey,
  insertCredential,
  liveCredentials,
  removeCredentialRow,
  usesOfKey,
} from './credential-store.js';
import { publicKeyProblems } from './public-key.js';

/** A credential as administrators see it. */
export interface CredentialView {
  readonly id: string;
  readonly kind: 'secret' | 'jwk';
  readonly kid: string | null;
  readonly thumbprint: string | null;
  readonly createdAt: Date;
}

/** The one moment at which a secret is known. */
export interface AddedCredential extends CredentialView {
  readonly secret?: string;
}

/** The principal a credential belongs to, and the audit column that finds it. */
export interface CredentialOwner {
  readonly noun: 'agent' | 'client';
  readonly id: string;
}

/** How an agent or client proves itself at the token endpoint. */
export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

export type CredentialSteps = ReturnType<typeof createCredentialSteps>;

export function createCredentialSteps(deps: { readonly hashSecret: (secret: string) => string }) {
  return {
    /** Part of creating a principal, which is the event. */
    issueFirst: (
      change: Change,
      owner: CredentialOwner,
      auth: AuthMethod,
      jwks: Jwks | undefined,
    ) => issueFirst(deps, change, owner, auth, jwks),
    hasSecret: async (db: Executor, principal: string): Promise<boolean> =>
      (await liveCredentials(db, principal)).some(({ kind }) => kind === 'secret'),
    add: (change: Change, owner: CredentialOwner, input: NewCredential, at: FieldPath = []) =>
      add(deps, change, owner, input, at),
    list: async (db: Executor, principal: string): Promise<CredentialView[]> =>
      (await liveCredentials(db, principal)).map(viewOf),
    remove,
    removeAll,
    syncKeys: (change: Change, owner: CredentialOwner, jwks: Jwks, at: FieldPath) =>
      syncKeys(deps, change, owner, jwks, at),
  };
}

type Deps = Parameters<typeof createCredentialSteps>[0];

const viewOf = (row: CredentialRow): CredentialView => ({
  id: row.id,
  kind: row.kind as CredentialView['kind'],
  kid: typeof row.jwk?.kid === 'string' ? row.jwk.kid : null,
  thumbprint: row.thumbprint,
  createdAt: row.createdAt,
});

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
  if (needsKeys || auth === 'none') return undefined;
  return issue(deps, change, owner, { kind: 'secret' }, []);
}

async function issue(
  { hashSecret }: Deps,
  { tx }: Change,
  owner: CredentialOwner,
  input: NewCredential,
  at: FieldPath,
): Promise<AddedCredential> {
  const live = await liveCredentials(tx, owner.id);
  const max = input.kind === 'secret' ? SECRETS_MAX : PUBLIC_KEYS_MAX;
  if (live.filter(({ kind }) => kind === input.kind).length >= max) {
    throw conflict(at, `${owner.id} already has ${max} credentials of this kind: remove one first`);
  }
  const row = { id: newId('crd'), principal: owner.id, kind: input.kind, createdAt: databaseNow };
  if (input.kind === 'secret') {
    const secret = newSecret();
    const added = await insertCredential(tx, { ...row, secretHash: hashSecret(secret) });
    return { ...viewOf(added), secret };
  }
  const thumbprint = await checkKey(tx, owner.id, input.jwk, live, at);
  return viewOf(await insertCredential(tx, { ...row, jwk: input.jwk, thumbprint }));
}

async function add(
  deps: Deps,
  change: Change,
  owner: CredentialOwner,
  input: NewCredential,
  at: FieldPath,
): Promise<AddedCredential> {
  const added = await issue(deps, change, owner, input, at);
  const detail = { noun: owner.noun, id: owner.id, credential: added.id, kind: added.kind };
  await change.record({ type: 'credential.added', ...auditColumn(owner), detail });
  return added;
}

/** A good key, under a name of its own, that nobody else has and nobody ever lost. */
async function checkKey(
  tx: Executor,
  principal: string,
  jwk: PublicJwk,
  live: readonly CredentialRow[],
  at: FieldPath,
): Promise<string> {
  const problems = publicKeyProblems(jwk);
  if (problems.length > 0) {
    throw invalid(...problems.map(({ path, message }) => ({ path: [...at, ...path], message })));
  }
  if (jwk.kid !== undefined && live.some((row) => row.jwk?.kid === jwk.kid)) {
    throw conflict([...at, 'kid'], 'is the name of another key of the same principal');
  }
  const thumbprint = await calculateJwkThumbprint(jwk as JWK, 'sha256');
  for (const use of await usesOfKey(tx, thumbprint)) {
    if (use.principal !== principal) {
      throw conflict(at, 'is the key of another principal: a key proves one identity only');
    }
    throw conflict(
      at,
      use.removedAt === null
        ? 'is already registered'
        : 'was removed before: a removed key is never good again',
    );
  }
  return thumbprint;
}

/** Removes one credential: what it obtained dies with it. Narrowing. */
async function remove(change: Change, owner: CredentialOwner, id: string): Promise<void> {
  const removed = await removeCredentialRow(change.tx, owner.id, id);
  if (removed === undefined) throw notFound('credential', id);
  change.stop({ key: id, always: true, reason: 'credential removed' });
  await change.record({
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

async function thumbprintOf(jwk: PublicJwk, at: FieldPath): Promise<string> {
  const problems = publicKeyProblems(jwk);
  if (problems.length > 0) {
    throw invalid(...problems.map(({ path, message }) => ({ path: [...at, ...path], message })));
  }
  return calculateJwkThumbprint(jwk as JWK, 'sha256');
}
