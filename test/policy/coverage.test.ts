// What an earlier decision is still good for: asked again exactly when something that was agreed to
// changed (DESIGN §7 partial consent; threats D7, I2).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesSince } from '../../src/broker/consent/changes.js';
import {
  type ConsentFacts,
  consentCovers,
  type DecisionFacts,
  onlyAdds,
} from '../../src/broker/delegation/coverage.js';
import {
  canonical,
  clientHash,
  keptTermsFacts,
  type ResourceWords,
  type Terms,
  type TermsSources,
  termsFacts,
  termsHash,
  termsOf,
  widenedTerms,
} from '../../src/broker/delegation/terms.js';
import { isSubset } from '../../src/protocol/index.js';

const RUNS = { numRuns: 1000 };

const AGENT = { name: 'Helper', owner: 'Ops', purpose: 'tidies', description: 'slowly' };
const CLIENT = {
  name: 'Host',
  redirectUris: ['https://a.example/cb', 'https://b.example/cb'],
  description: 'a host',
  clientUri: 'https://a.example',
  logoUri: 'https://a.example/logo',
  policyUri: 'https://a.example/privacy',
  contact: 'ops@a.example',
};
const RESOURCE: ResourceWords = {
  name: 'Files',
  scopes: {
    read: { title: 'Read', description: 'all of it', risk: 'read' },
    write: { title: 'Write', risk: 'write' },
    wipe: { title: 'Wipe', risk: 'destructive' },
  },
  tools: { read_file: ['read'], write_file: ['write', 'read'], wipe_all: ['wipe'] },
  downstream: [{ resource: 'https://log.example', scopes: { write: ['append'] } }],
};
const LOG: ResourceWords = {
  name: 'Log',
  scopes: {
    append: { title: 'Add lines', risk: 'write' },
    clear: { title: 'Clear', risk: 'write' },
  },
  tools: {},
  downstream: [],
};
const SOURCES: TermsSources = {
  agent: AGENT,
  client: CLIENT,
  resource: RESOURCE,
  onward: { 'https://log.example': LOG },
};
const OFFERED = ['read', 'wipe', 'write'];

const consentTo = (sources: TermsSources, more: Partial<ConsentFacts> = {}): ConsentFacts => ({
  clientHash: clientHash(sources.client),
  terms: termsFacts(termsOf(sources, OFFERED)),
  offered: OFFERED,
  granted: ['read', 'write'],
  expiresAtMs: 10,
  ended: false,
  ...more,
});
const requestFor = (sources: TermsSources, scopes: readonly string[] = ['read', 'write']) => ({
  scopes,
  clientHash: clientHash(sources.client),
  terms: termsFacts(termsOf(sources, scopes)),
  nowMs: 9,
});

describe('consentCovers (DESIGN §7 partial consent)', () => {
  const consent = consentTo(SOURCES);
  it('covers what was offered, and gives what was granted of it', () => {
    expect(consentCovers(consent, requestFor(SOURCES, ['read']))).toEqual({ covered: ['read'] });
    expect(consentCovers(consent, requestFor(SOURCES, OFFERED))).toEqual({
      covered: ['read', 'write'],
    });
  });
  it.each([
    ['nothing', undefined, {}, 'no_consent'],
    ['an ended one', { ...consent, ended: true }, {}, 'ended'],
    ['an expired one', consent, { nowMs: 10 }, 'expired'],
    ['a client that describes itself otherwise', consent, { clientHash: 'i' }, 'client_changed'],
    ['a request for more', consent, { scopes: ['read', 'fly'] }, 'asks_more'],
    ['a request for only what was refused', consent, { scopes: ['wipe'] }, 'nothing_granted'],
    [
      'one from before terms were kept',
      { ...consent, terms: keptTermsFacts({ terms: {}, termsHash: '' }) },
      {},
      'terms_changed',
    ],
  ] as const)('does not let %s cover', (_name, given, change, denied) => {
    expect(consentCovers(given, { ...requestFor(SOURCES), ...change })).toEqual({ denied });
  });

  it('is for what was granted, within what was offered, whatever the facts', () => {
    const names = fc.subarray(['a', 'b', 'c', 'd']);
    const terms = fc.record({
      parties: fc.constantFrom('p', 'q'),
      scopes: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2')),
    });
    const facts = fc.record({
      clientHash: fc.constantFrom('h', 'i'),
      terms,
      offered: names,
      granted: names,
      expiresAtMs: fc.nat(20),
      ended: fc.boolean(),
    });
    const asked = fc.record({
      scopes: names,
      clientHash: fc.constant('h'),
      terms,
      nowMs: fc.nat(20),
    });
    fc.assert(
      fc.property(facts, asked, (given, request) => {
        const answer = consentCovers(given, request);
        if ('denied' in answer) return true;
        return (
          answer.covered.length > 0 &&
          isSubset(answer.covered, given.granted) &&
          isSubset(answer.covered, request.scopes) &&
          isSubset(request.scopes, given.offered) &&
          !given.ended &&
          given.expiresAtMs > request.nowMs &&
          given.clientHash === request.clientHash &&
          given.terms.parties === request.terms.parties &&
          answer.covered.every((one) => given.terms.scopes[one] === request.terms.scopes[one])
        );
      }),
      RUNS,
    );
  });
});

