/** What a policy says to the messages of one caller: the same at the HTTP edge and in process. */

import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import { type Decision, refuseUnknown } from '../decide.js';
import { type ParsedRequirement, parseRequirement } from '../requirement.js';
import { type JsonRpcMessage, toolName } from './json-rpc.js';
import { methodClass } from './methods.js';
import type { ToolPolicy } from './policy.js';

export interface Judge {
  /**
   * Judges messages together: all may pass, or none.
   *
   * @param alreadyTold whether allowed calls were recorded at the edge before
   * @returns the refusal, or nothing
   */
  refusal(
    context: AuthContext,
    messages: readonly JsonRpcMessage[],
    alreadyTold?: boolean,
  ): Promise<AuthError | undefined>;
  /** Whether `tools/list` shows this tool to this caller. */
  isListed(context: AuthContext, tool: string): boolean;
}

interface Judgement {
  readonly decision: Decision;
  readonly requirement: ParsedRequirement;
  readonly tool: string | undefined;
}

const ALLOWED: Decision = Object.freeze({ ok: true });
const NOTHING = parseRequirement({ all: [] });

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

export function createJudge(verifier: Verifier, policy: ToolPolicy): Judge {
  async function judge(
    context: AuthContext,
    message: JsonRpcMessage,
  ): Promise<Judgement | undefined> {
    // Answers to the server's own requests ask for nothing.
    if (message.method === undefined) return undefined;
    const kind = methodClass(message.method);
    if (kind === 'open' || kind === 'list') {
      const decision = verifier.decide(context, NOTHING);
      return { decision, requirement: NOTHING, tool: undefined };
    }
    const tool = kind === 'call' ? (toolName(message) ?? '') : undefined;
    const requirement =
      tool === undefined ? policy.methods.get(message.method) : policy.tools.get(tool);
    if (requirement === undefined) {
      const decision = refuseUnknown(tool === undefined ? 'method_refused' : 'tool_unknown');
      return { decision, requirement: NOTHING, tool };
    }
    const args = tool === undefined ? message.params : message.params?.arguments;
    const operation = { tool: tool ?? message.method, args };
    const decision = await verifier.decideCall(context, requirement, operation);
    return { decision, requirement, tool };
  }

  return {
    async refusal(context, messages, alreadyTold = false) {
      const judgements = await Promise.all(messages.map((message) => judge(context, message)));
      const judged = judgements.filter((judgement) => judgement !== undefined);
      const errors = judged.flatMap(({ decision }) => (decision.ok ? [] : [decision.error]));
      for (const { decision, requirement, tool } of judged) {
        // In a batch that is refused nothing is executed: only the refusals are worth a record.
        const skip = decision.ok && (errors.length > 0 || alreadyTold || requirement === NOTHING);
        if (!skip) verifier.record(context, requirement, decision, { tool });
      }
      return combine(errors);
    },
    isListed(context, tool) {
      const requirement = policy.tools.get(tool);
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
