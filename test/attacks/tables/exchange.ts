// X: token exchange; and of J, L and R what goes through it. Scope, life and reach only shrink; the
// chain of actors is the broker's to write; whoever is stopped, everything made from them stops.
import { endConsent, endGrant } from '../../../src/broker/delegation/ends.js';
import { usedEarlier } from '../../support/used-earlier.js';
import { DESKTOP, FILES, FILES_CLIENT, HOST, NOTES, SERVICE } from '../../support/world.js';
import { type Attack, SERVED, seen, tallied } from '../support/attack.js';
import {
  decodePart,
  encodePart,
  macced,
  ownKey,
  resigned,
  selfSigned,
  signed,
} from '../support/forge.js';
import type { Fields } from '../support/http.js';
import { ACCESS_TOKEN, castTeam, exchangeAs, exchanged, type Team } from '../support/team.js';
import type { AttackWorld } from '../support/world.js';

const BAD = '400 invalid_request';
const TARGET = '400 invalid_target';
const SCOPE = '400 invalid_scope';
const TYPE = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;

const teams = new WeakMap<AttackWorld, Promise<Team>>();
/** One team for everything that stops nobody. */
function teamOf(w: AttackWorld): Promise<Team> {
  const team = teams.get(w) ?? castTeam(w);
  teams.set(w, team);
  return team;
}

/** The agent asks with something changed; its token must then still be worth what it was. */
const attempt = (
  id: string,
  name: string,
  change: Fields | ((w: AttackWorld, team: Team) => Promise<Fields> | Fields),
  expected: string,
  more: { readonly refs?: readonly string[]; readonly as?: (team: Team) => string } = {},
): Attack => ({
  id,
  name,
  ...(more.refs === undefined ? {} : { refs: more.refs }),
  run: async (w) => {
    const team = await teamOf(w);
    const subject_token = await team.hers();
    const fields = typeof change === 'function' ? await change(w, team) : change;
    const as = more.as?.(team) ?? team.agent;
    const tried = await exchangeAs(w, as, { subject_token, ...fields });
    const { body } = await w.introspect(subject_token);
    return [seen(tried), body.active];
  },
  expected: [expected, true],
});

const scopes: readonly Attack[] = [
  attempt('X1', 'a scope the subject lacks', { scope: 'files:delete' }, SCOPE, { refs: ['60'] }),
  attempt('X1', 'what it has and what it lacks', { scope: 'files:read files:delete' }, SCOPE),
  attempt('X1', 'a restricted scope', { scope: 'admin:quota' }, SCOPE),
  attempt('X1', 'a scope nobody knows', { scope: 'files:fly' }, SCOPE),
  attempt('X1', 'every scope', { scope: '*' }, SCOPE),
  attempt('X1', 'a pattern of scopes', { scope: 'files:.*' }, SCOPE),
  attempt('X1', 'the beginning of a scope', { scope: 'files:' }, SCOPE),
  attempt('X1', 'a malformed scope', { scope: 'a"b' }, SCOPE),
  attempt('X1', 'a scope with a NUL', { scope: 'files:list\0' }, SCOPE),
  attempt('X1', 'an inherited name as scope', { scope: '__proto__' }, SCOPE),
  attempt('X1', 'nothing but a space', { scope: ' ' }, SCOPE),
  attempt('X1', 'an identity scope', { scope: 'openid' }, SCOPE),
  ...(['', undefined] as const).map(
    (scope): Attack => ({
      id: 'X1',
      name: `no scope (${JSON.stringify(scope)}): what the subject has, not what there is`,
      refs: ['60'],
      unaudited: SERVED,
      run: async (w) => {
        const team = await teamOf(w);
        const subject_token = await exchanged(w, team.agent, {
          subject_token: await team.hers(),
          scope: 'files:list',
        });
        const child = await exchanged(w, team.agent, { subject_token, scope });
        return decodePart(child, 1).scope;
      },
      expected: 'files:list',
    }),
  ),
];

