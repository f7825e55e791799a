import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AgentHostOptions,
  authorizationHeader,
  createAgentHost,
  createMemoryStore,
  isAgentError,
} from '../../src/agent/index.js';
import { type FakeServer, startFakeServer } from './support/fake-server.js';

const resource = 'https://files.example/mcp';
const redirectUri = 'http://127.0.0.1:8123/callback';
let server: FakeServer;
let aheadMs = 0;
const now = () => Date.now() + aheadMs;
beforeEach(async () => {
  server = await startFakeServer();
  aheadMs = 0;
});
afterEach(() => server.close());

const createHost = (options: Partial<AgentHostOptions> = {}) =>
  createAgentHost({
    issuer: server.issuer,
    agent: { id: 'agt_scout', auth: { secret: 'agent-secret' } },
    client: { id: 'cli_host', redirectUri },
    now,
    ...options,
  });

/** The code of an AgentError; anything else fails the test. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'succeeded',
    (error: unknown) => error,
  );
  if (isAgentError(outcome)) return outcome.code;
  throw new Error('an AgentError was expected', { cause: outcome });
}

async function delegate(host = createHost()) {
  const { url, transaction } = await host.beginDelegation({ resource, scope: 'files:read' });
  return host.completeDelegation(server.approve(url), transaction);
}

describe('RFC 6749 §4.4 the agent’s own token', () => {
  it('asks once for many callers, and again for another resource or scope', async () => {
    const host = createHost();
    const sets = await Promise.all([1, 2, 3].map(() => host.token({ resource })));
    expect(new Set(sets.map(({ accessToken }) => accessToken)).size).toBe(1);
    await host.token({ resource });
    expect(server.posts('client_credentials')).toEqual([
      {
        path: '/token',
        authorization: `Basic ${btoa('agt_scout:agent-secret')}`,
        form: { grant_type: 'client_credentials', resource },
      },
    ]);
    await host.token({ resource, scope: 'b a' });
    await host.token({ resource, scope: 'a b' });
    expect(server.posts('client_credentials')).toHaveLength(2);
    expect(authorizationHeader(sets[0] as never)).toMatch(/^Bearer eyJ/);
  });

  it('renews before the end, and serves the old one while the server is away', async () => {
    const host = createHost();
    const first = await host.token({ resource });
    aheadMs = 265_000;
    expect((await host.token({ resource })).accessToken).toBe(first.accessToken);
    aheadMs = 275_000;
    server.next.push({ grant: 'client_credentials', answer: 'cut' });
    expect((await host.token({ resource })).accessToken).toBe(first.accessToken);
    expect((await host.token({ resource })).accessToken).not.toBe(first.accessToken);
  });

  it('passes the server’s error code on', async () => {
    const body = { error: 'invalid_scope', error_description: 'no such scope' };
    server.next.push({ grant: 'client_credentials', answer: { status: 400, body } });
    const error = await createHost()
      .token({ resource, scope: 'x' })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'invalid_scope',
      status: 400,
      description: 'no such scope',
    });
  });
});

describe('RFC 7523 §2.2 private_key_jwt', () => {
  it('signs for the issuer alone, for 60 s, with a new jti each time', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: 'agent-key' };
    const host = createHost({ agent: { id: 'agt_scout', auth: { privateKey: jwk } } });
    await host.token({ resource });
    await host.token({ resource, scope: 'b' });
    const [first, second] = server.posts('client_credentials').map(({ form }) => form);
    expect(first).toMatchObject({
      client_id: 'agt_scout',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    });
    const assertion = first?.client_assertion ?? '';
    const { payload } = await jwtVerify(assertion, publicKey, { audience: server.issuer });
    expect(decodeProtectedHeader(assertion)).toEqual({
      alg: 'ES256',
      typ: 'JWT',
      kid: 'agent-key',
    });
    expect(payload).toEqual({
      iss: 'agt_scout',
      sub: 'agt_scout',
      aud: server.issuer,
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 60,
    });
    expect(decodeJwt(second?.client_assertion ?? '').jti).not.toBe(payload.jti);
  });

  it('takes a CryptoKey too', async () => {
    const { privateKey } = await generateKeyPair('EdDSA');
    const host = createHost({ agent: { id: 'agt_scout', auth: { privateKey, kid: 'k' } } });
    await host.token({ resource });
    const assertion = server.seen[0]?.form.client_assertion ?? '';
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: 'k' });
  });
});

describe('draft-oauth-ai-agents-on-behalf-of-user-02: acting for a user', () => {
  it('pushes the request (RFC 9126) and shows the browser nothing of it', async () => {
    const host = createHost();
    const request = { resource, scope: 'files:read', loginHint: 'alice', prompt: 'consent' };
    const { url, expiresAt } = await host.beginDelegation(request);
    expect([...url.searchParams.keys()]).toEqual(['client_id', 'request_uri']);
    expect(Math.round((expiresAt.getTime() - now()) / 1000)).toBe(60);
    expect(server.seen[0]).toEqual({
      path: '/par',
      authorization: undefined,
      form: {
        client_id: 'cli_host',
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: 'files:read',
        resource,
        requested_actor: 'agt_scout',
        state: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge_method: 'S256',
        login_hint: 'alice',
        prompt: 'consent',
      },
    });
  });

  it('puts the request into the URL where the server takes none pushed', async () => {
    server.metadata.pushed_authorization_request_endpoint = undefined;
    const { url } = await createHost().beginDelegation({ resource, scope: 'files:read' });
    expect(url.searchParams.get('requested_actor')).toBe('agt_scout');
    expect(server.seen).toEqual([]);
  });

  it('redeems the code with PKCE and a fresh actor token for the issuer', async () => {
    const delegation = await delegate();
    expect(delegation).toMatchObject({ user: { sub: 'usr_alice' }, agent: 'agt_scout', resource });
    expect(delegation.scopes).toEqual(new Set(['files:read']));
    const [proof] = server.posts('client_credentials');
    expect(proof?.form).toEqual({ grant_type: 'client_credentials', resource: server.issuer });
    const [redeemed] = server.posts('authorization_code');
    expect(redeemed?.form).toEqual({
      grant_type: 'authorization_code',
      client_id: 'cli_host',
      code: expect.any(String),
      redirect_uri: redirectUri,
      code_verifier: expect.stringMatching(/^[\w-]{43}$/),
      resource,
      actor_token: expect.stringMatching(/^eyJ/),
      actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  });

  it('proves the agent anew for each delegation: an actor token is single use', async () => {
    const host = createHost();
    await delegate(host);
    await delegate(host);
    const proofs = server.posts('authorization_code').map(({ form }) => form.actor_token);
    expect(new Set(proofs).size).toBe(2);
  });

  it('authenticates a confidential client as itself, and not as the agent', async () => {
    const auth = { secret: 'client secret' };
    await delegate(createHost({ client: { id: 'cli_host', auth, redirectUri } }));
    expect(server.posts('authorization_code')[0]?.authorization).toBe(
      `Basic ${btoa('cli_host:client+secret')}`,
    );
  });
});

describe('RFC 9207, RFC 6749 §10.12: a callback is checked before anything is sent', () => {
  it.each<[string, (callback: URL) => void, string]>([
    ['another state', (callback) => callback.searchParams.set('state', 'x'), 'state_mismatch'],
    ['no state', (callback) => callback.searchParams.delete('state'), 'state_mismatch'],
    ['two states', (callback) => callback.searchParams.append('state', 'x'), 'callback_invalid'],
    [
      'another issuer',
      (callback) => callback.searchParams.set('iss', 'https://evil.example'),
      'iss_mismatch',
    ],
    ['no issuer', (callback) => callback.searchParams.delete('iss'), 'iss_mismatch'],
    ['no code', (callback) => callback.searchParams.delete('code'), 'callback_invalid'],
    ['two codes', (callback) => callback.searchParams.append('code', 'x'), 'callback_invalid'],
    [
      'an error',
      (callback) => callback.searchParams.set('error', 'access_denied'),
      'access_denied',
    ],
    [
      'an error of another issuer',
      (callback) => {
        callback.searchParams.set('error', 'access_denied');
        callback.searchParams.set('iss', 'https://evil.example');
      },
      'iss_mismatch',
    ],
  ])('refuses %s, sends nothing, and can still be completed', async (_name, spoil, code) => {
    const host = createHost();
    const { url, transaction } = await host.beginDelegation({ resource, scope: 'files:read' });
    const callback = server.approve(url);
    const spoilt = new URL(callback);
    spoil(spoilt);
    const before = server.seen.length;
    expect(await codeOf(host.completeDelegation(spoilt, transaction))).toBe(code);
    expect(server.seen.length).toBe(before);
    expect((await host.completeDelegation(callback, transaction)).user.sub).toBe('usr_alice');
  });

  it('completes a transaction once, and none that it does not know or whose time is over', async () => {
    const host = createHost();
    const begun = await host.beginDelegation({ resource, scope: 'files:read' });
    const callback = server.approve(begun.url);
    const both = [1, 2].map(() => host.completeDelegation(callback, begun.transaction));
    const outcomes = (await Promise.allSettled(both)).map(({ status }) => status);
    expect(outcomes.sort()).toEqual(['fulfilled', 'rejected']);
    expect(server.posts('authorization_code')).toHaveLength(1);
    expect(await codeOf(host.completeDelegation(callback, 'made-up'))).toBe('transaction_unknown');
    const late = await host.beginDelegation({ resource, scope: 'files:read' });
    aheadMs = 3_601_000;
    const attempt = host.completeDelegation(server.approve(late.url), late.transaction);
    expect(await codeOf(attempt)).toBe('transaction_unknown');
  });

  it('refuses and revokes a token that names another actor', async () => {
    server.actor = 'agt_mallory';
    expect(await codeOf(delegate())).toBe('actor_mismatch');
    expect(server.seen.at(-1)).toMatchObject({
      path: '/revoke',
      form: { token_type_hint: 'refresh_token' },
    });
  });
});

describe('refresh with rotation', () => {
  it('renews once for many callers, by the newest refresh token', async () => {
    const delegation = await delegate();
    const first = await delegation.token();
    expect((await delegation.token()).accessToken).toBe(first.accessToken);
    aheadMs = 290_000;
    const renewed = await Promise.all([1, 2, 3].map(() => delegation.token()));
    expect(new Set(renewed.map(({ accessToken }) => accessToken)).size).toBe(1);
    aheadMs += 290_000;
    await delegation.token();
    const used = server.posts('refresh_token').map(({ form }) => form.refresh_token);
    expect(used).toHaveLength(2);
    expect(new Set(used).size).toBe(2);
    expect(server.posts('refresh_token')[0]?.form).toEqual({
      grant_type: 'refresh_token',
      refresh_token: used[0],
      resource,
      client_id: 'cli_host',
    });
  });

  it('proves the actor again when asked to, once', async () => {
    const delegation = await delegate();
    const body = { error: 'invalid_grant', error_description: 'actor_token is required' };
    server.next.push({ grant: 'refresh_token', answer: { status: 400, body } });
    aheadMs = 290_000;
    await delegation.token();
    const forms = server.posts('refresh_token').map(({ form }) => form);
    expect(forms.map(({ actor_token }) => actor_token !== undefined)).toEqual([false, true]);
    expect(forms[1]?.refresh_token).toBe(forms[0]?.refresh_token);
  });

  it('repeats a refresh whose answer was lost, with the same refresh token', async () => {
    const delegation = await delegate();
    server.next.push({ grant: 'refresh_token', answer: 'cut' });
    aheadMs = 290_000;
    await delegation.token();
    const used = server.posts('refresh_token').map(({ form }) => form.refresh_token);
    expect(used[0]).toBe(used[1]);
  });

  it('ends when the server says invalid_grant, and asks no more', async () => {
    const host = createHost();
    const delegation = await delegate(host);
    const body = { error: 'invalid_grant', error_description: 'grant ended' };
    server.next.push({ grant: 'refresh_token', answer: { status: 400, body } });
    aheadMs = 290_000;
    expect(await codeOf(delegation.token())).toBe('delegation_ended');
    expect(await codeOf(delegation.token())).toBe('delegation_ended');
    expect(server.posts('refresh_token')).toHaveLength(1);
    expect(await host.resume(delegation.id)).toBeUndefined();
  });

  it('is resumed from the store by another host, with the newest token', async () => {
    const store = createMemoryStore(now);
    const delegation = await delegate(createHost({ store }));
    aheadMs = 290_000;
    const renewed = await delegation.token();
    const resumed = await createHost({ store }).resume(delegation.id);
    expect(resumed).toMatchObject({ id: delegation.id, user: { sub: 'usr_alice' } });
    expect((await resumed?.token())?.accessToken).toBe(renewed.accessToken);
  });

  it('revokes the refresh token (RFC 7009), and is over then', async () => {
    const host = createHost();
    const delegation = await delegate(host);
    await delegation.revoke();
    expect(server.seen.at(-1)).toMatchObject({
      path: '/revoke',
      form: { client_id: 'cli_host', token_type_hint: 'refresh_token' },
    });
    expect(await codeOf(delegation.token())).toBe('delegation_ended');
    expect(await host.resume(delegation.id)).toBeUndefined();
  });
});

describe('RFC 8414 §3.3: credentials go to the issuer and nowhere else', () => {
  it.each<[string, Record<string, unknown>]>([
    ['another issuer in the metadata', { issuer: 'https://evil.example' }],
    ['an issuer with a slash', { issuer: 'http://127.0.0.1/' }],
    ['a token endpoint elsewhere', { token_endpoint: 'https://evil.example/token' }],
    [
      'a PAR endpoint elsewhere',
      { pushed_authorization_request_endpoint: 'https://evil.example/par' },
    ],
    ['a revocation endpoint elsewhere', { revocation_endpoint: 'https://evil.example/revoke' }],
    [
      'an authorization page over http',
      { authorization_endpoint: 'http://evil.example/authorize' },
    ],
    ['no PKCE', { code_challenge_methods_supported: ['plain'] }],
    ['no token endpoint', { token_endpoint: undefined }],
  ])('refuses %s before it sends anything', async (_name, wrong) => {
    Object.assign(server.metadata, wrong);
    const host = createHost();
    expect(await codeOf(host.token({ resource }))).toBe('metadata_invalid');
    expect(await codeOf(host.beginDelegation({ resource, scope: 'a' }))).toBe('metadata_invalid');
    expect(server.seen).toEqual([]);
  });

  it('says when the server cannot be reached, and tries again next time', async () => {
    const host = createHost({ issuer: 'http://127.0.0.1:9' });
    expect(await codeOf(host.token({ resource }))).toBe('unreachable');
    expect(await codeOf(host.token({ resource }))).toBe('unreachable');
  });
});

describe('options of an agent host', () => {
  it.each<[string, Partial<AgentHostOptions>]>([
    ['an http issuer off loopback', { issuer: 'http://broker.example' }],
    ['no agent id', { agent: { id: '', auth: { secret: 's' } } }],
    ['an empty secret', { agent: { id: 'agt_x', auth: { secret: '' } } }],
    ['a relative redirect', { client: { id: 'cli_x', redirectUri: '/callback' } }],
  ])('refuses %s', (_name, wrong) => {
    expect(() => createHost(wrong)).toThrow(TypeError);
  });

  it('acts for nobody without a client', async () => {
    const host = createHost({ client: undefined });
    await expect(host.beginDelegation({ resource, scope: 'a' })).rejects.toThrow(TypeError);
  });
});
