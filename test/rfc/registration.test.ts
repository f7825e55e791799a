// RFC 7591: clients that register themselves. Each real MCP client with what it sends, and the nearest
// that is refused (DC1–DC3, DC7–DC11, DC13; Q1, Q2, Q4, Q6, Q7, Q8, Q18, Q22).
import { registerClient as registerV2 } from '@modelcontextprotocol/client';
import { registerClient as registerV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import { linesOf } from '../pages/text.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  bearer,
  type Metadata,
  REAL_CLIENTS,
  refreshWith,
  register,
  registered,
  sendJson,
  tokensOf,
} from '../support/registration.js';
import { AGENT, ANA, CALLBACK, FILES, HOST } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const ID = expect.stringMatching(/^cli_[\w-]{20}$/);
const TOKEN = expect.stringMatching(/^[\w-]{43}$/);
let n = 0;
/** A redirect nobody registered yet: nothing is shared with another test. */
const app = (more: Metadata = {}): Metadata => {
  n += 1;
  return {
    client_name: `App ${n}`,
    redirect_uris: [`https://app${n}.example/cb`],
    token_endpoint_auth_method: 'none',
    ...more,
  };
};

describe('what real clients send', () => {
  it.each(
    Object.entries(REAL_CLIENTS),
  )('%s: is in, and told what is registered (DC1, DC7, DC8, Q1, Q4, Q6, Q7, Q8)', async (_name, client) => {
    const { sends, isTold, answeredAt } = client;
    const { status, headers, body } = await register(t, sends);
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store']);
    expect(body).toEqual({
      ...isTold,
      client_id: ID,
      client_id_issued_at: expect.any(Number),
      registration_access_token: TOKEN,
      registration_client_uri: `${t.issuer}/register/${body.client_id}`,
    });
    expect(Math.abs(body.client_id_issued_at - Date.now() / 1000)).toBeLessThan(600);
    if (body.client_secret !== undefined) {
      (t.secrets as Record<string, string>)[body.client_id] = body.client_secret;
    }
    // Q2, Q3: base scopes where none is asked, and whatever the resource has where one is.
    const base = await tokensOf(t, body, { redirectUri: answeredAt, scope: undefined });
    expect([base.status, base.body.scope]).toEqual([200, 'files:list files:read']);
    const more = await tokensOf(t, body, { redirectUri: answeredAt, scope: 'files:write' });
    expect([more.status, more.body.scope]).toEqual([200, 'files:list files:read files:write']);
    const again = await refreshWith(t, body.client_id, more.body.refresh_token);
    expect(again.status).toBe(200);
    expect(claimsOf(again.body.access_token)).toMatchObject({
      sub: ANA.id,
      client_id: body.client_id,
      aud: FILES,
    });
    expect(claimsOf(again.body.access_token)).not.toHaveProperty('act');
  });

  it('Q4: another loopback host, path or scheme than was registered is not answered', async () => {
    const made = await registered(t, app({ redirect_uris: ['http://127.0.0.1:3000/cb'] }));
    for (const redirect_uri of [
      'http://localhost:3000/cb',
      'http://[::1]:3000/cb',
      'http://127.0.0.1:3000/other',
      'https://127.0.0.1:3000/cb',
    ]) {
      const url = authorizeUrl(t, pkce().challenge, {
        client_id: made.client_id,
        redirect_uri,
        requested_actor: undefined,
      });
      const page = await createBrowserless(t.issuer).open(url);
      expect([redirect_uri, page.status]).toEqual([redirect_uri, 400]);
    }
  });
});