const targets: readonly Attack[] = [
  attempt('X2', 'the agent goes somewhere else', { resource: NOTES }, TARGET, { refs: ['49'] }),
  attempt('X2', 'the same by audience', { audience: NOTES }, TARGET, { refs: ['49'] }),
  attempt('X2', 'a resource nobody knows', { resource: 'https://nowhere.example' }, TARGET),
  attempt('X2', 'two resources', { resource: [FILES, NOTES] }, TARGET, { refs: ['49'] }),
  attempt('X2', 'two audiences', { audience: [FILES, NOTES] }, TARGET),
  attempt('X2', 'a pair that disagrees', { resource: FILES, audience: NOTES }, TARGET),
  attempt('X2', 'the resource with a slash', { resource: `${FILES}/` }, TARGET, { refs: ['62'] }),
  attempt('X2', 'the resource in capitals', { resource: FILES.toUpperCase() }, TARGET),
  attempt('X2', 'the resource with a fragment', { resource: `${FILES}#x` }, TARGET),
  attempt('X2', 'the resource with a query', { resource: `${FILES}?x` }, TARGET),
  attempt('X2', 'a resource that begins like it', { resource: FILES.slice(0, -1) }, TARGET),
  attempt('X2', 'the issuer itself', (w) => ({ resource: w.issuer }), TARGET),
  attempt('X2', 'the admin API', (w) => ({ resource: `${w.issuer}/admin` }), TARGET, {
    refs: ['CVE-2026-9094'],
  }),
  attempt('X2', 'a helper takes it elsewhere', { resource: NOTES }, TARGET, {
    as: ({ helper }) => helper,
  }),
  attempt(
    'X2',
    'the file server goes where no edge leads',
    { resource: 'https://a.example' },
    TARGET,
    {
      as: () => FILES_CLIENT,
    },
  ),
  attempt('X2', 'the file server stays', {}, TARGET, { as: () => FILES_CLIENT }),
];

const foreign = (name: string, make: (w: AttackWorld, team: Team) => Promise<string> | string) => [
  attempt(
    'X4',
    `${name} as subject`,
    async (w, team) => ({ subject_token: await make(w, team) }),
    BAD,
  ),
  attempt(
    'X4',
    `${name} as subject, called a JWT`,
    async (w, team) => ({
      subject_token: await make(w, team),
      subject_token_type: TYPE('jwt'),
    }),
    BAD,
  ),
];

const subjects: readonly Attack[] = [
  ...foreign('a refresh token', async (_w, team) => (await team.tokens()).refresh_token),
  ...foreign('an ID token', async (_w, team) => (await team.tokens()).id_token ?? ''),
  ...foreign('an actor token', (w, team) => w.actorToken(team.agent)),
  ...foreign('a code', async (_w, team) => (await team.code()).code),
  ...foreign('a JWT of the attacker', async (_w, team) => selfSigned(await team.hers(), {})),
  ...foreign('an unsigned token', async (_w, team) => {
    const [, payload] = (await team.hers()).split('.');
    return `${encodePart({ alg: 'none', typ: 'at+jwt' })}.${payload}.`;
  }),
  ...foreign('a word', () => 'subject'),
  ...['id_token', 'refresh_token', 'saml1', 'saml2', 'ACCESS_TOKEN', 'access_token '].map((name) =>
    attempt('X4', `a subject called ${name}`, { subject_token_type: TYPE(name) }, BAD),
  ),
  attempt('X4', 'no subject', { subject_token: undefined }, BAD),
  attempt('X4', 'two subjects', { subject_token: ['a', 'b'] }, BAD),
  attempt('X4', 'no type', { subject_token_type: undefined }, BAD),
  ...['refresh_token', 'id_token', 'saml2', 'none'].map((name) =>
    attempt('X19', `a ${name} is asked for`, { requested_token_type: TYPE(name) }, BAD),
  ),
  attempt(
    'R9',
    'a refresh token as subject of a helper',
    async (_w, team) => ({
      subject_token: (await team.tokens()).refresh_token,
    }),
    BAD,
    { as: ({ helper }) => helper },
  ),
  attempt(
    'X13',
    'a subject of 40 kB',
    async (_w, team) => ({
      subject_token: (await team.hers()) + 'A'.repeat(40_000),
    }),
    BAD,
  ),
  attempt(
    'X13',
    'a subject with ten thousand actors, under the broker’s key',
    async (w, team) => {
      let act: unknown = { sub: 'agt_x', iss: w.issuer };
      for (let n = 0; n < 200; n += 1) act = { sub: 'agt_x', iss: w.issuer, act };
      return { subject_token: await resigned(w, await team.hers(), { claims: { act } }) };
    },
    BAD,
  ),
];

