// Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): clients whose id is the URL
// of what describes them, as the clients people use do it, and as nobody may (K11, K12, K14; DC12, DC13).
import { eq } from 'drizzle-orm';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBrowserless, type Page, walkPages } from '../../examples/demo/walk-pages.js';
import {
  auditEvents,
  clientDocuments,
  clients,
  credentials,
  revocations,
} from '../../schema/index.js';
import { become, begin, stillIs } from '../../src/broker/clients/document-change.js';
import { fetchDocument } from '../../src/broker/clients/document-fetch.js';
import { forgetUnusedDocuments } from '../../src/broker/clients/document-store.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { createIdp, IDP, nowSeconds } from '../support/idp.js';
import { startWeb, type TestWeb } from '../support/web.js';
import { AGENT, ANA, FILES } from '../support/world.js';

const HOSTS = ['claude.ai', 'vscode.dev', 'app.example.com', 'keys.example.com'];
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

let web: TestWeb;
let t: TestBroker;
/** How far the broker's clock is ahead. */
let aheadMs = 0;
/** A document of its own for each test. */
let url = '';
let n = 0;
const later = (seconds: number): void => {
  aheadMs += seconds * 1000;
};

/** Each test is somewhere else: new clients are counted by network. */
const realFetch = globalThis.fetch;
const fetchFromHere: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  if (!headers.has('x-forwarded-for')) headers.set('x-forwarded-for', `203.0.113.${n}`);
  return realFetch(input, { ...init, headers });
};

beforeAll(async () => {
  globalThis.fetch = fetchFromHere;
  web = await startWeb(HOSTS);
  const deps = { outbound: web.outbound, now: () => Date.now() + aheadMs };
  t = await startTestBroker({ deps, config: { trustedProxies: 1, assertionGrant: true } });
});
afterAll(async () => {
  globalThis.fetch = realFetch;
  await t.close();
  await web.close();
});
beforeEach(() => {
  aheadMs = 0;
  n += 1;
  url = `https://app.example.com/${n}/client.json`;
});

const CALLBACK = 'https://app.example.com/callback';
const described = (more = {}) => ({
  client_id: url,
  client_name: 'Some App',
  redirect_uris: [CALLBACK],
  token_endpoint_auth_method: 'none',
  ...more,
});
const visitor = () => createBrowserless(t.issuer);
const asking = (more = {}) => ({
  client_id: url,
  redirect_uri: CALLBACK,
  requested_actor: undefined,
  scope: 'files:read',
  ...more,
});
const asked = () => web.asked.filter((one) => one === url).length;

const redeem = (
  from: { readonly code: string; readonly verifier: string },
  more: Record<string, string> = {},
) =>
  postForm(`${t.issuer}/token`, {
    grant_type: 'authorization_code',
    client_id: url,
    redirect_uri: CALLBACK,
    code: from.code,
    code_verifier: from.verifier,
    resource: FILES,
    ...more,
  });
const refresh = (refresh_token: string, client_id = url) =>
  postForm(`${t.issuer}/token`, { grant_type: 'refresh_token', client_id, refresh_token });

/** Where a request ends: a page of ours, or the client. */
const opened = (more = {}, browser = visitor()): Promise<Page> =>
  browser.open(authorizeUrl(t, pkce().challenge, asking(more)));
const isPage = ({ url: at }: Page): boolean => at.includes('/interaction/');

const rowOf = async (id = url) =>
  (await t.opened.db.orm.select().from(clients).where(eq(clients.id, id)))[0];
const snapshotOf = async () =>
  (await t.opened.db.orm.select().from(clientDocuments).where(eq(clientDocuments.url, url)))[0];
const eventsOf = async (id = url) =>
  (await t.opened.db.orm.select().from(auditEvents).where(eq(auditEvents.clientId, id))).map(
    ({ type, by, detail }) => ({ type, by, detail: detail as Record<string, unknown> }),
  );

