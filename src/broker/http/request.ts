/** What belongs to one request: its id, and the reasons that never go to the wire. */
import { randomBytes } from 'node:crypto';
import type { ParameterizedContext } from 'koa';

/** Anything that hangs on a Koa request; the engine's contexts do too. */
export type RequestContext = Pick<ParameterizedContext, 'req'>;

export interface RequestState {
  readonly id: string;
  /** Milliseconds: tells a simultaneous redemption from a later replay. */
  readonly arrivedAtMs: number;
  /** The credential that authenticated the client, if any. */
  credentialId?: string;
  /** Why the engine refused; for the audit. */
  refusal?: { readonly code: string; readonly reason: string };
  /** An error that is not a refusal: decides between 500 and 503. */
  failure?: unknown;
}

const REQUEST_ID_BYTES = 12;

/** Keyed on the Node request, which outer and inner Koa applications share. */
const states = new WeakMap<object, RequestState>();

export function beginRequest(ctx: RequestContext, nowMs: number): RequestState {
  const state: RequestState = {
    id: randomBytes(REQUEST_ID_BYTES).toString('base64url'),
    arrivedAtMs: nowMs,
  };
  states.set(ctx.req, state);
  return state;
}

export function requestState(ctx: RequestContext): RequestState {
  return states.get(ctx.req) ?? beginRequest(ctx, Date.now());
}