/** Somebody of their own is stopped; the agent's and the helper's tokens are then worth nothing. */
const stopped = (
  id: string,
  name: string,
  stop: (w: AttackWorld, team: Team, token: string) => Promise<unknown>,
  refs: readonly string[] = [],
  expected: readonly [string, string] = [BAD, BAD],
): Attack => ({
  id,
  name: `${name}: neither it nor what was made of it can be exchanged or used`,
  refs,
  run: async (w) => {
    const team = await castTeam(w);
    const hers = await team.hers();
    const taken = await exchanged(w, team.helper, { subject_token: hers });
    const noted = await exchanged(w, FILES_CLIENT, { subject_token: taken, resource: NOTES });
    await w.honestly(() => stop(w, team, hers));
    const tried = [
      await exchangeAs(w, team.helper, { subject_token: hers }),
      await exchangeAs(w, team.helper, { subject_token: taken }),
      await exchangeAs(w, FILES_CLIENT, { subject_token: taken, resource: NOTES }),
      await exchangeAs(w, FILES_CLIENT, { subject_token: noted }),
    ];
    const told = [hers, taken, noted].map(async (token) => [
      (await w.introspect(token)).body,
      (await w.introspect(token, FILES_CLIENT)).body.active,
    ]);
    return [tried.map(seen), await Promise.all(told)];
  },
  expected: [
    [expected[0], expected[1], BAD, BAD],
    Array.from({ length: 3 }, () => [{ active: false }, false]),
  ],
});

const lineage = (token: string): string[] => String(decodePart(token, 1).jti).split('.');
const agentStatus =
  (status: 'paused' | 'blocked') =>
  (w: AttackWorld, { agent }: Team) =>
    w.registry.agents.setStatus('cli', agent, { status, reason: 'an attack' });

