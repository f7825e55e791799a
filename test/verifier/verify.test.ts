import { describe, expect, it } from 'vitest';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

const { issuer, verifier } = await createVerifierWorld({ revocation: 'off' });

describe('DESIGN §3: what a protected server learns from a token', () => {
  it('sees user, agent, history, client, E and A of a delegated call', async () => {
    const token = await issuer.delegatedToken({
      scope: 'files:read',
      agentScope: 'files:read files:write',
      chain: ['agt_planner'],
      claims: { jti: 'cns_A.gnt_B.t1', acr: 'urn:mfa', auth_time: 7 },
    });
    const context = await verifier.verify(token);
    expect({ ...context, signal: undefined, can: undefined, expiresAt: undefined }).toEqual({
      kind: 'delegated',
      subject: { id: 'usr_alice', issuer: issuer.issuer, profile: 'user' },
      user: { id: 'usr_alice', issuer: issuer.issuer, acr: 'urn:mfa', authTimeSeconds: 7 },
      agent: { id: 'agt_scout', issuer: issuer.issuer, profile: 'ai_agent' },
      actorChain: [
        { id: 'agt_scout', issuer: issuer.issuer, profile: 'ai_agent' },
        { id: 'agt_planner', issuer: issuer.issuer, profile: 'ai_agent' },
      ],
      actorProof: 'token',
      client: { id: 'cli_host' },
      via: [],
      scopes: new Set(['files:read']),
      agentScopes: new Set(['files:read', 'files:write']),
      tokenId: 'cns_A.gnt_B.t1',
      issuer: issuer.issuer,
      audience: issuer.resource,
      source: 'jwt',
    });
    expect(context.can('files:read')).toBe(true);
    expect(context.can('files:write')).toBe(false);
  });

  it('tells an agent on its own, a service, and a plain user apart', async () => {
    const agent = await verifier.verify(await issuer.agentToken());
    expect(agent).toMatchObject({ kind: 'agent', agent: { id: 'agt_scout' } });
    expect(agent.user).toBeUndefined();
    const service = await verifier.verify(await issuer.token());
    expect(service).toMatchObject({ kind: 'service', subject: { id: 'cli_job' } });
    expect(service.agent ?? service.user).toBeUndefined();
    const claims = { sub: 'usr_alice', sub_profile: 'user', client_id: 'cli_app' };
    const user = await verifier.verify(await issuer.token(claims));
    expect(user).toMatchObject({ kind: 'user', user: { id: 'usr_alice' } });
  });

  it('names no user when an agent’s own token was handed on', async () => {
    const claims = { sub_profile: 'ai_agent' };
    const token = await issuer.delegatedToken({ user: 'agt_boss', claims });
    const context = await verifier.verify(token);
    expect(context).toMatchObject({ kind: 'delegated', subject: { id: 'agt_boss' } });
    expect(context.user).toBeUndefined();
  });

  it('sees a service that went on as the current actor, whom it acts after, and by which clients', async () => {
    const token = await issuer.delegatedToken({
      agent: 'cli_files',
      client: 'cli_files',
      scope: 'notes:read',
      chain: ['agt_checker', 'agt_scout'],
      claims: { via: ['cli_host', 'agt_scout', 'agt_checker'], actor_proof: 'client_auth' },
    });
    const context = await verifier.verify(token);
    expect(context).toMatchObject({
      kind: 'delegated',
      user: { id: 'usr_alice' },
      agent: { id: 'cli_files', issuer: issuer.issuer, profile: 'service' },
      actorProof: 'client_auth',
      client: { id: 'cli_files' },
      via: ['cli_host', 'agt_scout', 'agt_checker'],
    });
    expect(context.actorChain.map(({ id, profile }) => [id, profile])).toEqual([
      ['cli_files', 'service'],
      ['agt_checker', 'ai_agent'],
      ['agt_scout', 'ai_agent'],
    ]);
    expect(() => (context.via as string[]).push('cli_other')).toThrow(TypeError);
    // History never decides (RFC 8693 §4.1): only the service is asked about.
    const decide = (agents: string[]) =>
      verifier.authorize(context, { all: ['notes:read'], agents });
    expect((await decide(['cli_files'])).ok).toBe(true);
    expect(await decide(['agt_checker', 'agt_scout'])).toMatchObject({
      ok: false,
      error: { reason: 'agent_refused' },
    });
  });

  it('is frozen, and holds the token nowhere (VF17)', async () => {
    const token = await issuer.delegatedToken();
    const context = await verifier.verify(token);
    const info = await verifier.verifyAccessToken(token);
    expect(() => (context.scopes as Set<string>).add('files:delete')).toThrow(TypeError);
    expect(() => Object.assign(context, { kind: 'user' })).toThrow(TypeError);
    for (const value of [context, info])
      expect(
        JSON.stringify(value, (_key, inner) => (inner instanceof Set ? [...inner] : inner)),
      ).not.toContain(token.split('.')[2]);
    expect(info).toEqual({
      token: context.tokenId,
      clientId: 'cli_host',
      scopes: ['files:read'],
      expiresAt: context.expiresAt.getTime() / 1000,
      resource: new URL(issuer.resource),
      extra: { context: expect.objectContaining({ tokenId: context.tokenId }) },
    });
  });
});

