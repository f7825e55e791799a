/**
 * Tokens that no verifier may accept, each one change away from a good one, with the refusal that
 * is due. Ids in names: J* of the threat catalogue; VF* of the verifier checklist.
 */
import { generateKeyPair } from 'jose';
import type { AuthReason } from '../verifier/index.js';
import { actorRows, type Parts, type Row } from './actor-claims.js';
import { forge, forgeHmac, signingInput, type TokenPart } from './forge.js';
import { delegatedClaims, type TestIssuer } from './issuer.js';

export interface MaliciousToken {
  /** A sentence: what was done to the token. */
  readonly name: string;
  readonly token: string;
  readonly status: 401 | 403;
  readonly reason: AuthReason;
}

/** Wrong claims under a good signature; `undefined` removes a member. */
function claimRows(issuer: TestIssuer, nowSeconds: number): readonly Row[] {
  const { issuer: iss, resource } = issuer;
  return [
    ['J12 an issuer with a slash appended', 'issuer_mismatch', { iss: `${iss}/` }],
    ['J12 an issuer in upper case', 'issuer_mismatch', { iss: iss.toUpperCase() }],
    ['J12 another issuer', 'issuer_mismatch', { iss: 'https://evil.example' }],
    ['J12 no issuer', 'issuer_mismatch', { iss: undefined }],
    ['V1 another audience', 'audience_mismatch', { aud: 'https://other.example/mcp' }],
    ['J12 a prefix of the audience', 'audience_mismatch', { aud: resource.slice(0, -1) }],
    ['J12 the audience with a suffix', 'audience_mismatch', { aud: `${resource}/` }],
    ['J12 a list with the audience alone', 'audience_mismatch', { aud: [resource] }],
    ['J12 several audiences', 'audience_mismatch', { aud: [resource, 'https://other.example'] }],
    ['J12 no audience', 'audience_mismatch', { aud: undefined }],
    ['J8 the audience under another case', 'audience_mismatch', { aud: undefined, Aud: resource }],
    ['J7 an actor token (audience = issuer)', 'audience_mismatch', { aud: iss }],
    ['J11 expired', 'expired', { exp: nowSeconds - 60, iat: nowSeconds - 360 }],
    ['J11 no exp', 'claim_missing', { exp: undefined }],
    ['J11 exp as a string', 'claim_invalid', { exp: String(nowSeconds + 300) }],
    ['J11 exp as a float', 'claim_invalid', { exp: nowSeconds + 300.5 }],
    ['J11 exp as null', 'claim_invalid', { exp: null }],
    ['J11 iat in the future', 'not_yet_valid', { iat: nowSeconds + 120 }],
    ['J11 no iat', 'claim_missing', { iat: undefined }],
    ['J11 nbf in the future', 'not_yet_valid', { nbf: nowSeconds + 120 }],
    ['J11 nbf as a string', 'claim_invalid', { nbf: '0' }],
    ['J11 exp before iat', 'claim_invalid', { exp: nowSeconds, iat: nowSeconds + 1 }],
    ['VF1 no sub', 'claim_missing', { sub: undefined }],
    ['VF1 sub as a list', 'claim_invalid', { sub: ['usr_alice'] }],
    ['VF1 no client_id', 'claim_missing', { client_id: undefined }],
    ['VF1 no jti', 'claim_missing', { jti: undefined }],
    ['VF1 a jti that is no path', 'claim_invalid', { jti: '../../etc' }],
    ['VF1 scope as a list', 'claim_invalid', { scope: ['files:read'] }],
  ];
}

