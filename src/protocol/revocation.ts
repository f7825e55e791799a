/**
 * What can stop a token, and how a fact about one of those things is read. One function for the
 * issue gate, introspection and the verifier, so that they can never disagree.
 */
import { actorChain } from './act.js';
import type { AccessTokenClaims } from './claims.js';
import { tokenIdPrefixes } from './token-id.js';

/** Domain of the hash under which keys are published in the feed. */
const FEED_DOMAIN = 'behalf-revocation-v1';
/** Published keys are truncated to 128 bits: 32 hex digits. */
export const FEED_KEY_HEX_CHARS = 32;

type Lineage = Pick<AccessTokenClaims, 'jti' | 'sub' | 'client_id' | 'via' | 'act' | 'may_act'>;

/** `kid:` keeps key ids, which operators may choose, apart from every other kind of key. */
export const kidKey = (kid: string): string => `kid:${kid}`;

/**
 * Every key whose revocation stops this token: each prefix of its id, subject, client, earlier
 * clients, every actor in the chain, the helper a hand-off is for, and the signing key when known.
 */
export function revocationKeys(claims: Lineage, kid?: string): string[] {
  const keys = [
    ...tokenIdPrefixes(claims.jti),
    claims.sub,
    claims.client_id,
    ...(claims.via ?? []),
    ...actorChain(claims.act).map((actor) => actor.sub),
    ...(claims.may_act === undefined ? [] : [claims.may_act.sub]),
  ];
  if (kid !== undefined) keys.push(kidKey(kid));
  return [...new Set(keys)];
}

/** A revocation fact, as stored and as published. Times are milliseconds since the epoch. */
export interface RevocationFact {
  readonly revokedAtMs: number;
  /** Stops everything under the key whenever it was issued: a path, a `kid`, or a block. */
  readonly always: boolean;
}

/**
 * Whether a fact about one of a token's keys stops it: always for paths, `kid`s and blocks,
 * otherwise if the token is not younger than the fact. Compared in whole seconds, rounded so that
 * a token of the very second of the revocation is dead.
 */
export const factStops = (fact: RevocationFact, issuedAtSeconds: number): boolean =>
  fact.always || Math.floor(fact.revokedAtMs / 1000) >= issuedAtSeconds;

/** What is hashed (SHA-256, truncated to 128 bits, hex) to publish a key in an issuer's feed. */
export const feedKeyInput = (issuer: string, key: string): string =>
  `${FEED_DOMAIN}\n${issuer}\n${key}`;
