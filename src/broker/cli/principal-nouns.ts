/** The nouns of who there is: agents, clients, users, roles, permissions, and their credentials. */
import { credential, EXPIRING } from './credential-noun.js';
import { at, common, type Field, list, type Noun, type Verb } from './noun.js';
import { IDENTITY_NOUN } from './trust-nouns.js';

const text = (...names: readonly string[]): Field[] => names.map((name) => ({ name }));
const lists = (...names: readonly string[]): Field[] =>
  names.map((name) => ({ name, kind: 'list' }));

const REASON: Field = { name: 'reason', help: 'why, in a sentence' };

/** A step to another state: who is stopped is told why. */
const become = (noun: string, verb: string, status: string, summary: string): Verb => ({
  usage: `${verb} <id>`,
  summary,
  fields: [REASON],
  ask: ([id = ''], { reason }) => ({
    method: 'put',
    path: `${at(noun, id)}/status`,
    body: { status, ...(reason === undefined ? {} : { reason }) },
  }),
});

/** `common` without its plain retirement, where retiring needs a reason. */
const unretired = (verbs: readonly Verb[]): Verb[] =>
  verbs.filter(({ usage }) => !usage.startsWith('retire'));

/** Bound tokens, and FAPI 2.0. */
const PROFILE = ['dpop_bound', 'certificate_bound', 'fapi'].map(
  (name) => ({ name, kind: 'switch' }) as const,
);

const agent: Noun = {
  name: 'agent',
  summary: 'agents: identities that act',
  verbs: [
    ...unretired(
      common({
        path: '/agents',
        columns: ['id', 'name', 'owner', 'status', 'clients', 'credentials_expire_at'],
        filters: [...text('status', 'owner', 'tag', 'client', 'external_id', 'q'), EXPIRING],
        first: text('id', 'status'),
        fields: [
          ...text('name', 'owner', 'sponsor', 'description', 'purpose', 'vendor', 'model'),
          ...text('version', 'logo_uri', 'contact', 'external_id', 'auth'),
          ...lists('tags', 'clients', 'takes_work_from', 'redirect_uris'),
          { name: 'require_par', kind: 'switch' },
          { name: 'require_signed_request', kind: 'switch' },
          { name: 'may_exchange', kind: 'switch' },
          ...PROFILE,
        ],
      }),
    ),
    become('agents', 'activate', 'active', 'let a draft act'),
    become('agents', 'pause', 'paused', 'stop its tokens; what users allowed waits for it'),
    become('agents', 'resume', 'active', 'let it go on where it was paused'),
    become('agents', 'block', 'blocked', 'stop an agent everywhere, now'),
    become('agents', 'unblock', 'active', 'let it act again; what was stopped stays stopped'),
    become('agents', 'retire', 'retired', 'end it; its id is never used again'),
  ],
  nouns: [credential('agents')],
};

/** RFC 7591 §3. */
const initialToken: Noun = {
  name: 'token',
  summary: 'initial access tokens: each registers one client at /register, once',
  verbs: common({
    path: '/initial-access-tokens',
    columns: ['id', 'name', 'created_at', 'expires_at', 'used_at', 'used_by'],
    filters: [],
    first: [
      { name: 'name', help: 'what you call it' },
      { name: 'expires_at', help: 'ISO 8601; a day from now unless it is said' },
    ],
    fields: [],
    last: 'remove',
  }).filter(({ usage }) => !usage.startsWith('change')),
};

const client: Noun = {
  name: 'client',
  summary: 'OAuth clients: apps and services',
  verbs: common({
    path: '/clients',
    columns: [
      'id',
      'name',
      'kind',
      'origin',
      'auth',
      'agent_id',
      'status',
      'credentials_expire_at',
    ],
    filters: [...text('status', 'kind', 'origin', 'auth', 'agent', 'q'), EXPIRING],
    first: text('id', 'kind'),
    fields: [
      ...text('name', 'description', 'client_uri', 'logo_uri', 'policy_uri', 'contact', 'auth'),
      ...lists('redirect_uris'),
      { name: 'agent_id', help: 'on change: the agent it always acts as' },
      { name: 'require_par', kind: 'switch' },
      { name: 'require_signed_request', kind: 'switch' },
      { name: 'may_exchange', kind: 'switch' },
      ...PROFILE,
    ],
  }),
  nouns: [credential('clients'), initialToken],
};

const user: Noun = {
  name: 'user',
  summary: 'people',
  verbs: [
    ...common({
      path: '/users',
      columns: ['id', 'email', 'name', 'roles', 'status'],
      filters: text('email', 'status', 'role', 'q'),
      fields: [...text('email', 'name'), ...lists('roles')],
    }),
    become('users', 'disable', 'disabled', 'stop a user and everything that acts for them'),
    become('users', 'enable', 'active', 'let them sign in again; what was stopped stays stopped'),
  ],
  nouns: [IDENTITY_NOUN],
};

const role: Noun = {
  name: 'role',
  summary: 'names for permissions many users share',
  verbs: common({
    path: '/roles',
    columns: ['name', 'description'],
    filters: text('q'),
    first: text('name'),
    fields: text('description'),
    last: 'remove',
  }),
};

const allowed = ([principal = '', resource = '']: readonly string[]) =>
  at('permissions', principal, resource);

const permission: Noun = {
  name: 'permission',
  summary: 'which scopes a principal may hold, or delegate, at a resource',
  verbs: [
    list(
      '/permissions',
      ['principal', 'resource', 'scopes'],
      text('principal', 'resource', 'scope'),
    ),
    {
      usage: 'show <principal> <resource>',
      summary: 'show one',
      ask: (args) => ({ method: 'get', path: allowed(args) }),
    },
    {
      usage: 'set <principal> <resource> <scopes...>',
      summary: 'make its scopes exactly these',
      ask: ([principal = '', resource = '', ...scopes]) => ({
        method: 'put',
        path: allowed([principal, resource]),
        body: { scopes: scopes.flatMap((some) => some.split(',')) },
      }),
    },
    {
      usage: 'remove <principal> <resource>',
      summary: 'take all of it away',
      ask: (args) => ({ method: 'delete', path: allowed(args) }),
    },
  ],
};

export const PRINCIPAL_NOUNS: readonly Noun[] = [agent, client, user, role, permission];
