/**
 * Platforms' tokens where the engine takes client authentication: it knows assertions that a client made
 * of itself only (RFC 7523 §3: `iss` and `sub` are the client). The form is read here first; a token of
 * somebody else's is verified, and the engine is told a secret of this one request instead, which its
 * comparison accepts for the principal that was proved and for no other. Fails closed: who sets no
 * `workload` on the request is known by nothing.
 */
import { randomBytes } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { JWT_BEARER, OAuthError } from '../../protocol/index.js';
import type { AuditEvent } from '../audit/store.js';
import { readBody } from '../http/body.js';
import { addressOf, requestState } from '../http/request.js';
import {
  type NotProved,
  type ProvedWorkload,
  proveAs,
  proveSomebody,
  type WorkloadDeps,
} from './prove.js';

export interface WorkloadMiddlewareDeps extends WorkloadDeps {
  /** Whether the assertion grant is on. */
  readonly assertionGrant: boolean;
  readonly refusals: { note(event: AuditEvent, address: string): Promise<void> };
}

type Next = () => Promise<unknown>;

const ENDPOINTS = new Set(['/token', '/par', '/introspect', '/revoke']);
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** The engine reads no longer ones. */
const FORM_MAX_BYTES = 56 * 1024;
/** An identity assertion names a user, not a workload. */
const ID_JAG_TYPE = /^(application\/)?oauth-id-jag\+jwt$/i;

export function createWorkloadMiddleware(deps: WorkloadMiddlewareDeps) {
  return async function workloads(ctx: KoaContextWithOIDC, next: Next): Promise<void> {
    const form = await readForm(ctx);
    if (form === undefined) return void (await next());
    const asClient = clientAssertionIn(form);
    if (asClient !== undefined) {
      const { clientId, assertion } = asClient;
      const outcome = await proveAs(deps, assertion, clientId).catch(later(ctx));
      if (outcome === undefined) return;
      authenticate(ctx, form, clientId, outcome);
    } else if (deps.assertionGrant && isPlatformGrant(ctx, form)) {
      const outcome = await proveSomebody(deps, form.get('assertion') ?? '').catch(later(ctx));
      if (outcome === undefined) return;
      if ('problem' in outcome) return refuseGrant(deps, ctx, outcome);
      authenticate(ctx, form, outcome.principal, outcome, true);
    }
    await next();
  };
}

/** A form of known, small length; put back for the engine as it came, unless something replaces it. */
async function readForm(ctx: KoaContextWithOIDC): Promise<URLSearchParams | undefined> {
  const { length } = ctx.request;
  if (ctx.method !== 'POST' || !ENDPOINTS.has(ctx.path)) return undefined;
  if (!ctx.is('application/x-www-form-urlencoded') || !(length <= FORM_MAX_BYTES)) return undefined;
  const reading = readBody(ctx.req, FORM_MAX_BYTES);
  putBack(ctx, reading);
  // What breaks off, breaks off for the engine too, which says so.
  const body = await reading.catch(() => Buffer.alloc(0));
  const text = body.toString('latin1');
  return text.includes('assertion=') ? new URLSearchParams(body.toString('utf8')) : undefined;
}

/** The engine reads requests that can be read: this one can, once more. */
function putBack(ctx: KoaContextWithOIDC, body: Buffer | Promise<Buffer>): void {
  const iterator = async function* again() {
    yield await body;
  };
  Object.defineProperties(ctx.req, {
    readable: { value: true, configurable: true },
    iterator: { value: iterator, configurable: true },
  });
}

const single = (form: URLSearchParams, name: string): string | undefined => {
  const values = form.getAll(name);
  return values.length === 1 && values[0] !== '' ? values[0] : undefined;
};

/** An assertion whose issuer is somebody else than the client it is for; the rest is the engine's. */
function clientAssertionIn(form: URLSearchParams) {
  const [clientId, assertion] = ['client_id', 'client_assertion'].map((one) => single(form, one));
  if (clientId === undefined || assertion === undefined || form.has('client_secret'))
    return undefined;
  if (single(form, 'client_assertion_type') !== ASSERTION_TYPE) return undefined;
  const iss = issuerIn(assertion);
  return iss === undefined || iss === clientId ? undefined : { clientId, assertion };
}

function issuerIn(jwt: string): string | undefined {
  try {
    return decodeJwt(jwt).iss;
  } catch {
    return undefined;
  }
}

const AUTHENTICATION = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type'];

/** MCP WIF: a platform's token as the grant, and no client named. */
function isPlatformGrant(ctx: KoaContextWithOIDC, form: URLSearchParams): boolean {
  if (ctx.path !== '/token' || single(form, 'grant_type') !== JWT_BEARER) return false;
  if (ctx.get('authorization') !== '' || AUTHENTICATION.some((name) => form.has(name)))
    return false;
  const assertion = single(form, 'assertion');
  return assertion !== undefined && !isIdJag(assertion);
}

function isIdJag(jwt: string): boolean {
  try {
    return ID_JAG_TYPE.test(decodeProtectedHeader(jwt).typ ?? '');
  } catch {
    return false;
  }
}

const SECRET_BYTES = 32;

/** What the engine compares is good for this request alone, and only if the workload was proved. */
function authenticate(
  ctx: KoaContextWithOIDC,
  form: URLSearchParams,
  principal: string,
  outcome: ProvedWorkload | NotProved,
  asGrant = false,
): void {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  requestState(ctx).workload = { principal, secret, asGrant, ...outcome };
  for (const name of AUTHENTICATION) form.delete(name);
  form.set('client_id', principal);
  form.set('client_secret', secret);
  const body = Buffer.from(form.toString());
  ctx.req.headers['content-length'] = String(body.length);
  putBack(ctx, body);
}

/** MCP WIF: one answer for every token that is not taken; the audit knows which it was. */
async function refuseGrant(
  { refusals }: WorkloadMiddlewareDeps,
  ctx: KoaContextWithOIDC,
  { problem }: NotProved,
): Promise<void> {
  const detail = {
    grant_type: JWT_BEARER,
    code: 'invalid_grant',
    rule: 'no_workload',
    reason: problem,
  };
  const event = { type: 'token.refused', requestId: requestState(ctx).id, detail } as const;
  await refusals.note(event, addressOf(ctx.req));
  ctx.status = 400;
  ctx.body = {
    error: 'invalid_grant',
    error_description: 'the assertion is not one that is accepted here',
  };
}

/** A platform that cannot be asked for its keys: not now, and nobody is refused. */
const later =
  (ctx: KoaContextWithOIDC) =>
  (error: unknown): undefined => {
    if (!(error instanceof OAuthError)) throw error;
    ctx.set('Retry-After', '1');
    ctx.status = error.status;
    ctx.body = { error: error.code, error_description: error.description };
    return undefined;
  };
