/** Published revocation keys: a truncated SHA-256, remembered for the keys that come back. */
import { FEED_KEY_HEX_CHARS, feedKeyInput } from '../protocol/index.js';
import { createRecent } from './recent.js';

/** Subjects, clients, agents and consents come back; token ids mostly do not. */
const REMEMBERED_MAX = 20_000;

/** The seam for a synchronous hash on Node. */
async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Computes the key under which `key` of `issuer` is published in its feed. */
export const feedKeyOf = async (issuer: string, key: string): Promise<string> =>
  (await sha256Hex(feedKeyInput(issuer, key))).slice(0, FEED_KEY_HEX_CHARS);

/** {@link feedKeyOf} for one issuer, with a bounded memory of the keys used last. */
export function createFeedKeys(issuer: string): (key: string) => Promise<string> {
  const remembered = createRecent<Promise<string>>(REMEMBERED_MAX);
  return (key) => {
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const digest = feedKeyOf(issuer, key);
    remembered.set(key, digest);
    return digest;
  };
}
