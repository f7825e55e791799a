// POST /admin/v1/explain: the rule that decided, and the smallest change that would allow
// it. What is proposed is done, and the same request asked again.
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  basic,
  claimsOf,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  AGENT,
  ANA,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
  STRANGER,
} from '../support/world.js';

let t: TestBroker;
const authorization = `Bearer ${ADMIN_TOKEN}`;
const admin = (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, { authorization, ...(body === undefined ? {} : { body }) });
const explain = async (of: string | number) =>
  (await admin('POST', '/explain', { of: String(of) })).body;
const newest = async (type: string) =>
  (await admin('GET', `/audit?type=${type}&limit=1`)).body.items[0] as { id: number };

const exchange = (caller: string, subject: string, more: Record<string, string> = {}) =>
  postToken(t, caller, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subject,
    ...more,
  });
const userToken = async (): Promise<string> =>
  (await redeem(t, await authorize(t))).body.access_token;

beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
});
afterAll(() => t.close());

describe('a refusal', () => {
  it('of an agent’s own token: what it lacks, and the command that permits just that', async () => {
    const ask = () =>
      postToken(t, AGENT, {
        grant_type: 'client_credentials',
        resource: FILES,
        scope: 'files:list files:delete',
      });
    expect((await ask()).body.error).toBe('invalid_scope');
    const { id } = await newest('token.refused');
    expect(await explain(id)).toEqual({
      about: 'event',
      sentence:
        'Helper was refused files:list files:delete at File server: Helper does not hold it',
      state: null,
      expires_at: null,
      event_id: id,
      jti: null,
      rule: 'not_held',
      why: 'Helper does not hold it',
      asked: ['files:list', 'files:delete'],
      granted: [],
      taken_away: [{ scope: 'files:delete', by: ['agent'] }],
      stops: [],
      now: 'refused',
      now_why: 'Helper does not hold it',
      change: [
        {
          says: 'permit Helper files:delete at File server',
          command: `behalf permission set ${AGENT} ${FILES} files:delete,files:write`,
        },
      ],
    });
    const scopes = ['files:delete', 'files:write'];
    await admin('PUT', `/permissions/${AGENT}/${encodeURIComponent(FILES)}`, { scopes });
    expect(await explain(id)).toMatchObject({ now: 'allowed', now_why: null, change: [] });
    expect((await ask()).status).toBe(200);
  });

  it('of an exchange by a client that was not given the grant: the command that gives it', async () => {
    const subject = await userToken();
    await admin('PATCH', `/agents/${AGENT}`, { may_exchange: false });
    expect((await exchange(AGENT, subject)).body.error).toBe('unauthorized_client');
    const { id } = await newest('token.refused');
    const said = await explain(id);
    expect(said).toMatchObject({
      sentence:
        'Helper, for Ana Example, through Agent Host, was refused a token at File server: the client may not exchange tokens',
      rule: 'may_not_exchange',
      now: 'refused',
      change: [
        {
          says: 'let Helper exchange tokens',
          command: `behalf agent change ${AGENT} --may-exchange yes`,
        },
      ],
    });
    await admin('PATCH', `/agents/${AGENT}`, { may_exchange: true });
    expect(await explain(id)).toMatchObject({ now: 'allowed', change: [] });
  });

  it('of somebody else’s token, or code: the rule, and no change that would allow it', async () => {
    const nothing = { now: null, now_why: null, change: null };
    const token = await userToken();
    await postForm(`${t.issuer}/revoke`, { token }, authFor(t, OTHER_AGENT));
    expect(await explain((await newest('request.refused')).id)).toMatchObject({
      rule: 'foreign_token',
      why: 'the token is another client’s',
      ...nothing,
    });
    const stranger = { client_id: STRANGER, actor_token: undefined };
    await redeem(t, await authorize(t), stranger, STRANGER);
    const said = await explain((await newest('token.refused')).id);
    expect(said).toMatchObject({ asked: ['files:list', 'files:read', 'files:write'], ...nothing });
    expect(said.sentence).toMatch(/^Helper, for Ana Example, through Stranger, was refused /);
  });

  it('of an authorization: a client the agent does not accept', async () => {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: STRANGER,
      redirect_uri: 'https://stranger.example/cb',
      code_challenge: 'A'.repeat(43),
      code_challenge_method: 'S256',
      scope: 'files:read',
      resource: FILES,
      requested_actor: AGENT,
    });
    await fetch(`${t.issuer}/authorize?${query}`, { redirect: 'manual' });
    const { id } = await newest('request.refused');
    const said = await explain(id);
    expect(said).toMatchObject({
      rule: 'client_may_not_front',
      why: 'the client may not act through this agent',
      now: 'refused',
      change: [
        {
          says: 'let Stranger act through Helper',
          command: `behalf agent change ${AGENT} --clients cli_desktop,cli_host,cli_stranger`,
        },
      ],
    });
  });

  it('of an exchange: an edge, and helpers the user did not allow', async () => {
    const subject = await userToken();
    expect((await exchange(OTHER_AGENT, subject, { scope: 'files:list' })).status).toBe(400);
    const { id } = await newest('token.refused');
    expect(await explain(id)).toMatchObject({
      sentence:
        'Other, with a token of Helper, for Ana Example, through Agent Host, was refused files:list at File server: the helper takes no work from this agent',
      rule: 'no_edge',
      now: 'refused',
      change: [
        {
          says: 'let Other take work from Helper',
          command: `behalf agent change ${OTHER_AGENT} --takes-work-from ${AGENT}`,
        },
        { says: 'a new authorization: the user allows 1 helper', command: null },
      ],
    });
    await admin('PATCH', `/agents/${OTHER_AGENT}`, { takes_work_from: [AGENT] });
    expect(await explain(id)).toMatchObject({
      now_why: 'the user did not allow as many helpers',
      change: [{ says: 'a new authorization: the user allows 1 helper', command: null }],
    });
    const [consent = ''] = String(claimsOf(subject).jti).split('.');
    await t.opened.db.orm
      .update(tables.consents)
      .set({ helpers: 1 })
      .where(eq(tables.consents.id, consent));
    expect(await explain(id)).toMatchObject({ now: 'allowed', change: [] });
    expect((await exchange(OTHER_AGENT, subject, { scope: 'files:list' })).status).toBe(200);
  });

  it('of a call onward: the edge in the registry, as JSON for a shell', async () => {
    await t.opened.db.orm
      .update(tables.resources)
      .set({ clients: null })
      .where(eq(tables.resources.identifier, NOTES));
    await t.opened.db.orm.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
    const subject = await userToken();
    await exchange(FILES_CLIENT, subject, { resource: NOTES, scope: 'notes:read' });
    const said = await explain((await newest('token.refused')).id);
    expect(said).toMatchObject({ rule: 'not_consented_target', now: 'refused' });
    const downstream = [{ resource: NOTES, scopes: { 'files:write': ['notes:read'] } }];
    expect(said.change).toEqual([
      {
        says: 'permit File server notes:read at Notes',
        command: `behalf permission set ${FILES_CLIENT} ${NOTES} notes:read`,
      },
      {
        says: 'let File server call onward: files:write as notes:read at Notes',
        command: `behalf resource change ${FILES} --data '${JSON.stringify({ downstream })}'`,
      },
      {
        says: 'a new authorization: the page shows the call onward to Notes (files:write as notes:read)',
        command: null,
      },
    ]);
  });

  it('that a verifier reported: what the user did not tick', async () => {
    const authorized = await authorize(t, { params: { scope: 'files:read' } });
    const token = (await redeem(t, authorized)).body.access_token;
    const { client_id, jti, sub } = claimsOf(token) as Record<string, string>;
    const decision = {
      at: 0,
      allowed: false,
      tool: 'write_file',
      jti,
      sub,
      act: AGENT,
      client_id,
      resource: FILES,
      required: ['files:write'],
      missing_user: ['files:write'],
      missing_agent: [],
    };
    const response = await fetch(`${t.issuer}/decisions`, {
      method: 'POST',
      headers: { authorization: basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '') },
      body: JSON.stringify({ decisions: [decision] }),
    });
    expect(response.status).toBe(204);
    expect(await explain((await newest('tool.refused')).id)).toMatchObject({
      sentence:
        'Helper, for Ana Example, through Agent Host, was refused write_file (files:write) at File server: Ana Example did not grant files:write',
      rule: 'missing_user',
      asked: ['files:write'],
      now: 'refused',
      now_why: 'Ana Example did not allow it',
      change: [{ says: 'a new authorization: Ana Example ticks files:write', command: null }],
    });
  });
});