describe('RFC 7591 §2: what is substituted', () => {
  it('RFC 8252 §8.4: who says no method is public in a native app, and has a secret on the web', async () => {
    const { token_endpoint_auth_method: _none, ...silent } = app();
    const web = await registered(t, silent);
    expect(web).toMatchObject({
      token_endpoint_auth_method: 'client_secret_basic',
      client_secret: TOKEN,
      client_secret_expires_at: 0,
    });
    const native = await registered(t, { ...silent, redirect_uris: ['com.app.example:/cb'] });
    expect(native.token_endpoint_auth_method).toBe('none');
    expect(native).not.toHaveProperty('client_secret');
    expect(native).not.toHaveProperty('client_secret_expires_at');
  });

  it('client_secret_basic and client_secret_post prove it, a wrong secret and none do not', async () => {
    const made = await registered(t, app({ token_endpoint_auth_method: 'client_secret_post' }));
    const { body } = await tokensOf(t, made);
    const fields = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    const { client_id, client_secret } = made;
    for (const proof of [{ client_id }, { client_id, client_secret: 'x'.repeat(43) }]) {
      const refused = await postForm(`${t.issuer}/token`, { ...fields, ...proof });
      expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client']);
    }
    const answer = await postForm(`${t.issuer}/token`, { ...fields, client_id, client_secret });
    expect(answer.status).toBe(200);
  });

  it('K1: neither secret nor token is anywhere in the database or the log', async () => {
    const made = await registered(t, app({ token_endpoint_auth_method: 'client_secret_basic' }));
    const tables = ['clients', 'client_registrations', 'credentials', 'audit_events'];
    const rows = await Promise.all(
      tables.map((table) => t.opened.db.run(`select * from ${table}`)),
    );
    const written = JSON.stringify(rows) + t.logged.join('');
    expect(written).toContain(made.client_id);
    for (const secret of [made.client_secret, made.registration_access_token]) {
      expect(written).not.toContain(secret);
    }
  });

  it('DC11, K7: asks for more than the code flow, and gets the code flow', async () => {
    const made = await registered(
      t,
      app({
        grant_types: [
          'authorization_code',
          'client_credentials',
          'urn:ietf:params:oauth:grant-type:token-exchange',
        ],
        token_endpoint_auth_method: 'client_secret_basic',
        response_types: ['code', 'token'],
      }),
    );
    expect(made).toMatchObject({
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    });
    const { body: tokens } = await tokensOf(t, made);
    const authorization = `Basic ${btoa(`${made.client_id}:${made.client_secret}`)}`;
    for (const fields of [
      { grant_type: 'client_credentials', resource: FILES },
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: tokens.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
    ]) {
      const answer = await postForm(`${t.issuer}/token`, fields, { authorization });
      expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client']);
    }
  });

  it.each([
    { grant_types: ['client_credentials'] },
    { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] },
    { response_types: ['token'] },
    { response_types: ['id_token'] },
  ])('refuses who asks for nothing else: %j', async (wanted) => {
    const { status, body } = await register(t, app(wanted));
    expect([status, body]).toEqual([
      400,
      { error: 'invalid_client_metadata', error_description: expect.any(String) },
    ]);
  });
});

describe('RFC 7591 §3.2.2: errors', () => {
  it.each([
    [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['http://app.example/cb'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://app.example/cb#x'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://*.example/cb'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: [] }, 'invalid_redirect_uri'],
    [{ redirect_uris: 'https://app.example/cb' }, 'invalid_redirect_uri'],
    [{ redirect_uris: undefined }, 'invalid_redirect_uri'],
    [{ client_uri: 'javascript:alert(1)' }, 'invalid_client_metadata'],
    [{ logo_uri: 'data:image/svg+xml,x' }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'client_secret_jwt' }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
    [
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://app.example/jwks' },
      'invalid_client_metadata',
    ],
    [{ client_name: ['App'] }, 'invalid_client_metadata'],
  ] as const)('DC2: %j is %s', async (wrong, error) => {
    const before = await count();
    const { status, headers, body } = await register(t, app(wrong as Metadata));
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
      400,
      'application/json; charset=utf-8',
      'no-store',
    ]);
    expect(body).toEqual({ error, error_description: expect.stringMatching(/^[\x20-\x7e]+$/) });
    expect(await count()).toBe(before);
  });

  it.each([
    ['no JSON', '{', 'application/json'],
    ['a list', '[]', 'application/json'],
    ['nothing', '', 'application/json'],
    ['text that is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'application/json'],
    ['a form', 'redirect_uris=https://app.example/cb', 'application/x-www-form-urlencoded'],
  ])('Q8: %s is refused as JSON, also to who would rather have a page', async (_name, body, type) => {
    const response = await fetch(`${t.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': type, accept: 'text/html' },
      body,
    });
    expect([response.status, (await response.json()) as object]).toEqual([
      400,
      { error: 'invalid_client_metadata', error_description: expect.any(String) },
    ]);
  });

  it('what is refused is in the audit, with what was asked', async () => {
    await register(t, app({ redirect_uris: ['ftp://x'] }));
    const [event] = await t.opened.db.run<{ type: string; detail: object }>(
      'select type, detail from audit_events order by id desc limit 1',
    );
    expect(event).toEqual({
      type: 'request.refused',
      detail: {
        code: 'invalid_redirect_uri',
        asked: 'to register a client',
        reason: 'redirect_uris[0] must not use the scheme ftp:',
      },
    });
  });

  it('what is registered is in the audit with its state, once', async () => {
    const made = await registered(t, app({ software_id: 'sw-1' }));
    const events = await t.opened.db.run<{ type: string; by: string; request_id: string }>(
      'select type, by, request_id from audit_events where client_id = $1',
      [made.client_id],
    );
    expect(events).toEqual([
      { type: 'registry.created', by: made.client_id, request_id: expect.any(String) },
    ]);
    const { body } = await sendJson(
      `${t.issuer}/admin/v1/audit?client=${made.client_id}`,
      'GET',
      undefined,
      { authorization: `Bearer ${ADMIN_TOKEN}` },
    );
    expect(body.items[0].sentence).toBe(
      `${made.client_name} registered itself as client ${made.client_id}`,
    );
  });

  const count = async (): Promise<number> => {
    const [row] = await t.opened.db.run<{ n: number }>('select count(*)::int as n from clients');
    return row?.n ?? 0;
  };
});

describe('Q18, DC9: pages of any origin', () => {
  it.each([
    '/register',
    '/register/cli_x',
  ])('%s answers a preflight, and lets no cookie be sent', async (path) => {
    const response = await fetch(`${t.issuer}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://inspector.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,mcp-protocol-version',
      },
    });
    expect(response.status).toBe(204);
    const { headers } = response;
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('access-control-allow-headers')?.toLowerCase().split(', ')).toEqual([
      'authorization',
      'content-type',
      'mcp-protocol-version',
    ]);
    expect(headers.get('access-control-allow-methods')).toBe(
      path === '/register' ? 'POST' : 'GET, PUT, DELETE',
    );
  });

  it('answers and refusals can be read there', async () => {
    const headers = { origin: 'https://inspector.example' };
    for (const body of [app(), {}]) {
      const answer = await register(t, body, headers);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    }
  });
});

