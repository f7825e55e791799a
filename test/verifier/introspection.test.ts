// RFC 7662 at a resource: when the issuer is asked, what its answer is worth, and what no answer is worth.
import { describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../../src/testing/index.js';
import type {
  AuthContext,
  IntrospectionOptions,
  VerifierOptions,
} from '../../src/verifier/index.js';
import { defineToolPolicy, protectMcpServer } from '../../src/verifier/mcp/index.js';
import { createProver } from './support/prover.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

type Answer = (token: string) => Response | Promise<Response>;

const claimsIn = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const alive: Answer = (token) => Response.json({ active: true, ...claimsIn(token) });
const down: Answer = () => Promise.reject(new TypeError('connection refused'));
const client = { clientId: 'cli_files', clientSecret: 'secret-of-files' };

async function createWorld(
  introspection: IntrospectionOptions,
  options: Partial<VerifierOptions> = {},
) {
  const issuer: TestIssuer = await createTestIssuer();
  const asked: string[] = [];
  let answer = alive;
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
    const form = new URLSearchParams(await request.text());
    const basic = request.headers.get('authorization');
    asked.push(`${request.method} ${basic} ${form.get('token_type_hint')}`);
    return answer(form.get('token') ?? '');
  };
  const world = await createVerifierWorld({ introspection, client, fetch, ...options });
  return {
    ...world,
    issuer,
    asked,
    answer: (next: Answer) => {
      answer = next;
    },
  };
}

describe('always: every token, every time', () => {
  it('asks as this server’s own client, and says that the issuer was asked', async () => {
    const { issuer, verifier, asked } = await createWorld({ mode: 'always' });
    const token = await issuer.delegatedToken();
    for (let use = 0; use < 2; use += 1)
      expect((await verifier.verify(token)).source).toBe('introspection');
    const line = `POST Basic ${btoa('cli_files:secret-of-files')} access_token`;
    expect(asked).toEqual([line, line]);
  });

  it('asks nothing about a token that is wrong already', async () => {
    const { issuer, verifier, asked } = await createWorld({ mode: 'always' });
    const error = await refusal(verifier.verify(await issuer.token({ aud: 'https://x.example' })));
    expect(error.reason).toBe('audience_mismatch');
    expect(asked).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['active: false', { active: false }],
    ['no active', { sub: 'usr_alice' }],
    ['active as text', { active: 'true' }],
    ['active: 1', { active: 1 }],
    ['another token', { active: true, jti: 'cns_other.gnt_other.t1', sub: 'usr_alice' }],
    ['a token without id', { active: true }],
  ])('takes %s for a no', async (_name, body) => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'always' });
    answer(() => Response.json(body));
    const error = await refusal(verifier.verify(await issuer.delegatedToken()));
    expect(error).toMatchObject({ code: 'invalid_token', reason: 'inactive', status: 401 });
  });

  it('beats what is remembered', async () => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'always' });
    const token = await issuer.delegatedToken();
    await verifier.verify(token);
    answer(() => Response.json({ active: false }));
    expect((await refusal(verifier.verify(token))).reason).toBe('inactive');
  });
});

describe('the outage rule', () => {
  const acceptJwt = { acceptJwtForSeconds: 60 };

  it.each<[string, Answer]>([
    ['no connection', down],
    ['500', () => new Response(null, { status: 500 })],
    ['429', () => new Response(null, { status: 429 })],
    ['HTML', () => new Response('<html>')],
    ['a list', () => Response.json([{ active: true }])],
    ['a megabyte', () => new Response(`{"active":true,"x":"${'x'.repeat(1_000_000)}"}`)],
  ])('refuse: 503 with %s, never a yes (V6)', async (_name, broken) => {
    const { issuer, verifier, answer, events } = await createWorld({ mode: 'always' });
    const token = await issuer.delegatedToken();
    await verifier.verify(token);
    answer(broken);
    expect(await refusal(verifier.verify(token))).toMatchObject({
      code: 'temporarily_unavailable',
      reason: 'introspection_unavailable',
      status: 503,
    });
    const told = events.filter(({ type }) => type === 'introspection_error');
    expect(told).toMatchObject([{ issuer: issuer.issuer, error: expect.any(Error) }]);
    expect(JSON.stringify(events)).not.toContain(token.slice(-40));
  });

  it('acceptJwtForSeconds: goes by the JWT for so long after the last answer, and says so', async () => {
    const world = await createWorld({ mode: 'always', onOutage: acceptJwt });
    const { issuer, verifier, answer, advance } = world;
    const claims = { exp: Math.floor(Date.now() / 1000) + 3600 };
    const token = await issuer.delegatedToken({ claims });
    await verifier.verify(token);
    answer(down);
    advance(59);
    expect((await verifier.verify(token)).source).toBe('jwt-degraded');
    advance(2);
    expect((await refusal(verifier.verify(token))).reason).toBe('introspection_unavailable');
    answer(alive);
    expect((await verifier.verify(token)).source).toBe('introspection');
  });

  it('does not take a refusal of us for an outage, nor a first silence', async () => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'always', onOutage: acceptJwt });
    const token = await issuer.delegatedToken();
    answer(down);
    expect((await refusal(verifier.verify(token))).reason).toBe('introspection_unavailable');
    answer(alive);
    await verifier.verify(token);
    for (const status of [400, 401, 403, 404]) {
      answer(() => new Response(null, { status }));
      expect((await refusal(verifier.verify(token))).reason).toBe('introspection_unavailable');
    }
  });

  it('never makes an answer of no a maybe', async () => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'always', onOutage: acceptJwt });
    const token = await issuer.delegatedToken();
    await verifier.verify(token);
    answer(() => Response.json({ active: false }));
    expect((await refusal(verifier.verify(token))).reason).toBe('inactive');
  });
});

