/**
 * The guard as a middleware of frameworks, by their public shapes; nothing of them is imported. Each
 * takes the resource's own path and its metadata, and leaves every other request to the application.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FetchMcpHandler } from './fetch.js';
import type { McpGuard } from './guard.js';
import { type NodeMcpHandler, pathnameOf } from './node.js';

/**
 * `app.use(expressMcp(guard, handler))`; also for Connect, and with or without `express.json()`. Throws
 * nothing; what the handler throws is answered by the guard.
 */
export function expressMcp(guard: McpGuard, handler: NodeMcpHandler) {
  const listener = guard.node(handler);
  return (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void => {
    if (guard.serves(pathnameOf(req))) listener(req, res).catch(next);
    else next();
  };
}

/** What is used of a Koa context. */
export interface KoaContextLike {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly request: { readonly body?: unknown };
  respond?: boolean | undefined;
}

/**
 * `app.use(koaMcp(guard, handler))`; with or without a body parser before it. Throws nothing; what the
 * handler throws is answered by the guard.
 */
export function koaMcp(guard: McpGuard, handler: NodeMcpHandler) {
  const listener = guard.node(handler);
  return async (ctx: KoaContextLike, next: () => Promise<unknown>): Promise<void> => {
    if (!guard.serves(ctx.path)) return void (await next());
    ctx.respond = false;
    const { body } = ctx.request;
    await listener(body === undefined ? ctx.req : Object.assign(ctx.req, { body }), ctx.res);
  };
}

/** What is used of a Hono context. */
export interface HonoContextLike {
  readonly req: { readonly raw: Request; readonly path: string };
}

/** `app.use(honoMcp(guard, handler))`. Throws nothing; what the handler throws is answered by the guard. */
export function honoMcp(guard: McpGuard, handler: FetchMcpHandler) {
  const serve = guard.fetch(handler);
  return async (c: HonoContextLike, next: () => Promise<void>): Promise<Response | undefined> => {
    if (guard.serves(c.req.path)) return serve(c.req.raw);
    await next();
    return undefined;
  };
}
