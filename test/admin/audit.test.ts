// Issue 4 §4 over the admin API: what happened, by any noun, newest first, as sentences; and nothing
// that a name holds can break a line or a terminal (M6).
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { safeJson, safeText } from '../../src/broker/audit/safe-text.js';
import { sentence } from '../../src/broker/audit/sentence.js';
import { record } from '../../src/broker/audit/store.js';
import { type AdminCall, callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authorize,
  claimsOf,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, ANA, FILES, HOST, OTHER_AGENT, SERVICE } from '../support/world.js';

let t: TestBroker;
let parent: string;
let child: string;

const authorization = `Bearer ${ADMIN_TOKEN}`;
const admin = (method: string, path: string, call: AdminCall = {}) =>
  callAdmin(t, method, path, { authorization, ...call });
const audit = async (query: Record<string, string>) =>
  (await admin('GET', `/audit?${new URLSearchParams(query)}`)).body;
const sentencesOf = async (query: Record<string, string>): Promise<string[]> =>
  (await audit(query)).items.map((one: { sentence: string }) => one.sentence);

const exchange = (caller: string, subject: string, more: Record<string, string> = {}) =>
  postToken(t, caller, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subject,
    ...more,
  });

beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
  const { orm } = t.opened.db;
  await letTakeWork(t.opened.db);
  parent = (await redeem(t, await authorize(t))).body.access_token;
  const [consent = ''] = String(claimsOf(parent).jti).split('.');
  await orm.update(tables.consents).set({ helpers: 1 }).where(eq(tables.consents.id, consent));
  child = (await exchange(OTHER_AGENT, parent, { scope: 'files:list' })).body.access_token;
});
afterAll(() => t.close());

