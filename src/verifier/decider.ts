/** Decisions about callers that were checked before: whether they still stand, and what they may do. */
import { AuthError, underDpop } from './auth-error.js';
import { runCheck } from './check-hook.js';
import type { AuthContext } from './context.js';
import { type Decision, decide, refuseExpired, refuseFor, refuseRevoked } from './decide.js';
import type { Operation } from './events.js';
import type { RevocationFeed } from './feed.js';
import type { CheckedToken } from './issued.js';
import type { VerifierSettings } from './options.js';
import type { ParsedRequirement } from './requirement.js';

export interface DeciderDeps {
  readonly settings: VerifierSettings;
  readonly feedOf: (issuer: string) => RevocationFeed | undefined;
  /** What was found out about the token behind a context. */
  readonly checkedOf: (context: AuthContext) => CheckedToken | undefined;
}

export interface Decider {
  /** What can be said at once; asks nobody. */
  decide(context: AuthContext, requirement: ParsedRequirement): Decision;
  /** The whole decision. */
  decideCall(
    context: AuthContext,
    requirement: ParsedRequirement,
    operation?: Operation,
  ): Promise<Decision>;
}

/** A caller who came with DPoP is answered in kind. */
const inKind = ({ binding }: AuthContext, decision: Decision): Decision =>
  decision.ok || binding?.jkt === undefined
    ? decision
    : Object.freeze({ ...decision, error: underDpop(decision.error) });

export function createDecider({ settings, feedOf, checkedOf }: DeciderDeps): Decider {
  /**
   * The decision about a context whose token has ended since it was checked; it may be held for
   * longer than the call it was made for. Expiry comes before scope: renewing helps there, asking
   * a user does not.
   */
  function refuseEnded(context: AuthContext): Decision | undefined {
    const endsAtMs = context.expiresAt.getTime() + settings.clockToleranceSeconds * 1000;
    if (settings.now() >= endsAtMs) return refuseExpired();
    const { published, claims } = checkedOf(context)?.lifetime ?? {};
    const feed = feedOf(context.issuer);
    if (feed === undefined || published === undefined || claims === undefined) return undefined;
    return feed.stopsPublished(published, claims.iat) ? refuseRevoked() : undefined;
  }

  const decideNow = (context: AuthContext, requirement: ParsedRequirement): Decision =>
    inKind(context, refuseEnded(context) ?? decide(context, requirement, settings.now()));

  /** The token is alive by its issuer's word; that may have been given when it was authenticated. */
  async function confirmAlive(context: AuthContext): Promise<AuthError | undefined> {
    if (context.source !== 'jwt') return undefined;
    const { confirm } = checkedOf(context) ?? {};
    if (confirm === undefined) return new AuthError('introspection_unavailable');
    try {
      await confirm();
      return undefined;
    } catch (error) {
      if (error instanceof AuthError) return error;
      throw error;
    }
  }

  async function askOutside(
    context: AuthContext,
    { sensitive, check }: ParsedRequirement,
    operation: Operation,
  ): Promise<AuthError | undefined> {
    const dead = sensitive ? await confirmAlive(context) : undefined;
    return dead ?? (check && (await runCheck(check, context, operation)));
  }

  return {
    decide: decideNow,
    // Asks outside only where nothing final is in the way, and before any user is asked.
    async decideCall(context, requirement, operation = {}) {
      const decision = decideNow(context, requirement);
      const isFinal = !decision.ok && !decision.stepUp;
      const { sensitive, check } = requirement;
      if (isFinal || (!sensitive && check === undefined)) return decision;
      const refusal = await askOutside(context, requirement, operation);
      // The token may have ended while somebody was asked.
      const ended = refusal === undefined ? refuseEnded(context) : refuseFor(refusal);
      return ended === undefined ? decision : inKind(context, ended);
    },
  };
}
