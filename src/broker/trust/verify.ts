/**
 * Signed words of others: the one place where they are believed. ID-JAGs, platforms' tokens, software
 * statements and attestations all come through here, so that none is checked less than another.
 */
import { compactVerify } from 'jose';
import type { FactsCache, TrustedIssuerFacts } from '../facts/store.js';
import type { Outbound } from '../outbound/outbound.js';
import { isCompactJws } from '../tokens/access-tokens.js';
import { keyFor, type TrustedKey, usableKeys } from './keys.js';
import { decideClaims, decideHeader, type Expected, type TrustProblem } from './policy.js';
import { createRemoteKeys } from './remote-keys.js';
import type { TrustPurpose } from './schema.js';

export type { TrustProblem } from './policy.js';

export type TrustedClaims = Readonly<Record<string, unknown>>;

/** A word that may be taken, and whose it is. */
export interface Trusted {
  readonly issuer: TrustedIssuerFacts;
  readonly claims: TrustedClaims;
  readonly header: TrustedClaims;
}

export interface TrustedWord extends Omit<Expected, 'purpose' | 'nowSeconds'> {
  readonly purpose: TrustPurpose;
  /** The issuer's own bound on `lifeMaxSeconds`, if it has one. */
  readonly lifeOf?: ((issuer: TrustedIssuerFacts) => number) | undefined;
}

export interface TrustVerifier {
  /**
   * Signature by a key of the issuer it names, that issuer's trust for this purpose, type, audience,
   * time. Nothing about replay, and nothing about what the claims mean.
   *
   * @throws OAuthError `temporarily_unavailable` when the issuer's keys cannot be had now
   */
  verify(jwt: string, word: TrustedWord): Promise<Trusted | { readonly problem: TrustProblem }>;
}

export interface TrustDeps {
  readonly facts: FactsCache;
  readonly outbound: Pick<Outbound, 'fetchJson'>;
  readonly now: () => number;
}

export function createTrustVerifier({ facts, outbound, now }: TrustDeps): TrustVerifier {
  const known = new WeakMap<object, readonly TrustedKey[]>();
  const remote = createRemoteKeys({ fetchJson: outbound.fetchJson, now });
  const keysOf = async (
    issuer: TrustedIssuerFacts,
    isKnown: (keys: readonly TrustedKey[]) => boolean,
  ): Promise<readonly TrustedKey[]> => {
    if (issuer.jwksUri !== null) return remote.get(issuer.jwksUri, isKnown);
    const keys = known.get(issuer) ?? usableKeys(issuer.jwks?.keys ?? []);
    known.set(issuer, keys);
    return keys;
  };
  return {
    verify: async (jwt, word) => {
      const parts = partsOf(jwt);
      if (parts === undefined) return { problem: 'malformed' };
      const { header, claims } = parts;
      const issuer = await issuerOf(facts, claims);
      const lifeMaxSeconds =
        issuer === undefined ? undefined : (word.lifeOf?.(issuer) ?? word.lifeMaxSeconds);
      const nowSeconds = Math.floor(now() / 1000);
      const expected = { ...word, lifeMaxSeconds, nowSeconds };
      const standing = issuer && {
        purposes: issuer.purposes,
        notBeforeMs: issuer.notBefore.getTime(),
      };
      const early = decideHeader(standing, header, expected);
      if (issuer === undefined || standing === undefined || early !== undefined) {
        return { problem: early ?? 'untrusted_issuer' };
      }
      if (!ALGS.has(header.alg)) return { problem: 'wrong_algorithm' };
      const find = (keys: readonly TrustedKey[]) => keyFor(keys, header);
      const key = find(await keysOf(issuer, (keys) => find(keys) !== undefined));
      if (key === undefined) return { problem: 'unknown_key' };
      if (!(await isSigned(jwt, key))) return { problem: 'bad_signature' };
      const problem = decideClaims(standing, claims, expected);
      return problem === undefined ? { issuer, claims, header } : { problem };
    },
  };
}

const ALGS = new Set<unknown>(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256']);

const isSigned = (jwt: string, { key, algs }: TrustedKey): Promise<boolean> =>
  compactVerify(jwt, key, { algorithms: [...algs] }).then(
    () => true,
    () => false,
  );

async function issuerOf(
  facts: FactsCache,
  { iss }: TrustedClaims,
): Promise<TrustedIssuerFacts | undefined> {
  return typeof iss === 'string' ? (await facts.current()).trustedIssuer(iss) : undefined;
}

/** J8: one spelling, well-formed UTF-8, two objects. */
function partsOf(
  jwt: string,
): { readonly header: TrustedClaims; readonly claims: TrustedClaims } | undefined {
  if (!isCompactJws(jwt)) return undefined;
  const [header, claims] = jwt.split('.', 2).map(objectIn);
  return header === undefined || claims === undefined ? undefined : { header, claims };
}

function objectIn(part: string): TrustedClaims | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'));
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as TrustedClaims)
      : undefined;
  } catch {
    return undefined;
  }
}
