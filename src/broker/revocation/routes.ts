/** `GET /revocations` and `GET /revocations/stream`: public, cacheable by nobody. */
import Router from '@koa/router';
import type { Feed } from './feed.js';

export function createFeedRouter(feed: Feed): Router {
  const router = new Router();
  router.get('/revocations', async (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.body = await feed.snapshot();
  });
  router.get('/revocations/stream', (ctx) => {
    const after = Number(ctx.query.after ?? ctx.get('Last-Event-ID'));
    if (!Number.isSafeInteger(after) || after < 0) {
      ctx.status = 400;
      ctx.body = {
        error: 'invalid_request',
        error_description: 'after must be a cursor of this feed',
      };
      return;
    }
    ctx.req.socket.setNoDelay(true);
    ctx.res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
      'Access-Control-Allow-Origin': '*',
    });
    ctx.res.flushHeaders();
    ctx.respond = false;
    // Too many followers: an empty stream that ends at once; the verifier backs off and retries.
    if (!feed.follow(ctx.res, after)) ctx.res.end('event: full\ndata: {}\n\n');
  });
  return router;
}
