/**
 * The issuer's public keys: found by discovery (RFC 8414 §3), cached, read again for an unknown
 * `kid` at most once per cooldown, and kept for a bounded time while the issuer cannot be reached.
 */
import type { JSONWebKeySet } from 'jose';
import { AuthError } from './auth-error.js';
import { fetchJson } from './fetch-json.js';
import type { TokenHeader } from './jwt.js';
import { importedIn, type KeySet, keyIn, readKeySet } from './key-set.js';
import { discover } from './metadata.js';
import type { Platform, SignatureCheck } from './platform.js';

const JWKS_MAX_BYTES = 262_144;
/** Without any key at all: how soon another attempt is made. */
const RETRY_AFTER_FAILURE_MS = 1_000;

export interface KeySourceOptions {
  readonly issuer: string;
  readonly jwks?: JSONWebKeySet | undefined;
  readonly cooldownSeconds: number;
  readonly maxAgeSeconds: number;
  readonly staleIfErrorSeconds: number;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly platform: Platform;
}

export interface KeySource {
  /**
   * The public key of a header.
   * @throws AuthError `key_unknown` or `keys_unavailable`
   */
  keyFor(header: TokenHeader): Promise<SignatureCheck>;
  /** The same, where nothing has to be read or imported for it. */
  keyNow(header: TokenHeader): SignatureCheck | undefined;
  /** Resolves once keys are there. */
  ready(): Promise<void>;
}

interface KeyCache {
  /** The keys, while they are not older than `maxAge`. */
  fresh(): KeySet | undefined;
  /** The keys, not older than `maxAge`, or `staleIfError` longer while the issuer is away (V6). */
  current(): Promise<KeySet>;
  /** The keys after another read, unless there was one within the cooldown (J15). */
  again(): Promise<KeySet>;
}

function createKeyCache(options: KeySourceOptions): KeyCache {
  const { now } = options;
  let keys: KeySet | undefined;
  let readAtMs = 0;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let lastError: unknown;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    attemptedAtMs = now();
    try {
      const jwks = await fetchJson(await discover(options, 'jwks_uri'), {
        fetch: options.fetch,
        bodyMaxBytes: JWKS_MAX_BYTES,
        signal: options.signal,
      });
      keys = readKeySet(jwks, keys);
      readAtMs = now();
    } catch (error) {
      lastError = error;
    } finally {
      reading = undefined;
    }
  }

  /** One request at a time, and none within the pause since the last one. */
  async function readUnlessWithin(pauseMs: number): Promise<void> {
    if (reading === undefined && now() - attemptedAtMs < pauseMs) return;
    reading ??= read();
    await reading;
  }

  const fresh = (): KeySet | undefined =>
    now() - readAtMs > options.maxAgeSeconds * 1000 ? undefined : keys;

  async function current(): Promise<KeySet> {
    if (keys === undefined) await readUnlessWithin(RETRY_AFTER_FAILURE_MS);
    else if (fresh() === undefined) await readUnlessWithin(options.cooldownSeconds * 1000);
    const keptMs = (options.maxAgeSeconds + options.staleIfErrorSeconds) * 1000;
    if (keys === undefined || now() - readAtMs > keptMs)
      throw new AuthError('keys_unavailable', { retryAfterSeconds: 1, cause: lastError });
    return keys;
  }

  async function again(): Promise<KeySet> {
    await readUnlessWithin(options.cooldownSeconds * 1000);
    return current();
  }

  return { fresh, current, again };
}

/** Creates the key source. Nothing is fetched before it is asked. */
export function createKeySource(options: KeySourceOptions): KeySource {
  const { platform } = options;
  if (options.jwks !== undefined) {
    const keys = readKeySet(options.jwks);
    return {
      keyFor: (header) => keyIn(keys, header, platform),
      keyNow: (header) => importedIn(keys, header),
      ready: async () => undefined,
    };
  }
  const cache = createKeyCache(options);
  return {
    async keyFor(header) {
      const keys = await cache.current();
      return keyIn(keys.has(header.kid) ? keys : await cache.again(), header, platform);
    },
    keyNow(header) {
      const keys = cache.fresh();
      return keys && importedIn(keys, header);
    },
    ready: async () => {
      await cache.current();
    },
  };
}
