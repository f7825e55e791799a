// Consents, grants, revocations and the audit as operators read them and stop things by them
// (DESIGN §12): bulk stops with a rehearsal, filters, cursors.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  claimsOf,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, BEN, FILES, FILES_CLIENT, HOST, OTHER_AGENT } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
});
afterAll(() => t.close());

const admin = async (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });

/** A whole delegation; the token and the ids it hangs on. */
async function delegate(visitor: typeof ANA) {
  const { body } = await redeem(t, await authorize(t, { visitor }));
  const [consent = '', grant = ''] = String(claimsOf(body.access_token).jti).split('.');
  return { token: body.access_token as string, consent, grant };
}
const isActive = async (token: string) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body.active;

describe('POST /consents/end: bulk stop, force re-consent', () => {
  const NOTHING = { access_tokens: 0, refresh_tokens: 0, grants: 0, consents: 0 };
  const counts = ({
    ended_at: at,
    exchanged_tokens: exchanged,
    helper_chains: chains,
    revocation: _fact,
    ...rest
  }: Record<string, unknown>) => {
    expect([exchanged, chains]).toEqual([0, 0]);
    expect(at).toMatch(/^\d{4}-.*Z$/);
    return rest;
  };

  it('counts before it ends, ends what it counted, and everybody is asked again', async () => {
    const [ana, ben] = [await delegate(ANA), await delegate(BEN)];
    await delegate(ANA);
    const whole = { access_tokens: 3, refresh_tokens: 3, grants: 3, consents: 2 };
    const foreseen = await admin('post', '/consents/end', { agent: AGENT, dry_run: true });
    expect([foreseen.status, foreseen.body.dry_run, counts(foreseen.body.receipt)]).toEqual([
      200,
      true,
      whole,
    ]);
    expect([await isActive(ana.token), await isActive(ben.token)]).toEqual([true, true]);
    const body = { agent: AGENT, reason: 'everybody decides again' };
    const done = await admin('post', '/consents/end', body);
    expect([done.body.dry_run, counts(done.body.receipt)]).toEqual([false, whole]);
    expect([await isActive(ana.token), await isActive(ben.token)]).toEqual([false, false]);
    expect((await admin('get', `/consents/${ben.consent}`)).body).toMatchObject({
      ended_reason: 'everybody decides again',
      ended_by: 'admin',
    });
    const again = await admin('post', '/consents/end', body);
    expect(counts(again.body.receipt)).toEqual(NOTHING);
    // A fresh page, a fresh consent.
    const next = await delegate(ANA);
    expect(next.consent).not.toBe(ana.consent);
    expect(await isActive(next.token)).toBe(true);
  });

  it('ends what fits all that is named, and nothing beside it', async () => {
    const [ana, ben] = [await delegate(ANA), await delegate(BEN)];
    const elsewhere = { user: BEN.id, agent: OTHER_AGENT, client: HOST, resource: FILES };
    expect(counts((await admin('post', '/consents/end', elsewhere)).body.receipt)).toEqual(NOTHING);
    const his = { ...elsewhere, agent: AGENT };
    expect((await admin('post', '/consents/end', his)).body.receipt.consents).toBe(1);
    expect([await isActive(ana.token), await isActive(ben.token)]).toEqual([true, false]);
  });

  it('refuses to end everything, and what it does not know', async () => {
    expect((await admin('post', '/consents/end', { reason: 'all' })).body).toMatchObject({
      status: 400,
      detail: 'name a user, agent, client or resource',
    });
    expect((await admin('post', '/consents/end', { agents: AGENT })).body.errors).toEqual([
      { field: 'agents', message: 'is not a known field' },
    ]);
    for (const noun of ['user', 'agent', 'client', 'resource']) {
      // P9: PostgreSQL keeps no NUL, so it names nothing; never a 500.
      expect((await admin('post', '/consents/end', { [noun]: 'a\u0000b' })).body.errors).toEqual([
        { field: noun, message: 'must be printable ASCII without spaces' },
      ]);
    }
  });
});

