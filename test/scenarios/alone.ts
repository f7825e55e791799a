// Agents and services by themselves: within what the operator permitted, and not a word more.
import { office } from './support/office.js';
import type { Scenario } from './support/words.js';

export const alone: readonly Scenario[] = [
  {
    name: 'An agent alone gets what it is permitted; more is refused, not dropped in silence',
    refs: ['K13'],
    world: office(),
    given: [{ alone: { who: 'scout', at: 'files', scopes: ['files:read'] }, as: 'own' }],
    allowed: [
      { tool: 'read_file', at: 'files', with: 'own' },
      {
        alone: { who: 'scout', at: 'files', scopes: ['files:list'] },
        gets: ['files:list'],
        acting: [],
      },
    ],
    denied: [
      {
        alone: { who: 'scout', at: 'files', scopes: ['files:read', 'files:write'] },
        because: 'not permitted',
      },
      { alone: { who: 'scout', at: 'notes', scopes: ['notes:read'] }, because: 'not permitted' },
      { tool: 'write_file', at: 'files', with: 'own', because: 'the token lacks the scope' },
    ],
  },
  {
    name: 'A nightly service has its own token, which nobody takes over',
    world: office(),
    given: [{ alone: { who: 'nightly', at: 'files', scopes: ['files:list'] }, as: 'nights' }],
    allowed: [{ tool: 'list_files', at: 'files', with: 'nights' }],
    denied: [
      {
        exchange: { token: 'nights', by: 'scout' },
        because: 'the helper does not take work from the actor',
      },
      { tool: 'read_file', at: 'files', with: 'nights', because: 'the token lacks the scope' },
    ],
  },
  {
    name: 'A scope that looks like another one is not that other one',
    refs: ['casdoor: scopes matched as patterns'],
    world: office(),
    given: [],
    allowed: [],
    denied: [
      { alone: { who: 'scout', at: 'files', scopes: ['files:*'] }, because: 'not permitted' },
      { alone: { who: 'scout', at: 'files', scopes: ['files:r'] }, because: 'not permitted' },
      { alone: { who: 'scout', at: 'files', scopes: ['FILES:READ'] }, because: 'not permitted' },
    ],
  },
  {
    name: 'Files that demand a user give an agent alone nothing',
    refs: ['require_user'],
    world: office({ resources: { files: { requireUser: true } } }),
    given: [],
    allowed: [],
    denied: [
      {
        alone: { who: 'scout', at: 'files', scopes: ['files:read'] },
        because: 'the resource demands a user',
      },
    ],
  },
  {
    name: 'There are no tokens for a place nobody registered',
    world: office(),
    given: [],
    allowed: [],
    denied: [
      {
        alone: { who: 'scout', at: 'elsewhere', scopes: ['files:read'] },
        because: 'there is no such place',
      },
    ],
  },
];
