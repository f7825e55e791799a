// What an operation may demand beyond scopes: chains, sign-in (RFC 9470), a decision point (AuthZEN).
import { describe, expect, it } from 'vitest';
import type { AuthContext, EvaluationRequest, Requirement } from '../../src/verifier/index.js';
import { createVerifierWorld } from './support/verifier-world.js';

const world = await createVerifierWorld();
const { issuer, verifier } = world;
const metadataUrl = 'https://files.example/.well-known/oauth-protected-resource/mcp';

const delegated = async (options: Parameters<typeof issuer.delegatedToken>[0] = {}) =>
  verifier.verify(await issuer.delegatedToken(options));
const ask = (context: AuthContext, requirement: Requirement, tool?: string, args?: unknown) =>
  verifier.authorize(context, requirement, { tool, args });
const ACTOR_REFUSED = { code: 'actor_unauthorized', status: 403, scope: undefined };

describe('chain rules refuse, and never grant', () => {
  it('counts actors exactly', async () => {
    const context = await delegated({ chain: ['agt_1'] });
    expect(await ask(context, { chain: { maxDepth: 2 } })).toEqual({ ok: true });
    expect(await ask(context, { chain: { maxDepth: 1 } })).toMatchObject({
      ok: false,
      stepUp: false,
      missing: { user: [], agent: [] },
      error: { ...ACTOR_REFUSED, reason: 'chain_refused' },
    });
  });

  it('demands a human at the root: a user’s call passes; an agent’s own and a handed-on one do not', async () => {
    const human: Requirement = { chain: { humanRoot: true } };
    expect(await ask(await delegated(), human)).toEqual({ ok: true });
    const agentsOwn = { user: 'agt_boss', claims: { sub_profile: 'ai_agent' } };
    const alone = await verifier.verify(await issuer.agentToken());
    for (const context of [await delegated(agentsOwn), alone])
      expect(await ask(context, human)).toMatchObject({ error: { reason: 'chain_refused' } });
  });

  it('accepts a chain only if it knows every actor in it', async () => {
    const context = await delegated({ chain: ['agt_1'] });
    const actors = ['agt_scout', 'agt_1'];
    expect(await ask(context, { chain: { actors } })).toEqual({ ok: true });
    expect(await ask(context, { chain: { actors: ['agt_scout'] } })).toMatchObject({
      error: { reason: 'chain_refused' },
    });
    // A trusted actor of the past opens nothing that the current one may not do (VF5).
    expect(await ask(context, { chain: { actors }, agents: ['agt_1'] })).toMatchObject({
      error: { reason: 'agent_refused' },
    });
  });
});

describe('agentScopes: what the acting agent must hold itself', () => {
  it('looks at A, whatever E is', async () => {
    const context = await delegated({ scope: 'a', agentScope: 'a b' });
    expect(await ask(context, { agentScopes: ['b'] })).toEqual({ ok: true });
    expect(await ask(context, { all: ['a'], agentScopes: ['c'] })).toMatchObject({
      stepUp: false,
      missing: { user: [], agent: ['c'] },
      error: { ...ACTOR_REFUSED, reason: 'agent_scope_missing' },
    });
  });

  it('takes an agent’s own token for what it holds, and finds nothing where no agent acts', async () => {
    const agent = await verifier.verify(await issuer.agentToken({ scope: 'a' }));
    expect(await ask(agent, { agentScopes: ['a'] })).toEqual({ ok: true });
    const claims = { sub: 'usr_alice', sub_profile: 'user', client_id: 'cli_app', scope: 'a' };
    const user = await verifier.verify(await issuer.token(claims));
    expect(await ask(user, { agentScopes: ['a'] })).toMatchObject({
      error: { reason: 'agent_scope_missing' },
    });
  });
});

describe('RFC 9470: how and when the user signed in', () => {
  const nowSeconds = () => Math.floor(Date.now() / 1000);

  it('accepts one of the ways named, and challenges for them otherwise, keeping the scopes', async () => {
    const strong = await delegated({ claims: { acr: 'urn:mfa' } });
    expect(await ask(strong, { acr: ['urn:hw', 'urn:mfa'] })).toEqual({ ok: true });
    for (const claims of [{ acr: 'urn:pwd' }, {}]) {
      const decision = await ask(await delegated({ claims, scope: 'a b' }), {
        all: ['a'],
        acr: ['urn:hw', 'urn:mfa'],
      });
      if (decision.ok) throw new Error('a refusal was expected');
      expect(decision).toMatchObject({ stepUp: true, error: { claim: 'acr' } });
      expect(verifier.challenge(decision.error)).toEqual({
        status: 401,
        headers: {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          'www-authenticate':
            'Bearer error="insufficient_user_authentication", ' +
            'error_description="The user must sign in in a stronger way for this.", ' +
            `scope="a b", acr_values="urn:hw urn:mfa", resource_metadata="${metadataUrl}"`,
        },
        body: {
          error: 'insufficient_user_authentication',
          error_description: 'The user must sign in in a stronger way for this.',
          scope: 'a b',
        },
      });
    }
  });

  it('measures the age of the sign-in from auth_time', async () => {
    const recent = await delegated({ claims: { auth_time: nowSeconds() - 50 } });
    expect(await ask(recent, { maxAuthAgeSeconds: 60 })).toEqual({ ok: true });
    for (const claims of [{ auth_time: nowSeconds() - 70 }, {}]) {
      const decision = await ask(await delegated({ claims }), { maxAuthAgeSeconds: 60 });
      if (decision.ok) throw new Error('a refusal was expected');
      expect(decision.error).toMatchObject({ reason: 'sign_in_too_old', claim: 'auth_time' });
      expect(verifier.challenge(decision.error).headers['www-authenticate']).toContain(
        'error="insufficient_user_authentication"',
      );
      expect(verifier.challenge(decision.error).headers['www-authenticate']).toContain(
        'max_age="60"',
      );
    }
  });

  it('sends nobody to sign in for a call without a user', async () => {
    const alone = await verifier.verify(await issuer.agentToken());
    for (const requirement of [{ acr: ['urn:mfa'] }, { maxAuthAgeSeconds: 60 }])
      expect(await ask(alone, requirement)).toMatchObject({
        stepUp: false,
        error: { ...ACTOR_REFUSED, reason: 'principal_refused' },
      });
  });

  it('comes last: a scope the user has not given is asked for first', async () => {
    const context = await delegated({ scope: 'a', agentScope: 'a b' });
    expect(await ask(context, { all: ['b'], acr: ['urn:mfa'] })).toMatchObject({
      error: { code: 'insufficient_scope' },
    });
  });
});

