/** The nouns of what is protected. */
import { at, common, type Noun } from './noun.js';

const resource: Noun = {
  name: 'resource',
  summary: 'protected MCP servers and APIs',
  verbs: [
    ...common({
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
    {
      usage: 'tools <id>',
      summary:
        'what its tools need, and what is new, changed or removed there; exits 1 if anything is',
      columns: ['tool', 'state', 'scopes', 'schema_hash', 'since'],
      ask: ([id = '']) => ({ method: 'get', path: `/resources${at(id)}/tools` }),
      isFailure: (answer) => (answer as { drift: number }).drift > 0,
    },
    {
      usage: 'accept-tool <id> <tool> <hash>',
      summary: 'accept a changed tool, as the definition with this hash',
      columns: ['tool', 'state', 'scopes', 'schema_hash', 'since'],
      ask: ([id = '', tool, schema_hash]) => ({
        method: 'post',
        path: `/resources${at(id)}/tools/accept`,
        body: { tool, schema_hash },
      }),
    },
  ],
};

export const RESOURCE_NOUNS: readonly Noun[] = [resource];
