/** SHA-256 as the specifications write it: base64url without padding. */
import { base64url } from 'jose';

/** The digest of a text (its UTF-8 bytes) or of bytes. */
export async function sha256Base64url(data: string | Uint8Array): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  // A copy in memory of its own: WebCrypto refuses shared memory, and types say so.
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
  return base64url.encode(new Uint8Array(digest));
}
