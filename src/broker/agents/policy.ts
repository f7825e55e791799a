/**
 * The states of an agent, and what each step between them does to its tokens (DESIGN §6). Pure: a
 * table, and one look-up. A draft proves nothing and was never given anything; a paused agent's
 * consents, grants and refresh tokens wait for it; nothing from before a block comes back; a retired
 * agent is history.
 */

export type AgentState = 'draft' | 'active' | 'paused' | 'blocked' | 'retired';

/** What is said about the agent's own key, for self-contained tokens. */
export type AgentFact =
  /** Nothing was ever issued. */
  | 'none'
  /** Everything, until another step. */
  | 'all'
  /** What was issued before it was paused; nothing was since. */
  | 'before_pause'
  /** What was issued until now. */
  | 'before_now';

export interface AgentStep {
  readonly event:
    | 'agent.activated'
    | 'agent.paused'
    | 'agent.resumed'
    | 'agent.blocked'
    | 'agent.unblocked'
    | 'registry.retired';
  /** Grants, refresh tokens and codes from before end too: `notBefore` moves. */
  readonly ends: boolean;
  readonly fact: AgentFact;
}

const PAUSE: AgentStep = { event: 'agent.paused', ends: false, fact: 'all' };
const BLOCK: AgentStep = { event: 'agent.blocked', ends: true, fact: 'all' };
const RETIRE: AgentStep = { event: 'registry.retired', ends: true, fact: 'all' };

/** A step to the same state only changes the reason. */
const STEPS: Readonly<Record<AgentState, Partial<Record<AgentState, AgentStep>>>> = {
  draft: {
    active: { event: 'agent.activated', ends: false, fact: 'none' },
    retired: RETIRE,
  },
  active: { paused: PAUSE, blocked: BLOCK, retired: RETIRE },
  paused: {
    active: { event: 'agent.resumed', ends: false, fact: 'before_pause' },
    paused: PAUSE,
    blocked: BLOCK,
    retired: RETIRE,
  },
  blocked: {
    active: { event: 'agent.unblocked', ends: true, fact: 'before_now' },
    blocked: BLOCK,
    retired: RETIRE,
  },
  retired: {},
};

/** @returns `undefined` when there is no such step */
export const agentStep = (from: AgentState, to: AgentState): AgentStep | undefined =>
  STEPS[from][to];

/** States from which one is stopped: somebody will ask why. */
export const needsReason = (to: AgentState): boolean =>
  to === 'paused' || to === 'blocked' || to === 'retired';
