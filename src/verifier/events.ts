/** What a verifier tells its operator: every decision, and the state of what it depends on (VF14). */
import type { AuthError, AuthErrorCode, AuthReason } from './auth-error.js';
import type { AuthContext } from './context.js';
import type { Decision } from './decide.js';
import type { ReportedDecision } from './report.js';
import type { ParsedRequirement } from './requirement.js';

const TOOL_NAME_MAX_CHARS = 256;

/** Who called, in ids only. */
export interface EventCaller {
  readonly kind: string;
  readonly subject: string;
  /** Every actor, newest first. */
  readonly actors: readonly string[];
  readonly client: string;
  readonly tokenId: string;
}

/** Never holds a token or a part of one. */
export type AuthEvent =
  | {
      readonly type: 'authentication' | 'authorization';
      /** Milliseconds since the epoch. */
      readonly atMs: number;
      readonly allowed: boolean;
      readonly code?: AuthErrorCode;
      readonly reason?: AuthReason;
      readonly claim?: string;
      readonly caller?: EventCaller;
      readonly tool?: string;
      readonly required?: readonly string[];
      readonly missingUser?: readonly string[];
      readonly missingAgent?: readonly string[];
    }
  | {
      readonly type: 'feed_error' | 'introspection_error';
      readonly atMs: number;
      readonly issuer: string;
      readonly error: unknown;
    }
  | {
      readonly type: 'reports_dropped';
      readonly atMs: number;
      readonly count: number;
      readonly why: 'queue_full' | 'undeliverable';
    }
  | { readonly type: 'tool_without_policy'; readonly atMs: number; readonly tool: string }
  | { readonly type: 'policy_error'; readonly atMs: number; readonly error: unknown }
  | { readonly type: 'inventory_error'; readonly atMs: number; readonly error: unknown }
  | { readonly type: 'handler_error'; readonly atMs: number; readonly error: unknown };

/** Hears every decision, after it was made. What it throws is ignored; it never sees a token. */
export type OnAuthEvent = (event: AuthEvent) => void;

const callerOf = (context: AuthContext): EventCaller => ({
  kind: context.kind,
  subject: context.subject.id,
  actors: context.actorChain.map(({ id }) => id),
  client: context.client.id,
  tokenId: context.tokenId,
});

const refusal = (error: AuthError | undefined) =>
  error === undefined
    ? {}
    : {
        code: error.code,
        reason: error.reason,
        ...(error.claim === undefined ? {} : { claim: error.claim }),
      };

/** The event of one token or request looked at. */
export function authenticationEvent(
  atMs: number,
  outcome: { readonly context?: AuthContext; readonly error?: AuthError },
): AuthEvent {
  const { context, error } = outcome;
  return {
    type: 'authentication',
    atMs,
    allowed: error === undefined,
    ...refusal(error),
    ...(context === undefined ? {} : { caller: callerOf(context) }),
  };
}

/** What is about to be done, for whoever decides or records it. */
export interface Operation {
  /** The tool or operation decided about; named in events and reports. */
  readonly tool?: string | undefined;
  /** Its arguments, for the `check` of a requirement. In no event and no report. */
  readonly args?: unknown;
}

/** The event of one decision about a known caller. */
export function authorizationEvent(
  atMs: number,
  context: AuthContext,
  requirement: ParsedRequirement,
  decision: Decision,
  { tool }: Operation,
): AuthEvent {
  const missing = decision.ok ? undefined : decision.missing;
  return {
    type: 'authorization',
    atMs,
    allowed: decision.ok,
    ...refusal(decision.ok ? undefined : decision.error),
    caller: callerOf(context),
    ...(tool === undefined ? {} : { tool: tool.slice(0, TOOL_NAME_MAX_CHARS) }),
    required: [...requirement.all, ...requirement.any],
    ...(missing === undefined ? {} : { missingUser: missing.user, missingAgent: missing.agent }),
  };
}

/** The same decision as the broker's audit log takes it. */
export function toReport(
  at: number,
  context: AuthContext,
  requirement: ParsedRequirement,
  decision: Decision,
  tool: string,
): ReportedDecision {
  const [current, ...earlier] = context.actorChain.map(({ id }) => id);
  return {
    at,
    allowed: decision.ok,
    // A made-up name may be of any length, and must not spoil the batch it is reported in.
    tool: tool.slice(0, TOOL_NAME_MAX_CHARS),
    jti: context.tokenId,
    sub: context.subject.id,
    act: current ?? null,
    ...(earlier.length === 0 ? {} : { earlier_actors: earlier }),
    client_id: context.client.id,
    ...(context.via.length === 0 ? {} : { via: context.via }),
    resource: context.audience,
    required: [...requirement.all, ...requirement.any],
    missing_user: decision.ok ? [] : decision.missing.user,
    missing_agent: decision.ok ? [] : decision.missing.agent,
    ...(decision.ok ? {} : { code: decision.error.code, reason: decision.error.reason }),
  };
}
