// Who may administer, as a decision (DESIGN §1): whatever a token says, each party in it is asked.
import { describe, expect, it } from 'vitest';
import { type CallerFacts, decideCaller, type KnownParty } from '../../src/broker/admin/policy.js';
import { createAdminResource } from '../../src/broker/admin/resource.js';
import type { AccessTokenClaims } from '../../src/protocol/index.js';

const { identifier: audience, scopes } = createAdminResource('https://broker.example');
const party = (id: string, ...permitted: string[]): KnownParty => ({
  id,
  status: 'active',
  notBeforeMs: 0,
  permitted,
});
const EVERYTHING = ['admin:write', 'admin:security'];
const facts: CallerFacts = {
  audience,
  scopes,
  subject: party('usr_ana', ...EVERYTHING),
  client: party('cli_host'),
  actor: party('agt_helper', ...EVERYTHING),
};
const claims: AccessTokenClaims = {
  iss: 'https://broker.example',
  aud: audience,
  sub: 'usr_ana',
  sub_profile: 'user',
  client_id: 'cli_host',
  scope: 'admin:read admin:write',
  agent_scope: 'admin:read admin:security admin:write',
  act: { sub: 'agt_helper', iss: 'https://broker.example', sub_profile: 'ai_agent' },
  actor_proof: 'token',
  jti: 'cns_a.gnt_b.t1',
  iat: 1000,
  exp: 1300,
};
const stopped = (one: KnownParty | undefined, more: Partial<KnownParty>) =>
  ({ ...one, ...more }) as KnownParty;

describe('decideCaller', () => {
  it('grants what the token carries, while everybody still holds it', () => {
    expect(decideCaller(claims, facts)).toEqual({ granted: ['admin:read', 'admin:write'] });
  });

  it.each<[string, Partial<AccessTokenClaims>, Partial<CallerFacts>, string]>([
    ['another audience', { aud: 'https://files.example/mcp' }, {}, 'wrong_audience'],
    ['its own audience with a slash', { aud: `${audience}/` }, {}, 'wrong_audience'],
    ['a binding to a key nobody checks', { cnf: { jkt: 'x' } }, {}, 'bound'],
    ['an actor nobody proved', { actor_proof: 'none' }, {}, 'unproved_actor'],
    ['a user nobody knows', {}, { subject: undefined }, 'subject_not_active'],
    [
      'a disabled user',
      {},
      { subject: stopped(facts.subject, { status: 'disabled' }) },
      'subject_not_active',
    ],
    [
      'a retired client',
      {},
      { client: stopped(party('cli_host'), { status: 'retired' }) },
      'client_not_active',
    ],
    [
      'a paused agent',
      {},
      { actor: stopped(facts.actor, { status: 'paused' }) },
      'actor_not_active',
    ],
    ['an agent nobody knows', {}, { actor: undefined }, 'actor_not_active'],
    [
      'a stop of the user since',
      {},
      { subject: stopped(facts.subject, { notBeforeMs: 1_000_001 }) },
      'subject_not_active',
    ],
  ])('refuses %s', (_what, more, others, denied) => {
    expect(decideCaller({ ...claims, ...more }, { ...facts, ...others })).toEqual({ denied });
  });

  it('accepts an actor the client stands for, and a stop before the token', () => {
    const bound = { ...claims, actor_proof: 'client_binding' as const };
    const subject = stopped(facts.subject, { notBeforeMs: 1_000_000 });
    expect(decideCaller(bound, { ...facts, subject })).toEqual({
      granted: ['admin:read', 'admin:write'],
    });
  });

  it.each<[string, Partial<CallerFacts>]>([
    ['user', { subject: party('usr_ana', 'admin:read') }],
    ['agent', { actor: party('agt_helper', 'admin:read') }],
  ])('keeps no more than the %s may now', (_who, others) => {
    expect(decideCaller(claims, { ...facts, ...others })).toEqual({ granted: ['admin:read'] });
  });

  it('never gives what the token does not carry, however much everybody holds', () => {
    const scope = 'admin:read';
    expect(decideCaller({ ...claims, scope }, facts)).toEqual({ granted: ['admin:read'] });
    const { scope: _none, ...bare } = claims;
    expect(decideCaller(bare, facts)).toEqual({ granted: [] });
  });

  it('measures an agent alone by its own permission: open scopes are for users', () => {
    const { act: _act, actor_proof: _proof, agent_scope: _scope, ...rest } = claims;
    const alone = { ...rest, sub: 'agt_helper', client_id: 'agt_helper', sub_profile: 'ai_agent' };
    const agent = party('agt_helper', 'admin:read');
    const open = { ...scopes, 'admin:write': { ...scopes['admin:write'], restricted: false } };
    expect(
      decideCaller(alone, {
        ...facts,
        scopes: open as typeof scopes,
        subject: agent,
        client: agent,
      }),
    ).toEqual({ granted: ['admin:read'] });
  });
});
