/**
 * Signing keys: one algorithm each, private parts sealed at rest. This slice makes and loads them;
 * it signs nothing and publishes nothing.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { asc, sql } from 'drizzle-orm';
import { signingKeys } from '../../../schema/index.js';
import type { SigningAlg } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import { newTokenSegment } from '../ids.js';
import type { Secrets } from './secrets.js';

export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly state: 'active' | 'retired';
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const KEYS_LOCK = 0x6265_6b79;
const RSA_BITS = 2048;
const generate = promisify(generateKeyPair);

async function newKeyPair(
  alg: SigningAlg,
): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
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

/** Every key, oldest first: the published set, and what can sign. */
export async function loadSigningKeys(db: Database, secrets: Secrets): Promise<SigningKey[]> {
  const rows = await db.orm.select().from(signingKeys).orderBy(asc(signingKeys.createdAt));
  return rows.map((row) => ({
    kid: row.kid,
    alg: row.alg as SigningAlg,
    state: row.state as SigningKey['state'],
    publicKey: createPublicKey({ key: row.publicJwk, format: 'jwk' }),
    privateKey: createPrivateKey(secrets.open('signing-keys', row.privateSealed)),
  }));
}

/**
 * Makes sure there is an active key for each algorithm. Several processes may call it at once: one
 * makes the key, the others find it.
 */
export async function ensureSigningKeys(
  db: Database,
  secrets: Secrets,
  algs: readonly SigningAlg[],
): Promise<void> {
  const present = async (executor: Pick<Database['orm'], 'select'>): Promise<Set<string>> => {
    const rows = await executor.select().from(signingKeys);
    return new Set(rows.filter((row) => row.state === 'active').map((row) => row.alg));
  };
  const known = await present(db.orm);
  for (const alg of algs.filter((wanted) => !known.has(wanted))) {
    const pair = await newKeyPair(alg);
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    await db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(${KEYS_LOCK}, hashtext(current_schema()))`);
      if ((await present(tx)).has(alg)) return;
      await tx.insert(signingKeys).values({
        kid: newTokenSegment(),
        alg,
        publicJwk: pair.publicKey.export({ format: 'jwk' }) as Record<string, unknown>,
        privateSealed: secrets.seal('signing-keys', pem),
      });
    });
  }
}