describe('check: a decision point in the words of AuthZEN', () => {
  it('asks with the human as subject and the agent as context, and without the token', async () => {
    const asked: EvaluationRequest[] = [];
    const token = await issuer.delegatedToken({ scope: 'a', agentScope: 'a b', chain: ['agt_1'] });
    const context = await verifier.verify(token);
    const requirement: Requirement = {
      all: ['a'],
      check: (request) => {
        asked.push(request);
        return true;
      },
    };
    expect(await ask(context, requirement, 'read_file', { path: '/x' })).toEqual({ ok: true });
    expect(asked).toEqual([
      {
        subject: { type: 'user', id: 'usr_alice', properties: { issuer: issuer.issuer } },
        action: { name: 'read_file', properties: { arguments: { path: '/x' } } },
        resource: { type: 'protected_resource', id: issuer.resource },
        context: {
          agent: 'agt_scout',
          actors: ['agt_scout', 'agt_1'],
          client: 'cli_host',
          scopes: ['a'],
          agent_scopes: ['a', 'b'],
        },
      },
    ]);
  });

  it.each<[string, unknown, boolean]>([
    ['true', true, true],
    ['an AuthZEN yes', { decision: true, context: {} }, true],
    ['a promise of yes', Promise.resolve({ decision: true }), true],
    ['false', false, false],
    ['an AuthZEN no', { decision: false }, false],
    ['nothing', undefined, false],
    ['null', null, false],
    ['a truthy string', 'yes', false],
    ['one', 1, false],
    ['a yes as a string', { decision: 'true' }, false],
  ])('takes %s as it is meant', async (_name, answer, allowed) => {
    const decision = await ask(await delegated(), { check: () => answer }, 'read_file');
    if (allowed) expect(decision).toEqual({ ok: true });
    else
      expect(decision).toMatchObject({
        stepUp: false,
        error: { code: 'access_denied', reason: 'check_refused', status: 403, scope: undefined },
      });
  });

  it('is 503 when it fails: an outage is not a decision, and never a yes (V6)', async () => {
    const check = () => Promise.reject(new Error('no route'));
    expect(await ask(await delegated(), { check }, 'read_file')).toMatchObject({
      error: { code: 'temporarily_unavailable', reason: 'check_failed', status: 503 },
    });
  });

  it('refuses an operation that is not named', async () => {
    expect(await ask(await delegated(), { check: () => true })).toMatchObject({
      error: { reason: 'check_refused' },
    });
  });

  it('is asked before any user is, and not where the agent’s side is in the way', async () => {
    let asked = 0;
    const check = () => {
      asked += 1;
      return false;
    };
    const context = await delegated({ scope: 'a', agentScope: 'a b' });
    // The user could be asked for b; but it would be refused all the same.
    expect(await ask(context, { all: ['b'], check }, 't')).toMatchObject({
      error: { reason: 'check_refused' },
    });
    expect(asked).toBe(1);
    expect(await ask(context, { all: ['c'], check }, 't')).toMatchObject({
      error: { reason: 'agent_scope_missing' },
    });
    expect(asked).toBe(1);
  });

  it('does not hide that the token ended while it was asked', async () => {
    const own = await createVerifierWorld();
    const context = await own.verifier.verify(await own.issuer.delegatedToken());
    const check = () => {
      own.advance(400);
      return true;
    };
    expect(await own.verifier.authorize(context, { check }, { tool: 't' })).toMatchObject({
      error: { reason: 'expired' },
    });
  });

  it('never gets its arguments into an event (VF14)', async () => {
    world.events.length = 0;
    await ask(await delegated(), { check: () => true }, 'read_file', { secret: 'canary-7' });
    expect(world.events).toHaveLength(2);
    expect(JSON.stringify(world.events)).not.toContain('canary-7');
  });
});

describe('a requirement that could not be meant is refused when it is declared', () => {
  it.each<[string, unknown]>([
    ['an empty chain rule', { chain: {} }],
    ['a chain of no actors', { chain: { maxDepth: 0 } }],
    ['a human root that is false', { chain: { humanRoot: false } }],
    ['no accepted actors', { chain: { actors: [] } }],
    ['an unknown chain rule', { chain: { depth: 2 } }],
    ['no acr', { acr: [] }],
    ['two acrs in one', { acr: ['urn:a urn:b'] }],
    ['a negative age', { maxAuthAgeSeconds: -1 }],
    ['an age that is no number', { maxAuthAgeSeconds: Number.NaN }],
    ['a check that is no function', { check: 'https://pdp.example' }],
    ['agent scopes as a string', { agentScopes: 'a' }],
    ['an agent scope with a space', { agentScopes: ['a b'] }],
  ])('%s', async (_name, requirement) => {
    const work = ask(await delegated(), requirement as Requirement);
    await expect(work).rejects.toThrow(TypeError);
  });
});
