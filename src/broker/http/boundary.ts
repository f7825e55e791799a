/**
 * The outermost middleware: pins the host, names the request, sets the headers every answer has,
 * and turns what was thrown into a response. Nothing internal gets past it.
 */
import type { Context, Middleware, Next } from 'koa';
import type { Logger } from 'pino';
import { OAuthError } from '../../protocol/index.js';
import { isUnavailable } from '../db/database.js';
import { type CertificateSettings, certificateReader } from './client-certificate.js';
import { masked } from './masked.js';
import { refusal } from './refusals.js';
import { beginRequest, rememberAddress, rememberCertificate, requestState } from './request.js';

export interface BoundaryDeps {
  readonly issuer: string;
  readonly log: Logger;
  readonly now: () => number;
  /** A page instead of JSON, for people. */
  readonly renderProblem: (ctx: Context, error: OAuthError) => void;
}

/** Requests are never rewritten by what a client claims to have come through. */
const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-prefix',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
];

/**
 * The engine derives endpoint URLs from Host and the forwarded headers: both are
 * overwritten with the issuer's before anything reads them.
 */
export function pinHost(
  issuer: string,
  trustedProxies = 0,
  certificates?: CertificateSettings,
): Middleware {
  const { host, protocol } = new URL(issuer);
  const certificateOf = certificateReader(certificates);
  return function pinnedHost(ctx: Context, next: Next) {
    // RFC 9112 §3.2.2: an absolute target names a host of its own; only where it points to is kept.
    ctx.req.url = ctx.originalUrl = originForm(ctx.req.url ?? '');
    rememberAddress(ctx.req, trustedProxies);
    rememberCertificate(ctx.req, certificateOf(ctx.req));
    for (const header of FORWARDED) delete ctx.req.headers[header];
    ctx.req.headers.host = host;
    ctx.req.headers['x-forwarded-proto'] = protocol.slice(0, -1);
    ctx.req.headers['x-forwarded-host'] = host;
    return next();
  };
}

function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const url = URL.canParse(target) ? new URL(target) : undefined;
  return url === undefined ? '/' : `${url.pathname}${url.search}`;
}

const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  // The empty `script-src` is where the engine names the one script of its form_post page.
  'Content-Security-Policy':
    "default-src 'none'; script-src; frame-ancestors 'none'; base-uri 'none'",
  'Cache-Control': 'no-store',
};

export function createBoundary(deps: BoundaryDeps): Middleware {
  const secure = deps.issuer.startsWith('https:');
  return async function boundary(ctx: Context, next: Next) {
    const state = beginRequest(ctx, deps.now());
    ctx.set(HEADERS);
    if (secure) ctx.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    ctx.set('X-Request-Id', state.id);
    try {
      await next();
    } catch (error) {
      answer(deps, ctx, error);
    } finally {
      log(deps, ctx);
    }
  };
}

function answer(deps: BoundaryDeps, ctx: Context, error: unknown): void {
  const wire = toWire(deps, ctx, error);
  ctx.status = wire.status;
  if (wire.status === 503) ctx.set('Retry-After', '1');
  if (ctx.accepts('json', 'html') === 'html') deps.renderProblem(ctx, wire);
  else ctx.body = { error: wire.code, error_description: wire.description };
}

function toWire(deps: BoundaryDeps, ctx: Context, error: unknown): OAuthError {
  if (error instanceof OAuthError) return error;
  if (isUnavailable(error)) {
    return refusal('unavailable');
  }
  // The engine's own errors: a session that is gone, a cookie that is missing.
  const engine = error as Partial<Record<'name' | 'error' | 'error_description', string>> & {
    expose?: boolean;
  };
  if (engine.name === 'SessionNotFound') return refusal('expired');
  if (engine.expose === true && engine.error !== undefined) {
    return new OAuthError('invalid_request', engine.error_description ?? 'request is invalid');
  }
  deps.log.error({ request_id: requestState(ctx).id, err: told(error) }, 'unexpected error');
  return refusal('server');
}

/** What went wrong and where; never the parameters a database error carries (M7). */
function told(error: unknown): object {
  if (!(error instanceof Error)) return { message: 'not an error' };
  const { name, message, stack = '', cause } = error;
  return {
    name,
    code: (error as { code?: unknown }).code,
    message: message.split('\nparams:')[0],
    at: stack.split('\n').filter((line) => /^\s+at /.test(line)),
    ...(cause === undefined ? {} : { cause: told(cause) }),
  };
}

/** No query, no body, no header, no long run of characters: nothing secret can be in a log line. */
function log(deps: BoundaryDeps, ctx: Context): void {
  const { id, arrivedAtMs, refusal, failure } = requestState(ctx);
  const status = ctx.respond === false ? ctx.res.statusCode : ctx.status;
  if (failure !== undefined) deps.log.error({ request_id: id, err: told(failure) }, 'engine error');
  deps.log.info({
    request_id: id,
    method: ctx.method,
    path: masked(ctx.path.replace(/^\/(interaction|authorize)\/[^/]+/, '/$1/:uid')),
    status,
    ms: deps.now() - arrivedAtMs,
    ...(refusal === undefined ? {} : { refused: refusal.code, reason: masked(refusal.reason) }),
  });
}
