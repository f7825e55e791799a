/**
 * Which single-use proof of a request had been used: both are one kind of row to the engine. A
 * client's assertion fails its authentication; a DPoP proof fails as one (RFC 9449 §11.1).
 */
import { createHash } from 'node:crypto';
import { errors, Provider } from 'oidc-provider';
import { readDpopProof } from './internals.js';

/** The engine's words (lib/helpers/validate_dpop.js). */
export const PROOF_REPLAYED = 'DPoP proof JWT Replay detected';

/** @param id as the engine makes it of whose the proof is, and its `jti` */
export async function replayed(id: string): Promise<Error> {
  const ctx = Provider.ctx;
  const proof = ctx && (await readDpopProof(ctx).catch(() => undefined));
  const key = `${ctx?.oidc.client?.clientId}${proof?.jti}`;
  return proof !== undefined && createHash('sha256').update(key).digest('base64url') === id
    ? new errors.InvalidGrant(PROOF_REPLAYED)
    : new errors.InvalidClientAuth('client assertion used twice');
}
