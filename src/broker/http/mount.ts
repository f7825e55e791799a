/**
 * Where the broker stands on its host. An issuer may have a path (RFC 8414 §3.1): everything is below
 * it then, and each metadata document is also found with the path after its well-known name. Inside,
 * every part of the broker goes by addresses without it; what leaves (links, forms, redirects,
 * cookies) has it in front.
 */
import type { Context, Middleware, Next } from 'koa';
import { refusal } from './refusals.js';
import type { RequestContext } from './request.js';

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];

/** The path of an issuer: empty, or `/tenant1`. */
export function issuerPath(issuer: string): string {
  const { pathname } = new URL(issuer);
  return pathname === '/' ? '' : pathname;
}

/** Of a cookie: what goes to this issuer goes to no other on the host. */
export const cookiePath = (issuer: string): string => issuerPath(issuer) || '/';

/** Node's request, with the member by which Express, and the engine, know what was taken away. */
interface Mounted {
  baseUrl?: string;
  originalUrl?: string;
}

/** Takes the issuer's path away from the address; what is not below it is not here. */
export function mountBelow(issuer: string): Middleware {
  const base = issuerPath(issuer);
  return function mounted(ctx: Context, next: Next) {
    const req: typeof ctx.req & Mounted = ctx.req;
    const inside = insideOf(base, req.url ?? '/');
    req.baseUrl = base;
    if (inside === undefined) throw refusal('notFound');
    req.url = inside;
    req.originalUrl = `${base}${inside}`;
    return next();
  };
}

function insideOf(base: string, url: string): string | undefined {
  if (base === '') return url;
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(url) ?? [];
  const inserted = METADATA.find((one) => path === `${one}${base}`);
  if (inserted !== undefined) return `${inserted}${query}`;
  if (path === base) return `/${query}`;
  return path.startsWith(`${base}/`) ? `${path.slice(base.length)}${query}` : undefined;
}

/** The broker's path, as this request came in below it. */
export const mountOf = ({ req }: RequestContext): string => (req as Mounted).baseUrl ?? '';

/** An address of ours as others see it; one that names its host is left alone. */
export const outward = (ctx: RequestContext, location: string): string =>
  location.startsWith('/') ? `${mountOf(ctx)}${location}` : location;
