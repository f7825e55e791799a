/**
 * Tells the broker what was decided, so that its audit log answers "who did what". In batches,
 * behind the requests, bounded in every way: a broker that is away costs records, never a call.
 */
import { urlBelow } from '../protocol/index.js';
import { later } from './timers.js';

const FLUSH_EVERY_MS = 250;
const BATCH_MAX = 100;
const QUEUE_MAX = 10_000;
const ATTEMPTS_MAX = 5;
const TIMEOUT_MS = 5_000;
const RETRY_FIRST_MS = 250;

/** One decision as the broker takes it. Names people and rights; holds no token and no arguments. */
export interface ReportedDecision {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly allowed: boolean;
  readonly tool: string;
  readonly jti: string;
  readonly sub: string;
  readonly act: string | null;
  /** Actors before the current one, newest first; absent when there were none. */
  readonly earlier_actors?: readonly string[];
  readonly client_id: string;
  /** Clients earlier in the lineage; absent when there were none. */
  readonly via?: readonly string[];
  readonly resource: string;
  readonly required: readonly string[];
  readonly missing_user: readonly string[];
  readonly missing_agent: readonly string[];
  /** Present when it was refused. */
  readonly code?: string;
  readonly reason?: string;
}

/** The resource’s own client at the broker; sent to the issuer’s origin alone, as HTTP Basic. */
export interface ReportCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface ReporterOptions extends ReportCredentials {
  readonly issuer: string;
  readonly fetch: typeof globalThis.fetch;
  /** Called with the number of decisions that were given up, and why. */
  readonly onDropped: (count: number, why: 'queue_full' | 'undeliverable') => void;
}

export interface Reporter {
  add(decision: ReportedDecision): void;
  /** Sends what is waiting, once. Never rejects. */
  close(): Promise<void>;
}

/** RFC 6749 §2.3.1: both parts form-encoded before they are joined. */
export const basicAuthorization = ({ clientId, clientSecret }: ReportCredentials): string =>
  `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`;

/** One delivery. A refusal is final: the same batch would be refused again. */
async function post(
  { issuer, fetch }: ReporterOptions,
  authorization: string,
  decisions: readonly ReportedDecision[],
): Promise<'taken' | 'refused' | 'failed'> {
  try {
    const response = await fetch(urlBelow(issuer, 'decisions'), {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ decisions }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.status === 204) return 'taken';
    return response.status >= 500 || response.status === 429 ? 'failed' : 'refused';
  } catch {
    return 'failed';
  }
}

/** Starts a reporter; nothing is sent before there is something to say. */
export function createReporter(options: ReporterOptions): Reporter {
  const authorization = basicAuthorization(options);
  let queue: ReportedDecision[] = [];
  let cancelTimer: (() => void) | undefined;
  let sending: Promise<void> | undefined;
  let attempts = 0;
  let closed = false;
  async function sendBatch(): Promise<void> {
    const batch = queue.slice(0, BATCH_MAX);
    const outcome = await post(options, authorization, batch);
    attempts = outcome === 'failed' ? attempts + 1 : 0;
    if (outcome === 'failed' && attempts < ATTEMPTS_MAX && !closed) return;
    // At the end nobody is made to wait for a broker that does not answer.
    const done = new Set(closed && outcome !== 'taken' ? queue : batch);
    const before = queue.length;
    // Some of the batch may have been pushed out of a full queue while it was on its way.
    queue = queue.filter((decision) => !done.has(decision));
    attempts = 0;
    if (outcome !== 'taken') options.onDropped(before - queue.length, 'undeliverable');
  }

  const schedule = (delayMs: number) => {
    cancelTimer ??= later(delayMs, flush);
  };

  function flush(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    if (sending !== undefined || queue.length === 0) return;
    sending = sendBatch().finally(() => {
      sending = undefined;
      if (queue.length > 0 && !closed)
        schedule(attempts === 0 ? 0 : RETRY_FIRST_MS * 2 ** attempts);
    });
  }

  return {
    add(decision) {
      if (closed) return options.onDropped(1, 'undeliverable');
      queue.push(decision);
      if (queue.length > QUEUE_MAX) {
        queue.shift();
        options.onDropped(1, 'queue_full');
      }
      // A client may be on its way to the broker with it: the broker should know (RFC 6750 §3.1).
      const isUrgent = decision.code === 'insufficient_scope';
      if ((isUrgent || queue.length >= BATCH_MAX) && attempts === 0) flush();
      else schedule(FLUSH_EVERY_MS);
    },
    async close() {
      closed = true;
      cancelTimer?.();
      await sending;
      while (queue.length > 0) await sendBatch();
    },
  };
}