describe('opaque-only: tokens that are no JWT', () => {
  const opaque = 'opaque-token_1';
  const members = (issuer: TestIssuer, more: object = {}) => {
    const iat = Math.floor(Date.now() / 1000);
    const { issuer: iss, resource: aud } = issuer;
    const ids = { sub: 'cli_job', client_id: 'cli_job', sub_profile: 'service', jti: 'crd_1.t1' };
    return { active: true, iss, aud, iat, exp: iat + 300, scope: 'files:read', ...ids, ...more };
  };

  it('are read by the issuer, and held to the same rules; a JWT is not asked about', async () => {
    const { issuer, verifier, asked, answer } = await createWorld({ mode: 'opaque-only' });
    expect((await verifier.verify(await issuer.delegatedToken())).source).toBe('jwt');
    expect(asked).toEqual([]);
    answer(() => Response.json(members(issuer)));
    const context = await verifier.verify(opaque);
    expect(context).toMatchObject({
      kind: 'service',
      source: 'introspection',
      tokenId: 'crd_1.t1',
    });
    expect(await verifier.authorize(context, 'files:read')).toEqual({ ok: true });
  });

  it.each<[string, object, string]>([
    ['another audience', { aud: 'https://other.example' }, 'audience_mismatch'],
    ['no audience', { aud: undefined }, 'audience_mismatch'],
    ['another issuer', { iss: 'https://evil.example' }, 'issuer_mismatch'],
    ['no issuer', { iss: undefined }, 'issuer_mismatch'],
    ['no expiry', { exp: undefined }, 'claim_missing'],
    ['an expiry that is over', { iat: 1, exp: 2 }, 'expired'],
    ['scope beyond the agent', { sub: 'usr_a', ...actedFor('files:list') }, 'invariant_broken'],
    ['a key that was not proved', { cnf: { jkt: 'A'.repeat(43) } }, 'binding_unproved'],
    ['inactive', { active: false }, 'inactive'],
  ])('refuses %s', async (_name, more, reason) => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'opaque-only' });
    answer(() => Response.json(members(issuer, more)));
    expect((await refusal(verifier.verify(opaque))).reason).toBe(reason);
  });

  it('are good with the proof they are bound to', async () => {
    const { issuer, verifier, answer } = await createWorld({ mode: 'opaque-only' });
    const prover = await createProver(issuer.resource);
    answer(() => Response.json(members(issuer, { cnf: { jkt: prover.jkt } })));
    const at = { method: 'POST', url: issuer.resource };
    const dpop = { ...at, proof: await prover.prove(opaque) };
    expect((await verifier.verify(opaque, { dpop })).binding).toEqual({ jkt: prover.jkt });
  });

  it('are 503 in an outage, whatever the rule for JWTs', async () => {
    const onOutage = { acceptJwtForSeconds: 3600 };
    const { verifier, answer } = await createWorld({ mode: 'opaque-only', onOutage });
    answer(down);
    expect((await refusal(verifier.verify(opaque))).reason).toBe('introspection_unavailable');
  });

  it.each([
    '',
    ' ',
    'a b',
    'a\nb',
    'é',
    '{"a":1}',
    `x${'x'.repeat(17_000)}`,
  ])('are not asked about when they could be no token: %j', async (token) => {
    const { verifier, asked } = await createWorld({ mode: 'opaque-only' });
    expect((await refusal(verifier.verify(token))).code).toBe('invalid_token');
    expect(asked).toEqual([]);
  });

  it('are malformed where nobody is asked', async () => {
    const { verifier, asked } = await createWorld({ mode: 'never' });
    expect((await refusal(verifier.verify(opaque))).reason).toBe('token_malformed');
    expect(asked).toEqual([]);
  });
});

