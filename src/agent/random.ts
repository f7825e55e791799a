/** Random values and PKCE (RFC 7636) from Web Crypto. */
import { base64url } from 'jose';

const RANDOM_BYTES = 32;

/** 256 random bits, base64url: state, code_verifier, ids of our own. */
export const randomText = (): string =>
  base64url.encode(crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));

/** RFC 7636 §4.2 S256. */
export async function codeChallengeOf(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  return base64url.encode(new Uint8Array(digest));
}
