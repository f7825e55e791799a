// An issuer with a path (RFC 8414 §3.1; DI1, Q13): everything is below it, both documents are found in
// each of their places, and two issuers on one host, even one inside the other, know nothing of each other.
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formTo, walkPages } from '../../examples/demo/walk-pages.js';
import { createAgentHost } from '../../src/agent/index.js';
import { createBroker } from '../../src/broker/app.js';
import { hostCookieName, sessionCookie } from '../../src/broker/provider/cookies.js';
import { createVerifier } from '../../src/verifier/index.js';
import { adminOf, callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  freePort,
  pkce,
  postForm,
  postToken,
  redeem,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { AGENT, ANA, CALLBACK, FILES, HOST, seedWorld } from '../support/world.js';

const MTLS = 'https://mtls.example';
let http: Server;
let host: string;
/** One below the other's path: whatever is matched by its beginning alone would mix them up. */
let t: TestBroker;
let inner: TestBroker;
beforeAll(async () => {
  const port = await freePort();
  host = `http://127.0.0.1:${port}`;
  t = await startAt(port, '/tenant1');
  inner = await startAt(port, '/tenant1/inner');
  const isInner = ({ url = '' }: IncomingMessage) => /\/tenant1\/inner(\/|\?|$)/.test(url);
  http = createServer((req, res) => (isInner(req) ? inner : t).broker.handle(req, res));
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
});
afterAll(async () => {
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
  await t.close();
  await inner.close();
});

async function startAt(port: number, path: string): Promise<TestBroker> {
  const opened = await openTestPostgres();
  const secrets = await seedWorld(opened.db);
  const logged: string[] = [];
  const clientCertificates = { header: 'client-cert', from: ['127.0.0.1'], origin: MTLS };
  const broker = await createBroker(
    testConfig(port, { issuer: `${host}${path}`, clientCertificates }),
    {
      db: opened.db,
      logTo: { write: (line: string) => void logged.push(line) },
    },
  );
  const close = async () => {
    await broker.close();
    await opened.close();
  };
  return { broker, issuer: broker.config.issuer, secrets, opened, logged, close };
}

const get = async (path: string) => {
  const response = await fetch(`${host}${path}`, { redirect: 'manual' });
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, body: type.includes('json') ? await response.json() : {} };
};

describe('RFC 8414 §3.1 the documents of an issuer with a path', () => {
  it('are one document in four places, and name the issuer exactly', async () => {
    const names = ['oauth-authorization-server', 'openid-configuration'];
    const places = names.flatMap((name) => [
      `/.well-known/${name}/tenant1`,
      `/tenant1/.well-known/${name}`,
    ]);
    const [first, ...others] = await Promise.all(places.map(get));
    expect(first?.status).toBe(200);
    for (const other of others) expect(other).toEqual(first);
    const { body } = first as { body: Record<string, unknown> };
    expect(body.issuer).toBe(`${host}/tenant1`);
    const endpoints = Object.entries(body).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name));
    expect(endpoints.length).toBeGreaterThan(10);
    for (const [, url] of endpoints) expect(url).toMatch(new RegExp(`^${host}/tenant1/[a-z.]`));
    expect((await get('/tenant1/.well-known/jwks.json')).body.keys).toHaveLength(2);
  });

  it('RFC 8705 §5: clients with certificates find the same paths at their own origin', async () => {
    const { body } = await get('/.well-known/openid-configuration/tenant1/inner');
    const aliases = Object.entries(body.mtls_endpoint_aliases as Record<string, string>);
    expect(aliases).toHaveLength(5);
    for (const [name, url] of aliases) expect(url).toBe(body[name].replace(host, MTLS));
  });

  it('are another document for the issuer inside', async () => {
    const { body } = await get('/.well-known/oauth-authorization-server/tenant1/inner');
    expect(body.issuer).toBe(`${host}/tenant1/inner`);
    expect(body.token_endpoint).toBe(`${host}/tenant1/inner/token`);
  });

  it.each([
    ['/.well-known/oauth-authorization-server'],
    ['/.well-known/openid-configuration'],
    ['/.well-known/openid-configuration/'],
    ['/.well-known/openid-configuration/tenant2'],
    ['/.well-known/openid-configuration/tenant1x'],
    ['/.well-known/openid-configuration/TENANT1'],
    ['/.well-known/openid-configuration/tenant1/more'],
    ['/.well-known/oauth-protected-resource/tenant1'],
    ['/tenant1/.well-known/nothing'],
    ['/tenant1/.well-known/openid-configuration/tenant1'],
    ['/tenant1x/.well-known/openid-configuration'],
    ['/token'],
    ['/authorize'],
    ['/me'],
    ['/'],
    ['/tenant1'],
    ['/%74enant1/token'],
    ['//tenant1/token'],
    ['/tenant2/../tenant1/token'],
  ])('%s is not there: 404, never 5xx, never somebody else’s', async (path) => {
    const raw = await rawStatus(path);
    expect(raw).toBe(404);
  });
});