const withScope = (name: string, change: object): TermsSources => ({
  ...SOURCES,
  resource: {
    ...RESOURCE,
    scopes: {
      ...RESOURCE.scopes,
      [name]: { ...(RESOURCE.scopes[name] as { title: string; risk: string }), ...change },
    },
  },
});
const withTools = (tools: ResourceWords['tools']): TermsSources => ({
  ...SOURCES,
  resource: { ...RESOURCE, tools },
});
const withDownstream = (downstream: ResourceWords['downstream'], log = LOG): TermsSources => ({
  ...SOURCES,
  resource: { ...RESOURCE, downstream },
  onward: { 'https://log.example': log },
});
const withClient = (change: object): TermsSources => ({
  ...SOURCES,
  client: { ...CLIENT, ...change },
});
const withAgent = (change: object): TermsSources => ({
  ...SOURCES,
  agent: { ...AGENT, ...change },
});

const said = (now: TermsSources) =>
  changesSince(
    { terms: termsOf(SOURCES, OFFERED), offered: OFFERED, granted: ['read', 'write'] },
    { terms: termsOf(now, OFFERED), offered: OFFERED, lost: [], titleOf: (scope) => scope },
  );

describe('DESIGN §8c what a scope leads on to is told with all that comes along there', () => {
  const implying = (scopes: object) =>
    withDownstream(RESOURCE.downstream, { ...LOG, scopes: { ...LOG.scopes, ...scopes } });
  const onward = { title: 'Add lines', risk: 'write', implies: ['clear'] };
  it('names and titles, downward', () => {
    const { scopes } = termsOf(implying({ append: onward }), OFFERED);
    expect(scopes.write?.downstream).toEqual({
      'https://log.example': { name: 'Log', scopes: { append: 'Add lines', clear: 'Clear' } },
    });
  });
  it('and asked about again when more comes along', () => {
    expect(said(implying({ append: onward })).changed).toHaveLength(1);
    expect(said(implying({ append: { ...onward, implies: [] } })).changed).toEqual([]);
  });
});

describe('a change asks again (D7, I2)', () => {
  it.each([
    ['the agent is renamed', withAgent({ name: 'Helper Pro' }), 'terms_changed'],
    ['the agent moves to another owner', withAgent({ owner: 'Others' }), 'terms_changed'],
    ['the agent gets another purpose', withAgent({ purpose: 'sells' }), 'terms_changed'],
    ['the agent is described otherwise', withAgent({ description: null }), 'terms_changed'],
    ['there is no agent any more', { ...SOURCES, agent: undefined }, 'terms_changed'],
    ['the client is renamed', withClient({ name: 'Your Bank' }), 'client_changed'],
    ['the client says something else', withClient({ description: 'x' }), 'client_changed'],
    [
      'the client has another site',
      withClient({ clientUri: 'https://x.example' }),
      'client_changed',
    ],
    ['the client has another logo', withClient({ logoUri: null }), 'client_changed'],
    ['the client has another policy', withClient({ policyUri: undefined }), 'client_changed'],
    ['the client has another contact', withClient({ contact: 'x' }), 'client_changed'],
    [
      'the client may be sent elsewhere',
      withClient({ redirectUris: [...CLIENT.redirectUris, 'https://evil.example'] }),
      'client_changed',
    ],
    [
      'the resource is renamed',
      { ...SOURCES, resource: { ...RESOURCE, name: 'X' } },
      'terms_changed',
    ],
    ['a granted scope is titled otherwise', withScope('read', { title: 'Copy' }), 'terms_changed'],
    [
      'a granted scope is described otherwise',
      withScope('read', { description: '' }),
      'terms_changed',
    ],
    ['a granted scope is riskier', withScope('write', { risk: 'destructive' }), 'terms_changed'],
    [
      'a granted scope opens another tool',
      withTools({ ...RESOURCE.tools, copy_all: ['read'] }),
      'terms_changed',
    ],
    ['a granted scope lost a tool', withTools({ write_file: ['write', 'read'] }), 'terms_changed'],
    [
      'a granted scope leads on to more',
      withDownstream([{ resource: 'https://log.example', scopes: { write: ['append', 'clear'] } }]),
      'terms_changed',
    ],
    [
      'a granted scope leads on for the first time',
      withDownstream([
        { resource: 'https://log.example', scopes: { write: ['append'], read: ['append'] } },
      ]),
      'terms_changed',
    ],
    [
      'what it leads on to means something else',
      withDownstream(RESOURCE.downstream, {
        ...LOG,
        scopes: { append: { title: 'Rewrite', risk: 'write' } },
      }),
      'terms_changed',
    ],
  ] as const)('%s', (_name, now, denied) => {
    expect(consentCovers(consentTo(SOURCES), requestFor(now as TermsSources))).toEqual({ denied });
    // And the page says why.
    expect(said(now as TermsSources).changed).not.toEqual([]);
  });

  it.each([
    ['scopes are registered in another order', { ...SOURCES, resource: reversed(RESOURCE) }],
    [
      'the agent has another maker, model, version or stand-in: told, and no terms',
      withAgent({ vendor: 'Other', model: 'new', version: '2', sponsor: 'Dana' }),
    ],
    [
      'redirects are in another order',
      withClient({ redirectUris: [...CLIENT.redirectUris].reverse() }),
    ],
    ['a scope that was not granted is titled otherwise', withScope('wipe', { title: 'Burn' })],
    [
      'a scope that was not granted opens another tool',
      withTools({ ...RESOURCE.tools, wipe_some: ['wipe'] }),
    ],
    ['the resource gets another scope', withScope('fly', { title: 'Fly', risk: 'read' })],
    [
      'a scope that was not granted leads on',
      withDownstream([
        { resource: 'https://log.example', scopes: { write: ['append'], wipe: ['clear'] } },
      ]),
    ],
    [
      'an edge leads to where there is nothing',
      withDownstream([
        ...RESOURCE.downstream,
        { resource: 'https://no.example', scopes: { read: ['x'] } },
      ]),
    ],
    [
      'what it does not lead on to means something else',
      withDownstream(RESOURCE.downstream, {
        ...LOG,
        scopes: { ...LOG.scopes, clear: { title: 'Burn', risk: 'write' } },
      }),
    ],
  ] as const)('but not when %s', (_name, now) => {
    expect(consentCovers(consentTo(SOURCES), requestFor(now as TermsSources))).toEqual({
      covered: ['read', 'write'],
    });
    expect(said(now as TermsSources)).toEqual({ added: [], gone: [], changed: [] });
  });

  it('nor for a granted scope this request does not ask for: it is asked when that is', () => {
    const now = withScope('write', { title: 'Overwrite' });
    expect(consentCovers(consentTo(SOURCES), requestFor(now, ['read']))).toEqual({
      covered: ['read'],
    });
    expect(consentCovers(consentTo(SOURCES), requestFor(now, ['write']))).toEqual({
      denied: 'terms_changed',
    });
  });
});

