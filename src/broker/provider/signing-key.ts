/** Signs with a bare `KeyObject`, synchronously: the fastest way in one process. */
import { constants, type KeyObject, sign } from 'node:crypto';
import { ExternalSigningKey } from 'oidc-provider';
import type { SigningKey, VerificationKey } from '../keys/store.js';
import { derToP1363 } from './ecdsa.js';

/** A retired key is there for what it signed long ago, and signs nothing. */
type EngineKey = SigningKey | VerificationKey;

/** RFC 7518 §3.5: as long as the hash. */
const PSS_SALT_BYTES = 32;

function signWith(key: EngineKey, data: Uint8Array): Uint8Array {
  if (!('privateKey' in key)) throw new Error(`the signing key ${key.kid} is retired`);
  const { alg, privateKey } = key;
  switch (alg) {
    case 'ES256':
      return derToP1363(sign('sha256', data, privateKey));
    case 'EdDSA':
      return sign(null, data, privateKey);
    case 'RS256':
      return sign('sha256', data, privateKey);
    case 'PS256':
      return sign('sha256', data, {
        key: privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: PSS_SALT_BYTES,
      });
  }
}

/** The engine's external-signing hook over one of our keys. */
export class BrokerSigningKey extends ExternalSigningKey {
  readonly #key: EngineKey;

  constructor(key: EngineKey) {
    super();
    this.#key = key;
  }

  override get kid(): string {
    return this.#key.kid;
  }

  override get alg(): EngineKey['alg'] {
    return this.#key.alg;
  }

  override keyObject(): KeyObject {
    return this.#key.publicKey;
  }

  override sign(data: Uint8Array): Uint8Array {
    return signWith(this.#key, data);
  }
}
