// R: refresh tokens. Rotated at every use; whatever is asked is within what was granted.
import { endConsent } from '../../../src/broker/delegation/ends.js';
import { pkce } from '../../support/broker.js';
import { usedEarlier } from '../../support/used-earlier.js';
import {
  AGENT,
  DESKTOP,
  FILES,
  FILES_CLIENT,
  HOST,
  LOOPBACK,
  NOTES,
  OTHER_AGENT,
  SERVICE,
} from '../../support/world.js';
import { type Attack, SERVED, seen } from '../support/attack.js';
import { decodePart } from '../support/forge.js';
import type { Fields } from '../support/http.js';
import { codeIn, type Party, type Tokens } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const GONE = '400 invalid_grant';
const GOOD = '200 json';

const past = (w: AttackWorld, tokens: Tokens, seconds: number) =>
  usedEarlier(w.db, tokens, seconds);

const GRACE = 'a client that lost the answer to its refresh (DESIGN §6, refresh grace)';

/** While the database refuses to write refresh tokens, as one that is being taken over does. */
async function breaking<T>(
  w: AttackWorld,
  step: 'insert' | 'update',
  work: () => Promise<T>,
): Promise<T> {
  await w.db.run(`create or replace function behalf_test_refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no' using errcode = '57P01'; end $$`);
  await w.db.run(`create trigger behalf_test_refuse before ${step} on artifacts for each row
    when (new.model = 'RefreshToken') execute function behalf_test_refuse()`);
  try {
    return await work();
  } finally {
    await w.db.run('drop trigger behalf_test_refuse on artifacts');
  }
}

