/** ECDSA signatures from ASN.1 DER to the fixed-width form JOSE uses (RFC 7518 §3.4), P-256 only. */

const COORDINATE_BYTES = 32;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** @throws Error when the input is not the DER of a P-256 signature */
export function derToP1363(der: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 * COORDINATE_BYTES);
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) throw new Error('not an ECDSA signature');
  let at = 2;
  for (let coordinate = 0; coordinate < 2; coordinate += 1) {
    if (der[at] !== INTEGER) throw new Error('not an ECDSA signature');
    const length = der[at + 1] as number;
    let value = der.subarray(at + 2, at + 2 + length);
    // A leading zero keeps the integer positive; JOSE drops it and pads to full width.
    while (value.length > COORDINATE_BYTES && value[0] === 0) value = value.subarray(1);
    if (value.length > COORDINATE_BYTES) throw new Error('not a P-256 signature');
    out.set(value, (coordinate + 1) * COORDINATE_BYTES - value.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new Error('not an ECDSA signature');
  return out;
}
