/**
 * Tells the broker how far the feed was applied here, for its receipts. Behind everything else: no
 * request waits for it, and a broker that does not listen loses nothing but the line in a receipt.
 */
import { urlBelow } from '../protocol/index.js';
import { basicAuthorization, type ReportCredentials } from './report.js';

/** Said again this often though nothing came, so that the broker knows who still follows. */
const REPEAT_MS = 20_000;
/** After a refusal: the same would be refused again. */
const REFUSED_PAUSE_MS = 60_000;
const TIMEOUT_MS = 5_000;

export interface AcknowledgerOptions {
  readonly issuer: string;
  readonly resource: string;
  readonly client: ReportCredentials | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}

/** @returns what to call whenever the feed was heard, with the position applied; never throws */
export function createAcknowledger(options: AcknowledgerOptions): (position: number) => void {
  const { client, now, signal } = options;
  if (client === undefined) return () => undefined;
  const authorization = basicAuthorization(client);
  const instance = crypto.randomUUID();
  let said = -1;
  let nextAtMs = Number.NEGATIVE_INFINITY;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let latest = -1;
  let sending = false;

  async function send(): Promise<void> {
    sending = true;
    while (latest !== said && now() >= pausedUntilMs && !signal.aborted) {
      const position = latest;
      const outcome = await post(options, authorization, { position, instance });
      if (outcome === 'taken') said = position;
      else if (outcome === 'refused') pausedUntilMs = now() + REFUSED_PAUSE_MS;
      // The next heartbeat tries again.
      else break;
      nextAtMs = now() + REPEAT_MS;
    }
    sending = false;
  }
  return (position) => {
    latest = position;
    if (now() >= nextAtMs) said = -1;
    if (!sending && latest !== said && now() >= pausedUntilMs) void send();
  };
}

async function post(
  { issuer, resource, fetch, signal, onError }: AcknowledgerOptions,
  authorization: string,
  body: { readonly position: number; readonly instance: string },
): Promise<'taken' | 'refused' | 'failed'> {
  try {
    const response = await fetch(urlBelow(issuer, 'revocations/ack'), {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, resource }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    if (response.status === 204) return 'taken';
    if (response.status >= 500 || response.status === 429) return 'failed';
    onError(new Error(`the acknowledgement of revocations was answered ${response.status}`));
    return 'refused';
  } catch {
    return 'failed';
  }
}