const stops: readonly Attack[] = [
  stopped(
    'X5',
    'the subject token is given back',
    (w, { client }, token) => w.post('/revoke', { token }, client),
    ['16'],
  ),
  stopped('X5', 'the grant ends', (w, _team, token) =>
    endGrant(w.db, lineage(token)[1] ?? '', 'test', 'admin'),
  ),
  stopped(
    'X17',
    'the consent is withdrawn',
    (w, _team, token) => endConsent(w.db, lineage(token)[0] ?? '', 'test', 'admin'),
    ['R8'],
  ),
  stopped(
    'L2',
    'the user is disabled',
    (w, { user }) => w.registry.users.disable('cli', user.id, 'left'),
    ['43'],
  ),
  stopped('L1', 'the agent is blocked', agentStatus('blocked'), ['25', '37']),
  stopped('L1', 'the agent is paused', agentStatus('paused'), ['25']),
  stopped('L1', 'the agent is retired', (w, { agent }) => w.registry.agents.retire('cli', agent)),
  stopped('L4', 'the client is retired', (w, { client }) =>
    w.registry.clients.retire('cli', client),
  ),
  stopped(
    'L1',
    'the agent’s and the helper’s secrets are removed with the agent blocked',
    async (w, team) => {
      await agentStatus('blocked')(w, team);
      await w.registry.agents.removeCredential('cli', team.helper, `crd_${team.helper}`);
    },
    [],
    ['401 invalid_client', '401 invalid_client'],
  ),
  {
    id: 'R1',
    name: 'a refresh token comes twice: what was exchanged under its grant is dead too',
    refs: ['1', '46'],
    run: async (w) => {
      const team = await castTeam(w);
      const first = await team.tokens();
      const taken = await exchanged(w, team.helper, { subject_token: first.access_token });
      await w.honestly(() => team.refresh(first.refresh_token));
      await usedEarlier(w.db, first, 61);
      return [
        seen(await team.refresh(first.refresh_token)),
        (await w.introspect(taken)).body.active,
        seen(await exchangeAs(w, team.helper, { subject_token: taken })),
      ];
    },
    expected: ['400 invalid_grant', false, BAD],
  },
  {
    id: 'X5',
    name: 'the subject token has expired',
    run: async (w) => {
      const team = await teamOf(w);
      const subject_token = await team.hers();
      await w.setClock(301);
      const late = await exchangeAs(w, team.agent, { subject_token });
      await w.setClock(0);
      return seen(late);
    },
    expected: BAD,
  },
  {
    id: 'X5',
    name: 'the grant has run out, the token has not',
    run: async (w) => {
      const team = await castTeam(w);
      const subject_token = await team.hers();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() - interval '1 second' where user_id = $1`,
        [team.user.id],
      );
      return seen(await exchangeAs(w, team.agent, { subject_token }));
    },
    expected: BAD,
    legitimate: { kinds: ['refresh'], because: 'it was there before, and serves nobody' },
  },
  {
    id: 'L6',
    name: 'a helper’s token is revoked by whom it was not given to: it lives',
    run: async (w) => {
      const team = await teamOf(w);
      const taken = await exchanged(w, team.helper, { subject_token: await team.hers() });
      const tried = [team.client, team.agent, team.loner, SERVICE].map((as) =>
        w.post('/revoke', { token: taken }, as),
      );
      const statuses = (await Promise.all(tried)).map(({ status }) => status);
      return [statuses, (await w.introspect(taken)).body.active];
    },
    expected: [[200, 200, 200, 200], true],
  },
  {
    id: 'X21',
    name: 'the agent loses its right: refused alike by exchange, refresh and on its own',
    refs: ['14', '19'],
    run: async (w) => {
      const team = await castTeam(w);
      const { access_token, refresh_token } = await team.tokens();
      await w.honestly(() => w.registry.permissions.remove('cli', team.agent, FILES));
      return [
        seen(await exchangeAs(w, team.agent, { subject_token: access_token })),
        seen(await exchangeAs(w, team.helper, { subject_token: access_token })),
        seen(await team.refresh(refresh_token)),
        seen(
          await w.token(team.agent, {
            grant_type: 'client_credentials',
            resource: FILES,
            scope: 'files:read',
          }),
        ),
      ];
    },
    expected: [BAD, BAD, '400 invalid_grant', SCOPE],
  },
];

const actors: readonly Attack[] = [
  attempt('X8', 'an actor token without its type', { actor_token: 'x.y.z' }, BAD),
  attempt('X8', 'a type without an actor token', { actor_token_type: ACCESS_TOKEN }, BAD),
  attempt(
    'X8',
    'an actor token of a strange type',
    {
      actor_token: 'x.y.z',
      actor_token_type: TYPE('id_token'),
    },
    BAD,
  ),
  attempt('X14', 'an app exchanges and nobody acts', {}, BAD, { as: ({ client }) => client }),
  {
    id: 'X14',
    name: 'a user’s token without any agent: nobody takes it over, and nobody becomes the user',
    run: async (w) => {
      const team = await teamOf(w);
      const party = await w.cast({ agent: false });
      const { access_token: subject_token } = await party.tokens();
      const callers = [party.client, team.agent, team.helper, SERVICE];
      return (await Promise.all(callers.map((as) => exchangeAs(w, as, { subject_token })))).map(
        seen,
      );
    },
    expected: [BAD, BAD, BAD, BAD],
  },
  attempt('X9', 'another agent takes it, with no edge', {}, BAD, { as: ({ loner }) => loner }),
  attempt(
    'X9',
    'the app presents it with the actor token of an agent that has no edge',
    async (w, { loner }) => ({
      actor_token: await w.actorToken(loner),
      actor_token_type: ACCESS_TOKEN,
    }),
    BAD,
    { as: ({ client }) => client },
  ),
  attempt(
    'X9',
    'a foreign app presents it with the helper’s actor token',
    async (w, { helper }) => ({
      actor_token: await w.actorToken(helper),
      actor_token_type: ACCESS_TOKEN,
    }),
    BAD,
    { as: () => HOST },
  ),
  attempt(
    'X9',
    'the subject token as its own actor token',
    async (_w, team) => ({ actor_token: await team.hers(), actor_token_type: ACCESS_TOKEN }),
    BAD,
  ),
  {
    id: 'X9',
    name: 'an actor token is used twice',
    run: async (w) => {
      const team = await teamOf(w);
      const proof = {
        actor_token: await w.actorToken(team.agent),
        actor_token_type: ACCESS_TOKEN,
      };
      await exchanged(w, team.client, { subject_token: await team.hers(), ...proof });
      const again = { subject_token: await team.hers(), ...proof };
      return seen(await exchangeAs(w, team.client, again));
    },
    expected: BAD,
  },
  ...(
    [
      ['a service', () => SERVICE],
      ['another app', () => HOST],
      ['the server of nothing', ({ loner }) => loner],
    ] satisfies ReadonlyArray<readonly [string, (team: Team) => string]>
  ).map(([name, as]) =>
    attempt('X10', `${name} that is neither audience nor actor`, {}, BAD, { as }),
  ),
  {
    id: 'X6',
    name: 'somebody else’s team: its agent, helper and app, with and without proof',
    refs: ['15', '32'],
    run: async (w) => {
      const [mine, theirs] = [await teamOf(w), await castTeam(w)];
      const subject_token = await mine.hers();
      const proof = {
        actor_token: await w.actorToken(theirs.agent),
        actor_token_type: ACCESS_TOKEN,
      };
      const tried = [
        await exchangeAs(w, theirs.agent, { subject_token }),
        await exchangeAs(w, theirs.helper, { subject_token }),
        await exchangeAs(w, theirs.client, { subject_token }),
        await exchangeAs(w, theirs.client, { subject_token, ...proof }),
        await exchangeAs(w, theirs.agent, { subject_token, requested_actor: theirs.helper }),
      ];
      return tried.map(seen);
    },
    expected: [BAD, BAD, BAD, BAD, BAD],
  },
  attempt(
    'X11',
    'it hands the work to itself',
    (_w, { agent }) => ({ requested_actor: agent }),
    BAD,
  ),
  attempt('X11', 'it hands the work to nobody', { requested_actor: 'agt_nobody' }, BAD),
  attempt(
    'X11',
    'it hands the work to the user',
    (_w, { user }) => ({ requested_actor: user.id }),
    BAD,
  ),
  attempt(
    'X11',
    'it hands the work to who has no edge',
    (_w, { loner }) => ({ requested_actor: loner }),
    BAD,
  ),
  {
    id: 'X11',
    name: 'the agent takes its work back from its helper: a loop',
    refs: ['81'],
    run: async (w) => {
      const team = await teamOf(w);
      const taken = await exchanged(w, team.helper, { subject_token: await team.hers() });
      return [
        seen(await exchangeAs(w, team.agent, { subject_token: taken })),
        seen(
          await exchangeAs(w, team.helper, { subject_token: taken, requested_actor: team.agent }),
        ),
      ];
    },
    expected: [BAD, BAD],
  },
  {
    id: 'X11',
    name: 'an agent goes on and on: the path has an end',
    run: async (w) => {
      const team = await teamOf(w);
      let token = await team.hers();
      for (let n = 0; n < 13; n += 1)
        token = await exchanged(w, team.agent, { subject_token: token });
      return seen(await exchangeAs(w, team.agent, { subject_token: token }));
    },
    expected: BAD,
  },
  attempt('X20', 'a public client', { client_id: DESKTOP }, '400 unauthorized_client', {
    as: () => DESKTOP,
  }),
  attempt('X20', 'a wrong secret', { client_id: 'agt_unknown' }, '401 invalid_client', {
    as: () => 'agt_unknown',
  }),
];

const written: readonly Attack[] = [
  ...(
    ['act', 'may_act', 'actor', 'sub', 'claims', 'agent_scope', 'actor_proof', 'via'] as const
  ).map(
    (name): Attack => ({
      id: 'X7',
      name: `the request says what ${name} is to be: the token says what it is`,
      refs: ['31'],
      unaudited: SERVED,
      run: async (w) => {
        const team = await teamOf(w);
        const subject_token = await team.hers();
        const evil = JSON.stringify({ sub: team.loner, iss: w.issuer });
        const child = await exchanged(w, team.agent, { subject_token, [name]: evil });
        const [before, after] = [decodePart(subject_token, 1), decodePart(child, 1)];
        return ['sub', 'act', 'agent_scope', 'may_act', 'claims', 'actor'].every(
          (one) => JSON.stringify(before[one]) === JSON.stringify(after[one]),
        );
      },
      expected: true,
    }),
  ),
  {
    id: 'X3',
    name: 'ten hops: none ends later than the one before',
    unaudited: SERVED,
    run: async (w) => {
      const team = await teamOf(w);
      const ends: number[] = [];
      for (let n = 0, token = await team.hers(); n < 10; n += 1) {
        ends.push(Number(decodePart(token, 1).exp));
        token = await exchanged(w, team.agent, { subject_token: token });
      }
      return ends.every((end) => end <= (ends[0] ?? 0));
    },
    expected: true,
  },
  {
    id: 'X3',
    name: 'a subject that ends with its grant: what is made of it ends then too',
    unaudited: SERVED,
    run: async (w) => {
      const team = await castTeam(w);
      const subject_token = await team.hers();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() + interval '20 seconds' where user_id = $1`,
        [team.user.id],
      );
      const { exp } = decodePart(await exchanged(w, team.helper, { subject_token }), 1);
      const [row] = await w.db.run<{ ends: number }>(
        'select extract(epoch from expires_at)::float8 as ends from grants where user_id = $1',
        [team.user.id],
      );
      return Number(exp) <= Number(row?.ends);
    },
    expected: true,
  },
  {
    id: 'X18',
    name: 'a higher acr and a fresher sign-in are asked for: both are copied',
    unaudited: SERVED,
    run: async (w) => {
      const team = await teamOf(w);
      const subject_token = await team.hers();
      const child = await exchanged(w, team.agent, {
        subject_token,
        acr: 'urn:highest',
        acr_values: 'urn:highest',
        auth_time: '9999999999',
        max_age: '0',
      });
      const [before, after] = [decodePart(subject_token, 1), decodePart(child, 1)];
      return [before.acr === after.acr, before.auth_time === after.auth_time];
    },
    expected: [true, true],
  },
  {
    id: 'X12',
    name: 'a helper’s token with another chain, under the attacker’s key and the broker’s own',
    run: async (w) => {
      const team = await teamOf(w);
      const taken = await exchanged(w, team.helper, { subject_token: await team.hers() });
      const { act } = decodePart(taken, 1) as { act: { act: object } };
      const swapped = { claims: { act: act.act } };
      const renamed = { claims: { act: { ...act, sub: team.loner } } };
      const tried = [
        selfSigned(taken, swapped),
        await resigned(w, taken, swapped),
        await resigned(w, taken, renamed),
        await resigned(w, taken, { claims: { act: undefined } }),
        await resigned(w, taken, { claims: { act: { ...act, act: undefined } } }),
        await resigned(w, taken, { claims: { via: undefined } }),
      ];
      const exchanges = await Promise.all(
        tried.map(async (subject_token) =>
          seen(await exchangeAs(w, team.helper, { subject_token })),
        ),
      );
      const looks = tried.map(async (token) => (await w.introspect(token)).body);
      return [exchanges, await Promise.all(looks), (await w.introspect(taken)).body.active];
    },
    expected: [Array(6).fill(BAD), Array(6).fill({ active: false }), true],
  },
];

