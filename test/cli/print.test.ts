import { expect, it } from 'vitest';
import { linesOf } from '../../src/broker/cli/print.js';

it('DESIGN §12: a page says how to go on, and the last one nothing', () => {
  const items = [
    { id: 'agt_one', tags: ['a', 'b'], secret: 'x' },
    { id: 'agt_two', tags: [] },
  ];
  const rows = ['id       tags', 'agt_one  a b', 'agt_two  –'];
  const columns = ['id', 'tags'];
  expect(linesOf({ items, next_cursor: 'YWJj' }, columns)).toEqual([
    ...rows,
    'more: --cursor YWJj',
  ]);
  expect(linesOf({ items, next_cursor: null }, columns)).toEqual(rows);
  expect(linesOf({ items: [], next_cursor: null }, columns)).toEqual(['none']);
});

it('tells what is in a list, whatever it is: edges of a resource, findings in the audit', () => {
  const findings = [{ kind: 'missing', chain: 1, says: 'two events are gone' }];
  expect(linesOf({ events: 7, findings, tags: ['a'], agent_id: null })).toEqual([
    'events             7',
    'findings           {"kind":"missing","chain":1,"says":"two events are gone"}',
    'tags               a',
    'agent_id           –',
  ]);
});

it('tells a receipt count by count, and who has confirmed it server by server', () => {
  const receipt = { access_tokens: 2, revocation: 7 };
  const confirmed = [
    { client_id: 'cli_files', at: '2026-01-01T00:00:00.000Z' },
    { client_id: 'cli_notes', at: '2026-01-01T00:00:01.000Z' },
  ];
  expect(linesOf({ id: 7, receipt, terms: {}, confirmed_by: confirmed, waiting_for: [] })).toEqual([
    'id                 7',
    'receipt',
    '  access_tokens      2',
    '  revocation         7',
    'terms              –',
    'confirmed_by       {"client_id":"cli_files","at":"2026-01-01T00:00:00.000Z"}',
    'confirmed_by       {"client_id":"cli_notes","at":"2026-01-01T00:00:01.000Z"}',
    'waiting_for        –',
  ]);
});