function reversed(words: ResourceWords): ResourceWords {
  const turn = <T>(record: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(record).reverse());
  return {
    ...words,
    scopes: turn(words.scopes),
    tools: turn(
      Object.fromEntries(Object.entries(words.tools).map(([k, v]) => [k, [...v].reverse()])),
    ),
  };
}

describe('the text terms are compared by', () => {
  it('is the same for every order of members, and after a database sorted them', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const again = JSON.parse(JSON.stringify(value));
        const turned = JSON.parse(JSON.stringify(value), (_key, member) =>
          typeof member === 'object' && member !== null && !Array.isArray(member)
            ? Object.fromEntries(Object.entries(member).reverse())
            : member,
        );
        expect(canonical(again)).toBe(canonical(value));
        expect(canonical(turned)).toBe(canonical(value));
        expect(JSON.parse(canonical(value))).toEqual(again);
      }),
      RUNS,
    );
  });

  it('cannot be made equal by moving words from one member to another', () => {
    const one = termsHash(termsOf(withAgent({ name: 'a', owner: 'bc' }), OFFERED));
    const other = termsHash(termsOf(withAgent({ name: 'ab', owner: 'c' }), OFFERED));
    expect(one).not.toBe(other);
  });
});

describe('onlyAdds: whether a new decision takes something back', () => {
  const facts = (more: Partial<DecisionFacts> & { sources?: TermsSources } = {}): DecisionFacts => {
    const { sources = SOURCES, ...rest } = more;
    return {
      clientHash: clientHash(sources.client),
      terms: termsFacts(termsOf(sources, OFFERED)),
      offered: OFFERED,
      granted: ['read'],
      helpers: 1,
      ...rest,
    };
  };
  it.each([
    ['the same again', facts(), true],
    ['one scope more', facts({ granted: ['read', 'write'] }), true],
    ['more helpers', facts({ helpers: 2 }), true],
    ['a scope not offered this time', facts({ offered: ['write'], granted: ['write'] }), true],
    ['a scope unticked', facts({ granted: ['write'] }), false],
    ['fewer helpers', facts({ helpers: 0 }), false],
    ['another name of the agent', facts({ sources: withAgent({ name: 'x' }) }), false],
    ['another name of the client', facts({ sources: withClient({ name: 'x' }) }), false],
    [
      'a granted scope that means something else',
      facts({ sources: withScope('read', { title: 'x' }) }),
      false,
    ],
    [
      'a scope that was not granted and means something else',
      facts({ sources: withScope('wipe', { title: 'x' }) }),
      true,
    ],
  ] as const)('%s: %s', (_name, latest, expected) => {
    expect(onlyAdds(facts(), latest)).toBe(expected);
  });

  it('keeps the terms of what was not offered this time', () => {
    const earlier = termsOf(SOURCES, ['read', 'write']);
    const now = termsOf(withScope('read', { title: 'x' }), ['wipe']);
    const kept: Terms = widenedTerms(earlier, now);
    expect(kept.scopes.read).toEqual(earlier.scopes.read);
    expect(Object.keys(kept.scopes).sort()).toEqual(OFFERED);
  });
});
