/** Signs with a bare `KeyObject`, synchronously: the fastest way in one process (performance.md §1). */
import { constants, type KeyObject, sign } from 'node:crypto';
import { ExternalSigningKey } from 'oidc-provider';
import type { SigningKey } from '../keys/store.js';
import { derToP1363 } from './ecdsa.js';

/** RFC 7518 §3.5: as long as the hash. */
const PSS_SALT_BYTES = 32;

function signWith({ alg, privateKey }: SigningKey, data: Uint8Array): Uint8Array {
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
  readonly #key: SigningKey;

  constructor(key: SigningKey) {
    super();
    this.#key = key;
  }

  override get kid(): string {
    return this.#key.kid;
  }

  override get alg(): SigningKey['alg'] {
    return this.#key.alg;
  }

  override keyObject(): KeyObject {
    return this.#key.publicKey;
  }

  override sign(data: Uint8Array): Uint8Array {
    return signWith(this.#key, data);
  }
}
