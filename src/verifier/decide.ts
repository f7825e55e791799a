/**
 * May this call do that? Pure: a context and a requirement in, a decision out, in the order of
 * the enforcement rules: who acts, then the agent's side, then the user's, then how the user signed
 * in. The agent comes first because asking a user for what it may never have leads round in circles.
 */
import { difference, formatScope } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { AuthContext } from './context.js';
import type { ParsedRequirement } from './requirement.js';

/** Scopes that were needed and not there, by who lacks them. */
export interface Missing {
  readonly user: readonly string[];
  readonly agent: readonly string[];
}

/**
 * Whether a call may go on; if not, the error to answer with, and what was missing on whose side.
 */
export type Decision =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly error: AuthError;
      readonly missing: Missing;
      /** Whether asking the user could help. Never when the agent's own side lacks something. */
      readonly stepUp: boolean;
    };

const NOTHING_MISSING: Missing = Object.freeze({ user: [], agent: [] });

const refuse = (error: AuthError, missing: Missing = NOTHING_MISSING, stepUp = false): Decision =>
  Object.freeze({ ok: false, error, missing, stepUp });

/** The decision about something that nobody may do here. */
export const refuseUnknown = (
  reason: 'tool_unknown' | 'task_unknown' | 'method_refused',
): Decision => refuse(new AuthError(reason));

/** The decision that follows from an error about the caller as such. */
export const refuseFor = (error: AuthError): Decision => refuse(error);

/** The decision about a caller whose token ended since it was checked. */
export const refuseExpired = (): Decision => refuse(new AuthError('expired', { claim: 'exp' }));
export const refuseRevoked = (): Decision => refuse(new AuthError('revoked'));

/** What of `all` and `any` is not in `held`; of `any`, everything if nothing is there. */
function lacking({ all, any }: ParsedRequirement, held: ReadonlySet<string>): string[] {
  const missing = difference(all, held);
  if (any.length === 0 || any.some((scope) => held.has(scope))) return missing;
  return [...missing, ...difference(any, missing)];
}

/**
 * Decides one requirement, as far as it needs no question to anybody: neither `check` nor the
 * issuer is asked. Never looks at names of tools.
 *
 * `insufficient_scope` carries held ∪ required, since some clients replace their scopes by those
 * of the challenge (MCP authorization, step-up).
 */
export function decide(
  context: AuthContext,
  requirement: ParsedRequirement,
  nowMs: number,
): Decision {
  return (
    refuseActor(context, requirement) ??
    refuseAgentSide(context, requirement) ??
    refuseUserSide(context, requirement) ??
    refuseSignIn(context, requirement, nowMs) ??
    Object.freeze({ ok: true })
  );
}

/** Who acts here: kind, id and chain. */
function refuseActor(
  { kind, agent, user, actorChain }: AuthContext,
  { principal, agents, chain }: ParsedRequirement,
): Decision | undefined {
  if (principal !== undefined && !principal.includes(kind))
    return refuse(new AuthError('principal_refused'));
  if (agents !== undefined && (agent === undefined || !agents.includes(agent.id)))
    return refuse(new AuthError('agent_refused'));
  if (chain === undefined) return undefined;
  const { maxDepth = Number.POSITIVE_INFINITY, humanRoot, actors } = chain;
  const isAccepted =
    actorChain.length <= maxDepth &&
    (humanRoot === undefined || user !== undefined) &&
    actorChain.every(({ id }) => actors?.includes(id) ?? true);
  return isAccepted ? undefined : refuse(new AuthError('chain_refused'));
}

/** What the acting agent may ever hold; for an agent on its own, that is its token's scopes. */
function refuseAgentSide(context: AuthContext, requirement: ParsedRequirement) {
  const { agent, kind, scopes, agentScopes } = context;
  const own = agentScopes ?? (kind === 'user' ? new Set<string>() : scopes);
  const needed = agentScopes === undefined ? [] : lacking(requirement, agentScopes);
  const missingOfAgent = [...new Set([...needed, ...difference(requirement.agentScopes, own)])];
  if (missingOfAgent.length === 0) return undefined;
  const user = difference(lacking(requirement, scopes), missingOfAgent);
  const scope = formatScope(missingOfAgent);
  const description = `The acting agent ${agent?.id ?? ''} may not use: ${scope}`;
  const missing = { user, agent: missingOfAgent };
  return refuse(new AuthError('agent_scope_missing', { description }), missing);
}

function refuseUserSide(context: AuthContext, requirement: ParsedRequirement) {
  const { kind, scopes, agentScopes } = context;
  if (lacking(requirement, scopes).length === 0) return undefined;
  const { all, any } = requirement;
  const hasUser = kind === 'delegated' || kind === 'user';
  // Of several that would do, the first that the agent may hold: the least to ask the user for.
  const anyHeld = any.some((scope) => scopes.has(scope));
  const choice = anyHeld ? [] : any.filter((one) => agentScopes?.has(one) ?? true).slice(0, 1);
  const scope = formatScope([...scopes, ...all, ...choice]).split(' ');
  const needed = difference([...new Set([...all, ...choice])], scopes);
  const missing = hasUser ? { user: needed, agent: [] } : { user: [], agent: needed };
  const reason = hasUser ? 'user_scope_missing' : 'token_scope_missing';
  return refuse(new AuthError(reason, { scope }), missing, hasUser);
}

/**
 * How and when the user signed in (RFC 9470 §3). Nobody can sign in for a call without a user, so
 * that one is refused for good. The scopes go along, or clients would come back with fewer.
 */
function refuseSignIn(
  { user, scopes }: AuthContext,
  { acr, maxAuthAgeSeconds }: ParsedRequirement,
  nowMs: number,
): Decision | undefined {
  if (acr === undefined && maxAuthAgeSeconds === undefined) return undefined;
  if (user === undefined) return refuse(new AuthError('principal_refused'));
  const isStrong = acr === undefined || (user.acr !== undefined && acr.includes(user.acr));
  const ageSeconds = nowMs / 1000 - (user.authTimeSeconds ?? Number.NEGATIVE_INFINITY);
  const isRecent = maxAuthAgeSeconds === undefined || ageSeconds <= maxAuthAgeSeconds;
  if (isStrong && isRecent) return undefined;
  const details = { acrValues: acr, maxAgeSeconds: maxAuthAgeSeconds, scope: [...scopes] };
  const claim = isStrong ? 'auth_time' : 'acr';
  const reason = isStrong ? 'sign_in_too_old' : 'acr_insufficient';
  return refuse(new AuthError(reason, { ...details, claim }), NOTHING_MISSING, true);
}
