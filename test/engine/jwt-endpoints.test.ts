// DESIGN §9.5: our answers about JWTs come after the engine's own client authentication, parsing and
// CORS, and take nothing away from them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authFor,
  basic,
  postForm,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, DESKTOP, FILES, FILES_CLIENT, SERVICE } from '../support/world.js';

let t: TestBroker;
let token: string;
beforeAll(async () => {
  t = await startTestBroker();
  token = (await postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES })).body
    .access_token;
});
afterAll(() => t.close());

const isActive = async () =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;

describe.each(['/introspect', '/revoke'])('%s with a JWT', (path) => {
  const post = (
    fields: Record<string, string | readonly string[]>,
    headers: Record<string, string> = {},
  ) => postForm(`${t.issuer}${path}`, fields, headers);

  it.each([
    ['a wrong secret', { authorization: basic(FILES_CLIENT, 'x'.repeat(43)) }, {}],
    ['an unknown client', { authorization: basic('cli_nobody', 'x'.repeat(43)) }, {}],
    ['no secret from a client that has one', {}, { client_id: FILES_CLIENT }],
    ['a broken header', { authorization: 'Basic !!!' }, {}],
  ])('answers %s with 401 or 400, and nothing happens (K3)', async (_name, headers, fields) => {
    const answer = await post({ token, ...fields }, headers as Record<string, string>);
    expect([400, 401]).toContain(answer.status);
    expect(['invalid_client', 'invalid_request']).toContain(answer.body.error);
    expect(answer.body).not.toHaveProperty('active');
    expect(await isActive()).toBe(true);
  });

  it('answers a wrong secret exactly as the token endpoint does (RFC 6749 §5.2)', async () => {
    const headers = { authorization: basic(FILES_CLIENT, 'x'.repeat(43)) };
    const [here, there] = [
      await post({ token }, headers),
      await postForm(`${t.issuer}/token`, { grant_type: 'client_credentials' }, headers),
    ];
    expect([here.status, here.body]).toEqual([401, there.body]);
    expect(here.headers.get('www-authenticate')).toBe(there.headers.get('www-authenticate'));
  });

  it('answers no client at all with 400', async () => {
    expect((await post({ token })).body.error).toBe('invalid_request');
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('has no %s', async (method) => {
    const query = method === 'GET' ? `?token=${token}` : '';
    const answer = await fetch(`${t.issuer}${path}${query}`, {
      method,
      headers: authFor(t, FILES_CLIENT),
    });
    expect([404, 405]).toContain(answer.status);
    expect(await answer.text()).not.toContain('active');
    expect(await isActive()).toBe(true);
  });

  it.each([
    ['no token', {}],
    ['an empty token', { token: '' }],
    ['two tokens', { token: ['a.b.c', 'd.e.f'] }],
  ])('refuses %s as the engine does (A10)', async (_name, fields) => {
    const answer = await post(fields as Record<string, string>, authFor(t, FILES_CLIENT));
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });

  it('takes a form and nothing else', async () => {
    const json = await fetch(`${t.issuer}${path}`, {
      method: 'POST',
      body: JSON.stringify({ token }),
      headers: { ...authFor(t, FILES_CLIENT), 'content-type': 'application/json' },
    });
    expect(json.status).toBe(400);
    expect(await isActive()).toBe(true);
  });

  it('leaves CORS to the engine: a preflight is answered, a foreign origin is not let in (A13)', async () => {
    const preflight = await fetch(`${t.issuer}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST');
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
    const answer = await post(
      { token },
      { ...authFor(t, FILES_CLIENT), origin: 'https://evil.example' },
    );
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(await isActive()).toBe(true);
  });

  it('says nothing that may be kept (RFC 7662 §4)', async () => {
    const answer = await post({ token: `${token}x` }, authFor(t, FILES_CLIENT));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
  });
});

describe('the answers themselves', () => {
  it('tells the resource’s own client, and another one only that it is inactive (IN1, IN3)', async () => {
    const about = (as: string) => postForm(`${t.issuer}/introspect`, { token }, authFor(t, as));
    expect((await about(FILES_CLIENT)).body).toMatchObject({
      active: true,
      sub: AGENT,
      aud: FILES,
    });
    expect((await about(SERVICE)).body).toEqual({ active: false });
  });

  it('tells a public client nothing about other people’s tokens (RFC 7662 §4)', async () => {
    const answer = await postForm(`${t.issuer}/introspect`, { token, client_id: DESKTOP });
    expect(answer.body).not.toMatchObject({ active: true });
  });

  it('answers a revocation with 200 and an empty body, twice (RFC 7009 §2.2)', async () => {
    for (const _time of [1, 2]) {
      const answer = await postForm(`${t.issuer}/revoke`, { token }, authFor(t, AGENT));
      expect([answer.status, answer.body]).toEqual([200, '']);
      expect(answer.headers.get('content-type')).toBeNull();
    }
    expect(await isActive()).toBe(false);
  });

  it('takes no hint for the truth (RFC 7662 §2.1)', async () => {
    const fresh = (await postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES }))
      .body.access_token;
    for (const token_type_hint of ['refresh_token', 'access_token', 'nonsense']) {
      const answer = await postForm(
        `${t.issuer}/introspect`,
        { token: fresh, token_type_hint },
        authFor(t, FILES_CLIENT),
      );
      expect([token_type_hint, answer.body.active]).toEqual([token_type_hint, true]);
    }
  });
});
