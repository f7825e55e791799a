/**
 * One credential made: a secret of ours, or a key of theirs, in place of another one for a while if
 * so said. Bounded in number and checked before anything is written.
 */
import type { Executor } from '../db/database.js';
import { newId, newSecret } from '../ids.js';
import { type Change, databaseNow } from '../registry/change.js';
import { conflict, type FieldPath, invalid } from '../registry/refusal.js';
import { checkCertificate } from './credential-certificates.js';
import { checkKey } from './credential-keys.js';
import {
  CREDENTIALS_MAX,
  type NewCredential,
  PUBLIC_KEYS_MAX,
  SECRETS_MAX,
  WORKLOADS_MAX,
} from './credential-schema.js';
import {
  type CredentialRow,
  endCredentialWithin,
  insertCredential,
  type KnownCredential,
  liveCredentials,
} from './credential-store.js';
import { checkWorkload } from './credential-workload.js';

/** A credential as administrators see it. */
export interface CredentialView {
  readonly id: string;
  readonly kind: 'secret' | 'jwk' | 'certificate' | 'attestation' | 'workload';
  readonly name: string | null;
  readonly kid: string | null;
  readonly thumbprint: string | null;
  readonly rule: Readonly<Record<string, unknown>> | null;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
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

export const viewOf = (row: CredentialRow): CredentialView => ({
  id: row.id,
  kind: row.kind as CredentialView['kind'],
  name: row.name,
  kid: typeof row.jwk?.kid === 'string' ? row.jwk.kid : null,
  thumbprint: row.thumbprint,
  rule: row.rule,
  createdAt: row.createdAt,
  createdBy: row.createdBy,
  expiresAt: row.expiresAt,
  lastUsedAt: row.lastUsedAt,
});

export interface CredentialDeps {
  readonly hashSecret: (secret: string) => string;
  /** Whether this issuer's word is taken for who its workloads are. */
  readonly vouchesForWorkloads: (db: Executor, issuer: string) => Promise<boolean>;
}

export async function issue(
  { hashSecret, vouchesForWorkloads }: CredentialDeps,
  { tx, by }: Change,
  owner: CredentialOwner,
  input: NewCredential,
  at: FieldPath,
): Promise<AddedCredential> {
  const live = await liveCredentials(tx, owner.id);
  await makeRoom(tx, owner, input, live, at);
  const row = {
    id: newId('crd'),
    principal: owner.id,
    kind: input.kind,
    name: input.name,
    createdAt: databaseNow,
    createdBy: by,
    expiresAt: input.expiresAt,
  };
  const insert = async (proof: Partial<CredentialRow>): Promise<CredentialView> => {
    const added = await insertCredential(tx, { ...row, ...proof });
    if (!added.expired) return viewOf(added);
    throw invalid({ path: ['expiresAt'], message: 'must be a time to come' });
  };
  if (input.kind === 'secret') {
    const secret = newSecret();
    return { ...(await insert({ secretHash: hashSecret(secret) })), secret };
  }
  if (input.kind === 'attestation') return insert({ rule: { issuer: input.issuer } });
  if (input.kind === 'certificate') return insert(await checkCertificate(tx, owner.id, input));
  if (input.kind === 'workload') {
    await checkWorkload(tx, owner.id, input.rule, vouchesForWorkloads, at);
    return insert({ rule: input.rule });
  }
  const thumbprint = await checkKey(tx, owner.id, input.jwk, live, at);
  return insert({ jwk: input.jwk, thumbprint });
}

/** Bounded in number; the one that is replaced is good for the overlap, and not a moment longer than it was. */
async function makeRoom(
  tx: Executor,
  owner: CredentialOwner,
  { kind, replaces, overlapSeconds }: NewCredential,
  live: readonly KnownCredential[],
  at: FieldPath,
): Promise<void> {
  if ((replaces === undefined) !== (overlapSeconds === undefined)) {
    const path = [replaces === undefined ? 'replaces' : 'overlapSeconds'];
    throw invalid({
      path,
      message: 'is missing: a rotation says what it replaces, and for how long',
    });
  }
  const good = live.filter(({ expired }) => !expired);
  if (replaces !== undefined && overlapSeconds !== undefined) {
    if (!good.some(({ id }) => id === replaces)) {
      const message = `names no credential of ${owner.id} that is in use: "${replaces}"`;
      throw invalid({ path: ['replaces'], message });
    }
    await endCredentialWithin(tx, replaces, overlapSeconds);
  }
  const others = good.filter(({ id }) => id !== replaces || overlapSeconds !== 0);
  const max =
    kind === 'secret' ? SECRETS_MAX : kind === 'workload' ? WORKLOADS_MAX : PUBLIC_KEYS_MAX;
  if (others.filter((one) => one.kind === kind).length >= max) {
    throw conflict(at, `${owner.id} already has ${max} credentials of this kind: remove one first`);
  }
  if (live.length >= CREDENTIALS_MAX) {
    throw conflict(
      at,
      `${owner.id} has ${live.length} credentials: remove those that have expired`,
    );
  }
}