describe('a client that comes with a document', () => {
  it('Claude Code: no application_type, loopback on a port of the moment (Q4, Q5)', async () => {
    url = 'https://claude.ai/oauth/claude-code-client-metadata';
    web.put(url, {
      client_id: url,
      client_name: 'Claude Code',
      client_uri: 'https://claude.ai',
      redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
    for (const redirect_uri of ['http://localhost:53682/callback', 'http://127.0.0.1:9/callback']) {
      const authorized = await authorize(t, { params: asking({ redirect_uri }) });
      const { status, body } = await redeem(authorized, { redirect_uri });
      const claims = claimsOf(body.access_token);
      expect([status, claims.client_id, claims.aud, claims.sub, claims.act, body.scope]).toEqual([
        200,
        url,
        FILES,
        ANA.id,
        undefined,
        'files:list files:read',
      ]);
      expect((await refresh(body.refresh_token)).status).toBe(200);
    }
    expect(asked()).toBe(1);
    // ::1 and another path are others.
    for (const redirect_uri of ['http://[::1]:53682/callback', 'http://localhost:1/other']) {
      expect(isPage(await opened({ redirect_uri }))).toBe(false);
    }
  });

  it('VS Code: https and loopback in one list, grants we do not offer (Q7)', async () => {
    url = 'https://vscode.dev/oauth/client-metadata.json';
    web.put(url, {
      client_id: url,
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com/',
      logo_uri: '',
      redirect_uris: [
        'http://127.0.0.1:33418/',
        'https://vscode.dev/redirect',
        'cursor://anysphere.cursor-mcp/oauth/callback',
      ],
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      response_types: ['code'],
      contacts: null,
    });
    for (const redirect_uri of [
      'http://127.0.0.1:50000/',
      'https://vscode.dev/redirect',
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ]) {
      expect(isPage(await opened({ redirect_uri }))).toBe(true);
    }
  });

  it('is written down when its request reaches the page, as what it says and no more (DC11, DC13)', async () => {
    web.put(
      url,
      described({ may_exchange: true, grant_types: ['authorization_code', 'client_credentials'] }),
    );
    await opened({ redirect_uri: 'https://app.example.com/other' });
    await opened({ resource: 'https://unknown.example/' });
    await opened({ code_challenge_method: 'plain' });
    expect(await rowOf()).toBeUndefined();
    expect(isPage(await opened())).toBe(true);
    expect(await rowOf()).toMatchObject({
      id: url,
      name: 'Some App',
      origin: 'document',
      kind: 'app',
      auth: 'none',
      redirectUris: [CALLBACK],
      mayExchange: false,
      agentId: null,
      status: 'active',
    });
    expect(asked()).toBe(1);
    expect(await eventsOf()).toContainEqual({
      type: 'registry.created',
      by: 'system',
      detail: { noun: 'client', id: url, name: 'Some App', kind: 'app', origin: 'document' },
    });
  });

  it('gets the code flow with its refresh, and nothing else', async () => {
    web.put(url, described());
    const { body } = await redeem(await authorize(t, { params: asking() }));
    for (const fields of [
      { grant_type: 'client_credentials', resource: FILES },
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: body.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        resource: FILES,
      },
    ]) {
      const answer = await postForm(`${t.issuer}/token`, { ...fields, client_id: url });
      expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client']);
    }
    // Nor does any agent act through it, unless an operator says so.
    const page = await opened({ requested_actor: AGENT });
    expect(new URL(page.url).searchParams.get('error')).toBe('invalid_request');
  });

  it('may push its request (RFC 9126), and is not asked for at the other endpoints', async () => {
    web.put(url, described());
    for (const [path, fields] of [
      ['/token', { grant_type: 'refresh_token', refresh_token: 'x' }],
      ['/introspect', { token: 'x' }],
      ['/revoke', { token: 'x' }],
    ] as const) {
      const answer = await postForm(`${t.issuer}${path}`, { ...fields, client_id: url });
      expect([path, answer.status, answer.body.error]).toEqual([path, 401, 'invalid_client']);
    }
    expect(asked()).toBe(0);
    const pushed = await postForm(`${t.issuer}/par`, {
      ...Object.fromEntries(
        new URL(authorizeUrl(t, pkce().challenge, asking())).searchParams.entries(),
      ),
    });
    expect([pushed.status, asked()]).toEqual([201, 1]);
  });
});

describe('K11 a document that is not one', () => {
  const refused = async (id = url) => {
    const page = await opened({ client_id: id });
    expect([id, isPage(page), new URL(page.url).pathname]).toEqual([id, false, '/authorize']);
    expect(await rowOf(id)).toBeUndefined();
    return page.status;
  };

  it.each<[string, object]>([
    ['of another client_id', { client_id: 'https://app.example.com/other' }],
    [
      'of a client_id that only looks the same',
      { client_id: 'https://APP.example.com/client.json' },
    ],
    ['without client_id', { client_id: undefined }],
    ['with a secret', { client_secret: 's' }],
    ['with a secret that ends', { client_secret_expires_at: 0 }],
    ['that would authenticate by a secret', { token_endpoint_auth_method: 'client_secret_basic' }],
    ['that would post a secret', { token_endpoint_auth_method: 'client_secret_post' }],
    ['without redirect URIs', { redirect_uris: [] }],
    ['that would be answered in the clear', { redirect_uris: [CALLBACK, 'http://evil.example/'] }],
    ['of more than 5 KB', { padding: 'x'.repeat(5 * 1024) }],
    ['of a script', { client_uri: 'javascript:alert(1)' }],
  ])('%s', async (_what, more) => {
    web.put(url, described(more));
    expect(await refused()).toBe(400);
    expect(asked()).toBe(1);
    // Nothing of it is kept but for a moment: then it is asked again, and good if it is good.
    web.put(url, described());
    expect(await refused()).toBe(400);
    later(31);
    expect(isPage(await opened())).toBe(true);
  });

  it('a redirect, an error, a page: nothing is followed, nothing is kept', async () => {
    web.put(url, (_req, res) => res.writeHead(302, { location: `${url}.real` }).end());
    web.put(`${url}.real`, described());
    expect(await refused()).toBe(400);
    expect(web.asked).not.toContain(`${url}.real`);
    expect(await refused('https://app.example.com/missing/client.json')).toBe(400);
  });

  it('a URL that is not one (CIMD: https, a path, no dot segments, user name, fragment, query)', async () => {
    const before = web.asked.length;
    const ids = [
      ...[
        'http://app.example.com/client.json',
        'https://app.example.com',
        'https://app.example.com/',
      ],
      ...[
        'https://u@app.example.com/c',
        'https://u:p@app.example.com/c',
        'https://app.example.com/c#x',
      ],
      ...[
        'https://app.example.com/a/../c',
        'https://app.example.com/./c',
        'https://app.example.com/c?x',
      ],
      ...[
        'https://app.example.com/a/%2e%2e/c',
        'https://app.example.com/a/%2E/c',
        'HTTPS://app.example.com/c',
      ],
      ...[
        'https://APP.example.com/c',
        'https://app.example.com:443/c',
        'https://app.example.com./c',
      ],
      ...['https://93.184.215.14/c', 'https://[2606:4700::1111]/c', 'https://intranet/c'],
      ...[
        'https://app.example.com\\c',
        'https:/app.example.com/c',
        `https://app.example.com/${'x'.repeat(512)}`,
      ],
      ...['https://localhost./c', 'https://127.1/c', 'https://0x7f000001/c'],
    ];
    for (const id of ids) await refused(id);
    expect(web.asked).toHaveLength(before);
  });

  it('is told why where it helps whoever wrote it, and the operator which document it was', async () => {
    web.put(url, described({ client_id: 'https://app.example.com/other' }));
    const answer = await postForm(`${t.issuer}/par`, { client_id: url });
    expect([answer.status, answer.body]).toEqual([
      401,
      {
        error: 'invalid_client',
        error_description:
          'the client ID metadata document is not acceptable: client_id must be exactly its own URL',
        iss: undefined,
      },
    ]);
    const missing = 'https://app.example.com/nowhere/client.json';
    const nowhere = await postForm(`${t.issuer}/par`, { client_id: missing });
    expect(nowhere.body.error_description).toBe(
      'the client ID metadata document could not be fetched',
    );
    const events = await t.opened.db.orm
      .select({ detail: auditEvents.detail })
      .from(auditEvents)
      .where(eq(auditEvents.type, 'request.refused'));
    expect(events.map(({ detail }) => detail)).toContainEqual(
      expect.objectContaining({
        client_document: missing,
        reason: expect.stringContaining('not fetched: status'),
      }),
    );
  });
});

describe('K11 a document that changes', () => {
  it('is kept as long as its server says, not less than five minutes and not more than a day', async () => {
    for (const [header, keptSeconds] of [
      ['no-store', 300],
      ['max-age=10', 300],
      ['max-age=600', 600],
      ['max-age=315360000', 86_400],
    ] as const) {
      n += 1;
      url = `https://app.example.com/${n}/client.json`;
      aheadMs = 0;
      web.put(url, described(), { 'cache-control': header });
      await opened();
      later(keptSeconds - 5);
      await opened();
      expect([header, asked()]).toEqual([header, 1]);
      later(10);
      await opened();
      expect([header, asked()]).toEqual([header, 2]);
    }
  });

  it.each<[string, object, string[]]>([
    ['its name', { client_name: 'Another App' }, ['name']],
    ['where it may return to', { redirect_uris: [CALLBACK, `${CALLBACK}/2`] }, ['redirectUris']],
  ])('%s: the code of before is good for nothing, and consent is asked again', async (_what, more, fields) => {
    web.put(url, described());
    const browser = visitor();
    const first = await authorize(t, { params: asking(), browser });
    expect((await redeem(first)).status).toBe(200);
    // Covered by consent: without a page.
    const second = await authorize(t, { params: asking(), browser });
    web.put(url, described(more));
    later(3601);
    const refused = await redeem(second);
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    const page = await opened({}, browser);
    expect([isPage(page), page.html.includes('since you last decided')]).toEqual([true, true]);
    const changed = (await eventsOf()).filter(({ type }) => type === 'registry.changed');
    expect(changed.map(({ by, detail }) => [by, detail.fields])).toEqual([['system', fields]]);
    expect(JSON.stringify(changed[0]?.detail.changes)).toContain(Object.values(more).flat()[0]);
  });

  it('what was not changed asks nobody: the page is not shown, the code is good', async () => {
    web.put(url, described());
    const browser = visitor();
    await authorize(t, { params: asking(), browser });
    later(3601);
    const page = await opened({}, browser);
    expect([asked(), page.url.startsWith(CALLBACK)]).toEqual([2, true]);
    expect((await eventsOf()).filter(({ type }) => type === 'registry.changed')).toEqual([]);
  });

  it('while somebody reads the page: no code goes where it may return to no more', async () => {
    web.put(url, described({ redirect_uris: [CALLBACK, `${CALLBACK}/2`] }));
    const browser = visitor();
    const page = await opened({ redirect_uri: `${CALLBACK}/2` }, browser);
    expect(isPage(page)).toBe(true);
    web.put(url, described());
    later(3601);
    // Somebody else's request has the document read again.
    await opened();
    expect((await rowOf())?.redirectUris).toEqual([CALLBACK]);
    aheadMs = 0;
    const ended = await walkPages(browser, page.url, ANA).catch((error: Error) => error);
    expect(String(ended)).not.toContain('code=');
  });

  it('that cannot be read again counts for a day after it should have been, then no more', async () => {
    web.put(url, described());
    const { body } = await redeem(await authorize(t, { params: asking() }));
    web.put(url, (_req, res) => res.writeHead(503).end());
    later(3601);
    const still = await refresh(body.refresh_token);
    expect(still.status).toBe(200);
    later(24 * 3600);
    const gone = await refresh(still.body.refresh_token);
    expect([gone.status, gone.body.error]).toEqual([401, 'invalid_client']);
    // It is back: so is its client.
    web.put(url, described());
    later(31);
    expect((await refresh(still.body.refresh_token)).status).toBe(200);
  });

  it('that is gone, or wrong now: its client is nobody at once', async () => {
    for (const change of [
      () => web.remove(url),
      () => web.put(url, described({ client_id: 'https://app.example.com/other' })),
    ]) {
      n += 1;
      url = `https://app.example.com/${n}/client.json`;
      aheadMs = 0;
      web.put(url, described());
      const { body } = await redeem(await authorize(t, { params: asking() }));
      change();
      later(3601);
      expect((await refresh(body.refresh_token)).body.error).toBe('invalid_client');
    }
  });
});

describe('a client that proves a key', () => {
  let pair: Awaited<ReturnType<typeof generateKeyPair>>;
  let jwk: JWK;
  beforeAll(async () => {
    pair = await generateKeyPair('ES256');
    jwk = await exportJWK(pair.publicKey);
  });
  const assertion = (key = pair.privateKey) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(url)
      .setSubject(url)
      .setAudience(t.issuer)
      .setJti(crypto.randomUUID())
      .setExpirationTime('1m')
      .sign(key);
  const proved = async (key?: typeof pair.privateKey) => ({
    client_assertion_type: ASSERTION,
    client_assertion: await assertion(key),
  });

  it.each(['jwks', 'jwks_uri'])('by %s, and nobody without it', async (member) => {
    const keys = { keys: [jwk] };
    const jwksUri = `https://keys.example.com/${n}/jwks`;
    web.put(jwksUri, keys);
    web.put(
      url,
      described({
        token_endpoint_auth_method: 'private_key_jwt',
        [member]: member === 'jwks' ? keys : jwksUri,
      }),
    );
    const authorized = await authorize(t, { params: asking() });
    expect((await redeem(authorized)).body.error).toBe('invalid_client');
    const stranger = await generateKeyPair('ES256');
    const foreign = await redeem(authorized, await proved(stranger.privateKey));
    expect(foreign.body.error).toBe('invalid_client');
    expect((await redeem(authorized, await proved())).status).toBe(200);
  });

  it('is known when it pushes its first request, and not to whoever has another key', async () => {
    web.put(
      url,
      described({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }),
    );
    const push = async (key?: typeof pair.privateKey) =>
      postForm(`${t.issuer}/par`, {
        ...Object.fromEntries(
          new URL(authorizeUrl(t, pkce().challenge, asking())).searchParams.entries(),
        ),
        ...(await proved(key)),
      });
    expect((await push((await generateKeyPair('ES256')).privateKey)).status).toBe(401);
    expect(await rowOf()).toBeUndefined();
    expect((await push()).status).toBe(201);
  });

  it('changes it: the old one proves nobody, what hangs on it stops, and consent is asked again', async () => {
    const keyed = (keys: JWK[]) =>
      described({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } });
    web.put(url, keyed([jwk]));
    const browser = visitor();
    await redeem(await authorize(t, { params: asking(), browser }), await proved());
    const waiting = await authorize(t, { params: asking(), browser });
    const other = await generateKeyPair('ES256');
    web.put(url, keyed([await exportJWK(other.publicKey)]));
    later(3601);
    expect((await redeem(waiting, await proved())).body.error).toBe('invalid_client');
    const late = await redeem(waiting, await proved(other.privateKey));
    expect(late.body.error).toBe('invalid_grant');
    const page = await opened({}, browser);
    expect([isPage(page), page.html.includes('How the application proves itself')]).toEqual([
      true,
      true,
    ]);
    const rows = await t.opened.db.orm
      .select()
      .from(credentials)
      .where(eq(credentials.principal, url));
    expect(rows.map(({ removedAt }) => removedAt !== null).sort()).toEqual([false, true]);
    const gone = rows.find(({ removedAt }) => removedAt !== null)?.id ?? '';
    const facts = await t.opened.db.orm.select().from(revocations).where(eq(revocations.key, gone));
    expect(facts.map(({ always }) => always)).toEqual([true]);
  });

  it('ID-JAG: brings an identity assertion, if an operator and the issuer’s rule named it', async () => {
    web.put(
      url,
      described({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }),
    );
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const create = (path: string, body: object) =>
      callAdmin(t, 'POST', path, { authorization, body });
    expect((await create('/clients', { id: url, kind: 'app', name: 'Named' })).status).toBe(201);
    const idp = createIdp(IDP);
    const trusted = { issuer: IDP, name: 'Corp', purposes: ['id_jag'], jwks: idp.jwks };
    const id_jag = { resources: [{ resource: FILES }], clients: [url] };
    const made = await create('/trusted-issuers', { ...trusted, rules: { id_jag } });
    expect([made.status, made.body]).toMatchObject([201, { issuer: IDP }]);
    await create(`/users/${ANA.id}/identities`, { issuer: IDP, subject: 'ana' });
    const [iat, exp] = [nowSeconds(), nowSeconds() + 60];
    const times = { iat, exp, jti: crypto.randomUUID() };
    const claims = { sub: 'ana', aud: t.issuer, client_id: url, resource: FILES, ...times };
    const grant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: idp.sign({ ...claims, scope: 'files:read' }, { typ: 'oauth-id-jag+jwt' }),
    };
    const bare = await postForm(`${t.issuer}/token`, { ...grant, client_id: url });
    expect([bare.status, bare.body.error]).toEqual([401, 'invalid_client']);
    const { status, body } = await postForm(`${t.issuer}/token`, { ...grant, ...(await proved()) });
    expect([status, body.scope]).toEqual([200, 'files:list files:read']);
    expect(claimsOf(body.access_token)).toMatchObject({ sub: ANA.id, client_id: url });
  });

  it('K11: of two processes that asked, the one that asked first and is late brings no key back', async () => {
    const asked = (kid: string, atMs: number) => {
      const keys = { keys: [{ ...jwk, kid }] };
      const json = described({ token_endpoint_auth_method: 'private_key_jwt', jwks: keys });
      const fetchJson = async () => ({ json, maxAgeSeconds: undefined });
      return fetchDocument({ outbound: { fetchJson }, now: () => atMs }, url);
    };
    const kids = async () => {
      const { db } = t.opened;
      const known = await db.orm.select().from(credentials).where(eq(credentials.principal, url));
      return known.filter(({ removedAt }) => removedAt === null).map(({ jwk: key }) => key?.kid);
    };
    const atMs = Date.now();
    await begin(t.opened.db, await asked('first', atMs));
    await become(t.opened.db, await asked('second', atMs + 2000));
    await become(t.opened.db, await asked('first', atMs + 1000));
    await stillIs(t.opened.db, await asked('first', atMs + 1000));
    expect([await kids(), JSON.stringify((await snapshotOf())?.document)]).toEqual([
      ['second'],
      expect.stringContaining('"second"'),
    ]);
    await become(t.opened.db, await asked('third', atMs + 3000));
    expect(await kids()).toEqual(['third']);
  });

  it('K11: a document that wants bound tokens from now on stops those that are not', async () => {
    web.put(url, described(), { 'cache-control': 'max-age=300' });
    const { body } = await redeem(await authorize(t, { params: asking() }));
    const jti = String(claimsOf(body.access_token).jti);
    web.put(url, described({ dpop_bound_access_tokens: true }));
    later(301);
    const unbound = await refresh(body.refresh_token);
    expect(unbound.body.error).toBe('invalid_dpop_proof');
    const facts = await t.opened.db.orm.select().from(revocations);
    const stops = facts.filter(({ key }) => key === url || jti.startsWith(key));
    expect(stops.length).toBeGreaterThan(0);
  });

  it('a stranger’s document that lists somebody’s key takes nothing from them', async () => {
    const keys = { keys: [jwk] };
    web.put(url, described({ token_endpoint_auth_method: 'private_key_jwt', jwks: keys }));
    expect(isPage(await opened())).toBe(true);
    const own = await generateKeyPair('ES256');
    const key = await exportJWK(own.publicKey);
    n += 1;
    url = `https://app.example.com/${n}/client.json`;
    web.put(
      url,
      described({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key] } }),
    );
    await opened();
    const made = await t.broker.registry.clients.create('cli', {
      kind: 'service',
      name: 'Its owner',
      auth: 'private_key_jwt',
      jwks: { keys: [key as never] },
    });
    expect(made.client.auth).toBe('private_key_jwt');
  });
});

