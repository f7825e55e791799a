/**
 * What the engine's answers still lack: refusals in the audit, 503 where a dependency failed, and
 * a discovery document that says what is on and nothing that is off.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { OAuthError } from '../../protocol/index.js';
import type { RefusalLog } from '../audit/refusals.js';
import { type AuditEvent, record } from '../audit/store.js';
import { type Database, isUnavailable } from '../db/database.js';
import type { Why } from '../delegation/denials.js';
import { masked, maskedAll } from '../http/masked.js';
import { refusal } from '../http/refusals.js';
import { addressOf, type RequestState, requestState } from '../http/request.js';
import { LANGUAGES } from '../http/texts/index.js';
import { unroutedRefusal } from '../http/unrouted.js';
import { JWKS_MAX_AGE_SECONDS } from '../limits.js';
import { PROOF_REPLAYED } from './replayed.js';

/** Seconds. */
export const RETRY_AFTER_SECONDS = 1;

/** Keeps what happened for the middleware below; the engine tells before its answer leaves. */
export function noteRefusal(ctx: KoaContextWithOIDC, error: Error): void {
  const state = requestState(ctx);
  const {
    error: code,
    error_detail: detail,
    error_description: description,
  } = error as {
    error?: string;
    error_detail?: string;
    error_description?: string;
  };
  if (code === undefined) state.failure = error;
  else state.refusal = { code, reason: detail ?? description ?? code, ...whyOf(error) };
}

/** What our own refusals carry (`delegation/denials.ts`). */
function whyOf({
  cause,
}: Error): Pick<NonNullable<RequestState['refusal']>, 'rule' | 'taken_away'> {
  const { rule, takenAway = [] } = (cause ?? {}) as Partial<Why>;
  if (typeof rule !== 'string') return {};
  return takenAway.length === 0 ? { rule } : { rule, taken_away: takenAway };
}

const AUDITED: Readonly<Record<string, AuditEvent['type']>> = {
  token: 'token.refused',
  authorization: 'request.refused',
  resume: 'request.refused',
  pushed_authorization_request: 'request.refused',
  userinfo: 'request.refused',
  introspection: 'request.refused',
  revocation: 'request.refused',
  end_session: 'request.refused',
  end_session_confirm: 'request.refused',
};
/** What the engine calls a JWT where it only knows its own tokens: answered in its place, not refused. */
const NOT_REFUSED = 'unsupported_token_type';
/** Of the issue gate, which recorded it in the statement that refused. */
const RECORDED = 'stopped';

export interface AnswerDeps {
  readonly db: Database;
  readonly refusals: RefusalLog;
  /** A page for people, JSON for programs. */
  readonly refuse: (ctx: KoaContextWithOIDC, error: OAuthError) => void;
}

/**
 * Outermost in the engine: a database that cannot answer now is 503, whichever middleware asked it. A
 * stop that was not done must not look like anything else.
 */
export function createUnavailability(deps: AnswerDeps) {
  return async function unavailability(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await next();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      unavailable(deps, ctx);
    }
  };
}

/** Around the engine's own answers: nothing leaves before its refusal is recorded. */
export function createAnswers(deps: AnswerDeps) {
  return async function answers(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    const state = requestState(ctx);
    try {
      await next();
    } catch (error) {
      // Thrown past the engine's own handling: a session that could not be saved.
      state.failure = error;
      deps.refuse(ctx, refusal('server'));
    }
    correctErrorCode(ctx);
    correctReplay(ctx, state);
    if (ctx.oidc?.route === undefined && ctx.status === 404 && ctx.body == null)
      return deps.refuse(ctx, unroutedRefusal(ctx));
    if (state.failure !== undefined && isUnavailable(state.failure)) return unavailable(deps, ctx);
    const type = AUDITED[ctx.oidc?.route ?? ''];
    if (state.refusal === undefined || type === undefined) return;
    if (state.refusal.code === NOT_REFUSED || state.refusal.rule === RECORDED) return;
    try {
      const event = refusalEvent(ctx, type, state.refusal);
      // Whoever proved who they are is told of each time; anybody else can send what they like.
      if (state.credentialId !== undefined) await record(deps.db.orm, event);
      else await deps.refusals.note(event, addressOf(ctx.req));
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      unavailable(deps, ctx);
    }
  };
}