/** Under the broker's own key, as somebody would who stole it: of a hand-off that was recorded. */
const redirected: readonly Attack[] = [
  {
    id: 'X12',
    name: 'a hand-off for another helper, for another place, and for nobody: by the thief of the key',
    refs: ['31'],
    run: async (w) => {
      const team = await teamOf(w);
      const handOff = async (subject_token: string) =>
        exchanged(w, team.agent, { subject_token, requested_actor: team.helper });
      const hers = await handOff(await team.hers());
      const asked = { grant_type: 'client_credentials', resource: FILES };
      const own = await w.honestly(() => w.token(team.agent, asked));
      const its = await handOff(own.body.access_token);
      const may_act = { sub: team.loner, iss: w.issuer };
      const bare = { may_act: undefined, hand_off: undefined };
      const tried = [
        [team.loner, await resigned(w, hers, { claims: { may_act } })],
        [team.helper, await resigned(w, hers, { claims: { hand_off: NOTES } })],
        [team.helper, await resigned(w, hers, { claims: bare })],
      ] as const;
      const answers = [];
      for (const [as, subject_token] of tried)
        answers.push(seen(await exchangeAs(w, as, { subject_token })));
      // Without its helper, an agent's hand-off would be a proof of that agent.
      const actor_token = await resigned(w, its, { claims: bare });
      const code = await w.honestly(() => team.code());
      answers.push(seen(await team.redeem(code, { actor_token })));
      return answers;
    },
    expected: [BAD, BAD, BAD, '400 invalid_grant'],
    legitimate: { kinds: ['code', 'token'], because: 'the honest code was not spent on it' },
    neighbour: async (w) => {
      const team = await teamOf(w);
      const subject_token = await exchanged(w, team.agent, {
        subject_token: await team.hers(),
        requested_actor: team.helper,
      });
      return exchangeAs(w, team.helper, { subject_token });
    },
  },
];

