/**
 * `GET /revocations` and `GET /revocations/stream`: public, cacheable by nobody. `POST /revocations/ack`:
 * a resource server says how far it has applied them, for its own resource.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { z } from 'zod';
import { OAuthError } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import { readBody } from '../http/body.js';
import { authenticateResourceServer } from '../tokens/resource-server.js';
import type { Feed } from './feed.js';
import { acknowledge } from './followers.js';

interface AckDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly noteRefusals: Middleware;
}

const ACK_MAX_BYTES = 8 * 1024;
const ackSchema = z.strictObject({
  position: z.number().int().nonnegative(),
  resource: z.string().max(2000),
  instance: z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 _ -'),
});

export function createFeedRouter(feed: Feed, deps: AckDeps): Router {
  const router = new Router();
  router.post('/revocations/ack', deps.noteRefusals, (ctx) => takeAck(deps, ctx));
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

async function takeAck(deps: AckDeps, ctx: Context): Promise<void> {
  const server = await authenticateResourceServer(deps.facts, ctx);
  const ack = ackSchema.safeParse(
    parseJson((await readBody(ctx.req, ACK_MAX_BYTES)).toString('utf8')),
  );
  if (!ack.success) {
    const [issue] = ack.error.issues;
    throw new OAuthError('invalid_request', `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { position, resource, instance } = ack.data;
  if (!(await server.speaksFor(resource))) {
    throw new OAuthError('access_denied', 'this client acknowledges for its own resources only');
  }
  const { clientId } = server;
  if (!(await acknowledge(deps.db, { clientId, resource, instance }, position))) {
    throw new OAuthError('invalid_request', 'position: this feed has not come that far');
  }
  ctx.status = 204;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
