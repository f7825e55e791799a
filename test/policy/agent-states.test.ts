// The states of an agent (DESIGN §6, §7): which steps there are, and what each does to its tokens.
import { describe, expect, it } from 'vitest';
import { type AgentState, agentStep, needsReason } from '../../src/broker/agents/policy.js';

const STATES: readonly AgentState[] = ['draft', 'active', 'paused', 'blocked', 'retired'];

/** from → to: event, whether grants and refresh tokens end, what the fact stops. Nothing else. */
const STEPS: Readonly<Record<string, readonly [string, boolean, string]>> = {
  'draft → active': ['agent.activated', false, 'none'],
  'draft → retired': ['registry.retired', true, 'all'],
  'active → paused': ['agent.paused', false, 'all'],
  'active → blocked': ['agent.blocked', true, 'all'],
  'active → retired': ['registry.retired', true, 'all'],
  'paused → active': ['agent.resumed', false, 'before_pause'],
  'paused → paused': ['agent.paused', false, 'all'],
  'paused → blocked': ['agent.blocked', true, 'all'],
  'paused → retired': ['registry.retired', true, 'all'],
  'blocked → active': ['agent.unblocked', true, 'before_now'],
  'blocked → blocked': ['agent.blocked', true, 'all'],
  'blocked → retired': ['registry.retired', true, 'all'],
};

describe('the states of an agent', () => {
  it.each(
    STATES.flatMap((from) => STATES.map((to) => [from, to] as const)),
  )('%s → %s', (from, to) => {
    const [event, ends, fact] = STEPS[`${from} → ${to}`] ?? [];
    expect(agentStep(from, to)).toEqual(event === undefined ? undefined : { event, ends, fact });
  });

  it('asks why of whoever stops an agent, and of nobody who starts one', () => {
    expect(STATES.filter(needsReason)).toEqual(['paused', 'blocked', 'retired']);
  });

  it('leaves no state that lets what was stopped go on unsaid: every stop writes a fact', () => {
    for (const from of STATES) {
      for (const to of ['paused', 'blocked', 'retired'] as const) {
        const step = agentStep(from, to);
        if (step !== undefined) expect([from, to, step.fact]).toEqual([from, to, 'all']);
      }
    }
  });
});
