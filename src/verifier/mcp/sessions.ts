/**
 * Whose session (`Mcp-Session-Id`) and whose task is whose. They belong to (issuer, subject, agent,
 * client), not to a token, which is renewed while they last; and their ids are no credentials (MCP
 * transports, MCP tasks).
 */
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import type { Soon } from '../soon.js';

const ID_MAX_CHARS = 256;
/** A day; clients open a new session when one is not known any more. */
const TTL_SECONDS = 86_400;

/**
 * Whose sessions and tasks are whose, for processes of one server that share them. Holds no secret and no
 * token. When it throws, requests of sessions and about tasks are answered 503.
 */
export interface OwnerStore {
  /** The owner; undefined for what is not known, or is over. */
  get(key: string): Soon<string | undefined>;
  /** Keeps the owner for so long, unless there is one: the first stays (`SET … NX EX` in Redis). */
  add(key: string, owner: string, ttlSeconds: number): Soon<void>;
  delete(key: string): Soon<void>;
}

/** Bounds of a store in memory. */
export interface OwnerStoreOptions {
  /** Most sessions and tasks remembered; default 10,000. Beyond it the oldest are forgotten. */
  readonly max?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * A store in memory, for one process.
 *
 * @throws TypeError when `max` is not a positive number
 */
export function createOwnerStore(options: OwnerStoreOptions = {}): OwnerStore {
  const { max = 10_000, now = Date.now } = options;
  if (!(max >= 1)) throw new TypeError('max is a positive number');
  const entries = new Map<string, { readonly owner: string; readonly untilMs: number }>();
  function get(key: string): string | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.untilMs > now()) return entry?.owner;
    entries.delete(key);
    return undefined;
  }
  return {
    get,
    add(key, owner, ttlSeconds) {
      if (get(key) !== undefined) return;
      const oldest = entries.size >= max ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
      entries.set(key, { owner, untilMs: now() + ttlSeconds * 1000 });
    },
    delete: (key) => void entries.delete(key),
  };
}

/** The principal of a context as one comparable string. */
export const principalKey = ({ issuer, subject, agent, client }: AuthContext): string =>
  JSON.stringify([issuer, subject.id, agent?.id ?? null, client.id]);

export interface Owners {
  /** Remembers whose this is; the first owner stays. Never fails: what is not kept is nobody's. */
  bind(id: string, context: AuthContext): Soon<void>;
  /**
   * Whether this is this caller's. What is not known is nobody's.
   * @throws AuthError `temporarily_unavailable`
   */
  owns(id: string, context: AuthContext): Soon<boolean>;
  forget(id: string): Soon<void>;
}

export interface OwnersDeps {
  readonly store: OwnerStore;
  /** Keeps servers and kinds of ids apart. */
  readonly prefix: string;
  readonly onError: (error: unknown) => void;
}

const unavailable = (cause: unknown): never => {
  throw new AuthError('owners_unavailable', { retryAfterSeconds: 1, cause });
};

export function createOwners({ store, prefix, onError }: OwnersDeps): Owners {
  /** What a store of another process has not confirmed yet. */
  const binding = new Map<string, Promise<void>>();
  const keyOf = (id: string): string => `${prefix}\n${id}`;

  /** Does something to the store that no request waits for the outcome of. */
  function quietly(work: () => Soon<void>): Soon<void> {
    try {
      const done = work();
      return done instanceof Promise ? done.catch(onError) : done;
    } catch (error) {
      onError(error);
    }
  }
  function read(id: string): Soon<string | undefined> {
    try {
      const found = store.get(keyOf(id));
      return found instanceof Promise ? found.catch(unavailable) : found;
    } catch (error) {
      return unavailable(error);
    }
  }

  return {
    bind(id, context) {
      if (id.length > ID_MAX_CHARS) return;
      const done = quietly(() => store.add(keyOf(id), principalKey(context), TTL_SECONDS));
      if (!(done instanceof Promise)) return;
      const settled = done.finally(() => binding.delete(id));
      binding.set(id, settled);
      return settled;
    },
    owns(id, context) {
      if (id.length > ID_MAX_CHARS) return false;
      const isOwner = (owner: string | undefined) => owner === principalKey(context);
      const found = binding.get(id)?.then(() => read(id)) ?? read(id);
      return found instanceof Promise ? found.then(isOwner) : isOwner(found);
    },
    forget: (id) => quietly(() => store.delete(keyOf(id))),
  };
}
