// What MCP clients really send, and how each still gets in: one test a quirk, with the payload of the
// client that has it. Registration's own quirks are tested beside registration.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { resourceSpellings } from '../../src/broker/facts/resource-spellings.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  basic,
  claimsOf,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, CALLBACK, FILES, HOST, NOTES, SERVICE } from '../support/world.js';

const CURSOR = 'cli_cursor';
const CURSOR_CALLBACK = 'cursor://anysphere.cursor-mcp/oauth/callback';
const PLAIN = 'https://plain.example';
const SLASHED = 'https://slashed.example/';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
  const { clients, resources } = t.broker.registry;
  // As Cursor lists them: a custom scheme with a host, https and loopback together.
  await clients.create('admin', {
    id: CURSOR,
    kind: 'app',
    name: 'Cursor',
    auth: 'none',
    redirectUris: [
      CURSOR_CALLBACK,
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
      'http://127.0.0.1:33418/',
      'http://[::1]:4000/callback',
    ],
  });
  const scopes = {
    'plain:read': {
      title: 'Read',
      risk: 'read' as const,
      restricted: false,
      implies: [] as string[],
      base: true,
    },
  };
  for (const identifier of [PLAIN, SLASHED]) {
    await resources.create('admin', { identifier, name: identifier, scopes });
  }
});
afterAll(() => t.close());

/** What a public MCP client sends through the browser; it knows nothing of agents. */
const mcpRequest = (redirect_uri: string, more: Record<string, string | undefined> = {}) => ({
  client_id: CURSOR,
  redirect_uri,
  requested_actor: undefined,
  scope: 'files:read',
  ...more,
});

/** From the browser to the token, as a public MCP client. */
async function signInWith(redirect: string, more: Record<string, string | undefined> = {}) {
  const authorized = await authorize(t, { params: mcpRequest(redirect, more) });
  const answer = await postForm(`${t.issuer}/token`, {
    grant_type: 'authorization_code',
    client_id: CURSOR,
    code: authorized.code,
    code_verifier: authorized.verifier,
    redirect_uri: redirect,
    ...(more.resource === undefined ? { resource: FILES } : { resource: more.resource }),
  });
  return { ...authorized, answer };
}

const refresh = (token: string, more: Record<string, string> = {}) =>
  postForm(`${t.issuer}/token`, {
    grant_type: 'refresh_token',
    client_id: CURSOR,
    refresh_token: token,
    ...more,
  });

describe('scopes', () => {
  it('Q3 a request without any scope asks for the base scopes of the resource', async () => {
    const { answer } = await signInWith(CURSOR_CALLBACK, { scope: undefined });
    expect([answer.status, answer.body.scope]).toEqual([200, 'files:list files:read']);
  });

  it('Q10 offline_access is taken and means nothing: refresh tokens go by policy (SDK v2, Claude)', async () => {
    const asked = { scope: 'files:read offline_access', prompt: 'consent' };
    const { answer } = await signInWith(CURSOR_CALLBACK, asked);
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      expires_in: 300,
      refresh_token: expect.any(String),
      scope: 'files:list files:read',
      token_type: 'Bearer',
    });
    const unasked = await signInWith(CURSOR_CALLBACK);
    expect(unasked.answer.body.refresh_token).toEqual(expect.any(String));
    const alone = await signInWith(CURSOR_CALLBACK, { scope: 'offline_access' });
    expect(alone.answer.body.scope).toBe('files:list files:read');
    const document = await (
      await fetch(`${t.issuer}/.well-known/oauth-authorization-server`)
    ).json();
    expect(document.scopes_supported).toEqual(['openid', 'profile', 'email']);
  });

  it('Q10 the whole scopes_supported of the server with it (claude.ai) narrows nothing', async () => {
    const { answer } = await signInWith(CURSOR_CALLBACK, {
      scope: 'openid profile email files:read',
    });
    expect(answer.body).toMatchObject({
      scope: 'files:list files:read',
      id_token: expect.any(String),
    });
    expect(claimsOf(answer.body.access_token).aud).toBe(FILES);
  });

  it('Q15 every token answer with a scope says it: code, refresh, again, exchange, client credentials', async () => {
    const { answer } = await signInWith(CURSOR_CALLBACK);
    const renewed = await refresh(answer.body.refresh_token);
    const again = await refresh(answer.body.refresh_token);
    const alone = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource: FILES,
      scope: 'files:read',
    });
    const delegated = await redeem(t, await authorize(t));
    const exchanged = await postToken(t, AGENT, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: delegated.body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'files:read',
    });
    const scopes = [answer, renewed, again, alone, exchanged].map(({ body }) => body.scope);
    expect(scopes).toEqual(Array.from({ length: 5 }, () => 'files:list files:read'));
  });
});

