/**
 * The FAPI 2.0 security profile, for the clients that follow it: what it demands beyond what the
 * registration already says (`clients/profile.ts`: a key or certificate, bound tokens, pushed requests).
 * Its refresh tokens stay the same (§5.3.2.1): whoever has one needs the client's key as well, and each
 * use is decided anew. Everybody else's rotate.
 */
import type { SigningAlg } from '../../protocol/index.js';
import { applicationOf } from '../facts/application.js';
import type { Facts } from '../facts/store.js';
import type { DpopProof } from '../provider/internals.js';

/** §5.4.1. */
const ALGS = new Set<unknown>(['PS256', 'ES256', 'EdDSA', 'Ed25519']);
/** §5.3.2.1: a clock may be ahead by so much, and no more. */
const AHEAD_MAX_SECONDS = 60;

export const followsFapi = async (facts: Facts, clientId: string): Promise<boolean> =>
  (await applicationOf(facts, clientId))?.fapi === true;

export const isFapiAlg = (alg: unknown): boolean => ALGS.has(alg);

export const isAhead = ({ iat }: Pick<DpopProof, 'iat'>, nowMs: number): boolean =>
  iat > nowMs / 1000 + AHEAD_MAX_SECONDS;

export type FapiRule = 'proof_ahead' | 'algorithm_refused';

/** Pure: what of a request, or of the token that would come of it, the profile refuses. */
export function fapiProblem(
  proof: DpopProof | undefined,
  signingAlg: SigningAlg,
  nowMs: number,
): FapiRule | undefined {
  if (proof !== undefined && isAhead(proof, nowMs)) return 'proof_ahead';
  return isFapiAlg(signingAlg) ? undefined : 'algorithm_refused';
}
