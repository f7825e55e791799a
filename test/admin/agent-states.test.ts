// What the states of an agent mean at every endpoint that decides: one broker on PostgreSQL, real
// tokens. Paused: stopped, and goes on where it was. Blocked: nothing from before comes back.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import {
  ADMIN_TOKEN,
  type Answer,
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  basic,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, FILES, FILES_CLIENT, HOST } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

async function admin(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${t.issuer}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === '' ? undefined : JSON.parse(text) };
}
const become = (status: string, reason?: string, agent = AGENT) =>
  admin('PUT', `/agents/${agent}/status`, { status, ...(reason === undefined ? {} : { reason }) });

const alone = () =>
  postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' });
const refresh = (token: string, more: Record<string, string> = {}) =>
  postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token, ...more });
const active = async (token: string): Promise<boolean> =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;
const error = ({ status, body }: Answer) => [status, body.error];

const NO_ACTOR = {
  error: 'invalid_request',
  description: 'requested_actor is not an agent that this client may act through',
};
/** What the client hears of a request that names this agent, before any page. */
async function asked(agent: string) {
  const params = { requested_actor: agent };
  const page = await createBrowserless(t.issuer).open(authorizeUrl(t, pkce().challenge, params));
  const { searchParams } = new URL(page.url);
  return {
    error: searchParams.get('error'),
    description: searchParams.get('error_description'),
  };
}

/** Everything an agent can have: a code, a refresh token, a token for a user and one of its own. */
async function everything() {
  const code = await authorize(t);
  const redeemed = await redeem(t, await authorize(t));
  return {
    code,
    proof: await actorToken(t),
    delegated: redeemed.body.access_token as string,
    refreshToken: redeemed.body.refresh_token as string,
    own: (await alone()).body.access_token as string,
  };
}

afterEach(async () => {
  const { body } = await admin('GET', `/agents/${AGENT}`);
  if (body.status !== 'active') await become('active');
});

describe('draft', () => {
  const DRAFT = 'agt_draft';
  let secret: string;
  beforeAll(async () => {
    const body = { id: DRAFT, name: 'Draft', owner: 'Ops', status: 'draft', clients: [HOST] };
    secret = (await admin('POST', '/agents', body)).body.credential.secret;
    await admin('PUT', `/permissions/${DRAFT}/${encodeURIComponent(FILES)}`, {
      scopes: ['files:read'],
    });
  });
  const ask = (id: string) =>
    postForm(
      `${t.issuer}/token`,
      { grant_type: 'client_credentials', resource: FILES },
      { authorization: basic(id, secret) },
    );

  it('proves nothing: its secret is as good as an unknown client’s', async () => {
    const [draft, unknown] = [await ask(DRAFT), await ask('agt_nobody')];
    expect([draft.status, draft.body]).toEqual([unknown.status, unknown.body]);
    expect(error(draft)).toEqual([401, 'invalid_client']);
  });

  it('cannot be asked for: one error with an unknown agent’s (D1)', async () => {
    expect(await asked(DRAFT)).toEqual(NO_ACTOR);
    expect(await asked('agt_nobody')).toEqual(NO_ACTOR);
  });

  it('cannot be paused or blocked, and is never entered again', async () => {
    const refused = await become('paused', 'why', DRAFT);
    expect([refused.status, refused.body.errors]).toEqual([
      409,
      [{ field: 'status', message: 'cannot become paused: agt_draft is draft' }],
    ]);
    expect((await become('draft', undefined, DRAFT)).status).toBe(400);
  });

  it('becomes active at once, with what it was given meanwhile', async () => {
    expect((await become('active', undefined, DRAFT)).body).toMatchObject({
      status: 'active',
      status_reason: null,
      status_by: 'admin',
    });
    await expect.poll(async () => (await ask(DRAFT)).status).toBe(200);
    expect((await asked(DRAFT)).error).toBeNull();
  });
});

describe('paused', () => {
  it('stops every token and every door at once; resuming brings back all but the tokens', async () => {
    const had = await everything();
    expect([await active(had.delegated), await active(had.own)]).toEqual([true, true]);
    expect((await become('paused')).body.errors).toEqual([
      { field: 'reason', message: 'must say why' },
    ]);
    expect((await become('paused', 'under review')).body).toMatchObject({
      status: 'paused',
      status_reason: 'under review',
    });
    expect([await active(had.delegated), await active(had.own)]).toEqual([false, false]);
    await expect.poll(async () => error(await alone())).toEqual([401, 'invalid_client']);
    expect(error(await refresh(had.refreshToken))).toEqual([400, 'invalid_grant']);
    const proof = { actor_token: had.proof };
    expect(error(await redeem(t, had.code, proof))).toEqual([400, 'invalid_grant']);
    expect(await asked(AGENT)).toEqual(NO_ACTOR);
    const consents = await admin('GET', `/consents?agent=${AGENT}&live=true`);
    expect(consents.body.items).toHaveLength(1);

    expect((await become('active')).body).toMatchObject({ status: 'active', status_reason: null });
    await expect.poll(async () => (await alone()).status).toBe(200);
    const again = await refresh(had.refreshToken);
    expect(again.status).toBe(200);
    expect(await active(again.body.access_token)).toBe(true);
    // The code was not used up by being refused; its proof was a token, and stays stopped.
    expect(error(await redeem(t, had.code, proof))).toEqual([400, 'invalid_grant']);
    expect((await redeem(t, had.code)).status).toBe(200);
    expect([await active(had.delegated), await active(had.own)]).toEqual([false, false]);
  });

  it('then blocked: resuming is out of the question, and nothing old comes back', async () => {
    const had = await everything();
    await become('paused', 'under review');
    await become('blocked', 'found guilty');
    expect((await become('paused', 'no')).body.errors).toEqual([
      { field: 'status', message: `cannot become paused: ${AGENT} is blocked` },
    ]);
    await become('active');
    expect(error(await refresh(had.refreshToken))).toEqual([400, 'invalid_grant']);
    expect([await active(had.delegated), await active(had.own)]).toEqual([false, false]);
    await expect.poll(async () => (await alone()).status).toBe(200);
    expect(error(await redeem(t, had.code))).toEqual([400, 'invalid_grant']);
  });
});

describe('retired', () => {
  it('is final, by PUT with a reason or by DELETE: no credential, no way back, no second life', async () => {
    const made = { id: 'agt_old', name: 'Old', owner: 'Ops' };
    await admin('POST', '/agents', made);
    expect((await become('retired', undefined, 'agt_old')).status).toBe(400);
    expect((await become('retired', 'replaced', 'agt_old')).body).toMatchObject({
      status: 'retired',
      status_reason: 'replaced',
      status_by: 'admin',
    });
    expect((await admin('GET', '/agents/agt_old/credentials')).body.items).toEqual([]);
    for (const answer of [
      await become('active', undefined, 'agt_old'),
      await become('blocked', 'x', 'agt_old'),
      await admin('DELETE', '/agents/agt_old'),
      await admin('POST', '/agents/agt_old/credentials', { kind: 'secret' }),
      await admin('POST', '/agents', made),
    ]) {
      expect([answer.status, answer.body.errors[0].field]).toEqual([409, 'id']);
    }
    const { body } = await admin('GET', '/audit?agent=agt_old&limit=1');
    expect(body.items[0]).toMatchObject({
      type: 'registry.retired',
      by: 'admin',
      detail: { noun: 'agent', id: 'agt_old', name: 'Old', reason: 'replaced' },
      sentence: 'admin retired agent agt_old: replaced',
    });
  });
});