describe('where the answer goes', () => {
  it.each([
    ['a custom scheme with a host (Q6, Cursor)', CURSOR_CALLBACK],
    ['https beside it in the same client (Q6)', 'https://www.cursor.com/agents/mcp/oauth/callback'],
    ['localhost on another port (Q4, Claude Code)', 'http://localhost:51234/callback'],
    ['127.0.0.1 on another port (Q4, VS Code)', 'http://127.0.0.1:61000/'],
    ['127.0.0.1 without a port (Q4)', 'http://127.0.0.1/'],
    ['[::1] on another port (Q4)', 'http://[::1]:49152/callback'],
  ])('%s', async (_name, redirect) => {
    const { callback, answer } = await signInWith(redirect);
    expect(callback.href.split('?')[0]).toBe(redirect);
    expect(answer.status).toBe(200);
  });

  it.each([
    ['localhost where only 127.0.0.1 is registered', 'http://localhost:33418/'],
    ['127.0.0.1 where only localhost is registered', 'http://127.0.0.1:8787/callback'],
    ['[::1] by the path of another', 'http://[::1]:4000/'],
    ['https on loopback', 'https://localhost:8787/callback'],
    [
      'another port where the host is no loopback',
      'https://www.cursor.com:444/agents/mcp/oauth/callback',
    ],
    ['another host of the custom scheme', 'cursor://evil.example/oauth/callback'],
    ['another custom scheme', 'cursor2://anysphere.cursor-mcp/oauth/callback'],
  ])('not %s (Q4, Q6)', async (_name, redirect) => {
    const url = authorizeUrl(t, pkce().challenge, mcpRequest(redirect));
    const answer = await fetch(url, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
  ])('Q6 %s is registered by nobody', async (uri) => {
    const body = { kind: 'app', name: 'Bad', auth: 'none', redirect_uris: [CURSOR_CALLBACK, uri] };
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const answer = await callAdmin(t, 'POST', '/clients', { authorization, body });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      400,
      expect.stringContaining('must not use the scheme'),
    ]);
  });

  it('Q14 names the issuer on success and on error, and says in both documents that it does (RFC 9207)', async () => {
    const { callback } = await authorize(t, { params: mcpRequest(CURSOR_CALLBACK) });
    expect(callback.searchParams.get('iss')).toBe(t.issuer);
    const url = authorizeUrl(
      t,
      pkce().challenge,
      mcpRequest(CURSOR_CALLBACK, { resource: 'https://no.example/' }),
    );
    const failed = await fetch(url, { redirect: 'manual' });
    const answer = new URL(failed.headers.get('location') ?? '').searchParams;
    expect(Object.fromEntries(answer)).toEqual({
      error: 'invalid_target',
      error_description: 'resource is not one this server issues tokens for',
      state: 'the-state',
      iss: t.issuer,
    });
    for (const name of ['oauth-authorization-server', 'openid-configuration']) {
      const document = await (await fetch(`${t.issuer}/.well-known/${name}`)).json();
      expect(document).toMatchObject({
        issuer: t.issuer,
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
      });
    }
  });

  it('Q17 parameters nobody knows are ignored, at both endpoints', async () => {
    const unknown = { audience: 'https://api.example', access_type: 'offline', nonce2: 'x' };
    const authorized = await authorize(t, { params: mcpRequest(CURSOR_CALLBACK, unknown) });
    const answer = await postForm(`${t.issuer}/token`, {
      ...unknown,
      grant_type: 'authorization_code',
      client_id: CURSOR,
      code: authorized.code,
      code_verifier: authorized.verifier,
      redirect_uri: CURSOR_CALLBACK,
    });
    expect([answer.status, claimsOf(answer.body.access_token).aud]).toEqual([200, FILES]);
  });
});

