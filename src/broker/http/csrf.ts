/**
 * Forms that only we can have made, posted from pages that only we can have served (I1, I7, I11).
 * Sealing makes what a page showed tamper-proof and binds it to one purpose and a time; it does not
 * encrypt, and it does not stop a second use: whoever opens a seal binds it to an interaction.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface FormSealer {
  /** @throws RangeError when the value is too large for a form field of ours */
  seal(purpose: string, value: object, ttlSeconds: number, nowMs: number): string;
  /** What was sealed; undefined when tampered with, expired, or sealed for another purpose. */
  open(purpose: string, sealed: string, nowMs: number): unknown | undefined;
}

/** Well within the limit of a whole form, and far more than the longest page needs. */
export const SEALED_CHARS_MAX = 40_000;
const KEY_BYTES_MIN = 32;
/** SHA-256 in base64url. */
const MAC_CHARS = 43;

/**
 * @param previous what pages shown before a change of the root secret were sealed with
 * @throws RangeError when a key is shorter than 256 bits
 */
export function createFormSealer(key: Buffer, ...previous: readonly Buffer[]): FormSealer {
  const keys = [key, ...previous];
  if (keys.some(({ length }) => length < KEY_BYTES_MIN)) {
    throw new RangeError('a form key needs at least 256 bits');
  }
  // Both parts are length-safe inside one JSON array: no purpose can run into a body.
  const macOf = (purpose: string, body: string, by = key): string =>
    createHmac('sha256', by)
      .update(JSON.stringify([purpose, body]))
      .digest('base64url');
  return {
    seal: (purpose, value, ttlSeconds, nowMs) => {
      const content = JSON.stringify({ value, exp: nowMs + ttlSeconds * 1000 });
      const body = Buffer.from(content).toString('base64url');
      const sealed = `${body}.${macOf(purpose, body)}`;
      if (sealed.length > SEALED_CHARS_MAX) throw new RangeError('too much to seal into a form');
      return sealed;
    },
    open: (purpose, sealed, nowMs) => {
      if (sealed.length > SEALED_CHARS_MAX) return undefined;
      const dot = sealed.length - MAC_CHARS - 1;
      if (dot < 1 || sealed[dot] !== '.') return undefined;
      const body = sealed.slice(0, dot);
      // Compared as text: base64url has several spellings of the same bytes, and one is ours.
      const presented = Buffer.from(sealed.slice(dot + 1));
      const isOurs = (by: Buffer): boolean => {
        const expected = Buffer.from(macOf(purpose, body, by));
        return presented.length === expected.length && timingSafeEqual(presented, expected);
      };
      if (!keys.some(isOurs)) return undefined;
      const { value, exp } = JSON.parse(Buffer.from(body, 'base64url').toString()) as Content;
      return exp > nowMs ? value : undefined;
    },
  };
}

interface Content {
  readonly value: unknown;
  readonly exp: number;
}

type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Whether a POST came from a page of ours, as far as its headers tell.
 *
 * Browsers say so themselves: `Origin` must be the issuer's and `Sec-Fetch-Site` must not name
 * another site. `Origin: null` (a sandboxed frame, a stripped referrer) needs `Sec-Fetch-Site:
 * same-origin` beside it. A request with none of these is not from a browser of the last ten years;
 * it passes, unless a Referer gives it away, because the interaction's SameSite cookie and the
 * sealed form are required all the same and a program that has both has no user to trick.
 */
export function isSameOrigin(headers: RequestHeaders, issuer: string): boolean {
  const { origin, referer, 'sec-fetch-site': site } = headers;
  const ours = new URL(issuer).origin;
  if (origin === 'null') return site === 'same-origin';
  if (origin !== undefined)
    return origin === ours && (site === undefined || site === 'same-origin');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return referer === undefined || (typeof referer === 'string' && originOf(referer) === ours);
}

const originOf = (url: string): string | undefined =>
  URL.canParse(url) ? new URL(url).origin : undefined;
