/** What a follower of the feed knows: the facts, the cursor, and when the issuer was last heard. */
import { createFactSet, type FeedFact, parseFact } from './facts.js';
import type { ServerSentEvent } from './sse.js';

const PRUNE_EVERY_MS = 60_000;

export interface FeedState {
  /** Where to resume; `undefined` when only a snapshot will do. */
  readonly cursor: number | undefined;
  /** Milliseconds since the epoch; −∞ before the first word. */
  readonly heardAtMs: number;
  readonly isEmpty: boolean;
  /**
   * Takes a snapshot in the place of everything known.
   * @throws Error when it is not one of this issuer; nothing is changed then
   */
  takeSnapshot(answer: Readonly<Record<string, unknown>>): void;
  /**
   * Takes an event of the stream. Kinds it does not know are passed over and do not count.
   * @throws Error when it is malformed
   */
  takeEvent(event: ServerSentEvent): void;
  /** Whether a known fact about one of these published keys stops a token issued then. */
  stops(published: readonly string[], issuedAtSeconds: number): boolean;
}

const readCount = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

function readSnapshot(answer: Readonly<Record<string, unknown>>, issuer: string) {
  const cursor = readCount(answer.cursor);
  if (answer.issuer !== issuer || cursor === undefined || !Array.isArray(answer.facts))
    throw new Error('not a revocation snapshot of this issuer');
  const facts = answer.facts.map(parseFact).filter((fact) => fact !== undefined);
  // A fact that cannot be read may be the one that matters.
  if (facts.length !== answer.facts.length) throw new Error('a malformed fact in the snapshot');
  return { cursor, facts };
}

function readEvent(event: ServerSentEvent): { fact?: FeedFact; position: number } {
  const value: unknown = JSON.parse(event.data);
  if (event.event === 'heartbeat') {
    const position = readCount((value as { cursor?: unknown } | null)?.cursor);
    if (position === undefined) throw new Error('a malformed heartbeat');
    return { position };
  }
  const fact = parseFact(value);
  if (fact === undefined) throw new Error('a malformed fact in the stream');
  return { fact, position: readCount(event.id ? Number(event.id) : fact.id) ?? fact.id };
}

export function createFeedState(
  issuer: string,
  now: () => number,
  onFact: (fact: FeedFact) => void,
): FeedState {
  const known = createFactSet();
  let heardAtMs = Number.NEGATIVE_INFINITY;
  let prunedAtMs = now();
  let cursor: number | undefined;

  function heard(): void {
    heardAtMs = now();
    if (heardAtMs - prunedAtMs < PRUNE_EVERY_MS) return;
    prunedAtMs = heardAtMs;
    known.prune(heardAtMs);
  }

  return {
    get cursor() {
      return cursor;
    },
    get heardAtMs() {
      return heardAtMs;
    },
    get isEmpty() {
      return known.size === 0;
    },
    takeSnapshot(answer) {
      const snapshot = readSnapshot(answer, issuer);
      known.replace(snapshot.facts);
      cursor = snapshot.cursor;
      heard();
      snapshot.facts.forEach(onFact);
    },
    takeEvent(event) {
      if (event.event !== 'heartbeat' && event.event !== 'revocation') return;
      const { fact, position } = readEvent(event);
      if (fact !== undefined) {
        known.add(fact);
        // A cursor moves on by facts alone, so that no hasty heartbeat can make it skip one.
        cursor = Math.max(cursor ?? 0, position);
        onFact(fact);
      } else if (cursor !== undefined && position < cursor) {
        // The table went back in time (a restore): what we know and what it says are two histories.
        cursor = undefined;
      }
      heard();
    },
    stops(published, issuedAtSeconds) {
      const nowMs = now();
      return published.some((key) => known.stops(key, issuedAtSeconds, nowMs));
    },
  };
}