const rotations: readonly Attack[] = [
  {
    id: 'R1',
    name: 'a rotated refresh token is used a fifth time: four had one answer, the fifth ends it all',
    refs: ['1', '46'],
    repeats: GRACE,
    run: async (w) => {
      const first = await w.ana.tokens();
      const answers = [];
      for (let n = 0; n < 4; n += 1) {
        answers.push((await w.honestly(() => w.ana.refresh(first.refresh_token))).body as Tokens);
      }
      await past(w, first, 1);
      const fifth = seen(await w.ana.refresh(first.refresh_token));
      const alive = (await w.introspect(answers[0]?.access_token ?? '')).body.active;
      return [new Set(answers.map((one) => one.refresh_token)).size, fifth, alive];
    },
    expected: [1, GONE, false],
  },
  {
    id: 'R3',
    name: 'a rotated refresh token is used again after the process died and came back',
    refs: ['2'],
    run: async (w) => {
      const first = await w.ana.tokens();
      await w.honestly(() => w.ana.refresh(first.refresh_token));
      await past(w, first, 61);
      await w.restart();
      const again = seen(await w.ana.refresh(first.refresh_token));
      return [again, (await w.introspect(first.access_token)).body.active];
    },
    expected: [GONE, false],
  },
  ...(['update', 'insert'] as const).map(
    (step): Attack => ({
      id: 'R4',
      name: `the database fails at the ${step} of a rotation: no reuse, and the client tries again`,
      refs: ['3'],
      unaudited: SERVED,
      broken: 'the database, for one statement',
      run: async (w) => {
        const { refresh_token } = await w.ana.tokens();
        const failed = await w.honestly(() =>
          breaking(w, step, () => w.ana.refresh(refresh_token)),
        );
        return [seen(failed), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
      },
      expected: ['503 temporarily_unavailable', GOOD],
    }),
  ),
  {
    id: 'R1',
    name: 'a rotated refresh token is used again, past its grace: refused, and the whole family is dead',
    refs: ['1', '46'],
    run: async (w) => {
      const first = await w.ana.tokens();
      const second = (await w.honestly(() => w.ana.refresh(first.refresh_token))).body;
      await past(w, first, 61);
      const again = await w.ana.refresh(first.refresh_token);
      const alive = [first.access_token, second.access_token].map(
        async (t) => (await w.introspect(t)).body.active,
      );
      return [
        seen(again),
        await Promise.all(alive),
        seen(await w.ana.refresh(second.refresh_token)),
      ];
    },
    expected: [GONE, [false, false], GONE],
  },
  {
    id: 'R1',
    name: 'a rotated refresh token of one authorization: another of the same consent lives',
    run: async (w) => {
      const kept = await w.ana.tokens();
      const first = await w.ana.tokens();
      await w.honestly(() => w.ana.refresh(first.refresh_token));
      await past(w, first, 61);
      await w.ana.refresh(first.refresh_token);
      return [
        (await w.introspect(kept.access_token)).body.active,
        seen(await w.honestly(() => w.ana.refresh(kept.refresh_token))),
      ];
    },
    expected: [true, GOOD],
  },
  {
    id: 'R1',
    name: 'a refresh token two generations old ends the family',
    refs: ['1'],
    run: async (w) => {
      const first = await w.ana.tokens();
      const second = (await w.honestly(() => w.ana.refresh(first.refresh_token))).body;
      const third = (await w.honestly(() => w.ana.refresh(second.refresh_token))).body;
      return [
        seen(await w.ana.refresh(first.refresh_token)),
        seen(await w.ana.refresh(third.refresh_token)),
      ];
    },
    expected: [GONE, GONE],
  },
  {
    id: 'R2',
    name: 'twenty parallel refreshes: one wins, and three more at most are told the same',
    refs: ['1', '46'],
    repeats: GRACE,
    run: async (w) => {
      const { refresh_token } = await w.ana.tokens();
      const answers = await w.honestly(() =>
        Promise.all(Array.from({ length: 20 }, () => w.ana.refresh(refresh_token))),
      );
      const given = answers.filter(({ status }) => status === 200);
      const refused = new Set(answers.map(seen).filter((sight) => sight !== GOOD));
      const afterwards = seen(await w.ana.refresh('not-a-refresh-token'));
      return [
        new Set(given.map(({ body }) => (body as Tokens).refresh_token)).size,
        given.length <= 4,
        [...refused],
        afterwards,
      ];
    },
    expected: [1, true, [GONE], GONE],
  },
  {
    id: 'R2',
    name: 'a refresh token whose first use is not over yet: refused, and the authorization lives',
    refs: ['1', '46'],
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token, access_token } = await party.tokens();
      await w.db.run(
        `update artifacts set consumed_at = clock_timestamp() where model = 'RefreshToken'
         and grant_id in (select id from grants where user_id = $1)`,
        [party.user.id],
      );
      const tried = await party.refresh(refresh_token);
      return [seen(tried), (await w.introspect(access_token)).body.active];
    },
    expected: [GONE, true],
  },
  {
    id: 'R7',
    name: 'a refresh never outlives its grant: the new token and the new refresh token end with it',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token } = await party.tokens();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() + interval '20 seconds' where user_id = $1`,
        [party.user.id],
      );
      const { body } = await w.honestly(() => party.refresh(refresh_token));
      const { iat, exp } = decodePart(body.access_token, 1) as { iat: number; exp: number };
      return exp - iat <= 20;
    },
    expected: true,
  },
  {
    id: 'R7',
    name: 'a refresh after its grant has run out',
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token } = await party.tokens();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() - interval '1 second' where user_id = $1`,
        [party.user.id],
      );
      return seen(await party.refresh(refresh_token));
    },
    expected: GONE,
    legitimate: { kinds: ['refresh'], because: 'it was there before, and serves nobody' },
  },
  {
    id: 'R7',
    name: 'a code redeemed after its grant has run out',
    run: async (w) => {
      const party = await w.cast();
      const code = await party.code();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() - interval '1 second' where user_id = $1`,
        [party.user.id],
      );
      return seen(await party.redeem(code));
    },
    expected: GONE,
    legitimate: { kinds: ['code'], because: 'it was there before, and serves nobody' },
  },
  {
    id: 'R7',
    name: 'the user allowed an hour: a refresh after it',
    run: async (w) => {
      const party = await w.cast();
      const { verifier, challenge } = pkce();
      const answer = await w.honestly(() =>
        w.walk(party.browser, party.url({ prompt: 'consent' }, challenge), party.user, {
          duration_seconds: '3600',
        }),
      );
      const { refresh_token } = await party.tokens({
        code: codeIn(answer),
        verifier,
        redirectUri: party.redirectUri,
      });
      await w.setClock(3601);
      const late = await party.refresh(refresh_token);
      await w.setClock(0);
      return seen(late);
    },
    expected: GONE,
  },
  {
    id: 'R7',
    name: 'a refresh token fifteen days old',
    run: async (w) => {
      const { refresh_token } = await w.ana.tokens();
      await w.setClock(15 * 24 * 3600);
      const late = await w.ana.refresh(refresh_token);
      await w.setClock(0);
      return seen(late);
    },
    expected: GONE,
  },
];

/** Tried on a live refresh token, which must then still serve its owner. */
const attempt = (
  id: string,
  name: string,
  change: Fields,
  expected: string,
  refs: readonly string[] = [],
): Attack => ({
  id,
  name: `${name}; the refresh token survives`,
  refs,
  run: async (w) => {
    const { refresh_token } = await w.ana.tokens();
    const tried = await w.ana.refresh(refresh_token, change);
    return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
  },
  expected: [expected, GOOD],
});

const thefts: readonly Attack[] = [
  ...(
    [
      ['another confidential client', FILES_CLIENT, '400 unauthorized_client'],
      ['a public client', DESKTOP, GONE],
      ['a service', SERVICE, '400 unauthorized_client'],
      ['the agent', AGENT, '400 unauthorized_client'],
    ] as const
  ).map(
    ([name, as, expected]): Attack => ({
      id: 'R5',
      name: `the refresh token is used by ${name}; it survives`,
      refs: ['23', '47'],
      run: async (w) => {
        const { refresh_token } = await w.ana.tokens();
        const tried = await w.ana.refresh(refresh_token, {}, as);
        return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
      },
      expected: [expected, GOOD],
    }),
  ),
  {
    id: 'R5',
    name: 'the refresh token is used by another app with its own agent’s proof; it survives',
    refs: ['23', '47'],
    run: async (w) => {
      const [{ refresh_token }, thief] = [await w.ana.tokens(), await w.cast()];
      const tried = await thief.refresh(refresh_token, { actor_token: await thief.actorToken() });
      return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
    },
    expected: [GONE, GOOD],
  },
  {
    id: 'R5',
    name: 'the refresh token without the client’s secret; it survives',
    refs: ['47'],
    run: async (w) => {
      const { refresh_token } = await w.ana.tokens();
      const tried = await w.token(undefined, {
        grant_type: 'refresh_token',
        refresh_token,
        client_id: HOST,
      });
      return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
    },
    expected: ['401 invalid_client', GOOD],
  },
  {
    id: 'R5',
    name: 'a public client’s refresh token is rotated: the old one ends the family',
    run: async (w) => {
      const party = await publicParty(w);
      const first = await party.tokens();
      await w.honestly(() => party.refresh(first.refresh_token));
      await past(w, first, 11);
      return [
        seen(await party.refresh(first.refresh_token)),
        (await w.introspect(first.access_token)).body,
      ];
    },
    expected: [GONE, { active: false }],
  },
  {
    id: 'R5',
    name: 'a refresh with another agent’s actor token; the refresh token survives',
    run: async (w) => {
      const { refresh_token } = await w.ana.tokens();
      const tried = await w.ana.refresh(refresh_token, {
        actor_token: await w.actorToken(OTHER_AGENT),
      });
      return [seen(tried), seen(await w.honestly(() => w.ana.refresh(refresh_token)))];
    },
    expected: [GONE, GOOD],
  },
];

/** A public client must show the page each time; so each code is walked for. */
async function publicParty(w: AttackWorld): Promise<Party> {
  const party = await w.cast({ auth: 'none', redirectUri: LOOPBACK });
  return { ...party, tokens: async () => party.tokens(await party.consent()) };
}

const widenings: readonly Attack[] = [
  attempt(
    'R6',
    'a scope that was not granted',
    { scope: 'files:write files:delete' },
    '400 invalid_scope',
    ['43'],
  ),
  attempt('R6', 'a restricted scope', { scope: 'admin:quota' }, '400 invalid_scope', ['43']),
  attempt('R6', 'a scope nobody knows', { scope: 'files:fly' }, '400 invalid_scope'),
  attempt('R6', 'every scope', { scope: '*' }, '400 invalid_scope'),
  attempt('R6', 'a malformed scope', { scope: 'a"b' }, '400 invalid_scope'),
  attempt('R6', 'a scope with a NUL', { scope: 'files:list\0' }, '400 invalid_scope'),
  attempt('R6', 'an inherited name as scope', { scope: 'constructor' }, '400 invalid_scope'),
  attempt('R6', 'nothing at the resource', { scope: 'openid' }, GONE),
  attempt('R6', 'another resource', { resource: NOTES }, '400 invalid_target', ['49']),
  attempt(
    'R6',
    'an unknown resource',
    { resource: 'https://nowhere.example' },
    '400 invalid_target',
  ),
  attempt('R6', 'two resources', { resource: [FILES, NOTES] }, '400 invalid_target', ['49']),
  attempt('R6', 'the resource with a slash', { resource: `${FILES}/` }, '400 invalid_target'),
  attempt(
    'R6',
    'an unknown actor_token_type beside an actor token',
    { actor_token: 'x', actor_token_type: 'urn:x' },
    '400 invalid_request',
  ),
  attempt('R6', 'an actor token that is none', { actor_token: 'garbage' }, GONE),
  {
    id: 'R6',
    name: 'a narrowed refresh, then a full one: never more than was granted',
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const { refresh_token } = await w.ana.tokens();
        const narrow = (await w.ana.refresh(refresh_token, { scope: 'files:list' })).body;
        const full = (await w.ana.refresh(narrow.refresh_token)).body;
        return [narrow.scope, full.scope, decodePart(full.access_token, 1).scope];
      }),
    expected: [
      'files:list',
      'files:list files:read files:write',
      'files:list files:read files:write',
    ],
  },
  {
    id: 'R6',
    name: 'the user widened the consent meanwhile: an older authorization does not grow',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast({ scope: 'files:list' });
      const { refresh_token } = await party.tokens();
      await party.consent({ scope: 'files:write' });
      return (await w.honestly(() => party.refresh(refresh_token))).body.scope;
    },
    expected: 'files:list',
  },
  {
    id: 'R6',
    name: 'the agent was permitted more meanwhile: an older authorization does not grow',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast({ scope: 'files:read' });
      const { refresh_token } = await party.tokens();
      await w.registry.permissions.set('admin', {
        principal: party.agent,
        resource: FILES,
        scopes: ['files:write', 'files:delete'],
      } as never);
      await w.settle();
      return (await w.honestly(() => party.refresh(refresh_token))).body.scope;
    },
    expected: 'files:list files:read',
  },
];

type Stop = readonly [string, (w: AttackWorld, party: Party) => Promise<unknown>];

const consentsOf = (w: AttackWorld, party: Party) =>
  w.db.run<{ id: string }>('select id from consents where user_id = $1 and ended_at is null', [
    party.user.id,
  ]);

export const stops: readonly Stop[] = [
  ['the agent is blocked', (w, p) => w.registry.agents.block('admin', p.agent, 'test')],
  [
    'the agent is blocked and unblocked',
    async (w, p) => {
      await w.registry.agents.block('admin', p.agent, 'test');
      await w.registry.agents.unblock('admin', p.agent);
    },
  ],
  ['the agent is retired', (w, p) => w.registry.agents.retire('admin', p.agent)],
  [
    'the agent is paused',
    (w, p) => w.registry.agents.setStatus('admin', p.agent, { status: 'paused', reason: 'test' }),
  ],
  [
    'the agent accepts this host no more',
    (w, p) => w.registry.agents.patch('admin', p.agent, { clients: [] }),
  ],
  ['the user is disabled', (w, p) => w.registry.users.disable('admin', p.user.id, 'test')],
  [
    'the user is disabled and enabled',
    async (w, p) => {
      await w.registry.users.disable('admin', p.user.id, 'test');
      await w.registry.users.enable('admin', p.user.id);
    },
  ],
  [
    'the user’s password is changed',
    (w, p) => w.registry.users.patch('admin', p.user.id, { password: 'a new and longer password' }),
  ],
  ['the user is retired', (w, p) => w.registry.users.retire('admin', p.user.id)],
  ['the client is retired', (w, p) => w.registry.clients.retire('admin', p.client)],
  [
    'the client’s secret is removed',
    (w, p) => w.registry.clients.removeCredential('admin', p.client, `crd_${p.client}`),
  ],
  [
    'the consent is withdrawn',
    async (w, p) => {
      for (const { id } of await consentsOf(w, p))
        await endConsent(w.db, id, 'withdrawn', p.user.id);
    },
  ],
];

const refusedBecause = (name: string): string =>
  /client/.test(name) ? '401 invalid_client' : GONE;

const ended: readonly Attack[] = stops.map(
  ([name, stop]): Attack => ({
    id: 'R8',
    name: `a refresh after ${name}`,
    refs: ['25', '37', '43'],
    legitimate: { kinds: ['refresh'], because: 'the row was there before, and serves nobody' },
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token, access_token } = await party.tokens();
      await stop(w, party);
      await w.settle();
      const tried = await party.refresh(refresh_token);
      const own = await party.refresh(refresh_token, { actor_token: 'x' });
      return [
        seen(tried),
        own.status === tried.status,
        (await w.introspect(access_token)).body.active,
      ];
    },
    // What a user gave stands when a client only changes its secret (DESIGN §4).
    expected: [refusedBecause(name), true, /secret/.test(name)],
  }),
);

const elsewhere: readonly Attack[] = [
  ...([FILES_CLIENT, SERVICE, AGENT] as const).map(
    (as): Attack => ({
      id: 'R9',
      name: `a refresh token introspected by ${as}`,
      run: async (w) => (await w.introspect((await w.ana.tokens()).refresh_token, as)).body,
      expected: { active: false },
    }),
  ),
  {
    id: 'R9',
    name: 'a refresh token introspected by its own client is no access token: no token_type, no audience to use it at',
    unaudited: SERVED,
    run: async (w) => {
      const { body } = await w.introspect((await w.ana.tokens()).refresh_token, HOST);
      return [body.token_type, body.aud];
    },
    expected: [undefined, undefined],
  },
  {
    id: 'R9',
    name: 'a refresh token as bearer',
    run: async (w) => {
      const { refresh_token } = await w.ana.tokens();
      return seen(
        await w.send('/userinfo', {
          headers: { authorization: `Bearer ${refresh_token}`, accept: 'application/json' },
        }),
      );
    },
    expected: '401 invalid_token',
  },
  ...['garbage', '', '__proto__', 'x'.repeat(40_000), '\0'].map(
    (refresh_token): Attack => ({
      id: 'R9',
      name: `${refresh_token.slice(0, 12) === '' ? 'nothing' : JSON.stringify(refresh_token.slice(0, 12))} as refresh token`,
      run: async (w) => (await w.ana.refresh(refresh_token)).status,
      expected: 400,
    }),
  ),
];

export const refresh: readonly Attack[] = [
  ...rotations,
  ...thefts,
  ...widenings,
  ...ended,
  ...elsewhere,
];
