// A resource's own service goes on to another: by the edge it has, as the user was shown it.
import { anaLetsHelperRead, anaLetsHelperWrite, office } from './support/office.js';
import type { Scenario } from './support/words.js';

const onToNotes = {
  exchange: { token: 'hers', by: 'fileserver', at: 'notes' },
  as: 'noted',
} as const;

export const onward: readonly Scenario[] = [
  {
    name: 'The file server asks the note server for Ana: what she gave, in the notes’ own words',
    world: office(),
    given: [anaLetsHelperRead(), onToNotes],
    allowed: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'notes' },
        gets: ['notes:read'],
        acting: ['fileserver', 'helper'],
      },
      { tool: 'read_note', at: 'notes', with: 'noted' },
    ],
    denied: [
      { tool: 'write_note', at: 'notes', with: 'noted', because: 'the token lacks the scope' },
      {
        tool: 'list_files',
        at: 'files',
        with: 'noted',
        because: 'the token is for another resource',
      },
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'notes', scopes: ['notes:write'] },
        because: 'the token does not carry that',
      },
    ],
  },
  {
    name: 'What the server itself may not do downstream, it may not do for Ana',
    world: office({ services: { fileserver: { may: { notes: ['notes:read'] } } } }),
    given: [anaLetsHelperWrite()],
    allowed: [{ exchange: { token: 'hers', by: 'fileserver', at: 'notes' }, gets: ['notes:read'] }],
    denied: [],
  },
  {
    name: 'A server that is permitted nothing downstream gets nothing there',
    world: office({ services: { fileserver: { may: {} } } }),
    given: [anaLetsHelperWrite()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'notes' },
        because: 'nothing is left',
      },
    ],
  },
  {
    name: 'A token for the files is good at the files and nowhere else',
    refs: ['better-auth GHSA-p2fr-6hmx-4528', 'CVE-2026-44428', 'CVE-2025-69196', 'V1'],
    world: office(),
    given: [anaLetsHelperRead()],
    allowed: [{ tool: 'read_file', at: 'files', with: 'hers' }],
    denied: [
      {
        tool: 'read_note',
        at: 'notes',
        with: 'hers',
        because: 'the token is for another resource',
      },
      { tool: 'find', at: 'archive', with: 'hers', because: 'the token is for another resource' },
    ],
  },
  {
    name: 'The agent itself goes nowhere: only a resource’s own service leaves it',
    refs: ['X2', 'better-auth GHSA-p2fr-6hmx-4528'],
    world: office({
      agents: { helper: { may: { files: ['files:read'], notes: ['notes:write'] } } },
    }),
    given: [anaLetsHelperRead()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'helper', at: 'notes' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'A helper that takes the work over takes it where it is',
    refs: ['X2'],
    world: office(),
    given: [anaLetsHelperRead(1)],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'scout', at: 'notes' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'A way that was opened after Ana agreed is no way for her token',
    refs: ['going on by an edge nobody showed'],
    world: office({
      services: { fileserver: { may: { archive: ['archive:read'], notes: ['notes:read'] } } },
    }),
    given: [
      anaLetsHelperRead(),
      {
        route: 'files',
        downstream: {
          notes: { 'files:read': ['notes:read'], 'files:write': ['notes:write'] },
          archive: { 'files:read': ['archive:read'] },
        },
      },
    ],
    allowed: [{ exchange: { token: 'hers', by: 'fileserver', at: 'notes' }, gets: ['notes:read'] }],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'archive' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'A way that is closed again is closed for what Ana agreed to before',
    world: office(),
    given: [anaLetsHelperRead(), { route: 'files', downstream: {} }],
    allowed: [{ tool: 'read_file', at: 'files', with: 'hers' }],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'notes' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'The note server goes no further: Ana saw one step, not two',
    world: office(),
    given: [anaLetsHelperRead(), onToNotes],
    allowed: [],
    denied: [
      {
        exchange: { token: 'noted', by: 'noteserver', at: 'archive' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'Nobody else’s server takes a token from the files to the notes',
    refs: ['X10', 'confused deputy'],
    world: office(),
    given: [anaLetsHelperRead()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'noteserver', at: 'notes' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
      {
        exchange: { token: 'hers', by: 'nightly', at: 'notes' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
    ],
  },
  {
    name: 'The file server cannot use Ana’s token at its own resource in her agent’s place',
    refs: ['V2 passthrough'],
    world: office({ services: { fileserver: { may: { files: ['files:write'] } } } }),
    given: [anaLetsHelperRead()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver' },
        because: 'the user was not shown that it leads there',
      },
    ],
  },
  {
    name: 'There is no way to a place that does not exist',
    refs: ['X2'],
    world: office(),
    given: [anaLetsHelperRead()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'nowhere' },
        because: 'there is no such place',
      },
    ],
  },
  {
    name: 'A resource that lists its clients takes nothing from another one, downstream either',
    world: office({ resources: { notes: { clients: ['nightly'] } } }),
    given: [anaLetsHelperRead()],
    allowed: [],
    denied: [
      {
        exchange: { token: 'hers', by: 'fileserver', at: 'notes' },
        because: 'the resource does not take tokens from this client',
      },
    ],
  },
  {
    name: 'Notes that demand a user take Ana’s token and not an agent’s own',
    refs: ['require_user'],
    world: office({ resources: { notes: { requireUser: true } } }),
    given: [
      anaLetsHelperRead(),
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, as: 'own' },
    ],
    allowed: [{ exchange: { token: 'hers', by: 'fileserver', at: 'notes' }, gets: ['notes:read'] }],
    denied: [
      {
        exchange: { token: 'own', by: 'fileserver', at: 'notes' },
        because: 'the resource demands a user',
      },
    ],
  },
  {
    name: 'An agent’s own token goes on as far as agent, edge and server allow, step by step',
    world: office({
      agents: {
        helper: {
          may: { files: ['files:read'], notes: ['notes:read'], archive: ['archive:read'] },
        },
      },
    }),
    given: [
      { alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, as: 'own' },
      { exchange: { token: 'own', by: 'fileserver', at: 'notes' }, as: 'noted' },
    ],
    allowed: [
      {
        exchange: { token: 'noted', by: 'noteserver', at: 'archive' },
        gets: ['archive:read'],
        acting: ['noteserver', 'fileserver'],
      },
    ],
    denied: [
      {
        exchange: { token: 'own', by: 'noteserver', at: 'archive' },
        because: 'neither actor, nor helper, nor the resource’s own service',
      },
    ],
  },
  {
    name: 'An agent that may not read notes does not read them through the file server',
    refs: ['confused deputy'],
    world: office(),
    given: [{ alone: { who: 'helper', at: 'files', scopes: ['files:read'] }, as: 'own' }],
    allowed: [],
    denied: [
      { exchange: { token: 'own', by: 'fileserver', at: 'notes' }, because: 'nothing is left' },
    ],
  },
  {
    name: 'What the file server took to the notes it may go on with there, and not take back',
    world: office(),
    given: [
      anaLetsHelperRead(),
      { exchange: { token: 'hers', by: 'fileserver', at: 'notes' }, as: 'noted' },
      { exchange: { token: 'noted', by: 'fileserver' }, as: 'less' },
    ],
    allowed: [
      { tool: 'read_note', at: 'notes', with: 'noted' },
      { tool: 'read_note', at: 'notes', with: 'less' },
    ],
    denied: [
      {
        exchange: { token: 'noted', by: 'fileserver', at: 'files' },
        because: 'the user was not shown that it leads there',
      },
      { tool: 'write_note', at: 'notes', with: 'less', because: 'the token lacks the scope' },
    ],
  },
];
