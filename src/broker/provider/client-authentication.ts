/**
 * Client authentication the engine leaves to us: hashed secrets, strict assertions (RFC 7523bis),
 * and remembering which credential it was, since a token hangs on the credential that proved it.
 */
import { timingSafeEqual } from 'node:crypto';
import { compactVerify, importJWK } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { errors, Provider } from 'oidc-provider';
import type { CredentialFacts, Facts, FactsCache } from '../facts/store.js';
import { type RequestState, requestState } from '../http/request.js';
import { isCompactJws } from '../tokens/access-tokens.js';
import { matchSecret } from '../tokens/client-secret.js';
import { followsFapi, isFapiAlg } from '../tokens/fapi.js';

/** K5: an assertion is for now. Seconds. */
const ASSERTION_LIFE_MAX_SECONDS = 300;
const CLOCK_SKEW_SECONDS = 60;

/** Replaces the engine's comparison of plain secrets, on this provider's clients only. */
export function useHashedSecrets(provider: Provider, facts: FactsCache): void {
  const client = provider.Client.prototype as unknown as {
    compareClientSecret: (this: { clientId: string }, secret: string) => Promise<boolean>;
  };
  client.compareClientSecret = async function compareClientSecret(secret) {
    const workload = Provider.ctx && requestState(Provider.ctx).workload;
    if (workload?.principal === this.clientId) return asWorkload(workload, secret);
    const credential = await matchSecret(await facts.current(), this.clientId, secret);
    if (credential === undefined) return false;
    const ctx = Provider.ctx;
    if (ctx !== undefined) requestState(ctx).credentialId = credential.id;
    return true;
  };
}

/** Known by a platform's token: the secret stands for it (`workload/middleware.ts`). */
function asWorkload(
  { secret: expected, credentialId, problem }: NonNullable<RequestState['workload']>,
  secret: string,
): true {
  if (credentialId === undefined || !isSame(expected, secret) || Provider.ctx === undefined) {
    throw new errors.InvalidClientAuth(`the platform's token proves nobody: ${problem}`);
  }
  requestState(Provider.ctx).credentialId = credentialId;
  return true;
}

const isSame = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

/**
 * Called by the engine after the signature and the registered claims were checked.
 *
 * @throws errors.InvalidClientAuth when `aud` is not the issuer alone, or the assertion lives long
 */
export async function assertClientAssertion(
  issuer: string,
  facts: Facts,
  ctx: KoaContextWithOIDC,
  claims: Record<string, unknown>,
  header: Record<string, unknown>,
  nowSeconds: number,
): Promise<void> {
  const assertion = String(ctx.oidc.params?.client_assertion);
  // J6, J8: one spelling, and no extension changes what it means.
  if (!isCompactJws(assertion) || header.crit !== undefined || header.b64 !== undefined) {
    throw new errors.InvalidClientAuth('the assertion is not a plain compact JWS');
  }
  if ((await followsFapi(facts, String(claims.sub))) && !isFapiAlg(header.alg)) {
    throw new errors.InvalidClientAuth('FAPI 2.0 takes PS256, ES256 and EdDSA');
  }
  // RFC 7523bis: the issuer as sole value; the token endpoint is not accepted (MM2).
  if (claims.aud !== issuer) throw new errors.InvalidClientAuth('aud must be the issuer, alone');
  const { exp, iat } = claims;
  if (
    typeof exp !== 'number' ||
    exp > nowSeconds + ASSERTION_LIFE_MAX_SECONDS + CLOCK_SKEW_SECONDS
  ) {
    throw new errors.InvalidClientAuth('the assertion lives longer than five minutes');
  }
  if (iat !== undefined && (typeof iat !== 'number' || iat > nowSeconds + CLOCK_SKEW_SECONDS)) {
    throw new errors.InvalidClientAuth('the assertion is from the future');
  }
  const credential = await provingKey(facts, String(claims.sub), assertion, header.kid);
  if (credential === undefined) throw new errors.InvalidClientAuth('no registered key proves it');
  requestState(ctx).credentialId = credential.id;
}

/** The key that signed: by `kid`, or the one of a few that verifies. */
async function provingKey(
  facts: Facts,
  principal: string,
  assertion: string,
  kid: unknown,
): Promise<CredentialFacts | undefined> {
  const keys = (await facts.credentials(principal)).filter(({ jwk }) => jwk !== null);
  const candidates =
    kid === undefined ? keys : keys.filter(({ jwk }) => jwk?.kid === kid || jwk?.kid === undefined);
  for (const credential of candidates) {
    try {
      const jwk = credential.jwk as { alg?: string };
      const alg = JSON.parse(
        Buffer.from(assertion.split('.')[0] ?? '', 'base64url').toString(),
      ).alg;
      await compactVerify(assertion, await importJWK(jwk, jwk.alg ?? alg));
      return credential;
    } catch {
      // Not this one.
    }
  }
  return undefined;
}