describe('VF1 time, with 5 s of tolerance', () => {
  const at = (iat: number, exp: number) => issuer.token({ iat, exp });
  const now = () => Math.floor(Date.now() / 1000);

  it('accepts a token expired 2 s ago, and refuses one expired 6 s ago', async () => {
    await verifier.verify(await at(now() - 300, now() - 2));
    const error = await refusal(verifier.verify(await at(now() - 300, now() - 6)));
    expect(error).toMatchObject({ reason: 'expired', status: 401, claim: 'exp' });
  });

  it('accepts a token issued 3 s ahead, and refuses one issued 30 s ahead', async () => {
    await verifier.verify(await at(now() + 3, now() + 300));
    const error = await refusal(verifier.verify(await at(now() + 30, now() + 300)));
    expect(error).toMatchObject({ reason: 'not_yet_valid', claim: 'iat' });
  });
});

describe('RFC 9068 §2.1 typ', () => {
  it.each(['at+jwt', 'application/at+jwt', 'AT+JWT'])('accepts %s', async (typ) => {
    expect(await verifier.verify(await issuer.token({}, { typ }))).toBeDefined();
  });
  it.each(['JWT', 'at+jwt ', 'at', 'xat+jwt', 'application/at'])('refuses %j', async (typ) => {
    const error = await refusal(verifier.verify(await issuer.token({}, { typ })));
    expect(error.reason).toBe('typ_refused');
  });
});

describe('who may call at all (VF4, VF6)', () => {
  it('refuses an actor nobody proved, unless told otherwise', async () => {
    const token = await issuer.delegatedToken({ claims: { actor_proof: 'none' } });
    const error = await refusal(verifier.verify(token));
    expect(error).toMatchObject({ code: 'actor_unauthorized', status: 403 });
    const options = { acceptUnprovedActors: true, jwks: issuer.jwks() };
    const lenient = (await createVerifierWorld(options)).verifier;
    expect((await lenient.verify(token)).actorProof).toBe('none');
  });

  it('refuses a plain user where only delegated calls are accepted, as no token without act', async () => {
    const { verifier: strict } = await createVerifierWorld({
      accept: ['delegated'],
      jwks: issuer.jwks(),
    });
    await strict.verify(await issuer.delegatedToken());
    const claims = { sub: 'usr_alice', sub_profile: 'user', client_id: 'cli_app' };
    const error = await refusal(strict.verify(await issuer.token(claims)));
    expect(error).toMatchObject({ code: 'actor_unauthorized', reason: 'principal_refused' });
  });

  it('counts the depth of the chain exactly: four actors pass, five do not (TX10)', async () => {
    const chain = ['agt_1', 'agt_2', 'agt_3'];
    await verifier.verify(await issuer.delegatedToken({ chain }));
    const deeper = await issuer.delegatedToken({ chain: [...chain, 'agt_4'] });
    expect(await refusal(verifier.verify(deeper))).toMatchObject({ claim: 'act' });
  });
});

describe('RFC 8725 §3.1: algorithms', () => {
  it('are those the resource names: another of ours is refused by its name (J3)', async () => {
    const jwks = issuer.jwks();
    const only = (algorithms: ('ES256' | 'EdDSA')[]) => createVerifierWorld({ algorithms, jwks });
    const token = await issuer.token();
    expect((await (await only(['ES256'])).verifier.verify(token)).kind).toBe('service');
    const { verifier: other } = await only(['EdDSA']);
    expect(await refusal(other.verify(token))).toMatchObject({
      reason: 'alg_refused',
      claim: 'alg',
    });
  });
});