const dpopProof = (w: AttackWorld, key: ReturnType<typeof ownKey>): string => {
  const { d: _private, ...jwk } = key.export({ format: 'jwk' });
  const header = { alg: 'ES256', typ: 'dpop+jwt', jwk };
  const iat = Math.floor(Date.now() / 1000);
  return signed(
    header,
    { htm: 'POST', htu: `${w.issuer}/token`, iat, jti: crypto.randomUUID() },
    key,
  );
};

const bound: Attack = {
  id: 'X15',
  name: 'a bound token is exchanged without its key, and with another',
  run: async (w) => {
    const team = await teamOf(w);
    const key = ownKey();
    const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
    const { body } = await w.honestly(() =>
      w.post('/token', fields, team.agent, { dpop: dpopProof(w, key) }),
    );
    const subject_token = body.access_token;
    return [
      seen(await exchangeAs(w, team.agent, { subject_token })),
      seen(await exchangeAs(w, team.agent, { subject_token }, { dpop: dpopProof(w, ownKey()) })),
      seen(await exchangeAs(w, team.helper, { subject_token })),
    ];
  },
  expected: [BAD, BAD, BAD],
};

const AT_ONCE = 20;
const races: readonly Attack[] = [
  {
    id: 'X16',
    name: 'twenty exchanges of one token at once: twenty ids, none twice',
    refs: ['81'],
    unaudited: SERVED,
    run: async (w) => {
      const team = await teamOf(w);
      const subject_token = await team.hers();
      const answers = await w.honestly(() =>
        Promise.all(
          Array.from({ length: AT_ONCE }, () => exchangeAs(w, team.agent, { subject_token })),
        ),
      );
      const ids = answers.map(({ body }) => decodePart(body.access_token, 1).jti);
      return new Set(ids).size;
    },
    expected: AT_ONCE,
  },
  {
    id: 'X16',
    name: 'twenty take-ups of one hand-off at once: exactly one',
    refs: ['57'],
    run: async (w) => {
      const team = await teamOf(w);
      const subject_token = await exchanged(w, team.agent, {
        subject_token: await team.hers(),
        requested_actor: team.helper,
      });
      const answers = await w.honestly(() =>
        Promise.all(
          Array.from({ length: AT_ONCE }, () => exchangeAs(w, team.helper, { subject_token })),
        ),
      );
      const late = await exchangeAs(w, team.helper, { subject_token });
      return [tallied(answers.map(seen)), seen(late)];
    },
    expected: [{ '200 json': 1, [BAD]: AT_ONCE - 1 }, BAD],
  },
  {
    id: 'X22',
    name: 'twenty exchanges while the subject is revoked: none lives after the answer',
    run: async (w) => {
      const team = await teamOf(w);
      const subject_token = await team.hers();
      const racing = Array.from({ length: AT_ONCE }, () =>
        exchangeAs(w, team.helper, { subject_token }),
      );
      const { status } = await w.post('/revoke', { token: subject_token }, team.client);
      const won = (await Promise.all(racing)).filter((answer) => answer.status === 200);
      const alive = await Promise.all(
        won.map(async ({ body }) => (await w.introspect(body.access_token)).body.active),
      );
      const late = await exchangeAs(w, team.helper, { subject_token });
      return [status, alive.includes(true), seen(late)];
    },
    expected: [200, false, BAD],
  },
  {
    id: 'X17',
    name: 'four deep and many wide: the first token is revoked, and everything under it is dead',
    run: async (w) => {
      const team = await castTeam(w);
      const root = await team.hers();
      const made = [root];
      for (let wide = 0; wide < 10; wide += 1) {
        let token = root;
        for (let deep = 0; deep < 4; deep += 1) {
          token = await exchanged(w, team.helper, {
            subject_token: token,
          });
          made.push(token);
        }
      }
      await w.honestly(() => w.post('/revoke', { token: root }, team.client));
      const alive = made.map(async (token) => (await w.introspect(token)).body.active);
      const last = made.at(-1) ?? '';
      return [
        (await Promise.all(alive)).filter((active) => active !== false).length,
        seen(await exchangeAs(w, team.helper, { subject_token: last })),
      ];
    },
    expected: [0, BAD],
  },
];

