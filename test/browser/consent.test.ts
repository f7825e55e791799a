// The pages in a real browser, with JavaScript off: as DESIGN §8a has them walked.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clients, policyEpoch } from '../../schema/index.js';
import {
  authorizeUrl,
  claimsOf,
  pkce,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { type Browser, type BrowserContext, launchBrowser, type Page } from '../support/browser.js';
import { AGENT, ANA, BEN, HOST } from '../support/world.js';

let t: TestBroker;
let browser: Browser;
let client: Server;
let callback: string;

beforeAll(async () => {
  t = await startTestBroker();
  browser = await launchBrowser();
  // The client's own address, for the browser to arrive at.
  client = createServer((_req, res) => res.end('<title>client</title>')).listen(0, '127.0.0.1');
  await new Promise((resolve) => client.once('listening', resolve));
  callback = `http://127.0.0.1:${(client.address() as AddressInfo).port}/callback`;
  await t.opened.db.orm
    .update(clients)
    .set({ redirectUris: [callback] })
    .where(eq(clients.id, HOST));
  await t.opened.db.orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
  await new Promise((resolve) => setTimeout(resolve, 1100));
});
afterAll(async () => {
  await browser.close();
  client.close();
  await t.close();
});

async function visit<T>(work: (page: Page, context: BrowserContext) => Promise<T>): Promise<T> {
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    return await work(await context.newPage(), context);
  } finally {
    await context.close();
  }
}

const url = (challenge: string, params: Record<string, string | undefined> = {}) =>
  authorizeUrl(t, challenge, {
    redirect_uri: callback,
    scope: 'files:write files:delete',
    ...params,
  });

