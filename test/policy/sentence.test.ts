// What the audit says of a chain of actors, read aloud (DESIGN §8c).
import { describe, expect, it } from 'vitest';
import type { AssertionDenial } from '../../src/broker/assertion/policy.js';
import { sentence } from '../../src/broker/audit/sentence.js';
import type { RecordedEvent } from '../../src/broker/audit/store.js';
import { ruleInWords } from '../../src/broker/audit/why.js';
import type { TrustProblem } from '../../src/broker/trust/policy.js';

const NAMES: Readonly<Record<string, string>> = {
  usr_ana: 'Ana',
  agt_scribe: 'Scribe',
  agt_checker: 'Checker',
  cli_files: 'File server',
  cli_desk: 'Desk',
  'https://index.example': 'Index',
};
const say = (event: Partial<RecordedEvent>): string =>
  sentence(
    {
      type: 'tool.allowed',
      sub: 'usr_ana',
      resource: 'https://index.example',
      ...event,
      detail: { tool: 'search', required: ['index:search'], ...event.detail },
    } as RecordedEvent,
    (id) => NAMES[id] ?? id,
  );

describe('sentences about chains', () => {
  it('an agent through its client, with nobody before it', () => {
    expect(say({ agentId: 'agt_scribe', clientId: 'cli_desk' })).toBe(
      'Scribe, for Ana, through Desk, was allowed search (index:search) at Index',
    );
  });

  it('a helper, handed on by the agent, through the client the user knows', () => {
    const detail = { earlier_actors: ['agt_scribe'], via: ['cli_desk', 'agt_scribe'] };
    expect(say({ agentId: 'agt_checker', clientId: 'agt_checker', detail })).toBe(
      'Checker, handed on by Scribe, for Ana, through Desk, was allowed search (index:search) at Index',
    );
  });

  it('a service, called by the helper that was handed on by the agent', () => {
    const detail = {
      earlier_actors: ['agt_checker', 'agt_scribe'],
      via: ['cli_desk', 'agt_scribe', 'agt_checker'],
    };
    expect(say({ agentId: 'cli_files', clientId: 'cli_files', detail })).toBe(
      'File server, called by Checker, handed on by Scribe, for Ana, through Desk, was allowed search (index:search) at Index',
    );
  });

  it('an agent that is its own client, and one whose own work was handed on', () => {
    const detail = { earlier_actors: ['agt_scribe'], via: ['agt_scribe'] };
    const helper = { agentId: 'agt_checker', clientId: 'agt_checker', detail };
    expect(say(helper)).toMatch(/^Checker, handed on by Scribe, for Ana, was allowed /);
    expect(say({ ...helper, sub: 'agt_scribe', detail: {} })).toMatch(
      /^Checker, for Scribe, was allowed /,
    );
  });

  it('reads nothing but names: what a verifier wrote of another shape, or with control characters', () => {
    const odd = { earlier_actors: 'agt_scribe', via: [{ id: 'cli_desk' }] };
    expect(say({ agentId: 'agt_checker', clientId: 'agt_checker', detail: odd })).toMatch(
      /^Checker, for Ana, was allowed /,
    );
    const forged = { earlier_actors: ['agt_x\n\u001b[31m'] };
    const said = say({ agentId: 'agt_checker', clientId: 'agt_checker', detail: forged });
    expect(said).toBe(
      'Checker, handed on by agt_x\ufffd\ufffd[31m, for Ana, was allowed search (index:search) at Index',
    );
  });
});

describe('sentences about changes of the registry', () => {
  const changed = (detail: Record<string, unknown>): string =>
    sentence({ type: 'registry.changed', by: 'usr_ana', detail } as RecordedEvent, (id) =>
      id === 'usr_ana' ? 'Ana' : id,
    );
  it.each([
    [['files:read'], ['files:write'], 'added files:read; took away files:write'],
    [['files:list', 'files:read'], [], 'added files:list, files:read'],
    [[], ['files:write'], 'took away files:write'],
  ])('a permission: added %j, removed %j', (added, removed, told) => {
    const id = 'agt_scribe at https://index.example';
    expect(changed({ noun: 'permission', id, principal: 'agt_scribe', added, removed })).toBe(
      `Ana changed permission ${id}: ${told}`,
    );
  });

  it('everything else by its fields', () => {
    expect(changed({ noun: 'agent', id: 'agt_scribe', fields: ['name', 'owner'] })).toBe(
      'Ana changed agent agt_scribe: name, owner',
    );
  });
});

describe('sentences about stops', () => {
  const receipt = { access_tokens: 2, helper_chains: 1, refresh_tokens: 1, exchanged_tokens: 1 };
  const blocked = (detail: object) =>
    say({
      type: 'agent.blocked',
      by: 'admin',
      sub: undefined,
      agentId: 'agt_scribe',
      detail: { reason: 'lost', ...detail },
    });

  it('say what ended with them, and nothing where nothing did', () => {
    expect(blocked({ receipt: { ...receipt, grants: 1, consents: 0 } })).toBe(
      'Scribe was blocked by admin: lost; the stop ended 1 authorization, 2 access tokens, 1 helper chain and 1 refresh token',
    );
    expect(blocked({ receipt: { access_tokens: 1 } })).toBe(
      'Scribe was blocked by admin: lost; the stop ended 1 access token',
    );
    for (const none of [
      {},
      { receipt: { access_tokens: 0 } },
      { receipt: 'x' },
      { receipt: null },
    ]) {
      expect(blocked(none)).toBe('Scribe was blocked by admin: lost');
    }
  });
});

describe('rules of words that others signed', () => {
  const problems: Record<TrustProblem, true> = {
    malformed: true,
    untrusted_issuer: true,
    not_its_purpose: true,
    wrong_type: true,
    wrong_algorithm: true,
    unknown_key: true,
    bad_signature: true,
    wrong_audience: true,
    no_subject: true,
    no_expiry: true,
    expired: true,
    not_yet_valid: true,
    lives_too_long: true,
    older_than_trust: true,
  };
  const denials: Record<AssertionDenial, true> = {
    other_client: true,
    self_registered: true,
    client_not_listed: true,
    no_jti: true,
    unknown_claim: true,
    key_not_proved: true,
    malformed_scope: true,
    several_resources: true,
    other_resource: true,
    no_resource: true,
    resource_not_listed: true,
    actor_not_expected: true,
    malformed_actor: true,
  };

  it.each([
    ...Object.keys(problems).map((problem) => `untrusted_${problem}`),
    ...Object.keys(denials),
  ])('%s is told in words', (rule) => expect(ruleInWords(rule)).toMatch(/^[a-z][a-z’ ,]+$/i));
});
