/** Tokens that are not written as they must be (J8), and signatures that are none (J10). */
import { base64url } from 'jose';
import type { AuthReason } from '../verifier/index.js';
import type { Parts } from './actor-claims.js';
import type { TokenPart } from './forge.js';

type Spelling = readonly [name: string, reason: AuthReason, token: string];
type Text = readonly [name: string, reason: AuthReason, header: TokenPart, payload: TokenPart];

/** The order of P-256: no part of a signature reaches it (FIPS 186-5). */
const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
const bytesOfHex = (hex: string) =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

/** `SEQUENCE { r, s }`, as other libraries write a signature (RFC 7518 §3.4 does not). */
function derOf(signature: Uint8Array): Uint8Array {
  const integer = (part: Uint8Array) => [2, part.length + 1, 0, ...part];
  const both = [...integer(signature.slice(0, 32)), ...integer(signature.slice(32))];
  return Uint8Array.from([0x30, both.length, ...both]);
}

/**
 * Changes of the serialisation of one good token.
 *
 * @param other a good token with other claims
 */
export function spellings(good: string, other: string): readonly Spelling[] {
  const [header = '', payload = '', signature = ''] = good.split('.');
  const [, otherPayload = '', otherSignature = ''] = other.split('.');
  const raw = base64url.decode(signature);
  const signed = (bytes: Uint8Array) => `${header}.${payload}.${base64url.encode(bytes)}`;
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const malformed = (name: string, token: string): Spelling => [name, 'token_malformed', token];
  const unsigned = (name: string, token: string): Spelling => [name, 'signature_invalid', token];
  return [
    malformed('J8 an empty string', ''),
    malformed('J8 one segment', header),
    malformed('J8 two segments', `${header}.${payload}`),
    malformed('J8 four segments', `${good}.AAAA`),
    malformed('J8 three dots', '...'),
    malformed('J8 a segment left out', `${header}..${signature}`),
    malformed('J9 the five segments of a JWE', `${good}.AAAA.AAAA`),
    malformed('J8 padding', `${good}==`),
    malformed('J8 padding in the header', `${header}=.${payload}.${signature}`),
    malformed('J8 a space before', ` ${good}`),
    malformed('J8 a space at the end', `${good} `),
    malformed('J8 a tab inside', `${header}\t.${payload}.${signature}`),
    malformed('J8 a newline inside', `${header}.\n${payload}.${signature}`),
    malformed('J8 a NUL at the end', `${good}\0`),
    malformed('J8 a scheme before', `Bearer ${good}`),
    malformed('J8 two tokens', `${good},${other}`),
    malformed('J8 the alphabet of plain base64', `${header}.${payload}.${'+/'.repeat(43)}`),
    malformed('J8 letters of another alphabet', `${header}.${payload}.${'é'.repeat(86)}`),
    malformed('J8 one character after the signature', `${good}B`),
    unsigned('J8 one zero character after the signature', `${good}A`),
    unsigned('J8 four characters after the signature', `${good}AAAA`),
    malformed('J8 the JSON serialisation', JSON.stringify({ payload, signature })),
    malformed(
      'J8 the general JSON serialisation',
      JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
    ),
    malformed('J1 an empty signature', `${header}.${payload}.`),
    unsigned('J10 r = s = 0', signed(new Uint8Array(64))),
    unsigned('J10 r = s = 1', signed(new Uint8Array(64).fill(1, 31, 32).fill(1, 63))),
    unsigned('J10 r = s = the order of the curve', signed(bytesOfHex(ORDER + ORDER))),
    unsigned('J10 all bits set', signed(new Uint8Array(64).fill(0xff))),
    unsigned(
      'J10 r and s exchanged',
      signed(Uint8Array.from([...raw.slice(32), ...raw.slice(0, 32)])),
    ),
    unsigned('J10 a signature in DER', signed(derOf(raw))),
    unsigned('J10 half a signature', signed(raw.slice(0, 32))),
    unsigned('J10 one byte', signed(raw.slice(0, 1))),
    unsigned('VF1 a signature with one change', `${header}.${payload}.${flipped}`),
    unsigned('VF1 the claims of another token', `${header}.${otherPayload}.${signature}`),
    unsigned('VF1 the signature of another token', `${header}.${payload}.${otherSignature}`),
    ['VF1 17 kB', 'token_too_long', `${good}${'A'.repeat(16_384)}`],
  ];
}

