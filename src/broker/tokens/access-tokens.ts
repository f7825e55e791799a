/**
 * Reading Behalf's own access tokens back: signature, shape, recorded, alive. Introspection, actor
 * tokens, RFC 7009 and the admin API all start here, so that they agree.
 */
import { compactVerify } from 'jose';
import {
  ACCESS_TOKEN_TYP,
  type AccessTokenClaims,
  parseClaims,
  revocationKeys,
  SIGNING_ALGS,
} from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { VerificationKey } from '../keys/store.js';
import { claimsHash } from './claims-hash.js';

/** Ours are below 2 kB; nothing longer is worth hashing. */
const TOKEN_MAX_CHARS = 16_384;

export interface VerifiedToken {
  readonly claims: AccessTokenClaims;
  readonly kid: string;
}

export interface TokenReader {
  /**
   * Checks that a value is an access token this broker signed: signature by a published key, `typ`,
   * issuer and shape. Does not check time, audience, recording or revocation.
   */
  verify(token: string): Promise<VerifiedToken | undefined>;
  /** Whether the token was recorded by the gate and nothing in its lineage was stopped. One query. */
  isAlive(token: VerifiedToken): Promise<boolean>;
  /** The same, and the policy epoch of that instant: whether the facts at hand are as new. One query. */
  look(token: VerifiedToken): Promise<{ readonly alive: boolean; readonly epoch: number }>;
}

/** A process's clock may be this far from the database's, which stamped the token. */
const SKEW_SECONDS = 60;

/**
 * One row, one column `alive`: recorded with exactly these claims, within its life by the database's
 * clock, and nothing in the lineage was stopped. The id alone would let a stolen signing key dress
 * somebody's own token up: as another's, without whoever could stop it in its chain, bound to no key, a
 * hand-off as anything but that (X12).
 */
export const ALIVE = `
select exists (
     select 1 from audit_events where type = 'token.issued' and jti = $1
       and detail ->> 'claims' = $5
       and (detail ->> 'iat')::bigint = $3::bigint and (detail ->> 'exp')::bigint = $4::bigint)
   and $3::bigint <= extract(epoch from clock_timestamp()) + ${SKEW_SECONDS}
   and $4::bigint > extract(epoch from clock_timestamp())
   and not exists (
     select 1 from revocations
     where key in (select jsonb_array_elements_text($2::text::jsonb))
       and (always or floor(extract(epoch from revoked_at)) >= $3::bigint)) as alive`;

const LOOK = `
with alive as (${ALIVE})
select alive.alive, (select epoch from policy_epoch where id = 1) as epoch from alive`;

/** The first five parameters of a statement that contains `ALIVE`; the fourth is `exp`. */
export const aliveParams = ({ claims, kid }: VerifiedToken): readonly unknown[] => [
  claims.jti,
  JSON.stringify(revocationKeys(claims, kid)),
  claims.iat,
  claims.exp,
  claimsHash(claims),
];

/** RFC 7515 §2: base64url without padding or white space, and in the one spelling that is ours (J8). */
export const isCompactJws = (token: string): boolean =>
  token.length <= TOKEN_MAX_CHARS &&
  /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) &&
  token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);

export function createTokenReader(options: {
  readonly db: Database;
  readonly issuer: string;
  readonly keys: () => readonly VerificationKey[];
}): TokenReader {
  const { db, issuer } = options;
  return {
    verify: async (token) => {
      if (!isCompactJws(token)) return undefined;
      try {
        const { payload, protectedHeader } = await compactVerify(
          token,
          (header) => {
            const key = options
              .keys()
              .find(({ kid, alg }) => kid === header.kid && alg === header.alg);
            if (key === undefined) throw new Error('unknown signing key');
            return key.publicKey;
          },
          { algorithms: [...SIGNING_ALGS] },
        );
        if (protectedHeader.typ !== ACCESS_TOKEN_TYP) return undefined;
        const content = JSON.parse(new TextDecoder().decode(payload));
        const parsed = parseClaims(content);
        if (!('claims' in parsed) || parsed.claims.iss !== issuer) return undefined;
        // Ours are good from the start, or not ours.
        if (content.nbf !== undefined) return undefined;
        return { claims: parsed.claims, kid: protectedHeader.kid as string };
      } catch {
        return undefined;
      }
    },
    isAlive: async (token) => {
      const [row] = await db.run<{ alive: boolean }>(ALIVE, aliveParams(token));
      return row?.alive === true;
    },
    look: async (token) => {
      const [row] = await db.run<{ alive: boolean; epoch: string | number }>(
        LOOK,
        aliveParams(token),
      );
      return { alive: row?.alive === true, epoch: Number(row?.epoch) };
    },
  };
}
