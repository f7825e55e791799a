/**
 * A DPoP proof has one spelling (J8): the engine's parser takes padding and the like. What is spelled
 * otherwise reaches it as something it refuses, at whichever endpoint, in its own words.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { isCompactJws } from '../tokens/access-tokens.js';

export async function strictProofs(
  ctx: KoaContextWithOIDC,
  next: () => Promise<unknown>,
): Promise<void> {
  const { dpop } = ctx.req.headers;
  if (dpop !== undefined && !isCompactJws(String(dpop))) ctx.req.headers.dpop = 'malformed';
  await next();
}
