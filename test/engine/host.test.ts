// DESIGN §9.6: the issuer is what it is configured to be, whatever a request claims to have come
// through. The engine would derive endpoint URLs, audiences and redirects from it.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, createBroker } from '../../src/broker/app.js';
import {
  authorizeUrl,
  basic,
  freePort,
  pkce,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { AGENT, FILES } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

interface Spoof {
  readonly name: string;
  /** From the path the request is really for. */
  readonly target?: (path: string) => string;
  readonly headers?: readonly string[];
}

const SPOOFS: readonly Spoof[] = [
  { name: 'nothing', headers: [] },
  { name: 'Host', headers: ['Host: evil.example'] },
  { name: 'Host with a port', headers: ['Host: evil.example:1'] },
  { name: 'an empty Host', headers: ['Host:'] },
  { name: 'X-Forwarded-Host', headers: ['X-Forwarded-Host: evil.example'] },
  { name: 'X-Forwarded-Proto', headers: ['X-Forwarded-Proto: ftp, evil'] },
  { name: 'X-Forwarded-Port', headers: ['X-Forwarded-Port: 666'] },
  { name: 'X-Forwarded-Prefix', headers: ['X-Forwarded-Prefix: /evil'] },
  { name: 'Forwarded', headers: ['Forwarded: host=evil.example;proto=ftp'] },
  { name: 'X-Original-URL', headers: ['X-Original-URL: http://evil.example/'] },
  { name: 'X-HTTP-Method-Override', headers: ['X-HTTP-Method-Override: DELETE'] },
  {
    name: 'an absolute-form target (RFC 9112 §3.2.2)',
    target: (path) => `http://evil.example${path}`,
  },
  {
    name: 'an absolute-form target with our Host',
    target: (path) => `http://evil.example${path}`,
    headers: ['Host: HOST'],
  },
  { name: 'an absolute-form target in capitals', target: (path) => `HTTP://EVIL.EXAMPLE${path}` },
  { name: 'a target with userinfo', target: (path) => `http://evil.example@evil.example${path}` },
  { name: 'a target of another scheme', target: (path) => `ftp://evil.example${path}` },
];

/** Written by hand, as no well-behaved client would. */
function raw(
  spoof: Spoof,
  path: string,
  request: { method?: string; body?: string; headers?: readonly string[] } = {},
  origin = t.issuer,
): Promise<string> {
  const { hostname, port, host } = new URL(origin);
  const { method = 'GET', body = '' } = request;
  const spoofed = (spoof.headers ?? []).map((header) => header.replace('HOST', host));
  const hasHost = spoofed.some((header) => header.startsWith('Host:'));
  const lines = [
    `${method} ${spoof.target?.(path) ?? path} HTTP/1.1`,
    ...(hasHost ? [] : ['Host: evil.example']),
    ...spoofed,
    ...(request.headers ?? []),
    ...(body === ''
      ? []
      : ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`]),
    'Connection: close',
    '',
    body,
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(lines.join('\r\n')));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
const headerOf = (answer: string, name: string): string =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(answer)?.[1]?.trim() ?? '';
/** A request may be refused, which is as good; if it is answered, then for the issuer. */
const isRefused = (answer: string): boolean => [400, 404].includes(statusOf(answer));

describe.each(SPOOFS)('a request that claims $name', (spoof) => {
  const expectNoEvil = (answer: string) =>
    expect(answer.toLowerCase()).not.toMatch(/evil|ftp:|:666/);

  it('is answered about the issuer and its endpoints', async () => {
    for (const path of [
      '/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server',
    ]) {
      const answer = await raw(spoof, path);
      expectNoEvil(answer);
      if (isRefused(answer)) continue;
      expect(statusOf(answer)).toBe(200);
      const document = JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? '{}');
      expect(document.issuer).toBe(t.issuer);
      const endpoints = Object.entries(document).filter(([name]) => /_(endpoint|uri)$/.test(name));
      expect(endpoints.length).toBeGreaterThan(8);
      for (const [name, url] of endpoints)
        expect([name, new URL(url as string).origin]).toEqual([name, t.issuer]);
    }
  });

  it('is redirected, if at all, to this server’s own pages, with cookies for this server', async () => {
    const { pathname, search } = new URL(authorizeUrl(t, pkce().challenge));
    const answer = await raw(spoof, pathname + search);
    expectNoEvil(answer);
    if (isRefused(answer)) return;
    expect(statusOf(answer)).toBe(303);
    const location = headerOf(answer, 'location');
    expect(new URL(location, t.issuer).origin).toBe(t.issuer);
    expect(location).toMatch(/\/interaction\/[\w-]+$/);
    expect(answer).not.toMatch(/set-cookie:.*domain=/i);
  });

  it('gets a token of the issuer', async () => {
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      resource: FILES,
    }).toString();
    const headers = [`Authorization: ${basic(AGENT, t.secrets[AGENT] as string)}`];
    const answer = await raw(spoof, '/token', { method: 'POST', body, headers });
    if (isRefused(answer)) return expectNoEvil(answer);
    expect(statusOf(answer)).toBe(200);
    const { access_token } = JSON.parse(/\{.*\}/s.exec(answer)?.[0] ?? '{}');
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString());
    expect(claims).toMatchObject({ iss: t.issuer, aud: FILES });
  });

  it('cannot move the error redirect, the end of a session or the interaction page', async () => {
    for (const path of [
      '/authorize',
      '/logout',
      '/interaction/nobody',
      '/authorize/nobody',
      '/revocations',
      '/nowhere',
    ]) {
      const answer = await raw(spoof, path);
      expectNoEvil(answer);
      expect(statusOf(answer)).toBeLessThan(500);
      const location = headerOf(answer, 'location');
      if (location !== '') expect(new URL(location, t.issuer).origin).toBe(t.issuer);
    }
  });
});

describe.each(SPOOFS)('behind a proxy that ends TLS, a request that claims $name', (spoof) => {
  const issuer = 'https://broker.example';
  let broker: Broker;
  let origin: string;
  beforeAll(async () => {
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    broker = await createBroker(testConfig(port, { issuer }), {
      db: t.opened.db,
      logTo: { write: () => {} },
    });
    await broker.listen();
  });
  afterAll(() => broker.close());

  it('is answered with https and the issuer’s host, and gets cookies for nothing else', async () => {
    const document = await raw(spoof, '/.well-known/openid-configuration', {}, origin);
    expect(document.toLowerCase()).not.toMatch(/evil|ftp:|:666|"http:/);
    if (!isRefused(document))
      expect(document).toContain('"token_endpoint":"https://broker.example/token"');
    const { pathname, search } = new URL(authorizeUrl(t, pkce().challenge));
    const answer = await raw(spoof, pathname + search, {}, origin);
    if (isRefused(answer)) return;
    expect(statusOf(answer)).toBe(303);
    const cookies = [...answer.matchAll(/^set-cookie: (.*)$/gim)].map(([, cookie = '']) => cookie);
    expect(cookies.length).toBeGreaterThan(0);
    for (const cookie of cookies) expect(cookie).toMatch(/; secure/i);
  });
});

describe('a client assertion', () => {
  it('is for the issuer, not for the host it was sent to (K5)', async () => {
    const answer = await raw(SPOOFS[1] as Spoof, '/token', {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: FILES,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: [
          { alg: 'ES256' },
          { iss: AGENT, sub: AGENT, aud: 'http://evil.example/token', jti: 'x', exp: 4e9 },
          'x',
        ]
          .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
          .join('.'),
      }).toString(),
    });
    expect(statusOf(answer)).toBe(401);
  });
});
