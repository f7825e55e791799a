/** A revocation feed without a network: snapshot, stream, heartbeats (DESIGN §6). */
import { feedKeyInput } from '../protocol/index.js';

export interface TestFact {
  readonly id: number;
  readonly key: string;
  readonly revoked_at: number;
  readonly always: boolean;
  readonly until: number;
}

export interface TestFeed {
  /** `GET <issuer>/revocations` */
  snapshot(): Response;
  /** `GET <issuer>/revocations/stream` */
  stream(after: number, signal: AbortSignal | null | undefined): Response;
  /** Publishes a fact about a key. */
  revoke(key: string, options: { readonly always: boolean; readonly atMs: number }): Promise<void>;
  /** Stops heartbeats and facts on open streams, as a cut connection would; or goes on. */
  silence(silent: boolean): void;
  /** Ends open streams. */
  drop(): void;
}

const HEX = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

async function publishedKey(issuer: string, key: string): Promise<string> {
  const text = new TextEncoder().encode(feedKeyInput(issuer, key));
  return HEX(new Uint8Array(await crypto.subtle.digest('SHA-256', text))).slice(0, 32);
}

/** Facts of tests live this long. */
const FACT_TTL_MS = 3_600_000;

export function createTestFeed(issuer: string, heartbeatMs: number): TestFeed {
  const facts: TestFact[] = [];
  const writers = new Set<{ send(text: string): void; close(): void }>();
  let silent = false;
  const cursor = () => facts.at(-1)?.id ?? 0;
  const factEvent = (fact: TestFact) =>
    `event: revocation\nid: ${fact.id}\ndata: ${JSON.stringify(fact)}\n\n`;
  const heartbeat = () => `event: heartbeat\ndata: {"cursor":${cursor()}}\n\n`;

  function stream(after: number, signal: AbortSignal | null | undefined): Response {
    const encoder = new TextEncoder();
    let stop = (): void => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const send = (text: string) => controller.enqueue(encoder.encode(text));
        const timer = setInterval(() => silent || send(heartbeat()), heartbeatMs);
        (timer as { unref?: () => void }).unref?.();
        const close = () => {
          stop();
          controller.close();
        };
        const onAbort = () => {
          stop();
          controller.error(signal?.reason);
        };
        const writer = { send, close };
        stop = () => {
          clearInterval(timer);
          writers.delete(writer);
          signal?.removeEventListener('abort', onAbort);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        writers.add(writer);
        for (const fact of facts) if (fact.id > after) send(factEvent(fact));
        send(heartbeat());
      },
      cancel: () => stop(),
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  return {
    snapshot: () => Response.json({ issuer, cursor: cursor(), facts }),
    stream,
    async revoke(key, { always, atMs }) {
      const published = await publishedKey(issuer, key);
      const id = cursor() + 1;
      const fact = { id, key: published, revoked_at: atMs, always, until: atMs + FACT_TTL_MS };
      facts.push(fact);
      if (!silent) for (const writer of writers) writer.send(factEvent(fact));
    },
    silence: (value) => {
      silent = value;
    },
    drop: () => {
      for (const writer of [...writers]) writer.close();
    },
  };
}