describe('K12 who a person is shown', () => {
  it('the host of the document, that nobody checked the name, and the host of the answer', async () => {
    web.put(
      url,
      described({ client_name: 'Claude', logo_uri: 'https://app.example.com/logo.png' }),
    );
    const browser = visitor();
    await authorize(t, { params: asking(), browser });
    const { html } = await opened({ prompt: 'consent' }, browser);
    expect(html).toContain('Unverified');
    expect(html).toContain('app.example.com');
    expect(html).toContain('it introduces itself from app.example.com');
    expect(html).not.toMatch(/<img|<link[^>]+app\.example\.com/);
    expect(web.asked).not.toContain('https://app.example.com/logo.png');
  });

  it.each<[string, object, boolean]>([
    ['an answer to its own origin', {}, true],
    ['an answer to another origin', { redirect_uri: 'https://other.example/cb' }, false],
    ['an answer on loopback', { redirect_uri: 'http://127.0.0.1:5/cb' }, false],
    ['an answer to an app', { redirect_uri: 'app.example:/cb' }, false],
  ])('consent once given is reused in silence for %s: %s', async (_what, more, silent) => {
    const redirect_uris = [
      ...[CALLBACK, 'https://other.example/cb'],
      ...['http://127.0.0.1/cb', 'app.example:/cb'],
    ];
    web.put(url, described({ redirect_uris }));
    const browser = visitor();
    await authorize(t, { params: asking(more), browser });
    const again = await browser.open(authorizeUrl(t, pkce().challenge, asking(more)));
    expect(isPage(again)).toBe(!silent);
  });
});

