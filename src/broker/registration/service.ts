/**
 * Registering a client (RFC 7591): what it said, by whose leave, within which bounds; then one
 * transaction, in which the initial access token is used, the row counted and written, and the client
 * made. Decides nothing about what a client may get: `clients/self-described.ts` says what it may be.
 */
import { createHash } from 'node:crypto';
import { record } from '../audit/store.js';
import type { SelfDescribed } from '../clients/self-described.js';
import type { Executor } from '../db/database.js';
import { canonical } from '../delegation/terms.js';
import { newId, newSecret } from '../ids.js';
import { arriving, type Change } from '../registry/change.js';
import type { ClientInput, RegistrationDeps } from './deps.js';
import { badInitialToken, refused, rethrowRefusal, type TooMany, tooMany } from './errors.js';
import { isGoodInitialToken, useInitialToken } from './initial-token-store.js';
import { type AuthMethod, mayBeShared, silentAuth } from './policy.js';
import {
  findRegistered,
  findTwin,
  hasRoom,
  insertWithinQuotas,
  prolongUnused,
  type Registered,
  roomInSeconds,
  withdrawManagement,
} from './store.js';
import { ownWords, understand } from './understand.js';
import { keptMetadata } from './wire.js';

/** Who asks: where from, and with which initial access token, if any. */
export interface Applicant {
  readonly address: string;
  readonly initialToken: string | undefined;
}

export interface NewlyRegistered extends Registered {
  readonly secret?: string | undefined;
  /** Absent: shared, and nobody's to manage. */
  readonly managementToken?: string | undefined;
}

/** @throws OAuthError as RFC 7591 §3.2.2 names it; `invalid_token`; 429 */
export async function register(
  deps: RegistrationDeps,
  raw: Readonly<Record<string, unknown>>,
  applicant: Applicant,
): Promise<NewlyRegistered> {
  const tokenHash = await checkInitialToken(deps, applicant.initialToken);
  const { said, statement } = await understand(deps, raw);
  const auth = said.auth ?? silentAuth(said.redirectUris);
  const metadata = keptMetadata({ ...said, auth }, statement);
  const networkHash = hash(`network ${deps.networkOf(applicant.address)}`);
  const shared = mayBeShared({ auth, initialToken: tokenHash !== undefined });
  const fingerprint = shared ? hash(canonical([said, metadata, networkHash])) : hash(newSecret());
  const twin = shared ? await findTwin(deps.db.orm, fingerprint) : undefined;
  // Nothing to write: however often it is asked for (Q22).
  if (twin !== undefined && isSharedFor(twin, deps.now())) return twin;
  const isNew = twin === undefined && tokenHash === undefined;
  if (isNew && !(await hasRoom(deps.db.orm, networkHash, deps.quotas))) {
    throw await overQuota(deps.db.orm, networkHash);
  }
  const id = newId('cli');
  const managementToken = newSecret();
  const arrival = { id, said, auth, metadata, fingerprint, networkHash, tokenHash, shared };
  return arriving(deps.db, id, (change) => arrive(deps, change, arrival, managementToken)).catch(
    rethrowRefusal,
  );
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

async function overQuota(db: Executor, networkHash: string): Promise<TooMany> {
  const reason = 'as many clients as are allowed registered themselves within the hour';
  return tooMany(reason, await roomInSeconds(db, networkHash));
}

const HOUR_MS = 3_600_000;
/** Nobody manages it already, and whoever is given it now has nearly as long as the first. */
const isSharedFor = ({ registration }: Registered, nowMs: number): boolean =>
  registration.tokenHash === null &&
  (registration.expiresAt === null || registration.expiresAt.getTime() > nowMs + 23 * HOUR_MS);

/** RFC 7591 §3: looked at before anything else, and used only with the registration itself. */
async function checkInitialToken(
  { db, rules, hashSecret }: RegistrationDeps,
  token: string | undefined,
): Promise<string | undefined> {
  if (token === undefined) {
    if (rules.mode !== 'token') return undefined;
    throw refused('invalid_token', 'an initial access token is required to register');
  }
  const tokenHash = hashSecret(token);
  if (await isGoodInitialToken(db.orm, tokenHash)) return tokenHash;
  throw badInitialToken();
}

interface Arrival {
  readonly id: string;
  readonly said: SelfDescribed;
  readonly auth: AuthMethod;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly fingerprint: string;
  readonly networkHash: string;
  /** Of the initial access token. */
  readonly tokenHash: string | undefined;
  readonly shared: boolean;
}

/** Under the registry's lock: of the same at once, one is made, and the others share it. */
async function arrive(
  deps: RegistrationDeps,
  change: Change,
  arrival: Arrival,
  managementToken: string,
): Promise<NewlyRegistered> {
  const { tx } = change;
  const { id, said, metadata, fingerprint, networkHash, tokenHash } = arrival;
  const twin = arrival.shared ? await findTwin(tx, fingerprint) : undefined;
  if (twin !== undefined) return share(change, twin);
  const initialTokenId =
    tokenHash === undefined ? undefined : await useInitialToken(tx, tokenHash, id);
  if (tokenHash !== undefined && initialTokenId === undefined) throw badInitialToken();
  const row = {
    clientId: id,
    metadata,
    fingerprint,
    tokenHash: deps.hashSecret(managementToken),
    initialTokenId,
    networkHash,
  };
  if (!(await insertWithinQuotas(tx, row, deps.quotas))) {
    throw await overQuota(tx, networkHash);
  }
  const { softwareId, softwareVersion } = said;
  const { credential } = await deps.clients.create(change, clientInput(arrival), {
    origin: 'registration',
    softwareId,
    softwareVersion,
    detail: {
      origin: 'registration',
      redirect_uris: said.redirectUris,
      ...(softwareId === undefined ? {} : { software_id: softwareId }),
      ...(initialTokenId === undefined ? {} : { initial_token: initialTokenId }),
    },
  });
  const made = (await findRegistered(tx, id)) as Registered;
  return { ...made, secret: credential?.secret, managementToken };
}

/** From here on two have the same id, and neither a power over the other. */
async function share({ tx }: Change, twin: Registered): Promise<Registered> {
  const { id: clientId, name } = twin.client;
  await prolongUnused(tx, clientId);
  if (await withdrawManagement(tx, clientId)) {
    const detail = { noun: 'client', id: clientId, name, fields: ['registration_access_token'] };
    await record(tx, { type: 'registry.changed', by: 'system', clientId, detail });
  }
  return (await findRegistered(tx, clientId)) as Registered;
}

/** DC11, K7: whatever it asked for, the code flow and its refresh; never an exchange, never an agent. */
const clientInput = ({ id, said, auth }: Arrival): ClientInput => ({
  ...ownWords(said),
  id,
  kind: 'app',
  // RFC 7591 §2: one without a name is called by its id.
  name: said.name ?? id,
  redirectUris: [...said.redirectUris],
  auth,
  requireSignedRequest: auth === 'private_key_jwt' && said.requireSignedRequest,
  mayExchange: false,
  ...(auth === 'private_key_jwt' ? { jwks: said.jwks } : {}),
});
