import { sql } from 'drizzle-orm';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agents, clients, credentials, policyEpoch } from '../../schema/index.js';
import {
  basic,
  claimsOf,
  headerOf,
  postForm,
  postToken,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, DESKTOP, FILES, NOTES, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const ask = (principal: string, more: Record<string, string | string[]> = {}) =>
  postToken(t, principal, { grant_type: 'client_credentials', ...more });

const errorEvents = () =>
  t.opened.db.run<{ detail: Record<string, unknown> }>(
    `select detail from audit_events where type = 'token.refused' order by id desc limit 1`,
  );

describe('DESIGN §8b an agent alone (AT1–AT7)', () => {
  it('gives an at+jwt for one resource with the scopes it holds, written out downward (AT1, AT4, RFC 9068 §2)', async () => {
    const answer = await ask(AGENT, { resource: FILES, scope: 'files:write' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      expires_in: 300,
      scope: 'files:list files:read files:write',
      token_type: 'Bearer',
    });
    expect(headerOf(answer.body.access_token)).toEqual({
      alg: 'ES256',
      typ: 'at+jwt',
      kid: expect.any(String),
    });
    const claims = claimsOf(answer.body.access_token);
    expect(claims).toEqual({
      iss: t.issuer,
      aud: FILES,
      sub: AGENT,
      sub_profile: 'ai_agent',
      client_id: AGENT,
      scope: 'files:list files:read files:write',
      jti: expect.stringMatching(/^crd_helper\.[A-Za-z0-9_-]{16}$/),
      iat: expect.any(Number),
      exp: (claims.iat as number) + 300,
    });
  });

  it('refuses a scope the agent does not hold instead of dropping it (AT5)', async () => {
    const answer = await ask(AGENT, { resource: FILES, scope: 'files:read files:delete' });
    expect([answer.status, answer.body]).toEqual([
      400,
      {
        error: 'invalid_scope',
        error_description: 'a requested scope is unknown or not permitted',
      },
    ]);
    expect((await errorEvents())[0]?.detail).toMatchObject({
      code: 'invalid_scope',
      reason: 'files:delete (agent)',
      asked: 'files:read files:delete',
    });
  });

  it('refuses an unknown scope (AT5)', async () => {
    const answer = await ask(AGENT, { resource: FILES, scope: 'files:fly' });
    expect(answer.body.error).toBe('invalid_scope');
  });

  it('gives the base scopes when none is asked (DESIGN §7)', async () => {
    expect((await ask(AGENT, { resource: FILES })).body.scope).toBe('files:list files:read');
  });

  it('gives an actor token for the issuer: 120 seconds, no scope (AT3)', async () => {
    const answer = await ask(AGENT, { resource: t.issuer });
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      expires_in: 120,
      token_type: 'Bearer',
    });
    const claims = claimsOf(answer.body.access_token);
    expect(claims).toEqual({
      iss: t.issuer,
      aud: t.issuer,
      sub: AGENT,
      sub_profile: 'ai_agent',
      client_id: AGENT,
      jti: expect.stringMatching(/^crd_helper\./),
      iat: expect.any(Number),
      exp: (claims.iat as number) + 120,
    });
  });

  it('gives services no actor token, and actor tokens no scope', async () => {
    expect((await ask(SERVICE, { resource: t.issuer })).body.error).toBe('invalid_target');
    expect((await ask(AGENT, { resource: t.issuer, scope: 'files:read' })).body.error).toBe(
      'invalid_scope',
    );
  });

  it('gives no refresh token (AT6, RFC 6749 §4.4.3)', async () => {
    expect(Object.keys((await ask(AGENT, { resource: FILES })).body)).not.toContain(
      'refresh_token',
    );
  });
});

