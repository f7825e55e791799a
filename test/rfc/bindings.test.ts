// What codes and pushed requests are bound to, and for how long. The clock is moved, not waited for.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import {
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, CALLBACK, DESKTOP, FILES, HOST, LOOPBACK, NOTES } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());
afterEach(() => {
  vi.useRealTimers();
});

const later = (seconds: number): void => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });
};

describe('OB9 a code is bound to user, client, redirect, challenge, actor and resource, for 60 seconds', () => {
  it('is redeemed just in time', async () => {
    const authorized = await authorize(t);
    const proof = await actorToken(t);
    later(55);
    expect((await redeem(t, authorized, { actor_token: proof })).status).toBe(200);
  });

  it('is refused when its time is over (C6), like every code that never was (C7)', async () => {
    const authorized = await authorize(t);
    const proof = await actorToken(t);
    later(61);
    const expired = await redeem(t, authorized, { actor_token: proof });
    expect([expired.status, expired.body.error]).toEqual([400, 'invalid_grant']);
    vi.useRealTimers();
    for (const code of [`${authorized.code}x`, authorized.code.slice(0, -1), 'x'.repeat(43), '']) {
      const answer = await redeem(t, { ...authorized, code });
      expect([
        answer.status,
        ['invalid_grant', 'invalid_request'].includes(answer.body.error),
      ]).toEqual([400, true]);
    }
  });

  it.each([
    ['another redirect_uri (C5)', { redirect_uri: `${CALLBACK}/` }],
    ['no redirect_uri (C5)', { redirect_uri: undefined }],
    ['another verifier (C4)', { code_verifier: 'y'.repeat(43) }],
    ['a verifier that is too short (C4)', { code_verifier: 'y'.repeat(42) }],
    ['no verifier (C4)', { code_verifier: undefined }],
    ['another resource (RI2, C8)', { resource: NOTES }],
    ['two resources (RI2)', { resource: [FILES, NOTES] }],
  ])('is refused with %s, and is not used up by it', async (_name, more) => {
    const authorized = await authorize(t);
    const { verifier, code } = authorized;
    const fields = {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
      actor_token: await actorToken(t),
      ...more,
    };
    const present = Object.entries(fields).filter(([, value]) => value !== undefined);
    const refused = await postToken(t, HOST, Object.fromEntries(present) as Record<string, string>);
    expect(refused.status).toBe(400);
    expect(['invalid_grant', 'invalid_request', 'invalid_target']).toContain(refused.body.error);
    expect((await redeem(t, authorized)).status).toBe(200);
  });

  it('gives a token for that resource only, with that resource’s scopes only (RI3)', async () => {
    const { body } = await redeem(
      t,
      await authorize(t, { params: { scope: 'files:read notes:read openid' } }),
    );
    const claims = claimsOf(body.access_token);
    expect([claims.aud, claims.scope]).toEqual([FILES, 'files:list files:read']);
    // RI6: the only authorized resource stays the only one.
    const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    expect((await postToken(t, HOST, { ...refresh, resource: NOTES })).body.error).toBe(
      'invalid_target',
    );
    expect(
      claimsOf((await postToken(t, HOST, { ...refresh, resource: FILES })).body.access_token).aud,
    ).toBe(FILES);
  });
});

describe('OB4 PKCE with S256, for every client (OAuth 2.1 §4.1.1)', () => {
  const errorOf = async (params: Record<string, string | undefined>) => {
    const page = await createBrowserless(t.issuer).open(authorizeUrl(t, pkce().challenge, params));
    return new URL(page.url).searchParams.get('error');
  };
  it.each([
    [
      'a confidential client without a challenge',
      { code_challenge: undefined, code_challenge_method: undefined },
    ],
    ['the plain method', { code_challenge_method: 'plain' }],
    ['a challenge without method, which would mean plain', { code_challenge_method: undefined }],
    [
      'a public client without a challenge',
      {
        client_id: DESKTOP,
        redirect_uri: LOOPBACK,
        code_challenge: undefined,
        code_challenge_method: undefined,
      },
    ],
  ])('refuses %s (C4)', async (_name, params) => {
    expect(await errorOf(params)).toBe('invalid_request');
  });
});

describe('PA6 a pushed request', () => {
  const push = async () => {
    const { challenge } = pkce();
    const answer = await postForm(
      `${t.issuer}/par`,
      {
        response_type: 'code',
        client_id: HOST,
        redirect_uri: CALLBACK,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        resource: FILES,
        requested_actor: AGENT,
      },
      authFor(t, HOST),
    );
    return answer.body.request_uri as string;
  };
  const use = (requestUri: string, clientId: string) =>
    createBrowserless(t.issuer).open(
      `${t.issuer}/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`,
    );

  it('leads to the pages for the client that pushed it', async () => {
    expect((await use(await push(), HOST)).url).toContain('/interaction/');
  });

  it.each([
    ['of another client (A8)', (uri: string) => [uri, DESKTOP] as const, 0],
    ['that never was', () => ['urn:ietf:params:oauth:request_uri:nothing', HOST] as const, 0],
    [
      'on another host: nothing is fetched (A8, S1)',
      () => ['https://evil.example/request', HOST] as const,
      0,
    ],
    ['that expired', (uri: string) => [uri, HOST] as const, 61],
  ])('%s is answered with a page, never a redirect', async (_name, choose, seconds) => {
    const [uri, client] = choose(await push());
    if (seconds > 0) later(seconds);
    const page = await use(uri, client);
    expect(page.status).toBe(400);
    expect(new URL(page.url).origin).toBe(t.issuer);
    expect(page.html).toContain('This request cannot be answered');
  });

  it('is refused with GET at /par (PA2)', async () => {
    expect([404, 405]).toContain((await fetch(`${t.issuer}/par`)).status);
  });

  it('needs the client’s authentication (PA1)', async () => {
    const answer = await postForm(`${t.issuer}/par`, { client_id: HOST, response_type: 'code' });
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
  });
});
