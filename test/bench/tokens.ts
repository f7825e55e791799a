// Tokens by the thousand, signed with node's own crypto: what a broker issues, none twice.
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { JWK } from 'jose';
import { delegatedClaims } from '../../src/testing/issuer.js';

export type BenchAlg = 'ES256' | 'RS256' | 'EdDSA';

export const ISSUER = 'https://broker.example';
export const RESOURCE = 'https://files.example/mcp';

export interface TokenSource {
  readonly alg: BenchAlg;
  readonly publicKey: KeyObject;
  readonly jwks: { readonly keys: JWK[] };
  /** Fresh tokens of an agent that acts for a user, good for an hour. */
  make(count: number): string[];
}

const KEYS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function createTokenSource(alg: BenchAlg, issuer = ISSUER): TokenSource {
  const { privateKey, publicKey } = KEYS[alg]();
  const hash = alg === 'EdDSA' ? null : 'sha256';
  const key =
    alg === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const } : privateKey;
  const header = encode({ alg, typ: 'at+jwt', kid: 'bench' });
  const jwk = { ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'bench', alg, use: 'sig' };
  const one = () => {
    const iat = Math.floor(Date.now() / 1000);
    const claims = delegatedClaims(issuer, { scope: 'files:list files:read' });
    const payload = encode({
      iss: issuer,
      aud: RESOURCE,
      iat,
      exp: iat + 3600,
      ...claims,
      jti: `cns_bench.gnt_bench.${randomUUID()}`,
    });
    const input = `${header}.${payload}`;
    return `${input}.${sign(hash, Buffer.from(input), key).toString('base64url')}`;
  };
  return {
    alg,
    publicKey,
    jwks: { keys: [jwk] },
    make: (count) => Array.from({ length: count }, one),
  };
}
