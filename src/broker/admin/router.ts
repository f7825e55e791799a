/**
 * The admin API: `/admin/v1`, JSON, bearer. Owns authentication, parsing and answering; what is
 * done stands in the tables of operations, how in the registry.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import Router from '@koa/router';
import type { Context, Next } from 'koa';
import { readBody } from '../http/body.js';
import { invalid } from '../registry/refusal.js';
import { createOpenApi } from './openapi.js';
import { type AdminServices, type Operation, runOperation } from './operation.js';
import { ADMIN_OPERATIONS } from './operations.js';
import { httpProblem, problemOf, sendProblem } from './problem.js';

export interface AdminDeps {
  readonly services: AdminServices;
  readonly issuer: string;
  /** The bootstrap bearer. */
  readonly adminToken: string;
  /** Called after every change, before its answer leaves. */
  readonly onChange: () => Promise<void>;
}

const PREFIX = '/admin/v1';
const BODY_MAX_BYTES = 256 * 1024;
const JSON_DEPTH_MAX = 32;
/** RFC 8259 §8.1: JSON is UTF-8, and says so or nothing. */
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;
/** Until administrators are principals of their own (issue 3). */
const BOOTSTRAP_PRINCIPAL = 'admin';

export function createAdminRouter(deps: AdminDeps): Router {
  const router = new Router({ prefix: PREFIX });
  const document = createOpenApi(ADMIN_OPERATIONS, { prefix: PREFIX, issuer: deps.issuer });
  router.use(problems, authenticate(deps.adminToken));
  router.get('/openapi.json', (ctx) => {
    ctx.body = document;
  });
  for (const operation of ADMIN_OPERATIONS) {
    router[operation.method](operation.path, (ctx) => perform(deps, operation, ctx));
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

async function problems(ctx: Context, next: Next): Promise<void> {
  try {
    await next();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    sendProblem(ctx, problem);
  }
}

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();

function authenticate(adminToken: string) {
  const expected = digest(adminToken);
  return async function bearer(ctx: Context, next: Next): Promise<void> {
    const [, token = ''] = /^bearer ([\x21-\x7e]{1,4096})$/i.exec(ctx.get('Authorization')) ?? [];
    if (!timingSafeEqual(digest(token), expected)) {
      ctx.set('WWW-Authenticate', 'Bearer realm="behalf admin"');
      return sendProblem(ctx, { status: 401, title: 'Send the administrator’s bearer token' });
    }
    await next();
  };
}

async function perform(deps: AdminDeps, operation: Operation, ctx: Context): Promise<void> {
  const answer = await runOperation(operation, {
    services: deps.services,
    by: BOOTSTRAP_PRINCIPAL,
    params: ctx.params,
    query: ctx.query,
    body: operation.body === undefined ? undefined : await readJson(ctx),
  });
  if (operation.method !== 'get') await deps.onChange();
  ctx.body = operation.status === 204 ? null : answer;
  ctx.status = operation.status;
}

async function readJson(ctx: Context): Promise<unknown> {
  if (!JSON_TYPE.test(ctx.get('Content-Type'))) {
    throw httpProblem(415, 'Send application/json');
  }
  const read = readBody(ctx.req, BODY_MAX_BYTES).catch(() => {
    throw httpProblem(413, `The body is longer than ${BODY_MAX_BYTES} bytes`);
  });
  const text = decode(await read);
  if (depthOf(text) > JSON_DEPTH_MAX) {
    throw invalid({ path: [], message: 'the body is nested too deeply' });
  }
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw invalid({ path: [], message: 'the body is not JSON' });
  }
}

/** No octet is replaced in silence: a name is stored as it was sent, or not at all (P5, P9). */
function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid({ path: [], message: 'the body is not UTF-8' });
  }
}

/** Deepest nesting of brackets outside strings: counted before anything recursive reads it (P2). */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth -= 1;
  }
  return deepest;
}
