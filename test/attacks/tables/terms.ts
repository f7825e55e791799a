// D7, I2: what was agreed to changes behind the back of whoever agreed. Everything here is changed in
// the registry between the consent and its use; what did not change must go on in silence.
import { sql } from 'drizzle-orm';
import type { ScopeRow } from '../../../schema/index.js';
import * as schema from '../../../schema/index.js';
import { pkce } from '../../support/broker.js';
import { type Attack, SERVED, seen } from '../support/attack.js';
import { type Form, listed } from '../support/pages.js';
import type { Party, Query } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const scope = (title: string, risk: ScopeRow['risk'] = 'read'): ScopeRow => ({
  title,
  risk,
  restricted: false,
  implies: [],
  base: true,
});
const SCOPES = { 'x:read': scope('Read it'), 'x:mend': scope('Mend it', 'write') };
const TOOLS = { read_it: ['x:read'], mend_it: ['x:mend'] };

interface Scene {
  readonly party: Party;
  readonly identifier: string;
  /** A resource the first one may come to call. */
  readonly onward: string;
  readonly query: Query;
}

/** A party with a resource of its own, and a consent to reading there. */
const scene = (w: AttackWorld): Promise<Scene> =>
  w.honestly(async () => {
    const party = await w.cast();
    const identifier = `https://${party.client.slice(4)}.example/api`;
    const onward = `https://onward-${party.client.slice(4)}.example/api`;
    const common = { scopes: SCOPES, tools: TOOLS };
    await w.db.orm.insert(schema.resources).values([
      { identifier, name: 'Its own', ...common },
      { identifier: onward, name: 'Onward', ...common },
    ]);
    await w.db.orm
      .insert(schema.permissions)
      .values({ principal: party.agent, resource: identifier, scopes: Object.keys(SCOPES) });
    await bump(w);
    const query = { resource: identifier, scope: 'x:read' };
    await party.consent(query);
    return { party, identifier, onward, query };
  });

const bump = async (w: AttackWorld): Promise<void> => {
  await w.db.orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
  await w.settle();
};

type Change = (w: AttackWorld, s: Scene) => Promise<unknown>;
const ofAgent =
  (set: Partial<typeof schema.agents.$inferInsert>): Change =>
  (w, { party }) =>
    w.db.orm.update(schema.agents).set(set).where(sql`id = ${party.agent}`);
const ofClient =
  (set: Partial<typeof schema.clients.$inferInsert>): Change =>
  (w, { party }) =>
    w.db.orm.update(schema.clients).set(set).where(sql`id = ${party.client}`);
const ofResource =
  (set: (s: Scene) => Partial<typeof schema.resources.$inferInsert>): Change =>
  (w, s) =>
    w.db.orm.update(schema.resources).set(set(s)).where(sql`identifier = ${s.identifier}`);

const CHANGES: ReadonlyArray<readonly [string, Change]> = [
  ['the agent is renamed', ofAgent({ name: 'Your Bank' })],
  ['the agent moves to another owner', ofAgent({ owner: 'Somebody else' })],
  ['the agent gets another purpose', ofAgent({ purpose: 'sells what it finds' })],
  ['the agent is described otherwise', ofAgent({ description: 'harmless' })],
  ['the client renames itself', ofClient({ name: 'Your Bank' })],
  ['the client says something else of itself', ofClient({ description: 'Your bank, really.' })],
  ['the client has another privacy policy', ofClient({ policyUri: 'https://evil.example/p' })],
  ['the resource is renamed', ofResource(() => ({ name: 'Your Bank' }))],
  [
    'the scope is titled otherwise',
    ofResource(() => ({ scopes: { ...SCOPES, 'x:read': scope('Copy it') } })),
  ],
  [
    'the scope is described otherwise',
    ofResource(() => ({
      scopes: { ...SCOPES, 'x:read': { ...scope('Read it'), description: 'and all of it' } },
    })),
  ],
  [
    'the scope becomes destructive',
    ofResource(() => ({ scopes: { ...SCOPES, 'x:read': scope('Read it', 'destructive') } })),
  ],
  [
    'the scope opens another tool',
    ofResource(() => ({ tools: { ...TOOLS, send_it: ['x:read'] } })),
  ],
  [
    'its server may come to call onward with the scope',
    ofResource(({ onward }) => ({
      downstream: [{ resource: onward, scopes: { 'x:read': ['x:read'] } }],
    })),
  ],
];