describe('GET /audit by any noun', () => {
  it('a token and all that was exchanged from it; the actor anywhere in the chain', async () => {
    const { jti } = claimsOf(parent) as { jti: string };
    const told = [
      'Other, handed on by Helper, for Ana Example, through Agent Host, got a token at File server for files:list',
      'Helper, for Ana Example, through Agent Host, got a token at File server for files:list files:read files:write',
    ];
    expect(await sentencesOf({ jti, type: 'token.issued' })).toEqual(told);
    expect(await sentencesOf({ jti: String(claimsOf(child).jti) })).toEqual([told[0]]);
    const acted = await sentencesOf({ actor: AGENT, type: 'token.issued', resource: FILES });
    expect(acted).toEqual(told);
    const now = await sentencesOf({ agent: OTHER_AGENT, type: 'token.issued' });
    expect(now).toEqual([told[0]]);
  });

  it('consent, grant, user, client, request and time', async () => {
    const [consent = '', grant = ''] = String(claimsOf(parent).jti).split('.');
    const types = async (query: Record<string, string>) =>
      (await audit(query)).items.map((one: { type: string }) => one.type);
    const all = ['token.issued', 'token.issued', 'grant.created', 'consent.granted'];
    expect(await types({ consent })).toEqual(all);
    expect(await types({ grant })).toEqual(all.slice(0, 3));
    expect(await types({ sub: ANA.id })).toEqual([...all, 'sign_in.succeeded']);
    expect(await types({ sub: ANA.id, client: HOST })).toEqual([
      ...all.slice(1),
      'sign_in.succeeded',
    ]);
    const [signIn] = (await audit({ type: 'sign_in.succeeded' })).items;
    expect(signIn.request_id).toMatch(/^[\w-]{16}$/);
    expect((await audit({ request: signIn.request_id })).items).toEqual([signIn]);
    const { at } = (await audit({ grant, type: 'grant.created' })).items[0];
    expect(await types({ grant, since: at, type: 'grant.created' })).toEqual(['grant.created']);
    expect(await types({ grant, until: at })).toEqual([]);
  });

  it('what has no column of its own: a role, a permission, a credential, a key, a session', async () => {
    const body = async (method: string, path: string, input?: object) =>
      (await admin(method, path, input === undefined ? {} : { body: input })).body;
    await body('POST', '/roles', { name: 'crew' });
    await body('PATCH', '/roles/crew', { description: 'all hands' });
    const may = `/permissions/role:crew/${encodeURIComponent(FILES)}`;
    await body('PUT', may, { scopes: ['admin:quota'] });
    const { id } = await body('POST', `/agents/${OTHER_AGENT}/credentials`, { kind: 'secret' });
    await body('DELETE', `/agents/${OTHER_AGENT}/credentials/${id}`);
    expect(await sentencesOf({ about: 'crew' })).toEqual([
      'admin changed role crew: description',
      'admin registered role crew',
    ]);
    expect(await sentencesOf({ about: 'role:crew' })).toEqual([
      `admin registered permission role:crew at ${FILES}`,
    ]);
    expect(await sentencesOf({ about: id })).toEqual([
      `admin removed credential ${id} of agent ${OTHER_AGENT}`,
      `admin added credential ${id} of agent ${OTHER_AGENT}`,
    ]);
    const [published] = (await audit({ type: 'key.published' })).items;
    expect(await sentencesOf({ about: published.detail.kid })).toContain(published.sentence);
    const [signIn] = (await audit({ type: 'sign_in.succeeded' })).items;
    expect(await sentencesOf({ about: signIn.detail.session })).toEqual([signIn.sentence]);
    expect(await sentencesOf({ about: 'cre' })).toEqual([]);
  });

  it('pages go on by cursor, and an unknown word or a bad instant is refused', async () => {
    const first = await audit({ sub: ANA.id, limit: '2' });
    const second = await audit({ sub: ANA.id, limit: '2', cursor: first.next_cursor });
    const whole = await audit({ sub: ANA.id, limit: '4' });
    expect([...first.items, ...second.items]).toEqual(whole.items);
    for (const [query, field] of [
      [{ since: 'yesterday' }, 'since'],
      [{ until: '2026-01-01T00:00:00' }, 'until'],
      [{ since: '0000-01-01T00:00:00Z' }, 'since'],
      [{ until: '9999-12-31T23:59:59-01:00' }, 'until'],
      [{ nobody: 'x' }, 'nobody'],
    ] as const) {
      const answer = await audit(query as Record<string, string>);
      expect(answer.errors.map((one: { field: string }) => one.field)).toEqual([field]);
    }
  });

  it('says of a refusal who, for whom, through what, which scopes, where, and by which rule', async () => {
    const asked = { scope: 'files:delete', resource: FILES };
    await postToken(t, AGENT, { grant_type: 'client_credentials', ...asked });
    await postToken(t, SERVICE, { grant_type: 'client_credentials', resource: FILES });
    await exchange(SERVICE, parent, { scope: 'files:list' });
    expect((await sentencesOf({ type: 'token.refused' })).slice(0, 3)).toEqual([
      'Nightly, with a token of Helper, for Ana Example, through Agent Host, was refused files:list at File server: the caller has no part in this token',
      'Nightly was refused a token at File server: Nightly does not hold it',
      'Helper was refused files:delete at File server: Helper does not hold it',
    ]);
    const [event] = (await audit({ type: 'token.refused', agent: AGENT })).items;
    expect(event).toEqual({
      id: expect.any(Number),
      at: expect.any(String),
      type: 'token.refused',
      by: AGENT,
      jti: null,
      sub: AGENT,
      agent_id: AGENT,
      client_id: AGENT,
      resource: FILES,
      grant_id: null,
      request_id: expect.any(String),
      detail: {
        grant_type: 'client_credentials',
        asked: 'files:delete',
        code: 'invalid_scope',
        reason: 'files:delete (agent)',
        rule: 'not_held',
        taken_away: [{ scope: 'files:delete', by: ['agent'] }],
      },
      sentence: 'Helper was refused files:delete at File server: Helper does not hold it',
    });
  });

  it('says of a refused exchange whose token it was, and all who acted before; found by that token', async () => {
    const { jti } = claimsOf(parent) as { jti: string };
    const childId = String(claimsOf(child).jti);
    await exchange(OTHER_AGENT, child, { scope: 'files:read' });
    await exchange(AGENT, child);
    await exchange(HOST, child);
    // What it may hold is taken away, and what it had with it.
    const may = `/permissions/${OTHER_AGENT}/${encodeURIComponent(FILES)}`;
    await admin('DELETE', may);
    await exchange(OTHER_AGENT, parent, { scope: 'files:write' });
    await admin('PUT', may, { body: { scopes: ['files:read'] } });
    const onlyRefused = { type: 'token.refused', sub: ANA.id };
    const ofChild = [
      'Agent Host, with a token of Other, handed on by Helper, for Ana Example, was refused a token at File server: the caller is no agent and proved none',
      'Helper, with a token of Other, handed on by Helper, for Ana Example, through Agent Host, was refused a token at File server: the actor is in the chain already',
      'Other, handed on by Helper, for Ana Example, through Agent Host, was refused files:read at File server: a scope was asked for that the token does not carry',
    ];
    expect(await sentencesOf({ ...onlyRefused, jti: childId })).toEqual(ofChild);
    const ofParent = await sentencesOf({ ...onlyRefused, jti });
    expect(ofParent.slice(0, 4)).toEqual([
      'Other, with a token of Helper, for Ana Example, through Agent Host, was refused files:write at File server: Other does not hold it',
      ...ofChild,
    ]);
    // An id that begins with the same letters is another token.
    expect(await sentencesOf({ jti: jti.slice(0, -1) })).toEqual([]);
    const [event] = (await audit({ ...onlyRefused, jti: childId, agent: AGENT })).items;
    expect(event).toEqual({
      id: expect.any(Number),
      at: expect.any(String),
      type: 'token.refused',
      by: AGENT,
      jti: null,
      sub: ANA.id,
      agent_id: AGENT,
      client_id: AGENT,
      resource: FILES,
      grant_id: jti.split('.')[1],
      request_id: expect.stringMatching(/^[\w-]{16}$/),
      detail: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        parent: childId,
        asked: '',
        proof: 'client_auth',
        parent_actor: OTHER_AGENT,
        earlier_actors: [OTHER_AGENT, AGENT],
        via: [HOST, OTHER_AGENT],
        code: 'invalid_request',
        reason: `repeated_actor (caller ${AGENT})`,
        rule: 'repeated_actor',
      },
      sentence: ofChild[1],
    });
  });

  it('an administrator’s change names its request, in its own transaction', async () => {
    const made = await admin('PATCH', `/agents/${OTHER_AGENT}`, { body: { purpose: 'sorts' } });
    expect(made.status).toBe(200);
    const [event] = (await audit({ agent: OTHER_AGENT, type: 'registry.changed' })).items;
    expect(event.request_id).toMatch(/^[\w-]{16}$/);
    expect(await sentencesOf({ request: event.request_id })).toEqual([
      `admin changed agent ${OTHER_AGENT}: purpose`,
    ]);
  });
});

