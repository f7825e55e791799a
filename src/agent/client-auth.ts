/** Client authentication at the authorization server: RFC 6749 §2.3.1 and RFC 7523 §2.2. */
import { type CryptoKey, importJWK, type JWK, SignJWT } from 'jose';

/** A secret (`client_secret_basic`) or a private key (`private_key_jwt`). */
export type ClientCredentials =
  | { readonly secret: string }
  | {
      readonly privateKey: JWK | CryptoKey;
      /** Defaults to the JWK's `kid`. */
      readonly kid?: string | undefined;
      /** Defaults to the JWK's `alg`, or to the one the key's type calls for. */
      readonly alg?: string | undefined;
    };

export const hasCredential = (auth: ClientCredentials): boolean =>
  'secret' in auth ? auth.secret !== '' : auth.privateKey !== undefined;

export interface ClientIdentity {
  readonly id: string;
  /** Absent for a public client (`none`). */
  readonly auth?: ClientCredentials | undefined;
}

/** What authentication adds to a request: headers, form members. */
export interface ClientAuthentication {
  readonly headers: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_TTL_SECONDS = 60;

/** application/x-www-form-urlencoded, as RFC 6749 §2.3.1 wants id and secret before they join. */
const formEncode = (value: string): string =>
  new URLSearchParams({ v: value }).toString().slice('v='.length);

function algOfKey(key: JWK | CryptoKey): string {
  if ('kty' in key) {
    if (typeof key.alg === 'string') return key.alg;
    if (key.kty === 'EC' && key.crv === 'P-256') return 'ES256';
    if (key.kty === 'OKP') return 'EdDSA';
    return 'RS256';
  }
  const { name } = (key as { algorithm: { name: string } }).algorithm;
  if (name === 'ECDSA') return 'ES256';
  if (name === 'Ed25519') return 'EdDSA';
  return name === 'RSA-PSS' ? 'PS256' : 'RS256';
}

async function signAssertion(
  id: string,
  credentials: Exclude<ClientCredentials, { secret: string }>,
  issuer: string,
  nowMs: number,
): Promise<string> {
  const { privateKey } = credentials;
  const alg = credentials.alg ?? algOfKey(privateKey);
  const isJwk = 'kty' in privateKey;
  const kid = credentials.kid ?? (isJwk ? (privateKey as JWK).kid : undefined);
  const key = isJwk ? await importJWK(privateKey as JWK, alg) : (privateKey as CryptoKey);
  const nowSeconds = Math.floor(nowMs / 1000);
  return (
    new SignJWT({})
      .setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
      .setIssuer(id)
      .setSubject(id)
      // The issuer alone: an assertion for a token endpoint URL could be replayed elsewhere.
      .setAudience(issuer)
      .setJti(crypto.randomUUID())
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + ASSERTION_TTL_SECONDS)
      .sign(key)
  );
}

/** The authentication of one request; an assertion is made anew each time (single use). */
export async function authenticateClient(
  { id, auth }: ClientIdentity,
  issuer: string,
  nowMs: number,
): Promise<ClientAuthentication> {
  if (auth === undefined) return { headers: {}, form: { client_id: id } };
  if ('secret' in auth) {
    const basic = btoa(`${formEncode(id)}:${formEncode(auth.secret)}`);
    return { headers: { authorization: `Basic ${basic}` }, form: {} };
  }
  return {
    headers: {},
    form: {
      client_id: id,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await signAssertion(id, auth, issuer, nowMs),
    },
  };
}