const HEADER_ROWS: readonly Row[] = [
  ['J1 alg none under a signature', 'alg_refused', {}, { alg: 'none' }],
  ['J1 alg nOnE', 'alg_refused', {}, { alg: 'nOnE' }],
  ['J3 alg ES384 for a P-256 key', 'alg_refused', {}, { alg: 'ES384' }],
  ['J3 alg RS256 for an EC key', 'key_unknown', {}, { alg: 'RS256' }],
  ['J3 alg EdDSA for an EC key', 'key_unknown', {}, { alg: 'EdDSA' }],
  ['J3 alg as a list', 'alg_refused', {}, { alg: ['ES256'] }],
  ['J4 no kid', 'kid_missing', {}, { kid: undefined }],
  ['J4 kid as a list', 'kid_missing', {}, { kid: ['key-1'] }],
  ['J4 kid null', 'kid_missing', {}, { kid: null }],
  ['J4 an unknown kid', 'key_unknown', {}, { kid: 'nobody' }],
  ['J4 kid __proto__', 'key_unknown', {}, { kid: '__proto__' }],
  ['J4 kid with a path', 'key_unknown', {}, { kid: '../../dev/null' }],
  ['J4 kid with SQL', 'key_unknown', {}, { kid: "' OR 1=1 --" }],
  ['J4 a kid of 8 kB', 'kid_missing', {}, { kid: 'k'.repeat(8192) }],
  ['J5 jku', 'header_refused', {}, { jku: 'https://evil.example/jwks' }],
  ['J5 x5u', 'header_refused', {}, { x5u: 'https://evil.example/cert' }],
  ['J5 x5c', 'header_refused', {}, { x5c: ['MIIB'] }],
  ['J6 an unknown crit', 'header_refused', {}, { crit: ['exp'] }],
  ['J6 an empty crit', 'header_refused', {}, { crit: [] }],
  ['J6 b64 false', 'header_refused', {}, { b64: false }],
  ['J7 typ JWT', 'typ_refused', {}, { typ: 'JWT' }],
  ['J7 no typ', 'typ_refused', {}, { typ: undefined }],
  ['J7 typ of a logout token', 'typ_refused', {}, { typ: 'logout+jwt' }],
  ['J7 typ of a DPoP proof', 'typ_refused', {}, { typ: 'dpop+jwt' }],
  ['J7 typ of an introspection answer', 'typ_refused', {}, { typ: 'token-introspection+jwt' }],
  ['J9 zip', 'header_refused', {}, { zip: 'DEF' }],
];

/** Changes of the serialisation of one good token. */
function spellings(good: string): ReadonlyArray<readonly [string, AuthReason, string]> {
  const [header = '', payload = '', signature = ''] = good.split('.');
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const zero = 'A'.repeat(signature.length);
  return [
    ['J8 an empty string', 'token_malformed', ''],
    ['J8 two segments', 'token_malformed', `${header}.${payload}`],
    ['J8 four segments', 'token_malformed', `${good}.AAAA`],
    ['J9 the five segments of a JWE', 'token_malformed', `${good}.AAAA.AAAA`],
    ['J8 padding', 'token_malformed', `${good}==`],
    ['J8 a space at the end', 'token_malformed', `${good} `],
    ['J8 a newline inside', 'token_malformed', `${header}.\n${payload}.${signature}`],
    ['J8 one character after the signature', 'token_malformed', `${good}B`],
    ['J8 one zero character after the signature', 'signature_invalid', `${good}A`],
    ['J8 four characters after the signature', 'signature_invalid', `${good}AAAA`],
    ['J8 the JSON serialisation', 'token_malformed', JSON.stringify({ payload, signature })],
    ['J1 an empty signature', 'token_malformed', `${header}.${payload}.`],
    ['J10 r = s = 0', 'signature_invalid', `${header}.${payload}.${zero}`],
    ['VF1 a signature with one change', 'signature_invalid', `${header}.${payload}.${flipped}`],
    ['VF1 17 kB', 'token_too_long', `${good}${'A'.repeat(16_384)}`],
  ];
}

