// Whose documents are believed, and for how long: the operator's rules, as decisions.
import { describe, expect, it } from 'vitest';
import { freshSeconds, isTrusted } from '../../src/broker/clients/document-policy.js';
import { documentProblems, documentRulesOf } from '../../src/broker/document-rules.js';

const rules = (trust: 'off' | 'domains' | 'open', ...domains: string[]) => ({
  trust,
  domains,
  allowLoopback: false,
});
const at = (host: string) => `https://${host}/client.json`;

describe('whose document is believed', () => {
  it.each<[string, boolean]>([
    ['app.example.com', true],
    ['app.example.com:8443', true],
    ['example.com', false],
    ['evil-app.example.com', false],
    ['app.example.com.evil.example', false],
    ['a.below.example.org', true],
    ['a.b.below.example.org', true],
    ['below.example.org', false],
    ['evilbelow.example.org', false],
  ])('of the domains an operator lists: %s, %s', (host, believed) => {
    const domains = rules('domains', 'app.example.com', '*.below.example.org');
    expect(isTrusted(at(host), domains, false)).toBe(believed);
  });

  it('also of a URL that an operator named; anybody’s where it is open; nobody’s where it is off', () => {
    expect(isTrusted(at('evil.example'), rules('domains', 'app.example.com'), true)).toBe(true);
    expect(isTrusted(at('evil.example'), rules('open'), false)).toBe(true);
    expect(isTrusted(at('app.example.com'), rules('off', 'app.example.com'), true)).toBe(false);
  });

  it('on loopback only where the issuer is, and never in production', () => {
    const allows = (issuer: string, production: boolean) =>
      documentRulesOf({ issuer, production }).allowLoopback;
    expect(allows('http://localhost:4000', false)).toBe(true);
    expect(allows('http://[::1]:4000', false)).toBe(true);
    expect(allows('http://localhost:4000', true)).toBe(false);
    expect(allows('https://broker.example', false)).toBe(false);
  });
});

describe('settings that mean nothing', () => {
  it.each<[string, Parameters<typeof documentProblems>[0]]>([
    ['domains without a list', { clientDocuments: 'domains', clientDocumentDomains: [] }],
    ['a list that nobody reads', { clientDocuments: 'open', clientDocumentDomains: ['a.example'] }],
    ['a list for nobody', { clientDocuments: 'off', clientDocumentDomains: ['a.example'] }],
    ['a URL', { clientDocuments: 'domains', clientDocumentDomains: ['https://a.example'] }],
    ['one label', { clientDocuments: 'domains', clientDocumentDomains: ['localhost'] }],
    ['everybody', { clientDocuments: 'domains', clientDocumentDomains: ['*'] }],
    ['a pattern', { clientDocuments: 'domains', clientDocumentDomains: ['a*.example.com'] }],
    ['a port', { clientDocuments: 'domains', clientDocumentDomains: ['a.example.com:1'] }],
    ['another spelling', { clientDocuments: 'domains', clientDocumentDomains: ['A.example.com'] }],
  ])('are refused: %s', (_what, settings) => {
    expect(documentProblems(settings)).toHaveLength(1);
  });

  it('and those that mean something are not', () => {
    const domains = ['app.example.com', '*.example.org'];
    expect(
      documentProblems({ clientDocuments: 'domains', clientDocumentDomains: domains }),
    ).toEqual([]);
    expect(documentProblems({ clientDocuments: 'open', clientDocumentDomains: [] })).toEqual([]);
  });
});

describe('how long a document is kept (K11)', () => {
  it.each<[number | undefined, boolean, number]>([
    [undefined, false, 3600],
    [0, false, 300],
    [299, false, 300],
    [301, false, 301],
    [86_400, false, 86_400],
    [315_360_000, false, 86_400],
    // Its keys are elsewhere, and change without a word in it.
    [86_400, true, 3600],
    [0, true, 300],
  ])('whose server says %s, keys elsewhere %s: %s s', (said, keysAreFetched, kept) => {
    expect(freshSeconds(said, keysAreFetched)).toBe(kept);
  });
});
