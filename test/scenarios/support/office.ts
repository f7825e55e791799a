// The world most scenarios happen in, and changes to it: Ana and her agents, their host, a file
// server that may ask a note server, and an archive.
import type { ResourceWords, WorldWords } from './words.js';

const FILES: ResourceWords = {
  server: 'fileserver',
  scopes: {
    'files:list': {},
    'files:read': { implies: ['files:list'] },
    'files:write': { risk: 'write', implies: ['files:read'] },
    'files:delete': { risk: 'destructive' },
    'quota:set': { risk: 'write', restricted: true },
  },
  tools: {
    list_files: ['files:list'],
    read_file: ['files:read'],
    write_file: ['files:write'],
    delete_file: ['files:delete'],
    set_quota: ['quota:set'],
  },
  downstream: { notes: { 'files:read': ['notes:read'], 'files:write': ['notes:write'] } },
};

const NOTES: ResourceWords = {
  server: 'noteserver',
  scopes: { 'notes:read': {}, 'notes:write': { risk: 'write', implies: ['notes:read'] } },
  tools: { read_note: ['notes:read'], write_note: ['notes:write'] },
  downstream: { archive: { 'notes:read': ['archive:read'] } },
};

const ARCHIVE: ResourceWords = {
  server: 'archivist',
  scopes: { 'archive:read': {} },
  tools: { find: ['archive:read'] },
};

const reader = { files: ['files:read'] };

const OFFICE: WorldWords = {
  people: { ana: {}, ben: {} },
  agents: {
    helper: { clients: ['host'], may: { files: ['files:write'] } },
    scout: { clients: ['host'], takesWorkFrom: ['helper'], may: reader },
    clerk: { clients: ['host'], takesWorkFrom: ['scout', 'helper'], may: reader },
    runner: { clients: ['host'], takesWorkFrom: ['clerk'], may: reader },
    intern: { clients: ['host'], takesWorkFrom: ['runner'], may: reader },
    loner: { clients: ['host'], may: reader },
  },
  apps: { host: {}, stranger: {} },
  services: {
    fileserver: { may: { notes: ['notes:write'] } },
    noteserver: { may: { archive: ['archive:read'] } },
    archivist: {},
    nightly: { may: { files: ['files:list'] } },
  },
  resources: { files: FILES, notes: NOTES, archive: ARCHIVE },
};

type Nouns = Omit<WorldWords, 'mayNotExchange'>;
type Changes = {
  readonly [Noun in keyof Nouns]?: Readonly<Record<string, Partial<Nouns[Noun][string]>>>;
};

/** The office with some of it otherwise: what is named is merged into what is there. */
export const office = (changes: Changes = {}): WorldWords => ({
  people: merged(OFFICE.people, changes.people),
  agents: merged(OFFICE.agents, changes.agents),
  apps: merged(OFFICE.apps, changes.apps),
  services: merged(OFFICE.services, changes.services),
  resources: merged(OFFICE.resources, changes.resources),
});

const merged = <Words extends object>(
  here: Readonly<Record<string, Words>>,
  changes: Readonly<Record<string, Partial<Words>>> = {},
): Readonly<Record<string, Words>> => ({
  ...here,
  ...Object.fromEntries(
    Object.entries(changes).map(([name, change]) => [name, { ...here[name], ...change } as Words]),
  ),
});

/** Ana lets her agent read her files; how many may help it. */
export const anaLetsHelperRead = (helpers = 0) =>
  ({
    consent: {
      by: 'ana',
      to: 'helper',
      through: 'host',
      at: 'files',
      scopes: ['files:read'],
      helpers,
    },
    as: 'hers',
  }) as const;

/** Ana lets her agent change her files. */
export const anaLetsHelperWrite = (helpers = 0) =>
  ({
    consent: {
      by: 'ana',
      to: 'helper',
      through: 'host',
      at: 'files',
      scopes: ['files:write'],
      helpers,
    },
    as: 'hers',
  }) as const;
