// How and when somebody signed in: max_age, prompt, acr (OpenID Connect Core §3.1.2.1, §5.5.1.1,
// RFC 9470), and scopes that ask for a recent sign-in by themselves.
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Browserless, formsOf, type Page } from '../../examples/demo/walk-pages.js';
import { resources } from '../../schema/index.js';
import { PASSWORD_ACR } from '../../src/broker/acr.js';
import { linesOf } from '../pages/text.js';
import {
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { ANA, BEN, FILE_SCOPES, FILES, HOST } from '../support/world.js';

let t: TestBroker;
/** The broker's clock, against the real one, which the engine goes by. */
let offsetMs = 0;
const AGO_SECONDS = 1000;
const REAUTH_SECONDS = 60;

beforeAll(async () => {
  t = await startTestBroker({ deps: { now: () => Date.now() + offsetMs } });
  const scopes = {
    ...FILE_SCOPES,
    'files:write': { ...FILE_SCOPES['files:write'], reauthSeconds: REAUTH_SECONDS },
  };
  await t.opened.db.orm.update(resources).set({ scopes }).where(eq(resources.identifier, FILES));
});
afterAll(() => t?.close());
beforeEach(() => {
  offsetMs = 0;
});

/** A browser in which Ana signed in a while ago and allowed what is asked for. */
async function signedInBefore(scope = 'openid files:read'): Promise<Browserless> {
  offsetMs = -AGO_SECONDS * 1000;
  const { browser } = await authorize(t, { params: { scope } });
  offsetMs = 0;
  return browser;
}

const READ = { scope: 'openid files:read' };
const nowSeconds = () => Math.floor(Date.now() / 1000);

interface Way {
  readonly name: string;
  readonly url: (params: Record<string, string>, challenge: string) => Promise<string>;
}

const WAYS: readonly Way[] = [
  { name: 'in the query', url: async (params, challenge) => authorizeUrl(t, challenge, params) },
  {
    name: 'pushed (RFC 9126)',
    url: async (params, challenge) => {
      const query = new URL(authorizeUrl(t, challenge, params)).searchParams;
      const pushed = await postForm(`${t.issuer}/par`, Object.fromEntries(query), authFor(t, HOST));
      const { request_uri } = pushed.body;
      return `${t.issuer}/authorize?${new URLSearchParams({ client_id: HOST, request_uri })}`;
    },
  },
];

const formTo = (page: Page, ending: string) => {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form to ${ending}: ${page.status} ${page.url}`);
  return form;
};
const signIn = (browser: Browserless, page: Page, who: typeof ANA) =>
  browser.submit(formTo(page, '/sign-in'), { email: who.email, password: who.password });
const codeOf = (page: Page) => new URL(page.url).searchParams.get('code') ?? '';
const answerOf = (page: Page) => Object.fromEntries(new URL(page.url).searchParams);

const AGAIN = 'You are signed in already. To go on, enter your password once more.';

describe.each(WAYS)('max_age and prompt=login $name (I12)', ({ url }) => {
  it.each([
    ['max_age', { ...READ, max_age: '500' }],
    ['max_age=0', { ...READ, max_age: '0' }],
    ['prompt=login', { ...READ, prompt: 'login' }],
  ])('%s asks again, and the new sign-in is what the tokens say', async (_name, params) => {
    const browser = await signedInBefore();
    const { verifier, challenge } = pkce();
    const page = await browser.open(await url(params, challenge));
    expect(linesOf(page.html)).toContain(AGAIN);
    const before = nowSeconds();
    const code = codeOf(await signIn(browser, page, ANA));
    const { body } = await redeem(t, { code, verifier });
    for (const token of [body.access_token, body.id_token]) {
      const { sub, acr, auth_time } = claimsOf(token) as Record<string, unknown>;
      expect([sub, acr]).toEqual([ANA.id, PASSWORD_ACR]);
      expect(auth_time).toBeGreaterThanOrEqual(before);
      expect(auth_time).toBeLessThanOrEqual(nowSeconds());
    }
  });

  it('max_age that still holds asks nothing, and the tokens say when it was', async () => {
    const browser = await signedInBefore();
    const { verifier, challenge } = pkce();
    const page = await browser.open(await url({ ...READ, max_age: '5000' }, challenge));
    const { body } = await redeem(t, { code: codeOf(page), verifier });
    const { auth_time } = claimsOf(body.id_token) as { auth_time: number };
    expect(nowSeconds() - auth_time).toBeGreaterThanOrEqual(AGO_SECONDS);
    expect(claimsOf(body.access_token)).toMatchObject({ auth_time, acr: PASSWORD_ACR });
  });

  it('is login_required where nobody may be asked', async () => {
    const browser = await signedInBefore();
    const page = await browser.open(
      await url({ ...READ, max_age: '500', prompt: 'none' }, pkce().challenge),
    );
    expect(answerOf(page)).toMatchObject({ error: 'login_required', state: 'the-state' });
  });

  it('somebody else who answers is somebody else: nothing of the first carries over', async () => {
    const browser = await signedInBefore();
    const { verifier, challenge } = pkce();
    const page = await browser.open(await url({ ...READ, prompt: 'login consent' }, challenge));
    const consent = await signIn(browser, page, BEN);
    expect(consent.html).toContain(BEN.email);
    expect(consent.html).not.toContain(ANA.email);
    const decided = await browser.submit(formTo(consent, '/decision'), { decision: 'allow' });
    // The engine ends the first user's session on its own page before it goes on.
    const next = await browser.submit(formTo(decided, '/logout/confirm'));
    const { body } = await redeem(t, { code: codeOf(next), verifier });
    expect([claimsOf(body.access_token).sub, claimsOf(body.id_token).sub]).toEqual([
      BEN.id,
      BEN.id,
    ]);
  });
});

const essential = (acr: object) => JSON.stringify({ id_token: { acr } });

describe.each(WAYS)('acr $name', ({ url }) => {
  const open = async (params: Record<string, string>) => {
    const browser = await signedInBefore();
    const { verifier, challenge } = pkce();
    return { verifier, page: await browser.open(await url({ ...READ, ...params }, challenge)) };
  };

  it.each([
    ['acr_values with ours among them', { acr_values: `urn:gold ${PASSWORD_ACR}` }],
    [
      'an essential one of ours',
      { claims: essential({ essential: true, values: [PASSWORD_ACR] }) },
    ],
    ['an essential acr of any kind', { claims: essential({ essential: true }) }],
    ['a wish', { claims: essential({ values: ['urn:gold'] }) }],
    ['claims that cannot be read', { claims: '{' }],
  ])('that can be reached, or is a wish: %s', async (_name, params) => {
    const { page, verifier } = await open(params);
    const { body } = await redeem(t, { code: codeOf(page), verifier });
    expect([claimsOf(body.access_token).acr, claimsOf(body.id_token).acr]).toEqual([
      PASSWORD_ACR,
      PASSWORD_ACR,
    ]);
  });

  it('of the claims parameter nothing else is read: no claim comes of it', async () => {
    const claims = JSON.stringify({
      id_token: { email: { essential: true }, sub: { value: 'x' } },
    });
    const { page, verifier } = await open({ claims });
    const { body } = await redeem(t, { code: codeOf(page), verifier });
    expect(claimsOf(body.id_token)).not.toHaveProperty('email');
  });
});

describe('an acr that nobody can reach fails, said as such (RFC 9470 §5, OIDC Core §5.5.1.1)', () => {
  const answer = {
    error: 'unmet_authentication_requirements',
    error_description: `the only way to sign in here is ${PASSWORD_ACR}`,
  };
  it.each([
    ['acr_values', { acr_values: 'urn:gold urn:silver' }],
    ['an essential value', { claims: essential({ essential: true, value: 'urn:gold' }) }],
    ['essential values', { claims: essential({ essential: true, values: ['urn:gold'] }) }],
  ])('%s', async (_name, params) => {
    const browser = await signedInBefore();
    const url = authorizeUrl(t, pkce().challenge, { ...READ, ...params });
    const page = await browser.open(url);
    expect(answerOf(page)).toEqual({ ...answer, state: 'the-state', iss: t.issuer });
    const query = Object.fromEntries(new URL(url).searchParams);
    const pushed = await postForm(`${t.issuer}/par`, query, authFor(t, HOST));
    expect([pushed.status, pushed.body]).toEqual([400, answer]);
  });
});

it('without a resource acr_values are a wish (OIDC Core §3.1.2.1)', async () => {
  const { code } = await authorize(t, {
    params: {
      scope: 'openid',
      resource: undefined,
      requested_actor: undefined,
      acr_values: 'urn:gold',
    },
  });
  expect(code).not.toBe('');
});

describe('a scope that asks for a recent sign-in', () => {
  const WRITE = { scope: 'openid files:write' };
  const WHY =
    'This can only be allowed soon after signing in: Change your files. Enter your password once more.';

  it('asks again although a consent covers it, says why, and then asks nothing else', async () => {
    const browser = await signedInBefore(WRITE.scope);
    const { verifier, challenge } = pkce();
    const page = await browser.open(authorizeUrl(t, challenge, WRITE));
    expect(linesOf(page.html)).toContain(WHY);
    expect(page.html).toContain(`value="${ANA.email}"`);
    const code = codeOf(await signIn(browser, page, ANA));
    const { body } = await redeem(t, { code, verifier });
    const claims = claimsOf(body.access_token) as { scope: string; auth_time: number };
    expect(claims.scope).toContain('files:write');
    expect(nowSeconds() - claims.auth_time).toBeLessThan(REAUTH_SECONDS);
  });

  it('asks nothing while the sign-in is recent', async () => {
    const { browser } = await authorize(t, { params: WRITE });
    const page = await browser.open(authorizeUrl(t, pkce().challenge, WRITE));
    expect(codeOf(page)).not.toBe('');
  });

  it('asks nothing when it is not asked for', async () => {
    const browser = await signedInBefore(WRITE.scope);
    const page = await browser.open(authorizeUrl(t, pkce().challenge, READ));
    expect(codeOf(page)).not.toBe('');
  });

  it('is login_required where nobody may be asked, and no grant comes of it', async () => {
    const browser = await signedInBefore(WRITE.scope);
    const grants = () => t.opened.db.run<{ n: number }>('select count(*)::int as n from grants');
    const before = await grants();
    const page = await browser.open(
      authorizeUrl(t, pkce().challenge, { ...WRITE, prompt: 'none' }),
    );
    expect(answerOf(page).error).toBe('login_required');
    expect(await grants()).toEqual(before);
  });

  describe('whose consent page lay open for too long', () => {
    /** Whatever was ticked before. */
    const ALLOW = { decision: 'allow', scope: ['files:write', 'files:read', 'files:list'] };
    const consentPage = async (browser: Browserless, challenge: string) => {
      const page = await browser.open(authorizeUrl(t, challenge, { ...WRITE, prompt: 'consent' }));
      offsetMs = (REAUTH_SECONDS + 1) * 1000;
      return page;
    };

    it('asks for the password before anything is granted, and then again what to allow', async () => {
      const { browser } = await authorize(t, { params: READ });
      const { verifier, challenge } = pkce();
      const consent = await consentPage(browser, challenge);
      const page = await browser.submit(formTo(consent, '/decision'), ALLOW);
      expect(linesOf(page.html)).toContain(WHY);
      const again = await signIn(browser, page, ANA);
      const done = await browser.submit(formTo(again, '/decision'), ALLOW);
      const { body } = await redeem(t, { code: codeOf(done), verifier });
      expect(claimsOf(body.access_token).scope).toContain('files:write');
    });

    it('asks nothing when it is not ticked', async () => {
      const { browser } = await authorize(t, { params: READ });
      const consent = await consentPage(browser, pkce().challenge);
      const done = await browser.submit(formTo(consent, '/decision'), {
        decision: 'allow',
        scope: ['files:read', 'files:list'],
      });
      expect(codeOf(done)).not.toBe('');
    });

    it('somebody else’s password opens nothing of the first one’s page', async () => {
      const { browser } = await authorize(t, { params: READ });
      const consent = await consentPage(browser, pkce().challenge);
      const page = await browser.submit(formTo(consent, '/decision'), ALLOW);
      const theirs = await signIn(browser, page, BEN);
      expect(theirs.html).toContain(BEN.email);
      expect(theirs.html).not.toContain(ANA.email);
      // Ana's form, kept back, is nobody's now.
      const replayed = await browser.submit(formTo(consent, '/decision'), ALLOW);
      expect(replayed.status).toBe(403);
    });
  });
});
