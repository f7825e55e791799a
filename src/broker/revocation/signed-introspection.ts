/**
 * Introspection answers as signed JWTs (RFC 9701), for whoever asks for one: the same answer, bound
 * to the resource server that asked, which can keep it as evidence. Says nothing the plain answer
 * does not.
 */
import { CompactSign } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { SigningKey } from '../keys/store.js';

/** RFC 9701 §4, §5. */
const MEDIA_TYPE = 'application/token-introspection+jwt';
const TYP = 'token-introspection+jwt';

/** For discovery (RFC 9701 §7). */
export const SIGNED_INTROSPECTION_METADATA = {
  introspection_signing_alg_values_supported: ['ES256'],
};

/** Engine middleware, around what answers introspection. */
export function createSignedIntrospection(deps: {
  readonly issuer: string;
  readonly signingKey: () => SigningKey;
  readonly now: () => number;
}) {
  return async function signedIntrospection(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    await next();
    if (ctx.oidc?.route !== 'introspection' || ctx.status !== 200) return;
    ctx.vary('Accept');
    if (!ctx.get('Accept').toLowerCase().includes(MEDIA_TYPE)) return;
    const payload = {
      iss: deps.issuer,
      aud: ctx.oidc.client?.clientId,
      iat: Math.floor(deps.now() / 1000),
      token_introspection: ctx.body,
    };
    const { alg, kid, privateKey } = deps.signingKey();
    ctx.body = await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader({ alg, kid, typ: TYP })
      .sign(privateKey);
    ctx.type = MEDIA_TYPE;
  };
}
