/**
 * The answer of a grant the engine does not know: a token as its story decides it, without a refresh
 * token. The engine only writes it out.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Facts } from '../facts/store.js';

/** RFC 6749 §5.1. */
export async function answerWithToken(
  ctx: KoaContextWithOIDC,
  facts: Facts,
  of: {
    readonly audience: string;
    /** RFC 7638 thumbprint of the key that was proved. */
    readonly boundTo: string | undefined;
    /** Members besides (RFC 8693 §2.2.1). */
    readonly more?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { client, provider } = ctx.oidc;
  if (client === undefined) throw new Error('a grant without a client');
  const { audience, boundTo, more } = of;
  const token = new provider.ClientCredentials({ client, scope: '' } as never);
  const resource = await facts.resource(audience);
  token.resourceServer = new provider.ResourceServer(audience, {
    scope: '',
    audience,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: (resource?.signingAlg ?? 'ES256') as 'ES256' } },
  });
  if (boundTo !== undefined) token.setThumbprint('jkt', boundTo);
  const value = await token.save();
  ctx.body = {
    access_token: value,
    ...more,
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
  };
}
