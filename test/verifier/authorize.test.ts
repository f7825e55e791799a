import { describe, expect, it } from 'vitest';
import type { Requirement } from '../../src/verifier/index.js';
import { defineToolPolicy } from '../../src/verifier/mcp/index.js';
import { createVerifierWorld } from './support/verifier-world.js';

const world = await createVerifierWorld();
const { issuer, verifier } = world;
const metadataUrl = 'https://files.example/.well-known/oauth-protected-resource/mcp';

const delegated = (scope: string, agentScope = scope) =>
  issuer.delegatedToken({ scope, agentScope }).then(verifier.verify);

async function refused(scope: string, agentScope: string, requirement: Requirement) {
  const decision = await verifier.authorize(await delegated(scope, agentScope), requirement);
  if (decision.ok) throw new Error('a refusal was expected');
  const { error, missing, stepUp } = decision;
  return { code: error.code, reason: error.reason, scope: error.scope, missing, stepUp };
}

describe('VF3, VF7: the agent’s side is decided before the user’s', () => {
  it('allows what both sides hold', async () => {
    const context = await delegated('files:list files:read', 'files:list files:read files:write');
    expect(await verifier.authorize(context, 'files:read')).toEqual({ ok: true });
    expect(await verifier.authorize(context, { any: ['x', 'files:list'] })).toEqual({ ok: true });
    expect(await verifier.authorize(context, { all: [] })).toEqual({ ok: true });
  });

  it('offers a step-up when only the user’s side is missing, with held ∪ required', async () => {
    expect(await refused('files:read', 'files:read files:write', 'files:write')).toEqual({
      code: 'insufficient_scope',
      reason: 'user_scope_missing',
      scope: ['files:read', 'files:write'],
      missing: { user: ['files:write'], agent: [] },
      stepUp: true,
    });
  });

  it('offers none when the agent’s side is missing', async () => {
    expect(await refused('files:read', 'files:read', 'files:write')).toEqual({
      code: 'actor_unauthorized',
      reason: 'agent_scope_missing',
      scope: undefined,
      missing: { user: [], agent: ['files:write'] },
      stepUp: false,
    });
  });

  it('offers none when both sides are missing, and says who lacks what', async () => {
    expect(await refused('a', 'a b', { all: ['a', 'b', 'c'] })).toEqual({
      code: 'actor_unauthorized',
      reason: 'agent_scope_missing',
      scope: undefined,
      missing: { user: ['b'], agent: ['c'] },
      stepUp: false,
    });
  });

  it('asks the user for the first of several that the agent may hold', async () => {
    expect(await refused('a', 'a c d', { any: ['b', 'c', 'd'] })).toMatchObject({
      code: 'insufficient_scope',
      scope: ['a', 'c'],
      missing: { user: ['c'], agent: [] },
    });
    expect(await refused('a', 'a', { any: ['b', 'c'] })).toMatchObject({
      code: 'actor_unauthorized',
      missing: { user: [], agent: ['b', 'c'] },
    });
  });

  it('compares whole scope names, never prefixes', async () => {
    const context = await delegated('files:readonly files:read2');
    expect((await verifier.authorize(context, 'files:read')).ok).toBe(false);
  });

  it('looks at the current actor only (VF5)', async () => {
    const token = await issuer.delegatedToken({ agent: 'agt_new', chain: ['agt_trusted'] });
    const context = await verifier.verify(token);
    const decision = await verifier.authorize(context, { agents: ['agt_trusted'] });
    expect(decision).toMatchObject({ ok: false, error: { reason: 'agent_refused' } });
    expect(await verifier.authorize(context, { agents: ['agt_new'] })).toEqual({ ok: true });
  });

  it('tells kinds of caller apart, and calls no agent’s own lack a user’s', async () => {
    const agent = await verifier.verify(await issuer.agentToken());
    const decision = await verifier.authorize(agent, { principal: ['delegated', 'user'] });
    expect(decision).toMatchObject({ ok: false, error: { reason: 'principal_refused' } });
    expect(await verifier.authorize(agent, 'files:write')).toMatchObject({
      error: { code: 'insufficient_scope', reason: 'token_scope_missing' },
      missing: { user: [], agent: ['files:write'] },
      stepUp: false,
    });
  });

  it('decides expiry before scope', async () => {
    const { issuer: other, verifier: later, advance } = await createVerifierWorld();
    const context = await later.verify(await other.delegatedToken());
    advance(400);
    expect(await later.authorize(context, 'files:write')).toMatchObject({
      error: { code: 'invalid_token', reason: 'expired' },
    });
  });
});

