/**
 * `POST /register` (RFC 7591) and `GET`, `PUT`, `DELETE /register/:client_id` (RFC 7592). Open to
 * programs of any origin (Q18), without credentials; whatever goes wrong is told as JSON, to whoever
 * asks (Q8).
 */
import Router from '@koa/router';
import type { Context, Middleware, Next } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { underRequest } from '../audit/store.js';
import { readBody } from '../http/body.js';
import { addressOf, requestState } from '../http/request.js';
import type { RegistrationDeps } from './deps.js';
import { badMetadata, tooMany } from './errors.js';
import {
  authenticateManager,
  deleteRegistration,
  type Manager,
  replaceRegistration,
} from './management.js';
import { type NewlyRegistered, register } from './service.js';
import { registeredMetadata } from './wire.js';

export interface RegistrationRouterDeps extends RegistrationDeps {
  readonly noteRefusals: Middleware;
  /** Counts a change; false: too many from there. Each has decisions that are being taken wait (K8). */
  readonly mayChange: (network: string) => boolean;
}

const PATH = '/register';
const ONE = `${PATH}/:client_id`;

export function createRegistrationRouter(deps: RegistrationRouterDeps): Router {
  const router = new Router();
  const [all, one] = [forPrograms('POST'), forPrograms('GET, PUT, DELETE')];
  const { noteRefusals } = deps;
  const preflight = (ctx: Context): void => {
    ctx.status = 204;
  };
  router.options(PATH, all, preflight);
  router.options(ONE, one, preflight);
  router.post(PATH, all, noteRefusals, async (ctx) => {
    requestState(ctx).story = { detail: { asked: 'to register a client' } };
    const initialToken = bearerOf(ctx);
    const raw = await readMetadata(ctx);
    const applicant = { address: addressOf(ctx.req), initialToken };
    const made = await register(under(deps, ctx), raw, applicant);
    ctx.status = 201;
    ctx.body = told(deps, made);
  });
  router.get(ONE, one, noteRefusals, async (ctx) => {
    const manager = await managerOf(deps, ctx);
    ctx.body = told(deps, { ...manager, managementToken: bearerOf(ctx) });
  });
  router.put(ONE, one, noteRefusals, async (ctx) => {
    const manager = await managerOf(deps, ctx);
    if (!deps.mayChange(deps.networkOf(addressOf(ctx.req)))) {
      const reason =
        'registrations were changed from its network as often as is allowed in an hour';
      throw tooMany(reason, HOUR_SECONDS, 'registrations were changed');
    }
    const changed = await replaceRegistration(under(deps, ctx), manager, await readMetadata(ctx));
    ctx.body = told(deps, changed);
  });
  router.delete(ONE, one, noteRefusals, async (ctx) => {
    await deleteRegistration(under(deps, ctx), await managerOf(deps, ctx));
    ctx.status = 204;
  });
  return router;
}

/** What is recorded names the request. */
const under = (deps: RegistrationDeps, ctx: Context): RegistrationDeps => ({
  ...deps,
  db: underRequest(deps.db, requestState(ctx).id),
});

const HOUR_SECONDS = 3600;
const CLIENT_ID_CHARS_MAX = 120;

async function managerOf(deps: RegistrationDeps, ctx: Context): Promise<Manager> {
  const clientId = String(ctx.params.client_id);
  const named = clientId.slice(0, CLIENT_ID_CHARS_MAX);
  requestState(ctx).story = { clientId: named, detail: { asked: 'to manage a registration' } };
  return authenticateManager(deps, clientId, bearerOf(ctx));
}

/** RFC 7591 §3.2.1. `client_secret_expires_at` only with a secret, and 0: it does not. */
function told({ issuer }: RegistrationDeps, made: NewlyRegistered): Record<string, unknown> {
  const { secret, managementToken } = made;
  return {
    ...registeredMetadata(made),
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    ...(managementToken === undefined
      ? {}
      : {
          registration_access_token: managementToken,
          registration_client_uri: `${issuer}${PATH}/${encodeURIComponent(made.client.id)}`,
        }),
  };
}

/** RFC 6750 §2.1; empty when something was sent that is no token. Other schemes are for others. */
function bearerOf(ctx: Context): string | undefined {
  const header = ctx.get('Authorization');
  if (!/^bearer(\s|$)/i.test(header)) return undefined;
  return /^bearer +([\w.~+/-]{1,500}=*)$/i.exec(header)?.[1] ?? '';
}

const BODY_MAX_BYTES = 64 * 1024;
/** RFC 8259 §8.1. */
const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

async function readMetadata(ctx: Context): Promise<Readonly<Record<string, unknown>>> {
  if (!JSON_TYPE.test(ctx.get('Content-Type'))) throw badMetadata('send application/json');
  const said = parse(await readBody(ctx.req, BODY_MAX_BYTES));
  if (typeof said === 'object' && said !== null && !Array.isArray(said)) {
    return said as Readonly<Record<string, unknown>>;
  }
  throw badMetadata('the body must be a JSON object');
}

/** No octet is replaced in silence (P9). */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

const PREFLIGHT_SECONDS = 3600;

/** Q18: pages of any origin may ask; no cookie is looked at, so none is let be sent. */
function forPrograms(methods: string): Middleware {
  return async (ctx: Context, next: Next) => {
    ctx.set({
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, MCP-Protocol-Version',
      'Access-Control-Expose-Headers': 'WWW-Authenticate, Retry-After',
      'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
    });
    try {
      await next();
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      ctx.status = error.status;
      ctx.body = { error: error.code, error_description: inAscii(error.description) };
      if (error.status === 401) ctx.set('WWW-Authenticate', challengeTo(ctx));
      if ('retryAfterSeconds' in error) ctx.set('Retry-After', String(error.retryAfterSeconds));
    }
  };
}

/** RFC 7591 §3.2.2: ASCII text. */
const inAscii = (text: string): string =>
  text.replaceAll('§', 'section ').replace(/[^\x20-\x7e]/g, '?');

/** RFC 6750 §3.1: whoever sent nothing is told of no error. */
const challengeTo = (ctx: Context): string =>
  bearerOf(ctx) === undefined
    ? 'Bearer realm="registration"'
    : 'Bearer realm="registration", error="invalid_token"';
