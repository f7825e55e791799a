/**
 * A decision point of the server's own (a PDP), asked in the words of AuthZEN 1.0 §4: the human is
 * the subject, the agent is context. It can only refuse; what it answers never adds a right.
 */
import { AuthError } from './auth-error.js';
import type { AuthContext } from './context.js';
import type { Operation } from './events.js';

/** An AuthZEN 1.0 access evaluation request, ready to be sent as JSON. Holds no token. */
export interface EvaluationRequest {
  readonly subject: {
    readonly type: 'user' | 'agent' | 'service';
    readonly id: string;
    readonly properties: { readonly issuer: string };
  };
  readonly action: {
    readonly name: string;
    readonly properties: { readonly arguments: unknown };
  };
  readonly resource: { readonly type: 'protected_resource'; readonly id: string };
  readonly context: {
    /** The current actor; `null` when nobody acts for the subject. */
    readonly agent: string | null;
    /** Newest first; everything after the first is history. */
    readonly actors: readonly string[];
    readonly client: string;
    readonly scopes: readonly string[];
    readonly agent_scopes: readonly string[] | null;
  };
}

/** `true` or `{ decision: true }` allows; everything else refuses. To fail, throw. */
export type Check = (
  request: EvaluationRequest,
  context: AuthContext,
) => unknown | Promise<unknown>;

function subjectType({ user, kind, subject }: AuthContext): 'user' | 'agent' | 'service' {
  if (user !== undefined) return 'user';
  return kind === 'agent' || subject.profile === 'ai_agent' ? 'agent' : 'service';
}

const toRequest = (context: AuthContext, name: string, args: unknown): EvaluationRequest => ({
  subject: {
    type: subjectType(context),
    id: context.subject.id,
    properties: { issuer: context.issuer },
  },
  action: { name, properties: { arguments: args ?? null } },
  resource: { type: 'protected_resource', id: context.audience },
  context: {
    agent: context.agent?.id ?? null,
    actors: context.actorChain.map(({ id }) => id),
    client: context.client.id,
    scopes: [...context.scopes],
    agent_scopes: context.agentScopes === undefined ? null : [...context.agentScopes],
  },
});

const isAllowed = (answer: unknown): boolean =>
  answer === true || (answer as { decision?: unknown } | null)?.decision === true;

/**
 * Asks. An operation that is not named cannot be asked about, and is refused.
 *
 * @returns the refusal; nothing when it is allowed
 */
export async function runCheck(
  check: Check,
  context: AuthContext,
  { tool, args }: Operation,
): Promise<AuthError | undefined> {
  if (tool === undefined) return new AuthError('check_refused');
  try {
    const answer = await check(toRequest(context, tool, args), context);
    return isAllowed(answer) ? undefined : new AuthError('check_refused');
  } catch (cause) {
    // An outage of the decision point is not a decision.
    return new AuthError('check_failed', { retryAfterSeconds: 1, cause });
  }
}
