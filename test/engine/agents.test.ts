// DESIGN §9.2: consent for agent A never serves agent B, however the requests interleave. The
// engine's own grant loading fails every test here.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Browserless,
  createBrowserless,
  formsOf,
  type Page,
} from '../../examples/demo/walk-pages.js';
import {
  actorToken,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, OTHER_AGENT } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const REFUSED = {
  error: 'invalid_grant',
  error_description: 'actor_token does not prove the agent this authorization names',
};
const asking = (agent: string | undefined) => ({ requested_actor: agent, scope: 'files:read' });

const submitTo = (
  browser: Browserless,
  page: Page,
  ending: string,
  fields: Record<string, string>,
) => {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no ${ending} on ${page.url}`);
  return browser.submit(form, fields);
};
const codeAt = (page: Page): string => new URL(page.url).searchParams.get('code') ?? '';

/** The code is good with this agent's proof, and with no other agent's. */
async function expectActor(code: { code: string; verifier: string }, agent: string): Promise<void> {
  const other = agent === AGENT ? OTHER_AGENT : AGENT;
  const refused = await redeem(t, code, { actor_token: await actorToken(t, other) });
  expect([refused.status, refused.body]).toEqual([400, REFUSED]);
  const answer = await redeem(t, code, { actor_token: await actorToken(t, agent) });
  expect(claimsOf(answer.body.access_token).act).toMatchObject({ sub: agent });
}

describe('one browser, two agents', () => {
  it('asks for each of them, and for no agent at all, though the same client asks (OB6)', async () => {
    const { browser } = await authorize(t, { params: asking(AGENT) });
    for (const [agent, asked] of [
      [OTHER_AGENT, true],
      [undefined, true],
      [AGENT, false],
    ] as const) {
      const page = await browser.open(authorizeUrl(t, pkce().challenge, asking(agent)));
      expect([agent, page.url.includes('/interaction/')]).toEqual([agent, asked]);
    }
  });

  it('keeps two tabs apart that sign in and consent in turns (I8)', async () => {
    const browser = createBrowserless(t.issuer);
    const tabs = [
      { agent: AGENT, ...pkce() },
      { agent: OTHER_AGENT, ...pkce() },
    ];
    const ask = { prompt: 'consent' };
    const [a, b] = [
      await browser.open(
        authorizeUrl(t, tabs[0]?.challenge as string, { ...asking(AGENT), ...ask }),
      ),
      await browser.open(
        authorizeUrl(t, tabs[1]?.challenge as string, { ...asking(OTHER_AGENT), ...ask }),
      ),
    ];
    const signIn = { email: ANA.email, password: ANA.password };
    // Each step in one tab is followed by the same step in the other.
    const consentA = await submitTo(browser, a, '/sign-in', signIn);
    const consentB = await submitTo(browser, b, '/sign-in', signIn);
    expect(consentA.html).toContain('Helper');
    expect(consentB.html).toContain('Other');
    const endB = await submitTo(browser, consentB, '/decision', { decision: 'allow' });
    const endA = await submitTo(browser, consentA, '/decision', { decision: 'allow' });
    await expectActor({ code: codeAt(endB), verifier: tabs[1]?.verifier as string }, OTHER_AGENT);
    await expectActor({ code: codeAt(endA), verifier: tabs[0]?.verifier as string }, AGENT);
  });

  it('cannot finish one tab with the other tab’s form (I7)', async () => {
    const browser = createBrowserless(t.issuer);
    await authorize(t, { browser });
    const open = (agent: string) =>
      browser.open(authorizeUrl(t, pkce().challenge, { ...asking(agent), prompt: 'consent' }));
    const [a, b] = [await open(AGENT), await open(OTHER_AGENT)];
    const [formA, formB] = [a, b].map((page) =>
      formsOf(page).find(({ action }) => action.endsWith('/decision')),
    );
    const crossed = { action: formA?.action as string, fields: formB?.fields as URLSearchParams };
    const answer = await browser.submit(crossed, { decision: 'allow' });
    expect([answer.status, answer.url.includes('code=')]).toEqual([403, false]);
    const own = await submitTo(browser, a, '/decision', { decision: 'allow' });
    expect(codeAt(own)).not.toBe('');
  });

  it('gives each of 20 parallel authorizations in one session its own agent and its own grant', async () => {
    const browser = createBrowserless(t.issuer);
    for (const agent of [AGENT, OTHER_AGENT])
      await authorize(t, { browser, params: asking(agent) });
    const requests = Array.from({ length: 20 }, (_, n) => ({
      agent: n % 2 === 0 ? AGENT : OTHER_AGENT,
      ...pkce(),
    }));
    const codes = await Promise.all(
      requests.map(async ({ agent, challenge, verifier }) => ({
        agent,
        verifier,
        code: codeAt(await browser.open(authorizeUrl(t, challenge, asking(agent)))),
      })),
    );
    const grants = new Set<string>();
    for (const { agent, code, verifier } of codes) {
      const wrong = agent === AGENT ? OTHER_AGENT : AGENT;
      const refused = await redeem(
        t,
        { code, verifier },
        { actor_token: await actorToken(t, wrong) },
      );
      expect(refused.body).toEqual(REFUSED);
      const { body } = await redeem(
        t,
        { code, verifier },
        { actor_token: await actorToken(t, agent) },
      );
      const claims = claimsOf(body.access_token);
      expect(claims.act).toMatchObject({ sub: agent });
      grants.add((claims.jti as string).split('.')[1] as string);
    }
    expect(grants.size).toBe(20);
  });
});