/** Where the engine's error code is not the specification's. */
function correctErrorCode(ctx: KoaContextWithOIDC): void {
  const body = ctx.body as { error?: string; error_description?: string } | undefined;
  const { route } = ctx.oidc ?? {};
  // RFC 6749 §5.2: a client that may not use a grant is unauthorized, its request is not invalid.
  if (route === 'token' && body?.error_description === GRANT_TYPE_REFUSED) {
    ctx.body = { ...body, error: 'unauthorized_client' };
  }
  // RFC 9126 §2.1: a push must not carry a request_uri.
  if (route === 'pushed_authorization_request' && body?.error === 'request_uri_not_supported') {
    ctx.body = {
      error: 'invalid_request',
      error_description: 'a pushed request must not carry request_uri',
    };
  }
}

/** RFC 9449 §5: what is wrong with a proof is said of the proof, a second use of it too (§11.1). */
function correctReplay(ctx: KoaContextWithOIDC, state: RequestState): void {
  if (state.refusal?.reason !== PROOF_REPLAYED || ctx.status !== 400) return;
  state.refusal = { ...state.refusal, code: 'invalid_dpop_proof' };
  ctx.body = {
    error: 'invalid_dpop_proof',
    error_description: 'the DPoP proof was used before: make one for each request',
  };
}

/** The engine's words (lib/actions/token.js). */
const GRANT_TYPE_REFUSED = 'requested grant type is not allowed for this client';

function refusalEvent(
  ctx: KoaContextWithOIDC,
  type: AuditEvent['type'],
  refusal: NonNullable<RequestState['refusal']>,
): AuditEvent {
  const params = ctx.oidc.params ?? {};
  const { id, story = {}, instance } = requestState(ctx);
  const word = (value: unknown): string | undefined =>
    typeof value === 'string' ? masked(value).slice(0, 200) : undefined;
  const actor = type === 'request.refused' ? word(params.requested_actor) : undefined;
  const { asked = params.scope, ...told } = story.detail ?? {};
  return {
    type,
    by: ctx.oidc.client?.clientId,
    clientId: ctx.oidc.client?.clientId,
    sub: ctx.oidc.session?.accountId,
    // Whom it asked to act through, be there such an agent or not.
    agentId: actor || undefined,
    resource: word(params.resource),
    requestId: id,
    ...story,
    detail: {
      grant_type: word(params.grant_type),
      requested_actor: word(params.requested_actor),
      asked: word(asked),
      ...told,
      ...(instance === undefined ? {} : { instance }),
      ...maskedAll(refusal),
    },
  };
}

/** A failed dependency is "not now", never a wrong answer. */
function unavailable({ refuse }: AnswerDeps, ctx: KoaContextWithOIDC): void {
  ctx.remove('Location');
  ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
  refuse(ctx, refusal('unavailable'));
}

/** Computed members of the engine that claim too much, and ours. */
export function createDiscovery(issuer: string, more: Readonly<Record<string, unknown>> = {}) {
  return async function discovery(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    await next();
    if (ctx.oidc?.route !== 'discovery' || ctx.status !== 200) return;
    const { claims_parameter_supported: _claims, ...document } = ctx.body as Record<
      string,
      unknown
    >;
    ctx.body = {
      ...document,
      response_modes_supported: ['query', 'form_post'],
      revocations_endpoint: `${issuer}/revocations`,
      revocations_stream_endpoint: `${issuer}/revocations/stream`,
      decisions_endpoint: `${issuer}/decisions`,
      tools_endpoint: `${issuer}/tools`,
      requested_actor_supported: true,
      ...more,
      ui_locales_supported: Object.keys(LANGUAGES),
    };
    ctx.set('Cache-Control', 'public, max-age=300');
  };
}

/** The published keys: without those kept for old ID tokens only, and cacheable for a short while. */
export function createJwks(published: () => ReadonlyArray<{ readonly kid: string }>) {
  return async function jwks(ctx: KoaContextWithOIDC, next: () => Promise<unknown>): Promise<void> {
    await next();
    if (ctx.oidc?.route !== 'jwks' || ctx.status !== 200) return;
    const kids = new Set(published().map(({ kid }) => kid));
    const { keys } = ctx.body as { keys: ReadonlyArray<{ readonly kid: string }> };
    ctx.body = { keys: keys.filter(({ kid }) => kids.has(kid)) };
    ctx.set('Cache-Control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`);
  };
}
