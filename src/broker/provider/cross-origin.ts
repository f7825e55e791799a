/**
 * Pages of other origins that call the engine (DI8). Published documents are for everybody; the
 * endpoints a client authenticates at answer the origins of its own redirect URIs, and nobody who
 * hides where they are from.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';

const PUBLISHED = new Set([
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/.well-known/jwks.json',
]);

/** Outermost of what sets headers: the engine echoes whatever `Origin` it is sent. */
export async function crossOrigin(
  ctx: KoaContextWithOIDC,
  next: () => Promise<unknown>,
): Promise<void> {
  await next();
  const { origin } = ctx.req.headers;
  if (PUBLISHED.has(ctx.path)) {
    // One answer for all, which caches may share.
    ctx.set('Access-Control-Allow-Origin', '*');
  } else if (origin === undefined || origin === 'null') {
    // A13: sandboxed frames and local files share one opaque origin; none of them is a client's.
    ctx.remove('Access-Control-Allow-Origin');
  }
}

/** Whether a page of this origin may read what a client is answered: one it is sent back to. */
export const isOwnOrigin = (
  origin: string,
  client: {
    readonly clientAuthMethod?: unknown;
    readonly redirectUris?: readonly string[] | undefined;
  },
): boolean =>
  client.clientAuthMethod === 'none' &&
  (client.redirectUris ?? []).some(
    (uri) => /^https?:/.test(uri) && URL.parse(uri)?.origin === origin,
  );
