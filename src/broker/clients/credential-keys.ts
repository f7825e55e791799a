/**
 * Whether a key may be registered: good (`public-key.ts`), under a name of its own, and nobody
 * else's, now or ever. Who came by itself neither takes a key away from anybody by showing it, nor is
 * kept out by somebody who showed it before.
 */
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { Executor } from '../db/database.js';
import { conflict, type FieldPath, invalid } from '../registry/refusal.js';
import type { PublicJwk } from './credential-schema.js';
import { type CredentialRow, usesOfKey } from './credential-store.js';
import { publicKeyProblems } from './public-key.js';

/** A good key, under a name of its own, that nobody else has and nobody ever lost. */
export async function checkKey(
  tx: Executor,
  principal: string,
  jwk: PublicJwk,
  live: readonly CredentialRow[],
  at: FieldPath,
): Promise<string> {
  const thumbprint = await thumbprintOf(jwk, at);
  if (jwk.kid !== undefined && live.some((row) => row.jwk?.kid === jwk.kid)) {
    throw conflict([...at, 'kid'], 'is the name of another key of the same principal');
  }
  for (const use of await usesOfKey(tx, thumbprint, principal)) {
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

/** RFC 7638. @throws Refusal when the key is no good */
export async function thumbprintOf(jwk: PublicJwk, at: FieldPath): Promise<string> {
  const problems = publicKeyProblems(jwk);
  if (problems.length > 0) {
    throw invalid(...problems.map(({ path, message }) => ({ path: [...at, ...path], message })));
  }
  return calculateJwkThumbprint(jwk as JWK, 'sha256');
}
