// Whoever is stopped, everything that hangs on them stops.
import { anaLetsHelperRead, anaLetsHelperWrite, office } from './support/office.js';
import type { Denied, Scenario } from './support/words.js';

const STOPPED = 'somebody in the story was stopped';
const scoutTakes = { exchange: { token: 'hers', by: 'scout' }, as: 'scouted' } as const;
const deadTool = (token: string, at = 'files', tool = 'list_files'): Denied => ({
  tool,
  at,
  with: token,
  because: STOPPED,
});
const deadExchange = (token: string, by: string): Denied => ({
  exchange: { token, by },
  because: STOPPED,
});

export const stops: readonly Scenario[] = [
  {
    name: 'The agent is blocked: its live token is worth nothing, and neither is its helper’s',
    refs: ['L1', 'X17', 'disabled agent with a live token', 'CVE-2024-47000'],
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { block: 'helper' }],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadTool('scouted'),
      deadExchange('scouted', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
    ],
  },
  {
    name: 'The helper is blocked: its token stops, and the agent’s goes on',
    refs: ['L1'],
    world: office(),
    given: [anaLetsHelperRead(2), scoutTakes, { block: 'scout' }],
    allowed: [
      { tool: 'read_file', at: 'files', with: 'hers' },
      { exchange: { token: 'hers', by: 'clerk' }, gets: ['files:list', 'files:read'] },
    ],
    denied: [deadTool('scouted'), deadExchange('scouted', 'clerk'), deadExchange('hers', 'scout')],
  },
  {
    name: 'The agent is paused: nothing works, and nothing new begins',
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { pause: 'helper' }],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadTool('scouted'),
      deadExchange('hers', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, because: STOPPED },
    ],
  },
  {
    name: 'The agent is paused and resumed: its old tokens stay dead, and Ana is not asked again',
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { pause: 'helper' }, { resume: 'helper' }],
    allowed: [
      { refresh: { token: 'hers' }, gets: ['files:list', 'files:read'], acting: ['helper'] },
    ],
    denied: [deadTool('hers'), deadTool('scouted'), deadExchange('scouted', 'scout')],
  },
  {
    name: 'The agent is blocked and unblocked: nothing from before comes back',
    refs: ['keycloak CVE-2026-8922 notBefore ignored'],
    world: office(),
    given: [anaLetsHelperRead(1), { block: 'helper' }, { unblock: 'helper' }],
    allowed: [
      { alone: { who: 'helper', at: 'files', scopes: ['files:list'] }, gets: ['files:list'] },
    ],
    denied: [
      deadTool('hers'),
      deadExchange('hers', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
    ],
  },
  {
    name: 'The agent is retired: it is over for good',
    refs: ['CVE-2025-64521 deactivated service account'],
    world: office(),
    given: [
      anaLetsHelperRead(1),
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, as: 'own' },
      { retire: 'helper' },
    ],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadTool('own'),
      deadExchange('own', 'scout'),
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, because: STOPPED },
    ],
  },
  {
    name: 'Ana leaves: whatever acts for her stops, down to the last helper and the last server',
    refs: ['L2', 'X5', 'CVE-2026-43983'],
    world: office(),
    given: [
      anaLetsHelperRead(1),
      scoutTakes,
      { exchange: { token: 'scouted', by: 'fileserver', at: 'notes' }, as: 'noted' },
      { disable: 'ana' },
    ],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadTool('scouted'),
      deadTool('noted', 'notes', 'read_note'),
      deadExchange('scouted', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
    ],
  },
  {
    name: 'Ana comes back: what acted for her before stays dead',
    refs: ['L2'],
    world: office(),
    given: [anaLetsHelperRead(1), { disable: 'ana' }, { enable: 'ana' }],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadExchange('hers', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
    ],
  },
  {
    name: 'Ana withdraws her consent: agent, helper and the server downstream stop at once',
    refs: ['L7', 'R8', 'X17'],
    world: office(),
    given: [
      anaLetsHelperRead(1),
      scoutTakes,
      { exchange: { token: 'scouted', by: 'fileserver', at: 'notes' }, as: 'noted' },
      { withdraw: 'hers' },
    ],
    allowed: [],
    denied: [
      deadTool('hers'),
      deadTool('scouted'),
      deadTool('noted', 'notes', 'read_note'),
      deadExchange('hers', 'scout'),
      deadExchange('scouted', 'scout'),
      { refresh: { token: 'hers' }, because: STOPPED },
    ],
  },
  {
    name: 'Ana withdraws what she gave one agent: what she gave another one goes on',
    world: office({ agents: { loner: { clients: ['host'], may: { files: ['files:read'] } } } }),
    given: [
      anaLetsHelperRead(),
      {
        consent: { by: 'ana', to: 'loner', through: 'host', at: 'files', scopes: ['files:read'] },
        as: 'other',
      },
      { withdraw: 'hers' },
    ],
    allowed: [{ tool: 'read_file', at: 'files', with: 'other' }],
    denied: [deadTool('hers')],
  },
  {
    name: 'The host gives its token back: whatever was made of it stops; a fresh one goes on',
    refs: ['X5', 'CVE-2026-9097', 'L6'],
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { revoke: 'hers' }],
    allowed: [{ refresh: { token: 'hers' }, gets: ['files:list', 'files:read'] }],
    denied: [deadTool('hers'), deadTool('scouted'), deadExchange('hers', 'helper')],
  },
  {
    name: 'The helper gives its token back: the agent’s is what it was',
    refs: ['L6'],
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { revoke: 'scouted' }],
    allowed: [
      { tool: 'read_file', at: 'files', with: 'hers' },
      { exchange: { token: 'hers', by: 'scout' }, gets: ['files:list', 'files:read'] },
    ],
    denied: [deadTool('scouted'), deadExchange('scouted', 'scout')],
  },
  {
    name: 'The host is removed: what came through it stops, however far it got',
    refs: ['L4'],
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { remove: 'host' }],
    allowed: [
      { alone: { who: 'scout', at: 'files', scopes: ['files:list'] }, gets: ['files:list'] },
    ],
    denied: [deadTool('hers'), deadTool('scouted'), deadExchange('scouted', 'scout')],
  },
  {
    name: 'The agent loses a right: the token that had it stops, a fresh one goes without',
    refs: ['keycloak#48104 exchange lost a check', 'X21', 'GHSA-7qjx-gp9h-65qj'],
    world: office(),
    given: [anaLetsHelperWrite(), { permit: 'helper', at: 'files', scopes: ['files:read'] }],
    allowed: [{ refresh: { token: 'hers' }, gets: ['files:list', 'files:read'] }],
    denied: [deadTool('hers'), deadExchange('hers', 'helper')],
  },
  {
    name: 'The helper takes no more work from the agent: what it took stops, the agent goes on',
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { edges: 'scout', takesWorkFrom: [] }],
    allowed: [{ tool: 'read_file', at: 'files', with: 'hers' }],
    denied: [
      deadTool('scouted'),
      {
        exchange: { token: 'hers', by: 'scout' },
        because: 'the helper does not take work from the actor',
      },
    ],
  },
  {
    name: 'The helper may not exchange any more: what it took stops, and it takes nothing; the agent goes on',
    refs: ['X20'],
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes, { exchangesNoMore: 'scout' }],
    allowed: [
      { tool: 'read_file', at: 'files', with: 'hers' },
      { exchange: { token: 'hers', by: 'helper' }, gets: ['files:list', 'files:read'] },
      { alone: { who: 'scout', at: 'files', scopes: ['files:list'] }, gets: ['files:list'] },
    ],
    denied: [
      deadTool('scouted'),
      { exchange: { token: 'hers', by: 'scout' }, because: 'it may not exchange tokens' },
      { exchange: { token: 'scouted', by: 'scout' }, because: 'it may not exchange tokens' },
    ],
  },
];