async function signIn(page: Page, who = ANA): Promise<void> {
  await page.getByLabel('E-mail').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

describe('DESIGN §8a the pages, without JavaScript', () => {
  it('says who, through whom, where, what, what not and for how long; grants what stays ticked (OB5)', async () => {
    const { verifier, challenge } = pkce();
    const landed = await visit(async (page) => {
      await page.goto(url(challenge));
      await expect.poll(() => page.title()).toContain('Sign in');
      await signIn(page);
      const text = await page.locator('main').innerText();
      for (const words of [
        'Helper',
        'Example Ops',
        'Agent Host',
        'File server',
        'Ana Example',
        'Change your files',
      ]) {
        expect(text).toContain(words);
      }
      // What the agent may not do is told, and cannot be ticked (OB8).
      expect(text).toContain('Delete your files');
      expect(await page.locator('input[value="files:delete"]').count()).toBe(0);
      expect(text).toContain(new URL(callback).host);
      await page.locator('input[value="files:write"]').uncheck();
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.waitForURL(`${callback}**`);
      return new URL(page.url());
    });
    expect(landed.searchParams.get('iss')).toBe(t.issuer);
    const code = landed.searchParams.get('code') as string;
    const answer = await redeem(t, { code, verifier }, { redirect_uri: callback });
    expect(answer.body.scope).toBe('files:list files:read');
    expect(claimsOf(answer.body.access_token).act).toMatchObject({ sub: AGENT });
  });

  it('ticks for one what reads only, keeps the other choices, and grants what is then seen', async () => {
    const { verifier, challenge } = pkce();
    const landed = await visit(async (page) => {
      await page.goto(url(challenge, { prompt: 'consent' }));
      await signIn(page);
      await page.getByRole('radio', { name: '1 hour' }).check();
      await page.getByRole('radio', { name: 'Up to 1 helper' }).check();
      await page.getByRole('button', { name: 'Everything offered' }).click();
      await page.getByRole('button', { name: 'Read only' }).click();
      expect(await page.getByRole('status').innerText()).toContain('Only what reads is ticked');
      const boxes = page.getByRole('checkbox');
      const ticks = await boxes.evaluateAll((all) =>
        all.map((one) => [(one as HTMLInputElement).value, (one as HTMLInputElement).checked]),
      );
      expect(ticks).toEqual([
        ['files:list', true],
        ['files:read', true],
        ['files:write', false],
      ]);
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.waitForURL(`${callback}**`);
      return new URL(page.url());
    });
    const code = landed.searchParams.get('code') as string;
    const answer = await redeem(t, { code, verifier }, { redirect_uri: callback });
    expect(answer.body.scope).toBe('files:list files:read');
    const [consent] = await t.opened.db.run<{ helpers: number; hours: number }>(
      `select helpers, round(extract(epoch from expires_at - clock_timestamp()) / 3600)::int as hours
       from consents where user_id = $1 and ended_at is null order by created_at desc limit 1`,
      [ANA.id],
    );
    expect(consent).toEqual({ helpers: 1, hours: 1 });
  });

  it('takes a no for a no', async () => {
    const landed = await visit(async (page) => {
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await signIn(page);
      await page.getByRole('button', { name: 'Don’t allow' }).click();
      await page.waitForURL(`${callback}**`);
      return new URL(page.url());
    });
    expect(landed.searchParams.get('error')).toBe('access_denied');
    expect(landed.searchParams.get('code')).toBeNull();
  });

  it('says that the password is wrong without saying what is, and lets one try again', async () => {
    await visit(async (page) => {
      await page.goto(url(pkce().challenge));
      await signIn(page, { ...BEN, password: 'wrong' });
      await expect.poll(() => page.getByRole('alert').innerText()).toContain('not right');
      await signIn(page, BEN);
      await expect.poll(() => page.locator('main').innerText()).toContain('Ben Example');
    });
  });

  it('lets someone else sign in instead', async () => {
    await visit(async (page) => {
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await signIn(page, BEN);
      await page.getByRole('button', { name: /Not you/ }).click();
      await signIn(page, ANA);
      await expect.poll(() => page.locator('main').innerText()).toContain('Ana Example');
    });
  });

  it('hands an open session over to someone else, with a click where there is no script', async () => {
    await visit(async (page) => {
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await signIn(page, BEN);
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.waitForURL(`${callback}**`);
      // Signed in as Ben; now Ana takes over.
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await page.getByRole('button', { name: /Not you/ }).click();
      await signIn(page, ANA);
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.waitForURL(`${callback}**`);
      expect(new URL(page.url()).searchParams.get('code')).not.toBeNull();
      const [grant] = await t.opened.db.run<{ user_id: string }>(
        'select user_id from grants order by created_at desc limit 1',
      );
      expect(grant?.user_id).toBe(ANA.id);
    });
  });

  it('does not ask again in another browser what was allowed before (§8a 3)', async () => {
    const landed = await visit(async (page) => {
      await page.goto(url(pkce().challenge, { scope: 'files:list' }));
      await signIn(page);
      await page.waitForURL(`${callback}**`);
      return new URL(page.url());
    });
    expect(landed.searchParams.get('code')).not.toBeNull();
  });

  it('posts the answer to the client when it asked for form_post', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const posted = new Promise<string>((resolve) => {
      client.once('request', (req) => {
        let body = '';
        req.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        req.on('end', () => resolve(body));
      });
    });
    await page.goto(url(pkce().challenge, { scope: 'files:list', response_mode: 'form_post' }));
    await signIn(page);
    expect(new URLSearchParams(await posted).get('iss')).toBe(t.issuer);
    await context.close();
  });

  it('shows an error page, not a redirect, when the redirect address is not the client’s (A1)', async () => {
    await visit(async (page) => {
      const answer = await page.goto(
        url(pkce().challenge, { redirect_uri: 'https://evil.example/cb' }),
      );
      expect(answer?.status()).toBe(400);
      expect(page.url()).toContain(t.issuer);
      expect(await page.locator('h1').innerText()).toBe('This link is not safe to follow');
    });
  });

  it('signs out when asked twice, and leaves agents alone (I13)', async () => {
    await visit(async (page) => {
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await signIn(page);
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.waitForURL(`${callback}**`);
      await page.goto(`${t.issuer}/logout`);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await expect.poll(() => page.locator('h1').innerText()).toBe('You are signed out');
      await page.goto(url(pkce().challenge, { prompt: 'consent' }));
      await expect.poll(() => page.title()).toContain('Sign in');
    });
  });
});
