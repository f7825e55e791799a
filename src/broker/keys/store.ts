/**
 * Signing keys in the database: private parts sealed, every change of state under one lock, with its
 * audit event and a notice to every process. This slice makes and loads keys; it signs nothing and
 * publishes nothing.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { asc, eq, getTableColumns, sql } from 'drizzle-orm';
import { signingKeys } from '../../../schema/index.js';
import { SIGNING_ALGS, type SigningAlg } from '../../protocol/index.js';
import { type AuditEvent, record } from '../audit/store.js';
import { type Database, type Executor, NOTICE_CHANNEL } from '../db/database.js';
import { newTokenSegment } from '../ids.js';
import { SESSION_TTL_SECONDS, TOKEN_TTL_MAX_SECONDS } from '../limits.js';
import type { KeyFacts, KeyState, KeyStep } from './policy.js';
import type { Secrets } from './secrets.js';

/** What is left of a key when it retires: its private part is erased. */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly state: KeyState;
  readonly publicKey: KeyObject;
}

export interface SigningKey extends VerificationKey {
  readonly privateKey: KeyObject;
}

export type KeyRow = Omit<typeof signingKeys.$inferSelect, 'alg' | 'state'> & KeyFacts;

/** A key pair made before the lock is taken: RSA takes its time. */
type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
export type Spares = Map<SigningAlg, Pair[]>;

const KEYS_LOCK = 0x6265_6b79;
const RSA_BITS = 2048;
/** Processes hear of a change at once; one that did not has looked twice by then (`KEY_UPKEEP_MS`). */
const LAG_SECONDS = 120;
/** A retiring key verifies until the last token it can have signed has run out. */
const RETIRING_SECONDS = TOKEN_TTL_MAX_SECONDS + LAG_SECONDS;
const ERASED = '';
const generate = promisify(generateKeyPair);

async function newKeyPair(alg: SigningAlg): Promise<Pair> {
  switch (alg) {
    case 'ES256':
      return generate('ec', { namedCurve: 'P-256' });
    case 'EdDSA':
      return generate('ed25519', {});
    case 'PS256':
    case 'RS256':
      return generate('rsa', { modulusLength: RSA_BITS });
  }
}

/** Every key ever, oldest first, and the database's time. */
export async function readKeys(db: Executor): Promise<{ keys: KeyRow[]; nowMs: number }> {
  const rows = await db
    .select({ ...getTableColumns(signingKeys), nowMs: databaseNowMs })
    .from(signingKeys)
    .orderBy(asc(signingKeys.createdAt), asc(signingKeys.kid));
  const keys = rows.map(({ nowMs: _now, ...key }) => key as KeyRow);
  return { keys, nowMs: Number(rows[0]?.nowMs ?? 0) };
}

/** As text: drivers disagree about how they read a great number. */
const databaseNowMs = sql<string>`(extract(epoch from clock_timestamp()) * 1000)::bigint::text`;

export interface LoadedKeys {
  /** Next, active and retiring, oldest first: what verifies, and what everybody may know. */
  readonly published: readonly SigningKey[];
  /** Retired so lately that somebody's `id_token_hint` may carry their signature. */
  readonly hints: readonly VerificationKey[];
}

/** @throws Error when BEHALF_SECRET is not the one that sealed them */
export async function loadKeys(db: Database, secrets: Secrets): Promise<LoadedKeys> {
  const { keys, nowMs } = await readKeys(db.orm);
  const oldestHintMs = nowMs - SESSION_TTL_SECONDS * 1000;
  return {
    published: keys
      .filter(({ state }) => state !== 'retired')
      .map((key) => ({
        ...publicPart(key),
        privateKey: openPrivate(secrets, key.privateSealed),
      })),
    hints: keys.filter((key) => isHint(key, oldestHintMs)).map(publicPart),
  };
}

/** Every key ever, to check what was signed long ago. */
export const verificationKeys = async (db: Executor): Promise<readonly VerificationKey[]> =>
  (await readKeys(db)).keys.map(publicPart);

const publicPart = ({ kid, alg, state, publicJwk }: KeyRow): VerificationKey => ({
  kid,
  alg,
  state,
  publicKey: createPublicKey({ key: publicJwk, format: 'jwk' }),
});

/** A compromised key has a reason; what it signed proves nothing. */
const isHint = ({ state, retiredReason, retiresAt }: KeyRow, oldestHintMs: number): boolean =>
  state === 'retired' && retiredReason === null && Number(retiresAt) > oldestHintMs;

function openPrivate(secrets: Secrets, sealed: string): KeyObject {
  try {
    return createPrivateKey(secrets.open('signing-keys', sealed));
  } catch (cause) {
    throw new Error(
      'the signing keys in the database were sealed under another BEHALF_SECRET: start with that one, or name it in BEHALF_SECRET_PREVIOUS',
      { cause },
    );
  }
}

/** Algorithms tokens are signed with: ID and actor tokens are ES256, resources ask for theirs. */
export async function algsInUse(db: Executor): Promise<SigningAlg[]> {
  const rows = await db.query.resources.findMany({ columns: { signingAlg: true } });
  const algs = new Set(['ES256', ...rows.map((row) => row.signingAlg)]);
  return SIGNING_ALGS.filter((alg) => algs.has(alg));
}

