/**
 * `POST /decisions`: what verifiers decided, in batches. A resource server authenticates with its
 * own client and may report only for resources that name that client as theirs.
 */
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { z } from 'zod';
import { lineageOf, OAuthError } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import { readBody } from '../http/body.js';
import { requestState } from '../http/request.js';
import { authenticateResourceServer } from '../tokens/resource-server.js';
import { type AuditEvent, record } from './store.js';

const BODY_MAX_BYTES = 256 * 1024;
const word = z.string().max(512);
const words = z.array(word).max(100);

const decisionSchema = z.strictObject({
  at: z.number().int().nonnegative(),
  allowed: z.boolean(),
  tool: word,
  jti: z.string().max(1100),
  sub: word,
  act: word.nullable(),
  /** As in an access token: history, bounded. */
  earlier_actors: z.array(word).max(15).optional(),
  client_id: word,
  via: z.array(word).max(16).optional(),
  resource: z.string().max(2000),
  required: words,
  missing_user: words,
  missing_agent: words,
  code: word.optional(),
  reason: word.optional(),
});
const reportSchema = z.strictObject({ decisions: z.array(decisionSchema).min(1).max(200) });

export function createDecisionRouter(deps: {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly noteRefusals: Middleware;
}): Router {
  const router = new Router();
  router.use(deps.noteRefusals);
  router.post('/decisions', async (ctx) => {
    const reporter = await authenticateResourceServer(deps.facts, ctx);
    const body = (await readBody(ctx.req, BODY_MAX_BYTES)).toString('utf8');
    const report = reportSchema.safeParse(parseJson(body));
    if (!report.success) {
      const [issue] = report.error.issues;
      throw new OAuthError('invalid_request', `${issue?.path.join('.')}: ${issue?.message}`);
    }
    for (const { resource } of report.data.decisions) {
      if (!(await reporter.speaksFor(resource))) {
        throw new OAuthError('access_denied', 'this client reports for its own resources only');
      }
    }
    const { id } = requestState(ctx);
    await record(
      deps.db.orm,
      ...report.data.decisions.map((decision) => toEvent(decision, reporter.clientId, id)),
    );
    ctx.status = 204;
  });
  return router;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toEvent(
  decision: z.infer<typeof decisionSchema>,
  by: string,
  requestId: string,
): AuditEvent {
  const { allowed, jti, sub, act, client_id: clientId, resource, ...detail } = decision;
  return {
    type: allowed ? 'tool.allowed' : 'tool.refused',
    by,
    jti,
    sub,
    agentId: act ?? undefined,
    clientId,
    resource,
    grantId: lineageOf(jti)?.grantId,
    requestId,
    detail,
  };
}