describe('Q12 how a resource is written', () => {
  it.each([
    ['a host alone', PLAIN, `${PLAIN}/`],
    ['a host with its slash', SLASHED, SLASHED.slice(0, -1)],
    ['a host in upper case', PLAIN, 'HTTPS://PLAIN.example'],
    ['a host in upper case, with a path', FILES, 'https://FILES.example/mcp'],
  ])('%s: both spellings are the one resource, and aud is the registered one (RI4)', async (_name, registered, spelled) => {
    const { answer } = await signInWith(CURSOR_CALLBACK, { scope: undefined, resource: spelled });
    expect(answer.status).toBe(200);
    expect(claimsOf(answer.body.access_token).aud).toBe(registered);
    const renewed = await refresh(answer.body.refresh_token, { resource: spelled });
    expect(claimsOf(renewed.body.access_token).aud).toBe(registered);
  });

  it('also pushed, by client credentials and in an exchange', async () => {
    const spelled = 'https://FILES.example/mcp';
    const { challenge, verifier } = pkce();
    const pushed = await postForm(
      `${t.issuer}/par`,
      {
        response_type: 'code',
        client_id: HOST,
        redirect_uri: CALLBACK,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        scope: 'files:read',
        resource: spelled,
        requested_actor: AGENT,
      },
      authFor(t, HOST),
    );
    const browser = createBrowserless(t.issuer);
    const query = new URLSearchParams({ client_id: HOST, request_uri: pushed.body.request_uri });
    const callback = await walkPages(browser, `${t.issuer}/authorize?${query}`, ANA);
    const code = callback.searchParams.get('code') ?? '';
    const delegated = await redeem(t, { code, verifier }, { resource: spelled });
    expect(claimsOf(delegated.body.access_token).aud).toBe(FILES);
    const alone = await postToken(t, AGENT, {
      grant_type: 'client_credentials',
      resource: spelled,
    });
    expect(claimsOf(alone.body.access_token).aud).toBe(FILES);
    const exchanged = await postToken(t, AGENT, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: delegated.body.access_token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: spelled,
    });
    expect(claimsOf(exchanged.body.access_token).aud).toBe(FILES);
  });

  it.each([
    ['a slash after a path', `${FILES}/`],
    ['a path in another case', 'https://files.example/MCP'],
    ['dot segments', 'https://files.example/x/../mcp'],
    ['another port', 'https://files.example:8443/mcp'],
    ['a query', `${FILES}?x`],
    ['a user name', 'https://x@files.example/mcp'],
    ['the host alone', 'https://files.example'],
  ])('%s is another resource: invalid_target', async (_name, resource) => {
    const alone = await postToken(t, AGENT, { grant_type: 'client_credentials', resource });
    expect([alone.status, alone.body.error]).toEqual([400, 'invalid_target']);
    const url = authorizeUrl(t, pkce().challenge, mcpRequest(CURSOR_CALLBACK, { resource }));
    const { headers } = await fetch(url, { redirect: 'manual' });
    expect(new URL(headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_target');
  });

  it('a token request names what was authorized, in whatever spelling, and nothing else (RI2)', async () => {
    const authorized = await authorize(t);
    const other = await redeem(t, authorized, { resource: NOTES });
    expect([other.status, other.body.error]).toEqual([400, 'invalid_target']);
    expect((await redeem(t, authorized, { resource: 'https://FILES.EXAMPLE/mcp' })).status).toBe(
      200,
    );
  });

  it('only ever adds spellings of the same place', () => {
    expect(resourceSpellings('HTTPS://H.example')).toEqual([
      'HTTPS://H.example',
      'https://h.example',
      'https://h.example/',
    ]);
    expect(resourceSpellings('https://h.example/A/')).toEqual(['https://h.example/A/']);
    expect(resourceSpellings('https://u@H.example/')).toEqual(['https://u@H.example/']);
    expect(resourceSpellings('not a URL')).toEqual(['not a URL']);
  });
});

describe('Q19 a request without a resource', () => {
  it('is refused at the redirect URI, never answered with a token no server takes', async () => {
    const url = authorizeUrl(
      t,
      pkce().challenge,
      mcpRequest(CURSOR_CALLBACK, { resource: undefined }),
    );
    const { headers } = await fetch(url, { redirect: 'manual' });
    const answer = new URL(headers.get('location') ?? '').searchParams;
    expect([answer.get('error'), answer.get('error_description')]).toEqual([
      'invalid_target',
      'resource is required (RFC 8707)',
    ]);
  });

  it('at the token endpoint means the one that was authorized', async () => {
    const authorized = await authorize(t, { params: mcpRequest(CURSOR_CALLBACK) });
    const answer = await postForm(`${t.issuer}/token`, {
      grant_type: 'authorization_code',
      client_id: CURSOR,
      code: authorized.code,
      code_verifier: authorized.verifier,
      redirect_uri: CURSOR_CALLBACK,
    });
    expect(claimsOf(answer.body.access_token).aud).toBe(FILES);
    const renewed = await refresh(answer.body.refresh_token);
    expect(claimsOf(renewed.body.access_token).aud).toBe(FILES);
  });
});

describe('who the client says it is', () => {
  const ask = (authorization: string) =>
    postForm(
      `${t.issuer}/token`,
      { grant_type: 'client_credentials', resource: NOTES },
      { authorization },
    );

  it('Q11 Basic as the MCP SDKs write it, and form-encoded first (RFC 6749 §2.3.1), are the same', async () => {
    const secret = t.secrets[SERVICE] as string;
    const encode = (text: string) => encodeURIComponent(text).replaceAll('-', '%2D');
    expect(`${SERVICE}${secret}`).toMatch(/^[A-Za-z0-9_-]+$/);
    expect((await ask(basic(SERVICE, secret))).status).toBe(200);
    expect((await ask(basic(encode(SERVICE), encode(secret)))).status).toBe(200);
    expect((await ask(basic(SERVICE, `${secret}%20`))).status).toBe(401);
  });

  it('Q20 an actor_token without its type is an access token (Asgardeo)', async () => {
    const answer = await redeem(t, await authorize(t), { actor_token_type: undefined });
    expect([answer.status, claimsOf(answer.body.access_token).act]).toEqual([
      200,
      { sub: AGENT, iss: t.issuer, sub_profile: 'ai_agent' },
    ]);
    const typed = await redeem(t, await authorize(t), {
      actor_token: await actorToken(t),
      actor_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    });
    expect(typed.status).toBe(400);
  });

  it('Q21 a JWT access token can be asked about and given back', async () => {
    const { body } = await redeem(t, await authorize(t));
    const about = (token: string) =>
      postForm(`${t.issuer}/introspect`, { token }, authFor(t, HOST)).then((a) => a.body.active);
    expect(await about(body.access_token)).toBe(true);
    const back = await postForm(
      `${t.issuer}/revoke`,
      { token: body.access_token },
      authFor(t, HOST),
    );
    expect([back.status, await about(body.access_token)]).toEqual([200, false]);
  });

  it('Q9 two hosts that share one store refresh at once, and both go on', async () => {
    const { answer } = await signInWith(CURSOR_CALLBACK);
    const [one, two] = [
      await refresh(answer.body.refresh_token),
      await refresh(answer.body.refresh_token),
    ];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body.refresh_token).toBe(one.body.refresh_token);
  });
});