describe('DC10: a person is asked, each time', () => {
  const params = (made: Metadata) => ({
    client_id: made.client_id,
    redirect_uri: made.redirect_uris[0],
    requested_actor: undefined,
    scope: 'files:read',
  });

  it('whoever allowed a public client before is shown the page again, at an https address too', async () => {
    const made = await registered(t, app());
    const { browser } = await authorize(t, { params: params(made) });
    const page = await browser.open(authorizeUrl(t, pkce().challenge, params(made)));
    const { host } = new URL(made.redirect_uris[0]);
    const lines = linesOf(page.html);
    expect(lines.slice(1, 3)).toEqual([
      `Unverified ${made.client_name} registered itself here. Nobody has checked who is behind it.`,
      'Anybody can use any name. What counts is the address below, and whether you started this.',
    ]);
    expect(lines).toContain(host);
  });

  it('one that proves itself at the token endpoint is not asked about again', async () => {
    const made = await registered(t, app({ token_endpoint_auth_method: 'client_secret_basic' }));
    const { browser } = await authorize(t, { params: params(made) });
    const page = await browser.open(authorizeUrl(t, pkce().challenge, params(made)));
    expect(new URL(page.url).searchParams.has('code')).toBe(true);
  });

  it('K13, DC11: nobody acts through it who did not say so, and it cannot be bound to an agent', async () => {
    const made = await registered(t, app({ token_endpoint_auth_method: 'client_secret_basic' }));
    const { callback } = await authorize(t, {
      params: { ...params(made), requested_actor: AGENT },
    });
    expect(callback.searchParams.get('error')).toBe('invalid_request');
    const { registry } = t.broker;
    const patch = (change: object) => registry.clients.patch('cli', made.client_id, change);
    await registry.agents.patch('cli', AGENT, {
      clients: ['cli_host', 'cli_desktop', made.client_id],
    });
    await expect(patch({ agentId: AGENT })).rejects.toThrow('registered itself');
    await expect(patch({ mayExchange: true })).rejects.toThrow('registered itself');
  });
});

