// What a user may give, to whom, through whom; and what is left of it at the next refresh.
import { anaLetsHelperWrite, office } from './support/office.js';
import type { Scenario } from './support/words.js';

const ana = { by: 'ana', to: 'helper', through: 'host', at: 'files' } as const;

export const consents: readonly Scenario[] = [
  {
    name: 'Ana ticks less than was asked: that is what her agent gets, and what it keeps getting',
    refs: ['I7'],
    world: office(),
    given: [
      {
        consent: { ...ana, scopes: ['files:write'], ticked: ['files:list', 'files:read'] },
        as: 'hers',
      },
    ],
    allowed: [
      { refresh: { token: 'hers' }, gets: ['files:list', 'files:read'], acting: ['helper'] },
      { tool: 'read_file', at: 'files', with: 'hers' },
    ],
    denied: [
      { tool: 'write_file', at: 'files', with: 'hers', because: 'the token lacks the scope' },
      {
        exchange: { token: 'hers', by: 'helper', scopes: ['files:write'] },
        because: 'the token does not carry that',
      },
    ],
  },
  {
    name: 'What the agent may not do, Ana is not even asked for',
    refs: ['D8'],
    world: office(),
    given: [],
    allowed: [
      {
        consent: { ...ana, scopes: ['files:write', 'files:delete'] },
        gets: ['files:list', 'files:read', 'files:write'],
        acting: ['helper'],
      },
    ],
    denied: [{ consent: { ...ana, scopes: ['files:delete'] }, because: 'nothing is left' }],
  },
  {
    name: 'A restricted right that Ana does not hold is not hers to give',
    refs: ['D9'],
    world: office({ agents: { helper: { may: { files: ['files:write', 'quota:set'] } } } }),
    given: [],
    allowed: [
      {
        consent: { ...ana, scopes: ['files:read', 'quota:set'] },
        gets: ['files:list', 'files:read'],
      },
    ],
    denied: [{ consent: { ...ana, scopes: ['quota:set'] }, because: 'nothing is left' }],
  },
  {
    name: 'A restricted right that Ana holds she may give, and the helper who lacks it does not get',
    world: office({
      people: { ana: { may: { files: ['quota:set'] } } },
      agents: { helper: { may: { files: ['files:read', 'quota:set'] } } },
    }),
    given: [{ consent: { ...ana, scopes: ['files:read', 'quota:set'], helpers: 1 }, as: 'hers' }],
    allowed: [
      { tool: 'set_quota', at: 'files', with: 'hers' },
      { exchange: { token: 'hers', by: 'scout' }, gets: ['files:list', 'files:read'] },
    ],
    denied: [],
  },
  {
    name: 'A client that the agent does not accept gets nobody’s consent',
    refs: ['D4'],
    world: office(),
    given: [],
    allowed: [],
    denied: [
      {
        consent: { ...ana, through: 'stranger', scopes: ['files:read'] },
        because: 'the client may not front for the agent',
      },
    ],
  },
  {
    name: 'A blocked agent is consented to by nobody',
    refs: ['D1'],
    world: office(),
    given: [{ block: 'helper' }],
    allowed: [],
    denied: [
      { consent: { ...ana, scopes: ['files:read'] }, because: 'somebody in the story was stopped' },
    ],
  },
  {
    name: 'A name is not an id: there is no agent called that',
    refs: ['keycloak#50690 name instead of id', 'D1'],
    world: office(),
    given: [],
    allowed: [],
    denied: [
      {
        consent: { ...ana, to: 'nobody', scopes: ['files:read'] },
        because: 'there is no such helper',
      },
    ],
  },
  {
    name: 'A resource that lists its clients takes nothing that came through another',
    world: office({ resources: { files: { clients: ['nightly'] } } }),
    given: [],
    allowed: [],
    denied: [
      {
        consent: { ...ana, scopes: ['files:read'] },
        because: 'the resource does not take tokens from this client',
      },
    ],
  },
  {
    name: 'A refresh gives what was granted, or less, and never more',
    refs: ['R6'],
    world: office(),
    given: [anaLetsHelperWrite()],
    allowed: [
      {
        refresh: { token: 'hers', scopes: ['files:list'] },
        gets: ['files:list'],
        acting: ['helper'],
      },
    ],
    denied: [],
  },
  {
    name: 'Ana’s consent is hers: Ben’s token says Ben, and ends with his own',
    refs: ['I2'],
    world: office(),
    given: [
      { consent: { ...ana, scopes: ['files:read'] }, as: 'hers' },
      { consent: { ...ana, by: 'ben', scopes: ['files:read'] }, as: 'his' },
      { withdraw: 'his' },
    ],
    allowed: [{ tool: 'read_file', at: 'files', with: 'hers' }],
    denied: [
      {
        tool: 'read_file',
        at: 'files',
        with: 'his',
        because: 'somebody in the story was stopped',
      },
    ],
  },
  {
    name: 'An app that the operator bound to an agent acts as that agent, unasked',
    world: office({
      apps: { plain: { agent: 'helper' } },
      agents: { helper: { clients: ['host', 'plain'] } },
    }),
    given: [
      {
        consent: { by: 'ana', through: 'plain', at: 'files', scopes: ['files:read'] },
        as: 'hers',
      },
    ],
    allowed: [
      { refresh: { token: 'hers' }, gets: ['files:list', 'files:read'], acting: ['helper'] },
    ],
    denied: [],
  },
  {
    name: 'Where no agent acts, no helper can take over: there is nobody to take from',
    refs: ['X14', 'keycloak#52691 omitted actor'],
    world: office(),
    given: [
      {
        consent: { by: 'ana', through: 'host', at: 'files', scopes: ['files:read'] },
        as: 'plain',
      },
    ],
    allowed: [{ tool: 'read_file', at: 'files', with: 'plain' }],
    denied: [
      {
        exchange: { token: 'plain', by: 'scout' },
        because: 'the helper does not take work from the actor',
      },
      { exchange: { token: 'plain', by: 'host' }, because: 'nobody acts' },
    ],
  },
];
