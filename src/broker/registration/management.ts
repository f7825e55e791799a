/**
 * A registered client managing itself (RFC 7592): it reads, replaces or deletes its registration with the
 * registration access token, which every replacement changes. Whoever shows no good one learns nothing,
 * not even whether there is such a client (K10).
 */

import type { SelfDescribed } from '../clients/self-described.js';
import { newSecret } from '../ids.js';
import { secretMatches } from '../keys/secrets.js';
import { narrowing, stopping } from '../registry/change.js';
import { matchSecret } from '../tokens/client-secret.js';
import type { RegistrationDeps } from './deps.js';
import { badManagementToken, badMetadata, refused, rethrowRefusal } from './errors.js';
import { type AuthMethod, changedAuth } from './policy.js';
import type { NewlyRegistered } from './service.js';
import { deleteWithToken, findRegistered, type Registered, rotateToken } from './store.js';
import { ownWords, understand } from './understand.js';
import { keptMetadata } from './wire.js';

/** Of no token: so that nobody can tell by the time whether there is such a client. */
const NOBODYS_HASH = '0'.repeat(64);

/** A client that proved it is the one that registered, and the hash of what proved it. */
export interface Manager extends Registered {
  readonly tokenHash: string;
}

/** @throws OAuthError `invalid_token` (DC6) */
export async function authenticateManager(
  { db }: Pick<RegistrationDeps, 'db'>,
  clientId: string,
  token: string | undefined,
): Promise<Manager> {
  const known = clientId.includes('\0') ? undefined : await findRegistered(db.orm, clientId);
  const tokenHash = known?.registration.tokenHash ?? NOBODYS_HASH;
  if (secretMatches(token ?? '', tokenHash) && known !== undefined) return { ...known, tokenHash };
  throw badManagementToken(
    known === undefined
      ? 'there is no such registration'
      : known.registration.tokenHash === null
        ? 'the registration is shared by several: nobody manages it'
        : 'it is not the newest registration access token of this client',
  );
}

/** RFC 7592 §2.2: ours to say, never the client's. */
const NOT_TO_BE_SENT = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
];

/** Replaces everything it said of itself; the token it came with is dead with the answer. */
export async function replaceRegistration(
  deps: RegistrationDeps,
  { client, registration, tokenHash }: Manager,
  raw: Readonly<Record<string, unknown>>,
): Promise<NewlyRegistered> {
  await checkIdentity(deps, client.id, raw);
  const { said, statement } = await understand(deps, raw);
  if (statement === undefined && registration.metadata.software_statement !== undefined) {
    throw refused(
      'invalid_software_statement',
      'this client was registered with a software statement: send one again',
    );
  }
  const auth = changedAuth(client.auth as AuthMethod, said.auth);
  if (typeof auth !== 'string') throw badMetadata(auth.problem);
  const isKeyed = auth === 'private_key_jwt';
  if (isKeyed && said.jwks === undefined) throw badMetadata('private_key_jwt needs jwks');
  const managementToken = newSecret();
  const metadata = keptMetadata({ ...said, auth }, statement);
  return narrowing(deps.db, client.id, async (change) => {
    const rotation = { from: tokenHash, to: deps.hashSecret(managementToken), metadata };
    if (!(await rotateToken(change.tx, client.id, rotation))) {
      throw badManagementToken('another request of the same client used the token first');
    }
    const { fields } = await deps.clients.patch(change, client.id, {
      ...ownWords(said),
      name: said.name ?? client.id,
      redirectUris: [...said.redirectUris],
      auth,
      ...demanded(client, said, isKeyed),
      softwareId: said.softwareId ?? null,
      softwareVersion: said.softwareVersion ?? null,
    });
    const owner = { noun: 'client', id: client.id } as const;
    const keysChanged =
      isKeyed && said.jwks !== undefined && (await deps.clients.syncKeys(change, owner, said.jwks));
    if (fields.length === 0 && !keysChanged) {
      const detail = { ...owner, name: client.name, fields: ['registration_access_token'] };
      await change.record({ type: 'registry.changed', clientId: client.id, detail });
    }
    const changed = (await findRegistered(change.tx, client.id)) as Registered;
    return { ...changed, managementToken };
  }).catch(rethrowRefusal);
}

/** RFC 7592 §2.2: we may substitute. What an operator demands of it, it does not take back itself. */
const demanded = (client: Registered['client'], said: SelfDescribed, isKeyed: boolean) => ({
  requirePar: client.requirePar || said.requirePar,
  dpopBound: client.dpopBound || said.dpopBound,
  requireSignedRequest: isKeyed && (client.requireSignedRequest || said.requireSignedRequest),
});

/** RFC 7592 §2.2: it names itself, and may show the secret it has, never choose one. */
async function checkIdentity(
  { facts }: RegistrationDeps,
  clientId: string,
  raw: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (raw.client_id !== clientId) throw badMetadata('client_id must be the one of this client');
  const ours = NOT_TO_BE_SENT.find((name) => raw[name] !== undefined);
  if (ours !== undefined) throw badMetadata(`${ours} must be left out (RFC 7592 §2.2)`);
  const { client_secret: secret } = raw;
  if (secret === undefined) return;
  const matches =
    typeof secret === 'string' && (await matchSecret(await facts.current(), clientId, secret));
  if (!matches) throw badMetadata('client_secret must be the one that was issued, or be left out');
}

/** RFC 7592 §2.3: the client is retired, and everything it holds stops with it. */
export async function deleteRegistration(
  { db, clients }: RegistrationDeps,
  { client, tokenHash }: Manager,
): Promise<void> {
  await stopping(db, client.id, async (change) => {
    if (!(await deleteWithToken(change.tx, client.id, tokenHash))) {
      throw badManagementToken('another request of the same client used the token first');
    }
    await clients.retire(change, client.id, 'the client deleted itself');
  });
}