describe('operators', () => {
  it('find such clients, and retire one for good: it is never fetched into life again', async () => {
    web.put(url, described());
    const { body } = await redeem(await authorize(t, { params: asking() }));
    const { registry } = t.broker;
    const listed = await registry.clients.list({ origin: 'document', limit: 100 });
    expect(listed.items.map(({ id }) => id)).toContain(url);
    await registry.clients.retire('admin', url);
    later(3601);
    const before = asked();
    expect((await refresh(body.refresh_token)).body.error).toBe('invalid_client');
    expect(isPage(await opened())).toBe(false);
    expect([asked(), (await rowOf())?.status]).toEqual([before, 'retired']);
  });

  it('bind one document to one agent: its client yields act without a new parameter, unproved (§8b)', async () => {
    const { registry } = t.broker;
    web.put(url, described());
    await registry.clients.create('admin', { id: url, kind: 'app', name: 'Bound' });
    const agent = await registry.agents.get(AGENT);
    await registry.agents.patch('admin', AGENT, { clients: [...agent.clients, url] });
    await registry.clients.patch('admin', url, { agentId: AGENT });
    const browser = visitor();
    const page = await opened({}, browser);
    expect(isPage(page)).toBe(true);
    const authorized = await authorize(t, { params: asking(), browser });
    const { status, body } = await redeem(authorized);
    const claims = claimsOf(body.access_token) as { act: { sub: string }; actor_proof: string };
    expect([status, claims.act.sub, claims.actor_proof]).toEqual([200, AGENT, 'none']);
    // Another document, and the same one unbound, act as nobody.
    await registry.clients.patch('admin', url, { agentId: null });
    expect((await refresh(body.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('bind it in a world file, before anybody has seen it; applied again, nothing changes', async () => {
    web.put(url, described());
    const file = `
clients:
  - id: ${url}
    kind: app
    name: Some App
    agent: agt_world_${n}
agents:
  - id: agt_world_${n}
    name: World Agent
    owner: ops
    clients: ['${url}']
permissions:
  - principal: agt_world_${n}
    resource: ${FILES}
    scopes: [files:read]
`;
    await t.broker.applyWorld(file);
    expect(await rowOf()).toMatchObject({ origin: 'operator', agentId: `agt_world_${n}` });
    const { body } = await redeem(await authorize(t, { params: asking() }));
    expect(claimsOf(body.access_token)).toMatchObject({ act: { sub: `agt_world_${n}` } });
    await t.broker.applyWorld(file);
    expect((await refresh(body.refresh_token)).status).toBe(200);
    expect(await rowOf()).toMatchObject({ name: 'Some App', agentId: `agt_world_${n}` });
  });

  it('say of it whose agent it is, and nothing that its document says', async () => {
    const { clients: registered } = t.broker.registry;
    web.put(url, described());
    await opened();
    for (const patch of [
      { name: 'Ours' },
      { auth: 'client_secret_basic' },
      { mayExchange: true },
    ]) {
      await expect(registered.patch('admin', url, patch as object)).rejects.toThrow();
    }
    await expect(registered.addCredential('admin', url, { kind: 'secret' })).rejects.toThrow();
    await expect(
      registered.create('admin', { id: `${url}x`, kind: 'service', name: 'x' }),
    ).rejects.toThrow('must be app');
    await expect(
      registered.create('admin', {
        id: `${url}x`,
        kind: 'app',
        name: 'x',
        redirectUris: [CALLBACK],
      }),
    ).rejects.toThrow('must be left out');
  });
});

describe('P15 what strangers can make us keep', () => {
  it('is forgotten when nobody used it, and kept when somebody did, or an operator named it', async () => {
    const unused = `${url}.unused`;
    const bound = `${url}.bound`;
    for (const id of [url, unused, bound]) {
      web.put(id, described({ client_id: id }));
    }
    await authorize(t, { params: asking() });
    await opened({ client_id: unused });
    await t.broker.registry.clients.create('admin', { id: bound, kind: 'app', name: 'Bound' });
    const { orm } = t.opened.db;
    await orm.update(clients).set({ createdAt: new Date(Date.now() - 2 * 3600_000) });
    await forgetUnusedDocuments(t.opened.db, 1000);
    expect([await rowOf(), await rowOf(unused), await rowOf(bound)]).toEqual([
      expect.objectContaining({ id: url }),
      undefined,
      expect.objectContaining({ id: bound }),
    ]);
    const left = await orm.select().from(clientDocuments).where(eq(clientDocuments.url, unused));
    expect(left).toEqual([]);
    // And comes again, like a stranger.
    expect(isPage(await opened({ client_id: unused }))).toBe(true);
    expect(await rowOf(unused)).toBeDefined();
  });

  it('is so many from one network an hour; another network is not kept waiting', async () => {
    const from = (address: string, id: string) =>
      fetch(authorizeUrl(t, pkce().challenge, asking({ client_id: id })), {
        redirect: 'manual',
        headers: { 'x-forwarded-for': address },
      });
    const seen: number[] = [];
    for (let i = 0; i < 25; i += 1) {
      const id = `${url}.${i}`;
      web.put(id, described({ client_id: id }));
      seen.push((await from('198.51.100.7', id)).status);
    }
    const last = await from('198.51.100.7', `${url}.24`);
    const location = new URL(last.headers.get('location') ?? '');
    expect(location.searchParams.get('error')).toBe('temporarily_unavailable');
    const known = await t.opened.db.orm.select({ id: clients.id }).from(clients);
    expect(known.filter(({ id }) => id.startsWith(`${url}.`))).toHaveLength(20);
    const other = await from('198.51.100.8', `${url}.24`);
    expect(other.headers.get('location')).toContain('/interaction/');
  });
});

describe('M2 the administration', () => {
  it('lets no administrator in through a document’s client, unless an operator named it', async () => {
    const resource = `${t.issuer}/admin`;
    const permit = { principal: ANA.id, resource, scopes: ['admin:read'] };
    await t.broker.registry.permissions.set('cli', permit);
    web.put(url, described());
    const listed = async () => {
      const from = await authorize(t, { params: asking({ resource, scope: 'admin:read' }) });
      const { body } = await redeem(from, { resource });
      const authorization = `Bearer ${body.access_token}`;
      return (await callAdmin(t, 'GET', '/agents', { authorization })).status;
    };
    expect(await listed()).toBe(401);
    url = `https://app.example.com/${n}/named.json`;
    web.put(url, described());
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const body = { id: url, kind: 'app', name: 'Console' };
    expect((await callAdmin(t, 'POST', '/clients', { authorization, body })).status).toBe(201);
    expect(await listed()).toBe(200);
    await t.broker.registry.permissions.set('cli', { ...permit, scopes: [] });
  });
});

describe('K14 whose names are whose', () => {
  it('a URL is a document’s and never anybody else’s: no id of ours is one', async () => {
    const create = (body: object) =>
      callAdmin(t, 'POST', '/clients', { authorization: `Bearer ${ADMIN_TOKEN}`, body });
    const app = { kind: 'app', name: 'x', redirect_uris: [CALLBACK] };
    expect((await create(app)).body.id).toMatch(/^cli_/);
    for (const id of [
      ANA.id,
      `usr_${n}`,
      AGENT,
      'https://app.example.com',
      'urn:x',
      `cli_${url}`,
    ]) {
      expect([id, (await create({ ...app, id })).status]).toEqual([id, 400]);
    }
    // Nor is the subject of anybody's own token a user's: a document's client has none at all.
    web.put(url, described());
    await opened();
    const alone = await postForm(`${t.issuer}/token`, {
      grant_type: 'client_credentials',
      client_id: url,
      resource: FILES,
    });
    expect(alone.body.error).toBe('unauthorized_client');
  });
});
