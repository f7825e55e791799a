/** Wrong claims about actors and those before them: one change each to a good delegated token. */
import type { AuthReason } from '../verifier/index.js';
import type { TestIssuer } from './issuer.js';

export type Parts = Readonly<Record<string, unknown>>;
/** name, reason, changes to the claims, changes to the header. */
export type Row = readonly [name: string, reason: AuthReason, claims: Parts, header?: Parts];

/** Who acts, acted, or may act; under a good signature. `undefined` removes a member. */
export const actorRows = ({ issuer, resource }: TestIssuer): readonly Row[] => [
  ...standingRows(issuer, resource),
  ...shapeRows(issuer),
  ...lineageRows(issuer),
];

/** What a token says of its actor and of who may take it up, against itself. */
function standingRows(iss: string, resource: string): readonly Row[] {
  const handOff = { may_act: { sub: 'agt_aide', iss }, hand_off: resource };
  return [
    ['J7 a hand-off token (audience = issuer)', 'audience_mismatch', { aud: iss, ...handOff }],
    ['J7 a hand-off token with the audience of a resource', 'invariant_broken', handOff],
    ['VF1 may_act without hand_off', 'invariant_broken', { may_act: handOff.may_act }],
    ['VF1 hand_off without may_act', 'invariant_broken', { hand_off: resource }],
    ['VF1 may_act of nobody', 'claim_invalid', { ...handOff, may_act: {} }],
    ['VF3 scope beyond agent_scope', 'invariant_broken', { scope: 'files:read files:write' }],
    ['VF3 act without agent_scope', 'invariant_broken', { agent_scope: undefined }],
    ['VF3 agent_scope without act', 'invariant_broken', { act: undefined }],
    ['VF3 agent_scope as a list', 'claim_invalid', { agent_scope: ['files:read'] }],
    ['VF3 agent_scope as null', 'claim_invalid', { agent_scope: null }],
    ['VF3 an agent that may nothing', 'invariant_broken', { agent_scope: '' }],
    [
      'VF3 a scope that only begins like one of the agent',
      'invariant_broken',
      { scope: 'files:readonly' },
    ],
    [
      'J8 agent_scope under another case',
      'invariant_broken',
      { agent_scope: undefined, Agent_Scope: 'files:read' },
    ],
    ['VF4 act without actor_proof', 'invariant_broken', { actor_proof: undefined }],
    ['VF4 an actor that is the subject', 'invariant_broken', { act: { sub: 'usr_alice', iss } }],
    ['VF4 an actor nobody proved', 'actor_unproved', { actor_proof: 'none' }],
    ['VF4 actor_proof as a list', 'claim_invalid', { actor_proof: ['token'] }],
    [
      'VF4 actor_proof without an actor',
      'invariant_broken',
      { act: undefined, agent_scope: undefined },
    ],
    ['VF4 an unknown actor_proof', 'claim_invalid', { actor_proof: 'trust-me' }],
  ];
}

/** `act`: objects with `sub` and `iss` all the way down, and nothing else in them (RFC 8693 §4.1). */
function shapeRows(iss: string): readonly Row[] {
  const act = { sub: 'agt_scout', iss };
  const long = 'a'.repeat(600);
  const listed = { sub_profile: ['ai_agent'] };
  const granting = { sub: 'agt_planner', iss, scope: 'files:write' };
  return [
    ['VF13 act as a list', 'claim_invalid', { act: [act] }],
    ['VF13 act as a string', 'claim_invalid', { act: 'agt_scout' }],
    ['VF13 act as null', 'claim_invalid', { act: null }],
    ['VF13 act as true', 'claim_invalid', { act: true }],
    ['VF13 an empty act', 'claim_invalid', { act: {} }],
    ['VF13 act with a sub that is a list', 'claim_invalid', { act: { sub: ['agt_scout'], iss } }],
    ['VF13 act with an empty sub', 'claim_invalid', { act: { sub: '', iss } }],
    ['VF13 act with a sub of 600 characters', 'claim_invalid', { act: { ...act, sub: long } }],
    ['VF13 act with an iss that is an object', 'claim_invalid', { act: { ...act, iss: {} } }],
    ['VF13 act with a profile that is a list', 'claim_invalid', { act: { ...act, ...listed } }],
    ['VF13 act with a life of its own', 'claim_invalid', { act: { ...act, exp: 4_102_444_800 } }],
    ['VF13 an earlier actor that is null', 'claim_invalid', { act: { ...act, act: null } }],
    ['VF13 an earlier actor that is a list', 'claim_invalid', { act: { ...act, act: [act] } }],
    ['VF13 an earlier actor with a scope', 'claim_invalid', { act: { ...act, act: granting } }],
    ['VF13 act without sub', 'claim_invalid', { act: { iss } }],
    ['VF13 act without iss', 'claim_invalid', { act: { sub: 'agt_scout' } }],
    ['VF13 act with a scope inside', 'claim_invalid', { act: { ...act, scope: 'files:write' } }],
  ];
}

/** How many came before, services among them, and by which clients. */
function lineageRows(iss: string): readonly Row[] {
  const act = { sub: 'agt_scout', iss };
  const service = { sub: 'cli_files', iss, sub_profile: 'service' };
  const deep = (levels: number): Parts => (levels === 1 ? act : { ...act, act: deep(levels - 1) });
  const onward = { act: { ...service, act }, client_id: 'cli_files', via: ['cli_host'] };
  return [
    [
      'VF3 scope beyond what the service holds',
      'invariant_broken',
      { ...onward, scope: 'files:write' },
    ],
    ['VF4 a service nobody proved', 'actor_unproved', { ...onward, actor_proof: 'none' }],
    ['VF13 a service around five agents', 'claim_invalid', { act: { ...service, act: deep(5) } }],
    [
      'VF13 a service around an actor without iss',
      'claim_invalid',
      { act: { ...service, act: { sub: 'agt_scout' } } },
    ],
    ['VF1 via with an empty name', 'claim_invalid', { via: [''] }],
    ['VF1 via with a list inside', 'claim_invalid', { via: [['cli_host']] }],
    ['VF1 via as null', 'claim_invalid', { via: null }],
    ['VF1 via as a string', 'claim_invalid', { via: 'cli_host' }],
    ['VF1 via with seventeen clients', 'claim_invalid', { via: Array(17).fill('cli_host') }],
    ['VF13 a chain of five actors', 'claim_invalid', { act: deep(5) }],
    ['VF13 a chain of two hundred actors', 'claim_invalid', { act: deep(200) }],
    ['VF11 a bound token without a proof', 'binding_unproved', { cnf: { jkt: 'thumbprint' } }],
    [
      'VF11 a token bound to a certificate, without it',
      'certificate_mismatch',
      { cnf: { 'x5t#S256': 'thumbprint' } },
    ],
    ['VF11 a token bound in an unknown way', 'binding_unsupported', { cnf: { kid: 'key-1' } }],
    ['VF11 a token bound to nothing', 'binding_unsupported', { cnf: {} }],
  ];
}
