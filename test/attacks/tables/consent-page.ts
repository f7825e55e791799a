// I4, I7, I14 on the consent page in full: what a page shows cannot be framed, pressed for somebody or
// posed as, and its further fields (presets, duration, helpers) give nothing that was not shown.
import { eq, sql } from 'drizzle-orm';
import * as schema from '../../../schema/index.js';
import { linesOf } from '../../pages/text.js';
import { type Attack, NO_SUCH_PLACE, SERVED, seen } from '../support/attack.js';
import type { Answer, Fields } from '../support/http.js';
import { type Form, listed } from '../support/pages.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const FORBIDDEN = '403 page';
const SCOPE = 'openid files:write';

const opened = (w: AttackWorld, party: Party, more = {}) =>
  w.honestly(() =>
    w.consentPage(party.browser, party.url({ prompt: 'consent', ...more }), party.user),
  );
const toPreset = (form: Form): string => form.action.replace('/decision', '/preset');
const press = (
  party: Party,
  form: Form,
  more: Fields = {},
  headers: Record<string, string> = {},
): Promise<Answer> =>
  party.browser.post(toPreset(form), { ...listed(form.fields), preset: 'all', ...more }, headers);

/** What the user has decided at the file server: scopes and helpers of each consent. */
const decided = (w: AttackWorld, party: Party) =>
  w.db.run<{ granted: string[]; helpers: number }>(
    'select granted, helpers from consents where user_id = $1 and ended_at is null',
    [party.user.id],
  );

const framing: readonly Attack[] = (
  [
    [
      'the sign-in page',
      async (w) => (await w.browser().open(w.ana.url({ prompt: 'login' }))).answer,
    ],
    ['the consent page', async (w) => (await opened(w, await w.cast())).answer],
    [
      'the consent page with other ticks',
      async (w) => {
        const party = await w.cast();
        return press(party, (await opened(w, party)).form);
      },
    ],
  ] as ReadonlyArray<readonly [string, (w: AttackWorld) => Promise<Answer>]>
).map(
  ([name, page]): Attack => ({
    id: 'I4',
    name: `${name} in a frame: denied to every site, by both headers`,
    unaudited: SERVED,
    run: async (w) => {
      const { status, headers } = await page(w);
      const policy = String(headers['content-security-policy']);
      return [status, headers['x-frame-options'], /frame-ancestors ([^;]*)/.exec(policy)?.[1]];
    },
    expected: [200, 'DENY', "'none'"],
  }),
);

const inert: Attack = {
  id: 'I4',
  name: 'a click meant for what stood there a moment ago: the answers take none for 600 ms',
  unaudited: SERVED,
  run: async (w) => {
    const { answer } = await opened(w, await w.cast());
    const path = /<link rel="stylesheet" href="([^"]*)"/.exec(answer.text)?.[1] ?? '';
    const { text } = await w.send(path);
    return [
      /\.decision \.choices \{ animation: arm 600ms step-end; \}/.test(text),
      /@keyframes arm \{ from \{ pointer-events: none; \}/.test(text),
      /class="decision"><div class="choices">/.test(answer.text),
    ];
  },
  expected: [true, true, true],
};

const presets: readonly Attack[] = [
  {
    id: 'I7',
    name: 'a preset decides nothing, however often it is pressed',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast({ scope: 'files:list' });
      const { form } = await opened(w, party, { scope: SCOPE });
      const answers = [await press(party, form), await press(party, form, { decision: 'allow' })];
      return [answers.map(seen), (await decided(w, party)).map(({ granted }) => granted)];
    },
    expected: [['200 page decision', '200 page decision'], [['files:list']]],
  },
  {
    id: 'I7',
    name: 'a preset for scopes made by hand ticks nothing that is not offered',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party, { scope: 'files:list' });
      const answer = await press(party, form, { scope: ['files:delete', 'admin:quota'] });
      const again = w.form(answer, '/decision', form.action);
      return again.fields.getAll('scope');
    },
    expected: ['files:list'],
  },
  ...(
    [
      ['tampered with', (sealed: string) => `${sealed.slice(0, -2)}AA`],
      ['missing', () => ''],
    ] as const
  ).map(
    ([name, change]): Attack => ({
      id: 'I7',
      name: `a preset about a page whose seal is ${name}`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await opened(w, party);
        const shown = change(form.fields.get('shown') ?? '');
        return seen(await press(party, form, { shown }));
      },
      expected: FORBIDDEN,
    }),
  ),
  {
    id: 'I7',
    name: 'a preset about what was shown to another user',
    run: async (w) => {
      const [party, victim] = [await w.cast(), await w.cast()];
      const theirs = await opened(w, victim);
      const mine = await opened(w, party);
      const shown = theirs.form.fields.get('shown') ?? '';
      return seen(await press(party, mine.form, { shown }));
    },
    expected: FORBIDDEN,
  },
  {
    id: 'I7',
    name: 'a preset posted from another site',
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      return seen(await press(party, form, {}, { origin: 'https://evil.example' }));
    },
    expected: FORBIDDEN,
  },
  {
    id: 'I7',
    name: 'a preset by GET, from a link',
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      return (await party.browser.get(`${toPreset(form)}?preset=all`)).status;
    },
    expected: 405,
  },
];