describe('errors SDKs recover from', () => {
  it('a client that is gone is invalid_client with 401: the SDK registers again', async () => {
    const { clients } = t.broker.registry;
    const redirect = 'http://127.0.0.1:7001/callback';
    await clients.create('admin', {
      id: 'cli_gone',
      kind: 'app',
      name: 'Gone',
      auth: 'none',
      redirectUris: [redirect],
    });
    const { code, verifier } = await authorize(t, {
      params: { ...mcpRequest(redirect), client_id: 'cli_gone' },
    });
    const as = { client_id: 'cli_gone' };
    const given = await postForm(`${t.issuer}/token`, {
      ...as,
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirect,
    });
    await clients.retire('admin', 'cli_gone');
    const gone = await postForm(`${t.issuer}/token`, {
      ...as,
      grant_type: 'refresh_token',
      refresh_token: given.body.refresh_token,
    });
    expect([given.status, gone.status, gone.body.error]).toEqual([200, 401, 'invalid_client']);
  });

  it('an agent that is stopped is invalid_grant with 400: the SDK drops its tokens and asks the user', async () => {
    const { agents } = t.broker.registry;
    const { body } = await redeem(t, await authorize(t));
    const again = () =>
      postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: body.refresh_token });
    await agents.setStatus('admin', AGENT, { status: 'blocked', reason: 'test' });
    const stopped = await again();
    expect([stopped.status, stopped.body.error]).toEqual([400, 'invalid_grant']);
    await agents.setStatus('admin', AGENT, { status: 'active', reason: 'test' });
  });
});

