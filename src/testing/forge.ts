/** Signs any bytes as a compact JWS, well formed or not. */
import { base64url, type CryptoKey } from 'jose';

const bytesOf = (part: unknown): Uint8Array =>
  part instanceof Uint8Array
    ? part
    : new TextEncoder().encode(typeof part === 'string' ? part : JSON.stringify(part));

/** A part as text is signed as it stands; an object is serialised first. */
export type TokenPart = string | Uint8Array | Readonly<Record<string, unknown>>;

/** `BASE64URL(header).BASE64URL(payload)`, to be signed. */
export const signingInput = (header: TokenPart, payload: TokenPart): string =>
  `${base64url.encode(bytesOf(header))}.${base64url.encode(bytesOf(payload))}`;

/** An ES256 signature over any header and payload (RFC 7518 §3.4). */
export async function forge(
  header: TokenPart,
  payload: TokenPart,
  key: CryptoKey,
): Promise<string> {
  const input = signingInput(header, payload);
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

/** An HS256 signature with any bytes as the secret. */
export async function forgeHmac(
  header: TokenPart,
  payload: TokenPart,
  secret: string | Uint8Array<ArrayBuffer>,
): Promise<string> {
  const input = signingInput(header, payload);
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const raw = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret;
  const key = await crypto.subtle.importKey('raw', raw, algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}
