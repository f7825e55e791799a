// The consent page over HTTP (DESIGN §7, §8a 2–4): what it is made from, what may come
// back from it, and what becomes of that.
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf, type Page } from '../../examples/demo/walk-pages.js';
import { agents, consents, policyEpoch, resources } from '../../schema/index.js';
import { DELEGATION_MAX_DEFAULT_SECONDS } from '../../src/broker/limits.js';
import { linesOf } from '../pages/text.js';
import { authorizeUrl, pkce, startTestBroker, type TestBroker } from '../support/broker.js';
import { AGENT, ANA, BEN, FILE_SCOPES, FILES, NOTES } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
  // The agent may delete here, so that there is something destructive to offer.
  await t.opened.db.run(
    `update permissions set scopes = '{files:write,files:delete}' where principal = $1`,
    [AGENT],
  );
  await bump();
});
afterAll(() => t.close());
beforeEach(() => t.opened.db.run('truncate consents, grants'));

const bump = async (): Promise<void> => {
  await t.opened.db.orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
};

type Walker = ReturnType<typeof createBrowserless>;
const SCOPE = 'openid email files:write files:delete';

async function open(
  who: { email: string; password: string } = ANA,
  params: Record<string, string> = {},
): Promise<{ walker: Walker; page: Page }> {
  const walker = createBrowserless(t.issuer);
  const url = authorizeUrl(t, pkce().challenge, { scope: SCOPE, prompt: 'consent', ...params });
  const [signIn] = formsOf(await walker.open(url));
  if (signIn === undefined) throw new Error('no sign-in form');
  const { email, password } = who;
  return { walker, page: await walker.submit(signIn, { email, password }) };
}

function formOf(page: Page) {
  const form = formsOf(page).find(({ action }) => action.endsWith('/decision'));
  if (form === undefined) throw new Error(`no consent page: ${page.status} ${page.url}`);
  return form;
}
const ticksOf = (page: Page): string[] => formOf(page).fields.getAll('scope');
const press = (walker: Walker, page: Page, preset: string, more = {}): Promise<Page> => {
  const form = formOf(page);
  const action = form.action.replace('/decision', '/preset');
  return walker.submit({ ...form, action }, { preset, ...more });
};
const decide = (walker: Walker, page: Page, more: Record<string, string | string[]> = {}) =>
  walker.submit(formOf(page), { decision: 'allow', ...more });
const kept = async () =>
  t.opened.db.orm
    .select()
    .from(consents)
    .where(eq(consents.userId, ANA.id))
    .orderBy(consents.createdAt);

describe('ticks and presets', () => {
  const READS = ['files:list', 'files:read', 'email', 'openid'];
  it('proposes everything but what cannot be undone', async () => {
    const { page } = await open();
    expect(ticksOf(page)).toEqual(['files:list', 'files:read', 'files:write', 'email', 'openid']);
  });

  it.each([
    ['read', READS],
    ['all', ['files:list', 'files:read', 'files:write', 'files:delete', 'email', 'openid']],
    ['none', ['openid']],
    ['made up', ['files:list', 'files:read', 'files:write', 'email', 'openid']],
  ])('%s comes back with these ticked, decides nothing, and keeps the other choices', async (preset, ticked) => {
    const { walker, page } = await open();
    const choices = { duration_seconds: '3600', helpers: '2' };
    const again = await press(walker, page, preset, choices);
    expect(again.status).toBe(200);
    expect(ticksOf(again)).toEqual(ticked);
    const { fields } = formOf(again);
    expect([fields.get('duration_seconds'), fields.get('helpers')]).toEqual(['3600', '2']);
    expect(await kept()).toEqual([]);
  });

  it('what a preset ticked is granted when it is allowed, and nothing else', async () => {
    const { walker, page } = await open();
    await decide(walker, await press(walker, page, 'read'));
    expect((await kept()).map(({ granted }) => granted)).toEqual([READS]);
  });
});

describe('for how long, and through how many', () => {
  it('is what was chosen', async () => {
    const { walker, page } = await open();
    await decide(walker, page, { duration_seconds: '3600', helpers: '2' });
    const [consent] = await kept();
    expect(consent?.helpers).toBe(2);
    const seconds =
      ((consent?.expiresAt.getTime() ?? 0) - (consent?.createdAt.getTime() ?? 0)) / 1000;
    expect(Math.round(seconds)).toBe(3600);
  });

  it.each([
    '4',
    '-1',
    '1.5',
    '1e0',
    '',
    'x',
    '01',
    ' 1',
  ])('%j helpers are none', async (helpers) => {
    const { walker, page } = await open();
    await decide(walker, page, { helpers });
    expect((await kept())[0]?.helpers).toBe(0);
  });

  it('helpers are nothing one can choose where no agent acts', async () => {
    const { walker, page } = await open(ANA, { requested_actor: undefined as unknown as string });
    expect(formOf(page).fields.has('helpers')).toBe(false);
    await decide(walker, page, { helpers: '2' });
    expect((await kept())[0]?.helpers).toBe(0);
  });

  it('a later decision with fewer helpers replaces the consent; with more, widens it', async () => {
    const helpersOf = async (helpers: string) => {
      const { walker, page } = await open();
      await decide(walker, page, { helpers });
      return (await kept()).map((one) => [one.helpers, one.endedReason]);
    };
    expect(await helpersOf('1')).toEqual([[1, null]]);
    expect(await helpersOf('3')).toEqual([[3, null]]);
    expect(await helpersOf('2')).toEqual([
      [3, 'replaced'],
      [2, null],
    ]);
  });

  it('is capped by the operator', async () => {
    const { page } = await open();
    const shown = [...page.html.matchAll(/name="duration_seconds" value="(\d+)"/g)].map(([, s]) =>
      Number(s),
    );
    expect(shown).toEqual([DELEGATION_MAX_DEFAULT_SECONDS, 7 * 86_400, 86_400, 3600]);
  });
});

