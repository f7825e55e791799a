// What people use today to check a JWT, each set up as strictly as it can be: issuer, audience,
// algorithm, expiry; `typ` where it knows it. And the limit: the signature alone.
import { type KeyObject, verify as verifySignature } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JwtVerifier } from 'aws-jwt-verify';
import { auth } from 'express-oauth2-jwt-bearer';
import { createVerifier as createFastVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { DER_MAX_BYTES, writeDer } from '../../src/verifier/ecdsa-der.js';
import { createVerifier } from '../../src/verifier/index.js';
import { type BenchAlg, ISSUER, RESOURCE, type TokenSource } from './tokens.js';

/** Claims of a good token; throws, or rejects, for any other. */
export type Check = (token: string) => unknown;

export interface Verifier {
  readonly name: string;
  readonly isSync: boolean;
  /** Absent when the library does not know the algorithm. */
  readonly make: ((source: TokenSource) => Promise<Check>) | undefined;
}

export const OURS = 'behalf/verifier';
export const BASE = 'jose.jwtVerify';
/** The signature alone, in the two ways Node can be asked; which is cheaper depends on the release. */
export const LIMITS = ['crypto.verify, P1363', 'crypto.verify, DER'] as const;

export const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'spki' }) as string;

function rawCheck({ alg, publicKey: key }: TokenSource, isDer: boolean): Check {
  const hash = alg === 'EdDSA' ? null : 'sha256';
  const converts = alg === 'ES256' && isDer;
  const how = alg === 'ES256' && !isDer ? { key, dsaEncoding: 'ieee-p1363' as const } : key;
  const der = new Uint8Array(DER_MAX_BYTES);
  return (token) => {
    const end = token.lastIndexOf('.');
    const given = Buffer.from(token.slice(end + 1), 'base64url');
    const signature = converts ? der.subarray(0, writeDer(der, given)) : given;
    if (verifySignature(hash, Buffer.from(token.slice(0, end)), how, signature)) return token;
    throw new Error('the signature is wrong');
  };
}

function joseCheck({ alg, jwks }: TokenSource): Check {
  const keys = createLocalJWKSet(jwks);
  const options = { issuer: ISSUER, audience: RESOURCE, algorithms: [alg], typ: 'at+jwt' };
  return async (token) => (await jwtVerify(token, keys, options)).payload;
}

function awsCheck({ jwks }: TokenSource): Check {
  const jwksUri = `${ISSUER}/.well-known/jwks.json`;
  const verifier = JwtVerifier.create({ issuer: ISSUER, audience: RESOURCE, jwksUri });
  verifier.cacheJwks(jwks as Parameters<typeof verifier.cacheJwks>[0]);
  return (token) => verifier.verifySync(token);
}

function fastCheck({ alg, publicKey }: TokenSource): Check {
  const verify = createFastVerifier({
    key: pemOf(publicKey),
    algorithms: [alg],
    allowedIss: ISSUER,
    allowedAud: RESOURCE,
    checkTyp: 'at+jwt',
    cache: false,
  });
  return (token) => verify(token);
}

function jsonwebtokenCheck({ alg, publicKey }: TokenSource): Check {
  const algorithms = [alg as Exclude<BenchAlg, 'EdDSA'>];
  const options = { algorithms, issuer: ISSUER, audience: RESOURCE };
  return (token) => jsonwebtoken.verify(token, publicKey, options);
}

/** Its keys come over HTTP from a server of ours that answers once; no Express is needed around it. */
async function expressCheck({ jwks, alg }: TokenSource): Promise<Check> {
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(jwks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const { port } = server.address() as AddressInfo;
  const middleware = auth({
    issuer: ISSUER,
    audience: RESOURCE,
    jwksUri: `http://127.0.0.1:${port}/jwks.json`,
    tokenSigningAlg: alg,
    strict: true,
  });
  return (token) =>
    new Promise((resolve, reject) => {
      const req = {
        method: 'GET',
        protocol: 'https',
        url: '/mcp',
        query: {},
        headers: { authorization: `Bearer ${token}` },
        get: (name: string) => (name === 'Host' ? 'files.example' : undefined),
        is: () => false,
      };
      const next = (error?: unknown) =>
        error === undefined
          ? resolve((req as { auth?: { payload: unknown } }).auth?.payload)
          : reject(error);
      middleware(req as never, {} as never, next);
    });
}

async function ourCheck({ jwks }: TokenSource): Promise<Check> {
  const verifier = createVerifier({ issuer: ISSUER, resource: RESOURCE, jwks, revocation: 'off' });
  return (token) => verifier.verify(token);
}

/** All of them, for one algorithm. */
export const verifiersFor = (alg: BenchAlg): readonly Verifier[] => [
  { name: OURS, isSync: false, make: ourCheck },
  { name: BASE, isSync: false, make: async (source) => joseCheck(source) },
  { name: LIMITS[0], isSync: true, make: async (source) => rawCheck(source, false) },
  {
    name: LIMITS[1],
    isSync: true,
    make: alg === 'ES256' ? async (source) => rawCheck(source, true) : undefined,
  },
  { name: 'aws-jwt-verify', isSync: true, make: async (source) => awsCheck(source) },
  { name: 'fast-jwt', isSync: true, make: async (source) => fastCheck(source) },
  {
    name: 'jsonwebtoken',
    isSync: true,
    make: alg === 'EdDSA' ? undefined : async (source) => jsonwebtokenCheck(source),
  },
  { name: 'express-oauth2-jwt-bearer', isSync: false, make: expressCheck },
];
