// RFC 9701 at a resource: an answer that counts is signed by the issuer, to this server, now.
import { generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { forge, signingInput } from '../../src/testing/forge.js';
import { createTestIssuer } from '../../src/testing/index.js';
import type { IntrospectionOptions } from '../../src/verifier/index.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

const client = { clientId: 'cli_files', clientSecret: 'secret-of-files' };
const SIGNED = 'application/token-introspection+jwt';
type Part = Record<string, unknown>;

interface Answer {
  /** Over those of a good answer; `undefined` leaves one out. */
  readonly header?: Part;
  readonly claims?: Part;
  readonly type?: string;
  /** In the place of the signed text. */
  readonly body?: (jws: string) => string | Promise<string>;
}

const claimsIn = (token: string): Part =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

async function createWorld(options: Partial<IntrospectionOptions> = {}) {
  const issuer = await createTestIssuer();
  const accepted: unknown[] = [];
  let next: Answer | undefined = {};
  let aheadMs = 0;
  const signed = async (token: string, { header, claims, body }: Answer) => {
    const { kid, privateKey } = issuer.signingKey();
    const payload = {
      iss: issuer.issuer,
      aud: client.clientId,
      iat: Math.floor((Date.now() + aheadMs) / 1000),
      token_introspection: { active: true, ...claimsIn(token) },
      ...claims,
    };
    const head = { alg: 'ES256', kid, typ: 'token-introspection+jwt', ...header };
    const jws = await forge(head, payload, privateKey);
    return (await body?.(jws)) ?? jws;
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { origin, pathname } = new URL(String(input));
    if (pathname.includes('oauth-authorization-server'))
      return Response.json({
        issuer: issuer.issuer,
        jwks_uri: `${origin}/.well-known/jwks.json`,
        introspection_endpoint: `${origin}/introspect`,
      });
    if (pathname !== '/introspect') return issuer.fetch(input, init);
    const request = new Request(input, init);
    accepted.push(request.headers.get('accept'));
    if (next === undefined) throw new TypeError('connection refused');
    const token = new URLSearchParams(await request.text()).get('token') ?? '';
    const headers = { 'content-type': next.type ?? SIGNED };
    return new Response(await signed(token, next), { headers });
  };
  const introspection = { mode: 'always', signed: true, ...options } as const;
  const world = await createVerifierWorld({ introspection, client, fetch });
  return {
    ...world,
    issuer,
    accepted,
    answer: (given: Answer | undefined) => {
      next = given;
    },
    advance: (seconds: number) => {
      aheadMs += seconds * 1000;
      world.advance(seconds);
    },
  };
}

const mallory = await generateKeyPair('ES256');
const plain = (jws: string) => JSON.stringify(claimsIn(jws).token_introspection);
const now = () => Math.floor(Date.now() / 1000);

describe('RFC 9701 §4: signed introspection answers', () => {
  it('are asked for, and taken', async () => {
    const { issuer, verifier, accepted } = await createWorld();
    const context = await verifier.verify(await issuer.delegatedToken());
    expect(context).toMatchObject({ kind: 'delegated', source: 'introspection' });
    expect(accepted).toEqual([SIGNED]);
  });

  it('are taken with parameters of the media type, a long typ, and a key that came meanwhile', async () => {
    const { issuer, verifier, answer, advance } = await createWorld();
    const token = await issuer.delegatedToken();
    await verifier.verify(token);
    answer({
      type: `${SIGNED.toUpperCase()} ; charset=utf-8`,
      header: { typ: 'application/token-introspection+jwt' },
    });
    await issuer.rotate();
    advance(31);
    expect((await verifier.verify(token)).source).toBe('introspection');
  });

  it('say no as well as yes, about this token and no other', async () => {
    const { issuer, verifier, answer } = await createWorld();
    const token = await issuer.delegatedToken();
    answer({ claims: { token_introspection: { active: false } } });
    expect((await refusal(verifier.verify(token))).reason).toBe('inactive');
    const other = claimsIn(await issuer.delegatedToken());
    answer({ claims: { token_introspection: { active: true, ...other } } });
    expect((await refusal(verifier.verify(token))).reason).toBe('inactive');
  });

  const BAD: ReadonlyArray<readonly [string, Answer]> = [
    ['a plain answer', { body: plain, type: 'application/json' }],
    ['a plain answer under the name of a signed one', { body: plain }],
    ['a signed answer under the name of a plain one', { type: 'application/json' }],
    ['a signed answer of no media type', { type: '' }],
    ['no signature', { body: (jws) => `${signingInput({ alg: 'none' }, claimsIn(jws))}.` }],
    ['alg none', { header: { alg: 'none' } }],
    ['alg HS256', { header: { alg: 'HS256' } }],
    ['another algorithm than its key has', { header: { alg: 'RS256' } }],
    ['no kid', { header: { kid: undefined } }],
    ['an unknown kid', { header: { kid: 'key-of-mallory' } }],
    ['a key of its own', { header: { jwk: {} } }],
    ['crit', { header: { crit: ['b64'] } }],
    ['typ of an access token', { header: { typ: 'at+jwt' } }],
    ['typ JWT', { header: { typ: 'JWT' } }],
    ['no typ', { header: { typ: undefined } }],
    ['another issuer', { claims: { iss: 'https://evil.example' } }],
    ['another client', { claims: { aud: 'cli_notes' } }],
    ['several clients', { claims: { aud: [client.clientId, 'cli_notes'] } }],
    ['nobody it is for', { claims: { aud: undefined } }],
    ['no time', { claims: { iat: undefined } }],
    ['a time as text', { claims: { iat: String(now()) } }],
    ['a time before the question', { claims: { iat: now() - 30 } }],
    ['a time to come', { claims: { iat: now() + 600 } }],
    ['nothing about a token', { claims: { token_introspection: undefined } }],
    ['text about a token', { claims: { token_introspection: '{"active":true}' } }],
    ['active beside, not inside', { claims: { token_introspection: {}, active: true } }],
    [
      'a signature of somebody else',
      {
        body: (jws) => {
          const header = JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString());
          return forge(header, claimsIn(jws), mallory.privateKey);
        },
      },
    ],
    ['a byte more', { body: (jws) => `${jws}A` }],
    ['a line break at the end', { body: (jws) => `${jws}\n` }],
    ['another part', { body: (jws) => `${jws}.e30` }],
    ['half of it', { body: (jws) => jws.slice(0, jws.length / 2) }],
    ['nothing', { body: () => '' }],
  ];

  it.each(BAD)('are refused with %s, 503 and never a yes', async (_name, bad) => {
    const { issuer, verifier, answer, events } = await createWorld();
    const token = await issuer.delegatedToken();
    answer(bad);
    const error = await refusal(verifier.verify(token));
    const isNo = 'active' in (bad.claims ?? {});
    expect(error.reason).toBe(isNo ? 'inactive' : 'introspection_unavailable');
    expect(JSON.stringify(events)).not.toContain(token.slice(-40));
    answer({});
    expect((await verifier.verify(token)).source).toBe('introspection');
  });

  it('are no outage when they are wrong: the JWT alone is not enough then', async () => {
    const world = await createWorld({ onOutage: { acceptJwtForSeconds: 600 } });
    const { issuer, verifier, answer } = world;
    const token = await issuer.delegatedToken();
    await verifier.verify(token);
    answer(undefined);
    expect((await verifier.verify(token)).source).toBe('jwt-degraded');
    for (const [name, bad] of BAD) {
      if ('active' in (bad.claims ?? {})) continue;
      answer(bad);
      const error = await refusal(verifier.verify(token));
      expect(error.reason, name).toBe('introspection_unavailable');
    }
  });

  it('are not replayed: what was good a minute ago answers another question', async () => {
    const { issuer, verifier, answer, advance } = await createWorld();
    const token = await issuer.delegatedToken();
    let kept = '';
    answer({ body: (jws) => (kept = jws) });
    await verifier.verify(token);
    answer({ body: () => kept });
    advance(60);
    expect((await refusal(verifier.verify(token))).reason).toBe('introspection_unavailable');
  });

  it('are demanded by true alone', async () => {
    const work = createWorld({ signed: 'yes' as unknown as boolean });
    await expect(work).rejects.toThrow(TypeError);
    const { issuer, verifier, accepted, answer } = await createWorld({ signed: false });
    answer({ body: plain, type: 'application/json' });
    await verifier.verify(await issuer.delegatedToken());
    expect(accepted).toEqual(['application/json']);
  });
});
