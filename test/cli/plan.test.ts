// What `behalf apply --dry-run` tells people of drift: field by field, secrets never, one line each.
import { expect, it } from 'vitest';
import { describePlan } from '../../src/broker/cli/plan.js';

it('DESIGN §12: a plan names each difference, and of a nested one only what differs', () => {
  const lines = describePlan([
    { noun: 'role', id: 'staff', action: 'create', fields: [] },
    { noun: 'user', id: 'ana@example.com', action: 'unchanged', fields: [] },
    {
      noun: 'agent',
      id: 'agt_scribe',
      action: 'change',
      fields: ['name', 'vendor', 'clients', 'password', 'scopes'],
      changes: [
        { field: 'name', from: 'A', to: 'B\u001b[31m' },
        { field: 'vendor', from: 'Acme', to: null },
        { field: 'clients', from: ['cli_a'], to: [] },
        { field: 'password' },
        {
          field: 'scopes',
          from: { same: { risk: 'read' }, old: { risk: 'read' } },
          to: { same: { risk: 'read' }, new: { risk: 'write' } },
        },
      ],
    },
  ]);
  expect(lines).toEqual([
    'create     role staff',
    'unchanged  user ana@example.com',
    'change     agent agt_scribe',
    '           name: "A" → "B\\u001b[31m"',
    '           vendor: "Acme" → –',
    '           clients: ["cli_a"] → []',
    '           password',
    '           scopes.old: {"risk":"read"} → –',
    '           scopes.new: – → {"risk":"write"}',
  ]);
});