/** A good token, made into something else: in the subject's place, and in the actor's. */
const forged: ReadonlyArray<
  readonly [string, string, (w: AttackWorld, token: string) => Promise<string> | string]
> = [
  [
    'J1',
    'alg none',
    (_w, t) => `${encodePart({ ...decodePart(t, 0), alg: 'none' })}.${t.split('.')[1]}.`,
  ],
  [
    'J1',
    'alg nOnE and a signature',
    (_w, t) =>
      `${encodePart({ ...decodePart(t, 0), alg: 'nOnE' })}.${t.split('.').slice(1).join('.')}`,
  ],
  ['J2', 'HS256 with the public key as PEM', (w, t) => macced(w, t, 'pem')],
  ['J2', 'HS256 with the public key as JWK', (w, t) => macced(w, t, 'jwk')],
  ['J3', 'ES384 over an ES256 key', (_w, t) => selfSigned(t, { header: { alg: 'ES384' } })],
  [
    'J4',
    'a kid that leads elsewhere',
    (_w, t) => selfSigned(t, { header: { kid: '../../etc/passwd' } }),
  ],
  ['J4', 'a kid that is SQL', (_w, t) => selfSigned(t, { header: { kid: "' or 1=1 --" } })],
  ['J5', 'a key of its own in the header', (_w, t) => selfSigned(t, { header: { jwk: {} } })],
  ['J5', 'a jku', (_w, t) => selfSigned(t, { header: { jku: 'https://evil.example/jwks' } })],
  [
    'J7',
    'a typ of JWT under the broker’s key',
    (w, t) => resigned(w, t, { header: { typ: 'JWT' } }),
  ],
  [
    'J7',
    'a typ of an ID token’s kind',
    (w, t) => resigned(w, t, { header: { typ: 'logout+jwt' } }),
  ],
  ['J8', 'padding', (_w, t) => `${t}=`],
  ['J8', 'a line break', (_w, t) => `${t}\n`],
  ['J8', 'a fourth part', (_w, t) => `${t}.x`],
  [
    'J11',
    'an exp of a year, under the broker’s key',
    (w, t) => resigned(w, t, { claims: { exp: Math.floor(Date.now() / 1000) + 31_536_000 } }),
  ],
  ['J11', 'an exp that is text', (w, t) => resigned(w, t, { claims: { exp: '9999999999' } })],
  ['J11', 'an nbf', (w, t) => resigned(w, t, { claims: { nbf: 1 } })],
  ['J12', 'two audiences', (w, t) => resigned(w, t, { claims: { aud: [FILES, NOTES] } })],
  [
    'J12',
    'an issuer with a slash: none but ours (TX22)',
    (w, t) => resigned(w, t, { claims: { iss: `${w.issuer}/` } }),
  ],
  [
    'J12',
    'more scope, under the broker’s key',
    (w, t) =>
      resigned(w, t, {
        claims: { scope: 'files:delete files:list', agent_scope: 'files:delete files:list' },
      }),
  ],
  [
    'J12',
    'another subject, under the broker’s key',
    (w, t) => resigned(w, t, { claims: { sub: 'usr_ben' } }),
  ],
];

const jose: readonly Attack[] = forged.flatMap(([id, name, make]) => [
  attempt(
    id,
    `the subject has ${name}`,
    async (w, team) => ({
      subject_token: await make(w, await team.hers()),
    }),
    BAD,
  ),
  attempt(
    id,
    `the actor token has ${name}`,
    async (w, team) => ({
      actor_token: await make(w, await w.actorToken(team.agent)),
      actor_token_type: ACCESS_TOKEN,
    }),
    BAD,
  ),
]);

export const exchange: readonly Attack[] = [
  ...scopes,
  ...targets,
  ...subjects,
  ...stops,
  ...actors,
  ...written,
  ...redirected,
  bound,
  ...races,
  ...jose,
];
