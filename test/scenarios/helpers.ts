// A helper takes work over: by an edge, within the user's allowance, never with more than before.
import { anaLetsHelperRead, anaLetsHelperWrite, office } from './support/office.js';
import type { Scenario } from './support/words.js';

const scoutTakes = { exchange: { token: 'hers', by: 'scout' }, as: 'scouted' } as const;

export const helpers: readonly Scenario[] = [
  {
    name: 'Ana lets her agent change files: it may read and write them, and not delete them',
    world: office(),
    given: [anaLetsHelperWrite()],
    allowed: [
      { tool: 'list_files', at: 'files', with: 'hers' },
      { tool: 'read_file', at: 'files', with: 'hers' },
      { tool: 'write_file', at: 'files', with: 'hers' },
    ],
    denied: [
      { tool: 'delete_file', at: 'files', with: 'hers', because: 'the token lacks the scope' },
      { tool: 'set_quota', at: 'files', with: 'hers', because: 'the token lacks the scope' },
    ],
  },
  {
    name: 'The agent goes on with less, and less does not become more again',
    refs: ['X1', 'workers-oauth-provider 0.8.3'],
    world: office(),
    given: [
      anaLetsHelperWrite(),
      { exchange: { token: 'hers', by: 'helper', scopes: ['files:list'] }, as: 'narrow' },
    ],
    allowed: [
      { exchange: { token: 'narrow', by: 'helper' }, gets: ['files:list'], acting: ['helper'] },
      { tool: 'list_files', at: 'files', with: 'narrow' },
    ],
    denied: [
      {
        exchange: { token: 'narrow', by: 'helper', scopes: ['files:read'] },
        because: 'the token does not carry that',
      },
      { tool: 'read_file', at: 'files', with: 'narrow', because: 'the token lacks the scope' },
    ],
  },
  {
    name: 'A scout takes the work over: it acts now, for Ana, and keeps only what it may itself',
    refs: ['keycloak#52691 omitted actor'],
    world: office(),
    given: [anaLetsHelperWrite(1), scoutTakes],
    allowed: [
      {
        exchange: { token: 'hers', by: 'scout' },
        gets: ['files:list', 'files:read'],
        acting: ['scout', 'helper'],
      },
      { tool: 'read_file', at: 'files', with: 'scouted' },
    ],
    denied: [
      { tool: 'write_file', at: 'files', with: 'scouted', because: 'the token lacks the scope' },
    ],
  },
  {
    name: 'A helper without an edge may not take the work, however many helpers Ana allows',
    refs: ['X9', 'actor swap'],
    world: office(),
    given: [anaLetsHelperRead(3)],
    allowed: [{ exchange: { token: 'hers', by: 'scout' }, gets: ['files:list', 'files:read'] }],
    denied: [
      {
        exchange: { token: 'hers', by: 'loner' },
        because: 'the helper does not take work from the actor',
      },
    ],
  },
  {
    name: 'Ana allows no helper: not even the one with an edge may take the work',
    world: office(),
    given: [anaLetsHelperRead(0)],
    allowed: [{ exchange: { token: 'hers', by: 'helper' }, gets: ['files:list', 'files:read'] }],
    denied: [
      { exchange: { token: 'hers', by: 'scout' }, because: 'the user allowed no further helper' },
    ],
  },
  {
    name: 'Ana allows one helper: its helper may not follow',
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes],
    allowed: [{ tool: 'read_file', at: 'files', with: 'scouted' }],
    denied: [
      {
        exchange: { token: 'scouted', by: 'clerk' },
        because: 'the user allowed no further helper',
      },
    ],
  },
  {
    name: 'Four actors are a chain; a fifth is too many',
    refs: ['X11', 'CVE-2023-43645 circular delegation'],
    world: office({
      resources: {},
      agents: { helper: { may: { files: ['files:read'] } } },
    }),
    given: [
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, as: 'own' },
      { exchange: { token: 'own', by: 'scout' }, as: 'one' },
      { exchange: { token: 'one', by: 'clerk' }, as: 'two' },
      { exchange: { token: 'two', by: 'runner' }, as: 'three' },
      { exchange: { token: 'three', by: 'intern' }, as: 'four' },
    ],
    allowed: [
      {
        exchange: { token: 'four', by: 'intern' },
        gets: ['files:list', 'files:read'],
        acting: ['intern', 'runner', 'clerk', 'scout'],
      },
    ],
    denied: [
      {
        exchange: { token: 'four', by: 'fileserver', at: 'notes' },
        because: 'the chain is too deep',
      },
    ],
  },
  {
    name: 'Nobody comes twice: the agent may not take its work back from its helper',
    refs: ['X11'],
    world: office({ agents: { helper: { takesWorkFrom: ['scout'] } } }),
    given: [anaLetsHelperRead(3), scoutTakes],
    allowed: [{ exchange: { token: 'scouted', by: 'clerk' }, gets: ['files:list', 'files:read'] }],
    denied: [{ exchange: { token: 'scouted', by: 'helper' }, because: 'it already acts' }],
  },
  {
    name: 'The agent hands its work to the scout, and nobody but the scout can take it up',
    refs: ['actor swap'],
    world: office(),
    given: [
      anaLetsHelperRead(1),
      { exchange: { token: 'hers', by: 'helper', handTo: 'scout' }, as: 'slip' },
    ],
    allowed: [
      {
        exchange: { token: 'slip', by: 'scout' },
        gets: ['files:list', 'files:read'],
        acting: ['scout', 'helper'],
      },
    ],
    denied: [
      { exchange: { token: 'slip', by: 'clerk' }, because: 'handed to somebody else' },
      { exchange: { token: 'slip', by: 'helper' }, because: 'handed to somebody else' },
      {
        tool: 'list_files',
        at: 'files',
        with: 'slip',
        because: 'the token is for another resource',
      },
    ],
  },
  {
    name: 'A slip cannot be handed on by whom it was handed to',
    world: office(),
    given: [
      anaLetsHelperRead(2),
      { exchange: { token: 'hers', by: 'helper', handTo: 'scout' }, as: 'slip' },
    ],
    allowed: [],
    denied: [
      {
        exchange: { token: 'slip', by: 'scout', handTo: 'clerk' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
    ],
  },
  {
    name: 'Work is handed to nobody who does not exist, has no edge, or is too many',
    world: office(),
    given: [anaLetsHelperRead(1), scoutTakes],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'helper', handTo: 'nobody' },
        because: 'there is no such helper',
      },
      {
        exchange: { token: 'hers', by: 'helper', handTo: 'loner' },
        because: 'the helper does not take work from the actor',
      },
      {
        exchange: { token: 'scouted', by: 'scout', handTo: 'clerk' },
        because: 'the user allowed no further helper',
      },
    ],
  },
  {
    name: 'Who is not the current actor cannot hand its work on, though it acted before',
    refs: ['actor swap'],
    world: office(),
    given: [anaLetsHelperRead(2), scoutTakes],
    allowed: [
      {
        exchange: { token: 'scouted', by: 'scout' },
        gets: ['files:list', 'files:read'],
        acting: ['scout', 'helper'],
      },
    ],
    denied: [
      {
        exchange: { token: 'scouted', by: 'helper', handTo: 'clerk' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
    ],
  },
  {
    name: 'A client that is neither actor nor server gets nothing from a token it came by',
    refs: ['X10', 'CVE-2026-9094'],
    world: office(),
    given: [anaLetsHelperRead(3)],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'nightly' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
      {
        exchange: { token: 'hers', by: 'noteserver' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
      { exchange: { token: 'hers', by: 'stranger' }, because: 'nobody acts' },
    ],
  },
  {
    name: 'The host may ask in the scout’s name with the scout’s own proof; a stranger may not',
    refs: ['X9', 'keycloak#50690 name instead of id'],
    world: office(),
    given: [anaLetsHelperRead(1)],
    allowed: [
      {
        exchange: { token: 'hers', by: 'scout', through: 'host' },
        gets: ['files:list', 'files:read'],
        acting: ['scout', 'helper'],
      },
    ],
    denied: [
      {
        exchange: { token: 'hers', by: 'scout', through: 'stranger' },
        because: 'the client may not front for the agent',
      },
      {
        exchange: { token: 'hers', by: 'loner', through: 'host' },
        because: 'the helper does not take work from the actor',
      },
    ],
  },
  {
    name: 'A helper that holds nothing at the resource gets nothing of Ana’s',
    world: office({ agents: { scout: { may: {} } } }),
    given: [anaLetsHelperRead(1)],
    allowed: [],
    denied: [{ exchange: { token: 'hers', by: 'scout' }, because: 'nothing is left' }],
  },
  {
    name: 'A helper that may do more than the agent does no more than Ana allowed',
    refs: ['X1', 'casdoor: scopes matched as patterns'],
    world: office({ agents: { scout: { may: { files: ['files:write', 'files:delete'] } } } }),
    given: [anaLetsHelperRead(1)],
    allowed: [{ exchange: { token: 'hers', by: 'scout' }, gets: ['files:list', 'files:read'] }],
    denied: [
      {
        exchange: { token: 'hers', by: 'scout', scopes: ['files:delete'] },
        because: 'the token does not carry that',
      },
      {
        exchange: { token: 'hers', by: 'scout', scopes: ['files:.*'] },
        because: 'the token does not carry that',
      },
      {
        exchange: { token: 'hers', by: 'scout', scopes: ['files'] },
        because: 'the token does not carry that',
      },
    ],
  },
  {
    name: 'An agent’s own token is handed on by the edge alone, and acts for the agent',
    world: office(),
    given: [{ alone: { who: 'helper', at: 'files', scopes: ['files:write'] }, as: 'own' }],
    allowed: [
      {
        exchange: { token: 'own', by: 'scout' },
        gets: ['files:list', 'files:read'],
        acting: ['scout'],
      },
      {
        exchange: { token: 'own', by: 'helper', scopes: ['files:list'] },
        gets: ['files:list'],
        acting: [],
      },
    ],
    denied: [
      {
        exchange: { token: 'own', by: 'loner' },
        because: 'the helper does not take work from the actor',
      },
    ],
  },
];