const SAME: ReadonlyArray<readonly [string, Change]> = [
  ['nothing', async () => undefined],
  ['another version of the agent’s model', ofAgent({ model: 'next', version: '2' })],
  ['another agent’s name', (w) => w.db.orm.update(schema.agents).set({ tags: ['x'] })],
  [
    'the order of scopes and tools',
    ofResource(() => ({
      scopes: { 'x:mend': SCOPES['x:mend'], 'x:read': SCOPES['x:read'] },
      tools: { mend_it: TOOLS.mend_it, read_it: TOOLS.read_it },
    })),
  ],
  [
    'a scope that was not asked for',
    ofResource(() => ({ scopes: { ...SCOPES, 'x:mend': scope('Break it', 'destructive') } })),
  ],
  [
    'a tool of a scope that was not asked for',
    ofResource(() => ({ tools: { ...TOOLS, break_it: ['x:mend'] } })),
  ],
];

const changes: readonly Attack[] = CHANGES.flatMap(([name, change]): Attack[] => [
  {
    id: 'D7',
    name: `${name} after the consent: silence is over, the page comes back`,
    unaudited: SERVED,
    run: async (w) => {
      const s = await scene(w);
      await change(w, s);
      await bump(w);
      return seen(await s.party.browser.get(s.party.url(s.query)));
    },
    expected: '303 to interaction',
  },
  {
    id: 'D7',
    name: `${name} between consent and redemption: the code is worth nothing`,
    run: async (w) => {
      const s = await scene(w);
      const code = await s.party.code(s.query);
      await change(w, s);
      await bump(w);
      return seen(await s.party.redeem(code));
    },
    expected: '400 invalid_grant',
  },
  {
    id: 'I2',
    name: `${name} while the page is read: the page is shown again, nothing is granted`,
    unaudited: SERVED,
    run: async (w) => {
      const s = await scene(w);
      const { challenge } = pkce();
      const { form } = await w.honestly(() =>
        w.consentPage(
          s.party.browser,
          s.party.url({ ...s.query, prompt: 'consent' }, challenge),
          s.party.user,
        ),
      );
      await change(w, s);
      await bump(w);
      const again = await s.party.browser.post(form.action, allow(form));
      const [{ count }] = (await w.db.run<{ count: number }>(
        'select count(*)::int as count from consents where user_id = $1 and resource = $2',
        [s.party.user.id, s.identifier],
      )) as [{ count: number }];
      return [seen(again), count];
    },
    expected: ['200 page decision', 1],
  },
]);

const allow = (form: Form) => ({ ...listed(form.fields), decision: 'allow' });

const goesOn: readonly Attack[] = SAME.map(
  ([name, change]): Attack => ({
    id: 'I2',
    name: `${name} changes after the consent: nobody is asked again`,
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const s = await scene(w);
        await change(w, s);
        await bump(w);
        return seen(await s.party.browser.get(s.party.url(s.query)));
      }),
    expected: '303 to client with a code',
  }),
);

const sessions: readonly Attack[] = [
  {
    id: 'D7',
    name: 'the agent is renamed after the first token: the session goes on, the next one is asked',
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const s = await scene(w);
        const { refresh_token } = await s.party.tokens(await s.party.code(s.query));
        await ofAgent({ name: 'Renamed' })(w, s);
        await bump(w);
        const refreshed = await s.party.refresh(refresh_token);
        return [seen(refreshed), seen(await s.party.browser.get(s.party.url(s.query)))];
      }),
    expected: ['200 json', '303 to interaction'],
  },
  {
    id: 'D7',
    name: 'agreeing to the new name ends what was agreed to under the old one',
    run: async (w) => {
      const s = await scene(w);
      const { refresh_token } = await s.party.tokens(await w.honestly(() => s.party.code(s.query)));
      await ofAgent({ name: 'Renamed' })(w, s);
      await bump(w);
      await s.party.consent(s.query);
      return seen(await s.party.refresh(refresh_token));
    },
    expected: '400 invalid_grant',
  },
];

export const terms: readonly Attack[] = [...changes, ...goesOn, ...sessions];
