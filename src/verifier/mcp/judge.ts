/** What a policy says to the messages of one caller: the same at the HTTP edge and in process. */

import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import { type Decision, refuseUnknown } from '../decide.js';
import { type ParsedRequirement, parseRequirement } from '../requirement.js';
import { decideOnce, type EdgeNotes } from './decided.js';
import { type JsonRpcMessage, textParam } from './json-rpc.js';
import { type MethodRule, methodRule, type Noun } from './methods.js';
import type { ToolPolicy } from './policy.js';
import type { Owners } from './sessions.js';

export interface Judge {
  /**
   * Judges messages together: all may pass, or none.
   *
   * @param edge notes what is decided at the edge; or, in process, what was, and was told already
   * @returns the refusal, or nothing
   */
  refusal(
    context: AuthContext,
    messages: readonly JsonRpcMessage[],
    edge?: EdgeNotes,
  ): Promise<AuthError | undefined>;
  /** Whether a list shows this tool, prompt or resource to this caller. */
  isListed(context: AuthContext, noun: Noun, name: string): boolean;
}

export interface JudgeDeps {
  readonly verifier: Verifier;
  readonly policy: ToolPolicy;
  /** Who created which task. */
  readonly tasks: Owners;
}

interface Judgement {
  readonly decision: Decision;
  readonly requirement: ParsedRequirement;
  readonly tool: string | undefined;
}

/** What is demanded for a message; or why nobody may send it. */
type Demand =
  | { readonly requirement: ParsedRequirement; readonly tool?: string | undefined }
  | { readonly refused: Decision; readonly tool?: string | undefined };

const ALLOWED: Decision = Object.freeze({ ok: true });
const NOTHING = parseRequirement({ all: [] });
const METHOD_REFUSED = { refused: refuseUnknown('method_refused') };

const SIGN_IN = 'insufficient_user_authentication';

/**
 * The one error for several refusals. An agent's denial outweighs: no step-up could help. Of scope
 * denials all are put together, so that one step-up serves the whole batch (MCP authorization).
 */
function combine(errors: readonly AuthError[]): AuthError | undefined {
  const final =
    errors.find(({ code }) => code !== 'insufficient_scope' && code !== SIGN_IN) ??
    errors.find(({ code }) => code === SIGN_IN);
  if (final !== undefined || errors.length <= 1) return final ?? errors[0];
  const scope = errors.flatMap((error) => error.scope ?? []);
  const scheme = errors[0]?.scheme;
  return new AuthError(errors[0]?.reason ?? 'token_scope_missing', { scope, scheme });
}

/** What the policy demands for one message of this caller. */
async function demandOf(
  { policy, tasks }: JudgeDeps,
  context: AuthContext,
  message: JsonRpcMessage,
): Promise<Demand> {
  const method = message.method ?? '';
  const rule = methodRule(method);
  if (rule === undefined) return METHOD_REFUSED;
  if (rule.kind === 'open') return { requirement: NOTHING };
  if ('noun' in rule && policy.rulesFor(rule.noun) !== undefined)
    return demandOfNoun(policy, rule, message);
  const requirement = policy.methods.get(method);
  if (requirement === undefined) return METHOD_REFUSED;
  const namesTask = rule.kind === 'task' && method !== 'tasks/list';
  // A task is whose call it is: of somebody else's not even the existence is told (MCP tasks).
  if (namesTask && !(await tasks.owns(textParam(message, 'taskId') ?? '', context)))
    return { refused: refuseUnknown('task_unknown') };
  return { requirement };
}

function demandOfNoun(
  policy: ToolPolicy,
  rule: Extract<MethodRule, { readonly noun: Noun }>,
  message: JsonRpcMessage,
): Demand {
  if (rule.kind === 'list') return { requirement: NOTHING };
  const name = textParam(message, rule.by) ?? '';
  const tool = rule.noun === 'tools' ? name : undefined;
  const requirement = policy.requirementOf(rule.noun, name);
  if (requirement !== undefined) return { requirement, tool };
  return { refused: refuseUnknown(tool === undefined ? 'method_refused' : 'tool_unknown'), tool };
}

/** @throws TypeError at start, when the policy demands what this verifier cannot find out */
export function createJudge(deps: JudgeDeps): Judge {
  const { verifier, policy } = deps;
  const nouns = ['tools', 'prompts', 'resources'] as const;
  for (const demands of [policy.methods, ...nouns.map((noun) => policy.rulesFor(noun))])
    for (const requirement of demands?.values() ?? []) verifier.checkRequirement(requirement);

  async function judge(
    context: AuthContext,
    message: JsonRpcMessage,
    edge: EdgeNotes | undefined,
  ): Promise<Judgement | undefined> {
    // Answers to the server's own requests ask for nothing.
    if (message.method === undefined) return undefined;
    const demand = await demandOf(deps, context, message);
    const { tool } = demand;
    if ('refused' in demand) return { decision: demand.refused, requirement: NOTHING, tool };
    const { requirement } = demand;
    if (requirement === NOTHING)
      return { decision: verifier.decide(context, NOTHING), requirement, tool };
    const decision = await decideOnce(verifier, { context, message, requirement, tool }, edge);
    return { decision, requirement, tool };
  }

  return {
    async refusal(context, messages, edge) {
      await policy.load?.();
      const judging = messages.map((message) => judge(context, message, edge));
      const judgements = await Promise.all(judging);
      const alreadyTold = edge?.at === 'process';
      const judged = judgements.filter((judgement) => judgement !== undefined);
      const errors = judged.flatMap(({ decision }) => (decision.ok ? [] : [decision.error]));
      for (const { decision, requirement, tool } of judged) {
        // In a batch that is refused nothing is executed: only the refusals are worth a record.
        const skip = decision.ok && (errors.length > 0 || alreadyTold || requirement === NOTHING);
        if (!skip) verifier.record(context, requirement, decision, { tool });
      }
      return combine(errors);
    },
    isListed(context, noun, name) {
      const requirement = policy.requirementOf(noun, name);
      if (requirement === undefined) return false;
      const decision = policy.list === 'all' ? ALLOWED : verifier.decide(context, requirement);
      if (decision.ok) return true;
      // Only the user's side is missing: shown, so that a call can ask the user (step-up).
      const { code } = decision.error;
      return (
        policy.list === 'filter-by-agent' && (code === 'insufficient_scope' || code === SIGN_IN)
      );
    },
  };
}
