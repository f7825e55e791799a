/**
 * What the HTTP edge has let through of one request, so that those who are asked outside (`check`, the
 * issuer) are asked once. It hangs on the `AuthInfo` that the edge made for this request and that the
 * SDK hands on: nothing that comes over the wire can name it. It stands for one message, of one
 * caller, word for word, under one requirement, once, for a moment; anything else is decided anew.
 */
import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import type { Decision } from '../decide.js';
import type { ParsedRequirement } from '../requirement.js';
import type { JsonRpcMessage } from './json-rpc.js';

/** The SDK goes on at once; a handler that keeps a message for longer has it decided again. */
const GOOD_FOR_MS = 5_000;

export interface Decided {
  /** Notes that all that this demands was found out, when `allowed` is called. */
  prepare(
    context: AuthContext,
    message: JsonRpcMessage,
    requirement: ParsedRequirement,
  ): { allowed(): void };
  /** Whether just this was let through, which it is worth once. */
  take(context: AuthContext, message: JsonRpcMessage, requirement: ParsedRequirement): boolean;
}

/** The message as text, whoever has parsed it again: members in order, as an SDK may not keep it. */
const textOf = (message: JsonRpcMessage): string =>
  JSON.stringify(message, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  );

export function createDecided(now: () => number): Decided {
  const open = new Set<{
    readonly context: AuthContext;
    readonly requirement: ParsedRequirement;
    readonly text: string;
    readonly atMs: number;
  }>();
  return {
    prepare(context, message, requirement) {
      // Now: whoever has the message may change it while it is decided.
      const noted = { context, requirement, text: textOf(message), atMs: now() };
      return { allowed: () => void open.add(noted) };
    },
    take(context, message, requirement) {
      if (open.size === 0) return false;
      const text = textOf(message);
      for (const noted of open) {
        const isThis =
          noted.context === context && noted.requirement === requirement && noted.text === text;
        if (isThis) return open.delete(noted) && now() - noted.atMs <= GOOD_FOR_MS;
      }
      return false;
    },
  };
}

/** At which of the two places a message is judged, if its request came through both. */
export interface EdgeNotes {
  readonly at: 'edge' | 'process';
  readonly decided: Decided;
}

export interface Question {
  readonly context: AuthContext;
  readonly message: JsonRpcMessage;
  readonly requirement: ParsedRequirement;
  readonly tool: string | undefined;
}

/** The decision about a message; in process, of what was decided at the edge, all that may have changed. */
export async function decideOnce(
  verifier: Verifier,
  { context, message, requirement, tool }: Question,
  edge: EdgeNotes | undefined,
): Promise<Decision> {
  const asksOutside = requirement.sensitive || requirement.check !== undefined;
  const decided = asksOutside ? edge?.decided : undefined;
  if (edge?.at === 'process' && decided?.take(context, message, requirement))
    return verifier.decide(context, requirement);
  const note = edge?.at === 'edge' ? decided?.prepare(context, message, requirement) : undefined;
  const args = tool === undefined ? message.params : message.params?.arguments;
  const operation = { tool: tool ?? message.method, args };
  const decision = await verifier.decideCall(context, requirement, operation);
  if (decision.ok) note?.allowed();
  return decision;
}
