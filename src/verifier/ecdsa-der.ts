/**
 * ECDSA signatures on P-256 in the form OpenSSL takes as it is. Node converts from that of JWS too, but
 * some releases (24) spend a quarter of a signature check on it.
 */

const SCALAR_BYTES = 32;

/** Where a big-endian number begins: past its leading zeros, of which the last digit is none. */
function firstByte(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < from + SCALAR_BYTES - 1 && bytes[at] === 0) at += 1;
  return at;
}

/** Writes a DER INTEGER (X.690 §8.3): shortest form, a zero before what would look negative. */
function writeInteger(out: Uint8Array, at: number, bytes: Uint8Array, from: number): number {
  const first = firstByte(bytes, from);
  const pad = (bytes[first] as number) >= 0x80 ? 1 : 0;
  const length = from + SCALAR_BYTES - first;
  out[at] = 0x02;
  out[at + 1] = length + pad;
  if (pad === 1) out[at + 2] = 0;
  for (let n = 0; n < length; n += 1) out[at + 2 + pad + n] = bytes[first + n] as number;
  return at + 2 + pad + length;
}

/**
 * Writes the ECDSA-Sig-Value (RFC 3279 §2.2.3) of R ‖ S, 64 bytes (RFC 7518 §3.4).
 *
 * @returns how long it is; at most {@link DER_MAX_BYTES}
 */
export function writeDer(out: Uint8Array, signature: Uint8Array): number {
  const middle = writeInteger(out, 2, signature, 0);
  const end = writeInteger(out, middle, signature, SCALAR_BYTES);
  out[0] = 0x30;
  out[1] = end - 2;
  return end;
}

export const DER_MAX_BYTES = 2 + 2 * (2 + 1 + SCALAR_BYTES);
