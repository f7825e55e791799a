// Tokens an attacker might make: with keys of their own, or with the broker's very key, which is
// the sharpest test there is: whatever is refused then is refused for what the token says.
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import type { AttackWorld } from './world.js';

export const encodePart = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export function decodePart(token: string, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString());
}

/** ES256 over whatever is given. */
export function signed(header: unknown, payload: unknown, key: KeyObject): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

export const ownKey = (): KeyObject =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export interface Changes {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A good token again, with changes, under the broker's own key. */
export async function resigned(w: AttackWorld, token: string, changes: Changes): Promise<string> {
  const { privateKey } = await w.signingKey();
  const header = { ...decodePart(token, 0), ...changes.header };
  return signed(header, { ...decodePart(token, 1), ...changes.claims }, privateKey);
}

/** The same with a key of the attacker. */
export function selfSigned(token: string, changes: Changes, key: KeyObject = ownKey()): string {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const header = { ...decodePart(token, 0), ...changes.header };
  if ('jwk' in header) header.jwk = jwk;
  return signed(header, { ...decodePart(token, 1), ...changes.claims }, key);
}

/** HS256 with a secret made of the broker's public key, in the forms people store it. */
export async function macced(
  w: AttackWorld,
  token: string,
  form: 'jwk' | 'pem' | 'der' | 'x',
  alg = 'HS256',
) {
  const { publicKey } = await w.signingKey();
  const jwk = publicKey.export({ format: 'jwk' });
  const secret = {
    jwk: JSON.stringify(jwk),
    pem: publicKey.export({ format: 'pem', type: 'spki' }),
    der: publicKey.export({ format: 'der', type: 'spki' }),
    x: String(jwk.x),
  }[form];
  const input = `${encodePart({ ...decodePart(token, 0), alg })}.${token.split('.')[1]}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}
