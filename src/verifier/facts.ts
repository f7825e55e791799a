/** The revocation facts a verifier knows, by published key. Pure data; hears and fetches nothing. */
import { FEED_KEY_HEX_CHARS, factStops, type RevocationFact } from '../protocol/index.js';

export interface FeedFact extends RevocationFact {
  readonly id: number;
  /** First 128 bits of SHA-256 over `feedKeyInput`, as lower-case hex. */
  readonly key: string;
  /** Milliseconds since the epoch; the fact is forgotten then. */
  readonly untilMs: number;
}

const KEY = new RegExp(`^[0-9a-f]{${FEED_KEY_HEX_CHARS}}$`);
/** More live facts than this and the feed is refused as a whole: fail closed, never forget some. */
const FACTS_MAX = 1_000_000;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** One fact of the feed; `undefined` when it is malformed. */
export function parseFact(value: unknown): FeedFact | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, key, revoked_at, always, until } = value as Record<string, unknown>;
  if (!isCount(id) || typeof key !== 'string' || !KEY.test(key)) return undefined;
  if (!isCount(revoked_at) || !isCount(until) || typeof always !== 'boolean') return undefined;
  return { id, key, revokedAtMs: revoked_at, always, untilMs: until };
}

export interface FactSet {
  readonly size: number;
  /** Adds a fact. The newest about a key counts: lifting a block leaves only what is older dead. */
  add(fact: FeedFact): void;
  /** Exchanges everything for a snapshot. */
  replace(facts: readonly FeedFact[]): void;
  /** Whether a fact about this published key stops a token issued then. */
  stops(key: string, issuedAtSeconds: number, nowMs: number): boolean;
  /** Forgets facts whose time is over. */
  prune(nowMs: number): void;
}

export function createFactSet(): FactSet {
  let byKey = new Map<string, FeedFact>();

  function add(fact: FeedFact): void {
    const known = byKey.get(fact.key);
    if (known !== undefined && known.id > fact.id) return;
    byKey.set(fact.key, fact);
    if (byKey.size > FACTS_MAX) throw new Error(`more than ${FACTS_MAX} revocation facts`);
  }
  function replace(facts: readonly FeedFact[]): void {
    byKey = new Map();
    for (const fact of facts) add(fact);
  }

  return {
    get size() {
      return byKey.size;
    },
    add,
    replace,
    stops: (key, issuedAtSeconds, nowMs) => {
      const fact = byKey.get(key);
      return fact !== undefined && fact.untilMs > nowMs && factStops(fact, issuedAtSeconds);
    },
    prune: (nowMs) => replace([...byKey.values()].filter((fact) => fact.untilMs > nowMs)),
  };
}
