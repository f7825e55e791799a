// Keys of clients, and what they sign with them: DPoP proofs (RFC 9449) and client assertions (RFC 7523).
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export interface HeldKey {
  readonly privateKey: CryptoKey;
  readonly jwk: Record<string, unknown>;
  readonly thumbprint: string;
  readonly alg: string;
}

export async function heldKey(alg = 'ES256', as = alg): Promise<HeldKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return { privateKey, jwk: { ...jwk }, thumbprint: await calculateJwkThumbprint(jwk), alg: as };
}

type Claims = Readonly<Record<string, unknown>>;

const signed = (key: HeldKey, header: Claims, claims: Claims): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, ...header } as { alg: string })
    .sign(key.privateKey);

/** A proof for a POST to this address (RFC 9449 §4.2). */
export const dpopProof = (key: HeldKey, htu: string, more: Claims = {}, header: Claims = {}) =>
  signed(
    key,
    { typ: 'dpop+jwt', jwk: key.jwk, ...header },
    { htm: 'POST', htu, iat: nowSeconds(), jti: crypto.randomUUID(), ...more },
  );

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** The form members by which a client proves itself (RFC 7523 §2.2, rfc7523bis). */
export const assertionFields = async (
  key: HeldKey,
  id: string,
  issuer: string,
  more: Claims = {},
  header: Claims = {},
): Promise<Record<string, string>> => ({
  client_assertion_type: ASSERTION_TYPE,
  client_assertion: await signed(key, header, {
    iss: id,
    sub: id,
    aud: issuer,
    jti: crypto.randomUUID(),
    iat: nowSeconds(),
    exp: nowSeconds() + 60,
    ...more,
  }),
});
