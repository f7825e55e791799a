// Another organisation's identity provider, or a platform: a key, and words signed with it.
import { createSign, generateKeyPairSync, type KeyObject, sign as signRaw } from 'node:crypto';

export const IDP = 'https://idp.example';
export const CLUSTER = 'https://cluster.example';

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export interface Idp {
  readonly issuer: string;
  /** As it is registered. */
  readonly jwks: { readonly keys: readonly Record<string, unknown>[] };
  readonly publicJwk: Record<string, unknown>;
  readonly publicKey: KeyObject;
  /** Header members and claims are exactly these, besides `alg`, `kid` and `iss`. */
  sign(claims: object, header?: object): string;
  /** Whatever the header says, over these very octets. */
  signParts(header: string, payload: string): string;
}

export function createIdp(issuer: string, kid = 'k1', alg: 'ES256' | 'RS256' = 'ES256'): Idp {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid };
  const signature = (input: string): string =>
    alg === 'ES256'
      ? signRaw('sha256', Buffer.from(input), {
          key: privateKey,
          dsaEncoding: 'ieee-p1363',
        }).toString('base64url')
      : createSign('sha256').update(input).sign(privateKey).toString('base64url');
  const signParts = (header: string, payload: string): string =>
    `${header}.${payload}.${signature(`${header}.${payload}`)}`;
  return {
    issuer,
    jwks: { keys: [publicJwk] },
    publicJwk,
    publicKey,
    signParts,
    sign: (claims, header = {}) =>
      signParts(encode({ alg, kid, ...header }), encode({ iss: issuer, ...claims })),
  };
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);