/** As it is written: `fetch` would resolve dot segments. */
async function rawStatus(path: string): Promise<number> {
  const { port } = new URL(host);
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method: 'GET' }, (res) => {
      res.resume();
      resolve(res.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('everything below the path', () => {
  it('gives a user’s token to her agent by the pages, and follows what she withdraws at /me', async () => {
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES });
    await verifier.ready();
    const agent = createAgentHost({
      issuer: t.issuer,
      agent: { id: AGENT, auth: { secret: t.secrets[AGENT] as string } },
      client: { id: HOST, auth: { secret: t.secrets[HOST] as string }, redirectUri: CALLBACK },
    });
    const begun = await agent.beginDelegation({ resource: FILES, scope: 'files:read' });
    const browser = createBrowserless(t.issuer);
    const callback = await walkPages(browser, begun.url.href, ANA);
    expect(callback.searchParams.get('iss')).toBe(t.issuer);
    const { accessToken } = await (
      await agent.completeDelegation(callback, begun.transaction)
    ).token();
    expect(claimsOf(accessToken)).toMatchObject({
      iss: t.issuer,
      act: { sub: AGENT, iss: t.issuer },
    });
    expect((await verifier.verify(accessToken)).kind).toBe('delegated');

    const stop = formTo(await browser.open(`${t.issuer}/me/stop`), '/me/stop');
    expect(stop?.action).toBe(`${t.issuer}/me/stop`);
    const receipt = await browser.submit(stop as NonNullable<typeof stop>);
    expect(receipt.status).toBe(200);
    await eventually(async () => {
      await expect(verifier.verify(accessToken)).rejects.toMatchObject({ reason: 'revoked' });
    });
    await verifier.close();
  });

  it('links, forms, styles and redirects stay below it, on every page on the way', async () => {
    const browser = createBrowserless(t.issuer);
    const pages = [
      await browser.open(authorizeUrl(t, pkce().challenge)),
      await browser.open(`${t.issuer}/me`),
      await browser.open(`${t.issuer}/nothing-here`),
      await browser.open(`${t.issuer}/authorize`),
    ];
    const signIn = formTo(pages[0] as never, '/sign-in');
    pages.push(await browser.submit(signIn as never, ANA));
    const own = formTo(await browser.open(`${t.issuer}/me`), '/me/sign-in');
    pages.push(await browser.submit(own as never, ANA));
    for (const path of ['/me', '/me/sessions', '/me/password', '/me/stop', '/logout']) {
      pages.push(await browser.open(`${t.issuer}${path}`));
    }
    const seen = new Set<string>();
    for (const { html, url } of pages) {
      expect(url.startsWith(`${t.issuer}/`)).toBe(true);
      for (const [, address = ''] of html.matchAll(/(?:href|action|src)="([^"]*)"/g)) {
        if (!/^(#|https?:)/.test(address)) seen.add(address);
        else if (address.startsWith(host)) seen.add(address.slice(host.length));
      }
    }
    expect([...seen].filter((address) => !address.startsWith('/tenant1/'))).toEqual([]);
    const styles = [...seen].find((address) => address.endsWith('.css'));
    expect((await fetch(`${host}${styles}`)).status).toBe(200);
    expect([...seen].some((address) => address.startsWith('/tenant1/interaction/'))).toBe(true);
    expect(seen.has('/tenant1/me/sessions')).toBe(true);
  });

  it('binds DPoP proofs to the endpoint as it is outside (RFC 9449 §4.3)', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const prove = (htu: string) =>
      new SignJWT({ htm: 'POST', htu, jti: crypto.randomUUID() })
        .setIssuedAt()
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey);
    const ask = async (htu: string) =>
      postForm(
        `${t.issuer}/token`,
        { grant_type: 'client_credentials', resource: FILES },
        { ...authFor(t, AGENT), dpop: await prove(htu) },
      );
    expect((await ask(`${t.issuer}/token`)).body.token_type).toBe('DPoP');
    expect((await ask(`${host}/token`)).body.error).toBe('invalid_dpop_proof');
    expect((await ask(`${inner.issuer}/token`)).body.error).toBe('invalid_dpop_proof');
  });

  it('takes pushed requests, questions about tokens and revocations there', async () => {
    const { body } = await redeem(t, await authorize(t));
    const about = () =>
      postForm(`${t.issuer}/introspect`, { token: body.access_token }, authFor(t, HOST));
    expect((await about()).body.active).toBe(true);
    await postForm(`${t.issuer}/revoke`, { token: body.access_token }, authFor(t, HOST));
    expect((await about()).body).toEqual({ active: false });
    const feed = (await get('/tenant1/revocations')).body;
    expect([feed.issuer, feed.facts.length > 0]).toEqual([t.issuer, true]);
    const pushed = await postForm(
      `${t.issuer}/par`,
      Object.fromEntries(new URL(authorizeUrl(t, pkce().challenge)).searchParams),
      authFor(t, HOST),
    );
    expect(pushed.status).toBe(201);
  });

  it('is administered there: <issuer>/admin is the resource', async () => {
    const admin = await callAdmin(t, 'GET', '/agents', { authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(admin.status).toBe(200);
    expect(adminOf(t)).toBe(`${host}/tenant1/admin`);
    const create = (identifier: string) =>
      callAdmin(t, 'POST', '/resources', {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        body: {
          identifier,
          name: 'Beside',
          scopes: { 'b:read': { title: 'Read', risk: 'read' } },
        },
      });
    expect((await create(`${host}/mcp`)).status).toBe(201);
    for (const within of [`${host}/tenant1`, `${host}/tenant1/mcp`]) {
      expect((await create(within)).status).toBe(400);
    }
  });
});

describe('two issuers on one host, one inside the other', () => {
  it('set cookies of their own names, for their own paths', async () => {
    const cookiesOf = async (one: TestBroker) => {
      const answer = await fetch(authorizeUrl(one, pkce().challenge), { redirect: 'manual' });
      return answer.headers.getSetCookie().map((line) => ({
        name: line.split('=')[0] ?? '',
        path: /path=([^;]*)/.exec(line)?.[1] ?? '',
      }));
    };
    const [outside, inside] = [await cookiesOf(t), await cookiesOf(inner)];
    expect(outside.length).toBeGreaterThan(2);
    for (const { path } of outside)
      expect(path).toMatch(/^\/tenant1(\/(interaction|authorize)\/|$)/);
    for (const { path } of inside) {
      expect(path).toMatch(/^\/tenant1\/inner(\/(interaction|authorize)\/|$)/);
    }
    const names = new Set(outside.map(({ name }) => name));
    expect(inside.filter(({ name }) => names.has(name))).toEqual([]);
  });

  it('over https have the strictest prefix their path allows (RFC 6265bis §4.1.3)', () => {
    const name = (issuer: string) => hostCookieName(issuer, 'behalf_session');
    expect(name('https://broker.example')).toBe('__Host-behalf_session');
    expect(name('https://broker.example/tenant1')).toMatch(/^__Secure-behalf_session_[0-9a-f]{8}$/);
    expect(sessionCookie('https://broker.example')).toMatchObject({ path: '/', secure: true });
    expect(sessionCookie('https://broker.example/tenant1')).toEqual({
      signed: true,
      httpOnly: true,
      sameSite: 'lax',
      secure: true,
      path: '/tenant1',
    });
  });

  it('whoever is signed in at one is nobody at the other, in the same browser', async () => {
    const browser = createBrowserless(host);
    await walkPages(browser, authorizeUrl(t, pkce().challenge), ANA);
    const own = await browser.open(`${t.issuer}/me`);
    const other = await browser.open(`${inner.issuer}/me`);
    expect(formTo(own, '/me/sign-in')).toBeUndefined();
    expect(formTo(other, '/me/sign-in')).toBeDefined();
    // And after signing in there too, each still has its own.
    await browser.submit(formTo(other, '/me/sign-in') as never, ANA);
    for (const one of [t, inner]) {
      const page = await browser.open(`${one.issuer}/me`);
      expect(formTo(page, '/me/sign-in')).toBeUndefined();
    }
    // Signing out at one is not signing out at the other.
    const question = await browser.open(`${inner.issuer}/logout`);
    const leave = formTo(question, '/logout/confirm');
    expect(leave?.action).toBe(`${inner.issuer}/logout/confirm`);
    await browser.submit(leave as never, { logout: 'yes' });
    const [mine, left] = [
      await browser.open(`${t.issuer}/me`),
      await browser.open(`${inner.issuer}/me`),
    ];
    expect(formTo(mine, '/me/sign-in')).toBeUndefined();
    expect(formTo(left, '/me/sign-in')).toBeDefined();
  });

  it('neither takes the other’s tokens, codes or clients’ secrets', async () => {
    const { body } = await redeem(t, await authorize(t));
    const asked = await postForm(
      `${inner.issuer}/introspect`,
      { token: body.access_token },
      authFor(inner, HOST),
    );
    expect(asked.body).toEqual({ active: false });
    const stolen = await redeem(inner, await authorize(t));
    expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant']);
    const secret = await postToken({ ...inner, secrets: t.secrets }, AGENT, {
      grant_type: 'client_credentials',
      resource: FILES,
    });
    expect([secret.status, secret.body.error]).toEqual([401, 'invalid_client']);
    const verifier = createVerifier({ issuer: inner.issuer, resource: FILES });
    await expect(verifier.verify(body.access_token)).rejects.toMatchObject({
      code: 'invalid_token',
    });
    await verifier.close();
  });
});
