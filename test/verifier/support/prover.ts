// A client that holds a key: makes DPoP proofs (RFC 9449 §4.2), right or wrong in one thing.
import {
  base64url,
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
} from 'jose';
import { forge, type TokenPart } from '../../../src/testing/forge.js';

export type Change = Readonly<Record<string, unknown>>;

export interface Prover {
  readonly jkt: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  /** A proof for POST to the resource, with changes to its claims and header. */
  prove(token: string, claims?: Change, header?: Change): Promise<string>;
}

export async function athOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  return base64url.encode(new Uint8Array(digest));
}

/** Signs any two parts by a key, well formed or not. */
export const signParts = (header: TokenPart, claims: TokenPart, key: CryptoKey): Promise<string> =>
  forge(header, claims, key);

export async function createProver(url: string, now: () => number = Date.now): Promise<Prover> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    jwk,
    privateKey,
    jkt: await calculateJwkThumbprint(jwk),
    async prove(token, claims = {}, header = {}) {
      const iat = Math.floor(now() / 1000);
      const jti = crypto.randomUUID();
      return signParts(
        { typ: 'dpop+jwt', alg: 'ES256', jwk, ...header },
        { htm: 'POST', htu: url, iat, jti, ath: await athOf(token), ...claims },
        privateKey,
      );
    },
  };
}
