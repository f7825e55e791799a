/**
 * Nonces for DPoP proofs (RFC 9449 §9): a keyed hash of the time, so that nothing is stored and
 * processes that share the secret accept each other's. A proof cannot be made ahead of its time.
 */
import { base64url } from 'jose';

/** Nonces a server gives out and takes back (RFC 9449 §9), with nothing kept between the two. */
export interface DpopNonces {
  /** Longest time for which an issued nonce is accepted. */
  readonly acceptedSeconds: number;
  issue(): Promise<string>;
  accepts(nonce: string): Promise<boolean>;
}

/** How nonces of a server are made. */
export interface DpopNonceOptions {
  /** At least 32 bytes, the same in every process of the server; default random, for one process. */
  readonly secret?: Uint8Array | string;
  /** A new nonce is issued after this time, and the one before is accepted; default 120. */
  readonly lifetimeSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const SECRET_MIN_BYTES = 32;
const DOMAIN = 'behalf-dpop-nonce-v1';
const HMAC = { name: 'HMAC', hash: 'SHA-256' };

/**
 * Creates a source of nonces. To be given as `dpop.nonces`; every proof then needs one.
 *
 * @throws TypeError when the secret is too short or the life is out of bounds
 */
export function createDpopNonces(options: DpopNonceOptions = {}): DpopNonces {
  const { lifetimeSeconds = 120, now = Date.now } = options;
  const given = options.secret ?? crypto.getRandomValues(new Uint8Array(SECRET_MIN_BYTES));
  const secret = new Uint8Array(
    typeof given === 'string' ? new TextEncoder().encode(given) : given,
  );
  if (secret.byteLength < SECRET_MIN_BYTES)
    throw new TypeError(`secret has at least ${SECRET_MIN_BYTES} bytes`);
  if (!(lifetimeSeconds >= 10 && lifetimeSeconds <= 3600))
    throw new TypeError('lifetimeSeconds is a number from 10 to 3600');
  let key: ReturnType<typeof crypto.subtle.importKey> | undefined;

  async function nonceOf(period: number): Promise<string> {
    key ??= crypto.subtle.importKey('raw', secret, HMAC, false, ['sign']);
    const data = new TextEncoder().encode(`${DOMAIN}\n${period}`);
    const mac = await crypto.subtle.sign('HMAC', await key, data);
    return base64url.encode(new Uint8Array(mac, 0, 16));
  }
  const period = () => Math.floor(now() / 1000 / lifetimeSeconds);

  return {
    acceptedSeconds: lifetimeSeconds * 2,
    issue: () => nonceOf(period()),
    async accepts(nonce) {
      const current = period();
      return nonce === (await nonceOf(current)) || nonce === (await nonceOf(current - 1));
    },
  };
}
