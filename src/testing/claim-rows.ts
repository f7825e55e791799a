/** Wrong claims besides those about actors: one change each to a good delegated token. */
import type { Row } from './actor-claims.js';
import type { TestIssuer } from './issuer.js';

/** Who it is from and for (J12, V1): nothing but the exact strings. */
export function audienceRows({ issuer: iss, resource }: TestIssuer): readonly Row[] {
  const other = 'https://other.example/mcp';
  const elsewhere = new URL(resource);
  elsewhere.protocol = elsewhere.protocol === 'https:' ? 'http:' : 'https:';
  const aud = (what: string, value: unknown): Row => [what, 'audience_mismatch', { aud: value }];
  const from = (what: string, value: unknown): Row => [what, 'issuer_mismatch', { iss: value }];
  return [
    from('J12 an issuer with a slash appended', `${iss}/`),
    from('J12 an issuer in upper case', iss.toUpperCase()),
    from('J12 an issuer with a space appended', `${iss} `),
    from('J12 an issuer with a path below', `${iss}/tenant`),
    from('J12 an issuer with a query', `${iss}?`),
    from('J12 an issuer that only begins like it', `${iss}.evil.example`),
    from('J12 another issuer', 'https://evil.example'),
    from('J12 a list with the issuer alone', [iss]),
    from('J12 an issuer that is null', null),
    from('J12 no issuer', undefined),
    ['J8 the issuer under another case', 'issuer_mismatch', { iss: undefined, Iss: iss }],
    aud('V1 another audience', other),
    aud('V1 the same server under another scheme', elsewhere.href),
    aud('J12 a prefix of the audience', resource.slice(0, -1)),
    aud('J12 another path at the origin of the audience', `${new URL(resource).origin}/another`),
    aud('J12 the audience with a suffix', `${resource}/`),
    aud('J12 the audience with a query', `${resource}?tenant=1`),
    aud('J12 the audience with a fragment', `${resource}#`),
    aud('J12 the audience in upper case', resource.toUpperCase()),
    aud('J12 the audience with a space before', ` ${resource}`),
    aud('J12 the audience and another in one string', `${resource} ${other}`),
    aud('J12 a list with the audience alone', [resource]),
    aud('J12 several audiences', [resource, other]),
    aud('J12 the audience as a key', { [resource]: true }),
    aud('J12 an audience that is null', null),
    aud('J12 an empty audience', ''),
    aud('J12 no audience', undefined),
    aud('J7 an actor token (audience = issuer)', iss),
    aud('J7 an ID token under the type of an access token (audience = client)', 'cli_host'),
    ['J8 the audience under another case', 'audience_mismatch', { aud: undefined, Aud: resource }],
  ];
}

/** When it is good (J11): whole seconds, all there, in order. */
export function timeRows(nowSeconds: number): readonly Row[] {
  const wrong = (claim: 'exp' | 'iat' | 'nbf', what: string, value: unknown): Row => [
    `J11 ${claim} ${what}`,
    'claim_invalid',
    { [claim]: value },
  ];
  return [
    ['J11 expired', 'expired', { exp: nowSeconds - 60, iat: nowSeconds - 360 }],
    ['J11 expired in 1970', 'expired', { exp: 1, iat: 0 }],
    ['J11 no exp', 'claim_missing', { exp: undefined }],
    wrong('exp', 'as a string', String(nowSeconds + 300)),
    wrong('exp', 'as a float', nowSeconds + 300.5),
    wrong('exp', 'as null', null),
    wrong('exp', 'as a list', [nowSeconds + 300]),
    wrong('exp', 'as true', true),
    wrong('exp', 'below zero', -1),
    wrong('exp', 'beyond all whole numbers', 2 ** 53),
    ['J11 exp before iat', 'claim_invalid', { exp: nowSeconds, iat: nowSeconds + 1 }],
    ['J11 exp at iat', 'claim_invalid', { exp: nowSeconds, iat: nowSeconds }],
    ['J8 exp under another case', 'claim_missing', { exp: undefined, Exp: nowSeconds + 300 }],
    ['J11 iat in the future', 'not_yet_valid', { iat: nowSeconds + 120 }],
    ['J11 no iat', 'claim_missing', { iat: undefined }],
    wrong('iat', 'as a string', String(nowSeconds)),
    wrong('iat', 'as a float', nowSeconds - 0.5),
    wrong('iat', 'as null', null),
    wrong('iat', 'below zero', -1),
    ['J11 nbf in the future', 'not_yet_valid', { nbf: nowSeconds + 120 }],
    wrong('nbf', 'as a string', '0'),
    wrong('nbf', 'as null', null),
    wrong('nbf', 'as a list', [0]),
  ];
}

/** The other members of RFC 9068 §2.2 and DESIGN §3: of the right type, or not at all. */
export const memberRows: readonly Row[] = [
  ['VF1 no sub', 'claim_missing', { sub: undefined }],
  ['VF1 an empty sub', 'claim_invalid', { sub: '' }],
  ['VF1 sub as a list', 'claim_invalid', { sub: ['usr_alice'] }],
  ['VF1 sub as a number', 'claim_invalid', { sub: 7 }],
  ['VF1 sub as null', 'claim_invalid', { sub: null }],
  ['J8 sub under another case', 'claim_missing', { sub: undefined, Sub: 'usr_alice' }],
  ['VF1 no client_id', 'claim_missing', { client_id: undefined }],
  ['VF1 client_id as a list', 'claim_invalid', { client_id: ['cli_host'] }],
  ['VF1 azp in the place of client_id', 'claim_missing', { client_id: undefined, azp: 'cli_host' }],
  ['VF1 no jti', 'claim_missing', { jti: undefined }],
  ['VF1 a jti that is no path', 'claim_invalid', { jti: '../../etc' }],
  ['VF1 a jti of one segment', 'claim_invalid', { jti: 'cns_test' }],
  ['VF1 a jti with an empty segment', 'claim_invalid', { jti: 'cns_test..t1' }],
  ['VF1 a jti of seventeen segments', 'claim_invalid', { jti: Array(17).fill('t').join('.') }],
  ['VF1 a jti with a wildcard', 'claim_invalid', { jti: 'cns_test.%' }],
  ['VF1 jti as a number', 'claim_invalid', { jti: 1 }],
  ['VF1 scope as a list', 'claim_invalid', { scope: ['files:read'] }],
  ['VF1 scope as an object', 'claim_invalid', { scope: { 'files:read': true } }],
  ['VF1 scope as null', 'claim_invalid', { scope: null }],
  ['VF1 sub_profile as a list', 'claim_invalid', { sub_profile: ['user'] }],
  ['VF1 auth_time as a string', 'claim_invalid', { auth_time: '0' }],
  ['VF1 acr as a list', 'claim_invalid', { acr: ['urn:example:strong'] }],
  ['VF11 cnf as a string', 'claim_invalid', { cnf: 'thumbprint' }],
  ['VF11 cnf as a list', 'claim_invalid', { cnf: ['thumbprint'] }],
  ['VF11 cnf as null', 'claim_invalid', { cnf: null }],
  ['VF11 cnf with a key inside', 'claim_invalid', { cnf: { jwk: { kty: 'EC' } } }],
];
