// What an enterprise's policy allows of what is asked, in the place of a user's consent. Pure.
import { describe, expect, it } from 'vitest';
import { type Asserted, addressIn, allowedByPolicy } from '../../src/broker/assertion/policy.js';
import { isMeant } from '../../src/broker/workload/policy.js';

const FILES = 'https://files.example/mcp';
const NOW = 1_800_000_000;
const scope = (more: object = {}) => ({
  risk: 'read' as const,
  restricted: false,
  implies: [] as string[],
  base: false,
  ...more,
});
const SCOPES = {
  list: scope({ base: true }),
  read: scope({ base: true, implies: ['list'] }),
  purge: scope({ risk: 'destructive' }),
  quota: scope({ restricted: true }),
  admin: scope({ implies: ['quota', 'read'] }),
  pay: scope({ reauthSeconds: 60 }),
};
const asserted = (more: Partial<Asserted> = {}): Asserted => ({
  jti: 'j',
  resource: FILES,
  scopes: undefined,
  agentId: undefined,
  authTime: undefined,
  ...more,
});
const allowed = (
  scopes: string[] | undefined,
  word: Partial<Asserted> = {},
  asked: string[] = [],
) =>
  allowedByPolicy(
    SCOPES,
    {
      resources: [{ resource: FILES, ...(scopes === undefined ? {} : { scopes }) }],
      clients: ['c'],
    },
    asserted(word),
    asked,
    NOW,
  );

describe('allowedByPolicy', () => {
  it('without a list: everything but what is restricted, destructive or asks for a recent sign-in', () => {
    expect(allowed(undefined).allowed).toEqual(['admin', 'list', 'read']);
  });

  it('with a list: that and what it implies; what is grave only by its own name', () => {
    expect(allowed(['read']).allowed).toEqual(['list', 'read']);
    expect(allowed(['admin']).allowed).toEqual(['admin', 'list', 'read']);
    expect(allowed(['admin', 'quota', 'purge']).allowed).toEqual([
      'admin',
      'list',
      'purge',
      'quota',
      'read',
    ]);
  });

  it('the assertion only lowers it', () => {
    expect(allowed(['read'], { scopes: ['list', 'purge'] }).allowed).toEqual(['list']);
    expect(allowed(undefined, { scopes: [] }).allowed).toEqual([]);
  });

  it('RFC 9470: a recent sign-in is what the assertion tells of, or none', () => {
    expect(allowed(['pay'], { authTime: NOW - 60 }).allowed).toEqual(['pay']);
    expect(allowed(['pay'], { authTime: NOW - 61 }).allowed).toEqual([]);
    expect(allowed(['pay']).allowed).toEqual([]);
  });

  it('asked is what the request says, else the assertion, else the base scopes', () => {
    expect(allowed(undefined, { scopes: ['read'] }, ['list']).requested).toEqual(['list']);
    expect(allowed(undefined, { scopes: ['read'] }).requested).toEqual(['read']);
    expect(allowed(undefined).requested).toEqual(['list', 'read']);
  });
});

it('incident 17: an address of its own domain alone, and checked', () => {
  const rules = {
    resources: [{ resource: FILES }],
    clients: ['c'],
    subject: 'email' as const,
    emailDomains: ['example.com'],
  };
  const of = (email: unknown, verified: unknown = true) =>
    addressIn({ email, email_verified: verified }, rules);
  expect(of('ana@EXAMPLE.com')).toBe('ana@EXAMPLE.com');
  const no = [of('ana@evil.com'), of('ana@example.com@evil.com'), of('ana@sub.example.com'), of(7)];
  expect([...no, of('ana@example.com', 'true'), of('ana@example.com', 1)]).toEqual(
    Array(6).fill(undefined),
  );
  expect(
    addressIn({ email: 'ana@example.com', email_verified: true }, { ...rules, subject: 'mapped' }),
  ).toBeUndefined();
});

it('a rule about a claim looks at the token’s own claims, and at nothing it inherits', () => {
  const rule = { issuer: 'i', subject: 's', claims: { toString: 'x' } };
  expect(isMeant(rule, { iss: 'i', sub: 's' })).toBe(false);
  expect(isMeant(rule, { iss: 'i', sub: 's', toString: 'x' })).toBe(true);
});