describe('VF14: every decision is told, without the token', () => {
  it('tells who, what, and why', async () => {
    const context = await delegated('files:read', 'files:read files:write');
    world.events.length = 0;
    await verifier.authorize(context, 'files:write', { tool: 'write_file' });
    expect(world.events).toEqual([
      {
        type: 'authorization',
        atMs: expect.any(Number),
        allowed: false,
        code: 'insufficient_scope',
        reason: 'user_scope_missing',
        caller: {
          kind: 'delegated',
          subject: 'usr_alice',
          actors: ['agt_scout'],
          client: 'cli_host',
          tokenId: context.tokenId,
        },
        tool: 'write_file',
        required: ['files:write'],
        missingUser: ['files:write'],
        missingAgent: [],
      },
    ]);
  });
});

describe('VF8: challenges', () => {
  const answerOf = async (requirement: Requirement, scope: string, agentScope = scope) => {
    const decision = await verifier.authorize(await delegated(scope, agentScope), requirement);
    if (decision.ok) throw new Error('a refusal was expected');
    return verifier.challenge(decision.error);
  };

  it('carries scope and resource_metadata for insufficient_scope', async () => {
    expect(await answerOf('b', 'a', 'a b')).toEqual({
      status: 403,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'www-authenticate':
          'Bearer error="insufficient_scope", error_description="The user has not allowed this.", ' +
          `scope="a b", resource_metadata="${metadataUrl}"`,
      },
      body: {
        error: 'insufficient_scope',
        error_description: 'The user has not allowed this.',
        scope: 'a b',
      },
    });
  });

  it('carries no scope for actor_unauthorized', async () => {
    const { status, headers, body } = await answerOf('b', 'a');
    expect(status).toBe(403);
    expect(headers['www-authenticate']).not.toContain('scope=');
    expect(body).toEqual({
      error: 'actor_unauthorized',
      error_description: 'The acting agent agt_scout may not use: b',
    });
  });
});

describe('a requirement that demands nothing, or nobody can meet, is refused when declared', () => {
  it.each<[string, unknown]>([
    ['an empty string', ''],
    ['an empty object', {}],
    ['no scope of none', { any: [] }],
    ['an empty list of agents', { agents: [] }],
    ['an empty list of principals', { principal: [] }],
    ['an unknown principal', { principal: ['robot'] }],
    ['a scope with a space', { all: ['a b'] }],
    ['a scope with a quote', { all: ['a"b'] }],
    ['a misspelt member', { al: ['a'] }],
    ['a string for a list', { all: 'files:read' }],
    ['null', null],
  ])('%s', async (_name, requirement) => {
    await expect(
      verifier.authorize(await delegated('a'), requirement as Requirement),
    ).rejects.toThrow(TypeError);
    expect(() => defineToolPolicy({ tools: { tool: requirement as Requirement } })).toThrow(
      /tool "tool"/,
    );
  });

  it('takes { all: [] } as said openly, and several scopes in one string', async () => {
    const context = await delegated('a b');
    expect(await verifier.authorize(context, 'a b')).toEqual({ ok: true });
    expect(() => defineToolPolicy({ tools: { ping: { all: [] } } })).not.toThrow();
    expect(() => defineToolPolicy({ tools: {} })).toThrow(TypeError);
  });
});
