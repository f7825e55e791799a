/** The nouns of what is protected. */
import { common, type Noun } from './noun.js';

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

export const RESOURCE_NOUNS: readonly Noun[] = [resource];
