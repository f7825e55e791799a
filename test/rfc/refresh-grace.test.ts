// Refresh grace, exactly as DESIGN §6 says it: the same answer again, to the same client and key, for
// a while, a few times, each audited; and the end of the grant for everything else that comes twice
// (threats R1, R2, R5, R8; ASVS 10.4.5).
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBroker } from '../../src/broker/app.js';
import { eraseKeptAnswers } from '../../src/broker/delegation/kept-answer.js';
import {
  type Answer,
  actorToken,
  authFor,
  authorize,
  claimsOf,
  freePort,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { usedEarlier } from '../support/used-earlier.js';
import { DESKTOP, FILES_CLIENT, HOST, LOOPBACK } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const introspect = async (token: string) =>
  (await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT))).body;
const tokens = async () =>
  (await redeem(t, await authorize(t, { params: { prompt: 'consent' } }))).body;
const refresh = (token: string, more: Record<string, string> = {}): Promise<Answer> =>
  postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token, ...more });

const grantOf = (body: { access_token: string }): string =>
  (claimsOf(body.access_token).jti as string).split('.')[1] as string;
const age = (body: { access_token: string }, seconds: number) =>
  usedEarlier(t.opened.db, body, seconds);
const kept = async (body: { access_token: string }) =>
  (
    await t.opened.db.run(
      `select 1 from artifacts where grant_id = $1 and successor_sealed is not null`,
      [grantOf(body)],
    )
  ).length;
const events = async (body: { access_token: string }) =>
  (
    await t.opened.db.run<{ type: string }>(
      `select type || coalesce(' ' || (detail ->> 'time'), '') as type from audit_events
       where grant_id = $1 and type not in ('grant.created', 'consent.granted') order by id`,
      [grantOf(body)],
    )
  ).map(({ type }) => type);

/** A replay: refused, and nothing of the family is alive. */
async function expectEnded(answer: Answer, ...family: { access_token: string }[]): Promise<void> {
  expect([answer.status, answer.body]).toEqual([
    400,
    { error: 'invalid_grant', error_description: 'this was already used' },
  ]);
  for (const { access_token } of family)
    expect(await introspect(access_token)).toEqual({ active: false });
}

