/**
 * The only file that reaches into the engine's own folders (DESIGN §9.9): the check of a DPoP proof
 * (RFC 9449 §4.3), which a grant of ours needs as the built-in ones do.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import * as helpers from 'oidc-provider/lib/helpers/grants.js';

/** A proof that was checked: for this request, by this key. */
export interface DpopProof {
  /** RFC 7638 thumbprint. */
  readonly thumbprint: string;
  readonly jti: string;
  /** Seconds, by the client's clock. */
  readonly iat: number;
}

const grants = helpers as unknown as {
  validateDpop(provider: Provider, ctx: KoaContextWithOIDC): Promise<DpopProof | undefined>;
  checkDpopReplay(
    provider: Provider,
    ctx: KoaContextWithOIDC,
    proof: DpopProof | undefined,
    clientId: string,
  ): Promise<void>;
};

/**
 * Absent when the request carries no proof. Does not use it up; asked twice, it answers the same. The
 * provider is the one the request began on: another may have taken its place meanwhile.
 *
 * @throws the engine's `invalid_dpop_proof` or `use_dpop_nonce`
 */
export const readDpopProof = (ctx: KoaContextWithOIDC): Promise<DpopProof | undefined> =>
  grants.validateDpop(ctx.oidc.provider, ctx);

/** @throws the engine's `invalid_grant` when the proof was used before */
export const useDpopProof = (
  ctx: KoaContextWithOIDC,
  proof: DpopProof | undefined,
): Promise<void> =>
  grants.checkDpopReplay(ctx.oidc.provider, ctx, proof, ctx.oidc.client?.clientId ?? '');