const NASTY =
  '\r\nadmin granted everything\u001b[2J\u009b31m\u202egnp.exe\u2028\u200b\ufeff\u{e0041}\u061c';

describe('M6 log injection', () => {
  it('no field of any event breaks a line, colours a terminal or turns its direction', async () => {
    const base = { id: 1, at: new Date(0), type: 'token.issued' } as const;
    const fields = ['by', 'sub', 'agentId', 'clientId', 'resource', 'jti', 'grantId'] as const;
    const details = [
      'scope',
      'asked',
      'reason',
      'code',
      'rule',
      'stopped_by',
      'tool',
      'noun',
      'id',
      'act',
    ];
    const lists = [
      'required',
      'missing_agent',
      'missing_user',
      'granted',
      'fields',
      'earlier_actors',
      'via',
    ];
    const detail = {
      ...Object.fromEntries(details.map((name) => [name, NASTY])),
      ...Object.fromEntries(lists.map((name) => [name, [NASTY, NASTY]])),
      taken_away: [{ scope: NASTY, by: [NASTY] }],
      exchange: 'take',
    };
    const everything = {
      ...base,
      ...Object.fromEntries(fields.map((name) => [name, NASTY])),
      detail,
    };
    const types = (
      await t.opened.db.run<{ type: string }>('select distinct type from audit_events')
    ).map(({ type }) => type);
    for (const type of [...types, 'tool.refused', 'tool.allowed', 'registry.changed', 'no.such']) {
      const told = sentence({ ...everything, type: type as 'token.issued' }, (id) => id);
      expect([type, told]).toEqual([type, safeText(told, told.length)]);
    }
  });

  it('the line of a JSON object holds exactly what was recorded, in escapes', async () => {
    await record(t.opened.db.orm, {
      type: 'request.refused',
      by: NASTY,
      detail: { reason: NASTY },
    });
    const [event] = (await audit({ type: 'request.refused', limit: '1' })).items;
    expect(event.by).toBe(NASTY.split(' ')[0]);
    expect(event.detail.reason).toBe(NASTY);
    const line = safeJson(event);
    expect(JSON.parse(line)).toEqual(event);
    expect(line).toBe(safeText(line, line.length));
    expect(
      safeJson(event, 2)
        .split('\n')
        .every((one) => one === safeText(one, one.length)),
    ).toBe(true);
  });
});