describe('GET /revocations', () => {
  it('shows who stopped what and why, newest first, by filter and by page', async () => {
    const { consent, grant } = await delegate(BEN);
    await admin('delete', `/grants/${grant}?reason=one`);
    await admin('delete', `/consents/${consent}?reason=two`);
    const mine = (await admin('get', '/revocations?by=admin&always=true')).body.items;
    expect(mine.slice(0, 2)).toEqual(
      [
        [consent, 'two'],
        [`${consent}.${grant}`, 'one'],
      ].map(([key, reason]) => ({
        id: expect.any(Number),
        key,
        revoked_at: expect.stringMatching(/Z$/),
        always: true,
        until: expect.stringMatching(/Z$/),
        reason,
        by: 'admin',
      })),
    );
    const [newest] = mine;
    expect((await admin('get', `/revocations?key=${consent}`)).body).toEqual({
      items: [newest],
      next_cursor: null,
    });
    const first = (await admin('get', '/revocations?limit=1')).body;
    expect(first.items).toEqual([newest]);
    const second = (await admin('get', `/revocations?limit=1&cursor=${first.next_cursor}`)).body;
    expect(second.items).toEqual([mine[1]]);
    expect((await admin('get', '/revocations?by=nobody')).body.items).toEqual([]);
  });

  it.each([
    'x',
    '-1',
    '1.5',
    '0',
    '1e3',
    '99999999999999999',
  ])('P12: refuses the cursor %s, here and in the audit', async (cursor) => {
    for (const noun of ['revocations', 'audit']) {
      expect((await admin('get', `/${noun}?cursor=${cursor}`)).body.errors).toEqual([
        { field: 'cursor', message: 'is not a cursor of this list' },
      ]);
    }
  });
});

describe('GET /audit by what happened to whom', () => {
  interface Event {
    readonly id: number;
    readonly at: string;
    readonly type: string;
    readonly by: string | null;
    readonly request_id: string | null;
  }
  const events = async (query: Record<string, string>): Promise<Event[]> =>
    (await admin('get', `/audit?${new URLSearchParams({ limit: '200', ...query })}`)).body.items;
  const types = async (query: Record<string, string>) =>
    (await events(query)).map(({ type }) => type);

  it('a consent: its decision, its grants, their tokens, its end, and nothing of its neighbour', async () => {
    const { consent, grant } = await delegate(BEN);
    await delegate(ANA);
    await admin('delete', `/consents/${consent}`);
    expect(await types({ consent })).toEqual([
      'consent.ended',
      'token.issued',
      'grant.created',
      'consent.granted',
    ]);
    expect(await types({ grant })).toEqual(['token.issued', 'grant.created']);
    expect(await types({ consent, type: 'token.issued' })).toEqual(['token.issued']);
    expect(await types({ consent: 'cns_none' })).toEqual([]);
    expect(await types({ consent, by: 'admin' })).toEqual(['consent.ended']);
  });

  it('a request, and a span of time that takes its beginning and leaves its end', async () => {
    const { grant } = await delegate(BEN);
    const [issued, created] = (await events({ grant })) as [Event, Event];
    expect(issued.request_id).not.toBeNull();
    const same = await events({ request: issued.request_id ?? '' });
    expect(same.map(({ id }) => id)).toContain(issued.id);
    expect(same.every((one) => one.request_id === issued.request_id)).toBe(true);
    const { at: since } = created;
    expect(await types({ grant, since })).toEqual(['token.issued', 'grant.created']);
    expect(await types({ grant, since, until: issued.at })).toEqual(
      issued.at === created.at ? [] : ['grant.created'],
    );
    expect(await types({ grant, until: since })).toEqual([]);
  });

  it('refuses an instant that is none, naming the field', async () => {
    for (const since of ['yesterday', '2026-01-31', '2026-13-01T00:00:00Z']) {
      expect((await admin('get', `/audit?since=${since}`)).body.errors).toEqual([
        { field: 'since', message: 'must be an instant, as 2026-01-31T12:00:00Z' },
      ]);
    }
  });
});
