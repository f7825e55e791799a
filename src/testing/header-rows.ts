/** Wrong headers over good claims, signed with the issuer's key all the same. */
import type { Row } from './actor-claims.js';

const alg = (what: string, value: unknown): Row => [what, 'alg_refused', {}, { alg: value }];
const kid = (what: string, value: unknown): Row => [what, 'key_unknown', {}, { kid: value }];
const refused = (what: string, header: object): Row => [
  what,
  'header_refused',
  {},
  header as Readonly<Record<string, unknown>>,
];
const typ = (what: string, value: unknown): Row => [what, 'typ_refused', {}, { typ: value }];

/** RFC 8725 §3.1: which algorithm, decided by the verifier. */
const ALGS: readonly Row[] = [
  alg('J1 alg none under a signature', 'none'),
  alg('J1 alg None', 'None'),
  alg('J1 alg nOnE', 'nOnE'),
  alg('J1 an empty alg', ''),
  alg('J1 no alg', undefined),
  alg('J1 alg null', null),
  alg('J2 alg with a space before', ' ES256'),
  alg('J3 alg in lower case', 'es256'),
  alg('J3 alg ES384 for a P-256 key', 'ES384'),
  alg('J3 alg ES512 for a P-256 key', 'ES512'),
  alg('J3 alg ES256K for a P-256 key', 'ES256K'),
  alg('J3 alg HS256 under a signature of the key', 'HS256'),
  ['J3 alg RS256 for an EC key', 'key_unknown', {}, { alg: 'RS256' }],
  ['J3 alg PS256 for an EC key', 'key_unknown', {}, { alg: 'PS256' }],
  ['J3 alg EdDSA for an EC key', 'key_unknown', {}, { alg: 'EdDSA' }],
  alg('J3 alg as a list', ['ES256']),
  alg('J3 alg as an object', { name: 'ES256' }),
  alg('J9 alg RSA1_5', 'RSA1_5'),
  alg('J9 alg dir', 'dir'),
  alg('J9 alg PBES2 with ten million rounds', 'PBES2-HS256+A128KW'),
];

/** Which key: a name in our own set, and nothing that is looked up (J4, J5). */
const KEYS: readonly Row[] = [
  ['J4 no kid', 'kid_missing', {}, { kid: undefined }],
  ['J4 an empty kid', 'kid_missing', {}, { kid: '' }],
  ['J4 kid as a list', 'kid_missing', {}, { kid: ['key-1'] }],
  ['J4 kid as a number', 'kid_missing', {}, { kid: 0 }],
  ['J4 kid as an object', 'kid_missing', {}, { kid: { toString: 'key-1' } }],
  ['J4 kid null', 'kid_missing', {}, { kid: null }],
  ['J4 a kid of 8 kB', 'kid_missing', {}, { kid: 'k'.repeat(8192) }],
  ['J4 a kid of 64 kB', 'token_too_long', {}, { kid: 'k'.repeat(65_536) }],
  kid('J4 an unknown kid', 'nobody'),
  kid('J4 kid __proto__', '__proto__'),
  kid('J4 kid constructor', 'constructor'),
  kid('J4 kid in another case', 'KEY-1'),
  kid('J4 kid with a NUL', 'key-1\0'),
  kid('J4 kid with a path', '../../dev/null'),
  kid('J4 kid with a URL', 'https://evil.example/jwks.json#key-1'),
  kid('J4 kid with SQL', "' OR 1=1 --"),
  kid('J4 kid with a command', '$(id)'),
  refused('J5 jku', { jku: 'https://evil.example/jwks' }),
  refused('J5 x5u', { x5u: 'https://evil.example/cert' }),
  refused('J5 x5c', { x5c: ['MIIB'] }),
  refused('J5 jku null', { jku: null }),
];

/** What else a header may not say. */
const MEANINGS: readonly Row[] = [
  refused('J6 an unknown crit', { crit: ['exp'] }),
  refused('J6 an empty crit', { crit: [] }),
  refused('J6 crit as a string', { crit: 'b64' }),
  refused('J6 crit null', { crit: null }),
  refused('J6 b64 false', { b64: false }),
  refused('J6 b64 false, and critical', { b64: false, crit: ['b64'] }),
  refused('J9 zip', { zip: 'DEF' }),
  refused('J9 enc', { enc: 'A256GCM' }),
  typ('J7 typ JWT', 'JWT'),
  typ('J7 no typ', undefined),
  typ('J7 an empty typ', ''),
  typ('J7 typ null', null),
  typ('J7 typ as a list', ['at+jwt']),
  typ('J7 typ with a parameter', 'at+jwt;v=1'),
  typ('J7 typ of any JWT, in full', 'application/jwt'),
  typ('J7 typ of a logout token', 'logout+jwt'),
  typ('J7 typ of a DPoP proof', 'dpop+jwt'),
  typ('J7 typ of an introspection answer', 'token-introspection+jwt'),
  typ('J7 typ of a request object', 'oauth-authz-req+jwt'),
  typ('J7 typ of a client assertion', 'client-authentication+jwt'),
  typ('J7 typ of a security event', 'secevent+jwt'),
  typ('J7 typ of an authorization response', 'oauth-authz-resp+jwt'),
];

export const HEADER_ROWS: readonly Row[] = [...ALGS, ...KEYS, ...MEANINGS];