describe('DESIGN §8b a service (MM1–MM7)', () => {
  it('gives sub = client_id, a service profile and never an act (MM3)', async () => {
    const answer = await ask(SERVICE, { resource: NOTES, scope: 'notes:read' });
    const claims = claimsOf(answer.body.access_token);
    expect(claims).toEqual({
      iss: t.issuer,
      aud: NOTES,
      sub: SERVICE,
      sub_profile: 'service',
      client_id: SERVICE,
      scope: 'notes:read',
      jti: expect.stringMatching(/^crd_nightly\./),
      iat: expect.any(Number),
      exp: (claims.iat as number) + 300,
    });
  });

  it('defaults to the only resource it has, and refuses to guess (MM4, RI5)', async () => {
    expect(claimsOf((await ask(SERVICE)).body.access_token).aud).toBe(NOTES);
  });

  it.each([
    ['an unknown resource', { resource: 'https://unknown.example/' }],
    ['a resource it may not use', { resource: FILES }],
    ['two resources', { resource: [NOTES, FILES] }],
    ['a relative resource', { resource: '/notes' }],
    ['a resource with a fragment', { resource: `${NOTES}#x` }],
  ])('refuses %s (MM4, MM5, RI1, RFC 8707 §2)', async (_name, more) => {
    const answer = await ask(SERVICE, more as Record<string, string>);
    expect(answer.status).toBe(400);
    expect(['invalid_target', 'invalid_scope']).toContain(answer.body.error);
  });

  it('refuses a resource whose client list does not name the agent', async () => {
    expect((await ask(AGENT, { resource: NOTES })).body).toEqual({
      error: 'invalid_target',
      error_description: 'resource does not accept this client',
    });
  });

  it('refuses a resource that demands a user at the root, also to who is permitted there (DESIGN §8c)', async () => {
    const at = { resource: NOTES, scope: 'notes:read' };
    await t.broker.registry.resources.patch('admin', NOTES, { requireUser: true });
    expect((await ask(SERVICE, at)).body).toEqual({
      error: 'invalid_target',
      error_description: 'resource accepts only tokens that begin with a user',
    });
    await t.broker.registry.resources.patch('admin', NOTES, { requireUser: false });
    expect((await ask(SERVICE, at)).status).toBe(200);
  });

  it('refuses a public client (MM7, RFC 6749 §4.4)', async () => {
    const answer = await postForm(`${t.issuer}/token`, {
      grant_type: 'client_credentials',
      client_id: DESKTOP,
      resource: FILES,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe('unauthorized_client');
  });
});

describe('client authentication (K3, K4, K5, MM1, MM2)', () => {
  const url = () => `${t.issuer}/token`;
  const fields = { grant_type: 'client_credentials', resource: NOTES };

  it.each([
    ['a wrong secret', () => ({ headers: { authorization: basic(SERVICE, 'x'.repeat(43)) } })],
    [
      'an unknown client',
      () => ({ headers: { authorization: basic('cli_nobody', 'x'.repeat(43)) } }),
    ],
    ['no authentication at all', () => ({ fields: { client_id: SERVICE } })],
  ])('refuses %s with 401 invalid_client', async (_name, attempt) => {
    const { headers = {}, fields: more = {} } = attempt() as {
      headers?: Record<string, string>;
      fields?: Record<string, string>;
    };
    const answer = await postForm(url(), { ...fields, ...more }, headers);
    expect([answer.status, answer.body]).toEqual([
      401,
      { error: 'invalid_client', error_description: 'client authentication failed' },
    ]);
  });

  it('refuses two mechanisms at once (K4)', async () => {
    const answer = await postForm(
      url(),
      { ...fields, client_id: SERVICE, client_secret: t.secrets[SERVICE] as string },
      { authorization: basic(SERVICE, t.secrets[SERVICE] as string) },
    );
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });

  describe('private_key_jwt (RFC 7523bis)', () => {
    const id = 'cli_keyed';
    let sign: (
      claims: Record<string, unknown>,
      header?: Record<string, unknown>,
    ) => Promise<string>;
    beforeAll(async () => {
      const { publicKey, privateKey } = await generateKeyPair('ES256');
      const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256' };
      const { db } = t.opened;
      await db.orm
        .insert(clients)
        .values({ id, name: 'Keyed', kind: 'service', auth: 'private_key_jwt' });
      await db.orm.insert(credentials).values({ id: 'crd_keyed', principal: id, kind: 'jwk', jwk });
      await db.run(
        `insert into permissions (principal, resource, scopes) values ($1, $2, '{files:read}')`,
        [id, FILES],
      );
      await db.orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const now = Math.floor(Date.now() / 1000);
      sign = (claims, header = {}) =>
        new SignJWT({
          iss: id,
          sub: id,
          aud: t.issuer,
          jti: crypto.randomUUID(),
          exp: now + 60,
          ...claims,
        })
          .setProtectedHeader({ alg: 'ES256', ...header })
          .sign(privateKey);
    });
    const present = (assertion: string) =>
      postForm(url(), {
        grant_type: 'client_credentials',
        resource: FILES,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      });

    it('accepts an assertion whose audience is the issuer, and hangs the token on that key (MM1)', async () => {
      const answer = await present(await sign({}));
      expect(answer.status).toBe(200);
      expect(claimsOf(answer.body.access_token).jti).toMatch(/^crd_keyed\./);
    });

    it.each([
      ['the token endpoint as audience', { aud: 'TOKEN' }],
      ['a list of audiences', { aud: ['ISSUER', 'https://other.example'] }],
      ['another issuer', { iss: 'cli_other' }],
      ['no jti', { jti: undefined }],
      ['an expiry in the past', { exp: Math.floor(Date.now() / 1000) - 60 }],
      ['an expiry an hour away', { exp: Math.floor(Date.now() / 1000) + 3600 }],
      ['no expiry', { exp: undefined }],
    ])('refuses %s (K5, MM2)', async (_name, claims) => {
      const fill = (value: unknown): unknown =>
        value === 'TOKEN'
          ? url()
          : Array.isArray(value)
            ? value.map((v) => (v === 'ISSUER' ? t.issuer : v))
            : value;
      const filled = Object.fromEntries(
        Object.entries(claims).map(([name, value]) => [name, fill(value)]),
      );
      const answer = await present(await sign(filled));
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    });

    it('accepts an assertion once, however many times it is sent at the same moment (K5)', async () => {
      const assertion = await sign({});
      const answers = await Promise.all(Array.from({ length: 20 }, () => present(assertion)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(
        new Set(answers.filter(({ status }) => status !== 200).map(({ status }) => status)),
      ).toEqual(new Set([401]));
    });

    it('refuses a secret from a client registered with a key (K3)', async () => {
      const answer = await postForm(
        url(),
        { grant_type: 'client_credentials', resource: FILES },
        { authorization: basic(id, 'x'.repeat(43)) },
      );
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    });
  });
});

describe('AT7 a blocked agent', () => {
  it('is answered like a client that does not exist', async () => {
    await t.opened.db.orm.update(agents).set({ status: 'blocked' }).where(sql`id = 'agt_other'`);
    await t.opened.db.orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
    const answer = await ask('agt_other', { resource: FILES });
    // Within the second in which the cache may still know it, the gate has it decided again.
    expect([answer.status, answer.body.error]).toSatisfy(
      ([status, error]: [number, string]) =>
        (status === 401 && error === 'invalid_client') ||
        (status === 400 && error === 'unauthorized_client'),
    );
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const later = await ask('agt_other', { resource: FILES });
    expect([later.status, later.body.error]).toEqual([401, 'invalid_client']);
  });
});
