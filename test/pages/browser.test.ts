// The pages as a real browser and a real accessibility checker see them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { renderConsent, renderError } from '../../src/broker/consent/views.js';
import { pageHeaders } from '../../src/broker/http/headers.js';
import type { ConsentPageModel } from '../../src/broker/http/page-model.js';
import { LANGUAGES } from '../../src/broker/http/texts/index.js';
import { renderSignIn } from '../../src/broker/users/sign-in-views.js';
import { type Browser, type BrowserContext, launchBrowser, type Page } from '../support/browser.js';
import { mePagesIn, type Others } from './me-models.js';
import { AGENT_CONSENT, SIGN_IN } from './models.js';
import { PAGES, type Site, startSite } from './site.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let browser: Browser;
let site: Site;
/** Another site: what the pages must not reach, or only when allowed. */
let elsewhere: Site;

beforeAll(async () => {
  [browser, site, elsewhere] = await Promise.all([launchBrowser(), startSite(), startSite()]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([site?.close(), elsewhere?.close()]);
});
beforeEach(() => {
  site.posts.length = 0;
  site.redirectTo = undefined;
});

async function withPage<T>(
  options: Parameters<Browser['newContext']>[0],
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext(options);
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

async function violations(page: Page): Promise<unknown[]> {
  await page.evaluate(AXE);
  const run = `axe.run(document, { runOnly: ${JSON.stringify(TAGS)} })`;
  const { violations: found } = (await page.evaluate(run)) as {
    violations: Array<{ id: string; nodes: Array<{ html: string; failureSummary: string }> }>;
  };
  return found.map(({ id, nodes }) => ({
    id,
    nodes: nodes.map((n) => [n.html, n.failureSummary]),
  }));
}

const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [1280, 320].map((width) => ({ colorScheme, width })),
);

describe.each(LOOKS)('in $colorScheme, $width px wide', ({ colorScheme, width }) => {
  let context: BrowserContext;
  beforeAll(async () => {
    const viewport = { width, height: 800 };
    context = await browser.newContext({ colorScheme, viewport });
  });
  afterAll(() => context?.close());

  it.each(Object.keys(PAGES))('%s has no accessibility violation and fits', async (name) => {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${site.origin}/${name}`);
    for (const summary of await page.locator('summary').all()) await summary.click();
    expect(await violations(page)).toEqual([]);
    const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(overflow)).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

it('no page needs a script: the one that has it has a button that does the same', () => {
  const scripted = Object.entries(PAGES).filter(([, html]) => /<script|\son[a-z]+=/i.test(html));
  expect(scripted.map(([name]) => name)).toEqual(['hand-over', 'de/hand-over']);
  for (const [, html] of scripted)
    expect(html).toMatch(/<form[\s\S]*<button type="submit"[\s\S]*<\/form>/);
});

describe('by keyboard, on every page', () => {
  it.each(
    Object.keys(PAGES),
  )('%s: every control is reached once, in order, and seen', async (name) => {
    await withPage({ viewport: { width: 1280, height: 800 } }, async (page) => {
      await page.goto(`${site.origin}/${name}`);
      const controls = await page.evaluate(REACHABLE);
      const reached: unknown[] = [];
      for (let n = 0; n < (controls as unknown[]).length; n += 1) {
        await page.keyboard.press('Tab');
        reached.push(await page.evaluate(FOCUSED));
      }
      expect(reached).toEqual(controls);
    });
  });
});

/** What a Tab key should stop at, in the order of the page: of radio buttons, the chosen one. */
const REACHABLE = `[...document.querySelectorAll('a[href], button:not([hidden]), input:not([type=hidden]):not([hidden]), select, summary')]
  .filter((one) => one.type !== 'radio' || one.checked)
  .filter((one) => one.matches('summary') || !one.closest('details:not([open])'))
  .map((one) => ({ at: one.outerHTML, seen: true }))`;
const FOCUSED = `(() => {
  const { outlineWidth, outlineStyle } = getComputedStyle(document.activeElement);
  return { at: document.activeElement.outerHTML, seen: outlineStyle !== 'none' && outlineWidth === '3px' };
})()`;

const HOSTILE = [
  '</title><script>window.hit=1</script>',
  '"><img src=x onerror="window.hit=1">',
  "'onfocus='window.hit=1' autofocus='",
  '</main></form><form action="https://evil.example"><button>Allow</button></form>',
  '<style>body{display:none}</style>{agent}',
  '\u202Ekcatta\u202C\u200Bpaypal\uFEFF<!--',
];

describe.each(HOSTILE)('the hostile name %j', (text) => {
  const consent: ConsentPageModel = {
    ...AGENT_CONSENT,
    user: { name: text, email: text },
    agent: {
      id: text,
      name: text,
      owner: text,
      sponsor: text,
      purpose: text,
      description: text,
      vendor: text,
      model: text,
      version: text,
      registeredSecondsAgo: 1,
      people: { count: 1, orMore: false },
    },
    client: {
      id: text,
      name: text,
      origin: 'registration',
      redirectUris: [text],
      description: text,
      clientUri: `javascript:${text}`,
      logoUri: text,
      policyUri: `https://x.example/${text}`,
      contact: text,
    },
    redirect: { kind: 'app', display: text },
    resource: { identifier: text, name: text },
    scopes: [
      {
        name: text,
        title: text,
        description: text,
        risk: 'write',
        tools: [text],
        onward: [{ name: text, titles: [text] }],
        ticked: true,
      },
    ],
    takenAway: [{ name: text, title: text, by: ['resource', 'agent'] }],
    changes: {
      added: [{ name: text, title: text }],
      gone: [{ name: text, title: text }],
      changed: [{ part: 'scopeTools', scope: text, before: [text], after: [text, 'x'] }],
    },
    shown: text,
    actions: { decide: '/decide', preset: '/preset', switchUser: '/switch' },
  };
  const client = { id: text, name: text };
  const pages = {
    consent: renderConsent(consent, LANGUAGES.en),
    signIn: renderSignIn(
      { ...SIGN_IN, client, agent: { name: text }, email: text, form: text },
      LANGUAGES.en,
    ),
    problem: renderError(
      {
        title: text,
        message: text,
        advice: text,
        details: { code: text, what: text, requestId: text, atMs: 0 },
      },
      LANGUAGES.en,
    ),
  };

  it('is inert everywhere, even without the policy that would stop it', async () => {
    await withPage({}, async (page) => {
      for (const [name, html] of Object.entries(pages)) {
        site.extra.set(`/hostile-${name}`, { html, headers: {} });
        await page.goto(`${site.origin}/hostile-${name}`);
        const seen = await page.evaluate(() => ({
          hit: (window as unknown as { hit?: number }).hit,
          foreign: document.querySelectorAll(
            'script, img, style, iframe, [onerror], [onfocus], [autofocus], a:not([href^="https:"], .skip)',
          ).length,
          actions: [...document.forms].map((form) => form.getAttribute('action')),
          invisible: /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(
            document.body.innerText + document.title,
          ),
        }));
        const actions = { consent: ['/switch', '/decide'], signIn: [SIGN_IN.action], problem: [] };
        expect(seen).toEqual({
          hit: undefined,
          foreign: 0,
          actions: actions[name as keyof typeof actions],
          invisible: false,
        });
      }
    });
  });

  it('is inert on the user’s own pages', async () => {
    const names = ['user', 'email', 'agent', 'owner', 'client', 'place', 'title', 'browser'];
    const others = Object.fromEntries([...names, 'sentence'].map((name) => [name, text]));
    await withPage({}, async (page) => {
      for (const html of Object.values(mePagesIn(LANGUAGES.en, others as unknown as Others))) {
        site.extra.set('/hostile-own', { html, headers: {} });
        await page.goto(`${site.origin}/hostile-own`);
        const seen = await page.evaluate(() => ({
          hit: (window as unknown as { hit?: number }).hit,
          foreign: document.querySelectorAll(
            'script, img, style, iframe, [onerror], [onfocus], [autofocus], a:not([href^="/me"], .skip), form:not([action^="/me"])',
          ).length,
          invisible: /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(
            document.body.innerText + document.title,
          ),
        }));
        expect(seen).toEqual({ hit: undefined, foreign: 0, invisible: false });
      }
    });
  });

  it('comes back unchanged as a value', async () => {
    await withPage({}, async (page) => {
      await page.setContent(pages.consent);
      expect(await page.inputValue('[name=shown]')).toBe(text);
      expect(await page.inputValue('[name=scope]')).toBe(text);
    });
  });
});

describe('deciding', () => {
  const open = (page: Page) => page.goto(`${site.origin}/consent-agent`);
  const posted = () => site.posts.map(({ url, body }) => `${url} ${body}`);
  const HELPERS = 'helpers=0';
  const TICKED =
    'scope=invoices%3Alist&scope=invoices%3Aread&scope=reports%3Awrite&scope=openid&scope=email';
  const DECIDE = '/interaction/u1/decision shown=c2VhbGVk.bWFj';

  it('sends what is ticked, and nothing destructive unless somebody ticks it', async () => {
    await withPage({ javaScriptEnabled: false }, async (page) => {
      await open(page);
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
      await page.getByRole('checkbox', { name: 'Delete expense reports' }).check();
      await page.getByRole('checkbox', { name: 'List your invoices' }).uncheck();
      await page.getByRole('radio', { name: '1 hour' }).check();
      await page.getByRole('button', { name: 'Allow', exact: true }).click();
    });
    expect(posted()).toEqual([
      `${DECIDE}&${TICKED}&duration_seconds=2592000&${HELPERS}&decision=allow`,
      `${DECIDE}&scope=invoices%3Aread&scope=reports%3Awrite&scope=reports%3Adelete&scope=openid&scope=email&duration_seconds=3600&${HELPERS}&decision=allow`,
    ]);
  });

  it('never allows by the Enter key, and always says from where it comes', async () => {
    await withPage({}, async (page) => {
      await open(page);
      await page.getByRole('checkbox', { name: 'List your invoices' }).press('Enter');
      await expect
        .poll(posted)
        .toEqual([
          `/interaction/u1/decision decision=deny&shown=c2VhbGVk.bWFj&${TICKED}&duration_seconds=2592000&${HELPERS}`,
        ]);
      expect(site.posts[0]?.headers).toMatchObject({
        origin: site.origin,
        'sec-fetch-site': 'same-origin',
      });
    });
  });

  it('focuses nothing by itself, shows the focus, and gives both answers equal weight', async () => {
    await withPage({}, async (page) => {
      await open(page);
      expect(await page.evaluate('document.activeElement === document.body')).toBe(true);
      const looks = await page.locator('.choices [name=decision]').evaluateAll((buttons) =>
        buttons.map((button) => {
          const { width, height } = button.getBoundingClientRect();
          const { color, backgroundColor, borderColor, fontWeight } = getComputedStyle(button);
          return { width, height, color, backgroundColor, borderColor, fontWeight };
        }),
      );
      expect(looks).toHaveLength(2);
      expect(looks[0]).toEqual(looks[1]);
      await page.keyboard.press('Tab');
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineWidth')).toBe(
        '3px',
      );
    });
  });

  it('takes no click meant for what stood here before (I4)', async () => {
    await withPage({}, async (page) => {
      await open(page);
      const takesClicksAt = (ms: number) =>
        page.evaluate((at) => {
          for (const animation of document.getAnimations()) animation.currentTime = at;
          const button = document.querySelector('[value=allow]') as HTMLElement;
          button.scrollIntoView();
          const { x, y, width, height } = button.getBoundingClientRect();
          return document.elementFromPoint(x + width / 2, y + height / 2) === button;
        }, ms);
      expect(await takesClicksAt(0)).toBe(false);
      expect(await takesClicksAt(590)).toBe(false);
      expect(await takesClicksAt(600)).toBe(true);
    });
  });
});