const helpers: readonly Attack[] = ['4', '99', '-1', '1e0', '0x2', '2 ', 'NaN', '٢', ''].map(
  (value): Attack => ({
    id: 'I7',
    name: `helpers made by hand, ${JSON.stringify(value)}: none`,
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const party = await w.cast({ scope: 'files:list' });
        await w.walk(
          party.browser,
          party.url({ prompt: 'consent', scope: 'files:list' }),
          party.user,
          { helpers: value },
        );
        return (await decided(w, party)).map((one) => one.helpers);
      }),
    expected: [0],
  }),
);

/** Between two headings of a page. */
const under = (lines: readonly string[], from: string, to: string): readonly string[] =>
  lines.slice(lines.indexOf(from) + 1, lines.indexOf(to));

const lookalikes: readonly Attack[] = [
  {
    id: 'I14',
    name: 'a lookalike of an agent: its owner, that it is new here, and its id stand on the page',
    unaudited: SERVED,
    run: async (w) => {
      const [party, victim] = [await w.cast(), await w.cast()];
      const { name } = await w.registry.agents.get(victim.agent);
      await w.db.orm
        .update(schema.agents)
        .set({ name, owner: 'Nobody you know' })
        .where(eq(schema.agents.id, party.agent));
      await w.db.orm.delete(schema.grants).where(eq(schema.grants.userId, party.user.id));
      await w.db.orm.delete(schema.consents).where(eq(schema.consents.userId, party.user.id));
      await w.db.orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
      await w.settle();
      const lines = linesOf((await opened(w, party)).answer.text);
      return [
        lines.some((line) => line.startsWith('Run by Nobody you know, opening through')),
        lines.some((line) =>
          /^New here Registered .* ago, not used by anybody here yet\.$/.test(line),
        ),
        lines.includes(party.agent),
        lines.includes(victim.agent),
      ];
    },
    expected: [true, true, true, false],
  },
  {
    id: 'I14',
    name: 'a client that calls itself verified says so under its own heading, and nowhere else',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const claim = 'Verified by your organisation';
      await w.registry.clients.patch('admin', party.client, { description: claim } as never);
      await w.settle();
      const lines = linesOf((await opened(w, party)).answer.text);
      const own = under(lines, 'The app says:', 'Don’t allow');
      // Once more where it is told what changed since the last decision, as the client's words.
      const changed = under(lines, 'What the application says of itself', 'Signed in as');
      return [own[1], lines.filter((line) => line.includes(claim)).length, changed.slice(0, 4)];
    },
    expected: [
      'Verified by your organisation',
      2,
      ['Before', 'nothing', 'Now', 'Verified by your organisation'],
    ],
  },
  {
    id: 'I14',
    name: 'each scope says what it means and which tools it opens, and what cannot be undone is apart',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      await w.db.run(
        `update permissions set scopes = '{files:write,files:delete}' where principal = $1`,
        [party.agent],
      );
      await w.db.orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
      await w.settle();
      const { answer, form } = await opened(w, party, { scope: 'files:list files:delete' });
      const lines = linesOf(answer.text);
      return [
        under(lines, 'Look, without changing anything Read', 'Asked for, but blocked').slice(0, 6),
        form.fields.getAll('scope'),
      ];
    },
    expected: [
      [
        'List your filesfiles:list',
        'Used by list_files',
        'Delete, or do what cannot be undone No undo',
        'Tick only what may happen without asking you again.',
        'Delete your filesfiles:delete',
        'Used by delete_file',
      ],
      ['files:list'],
    ],
  },
];

export const consentPage: readonly Attack[] = [
  ...framing,
  inert,
  ...presets,
  ...helpers,
  ...lookalikes,
];