describe('a used refresh token that comes again while its successor is unused', () => {
  it('gets the same answer, three times, each audited; a fourth ends the grant', async () => {
    const first = await tokens();
    const answer = (await refresh(first.refresh_token)).body;
    for (let time = 1; time <= 3; time += 1) {
      const again = await refresh(first.refresh_token);
      expect(again.status).toBe(200);
      expect(again.headers.get('cache-control')).toBe('no-store');
      expect({ ...again.body, expires_in: 0 }).toEqual({ ...answer, expires_in: 0 });
      expect(again.body.expires_in).toBeLessThanOrEqual(answer.expires_in);
      expect(again.body.expires_in).toBeGreaterThan(answer.expires_in - 60);
    }
    expect(await kept(first)).toBe(0);
    expect(await events(first)).toEqual([
      'token.issued',
      'token.issued',
      'refresh_token.repeated 1',
      'refresh_token.repeated 2',
      'refresh_token.repeated 3',
    ]);
    await age(first, 1);
    await expectEnded(await refresh(first.refresh_token), first, answer);
    expect((await refresh(answer.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('is a replay once the successor was used: the kept answer is gone, and the grant ends', async () => {
    const first = await tokens();
    const second = (await refresh(first.refresh_token)).body;
    expect(await kept(first)).toBe(1);
    const third = (await refresh(second.refresh_token)).body;
    // Only the latest answer is kept.
    expect(await kept(first)).toBe(1);
    await age(first, 1);
    await expectEnded(await refresh(first.refresh_token), first, second, third);
  });

  it('is a replay after sixty seconds, and not just before', async () => {
    const [early, late] = [await tokens(), await tokens()];
    const answered = (await refresh(early.refresh_token)).body;
    await age(early, 55);
    expect((await refresh(early.refresh_token)).body.refresh_token).toBe(answered.refresh_token);
    await refresh(late.refresh_token);
    await age(late, 60);
    await expectEnded(await refresh(late.refresh_token), late);
  });

  it('is a replay when it asks for something else than before', async () => {
    const first = await tokens();
    await refresh(first.refresh_token);
    await age(first, 1);
    await expectEnded(await refresh(first.refresh_token, { scope: 'files:list' }), first);
  });

  it('is nothing to another client, and ends nothing (R5)', async () => {
    const first = await tokens();
    const answer = (await refresh(first.refresh_token)).body;
    const thief = await postForm(`${t.issuer}/token`, {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      client_id: DESKTOP,
    });
    expect([thief.status, thief.body.error]).toEqual([400, 'invalid_grant']);
    expect(await introspect(answer.access_token)).toMatchObject({ active: true });
    expect((await refresh(answer.refresh_token)).status).toBe(200);
  });

  it('is decided again: whoever was stopped meanwhile gets nothing (R8)', async () => {
    const first = await tokens();
    await refresh(first.refresh_token);
    const status = (value: string) =>
      t.opened.db.run(
        `with changed as (update agents set status = $1 where id = 'agt_helper')
         update policy_epoch set epoch = epoch + 1`,
        [value],
      );
    await status('paused');
    await actorToken(t, 'agt_other');
    const refused = await refresh(first.refresh_token);
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    await status('active');
    await actorToken(t, 'agt_other');
    expect((await refresh(first.refresh_token)).status).toBe(200);
  });

  it('uses up no actor token, and asks for none that was used', async () => {
    const first = await tokens();
    const proof = { actor_token: await actorToken(t) };
    const answer = await refresh(first.refresh_token, proof);
    const again = await refresh(first.refresh_token, proof);
    expect(again.body.refresh_token).toBe(answer.body.refresh_token);
  });
});

describe('a public client', () => {
  const params = { client_id: DESKTOP, redirect_uri: LOOPBACK, prompt: 'consent' };
  const redeemed = async (headers: Record<string, string> = {}) => {
    const authorized = await authorize(t, { params });
    return postForm(
      `${t.issuer}/token`,
      {
        grant_type: 'authorization_code',
        code: authorized.code,
        code_verifier: authorized.verifier,
        redirect_uri: LOOPBACK,
        client_id: DESKTOP,
        actor_token: await actorToken(t),
      },
      headers,
    );
  };
  const refreshPublic = (refresh_token: string, headers: Record<string, string> = {}) =>
    postForm(
      `${t.issuer}/token`,
      { grant_type: 'refresh_token', refresh_token, client_id: DESKTOP },
      headers,
    );
  const createHolder = async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    const prove = () =>
      new SignJWT({
        htm: 'POST',
        htu: `${t.issuer}/token`,
        iat: Math.floor(Date.now() / 1000),
        jti: crypto.randomUUID(),
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey);
    return async () => ({ dpop: await prove() });
  };

  it('without DPoP has ten seconds', async () => {
    const [early, late] = [(await redeemed()).body, (await redeemed()).body];
    const answered = (await refreshPublic(early.refresh_token)).body;
    await age(early, 6);
    expect((await refreshPublic(early.refresh_token)).body.refresh_token).toBe(
      answered.refresh_token,
    );
    await refreshPublic(late.refresh_token);
    await age(late, 10);
    await expectEnded(await refreshPublic(late.refresh_token), late);
  });

  it('with DPoP has sixty, by a fresh proof of the same key; another key gets nothing', async () => {
    const [mine, theirs] = [await createHolder(), await createHolder()];
    const first = (await redeemed(await mine())).body;
    const answered = (await refreshPublic(first.refresh_token, await mine())).body;
    expect(answered.token_type).toBe('DPoP');
    await age(first, 30);
    const again = await refreshPublic(first.refresh_token, await mine());
    expect(again.body.refresh_token).toBe(answered.refresh_token);
    await expectEnded(await refreshPublic(first.refresh_token, await theirs()), first);
  });
});

describe('at rest', () => {
  it('the answer cannot be opened with all there is in the database, nor with the root secret', async () => {
    const first = await tokens();
    const answer = (await refresh(first.refresh_token)).body;
    const dump = JSON.stringify(await t.opened.db.run('select a::text from artifacts a'));
    for (const secret of [answer.refresh_token, first.refresh_token]) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('base64url'));
    }
    expect(dump).not.toContain(answer.access_token.split('.')[2]);
  });

  it('is swept once its time is over, and not before', async () => {
    const [old, fresh] = [await tokens(), await tokens()];
    await refresh(old.refresh_token);
    await refresh(fresh.refresh_token);
    await age(old, 61);
    await eraseKeptAnswers(t.opened.db, 60, 1000);
    expect([await kept(old), await kept(fresh)]).toEqual([0, 1]);
  });
});

describe('the switches', () => {
  const withConfig = async <T>(
    more: Parameters<typeof testConfig>[1],
    run: (url: string) => Promise<T>,
  ): Promise<T> => {
    const port = await freePort();
    const config = { ...testConfig(port, more), issuer: t.issuer };
    const broker = await createBroker(config, { db: t.opened.db, logTo: { write: () => {} } });
    await broker.listen();
    try {
      return await run(`http://127.0.0.1:${port}`);
    } finally {
      await broker.close();
    }
  };
  const refreshAt = (url: string, refresh_token: string) =>
    postForm(`${url}/token`, { grant_type: 'refresh_token', refresh_token }, authFor(t, HOST));

  it('0 seconds: a second use ends the grant, and no answer is kept', async () => {
    await withConfig({ refreshGraceSeconds: 0 }, async (url) => {
      const first = await tokens();
      const answer = (await refreshAt(url, first.refresh_token)).body;
      expect(await kept(first)).toBe(0);
      await age(first, 1);
      await expectEnded(await refreshAt(url, first.refresh_token), first, answer);
    });
  });

  it('strict: of two simultaneous uses one wins at most, and the grant ends all the same', async () => {
    await withConfig({ strictReplay: true, refreshGraceSeconds: 60 }, async (url) => {
      const first = await tokens();
      const both = await Promise.all([0, 1].map(() => refreshAt(url, first.refresh_token)));
      const given = both.filter(({ status }) => status === 200);
      expect(given.length).toBeLessThanOrEqual(1);
      for (const { body } of given)
        expect(await introspect(body.access_token)).toEqual({ active: false });
      expect(await introspect(first.access_token)).toEqual({ active: false });
    });
  });
});
