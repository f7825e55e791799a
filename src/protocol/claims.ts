/**
 * The claims of a Behalf access token (RFC 9068 plus DESIGN §3), their shape check, and the four
 * kinds of principal a token can stand for. Shared by the gate, introspection and the verifier.
 */
import { type Act, parseAct } from './act.js';
import { ACT_DEPTH_MAX, ACTOR_PROOFS, type ActorProof, CLAIM } from './names.js';
import { isSubset, parseScope } from './scope.js';
import { isTokenId } from './token-id.js';

export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly sub_profile?: string;
  readonly client_id: string;
  /** E: what is left after everyone in the story had their say. The only claim that grants. */
  readonly scope?: string;
  /** A: what the acting agent or service may ever hold at this resource. Never grants. */
  readonly agent_scope?: string;
  readonly act?: Act;
  readonly actor_proof?: ActorProof;
  readonly via?: readonly string[];
  readonly jti: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly auth_time?: number;
  readonly acr?: string;
  readonly cnf?: Readonly<Record<string, string>>;
  /** Only in a hand-off token: who may take it up (RFC 8693 §4.4). */
  readonly may_act?: { readonly sub: string; readonly iss?: string };
  /** Only in a hand-off token: the resource it was made for. Its `aud` is the issuer. */
  readonly hand_off?: string;
}

/** Who a token stands for: a user through an agent, an agent or service alone, or a plain client. */
export type PrincipalKind = 'delegated' | 'agent' | 'service' | 'user';

export function principalKind(claims: AccessTokenClaims): PrincipalKind {
  if (claims.act !== undefined) return 'delegated';
  if (claims.sub !== claims.client_id) return 'user';
  return claims.sub_profile === 'ai_agent' ? 'agent' : 'service';
}

/** Which claim was wrong and why; stable, for logs and audits. Never contains the value. */
export interface ClaimProblem {
  readonly claim: string;
  readonly reason: 'missing' | 'invalid' | 'depth' | 'invariant';
}

const CLIENTS_IN_VIA_MAX = 16;
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isVia = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= CLIENTS_IN_VIA_MAX && value.every(isText);
const isConfirmation = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every(isText);
const isActor = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && isText((value as { sub?: unknown }).sub);

interface ClaimShape {
  readonly claim: string;
  readonly check: (value: unknown) => boolean;
}

const REQUIRED: readonly ClaimShape[] = [
  { claim: 'iss', check: isText },
  { claim: 'aud', check: isText },
  { claim: 'sub', check: isText },
  { claim: 'client_id', check: isText },
  { claim: 'jti', check: isTokenId },
  { claim: 'iat', check: isSeconds },
  { claim: 'exp', check: isSeconds },
];
const OPTIONAL: readonly ClaimShape[] = [
  { claim: 'scope', check: (v) => typeof v === 'string' },
  { claim: CLAIM.agentScope, check: (v) => typeof v === 'string' },
  { claim: CLAIM.subProfile, check: isText },
  { claim: CLAIM.actorProof, check: (v) => ACTOR_PROOFS.some((proof) => proof === v) },
  { claim: CLAIM.via, check: isVia },
  { claim: 'auth_time', check: isSeconds },
  { claim: 'acr', check: isText },
  { claim: 'cnf', check: isConfirmation },
  { claim: 'may_act', check: isActor },
  { claim: CLAIM.handOff, check: isText },
];

/**
 * Checks that verified JWT claims have the shape of DESIGN §3, including its invariants: `act` only
 * with `agent_scope` and `actor_proof`, `scope` within `agent_scope`, and nobody acting for
 * themselves; a hand-off names both its helper and its resource. One `aud`, never a list.
 *
 * Does not check the signature, issuer, audience value, time, revocation, or any right.
 */
export function parseClaims(
  payload: Readonly<Record<string, unknown>>,
  depthMax: number = ACT_DEPTH_MAX,
): { claims: AccessTokenClaims } | { problem: ClaimProblem } {
  for (const { claim, check } of REQUIRED) {
    const value = payload[claim];
    if (value === undefined) return { problem: { claim, reason: 'missing' } };
    if (!check(value)) return { problem: { claim, reason: 'invalid' } };
  }
  for (const { claim, check } of OPTIONAL) {
    const value = payload[claim];
    if (value !== undefined && !check(value)) return { problem: { claim, reason: 'invalid' } };
  }
  const claims = payload as unknown as AccessTokenClaims;
  const problem = invariantProblem(payload, claims, depthMax);
  return problem === undefined ? { claims } : { problem };
}

function invariantProblem(
  payload: Readonly<Record<string, unknown>>,
  claims: AccessTokenClaims,
  depthMax: number,
): ClaimProblem | undefined {
  if ((claims.may_act === undefined) !== (claims.hand_off === undefined)) {
    return { claim: CLAIM.handOff, reason: 'invariant' };
  }
  const delegated = payload.act !== undefined;
  for (const claim of [CLAIM.agentScope, CLAIM.actorProof]) {
    if ((payload[claim] !== undefined) !== delegated) return { claim, reason: 'invariant' };
  }
  if (!delegated) return undefined;
  const act = parseAct(payload.act, depthMax);
  if (act === undefined) return { claim: 'act', reason: 'invalid' };
  if (act.sub === claims.sub) return { claim: 'act', reason: 'invariant' };
  const { scope, agent_scope: agentScope } = claims;
  // Word for word the same is within, and is what most tokens say.
  const isWithin = scope === agentScope || isSubset(parseScope(scope), parseScope(agentScope));
  return isWithin ? undefined : { claim: CLAIM.agentScope, reason: 'invariant' };
}
