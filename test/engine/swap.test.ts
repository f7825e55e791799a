// DESIGN §9.8: keys change by building a new provider and putting it in the old one's place, under
// load, and nobody notices (G16).
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import {
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { activeKey, admin } from '../support/keys.js';
import { AGENT, ANA, FILES, FILES_CLIENT, HOST } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  // A next key may sign as soon as it is published: twelve rotations in a few seconds.
  t = await startTestBroker({ config: { keyLeadSeconds: 0 } });
});
afterAll(() => t.close());

const published = async () =>
  (await (await fetch(`${t.issuer}/.well-known/jwks.json`)).json()) as JSONWebKeySet;

/** The next key takes over; its id. */
async function rotate(): Promise<string> {
  const keys = await admin(t, 'POST', '/keys/rotate', { alg: 'ES256' });
  expect(keys.status).toBe(200);
  return activeKey(keys.body.items).kid;
}

const ask = () =>
  postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' });

describe('a new signing key', () => {
  it('signs from then on; the one before is still published and verifies what it signed', async () => {
    const old = (await ask()).body.access_token;
    const kid = await rotate();
    const young = (await ask()).body.access_token;
    expect(decodeProtectedHeader(young).kid).toBe(kid);
    expect(decodeProtectedHeader(old).kid).not.toBe(kid);
    const keys = createLocalJWKSet(await published());
    for (const token of [old, young]) {
      await jwtVerify(token, keys, { issuer: t.issuer });
      const about = await postForm(`${t.issuer}/introspect`, { token }, authFor(t, FILES_CLIENT));
      expect(about.body.active).toBe(true);
    }
  });

  it('leaves everything that was begun before it to be finished after it', async () => {
    const waiting = await authorize(t);
    const proof = await actorToken(t);
    const refresh = (await redeem(t, await authorize(t))).body.refresh_token;
    const browser = createBrowserless(t.issuer);
    const page = await browser.open(authorizeUrl(t, pkce().challenge, { prompt: 'consent' }));
    await rotate();
    expect((await redeem(t, waiting, { actor_token: proof })).status).toBe(200);
    expect(
      (await postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: refresh })).status,
    ).toBe(200);
    const signIn = formsOf(page).find(({ action }) => action.endsWith('/sign-in'));
    const consent = await browser.submit(signIn as NonNullable<typeof signIn>, {
      email: ANA.email,
      password: ANA.password,
    });
    expect(consent.status).toBe(200);
  });

  it('fails not one of several hundred requests while keys change every few milliseconds', async () => {
    const outcomes = new Map<string, number>();
    const tokens: string[] = [];
    let running = true;
    const worker = async () => {
      while (running) {
        const { status, body } = await ask();
        const outcome = status === 200 ? 'issued' : `${status} ${JSON.stringify(body)}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        tokens.push(body.access_token);
      }
    };
    const browser = (async () => {
      for (let n = 0; n < 8; n += 1) expect((await redeem(t, await authorize(t))).status).toBe(200);
    })();
    const workers = Array.from({ length: 8 }, worker);
    const kids = [];
    for (let n = 0; n < 12; n += 1) {
      kids.push(await rotate());
      // More than the workers had under way: the last of them are signed with the new key.
      const enough = tokens.length + 20;
      await eventually(() => expect(tokens.length).toBeGreaterThan(enough));
    }
    await browser;
    running = false;
    await Promise.all(workers);
    expect(new Set(kids).size).toBe(12);
    expect([...outcomes.keys()]).toEqual(['issued']);
    expect(tokens.length).toBeGreaterThan(200);
    const keys = createLocalJWKSet(await published());
    for (const token of tokens) await jwtVerify(token, keys, { issuer: t.issuer });
    const signedWith = new Set(tokens.map((token) => decodeProtectedHeader(token).kid));
    expect(kids.filter((kid) => !signedWith.has(kid))).toEqual([]);
  });
});
