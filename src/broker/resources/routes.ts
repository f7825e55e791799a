/**
 * `/tools`, for a resource's own server: `GET` says what each tool needs by the registration, `POST`
 * says which tools the server has, and is answered the same. Authenticated with the resource's own
 * client, as reports and acknowledgements are.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { z } from 'zod';
import { OAuthError } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { FactsCache, ResourceFacts } from '../facts/store.js';
import { readBody } from '../http/body.js';
import { isSpecialKey } from '../registry/fields.js';
import { authenticateResourceServer } from '../tokens/resource-server.js';
import { publishInventory } from './inventory-service.js';
import { TOOLS_MAX, toolHashSchema } from './schema.js';

/** 500 tools of 128 characters and their hashes, with room. */
const BODY_MAX_BYTES = 256 * 1024;

const resource = z.string().max(2000);
const toolName = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable characters');
const publicationSchema = z.strictObject({
  resource,
  tools: z
    .record(toolName, toolHashSchema)
    .refine((tools) => Object.keys(tools).length <= TOOLS_MAX, `must be at most ${TOOLS_MAX}`)
    .refine((tools) => !Object.keys(tools).some(isSpecialKey), 'must not hold a reserved name'),
});

export interface ToolRouterDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly now: () => number;
  readonly noteRefusals: Middleware;
}

export function createToolRouter(deps: ToolRouterDeps): Router {
  const router = new Router();
  router.use(deps.noteRefusals);
  router.get('/tools', async (ctx) => {
    const server = await authenticateResourceServer(deps.facts, ctx);
    const asked = resource.safeParse(ctx.query.resource);
    if (!asked.success) throw new OAuthError('invalid_request', 'resource must be given once');
    answer(ctx, await ownResource(deps, server, asked.data));
  });
  router.post('/tools', async (ctx) => {
    const server = await authenticateResourceServer(deps.facts, ctx);
    const text = (await readBody(ctx.req, BODY_MAX_BYTES)).toString('utf8');
    const said = publicationSchema.safeParse(parseJson(text));
    if (!said.success) {
      const [issue] = said.error.issues;
      throw new OAuthError('invalid_request', `${issue?.path.join('.')}: ${issue?.message}`);
    }
    const { resource: identifier, tools } = said.data;
    const known = await ownResource(deps, server, identifier);
    await publishInventory(deps, server.clientId, known, tools);
    answer(ctx, await ownResource(deps, server, identifier));
  });
  return router;
}

type Server = Awaited<ReturnType<typeof authenticateResourceServer>>;

/**
 * @throws OAuthError, the same for another's resource, a retired one and none: who asks learns nothing
 *   of them
 */
async function ownResource(
  { facts }: ToolRouterDeps,
  server: Server,
  identifier: string,
): Promise<ResourceFacts> {
  const known = await (await facts.current()).resource(identifier);
  if (known !== undefined && (await server.speaksFor(identifier))) return known;
  throw new OAuthError('access_denied', 'this client speaks for its own resources only');
}

function answer(ctx: Context, { identifier, tools, scopes }: ResourceFacts): void {
  ctx.set('Cache-Control', 'no-store');
  const base = Object.keys(scopes).filter((name) => scopes[name]?.base === true);
  ctx.body = { resource: identifier, tools, base };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
