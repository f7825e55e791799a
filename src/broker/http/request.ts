/** What belongs to one request: its id, and the reasons that never go to the wire. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ParameterizedContext } from 'koa';
import type { ClientCertificate } from './client-certificate.js';

/** Anything that hangs on a Koa request; the engine's contexts do too. */
export type RequestContext = Pick<ParameterizedContext, 'req'>;

/** Whom a request is about. */
export interface RequestStory {
  readonly sub?: string | undefined;
  readonly agentId?: string | undefined;
  /** Of a resource server; or where nobody authenticated, on pages. */
  readonly clientId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly jti?: string | undefined;
  readonly resource?: string | undefined;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface RequestState {
  readonly id: string;
  /** Milliseconds: tells a simultaneous redemption from a later replay. */
  readonly arrivedAtMs: number;
  /** The credential that authenticated the client, if any. */
  credentialId?: string;
  /** The certificate of the client's connection, as a proxy that is believed told of it (RFC 8705). */
  readonly certificate?: ClientCertificate;
  /**
   * The client is known by its platform's token, or was to be (`workload/`): the secret stands for that in
   * this request.
   */
  workload?: {
    readonly principal: string;
    readonly secret: string;
    /** The token is the grant itself, not client authentication beside another. */
    readonly asGrant: boolean;
    /** Absent when it was not proved. */
    readonly credentialId?: string;
    readonly problem?: string;
    /** Seconds: when the proof ends. */
    readonly expiresAt?: number;
    readonly provedBy?: string;
    readonly provedSub?: string;
  };
  /**
   * Whether the code or refresh token of this request had been used when the request arrived. Told by
   * durations, each on one clock: the database's and this process's need not agree.
   */
  usedBeforeArrival?: boolean;
  /** The attested instance of the agent: the thumbprint of its key (RFC 7638). */
  instance?: string;
  /** The refresh token that this request brings is used again and again (FAPI 2.0). */
  keepsRefreshToken?: boolean;
  /** A grant made in silence for this request: of no use to anybody if the request then fails. */
  madeGrantId?: string;
  /** Why the engine refused; for the audit. */
  refusal?: {
    readonly code: string;
    readonly reason: string;
    /** The rule that decided, by its name. */
    readonly rule?: string;
    readonly taken_away?: readonly unknown[];
  };
  /** Whom it is about, as far as it was proved: for the audit, should it be refused. */
  story?: RequestStory;
  /** The token this request names and has no right to: for the audit, nothing of it is answered. */
  foreign?: RequestStory;
  /** An error that is not a refusal: decides between 500 and 503. */
  failure?: unknown;
}

const REQUEST_ID_BYTES = 12;

/** Keyed on the Node request, which outer and inner Koa applications share. */
const certificates = new WeakMap<object, ClientCertificate>();
const states = new WeakMap<object, RequestState>();

export function beginRequest(ctx: RequestContext, nowMs: number): RequestState {
  const certificate = certificates.get(ctx.req);
  const state: RequestState = {
    id: randomBytes(REQUEST_ID_BYTES).toString('base64url'),
    arrivedAtMs: nowMs,
    ...(certificate === undefined ? {} : { certificate }),
  };
  states.set(ctx.req, state);
  return state;
}

export function requestState(ctx: RequestContext): RequestState {
  return states.get(ctx.req) ?? beginRequest(ctx, Date.now());
}

const addresses = new WeakMap<object, string>();

/**
 * Remembers where a request came from, before the forwarded headers are taken away: the socket's
 * address, or, behind `trustedProxies` proxies, what the outermost of them saw (M12: nothing further
 * left is believed).
 */
export function rememberAddress(req: IncomingMessage, trustedProxies: number): void {
  const seen = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  const forwarded = trustedProxies > 0 ? seen.at(-trustedProxies) : undefined;
  addresses.set(req, (forwarded ?? req.socket.remoteAddress ?? '').slice(0, ADDRESS_CHARS_MAX));
}

/** Before the request begins: its headers are gone by then. */
export function rememberCertificate(
  req: IncomingMessage,
  certificate: ClientCertificate | undefined,
): void {
  if (certificate !== undefined) certificates.set(req, certificate);
}

const ADDRESS_CHARS_MAX = 64;

export const addressOf = (req: IncomingMessage): string =>
  addresses.get(req) ?? req.socket.remoteAddress ?? '';

/** Where a request came from, as the person behind it would recognise it. */
export const placeOf = (
  req: IncomingMessage,
): { readonly userAgent: string | undefined; readonly address: string } => ({
  userAgent: req.headers['user-agent'],
  address: addressOf(req),
});
