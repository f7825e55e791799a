// What `behalf apply --dry-run` tells people of drift: field by field, secrets never, one line each.
import { expect, it } from 'vitest';
import { describePlan, describeUnnamed } from '../../src/broker/cli/plan.js';

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

it('DESIGN §12: what the file does not name is told, and that it is left alone', () => {
  const alone = 'What is not in the file is left alone: applying removes nothing.';
  const unnamed = [
    { noun: 'agent', id: 'agt_x' },
    { noun: 'role', id: 'night\u001b[31m' },
  ];
  const told = ['not in file   agent agt_x', 'not in file   role night\ufffd[31m'];
  expect(describeUnnamed({ unnamed, unnamed_left_out: 0 })).toEqual([...told, alone]);
  expect(describeUnnamed({ unnamed, unnamed_left_out: 7 })).toEqual([
    ...told,
    'not in file   7 more',
    alone,
  ]);
  expect(describeUnnamed({ unnamed: [], unnamed_left_out: 0 })).toEqual([]);
  expect(describeUnnamed({})).toEqual([]);
});