describe('Q22: the same again', () => {
  const twice = (): Metadata => app({ redirect_uris: [`http://127.0.0.1/cb${n}`] });

  it('from the same network is the same client; and nobody manages what two have', async () => {
    const body = twice();
    const first = await registered(t, body);
    const second = await registered(t, body);
    const { registration_access_token: token, registration_client_uri: uri, ...rest } = first;
    expect(second).toEqual(rest);
    for (const method of ['GET', 'DELETE']) {
      const answer = await sendJson(uri, method, undefined, { authorization: `Bearer ${token}` });
      expect([method, answer.status, answer.body.error]).toEqual([method, 401, 'invalid_token']);
    }
    expect(await registered(t, body)).toEqual(rest);
    expect((await tokensOf(t, second)).status).toBe(200);
    const events = await t.opened.db.run(
      "select type, by, detail->'fields' as fields from audit_events where client_id = $1 and type like 'registry.%' order by id",
      [first.client_id],
    );
    expect(events).toEqual([
      { type: 'registry.created', by: first.client_id, fields: null },
      { type: 'registry.changed', by: 'system', fields: ['registration_access_token'] },
    ]);
  });

  it.each([
    ['another name', { client_name: 'Other' }],
    ['another redirect', { redirect_uris: ['http://127.0.0.1/other'] }],
    ['another scope', { scope: 'files:list' }],
    ['another version', { software_version: '2' }],
  ])('with %s is another client', async (_what, more) => {
    const body = twice();
    const [one, other] = [await registered(t, body), await registered(t, { ...body, ...more })];
    expect(other.client_id).not.toBe(one.client_id);
    expect(other.registration_access_token).toEqual(TOKEN);
  });

  it('of one with a secret is another client, with a secret and a power of its own', async () => {
    const body = { ...twice(), token_endpoint_auth_method: 'client_secret_basic' };
    const [one, other] = [await registered(t, body), await registered(t, body)];
    expect(other.client_id).not.toBe(one.client_id);
    expect(other.client_secret).not.toBe(one.client_secret);
  });
});

describe('what an operator’s own clients are for', () => {
  it('DC11: no administrator is let in through a client that registered itself', async () => {
    const made = await registered(t, app({ token_endpoint_auth_method: 'client_secret_basic' }));
    const resource = `${t.issuer}/admin`;
    await t.broker.registry.permissions.set('cli', {
      principal: ANA.id,
      resource,
      scopes: ['admin:read'],
    });
    const tokenThrough = async (client: string, redirect_uri: string) => {
      const { code, verifier } = await authorize(t, {
        params: {
          client_id: client,
          redirect_uri,
          requested_actor: undefined,
          resource,
          scope: 'admin:read',
        },
      });
      const fields = { grant_type: 'authorization_code', code, code_verifier: verifier };
      const { body } = await postForm(
        `${t.issuer}/token`,
        { ...fields, redirect_uri, resource },
        authFor(t, client),
      );
      return body.access_token as string;
    };
    const list = async (token: string) =>
      (await sendJson(`${resource}/v1/agents`, 'GET', undefined, bearer(token))).status;
    expect(await list(await tokenThrough(made.client_id, made.redirect_uris[0]))).toBe(401);
    expect(await list(await tokenThrough(HOST, CALLBACK))).toBe(200);
  });
});

describe('the MCP SDKs themselves, unmodified', () => {
  const clientMetadata = (redirect: string) => ({
    client_name: 'SDK',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  });

  it.each([
    ['v1', registerV1],
    ['v2', registerV2],
  ] as const)('%s registers by what discovery says, and reads the answer', async (name, registerBy) => {
    const { body: metadata } = await sendJson(
      `${t.issuer}/.well-known/oauth-authorization-server`,
      'GET',
    );
    const redirect = `http://127.0.0.1:3${name.slice(1)}00/callback`;
    const made = await registerBy(t.issuer, {
      metadata,
      clientMetadata: clientMetadata(redirect),
      scope: 'files:read',
    });
    expect(made).toMatchObject({ client_id: ID, redirect_uris: [redirect], scope: 'files:read' });
    expect(made.client_secret).toBeUndefined();
    expect((await tokensOf(t, made, { redirectUri: redirect })).status).toBe(200);
  });

  it.each([
    ['v1', registerV1],
    ['v2', registerV2],
  ] as const)('%s is told what is wrong', async (_name, registerBy) => {
    const { body: metadata } = await sendJson(
      `${t.issuer}/.well-known/oauth-authorization-server`,
      'GET',
    );
    const wrong = clientMetadata('http://evil.example/callback');
    await expect(registerBy(t.issuer, { metadata, clientMetadata: wrong })).rejects.toThrow(
      /must be https/,
    );
  });
});
