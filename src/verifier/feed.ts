/**
 * Follows an issuer's revocation feed (DESIGN §6): a snapshot, then a stream resumed from the
 * cursor. Every event, the heartbeat included, says that the issuer has just read its table, so
 * silence means that revocations may be missed; {@link RevocationFeed.isFresh} tells.
 */
import { urlBelow } from '../protocol/index.js';
import type { FeedFact } from './facts.js';
import { createFeedKeys } from './feed-keys.js';
import { createFeedState, type FeedState } from './feed-state.js';
import { fetchJson } from './fetch-json.js';
import { readEvents } from './sse.js';
import { later, pause } from './timers.js';

const SNAPSHOT_MAX_BYTES = 256 * 1024 * 1024;
/** Three heartbeats and a bit: a stream this silent is dead, whatever TCP believes. */
const SILENCE_MAX_MS = 7_000;
const OPEN_TIMEOUT_MS = 5_000;
/** How long first requests wait for a feed that does not come before they are told to come back. */
const WARM_UP_MAX_MS = 5_000;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 5_000;

export interface FeedOptions {
  readonly issuer: string;
  readonly staleLimitSeconds: number;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  /** Ends the feed. */
  readonly signal: AbortSignal;
  /** Called for each fact as it arrives, and for each of a snapshot. */
  readonly onFact: (fact: FeedFact) => void;
  /** Called with the position that is applied, whenever the issuer was heard. */
  readonly onApplied: (position: number) => void;
  /** Called when a connection fails, before the next attempt. */
  readonly onError: (error: unknown) => void;
}

export interface RevocationFeed {
  /** Starts following, once. Resolves when snapshot and stream are there, or the feed ends. */
  start(): Promise<void>;
  /** Starts following; resolves like `start`, or when the first wait has been long enough. */
  warmUp(): Promise<void>;
  /** Whether the issuer was heard within the limit. */
  isFresh(): boolean;
  /** Whether a known fact about one of these keys stops a token issued then. */
  stops(keys: readonly string[], issuedAtSeconds: number): Promise<boolean>;
  /** The same for keys in their published form, without waiting: for every later use of a token. */
  stopsPublished(published: readonly string[], issuedAtSeconds: number): boolean;
  /** The published form of a key, to compare with arriving facts. */
  readonly feedKey: (key: string) => Promise<string>;
}

async function readSnapshot(options: FeedOptions, state: FeedState): Promise<void> {
  const answer = await fetchJson(urlBelow(options.issuer, 'revocations'), {
    fetch: options.fetch,
    bodyMaxBytes: SNAPSHOT_MAX_BYTES,
    signal: options.signal,
  });
  state.takeSnapshot(answer);
  if (state.cursor !== undefined) options.onApplied(state.cursor);
}

/** Reads the stream until it ends, is silent for too long, or only a snapshot can help. */
async function readStream(
  options: FeedOptions,
  state: FeedState,
  onOpen: () => void,
): Promise<void> {
  const over = new AbortController();
  const giveUp = () => over.abort(new Error('the revocation stream is silent'));
  let cancel = later(OPEN_TIMEOUT_MS, giveUp);
  try {
    const after = String(state.cursor ?? 0);
    const url = `${urlBelow(options.issuer, 'revocations/stream')}?after=${after}`;
    const response = await options.fetch(url, {
      headers: { accept: 'text/event-stream', 'last-event-id': after },
      redirect: 'error',
      signal: AbortSignal.any([options.signal, over.signal]),
    });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      throw new Error(`the revocation stream answered ${response.status}`);
    }
    onOpen();
    const onBytes = () => {
      cancel();
      cancel = later(SILENCE_MAX_MS, giveUp);
    };
    for await (const event of readEvents(response.body, onBytes)) {
      state.takeEvent(event);
      if (state.cursor === undefined || options.signal.aborted) return;
      options.onApplied(state.cursor);
    }
  } finally {
    cancel();
    over.abort();
  }
}

/** Follows until the signal aborts, with a growing, jittered pause after each end. */
async function follow(options: FeedOptions, state: FeedState, onOpen: () => void): Promise<void> {
  let hasFailed = true;
  let silentRounds = 0;
  while (!options.signal.aborted) {
    const heardAtMs = state.heardAtMs;
    try {
      // After a failure the stream alone is not trusted to resume; a snapshot settles it.
      if (hasFailed || state.cursor === undefined) await readSnapshot(options, state);
      hasFailed = false;
      await readStream(options, state, onOpen);
    } catch (error) {
      if (options.signal.aborted) return;
      hasFailed = true;
      options.onError(error);
    }
    silentRounds = state.heardAtMs > heardAtMs ? 0 : silentRounds + 1;
    // A stream that ended without a word (too many followers): snapshots until there is room.
    if (silentRounds > 0) hasFailed = true;
    const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** silentRounds, BACKOFF_MAX_MS);
    await pause(backoffMs * (0.5 + Math.random() / 2), options.signal);
  }
}

/** Creates a follower; nothing is fetched before {@link RevocationFeed.start}. */
export function createRevocationFeed(options: FeedOptions): RevocationFeed {
  const { now, signal } = options;
  const state = createFeedState(options.issuer, now, options.onFact);
  const feedKey = createFeedKeys(options.issuer);
  let started: Promise<void> | undefined;
  let warm: Promise<void> | undefined;
  const start = (): Promise<void> => {
    started ??= new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      void follow(options, state, resolve);
    });
    return started;
  };
  return {
    start,
    warmUp: () => {
      warm ??= Promise.race([start(), pause(WARM_UP_MAX_MS, signal)]);
      return warm;
    },
    isFresh: () => now() - state.heardAtMs <= options.staleLimitSeconds * 1000,
    feedKey,
    stopsPublished: state.stops,
    async stops(keys, issuedAtSeconds) {
      if (state.isEmpty) return false;
      return state.stops(await Promise.all(keys.map(feedKey)), issuedAtSeconds);
    },
  };
}