/** Parts that are not the JSON they should be, signed as they stand. */
export const textRows = (header: Parts, claims: Parts): readonly Text[] => [
  ...payloadRows(header, claims),
  ...headingRows(header, claims),
];

function payloadRows(header: Parts, claims: Parts): readonly Text[] {
  const text = JSON.stringify(claims);
  const twice = (name: string, value: string) => `{"${name}":"${value}",${text.slice(1)}`;
  const encode = (value: string) => [...new TextEncoder().encode(value)];
  const invalid = Uint8Array.from([...encode(text.slice(0, -1)), 0xff, 0x7d]);
  const slash = [...encode('{"x":"'), 0xc0, 0xaf, ...encode(`",${text.slice(1)}`)];
  const nested = `${text.slice(0, -1)},"more":{"a":1,"a":2}}`;
  const actors = text.replace('"act":{', '"act":{"sub":"agt_mallory",');
  const { sub: _sub, ...without } = claims;
  const inherited = `{"__proto__":{"sub":"usr_mallory"},${JSON.stringify(without).slice(1)}`;
  const row = (name: string, wrong: TokenPart): Text => [name, 'token_malformed', header, wrong];
  return [
    row('J8 sub twice', twice('sub', 'usr_mallory')),
    row('J8 sub twice, once escaped', twice('s\\u0075b', 'usr_mallory')),
    row('J8 sub twice, the same', twice('sub', String(claims.sub))),
    row('J8 a member twice in an object inside', nested),
    row('J8 two actors in one act', actors),
    row('J8 bad UTF-8', invalid),
    row('J8 an overlong character', Uint8Array.from(slash)),
    row('J8 a byte order mark', `\uFEFF${text}`),
    row('J8 UTF-16', Uint8Array.from(encode(text).flatMap((byte) => [byte, 0]))),
    row('J8 a trailing comma', `${text.slice(0, -1)},}`),
    row('J8 something after the claims', `${text}{}`),
    row('J8 a comment', `/**/${text}`),
    row('J8 single quotes', text.replaceAll('"', "'")),
    row('J8 exp as NaN', text.replace(/"exp":\d+/, '"exp":NaN')),
    row('J8 exp in hexadecimal', text.replace(/"exp":\d+/, '"exp":0xffffffff')),
    row('J8 claims that are a list', `[${text}]`),
    row('J8 claims that are a string', '"sub"'),
    row('J8 claims that are null', 'null'),
    row('J8 claims that are a number', '1'),
    row('J9 claims that are compressed', Uint8Array.from([0x78, 0x9c, 0x03, 0x00])),
    row('J8 ten thousand brackets', '['.repeat(5_000) + ']'.repeat(5_000)),
    ['J8 no claims', 'issuer_mismatch', header, '{}'],
    ['J8 a sub that is inherited', 'claim_missing', header, inherited],
    ['J11 exp 1e400', 'claim_invalid', header, text.replace(/"exp":\d+/, '"exp":1e400')],
    ['J11 nbf -1e400', 'claim_invalid', header, `{"nbf":-1e400,${text.slice(1)}`],
  ];
}

function headingRows(header: Parts, claims: Parts): readonly Text[] {
  const head = JSON.stringify(header);
  const row = (name: string, wrong: TokenPart): Text => [name, 'token_malformed', wrong, claims];
  return [
    row('J8 alg twice', `{"alg":"none",${head.slice(1)}`),
    row('J8 kid twice', `${head.slice(0, -1)},"kid":"key-2"}`),
    row('J8 a header that is null', 'null'),
    row('J8 a header that is a list', `[${head}]`),
    row('J8 a header that is a string', '"ES256"'),
    row('J8 a header with a byte order mark', `\uFEFF${head}`),
    row('J8 a header that is no JSON', 'alg=ES256'),
    ['J8 an empty header', 'alg_refused', '{}', claims],
  ];
}
