// Several issuers at one resource: each token by its own issuer's keys, stops and credentials only.
import { afterAll, describe, expect, it } from 'vitest';
import { createTestIssuer } from '../../src/testing/index.js';
import { createVerifier, type VerifierOptions } from '../../src/verifier/index.js';
import { eventually } from '../support/eventually.js';
import { refusal } from './support/verifier-world.js';

const RESOURCE = 'https://files.example/mcp';
const first = await createTestIssuer({ issuer: 'https://one.example', heartbeatMs: 50 });
const second = await createTestIssuer({ issuer: 'https://two.example', heartbeatMs: 50 });
const stranger = await createTestIssuer({ issuer: 'https://three.example' });
const authorizations: string[] = [];
const fetch: typeof globalThis.fetch = async (input, init) => {
  const { origin, pathname } = new URL(String(input));
  const authorization = new Headers(init?.headers).get('authorization');
  if (authorization !== null) authorizations.push(`${origin}${pathname} ${authorization}`);
  const issuer = [first, second, stranger].find((one) => one.issuer === origin);
  if (issuer === undefined) throw new TypeError(`no network: ${origin}`);
  return issuer.fetch(input, init);
};
const credentials = (clientId: string) => ({ clientId, clientSecret: `secret-of-${clientId}` });
const verifier = createVerifier({
  issuer: [
    { issuer: first.issuer, report: credentials('cli_first') },
    { issuer: second.issuer, report: credentials('cli_second') },
  ],
  resource: RESOURCE,
  fetch,
});
afterAll(() => verifier.close());

describe('several issuers', () => {
  it('verifies each one’s tokens, and says whose they are', async () => {
    for (const issuer of [first, second]) {
      const context = await verifier.verify(await issuer.delegatedToken());
      expect(context.issuer).toBe(issuer.issuer);
      expect(context.user).toMatchObject({ id: 'usr_alice', issuer: issuer.issuer });
    }
    expect(verifier.issuers).toEqual([first.issuer, second.issuer]);
    expect(verifier.protectedResourceMetadata()).toMatchObject({
      authorization_servers: [first.issuer, second.issuer],
    });
  });

  it('refuses what one signs in the name of the other (J4: the kids are the same)', async () => {
    const claims = { iss: second.issuer, aud: RESOURCE };
    const error = await refusal(verifier.verify(await first.delegatedToken({ claims })));
    expect(error.reason).toBe('signature_invalid');
  });

  it('refuses a third, and asks it nothing (J5)', async () => {
    const error = await refusal(verifier.verify(await stranger.delegatedToken()));
    expect(error.reason).toBe('issuer_mismatch');
    expect(stranger.requests).toEqual([]);
  });

  it('stops at the word of a token’s own issuer only, though ids are the same', async () => {
    const claims = { jti: 'cns_same.gnt_same.t1' };
    const tokens = await Promise.all([first, second].map((one) => one.delegatedToken({ claims })));
    const [of1, of2] = await Promise.all(tokens.map((token) => verifier.verify(token)));
    const { signal } = of1 as NonNullable<typeof of1>;
    const other = (of2 as NonNullable<typeof of2>).signal;
    await first.revoke('cns_same');
    await eventually(() => expect(signal.aborted).toBe(true));
    expect((await refusal(verifier.verify(tokens[0] as string))).reason).toBe('revoked');
    expect(other.aborted).toBe(false);
    expect((await verifier.verify(tokens[1] as string)).issuer).toBe(second.issuer);
  });

  it('reports decisions to the issuer of the token, with the credentials for it alone', async () => {
    const context = await verifier.verify(await second.delegatedToken());
    await verifier.authorize(context, 'files:read', { tool: 'read_file' });
    await eventually(() => expect(second.decisions).toHaveLength(1));
    expect(first.decisions).toEqual([]);
    const basic = (id: string) => `Basic ${btoa(`${id}:secret-of-${id}`)}`;
    for (const line of authorizations) {
      const id = line.startsWith(first.issuer) ? 'cli_first' : 'cli_second';
      expect(line.endsWith(basic(id))).toBe(true);
    }
  });

  it('goes on with one while the other is away', async () => {
    const own = [first, second].map(({ issuer }) => issuer);
    const both = createVerifier({ issuer: own, resource: RESOURCE, fetch, revocation: 'off' });
    second.fail(true);
    expect((await both.verify(await first.delegatedToken())).issuer).toBe(first.issuer);
    const error = await refusal(both.verify(await second.delegatedToken()));
    expect(error.reason).toBe('keys_unavailable');
    second.fail(false);
    await both.close();
  });
});

describe('V5: issuers that would not be safe', () => {
  const one = first.issuer;
  const report = credentials('cli_files');
  it.each<[string, Partial<VerifierOptions>]>([
    ['none', { issuer: [] }],
    ['one twice', { issuer: [one, { issuer: one }] }],
    ['one that is the resource', { issuer: [one, RESOURCE] }],
    ['one over plain http', { issuer: [one, 'http://two.example'] }],
    ['one that is no text', { issuer: [one, 7 as never] }],
    ['credentials for nobody in particular', { issuer: [one, second.issuer], report }],
    ['a client for nobody in particular', { issuer: [one, second.issuer], client: report }],
    ['keys for nobody in particular', { issuer: [one, second.issuer], jwks: first.jwks() }],
    [
      'a report without secret',
      { issuer: { issuer: one, report: { ...report, clientSecret: '' } } },
    ],
  ])('refuses %s', (_name, options) => {
    const all = { resource: RESOURCE, issuer: one, ...options };
    expect(() => createVerifier(all)).toThrow(TypeError);
  });
});
