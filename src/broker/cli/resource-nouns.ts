/** The nouns of what is protected, and of what happened. */
import { common, list, type Noun } from './noun.js';

const resource: Noun = {
  name: 'resource',
  summary: 'protected MCP servers and APIs',
  verbs: common({
    path: '/resources',
    columns: ['identifier', 'name', 'signing_alg', 'token_ttl_seconds', 'status'],
    filters: [{ name: 'status' }, { name: 'q' }, { name: 'client' }, { name: 'downstream' }],
    first: [{ name: 'identifier' }],
    fields: [
      { name: 'name' },
      { name: 'description' },
      { name: 'client' },
      { name: 'clients', kind: 'list' },
      { name: 'require_user', kind: 'switch' },
      { name: 'signing_alg' },
      { name: 'token_ttl_seconds', kind: 'number' },
    ],
  }),
};

const AUDIT_COLUMNS = ['at', 'sentence'];
const AUDIT_FILTERS = ['type', 'agent', 'user', 'client', 'resource', 'grant'];
const events = list(
  '/audit',
  AUDIT_COLUMNS,
  AUDIT_FILTERS.map((name) => ({ name })),
  'what happened, newest first, in sentences',
);

const audit: Noun = {
  name: 'audit',
  summary: events.summary,
  verbs: [
    {
      ...events,
      isDefault: true,
      ask: (args, { user, ...values }) =>
        events.ask(args, user === undefined ? values : { ...values, sub: user }),
    },
    {
      usage: 'verify',
      summary: 'check that nothing was changed, removed, reordered or cut off; exits 1 if it was',
      fields: [{ name: 'checkpoints', kind: 'list', help: 'from the log: must still be there' }],
      ask: (_args, body) => ({ method: 'post', path: '/audit/verify', body }),
      isFailure: (answer) => (answer as { findings: unknown[] }).findings.length > 0,
    },
  ],
};

export const RESOURCE_NOUNS: readonly Noun[] = [resource, audit];
