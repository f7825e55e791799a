/**
 * What a fetched document does to the registry: a client begins, with its snapshot, or becomes what its
 * document says now. That is a change like an operator's: audited, with a new epoch; keys that are gone
 * take their tokens along. Grants that have begun go on under what was agreed to; whoever has not
 * redeemed a code yet, and whoever asks next, is asked again (`consent/terms.ts`).
 */
import { calculateJwkThumbprint, type JWK } from 'jose';
import { record } from '../audit/store.js';
import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';
import { type Change, databaseNow, isSame, narrowing } from '../registry/change.js';
import type { Jwks, PublicJwk } from './credential-schema.js';
import { insertCredential, removeCredentialRow } from './credential-store.js';
import { differences, type registeredAs } from './document-policy.js';
import {
  beginClient,
  documentKeys,
  findSnapshot,
  keepSnapshot,
  type Snapshot,
} from './document-store.js';
import { stopUnbound } from './profile.js';
import { findClient, updateClient } from './store.js';

export interface FetchedDocument {
  readonly snapshot: Snapshot;
  readonly values: ReturnType<typeof registeredAs>;
  readonly keys: Jwks | undefined;
}

const BY = 'system';

/** Writes a client down that nobody knew. @returns whether what stands there now is this document */
export const begin = (db: Database, { snapshot, values, keys }: FetchedDocument) =>
  db.transaction(async (tx): Promise<boolean> => {
    const { url } = snapshot;
    const isNew = await beginClient(tx, { ...values, id: url, kind: 'app', origin: 'document' });
    if (!isNew) return (await findSnapshot(tx, url))?.hash === snapshot.hash;
    await keepSnapshot(tx, snapshot);
    for (const jwk of keys?.keys ?? []) await addKey(tx, url, jwk);
    // Nobody remembers that there was none (`facts/generation.ts`): the epoch stays.
    await record(tx, {
      type: 'registry.created',
      by: BY,
      clientId: url,
      detail: { noun: 'client', id: url, name: values.name, kind: 'app', origin: 'document' },
    });
    return true;
  });

/** Makes the client what its document says now; one that was retired meanwhile stays as it is. */
export const become = (db: Database, { snapshot, values, keys }: FetchedDocument): Promise<void> =>
  narrowing(db, BY, async (change) => {
    const { url } = snapshot;
    const row = await findClient(change.tx, url);
    if (row === undefined || row.status !== 'active') return;
    // Of two processes that asked, the one that asked first may be here last.
    if (!(await keepSnapshot(change.tx, snapshot))) return;
    const changes = differences(row, values);
    const keyChanges = await syncKeys(change, url, keys?.keys ?? []);
    await updateClient(change.tx, url, values);
    stopUnbound(change, row, values);
    const detail = {
      noun: 'client',
      id: url,
      name: values.name,
      fields: [...changes.map(({ field }) => field), ...(keyChanges === 0 ? [] : ['jwks'])],
      changes,
    };
    await change.recordStop({ type: 'registry.changed', clientId: url, detail });
  });

/** The same document, asked for again. */
export const stillIs = (db: Database, { snapshot }: FetchedDocument): Promise<boolean> =>
  keepSnapshot(db.orm, snapshot);

/**
 * Keys of a document prove its client and nobody else, and are whatever it publishes: a stranger who
 * lists somebody's key takes nothing from them, and one that was left out may come back.
 */
async function addKey(tx: Executor, principal: string, jwk: PublicJwk): Promise<void> {
  await insertCredential(tx, {
    id: newId('crd'),
    principal,
    kind: 'jwk',
    jwk,
    thumbprint: await calculateJwkThumbprint(jwk as JWK, 'sha256'),
    createdAt: databaseNow,
    createdBy: BY,
  });
}

/** @returns how many came and went */
async function syncKeys(
  change: Change,
  principal: string,
  wanted: readonly PublicJwk[],
): Promise<number> {
  const known = await documentKeys(change.tx, principal);
  const gone = known.filter(({ jwk }) => !wanted.some((one) => isSame(one, jwk)));
  const added = wanted.filter((one) => !known.some(({ jwk }) => isSame(one, jwk)));
  for (const { id } of gone) {
    await removeCredentialRow(change.tx, principal, id);
    const ends = { kind: 'credential', id, principal } as const;
    change.stop({ key: id, always: true, reason: 'key left out of the document', ends });
  }
  for (const jwk of added) await addKey(change.tx, principal, jwk);
  return gone.length + added.length;
}