describe('a token', () => {
  it('that is alive; then a consent withdrawn: what stopped it, when, by whom and why', async () => {
    const token = await userToken();
    const [consent = ''] = String(claimsOf(token).jti).split('.');
    const event = (await admin('GET', `/audit?jti=${claimsOf(token).jti}`)).body.items[0];
    expect(await explain(token)).toEqual({
      about: 'token',
      sentence: event.sentence,
      state: 'alive',
      expires_at: new Date(Number(claimsOf(token).exp) * 1000).toISOString(),
      event_id: event.id,
      jti: claimsOf(token).jti,
      rule: null,
      why: null,
      asked: ['files:list', 'files:read', 'files:write'],
      granted: ['files:list', 'files:read', 'files:write'],
      taken_away: [],
      stops: [],
      now: 'allowed',
      now_why: null,
      change: [],
    });
    await admin('DELETE', `/consents/${consent}?reason=enough`);
    expect(await explain(token)).toMatchObject({
      state: 'stopped',
      stops: [{ key: consent, revoked_at: expect.any(String), by: 'admin', reason: 'enough' }],
      now: 'refused',
      now_why: 'the authorization has ended',
      change: [{ says: 'a new authorization', command: null }],
    });
  });

  it('of somebody else, a broken one, and no event at all are told apart from nothing', async () => {
    for (const of of ['a.b.c', `${await userToken()}x`, 'xyzzy', '-1']) {
      const answer = await admin('POST', '/explain', { of });
      expect([of.length, answer.status, answer.body.errors[0].field]).toEqual([
        of.length,
        400,
        'of',
      ]);
      expect(JSON.stringify(answer.body)).not.toContain(of);
    }
    expect((await admin('POST', '/explain', { of: '999999999' })).status).toBe(404);
  });

  it('is for who may read: no bearer, no explanation', async () => {
    const token = await userToken();
    expect((await callAdmin(t, 'POST', '/explain', { body: { of: token } })).status).toBe(401);
    const active = await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT));
    expect([active.body.active, active.body.client_id, active.body.sub]).toEqual([
      true,
      HOST,
      ANA.id,
    ]);
  });

  it('of a paused agent: the command that resumes it; and nothing of a token is kept or logged', async () => {
    const token = await userToken();
    await admin('PUT', `/agents/${AGENT}/status`, { status: 'paused', reason: 'a look' });
    const said = await explain(token);
    expect(said).toMatchObject({
      state: 'stopped',
      stops: [{ key: AGENT, by: 'admin' }],
      now: 'refused',
      now_why: 'the agent may not act now',
    });
    expect(said.change).toEqual([
      { says: 'resume Helper', command: `behalf agent resume ${AGENT}` },
    ]);
    await admin('PUT', `/agents/${AGENT}/status`, { status: 'active' });
    const rows = await t.opened.db.run<{ found: boolean }>(
      'select exists (select from audit_events e where e::text like $1) as found',
      [`%${token.slice(-40)}%`],
    );
    expect([rows[0]?.found, t.logged.join('').includes(token.slice(-40))]).toEqual([false, false]);
  });
});
