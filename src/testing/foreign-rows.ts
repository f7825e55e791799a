/** Tokens that somebody else signed, or nobody: with keys of their own, or what we publish (J1, J2, J5). */
import { exportSPKI, generateKeyPair, importJWK, type JWK } from 'jose';
import type { AuthReason } from '../verifier/index.js';
import type { Parts } from './actor-claims.js';
import { forge, forgeHmac, signingInput } from './forge.js';
import type { TestIssuer } from './issuer.js';

type Foreign = readonly [name: string, reason: AuthReason, token: string];

/** What an attacker reads at `/.well-known/jwks.json` and may try as an HMAC secret (J2). */
async function secretsIn(
  publicJwk: JWK,
): Promise<ReadonlyArray<readonly [string, string | Uint8Array<ArrayBuffer>]>> {
  const key = await importJWK({ ...publicJwk, ext: true }, 'ES256', { extractable: true });
  const pem = await exportSPKI(key as CryptoKey);
  const der = atob(pem.replace(/-----[^-]+-----|\s/g, ''));
  const { x = '', y = '' } = publicJwk;
  return [
    ['our public JWK', JSON.stringify(publicJwk)],
    ['our JWK set', JSON.stringify({ keys: [publicJwk] })],
    ['our public x', x],
    ['our public point', x + y],
    ['our public key in PEM', pem],
    ['our public key in PEM, a line before', `\n${pem}`],
    ['our public key in PEM, a space before', ` ${pem}`],
    ['our public key in PEM, without line ends', pem.replaceAll('\n', '')],
    ['our public key in DER', Uint8Array.from(der, (char) => char.charCodeAt(0))],
    ['the name of our key', publicJwk.kid ?? ''],
    ['an empty-ish secret', '\0'],
  ];
}

export async function foreignlySigned(
  { signingKey }: TestIssuer,
  header: Parts,
  claims: Parts,
): Promise<readonly Foreign[]> {
  const { publicJwk } = signingKey();
  const mallory = await generateKeyPair('ES256', { extractable: true });
  const unsigned = (alg: string): Foreign => [
    `J1 alg ${alg} unsigned`,
    'token_malformed',
    `${signingInput({ ...header, alg }, claims)}.`,
  ];
  const made: Foreign[] = [
    unsigned('none'),
    unsigned('None'),
    unsigned('NONE'),
    [
      'VF1 the key of somebody else',
      'signature_invalid',
      await forge(header, claims, mallory.privateKey),
    ],
    [
      'J5 its own key in jwk',
      'header_refused',
      await forge({ ...header, jwk: publicJwk }, claims, mallory.privateKey),
    ],
    [
      'J5 its own key in jwk, without a kid',
      'header_refused',
      await forge({ ...header, kid: undefined, jwk: publicJwk }, claims, mallory.privateKey),
    ],
  ];
  for (const [what, secret] of await secretsIn(publicJwk)) {
    const token = await forgeHmac({ ...header, alg: 'HS256' }, claims, secret);
    made.push([`J2 HS256 with ${what}`, 'alg_refused', token]);
  }
  return made;
}
