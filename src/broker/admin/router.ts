/**
 * The admin API: `/admin/v1`, JSON, bearer. Owns answering: who calls, what they may, what is wrong.
 * What is done stands in the tables of operations, how in the registry.
 */
import Router from '@koa/router';
import type { Context, Next } from 'koa';
import { type AuditEvent, record, underRequest } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { masked } from '../http/masked.js';
import { addressOf, requestState } from '../http/request.js';
import type { Admission } from '../users/throttle.js';
import { type AuthenticationDeps, authenticate, type Caller, type Denied } from './authenticate.js';
import { readJson } from './body.js';
import { createOpenApi } from './openapi.js';
import { type AdminServices, type Operation, runOperation } from './operation.js';
import { ADMIN_OPERATIONS } from './operations.js';
import { problemOf, sendProblem } from './problem.js';
import { ADMIN_SCOPES, type AdminScope, forbidden, missingScope } from './scopes.js';

export interface AdminDeps extends AuthenticationDeps {
  readonly db: Database;
  readonly servicesOn: (db: Database) => AdminServices;
  /** The database that asks, in each transaction, whether the bootstrap bearer is good. */
  readonly bootstrapDb: Database;
  readonly issuer: string;
  /** Counts a failed authentication, or says how long to wait. */
  readonly countFailure: (address: string) => Promise<Admission>;
  /** Records a refusal of somebody unknown, or counts it. */
  readonly noteRefusal: (event: AuditEvent, address: string) => Promise<void>;
  /** Called after every change, before its answer leaves. */
  readonly onChange: () => Promise<void>;
}

const PREFIX = '/admin/v1';
const REALM = 'Bearer realm="behalf admin"';

export function createAdminRouter(deps: AdminDeps): Router {
  const router = new Router({ prefix: PREFIX });
  const document = createOpenApi(ADMIN_OPERATIONS, { prefix: PREFIX, issuer: deps.issuer });
  const callers = new WeakMap<Context, Caller>();
  const callerOf = (ctx: Context): Caller => {
    const caller = callers.get(ctx);
    if (caller === undefined) throw new Error('an operation was reached without a caller');
    return caller;
  };
  router.use(problems(deps, callers), async function bearer(ctx: Context, next: Next) {
    const outcome = await authenticate(deps, ctx);
    if (!('by' in outcome)) return refuse(deps, ctx, outcome);
    callers.set(ctx, outcome);
    await next();
  });
  router.get('/openapi.json', (ctx) => {
    need(callerOf(ctx), 'admin:read');
    ctx.body = document;
  });
  for (const operation of ADMIN_OPERATIONS) {
    if (!ADMIN_SCOPES.includes(operation.scope)) {
      throw new Error(`${operation.method} ${operation.path} says no scope`);
    }
    router[operation.method](operation.path, (ctx) => perform(deps, operation, ctx, callerOf(ctx)));
  }
  router.all('/{*rest}', (ctx) => {
    const methods = methodsOf(ctx.path);
    if (methods === '') {
      return sendProblem(ctx, { status: 404, title: 'There is no such operation' });
    }
    ctx.set('Allow', methods);
    sendProblem(ctx, { status: 405, title: 'This path has no such method' });
  });
  return router;
}

/** RFC 9110 §10.2.1; empty when no operation has the path. */
function methodsOf(path: string): string {
  const operations = ADMIN_OPERATIONS.filter((operation) => {
    const pattern = `^${PREFIX}${operation.path.replace(/:\w+/g, '[^/]+')}/?$`;
    return new RegExp(pattern).test(path);
  });
  return [...new Set(operations.map(({ method }) => method.toUpperCase()))].sort().join(', ');
}

function problems(deps: AdminDeps, callers: WeakMap<Context, Caller>) {
  return async function problemDocuments(ctx: Context, next: Next): Promise<void> {
    try {
      await next();
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) throw error;
      const scope = missingScope(error);
      if (scope !== undefined) {
        ctx.set('WWW-Authenticate', `${REALM}, error="insufficient_scope", scope="${scope}"`);
        const by = callers.get(ctx)?.by;
        await record(deps.db.orm, refusal(deps, ctx, 'insufficient_scope', `needs ${scope}`, by));
      }
      // The bootstrap bearer ended while its call was under way.
      if (problem.status === 401) {
        challenge(ctx, problem.title);
        const ended = refusal(deps, ctx, 'invalid_token', 'bootstrap_ended');
        await deps.noteRefusal(ended, addressOf(ctx.req));
      }
      sendProblem(ctx, problem);
    }
  };
}

const challenge = (ctx: Context, description: string): void =>
  ctx.set(
    'WWW-Authenticate',
    `${REALM}, error="invalid_token", error_description="${description}"`,
  );

/** RFC 6750 §3; beyond its address's share a failure is not even told from another. */
async function refuse(deps: AdminDeps, ctx: Context, denied: Denied): Promise<void> {
  const address = addressOf(ctx.req);
  const admission = await deps.countFailure(address);
  if (!admission.admitted) {
    ctx.set('Retry-After', String(admission.retryAfterSeconds));
    return sendProblem(ctx, { status: 429, title: 'Too many failed attempts: wait' });
  }
  await deps.noteRefusal(refusal(deps, ctx, 'invalid_token', denied.reason), address);
  if (denied.description === undefined) ctx.set('WWW-Authenticate', REALM);
  else challenge(ctx, denied.description);
  const title = denied.description ?? 'Send an access token for the admin API as bearer token';
  sendProblem(ctx, { status: 401, title });
}

const refusal = (
  { adminResource }: AdminDeps,
  ctx: Context,
  code: string,
  reason: string,
  by?: string,
): AuditEvent => ({
  type: 'request.refused',
  by,
  resource: adminResource.identifier,
  requestId: requestState(ctx).id,
  detail: { method: ctx.method, path: masked(ctx.path).slice(0, PATH_CHARS_MAX), code, reason },
});
const PATH_CHARS_MAX = 200;

function need(caller: Caller, scope: AdminScope): void {
  if (!caller.scopes.includes(scope)) throw forbidden(scope);
}

async function perform(
  deps: AdminDeps,
  operation: Operation,
  ctx: Context,
  caller: Caller,
): Promise<void> {
  need(caller, operation.scope);
  const db = underRequest(caller.bootstrap ? deps.bootstrapDb : deps.db, requestState(ctx).id);
  const answer = await runOperation(operation, {
    services: deps.servicesOn(db),
    by: caller.by,
    holds: (scope) => caller.scopes.includes(scope),
    params: ctx.params,
    query: ctx.query,
    body: operation.body === undefined ? undefined : await readJson(ctx),
  });
  if (operation.method !== 'get') await deps.onChange();
  ctx.body = operation.status === 204 ? null : answer;
  ctx.status = operation.status;
}
