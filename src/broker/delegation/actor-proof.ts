/**
 * The `actor_token`: the agent's own access token with the issuer as its audience (DESIGN §3), which
 * proves the current actor once. `proving.ts` says when one is needed. Decides nothing about scopes.
 */
import { type AccessTokenClaims, OAuthError, TOKEN_TYPE } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { CredentialFacts, Facts, FactsCache } from '../facts/store.js';
import { ALIVE, aliveParams, type TokenReader } from '../tokens/access-tokens.js';
import { isShown, type Shown } from '../tokens/binding.js';
import { because } from './denials.js';

export interface ActorTokenProof {
  readonly agentId: string;
  /** The credential behind the proof. */
  readonly credentialId: string;
  /** Seconds: when the actor token ends. */
  readonly expiresAt: number;
  /**
   * Uses the token up: recorded, alive, and nobody was first; the grant, if it is for one, remembers
   * the credential. One statement, one winner.
   *
   * @throws OAuthError `invalid_grant`
   */
  claim(grantId?: string): Promise<void>;
}

export interface ActorProver {
  /** @throws OAuthError `invalid_grant` for every token that does not prove some agent now */
  identify(request: {
    readonly actorToken: string;
    readonly actorTokenType: string | undefined;
    /** What this request showed: a bound actor token counts only with that (RFC 7800). */
    readonly shown: Shown;
  }): Promise<ActorTokenProof>;
  /** @throws OAuthError `invalid_grant` for every token that does not prove this agent now */
  prove(request: {
    readonly actorToken: string;
    readonly actorTokenType: string | undefined;
    readonly agentId: string;
    readonly shown: Shown;
  }): Promise<ActorTokenProof>;
  /** Whether the credential that once proved the agent is still one of its own. */
  credentialStands(agentId: string, credentialId: string | null): Promise<boolean>;
}

export type ActorTokenDenial =
  | 'not_ours'
  | 'wrong_audience'
  | 'not_an_agent'
  | 'carries_act'
  | 'a_hand_off'
  | 'another_agent'
  | 'expired'
  | 'key_not_proved'
  | 'not_alive';

/** Pure: whether these claims, of a token we signed, are an actor token of this agent. */
export function decideActorToken(
  claims: AccessTokenClaims,
  expected: {
    readonly issuer: string;
    /** Absent: whichever agent it names. */
    readonly agentId?: string | undefined;
    readonly shown?: Shown | undefined;
    readonly nowSeconds: number;
  },
): ActorTokenDenial | undefined {
  // Actor profile -00: a token that already speaks for somebody proves nobody (OB13).
  if (claims.act !== undefined) return 'carries_act';
  if (claims.may_act !== undefined) return 'a_hand_off';
  if (claims.aud !== expected.issuer) return 'wrong_audience';
  if (claims.sub_profile !== 'ai_agent' || claims.sub !== claims.client_id) return 'not_an_agent';
  if (expected.agentId !== undefined && claims.sub !== expected.agentId) return 'another_agent';
  if (claims.exp <= expected.nowSeconds) return 'expired';
  if (!isShown(claims.cnf, expected.shown)) return 'key_not_proved';
  return undefined;
}

const ACCEPTED_TYPES = new Set<string>([TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt]);

/** Whichever process asks: the marker is inserted once, and kept until the token has expired. */
const CLAIM_ONCE = `
with alive as (${ALIVE}),
claimed as (
  insert into artifacts (model, id, payload, expires_at)
  select 'ActorToken', $1, '{}', to_timestamp($4::bigint) + interval '5 minutes' from alive where alive.alive
  on conflict (model, id) do nothing returning 1
),
remembered as (
  update grants set actor_credential_id = $6, actor_proof = 'token' where id = $7 and exists (select 1 from claimed)
)
select (select alive from alive) as alive, exists (select 1 from claimed) as claimed`;

function refuse(denial: ActorTokenDenial | 'used' | 'type' | 'not_ours'): OAuthError {
  const sentence = 'actor_token does not prove the agent this authorization names';
  const error = new OAuthError('invalid_grant', sentence, `actor_token: ${denial}`);
  return because(error, { rule: 'unusable_actor' });
}

export function createActorProver(deps: {
  readonly db: Database;
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly reader: TokenReader;
  readonly now: () => number;
}): ActorProver {
  const identify = async (request: {
    readonly actorToken: string;
    readonly actorTokenType: string | undefined;
    readonly agentId?: string | undefined;
    readonly shown: Shown;
  }): Promise<ActorTokenProof> => {
    const { actorToken, actorTokenType, agentId, shown } = request;
    if (actorTokenType !== undefined && !ACCEPTED_TYPES.has(actorTokenType)) {
      throw new OAuthError('invalid_request', 'actor_token_type is not supported');
    }
    const verified = await deps.reader.verify(actorToken);
    if (verified === undefined) throw refuse('not_ours');
    const { claims } = verified;
    const nowSeconds = Math.floor(deps.now() / 1000);
    const denial = decideActorToken(claims, {
      issuer: deps.issuer,
      agentId,
      shown,
      nowSeconds,
    });
    if (denial !== undefined) throw refuse(denial);
    // An agent's own token hangs on the credential that proved it: `crd_C.t1`.
    const credentialId = claims.jti.slice(0, claims.jti.indexOf('.'));
    return {
      agentId: claims.sub,
      credentialId,
      expiresAt: claims.exp,
      claim: async (grantId = '') => {
        const params = [...aliveParams(verified), credentialId, grantId];
        const [row] = await deps.db.run<{ alive: boolean; claimed: boolean }>(CLAIM_ONCE, params);
        if (row?.alive !== true) throw refuse('not_alive');
        if (!row.claimed) throw refuse('used');
      },
    };
  };
  return {
    identify,
    prove: identify,
    credentialStands: async (agentId, credentialId) => {
      if (credentialId === null) return false;
      const facts = await deps.facts.current();
      const known = (await facts.credentials(agentId)).find(({ id }) => id === credentialId);
      return known !== undefined && isVouchedFor(facts, known);
    },
  };
}

/** A credential that is somebody else's word stands as long as they are trusted with it. */
async function isVouchedFor(facts: Facts, { kind, rule }: CredentialFacts): Promise<boolean> {
  if (kind !== 'workload' && kind !== 'attestation') return true;
  const issuer = await facts.trustedIssuer(String(rule?.issuer));
  return issuer?.purposes.includes(kind) === true;
}
