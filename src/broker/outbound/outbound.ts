/**
 * The one way out (S1–S4). Whatever the broker fetches because somebody else named it goes through here:
 * https, resolved once, checked, pinned; no redirect, no proxy, no compression; bounded in time, bytes
 * and number; failures remembered for a moment, and told alike whatever the cause. Fails closed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createAddressCheck } from './addresses.js';
import { type ConnectDeps, connect, createDial, type Dial, resolveByDns } from './connect.js';
import { isOutboundError, type OutboundReason, outboundError } from './errors.js';
import { get, type Limits, type Received } from './request.js';
import { type Target, targetOf } from './target.js';

export interface FetchedJson {
  readonly json: Record<string, unknown>;
  /** What its server lets it be kept for; `undefined`: it says nothing; 0: not at all. */
  readonly maxAgeSeconds: number | undefined;
}

export interface Outbound {
  /**
   * Gets a JSON document. Never follows a redirect.
   *
   * @throws OutboundError (`errors.ts`) for anything that is not a 200 JSON object within the limits
   */
  fetchJson(url: string, limits: Limits): Promise<FetchedJson>;
  /** The engine's `fetch`: what it would get by itself, it gets from here, or not at all. */
  engineFetch(url: string | URL, options?: EngineFetchOptions): Promise<Response>;
}

export interface EngineFetchOptions {
  readonly method?: string | undefined;
  readonly body?: unknown;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
}

export interface OutboundDeps {
  /** Only where the issuer itself is on loopback, and never in production. */
  readonly allowLoopback: boolean;
  /** Milliseconds. */
  readonly now: () => number;
  /** All addresses of a name; DNS by default. */
  readonly resolve?: ConnectDeps['resolve'] | undefined;
  /** For tests, which have no public addresses. */
  readonly dial?: Dial | undefined;
  /** For tests: certificates trusted instead of the system's. */
  readonly ca?: string | undefined;
}

/** For name, connection and answer together. */
const TIMEOUT_MS = 2500;
/** A failure that took somebody else's answer is told at a full step: open and closed look alike (S4). */
const FAILURE_STEP_MS = 500;
const FAILURE_REMEMBERED_MS = 30_000;
const FAILURES_MAX = 1000;
const AT_ONCE_MAX = 64;
const AT_ONCE_PER_HOST_MAX = 4;
/** What the engine may read: keys. */
const ENGINE_BYTES_MAX = 64 * 1024;

export function createOutbound(deps: OutboundDeps): Outbound {
  const addresses = createAddressCheck();
  const { allowLoopback, now, resolve = resolveByDns, ca } = deps;
  const connecting: ConnectDeps = {
    addresses,
    resolve,
    dial: deps.dial ?? createDial(addresses, allowLoopback),
    ca,
  };
  const failures = createFailures(now);
  const places = createPlaces();

  const fetchRead = async <T>(
    url: string,
    limits: Limits,
    read: (received: Received) => T,
  ): Promise<T> => {
    const target = targetOf(url, { addresses, allowLoopback });
    failures.throwIfAny(url);
    const leave = places.enter(target.host);
    const startedAtMs = performance.now();
    try {
      return read(await fetchOnce(target, connecting, limits));
    } catch (error) {
      failures.remember(url, isOutboundError(error) ? error.reason : 'json');
      const passedMs = Math.min(performance.now() - startedAtMs, TIMEOUT_MS);
      await sleep(Math.ceil(passedMs / FAILURE_STEP_MS) * FAILURE_STEP_MS - passedMs);
      throw isOutboundError(error) ? error : outboundError('json', error);
    } finally {
      leave();
    }
  };
  return {
    fetchJson: (url, limits) => fetchRead(url, limits, jsonOf),
    engineFetch: async (url, options = {}) => {
      if ((options.method ?? 'GET') !== 'GET' || (options.body ?? null) !== null) {
        throw outboundError('url');
      }
      const accept = new Headers(options.headers).get('accept') ?? undefined;
      const limits = { maxBytes: ENGINE_BYTES_MAX, accept };
      return fetchRead(
        String(url),
        limits,
        ({ body, contentType, cacheControl }) =>
          new Response(new Uint8Array(body), {
            headers: { 'content-type': contentType, 'cache-control': cacheControl },
          }),
      );
    },
  };
}

async function fetchOnce(
  target: Target,
  connecting: ConnectDeps,
  limits: Limits,
): Promise<Received> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const socket = await inTime(connect(target, connecting, signal), signal);
    return await inTime(get(socket, target, limits, signal), signal);
  } catch (error) {
    if (signal.aborted) throw outboundError('timeout', error);
    throw isOutboundError(error) ? error : outboundError('connection', error);
  }
}

/** A resolver that hangs ends with the time there is, too. */
const inTime = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    }),
  ]);

function jsonOf({ body, contentType, cacheControl }: Received): FetchedJson {
  if (!/^application\/(?:[\w.+-]{1,80}\+)?json\s*(?:;|$)/i.test(contentType)) {
    throw outboundError('type');
  }
  const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw outboundError('json');
  return { json: json as Record<string, unknown>, maxAgeSeconds: maxAgeOf(cacheControl) };
}

/** RFC 9111 §5.2.2, what matters of it. */
function maxAgeOf(cacheControl: string): number | undefined {
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());
  if (directives.some((one) => /^no-(?:store|cache)\b/.test(one))) return 0;
  const ages = directives.flatMap((one) => /^max-age="?(\d{1,10})"?$/.exec(one)?.[1] ?? []);
  return ages.length === 0 ? undefined : Math.min(...ages.map(Number));
}

/** What failed a moment ago is not tried again: nobody makes us knock, or wait, again and again. */
function createFailures(now: () => number) {
  const known = new Map<string, { readonly reason: OutboundReason; readonly untilMs: number }>();
  return {
    throwIfAny: (url: string): void => {
      const failure = known.get(url);
      if (failure !== undefined && failure.untilMs > now()) throw outboundError(failure.reason);
      known.delete(url);
    },
    remember: (url: string, reason: OutboundReason): void => {
      if (known.size >= FAILURES_MAX) known.delete(known.keys().next().value as string);
      known.set(url, { reason, untilMs: now() + FAILURE_REMEMBERED_MS });
    },
  };
}

/** So much is fetched at once, and so much from one host. */
function createPlaces() {
  const byHost = new Map<string, number>();
  let taken = 0;
  return {
    enter: (host: string): (() => void) => {
      const here = byHost.get(host) ?? 0;
      if (taken >= AT_ONCE_MAX || here >= AT_ONCE_PER_HOST_MAX) throw outboundError('busy');
      taken += 1;
      byHost.set(host, here + 1);
      return () => {
        taken -= 1;
        const left = (byHost.get(host) ?? 1) - 1;
        if (left === 0) byHost.delete(host);
        else byHost.set(host, left);
      };
    },
  };
}