const actedFor = (agent_scope: string) => ({
  act: { sub: 'agt_scout', iss: 'https://broker.example' },
  actor_proof: 'token',
  agent_scope,
});

describe('sensitive: before the operations that say so', () => {
  const sensitive = { all: ['files:read'], sensitive: true } as const;
  const authorize = async (world: Awaited<ReturnType<typeof createWorld>>, context: AuthContext) =>
    world.verifier.authorize(context, sensitive);

  it('asks then, each time, and not before', async () => {
    const world = await createWorld({ mode: 'sensitive' });
    const context = await world.verifier.verify(await world.issuer.delegatedToken());
    await world.verifier.authorize(context, 'files:read');
    expect(world.asked).toEqual([]);
    expect(await authorize(world, context)).toEqual({ ok: true });
    world.answer(() => Response.json({ active: false }));
    expect(await authorize(world, context)).toMatchObject({ error: { reason: 'inactive' } });
    world.answer(down);
    expect(await authorize(world, context)).toMatchObject({
      error: { reason: 'introspection_unavailable', status: 503 },
    });
    expect(world.asked).toHaveLength(3);
  });

  it('does not ask where the agent’s side is in the way', async () => {
    const world = await createWorld({ mode: 'sensitive' });
    const token = await world.issuer.delegatedToken({ scope: 'files:list' });
    const context = await world.verifier.verify(token);
    expect(await authorize(world, context)).toMatchObject({
      error: { reason: 'agent_scope_missing' },
    });
    expect(world.asked).toEqual([]);
  });

  it('holds the token nowhere a caller can look (VF17)', async () => {
    const world = await createWorld({ mode: 'sensitive' });
    const token = await world.issuer.delegatedToken();
    const context = await world.verifier.verify(token);
    expect(JSON.stringify(context)).not.toContain(token.slice(-40));
    expect(await world.verifier.verify(token)).not.toBe(context);
  });

  it('is satisfied by a token that was asked about at authentication', async () => {
    const world = await createWorld({ mode: 'always' });
    const context = await world.verifier.verify(await world.issuer.delegatedToken());
    expect(await authorize(world, context)).toEqual({ ok: true });
    expect(world.asked).toHaveLength(1);
  });

  it('cannot be demanded, nor a policy with it start, where nobody is asked', async () => {
    for (const mode of ['never', 'opaque-only'] as const) {
      const world = await createWorld({ mode });
      const context = await world.verifier.verify(await world.issuer.delegatedToken());
      await expect(authorize(world, context)).rejects.toThrow(TypeError);
      const policy = defineToolPolicy({ tools: { wipe: sensitive } });
      expect(() => protectMcpServer(world.verifier, policy)).toThrow(TypeError);
    }
  });
});

describe('V5: introspection that would not be safe', () => {
  it.each<[string, unknown, unknown]>([
    ['an unknown mode', { mode: 'sometimes' }, client],
    ['no client', { mode: 'always' }, undefined],
    ['a client without secret', { mode: 'always', client: { clientId: 'cli_x' } }, client],
    ['an outage rule of its own', { mode: 'always', onOutage: 'accept' }, client],
    ['a day', { mode: 'always', onOutage: { acceptJwtForSeconds: 86_400 } }, client],
    ['no time', { mode: 'always', onOutage: { acceptJwtForSeconds: 0 } }, client],
    ['NaN', { mode: 'always', onOutage: { acceptJwtForSeconds: Number.NaN } }, client],
  ])('refuses %s', async (_name, introspection, own) => {
    const work = createWorld(introspection as IntrospectionOptions, { client: own as never });
    await expect(work).rejects.toThrow(TypeError);
  });

  it('refuses two issuers that could both be asked about one opaque token', async () => {
    const one = { introspection: { mode: 'opaque-only', client } } as const;
    const issuer = ['https://one.example', 'https://two.example'].map((name) => ({
      issuer: name,
      ...one,
    }));
    await expect(createVerifierWorld({ issuer })).rejects.toThrow(TypeError);
  });
});
