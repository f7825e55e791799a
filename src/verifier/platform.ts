/**
 * What the runtime does best. With `node:crypto` (Node, and runtimes that offer it) hashes and
 * signature checks are synchronous, which is several times cheaper than a thread pool's round trip
 * for each; elsewhere WebCrypto and `jose` do the same. Found by `process.getBuiltinModule`, so that
 * nothing is imported that a bundler for another runtime would miss.
 */
import type * as NodeCrypto from 'node:crypto';
import { base64url, type CryptoKey, compactVerify, errors, importJWK, type JWK } from 'jose';
import type { SigningAlg } from '../protocol/index.js';
import { sha256Base64url } from './digest.js';
import { DER_MAX_BYTES, writeDer } from './ecdsa-der.js';
import type { Soon } from './soon.js';
import { isCanonicalBase64url } from './strict-json.js';

/** Whether the signature of a whole compact JWS is by this key. Throws nothing about a token. */
export type SignatureCheck = (jws: string, signature: Uint8Array) => Soon<boolean>;

export interface Platform {
  /** The SHA-256 of a text, as a string to compare with others of the same platform. */
  digest(text: string): Soon<string>;
  /** Decodes base64url; `undefined` unless it is the one way to write these bytes (RFC 4648 §3.5). */
  decode(text: string): Uint8Array | undefined;
  /**
   * Imports a public key for one algorithm.
   * @throws when it is none, or too short
   */
  importKey(jwk: JWK, alg: SigningAlg): Soon<SignatureCheck>;
}

const RSA_MODULUS_MIN_BITS = 2048;

/** Signatures of ECDSA as DER, each in the place of the one before: there is one at a time. */
function createDerWriter(): (signature: Uint8Array) => Uint8Array {
  const out = new Uint8Array(DER_MAX_BYTES);
  const views = Array.from({ length: DER_MAX_BYTES + 1 }, (_, end) => out.subarray(0, end));
  return (signature) => views[writeDer(out, signature)] as Uint8Array;
}

function importForNode(crypto: typeof NodeCrypto, jwk: JWK, alg: SigningAlg): SignatureCheck {
  const key = crypto.createPublicKey({ key: jwk as NodeCrypto.JsonWebKey, format: 'jwk' });
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < RSA_MODULUS_MIN_BITS)
    throw new TypeError('an RSA key is too short');
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = crypto.constants;
  // A bare key where that will do: options beside it are looked at anew for every signature.
  const how = alg === 'PS256' ? { key, padding, saltLength } : key;
  const toNative = alg === 'ES256' ? createDerWriter() : (signature: Uint8Array) => signature;
  const hash = alg === 'EdDSA' ? null : 'sha256';
  // RFC 8017 §8: as long as the modulus. One that lost a leading zero would be a second spelling.
  const bytes = modulusLength === undefined ? 64 : modulusLength / 8;
  return (jws, signature) => {
    if (signature.length !== bytes) return false;
    const signed = Buffer.from(jws.slice(0, jws.lastIndexOf('.')), 'latin1');
    return crypto.verify(hash, signed, how, toNative(signature));
  };
}

/**
 * Node takes both alphabets, passes over what is in neither, and drops stray bits (RFC 4648 §3.5): what is
 * written again must be what was read.
 */
function decodeForNode(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

const onNode = (crypto: typeof NodeCrypto): Platform => ({
  digest: (text) => crypto.hash('sha256', text, 'binary'),
  decode: decodeForNode,
  importKey: (jwk, alg) => importForNode(crypto, jwk, alg),
});

async function importForWeb(jwk: JWK, alg: SigningAlg): Promise<SignatureCheck> {
  const key = (await importJWK(jwk, alg)) as CryptoKey;
  return async (jws) => {
    try {
      await compactVerify(jws, key, { algorithms: [alg] });
      return true;
    } catch (error) {
      // A key that cannot be used with this algorithm is a TypeError; the token is no better for it.
      if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
      throw error;
    }
  };
}

/** Web APIs only: what every runtime has. */
export const webPlatform = (): Platform => ({
  digest: sha256Base64url,
  decode: (text) => (isCanonicalBase64url(text) ? base64url.decode(text) : undefined),
  importKey: importForWeb,
});

/** The platform this runs on. */
export function detectPlatform(): Platform {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  const crypto = process?.getBuiltinModule?.('node:crypto') as typeof NodeCrypto | undefined;
  const isWhole = typeof crypto?.hash === 'function' && typeof Buffer === 'function';
  return crypto !== undefined && isWhole ? onNode(crypto) : webPlatform();
}