describe('who is shown: the registry’s words, and how it is used here', () => {
  it('says since when the agent is registered and changed, and who lets it act', async () => {
    await t.opened.db.run(
      `update agents set created_at = now() - interval '40 days' where id = $1`,
      [AGENT],
    );
    await t.broker.registry.agents.patch('admin', AGENT, { sponsor: 'Dana' });
    const first = linesOf((await open()).page.html);
    expect(first).toContain('New here Registered 1 month ago, not used by anybody here yet.');
    const { walker, page } = await open(BEN);
    await decide(walker, page);
    const lines = linesOf((await open()).page.html);
    expect(lines).toContain('Registered 1 month ago, used by 1 person here.');
    expect(lines[lines.indexOf('Last changed') + 1]).toBe('1 minute ago');
    expect(lines[lines.indexOf('Stands in') + 1]).toBe('Dana');
  });

  it('says where a scope leads on to', async () => {
    const downstream = [
      { resource: NOTES, scopes: { 'files:read': ['notes:read', 'notes:gone'] } },
    ];
    await t.opened.db.orm
      .update(resources)
      .set({ downstream })
      .where(eq(resources.identifier, FILES));
    await bump();
    const lines = linesOf((await open()).page.html);
    expect(lines).toContain('File server may go on to Notes with this: Read notes.');
    await t.opened.db.orm
      .update(resources)
      .set({ downstream: [] })
      .where(eq(resources.identifier, FILES));
    await bump();
  });
});

describe('a second decision', () => {
  const sinceThen = async () => {
    const lines = linesOf((await open()).page.html);
    return lines.slice(
      lines.indexOf(FILES) + 1,
      lines.indexOf('Signed in as Ana Exampleana@example.com'),
    );
  };
  const changeAgent = async (set: Partial<typeof agents.$inferInsert>) => {
    await t.opened.db.orm.update(agents).set(set).where(eq(agents.id, AGENT));
    await bump();
  };

  it('is told that nothing changed, and finds its earlier ticks', async () => {
    const { walker, page } = await open();
    await decide(walker, page, { scope: ['files:list', 'files:delete', 'openid'], helpers: '1' });
    const { page: again } = await open();
    expect(linesOf(again.html)).toContain(
      'You decided about this before. Nothing has changed since.',
    );
    expect(ticksOf(again)).toEqual(['files:list', 'files:delete', 'openid']);
    expect(formOf(again).fields.get('helpers')).toBe('1');
  });

  it('is told what changed; what was ticked for somebody else is proposed anew', async () => {
    const { walker, page } = await open();
    await decide(walker, page, { scope: ['files:delete', 'openid'], helpers: '1' });
    await changeAgent({ owner: 'Somebody else' });
    expect(await sinceThen()).toEqual([
      'What changed since you last decided',
      ...['Who runs the agent', 'Before', 'Example Ops', 'Now', 'Somebody else'],
    ]);
    const { page: again } = await open();
    expect(ticksOf(again)).toEqual(['files:list', 'files:read', 'files:write', 'email', 'openid']);
    expect(formOf(again).fields.get('helpers')).toBe('0');
    await changeAgent({ owner: 'Example Ops' });
  });

  it('is told what is new and what is gone', async () => {
    const { walker, page } = await open(ANA, { scope: 'files:read' });
    await decide(walker, page);
    const scopes = {
      ...FILE_SCOPES,
      'files:read': { ...FILE_SCOPES['files:read'], restricted: true },
    };
    await t.opened.db.orm.update(resources).set({ scopes }).where(eq(resources.identifier, FILES));
    await bump();
    expect(await sinceThen()).toEqual([
      'What changed since you last decided',
      'New: you were not asked this before',
      ...[
        'Delete your files',
        'Change your files',
        'See your e-mail address',
        'Know that it is you',
      ],
      ...['No longer possible', 'Read your files'],
    ]);
    await t.opened.db.orm
      .update(resources)
      .set({ scopes: FILE_SCOPES })
      .where(eq(resources.identifier, FILES));
    await bump();
  });

  it('asked while the words changed, shows the page again and keeps the choices', async () => {
    const { walker, page } = await open();
    await changeAgent({ name: 'Renamed' });
    const again = await decide(walker, page, { duration_seconds: '3600', helpers: '3' });
    expect(linesOf(again.html)).toContain(
      'Something on this page changed while you were reading it. Nothing has been allowed: please look again.',
    );
    const { fields } = formOf(again);
    expect([fields.get('duration_seconds'), fields.get('helpers')]).toEqual(['3600', '3']);
    expect(await kept()).toEqual([]);
    await decide(walker, again);
    expect(await kept()).toHaveLength(1);
    await changeAgent({ name: 'Helper' });
  });
});
