/**
 * May this call do that? Pure: a context and a requirement in, a decision out, in the order of
 * the enforcement rules: who acts, then the agent's side, then the user's. The agent comes first
 * because asking a user for what the agent may never have leads round in circles.
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
export const refuseUnknown = (reason: 'tool_unknown' | 'method_refused'): Decision =>
  refuse(new AuthError(reason));

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
 * Decides one requirement. Never looks at earlier actors, names of tools, or time.
 *
 * `insufficient_scope` carries held ∪ required, since some clients replace their scopes by those
 * of the challenge (MCP authorization, step-up).
 */
export function decide(context: AuthContext, requirement: ParsedRequirement): Decision {
  const { kind, agent, scopes, agentScopes } = context;
  const { principal, agents } = requirement;
  if (principal !== undefined && !principal.includes(kind))
    return refuse(new AuthError('principal_refused'));
  if (agents !== undefined && (agent === undefined || !agents.includes(agent.id)))
    return refuse(new AuthError('agent_refused'));

  const missingOfAgent = agentScopes === undefined ? [] : lacking(requirement, agentScopes);
  const missingOfToken = lacking(requirement, scopes);
  if (missingOfAgent.length > 0) {
    const missing = { user: difference(missingOfToken, missingOfAgent), agent: missingOfAgent };
    const scope = formatScope(missingOfAgent);
    const description = `The acting agent ${agent?.id ?? ''} may not use: ${scope}`;
    return refuse(new AuthError('agent_scope_missing', { description }), missing);
  }
  if (missingOfToken.length === 0) return Object.freeze({ ok: true });
  return refuseScope(context, requirement);
}

function refuseScope(
  { kind, scopes, agentScopes }: AuthContext,
  { all, any }: ParsedRequirement,
): Decision {
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