describe('VF10, VF11: exactly one Authorization header', () => {
  const authenticate = async (headers: Record<string, string | string[]>, url = '/mcp') =>
    verifier.authenticate({ headers, url });
  const bearer = async () => `Bearer ${await issuer.delegatedToken()}`;

  it('reads a fetch Request, a Node request and a plain object, scheme in any case', async () => {
    const authorization = (await bearer()).replace('Bearer', 'bEARER');
    const request = new Request(issuer.resource, { headers: { authorization } });
    expect((await verifier.authenticate(request)).kind).toBe('delegated');
    const rawHeaders = ['Authorization', authorization];
    const node = { headers: { authorization }, rawHeaders };
    expect((await verifier.authenticate(node)).kind).toBe('delegated');
    expect((await authenticate({ Authorization: authorization })).kind).toBe('delegated');
  });

  it.each([
    ['no header', async () => ({}), 'header_missing'],
    ['an empty header', async () => ({ authorization: '' }), 'header_malformed'],
    ['no token', async () => ({ authorization: 'Bearer' }), 'header_malformed'],
    [
      'a tab',
      async () => ({ authorization: (await bearer()).replace(' ', '\t') }),
      'header_malformed',
    ],
    ['a space in the token', async () => ({ authorization: 'Bearer a b' }), 'header_malformed'],
    ['Basic', async () => ({ authorization: 'Basic YTpi' }), 'scheme_unsupported'],
    ['Digest', async () => ({ authorization: 'Digest abc' }), 'scheme_unsupported'],
    [
      'two values',
      async () => ({ authorization: [await bearer(), 'Bearer x'] }),
      'header_repeated',
    ],
    [
      'two names',
      async () => ({ authorization: await bearer(), Authorization: 'Bearer x' }),
      'header_repeated',
    ],
    [
      'two in one',
      async () => ({ authorization: `${await bearer()}, Bearer x` }),
      'header_repeated',
    ],
  ])('refuses %s', async (_name, headers, reason) => {
    const error = await refusal(authenticate(await headers()));
    expect(error).toMatchObject({ code: 'missing_token', status: 401, reason });
  });

  it('refuses a header sent twice that Node has folded into one', async () => {
    const authorization = await bearer();
    const rawHeaders = ['Authorization', authorization, 'authorization', 'Bearer x'];
    const error = await refusal(verifier.authenticate({ headers: { authorization }, rawHeaders }));
    expect(error.reason).toBe('header_repeated');
  });

  it('refuses a token in the URL, even beside a good header (RFC 6750 §2.3)', async () => {
    const headers = { authorization: await bearer() };
    expect((await refusal(authenticate(headers, '/mcp?access_token=x'))).reason).toBe(
      'token_in_query',
    );
    expect((await authenticate(headers, '/mcp?q=access_token')).kind).toBe('delegated');
  });
});

describe('V5: a verifier that would not be safe cannot be built', () => {
  const good = { issuer: issuer.issuer, resource: issuer.resource };
  it.each([
    ['no issuer', { issuer: undefined as never }],
    ['an http issuer off loopback', { issuer: 'http://broker.example' }],
    ['an issuer with a query', { issuer: 'https://broker.example?x=1' }],
    ['a relative resource', { resource: '/mcp' }],
    ['a resource with a fragment', { resource: 'https://files.example/mcp#x' }],
    ['a resource with a password', { resource: 'https://a:b@files.example/mcp' }],
    ['the issuer as resource', { resource: issuer.issuer }],
    ['two minutes of tolerance', { clockToleranceSeconds: 120 }],
    ['a negative tolerance', { clockToleranceSeconds: -1 }],
    ['NaN tolerance', { clockToleranceSeconds: Number.NaN }],
    ['no algorithm', { algorithms: [] }],
    ['a symmetric algorithm', { algorithms: ['HS256' as never] }],
    ['no signature at all', { algorithms: ['none' as never] }],
    ['no accepted caller', { accept: [] }],
    ['an unknown caller', { accept: ['robot' as never] }],
    ['an unknown revocation mode', { revocation: 'maybe' as never }],
    ['an unknown stale mode', { onStale: 'ignore' as never }],
    ['a report without secret', { report: { clientId: 'cli_x', clientSecret: '' } }],
  ])('refuses %s', async (_name, wrong) => {
    await expect(createVerifierWorld({ ...good, ...wrong })).rejects.toThrow(TypeError);
  });

  it('takes http on loopback', async () => {
    const loopback = { issuer: 'http://localhost:4000', resource: 'http://127.0.0.1:5000/mcp' };
    expect((await createVerifierWorld(loopback)).verifier.issuer).toBe('http://localhost:4000');
  });
});