/** Pairs for the keys that some steps will make. */
export async function makeSpares(steps: readonly KeyStep[]): Promise<Spares> {
  const spares: Spares = new Map();
  for (const step of steps) {
    if (step.step !== 'create') continue;
    spares.set(step.alg, [...(spares.get(step.alg) ?? []), await newKeyPair(step.alg)]);
  }
  return spares;
}

/** The keys as nobody changes them until this transaction ends, and the database's time. */
export async function lockKeys(tx: Executor): Promise<{ keys: KeyRow[]; nowMs: number }> {
  await tx.execute(sql`select pg_advisory_xact_lock(${KEYS_LOCK}, hashtext(current_schema()))`);
  return readKeys(tx);
}

/** Takes steps, each with its audit event, and tells every process. Under `lockKeys` only. */
export async function takeSteps(
  tx: Executor,
  options: {
    readonly secrets: Secrets;
    readonly steps: readonly KeyStep[];
    readonly spares: Spares;
    readonly by: string;
  },
): Promise<void> {
  const { secrets, steps, spares, by } = options;
  for (const step of steps) {
    if (step.step === 'create') {
      const pair = spares.get(step.alg)?.shift() ?? (await newKeyPair(step.alg));
      await insertKey(tx, secrets, pair, step, by);
    } else if (step.step === 'activate') {
      if (step.before !== undefined) await beginRetiring(tx, step.before);
      await activate(tx, step.key);
      const before = step.before === undefined ? {} : { before: step.before.kid };
      await recordKey(tx, 'key.activated', by, { ...step.key, detail: before });
    } else {
      await setKey(tx, step.key.kid, { state: 'retired', privateSealed: ERASED });
      await recordKey(tx, 'key.retired', by, step.key);
    }
  }
  await tx.execute(sql`select pg_notify(${NOTICE_CHANNEL}, '')`);
}

async function insertKey(
  tx: Executor,
  secrets: Secrets,
  { publicKey, privateKey }: Pair,
  { alg, state }: KeyStep & { readonly step: 'create' },
  by: string,
): Promise<void> {
  const kid = newTokenSegment();
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  await tx.insert(signingKeys).values({
    kid,
    alg,
    state,
    publicJwk: publicKey.export({ format: 'jwk' }) as Record<string, unknown>,
    privateSealed: secrets.seal('signing-keys', pem),
    createdAt: databaseTime,
    ...(state === 'active' ? { activatedAt: databaseTime } : {}),
  });
  const type = state === 'active' ? 'key.activated' : 'key.published';
  await recordKey(tx, type, by, { kid, alg });
}

const databaseTime = sql`clock_timestamp()` as unknown as Date;
const inSeconds = (seconds: number): Date =>
  sql`clock_timestamp() + make_interval(secs => ${seconds})` as unknown as Date;

const setKey = (tx: Executor, kid: string, change: Partial<typeof signingKeys.$inferInsert>) =>
  tx.update(signingKeys).set(change).where(eq(signingKeys.kid, kid));

const beginRetiring = (tx: Executor, { kid }: KeyFacts) =>
  setKey(tx, kid, { state: 'retiring', retiresAt: inSeconds(RETIRING_SECONDS) });

const activate = (tx: Executor, { kid }: KeyFacts) =>
  setKey(tx, kid, { state: 'active', activatedAt: databaseTime });

/** Not verified any more, and its private part is gone. @returns the event, still to be recorded */
export async function retireCompromised(
  tx: Executor,
  key: KeyFacts,
  reason: string,
  by: string,
): Promise<AuditEvent> {
  await setKey(tx, key.kid, {
    state: 'retired',
    retiresAt: databaseTime,
    retiredReason: reason,
    privateSealed: ERASED,
  });
  return keyEvent('key.retired', by, { ...key, detail: { reason, compromised: true } });
}

type KeyEvent = 'key.published' | 'key.activated' | 'key.retired' | 'key.resealed';
type Told = Pick<KeyFacts, 'kid' | 'alg'> & { readonly detail?: Readonly<Record<string, unknown>> };

const keyEvent = (type: KeyEvent, by: string, { kid, alg, detail }: Told): AuditEvent => ({
  type,
  by,
  detail: { kid, alg, ...detail },
});

const recordKey = (tx: Executor, type: KeyEvent, by: string, key: Told): Promise<void> =>
  record(tx, keyEvent(type, by, key));

/** Seals anew what the previous root sealed; how many keys that were. Processes wait for each other. */
export const resealKeys = (db: Database, secrets: Secrets, by: string): Promise<number> =>
  db.transaction(async (tx) => {
    const { keys } = await lockKeys(tx);
    let resealed = 0;
    for (const key of keys.filter(({ privateSealed }) => privateSealed !== ERASED)) {
      openPrivate(secrets, key.privateSealed);
      const privateSealed = secrets.reseal('signing-keys', key.privateSealed);
      if (privateSealed === undefined) continue;
      await setKey(tx, key.kid, { privateSealed });
      await recordKey(tx, 'key.resealed', by, key);
      resealed += 1;
    }
    return resealed;
  });