describe('the headers, as the browser takes them', () => {
  const show = (formAction: readonly string[]) => {
    const headers = pageHeaders({ formAction });
    site.extra.set('/to-client', { html: PAGES['consent-agent'] ?? '', headers });
    site.redirectTo = `${elsewhere.origin}/problem-request`;
  };
  const allow = async (page: Page) => {
    await page.goto(`${site.origin}/to-client`);
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
  };

  it('let the answer through to the client that was named', async () => {
    await withPage({}, async (page) => {
      show([`${elsewhere.origin}/callback`]);
      await allow(page);
      await page.waitForURL(`${elsewhere.origin}/problem-request`);
    });
  });

  it('stop it on the way to anybody else', async () => {
    await withPage({}, async (page) => {
      const blocked = page.waitForEvent('console', (m) => m.text().includes('form-action'));
      show(['https://client.example/callback']);
      await allow(page);
      await blocked;
      expect(page.url()).toBe(`${site.origin}/to-client`);
    });
  });

  it('with no-referrer our own forms would come from "null": the reason for same-origin', async () => {
    await withPage({}, async (page) => {
      const headers = { ...pageHeaders({}), 'Referrer-Policy': 'no-referrer' };
      site.extra.set('/to-client', { html: PAGES['consent-agent'] ?? '', headers });
      await allow(page);
      expect(site.posts[0]?.headers.origin).toBe('null');
    });
  });

  it('show nothing in a frame, and run no script', async () => {
    await withPage({}, async (page) => {
      const frame = `<iframe src="${site.origin}/consent-agent"></iframe>`;
      elsewhere.extra.set('/framing', { html: frame, headers: {} });
      await page.goto(`${elsewhere.origin}/framing`);
      const framed = page.frames()[1];
      expect(await framed?.locator('[name=decision]').count()).toBe(0);

      const html = '<main><script>document.title = "ran"</script></main>';
      site.extra.set('/scripted', { html, headers: pageHeaders({}) });
      await page.goto(`${site.origin}/scripted`);
      expect(await page.title()).toBe('');
    });
  });

  it.each([
    [false, true],
    [true, false],
  ])('keepsOpener %s severs the window that opened it: %s', async (keepsOpener, severed) => {
    await withPage({}, async (page) => {
      const html = PAGES['sign-in'] ?? '';
      site.extra.set('/popup', { html, headers: pageHeaders({ keepsOpener }) });
      elsewhere.extra.set('/opener', { html: '<p>x', headers: {} });
      await page.goto(`${elsewhere.origin}/opener`);
      const opening = page.waitForEvent('popup');
      await page.evaluate(`void window.open('${site.origin}/popup')`);
      const popup = await opening;
      await popup.waitForURL('**/popup');
      // Back at the client's callback page, as after the consent.
      await popup.goto(`${elsewhere.origin}/opener`);
      expect(await popup.evaluate('window.opener === null')).toBe(severed);
    });
  });
});
