/** What no route takes: another method (405, RFC 9110 §15.5.6), or nothing at all (404). */
import type Router from '@koa/router';
import type Koa from 'koa';
import type { Context, Next } from 'koa';
import { refusal } from './refusals.js';

/** Every router in order, and after them the check of methods. */
export function mountRouters(app: Koa, routers: readonly Router[]): void {
  for (const router of routers) app.use(router.routes());
  app.use(createMethodCheck(routers));
}

/** Between the routers and the engine: a path of ours that takes other methods goes no further. */
function createMethodCheck(routers: readonly Router[]) {
  return async function methodCheck(ctx: Context, next: Next): Promise<void> {
    const methods = routers.flatMap((router) =>
      router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods),
    );
    if (methods.length === 0) return next();
    allow(ctx, methods);
    if (ctx.method !== 'OPTIONS') throw refusal('wrongMethod');
    ctx.status = 204;
  };
}

/** Of the engine's fixed paths, the methods; anything else it does not serve is not there. */
const ENGINE_METHODS: Readonly<Record<string, readonly string[]>> = {
  '/authorize': ['GET', 'HEAD'],
  '/par': ['POST'],
  '/token': ['POST'],
  '/introspect': ['POST'],
  '/revoke': ['POST'],
  '/userinfo': ['GET', 'HEAD', 'POST'],
  '/logout': ['GET', 'HEAD', 'POST'],
  '/logout/confirm': ['POST'],
  '/logout/success': ['GET', 'HEAD'],
  '/.well-known/jwks.json': ['GET', 'HEAD'],
  '/.well-known/openid-configuration': ['GET', 'HEAD'],
  '/.well-known/oauth-authorization-server': ['GET', 'HEAD'],
};

/** Why the engine had nothing to say. */
export function unroutedRefusal(ctx: Pick<Context, 'path' | 'set'>) {
  const methods = Object.hasOwn(ENGINE_METHODS, ctx.path) ? ENGINE_METHODS[ctx.path] : undefined;
  if (methods === undefined) return refusal('notFound');
  allow(ctx, methods);
  return refusal('wrongMethod');
}

const allow = (ctx: Pick<Context, 'set'>, methods: readonly string[]): void =>
  ctx.set('Allow', [...new Set(methods)].sort().join(', '));