describe('Q18 pages of other origins', () => {
  const preflight = (path: string, origin: string, method = 'POST') =>
    fetch(`${t.issuer}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'content-type, authorization, mcp-protocol-version',
      },
    });
  const page = 'https://www.cursor.com';

  it('a browser-based client may call the token endpoint from the origin it is sent back to', async () => {
    const before = await preflight('/token', page);
    expect(before.status).toBe(204);
    expect(before.headers.get('access-control-allow-origin')).toBe(page);
    expect(before.headers.get('access-control-allow-methods')).toContain('POST');
    expect(before.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version');
    const { answer } = await signInWith(CURSOR_CALLBACK);
    const fields = {
      grant_type: 'refresh_token',
      client_id: CURSOR,
      refresh_token: answer.body.refresh_token,
    };
    const renewed = await postForm(`${t.issuer}/token`, fields, { origin: page });
    expect([renewed.status, renewed.headers.get('access-control-allow-origin')]).toEqual([
      200,
      page,
    ]);
    expect(renewed.headers.get('vary')).toContain('Origin');
    expect(renewed.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it.each([
    ['https://evil.example'],
    ['null'],
    ['http://www.cursor.com'],
    ['cursor://anysphere.cursor-mcp'],
  ])('a page of %s reads no answer (A13)', async (origin) => {
    const { answer } = await signInWith(CURSOR_CALLBACK);
    const fields = {
      grant_type: 'refresh_token',
      client_id: CURSOR,
      refresh_token: answer.body.refresh_token,
    };
    const refused = await postForm(`${t.issuer}/token`, fields, { origin });
    expect(refused.status).toBe(400);
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    expect((await refresh(answer.body.refresh_token)).status).toBe(200);
  });

  it('nobody calls as an opaque origin, and no page reads the authorization endpoint (A13)', async () => {
    expect(
      (await preflight('/token', 'null')).headers.get('access-control-allow-origin'),
    ).toBeNull();
    for (const origin of [page, 'null', 'https://evil.example']) {
      const asked = await preflight('/authorize', origin, 'GET');
      expect(asked.headers.get('access-control-allow-origin')).toBeNull();
      const url = authorizeUrl(t, pkce().challenge, mcpRequest(CURSOR_CALLBACK));
      const answer = await fetch(url, { redirect: 'manual', headers: { origin } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('Q23 the documents answer any page, with MCP-Protocol-Version and without', async () => {
    for (const name of ['oauth-authorization-server', 'openid-configuration', 'jwks.json']) {
      const path = `/.well-known/${name}`;
      const asked = await preflight(path, 'https://inspector.example', 'GET');
      expect(asked.headers.get('access-control-allow-origin')).toBe('*');
      expect(asked.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version');
      for (const more of [{}, { 'mcp-protocol-version': '2025-11-25' }]) {
        const answer = await fetch(`${t.issuer}${path}`, {
          headers: { origin: 'https://inspector.example', ...more },
        });
        expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
          200,
          '*',
        ]);
      }
    }
  });
});

describe('Q13 the issuer', () => {
  it('is one string everywhere: documents, answers, tokens; no slash at its end', async () => {
    const { callback, answer } = await signInWith(CURSOR_CALLBACK, { scope: 'openid files:read' });
    const said = [
      ...(await Promise.all(
        ['oauth-authorization-server', 'openid-configuration'].map(
          async (name) => (await (await fetch(`${t.issuer}/.well-known/${name}`)).json()).issuer,
        ),
      )),
      callback.searchParams.get('iss'),
      claimsOf(answer.body.access_token).iss,
      claimsOf(answer.body.id_token).iss,
      t.broker.config.issuer,
    ];
    expect(new Set(said)).toEqual(new Set([t.issuer]));
    expect(t.issuer).not.toMatch(/\/$/);
  });
});
