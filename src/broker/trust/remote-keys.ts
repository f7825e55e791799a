/**
 * Keys that another issuer publishes itself (`jwks_uri`): fetched by the one way out, kept for as long as
 * it lets us, within bounds. An unknown `kid` asks again, but not oftener than the cooldown (J15);
 * when it cannot be reached, what was known goes on for a bounded while, and after that nobody is let in
 * and nobody is told that their word is false.
 */
import { OAuthError } from '../../protocol/index.js';
import type { Outbound } from '../outbound/outbound.js';
import { type TrustedKey, usableKeys } from './keys.js';

export interface RemoteKeysDeps {
  readonly fetchJson: Outbound['fetchJson'];
  /** Milliseconds. */
  readonly now: () => number;
}

export interface RemoteKeys {
  /**
   * @param isKnown whether these keys hold the one that is looked for
   * @throws OAuthError `temporarily_unavailable`
   */
  get(
    uri: string,
    isKnown: (keys: readonly TrustedKey[]) => boolean,
  ): Promise<readonly TrustedKey[]>;
}

const SET_BYTES_MAX = 64 * 1024;
const KEYS_MAX = 50;
const FRESH_SECONDS = { min: 60, default: 300, max: 3600 } as const;
/** How long keys are used that can no longer be fetched (V6). */
const STALE_MAX_MS = 3600_000;
/** J15: a flood of unknown names fetches once in so long. */
const COOLDOWN_MS = 30_000;

interface Kept {
  readonly keys: readonly TrustedKey[];
  readonly fetchedAtMs: number;
  readonly freshUntilMs: number;
}

interface Place {
  kept?: Kept;
  triedAtMs?: number;
  fetching?: Promise<void> | undefined;
}

export function createRemoteKeys({ fetchJson, now }: RemoteKeysDeps): RemoteKeys {
  // As many as issuers an operator registered.
  const places = new Map<string, Place>();
  const refresh = async (uri: string, place: Place): Promise<void> => {
    place.triedAtMs = now();
    try {
      const { json, maxAgeSeconds = FRESH_SECONDS.default } = await fetchJson(uri, {
        maxBytes: SET_BYTES_MAX,
      });
      const keys = Array.isArray(json.keys) ? json.keys.slice(0, KEYS_MAX) : [];
      const seconds = Math.min(Math.max(maxAgeSeconds, FRESH_SECONDS.min), FRESH_SECONDS.max);
      const objects = keys.filter((one) => typeof one === 'object' && one !== null);
      place.kept = {
        keys: usableKeys(objects),
        fetchedAtMs: now(),
        freshUntilMs: now() + seconds * 1000,
      };
    } catch {
      // What was known stays known for a while; whoever asked is told below.
    } finally {
      place.fetching = undefined;
    }
  };
  return {
    get: async (uri, isKnown) => {
      const place = places.get(uri) ?? {};
      places.set(uri, place);
      const { kept, triedAtMs } = place;
      const isGood = kept !== undefined && kept.freshUntilMs > now() && isKnown(kept.keys);
      const mayAsk = triedAtMs === undefined || now() - triedAtMs >= COOLDOWN_MS;
      if (!isGood && (mayAsk || place.fetching !== undefined)) {
        place.fetching ??= refresh(uri, place);
        await place.fetching;
      }
      const known = place.kept;
      if (known !== undefined && now() - known.fetchedAtMs <= STALE_MAX_MS) return known.keys;
      throw new OAuthError(
        'temporarily_unavailable',
        'the issuer of this token cannot be asked for its keys now: try again',
        `the keys at ${uri} could not be fetched`,
      );
    },
  };
}