/** Parts that are not the JSON they should be. */
function textRows(
  header: Parts,
  claims: Parts,
): ReadonlyArray<readonly [string, AuthReason, TokenPart, TokenPart]> {
  const text = JSON.stringify(claims);
  const twice = (name: string, value: string) => `{"${name}":"${value}",${text.slice(1)}`;
  const invalid = new Uint8Array([...new TextEncoder().encode(text.slice(0, -1)), 0xff, 0x7d]);
  return [
    ['J8 sub twice', 'token_malformed', header, twice('sub', 'usr_mallory')],
    ['J8 sub twice, once escaped', 'token_malformed', header, twice('s\\u0075b', 'usr_mallory')],
    ['J8 alg twice', 'token_malformed', `{"alg":"none",${JSON.stringify(header).slice(1)}`, claims],
    ['J8 bad UTF-8', 'token_malformed', header, invalid],
    ['J8 a byte order mark', 'token_malformed', header, `\uFEFF${text}`],
    ['J8 a trailing comma', 'token_malformed', header, `${text.slice(0, -1)},}`],
    ['J8 claims that are a list', 'token_malformed', header, `[${text}]`],
    ['J8 claims that are a string', 'token_malformed', header, '"sub"'],
    ['J8 a header that is null', 'token_malformed', 'null', claims],
    ['J11 exp 1e400', 'claim_invalid', header, text.replace(/"exp":\d+/, '"exp":1e400')],
    ['J8 ten thousand brackets', 'token_malformed', header, '['.repeat(5_000) + ']'.repeat(5_000)],
  ];
}

async function foreignlySigned(issuer: TestIssuer, header: Parts, claims: Parts) {
  const { publicJwk } = issuer.signingKey();
  const mallory = await generateKeyPair('ES256', { extractable: true });
  const hs256 = { ...header, alg: 'HS256' };
  const row = (name: string, reason: AuthReason, token: string) => [name, reason, token] as const;
  return [
    row(
      'J1 alg none unsigned',
      'token_malformed',
      `${signingInput({ ...header, alg: 'none' }, claims)}.`,
    ),
    row(
      'VF1 the key of somebody else',
      'signature_invalid',
      await forge(header, claims, mallory.privateKey),
    ),
    row(
      'J5 its own key in jwk',
      'header_refused',
      await forge({ ...header, jwk: publicJwk }, claims, mallory.privateKey),
    ),
    row(
      'J2 HS256 with our public JWK',
      'alg_refused',
      await forgeHmac(hs256, claims, JSON.stringify(publicJwk)),
    ),
    row(
      'J2 HS256 with our public x',
      'alg_refused',
      await forgeHmac(hs256, claims, publicJwk.x ?? ''),
    ),
    row('J2 HS256 with an empty-ish secret', 'alg_refused', await forgeHmac(hs256, claims, '\0')),
  ];
}

/**
 * Builds the list against an issuer as it is now; make it anew after a rotation or a jump in time.
 * None of it needs more than the issuer's signing key to exist.
 */
export async function maliciousTokens(
  issuer: TestIssuer,
  now: () => number = Date.now,
): Promise<readonly MaliciousToken[]> {
  const { kid, privateKey } = issuer.signingKey();
  const iat = Math.floor(now() / 1000);
  const header = { alg: 'ES256', typ: 'at+jwt', kid };
  const claims = {
    iss: issuer.issuer,
    aud: issuer.resource,
    iat,
    exp: iat + 300,
    ...delegatedClaims(issuer.issuer, {}),
  };
  const made: Array<readonly [string, AuthReason, string]> = [];
  for (const [name, reason, wrong, wrongHeader] of [
    ...claimRows(issuer, iat),
    ...actorRows(issuer),
    ...HEADER_ROWS,
  ])
    made.push([
      name,
      reason,
      await forge({ ...header, ...wrongHeader }, { ...claims, ...wrong }, privateKey),
    ]);
  for (const [name, reason, first, second] of textRows(header, claims))
    made.push([name, reason, await forge(first, second, privateKey)]);
  made.push(...spellings(await forge(header, claims, privateKey)));
  made.push(...(await foreignlySigned(issuer, header, claims)));
  return made.map(([name, reason, token]) => ({
    name,
    reason,
    token,
    status: reason === 'actor_unproved' ? 403 : 401,
  }));
}
