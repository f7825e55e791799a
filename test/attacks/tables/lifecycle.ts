// L: whoever is stopped, everything that hangs on them stops, at every step of every flow.
import { FILES, FILES_CLIENT, HOST, OTHER_AGENT, SERVICE } from '../../support/world.js';
import { ANSWERED, type Attack, SERVED, seen } from '../support/attack.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';
import { stops } from './refresh.js';

const GONE = '400 invalid_grant';
const idOf = (name: string): string =>
  /user|password/.test(name)
    ? 'L2'
    : /client/.test(name)
      ? 'L4'
      : /consent/.test(name)
        ? 'L7'
        : 'L1';
const stopsClient = (name: string): boolean => /client/.test(name);

/** Where a flow can be when somebody is stopped. */
const atIntrospection: readonly Attack[] = stops.map(([name, stop]) => ({
  id: idOf(name),
  name: `${name}: a delegated token is dead at introspection by the next request`,
  refs: ['16', '25'],
  unaudited: ANSWERED,
  legitimate: { kinds: ['refresh'], because: 'the row was there before, and serves nobody' },
  run: async (w) => {
    const party = await w.cast();
    const { access_token } = await party.tokens();
    const before = (await w.introspect(access_token)).body.active;
    await stop(w, party);
    return [before, (await w.introspect(access_token)).body.active];
  },
  expected: [true, /secret/.test(name)],
}));

const atRedemption: readonly Attack[] = stops.map(([name, stop]) => ({
  id: idOf(name),
  name: `${name} between consent and redemption`,
  refs: ['25', '41'],
  legitimate: { kinds: ['code'], because: 'the row was there before, and serves nobody' },
  run: async (w) => {
    const party = await w.cast();
    const code = await party.code();
    const fields = await party.redemption(code);
    await stop(w, party);
    await w.settle();
    return seen(await w.token(party.client, fields));
  },
  expected: stopsClient(name) ? '401 invalid_client' : GONE,
}));

/** Unblocking says that the agent may act again, under what its users decided. */
const REVIVED = 'the operator unblocked the agent, and the consent is the user’s';
const isRevived = (name: string): boolean => /blocked and unblocked/.test(name);

/** Between the consent page and its form. */
const atDecision: readonly Attack[] = stops
  .filter(([name]) => !/consent|secret/.test(name))
  .map(([name, stop]) => ({
    id: idOf(name),
    name: isRevived(name)
      ? `${name} between the consent page and its form: what is allowed afterwards counts`
      : `${name} between the consent page and its form: nothing is granted`,
    refs: ['38'],
    ...(isRevived(name)
      ? {
          unaudited: SERVED,
          legitimate: { kinds: ['grant', 'consent', 'session', 'code'] as const, because: REVIVED },
        }
      : {
          legitimate: {
            kinds: ['session'] as const,
            because: 'the browser of the honest page before',
          },
        }),
    ...(/enabled|password|user is/.test(name)
      ? { unaudited: 'the form is not refused: its sender is asked to sign in again' }
      : {}),
    run: async (w) => {
      const party = await w.cast();
      const { form } = await page(w, party);
      await stop(w, party);
      await w.settle();
      const { answer } = await party.browser.follow(
        await party.browser.post(form.action, allow(form)),
      );
      return /[?&]code=/.test(answer.headers.location ?? '') ? 'a code' : 'no code';
    },
    expected: isRevived(name) ? 'a code' : 'no code',
  }));

async function page(w: AttackWorld, party: Party) {
  return w.honestly(async () => {
    const url = party.url({ prompt: 'consent' });
    const { form } = await w.consentPage(party.browser, url, party.user);
    return { form };
  });
}
const allow = (form: { fields: URLSearchParams }) => ({
  shown: form.fields.get('shown') ?? '',
  scope: form.fields.getAll('scope'),
  decision: 'allow',
});

/** A browser that was signed in before: in silence, with prompt=none. */
const inSilence: readonly Attack[] = stops
  .filter(([name]) => !/secret/.test(name))
  .map(([name, stop]) => ({
    id: idOf(name),
    ...(isRevived(name)
      ? { unaudited: SERVED, legitimate: { kinds: ['grant', 'code'] as const, because: REVIVED } }
      : {}),
    name: `${name}: a browser that was signed in gets no code in silence`,
    refs: ['25', '26'],
    run: async (w) => {
      const party = await w.cast();
      await stop(w, party);
      const { headers } = await party.browser.get(party.url({ prompt: 'none' }));
      return /[?&]code=/.test(headers.location ?? '');
    },
    expected: isRevived(name),
  }));

const pushed: readonly Attack[] = stops
  .filter(([name]) => !/secret|consent/.test(name))
  .map(([name, stop]) => ({
    id: idOf(name),
    ...(isRevived(name)
      ? { unaudited: SERVED, legitimate: { kinds: ['grant', 'code'] as const, because: REVIVED } }
      : {}),
    name: `${name} between a push and its use`,
    run: async (w) => {
      const party = await w.cast();
      const { body } = await w.post(
        '/par',
        party.query('c'.repeat(43), { prompt: 'none' }),
        party.client,
      );
      await stop(w, party);
      const { headers } = await party.browser.get(
        `/authorize?${w.encode({ client_id: party.client, request_uri: body.request_uri })}`,
      );
      return /[?&]code=/.test(headers.location ?? '');
    },
    expected: isRevived(name),
  }));

const own: readonly Attack[] = [
  ...(
    [
      ['blocked', (w: AttackWorld, id: string) => w.registry.agents.block('admin', id, 'x')],
      ['retired', (w: AttackWorld, id: string) => w.registry.agents.retire('admin', id)],
      [
        'paused',
        (w: AttackWorld, id: string) =>
          w.registry.agents.setStatus('admin', id, { status: 'paused', reason: 'x' }),
      ],
      [
        'paused and resumed',
        async (w: AttackWorld, id: string) => {
          await w.registry.agents.setStatus('admin', id, { status: 'paused', reason: 'x' });
          await w.registry.agents.setStatus('admin', id, { status: 'active' });
        },
      ],
      [
        'without its secret',
        (w: AttackWorld, id: string) =>
          w.registry.agents.removeCredential('admin', id, `crd_${id}`),
      ],
      [
        'blocked and unblocked',
        async (w: AttackWorld, id: string) => {
          await w.registry.agents.block('admin', id, 'x');
          await w.registry.agents.unblock('admin', id);
        },
      ],
    ] as const
  ).flatMap(([name, stop]): Attack[] => [
    {
      id: 'L1',
      name: `an agent ${name}: its own token is dead at introspection`,
      refs: ['25', '37'],
      unaudited: ANSWERED,
      run: async (w) => {
        const { agent } = await w.cast();
        const { body } = await w.honestly(() =>
          w.token(agent, { grant_type: 'client_credentials', resource: FILES }),
        );
        await stop(w, agent);
        return (await w.introspect(body.access_token)).body;
      },
      expected: { active: false },
    },
    {
      id: 'L1',
      name: `an agent ${name}: an actor token it got before proves nothing`,
      refs: ['25', '37'],
      legitimate: { kinds: ['code'], because: 'the row was there before' },
      run: async (w) => {
        const party = await w.cast();
        const [code, actor_token] = [await party.code(), await party.actorToken()];
        await stop(w, party.agent);
        await w.settle();
        return seen(await party.redeem(code, { actor_token }));
      },
      expected: GONE,
    },
    ...(/ and /.test(name)
      ? []
      : [
          {
            id: 'L1',
            name: `an agent ${name} asks for a token`,
            refs: ['25', '37'],
            run: async (w: AttackWorld) => {
              const { agent } = await w.cast();
              await stop(w, agent);
              await w.settle();
              return seen(
                await w.token(agent, { grant_type: 'client_credentials', resource: FILES }),
              );
            },
            expected: '401 invalid_client',
          },
        ]),
  ]),
  {
    id: 'L2',
    name: 'a disabled user signs in',
    run: async (w) => {
      const party = await w.cast();
      await w.registry.users.disable('admin', party.user.id, 'test');
      const browser = w.browser();
      const { answer, url } = await browser.open(party.url());
      const form = w.form(answer, '/sign-in', url);
      return seen(
        await browser.post(form.action, {
          ...Object.fromEntries(form.fields),
          email: party.user.email,
          password: party.user.password,
        }),
      );
    },
    expected: '403 page sign-in',
  },
  {
    id: 'L3',
    name: 'an address moves to another user, who inherits nothing',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      await w.registry.users.retire('admin', party.user.id);
      const { id } = await w.registry.users.create('admin', {
        email: party.user.email,
        name: 'New',
        password: party.user.password,
      } as never);
      const browser = w.browser();
      const opened = await w.honestly(() =>
        w.consentPage(browser, party.url(), { ...party.user, id }),
      );
      return [id !== party.user.id, seen(opened.answer)];
    },
    expected: [true, '200 page decision'],
  },
  ...(['userinfo', 'introspection'] as const).flatMap((place) =>
    (
      [
        [
          'the user is disabled',
          (w: AttackWorld, p: Party) => w.registry.users.disable('admin', p.user.id, 'test'),
        ],
        [
          'the user’s password is changed',
          (w: AttackWorld, p: Party) =>
            w.registry.users.patch('admin', p.user.id, { password: 'a new and longer password' }),
        ],
        [
          'the client is retired',
          (w: AttackWorld, p: Party) => w.registry.clients.retire('admin', p.client),
        ],
      ] as const
    )
      .filter(([name]) => !(place === 'introspection' && /client/.test(name)))
      .map(
        ([name, stop]): Attack => ({
          id: idOf(name),
          name: `${name}: an opaque token for userinfo is dead at ${place}`,
          ...(place === 'introspection' ? { unaudited: ANSWERED } : {}),
          legitimate: { kinds: ['refresh'], because: 'the row was there before' },
          run: async (w) => {
            const party = await w.cast({ agent: false, scope: 'openid profile' });
            const code = await party
              .code({ resource: undefined, scope: 'openid profile', prompt: undefined })
              .catch(() => party.consent({ resource: undefined, scope: 'openid profile' }));
            const { access_token } = await party.tokens(code);
            const bearer = { authorization: `Bearer ${access_token}`, accept: 'application/json' };
            const before = await w.honestly(() => w.send('/userinfo', { headers: bearer }));
            await stop(w, party);
            await w.settle();
            if (place === 'userinfo')
              return [before.status, (await w.send('/userinfo', { headers: bearer })).status];
            return [before.status, (await w.introspect(access_token, party.client)).body];
          },
          expected: [200, place === 'userinfo' ? 401 : { active: false }],
        }),
      ),
  ),
  ...(
    [
      [
        'the user is disabled',
        (w: AttackWorld, p: Party) => w.registry.users.disable('admin', p.user.id, 'test'),
      ],
      [
        'the agent is blocked',
        (w: AttackWorld, p: Party) => w.registry.agents.block('admin', p.agent, 'x'),
      ],
      [
        'the user’s password is changed',
        (w: AttackWorld, p: Party) =>
          w.registry.users.patch('admin', p.user.id, { password: 'a new and longer password' }),
      ],
    ] as const
  ).map(
    ([name, stop]): Attack => ({
      id: idOf(name),
      name: `${name}: a refresh token is dead at introspection too`,
      unaudited: ANSWERED,
      legitimate: { kinds: ['refresh'], because: 'the row was there before' },
      run: async (w) => {
        const party = await w.cast();
        const { refresh_token } = await party.tokens();
        await stop(w, party);
        await w.settle();
        return (await w.introspect(refresh_token, party.client)).body;
      },
      expected: { active: false },
    }),
  ),
];

const revocations: readonly Attack[] = [
  ...([FILES_CLIENT, OTHER_AGENT, SERVICE, 'cli_desktop'] as const).flatMap((as): Attack[] =>
    (['access_token', 'refresh_token'] as const).map((kind) => ({
      id: 'L6',
      name: `${as} revokes Ana’s ${kind}: 200, and nothing happens`,
      refs: ['60'],
      run: async (w) => {
        const tokens = await w.ana.tokens();
        const { status } = await w.post('/revoke', { token: tokens[kind] }, as);
        return [
          status,
          (await w.introspect(tokens.access_token)).body.active,
          seen(await w.honestly(() => w.ana.refresh(tokens.refresh_token))),
        ];
      },
      expected: [200, true, '200 json'],
    })),
  ),
  {
    id: 'L6',
    name: 'an agent revokes another agent’s actor token: nothing happens',
    refs: ['60'],
    run: async (w) => {
      const party = await w.cast();
      const actor_token = await party.actorToken();
      const { status } = await w.post('/revoke', { token: actor_token }, OTHER_AGENT);
      const code = await party.code();
      return [status, seen(await w.honestly(() => party.redeem(code, { actor_token })))];
    },
    expected: [200, '200 json'],
  },
  {
    id: 'L6',
    name: 'a revocation without authentication',
    run: async (w) => {
      const { access_token } = await w.ana.tokens();
      const tried = await w.post('/revoke', { token: access_token });
      return [seen(tried), (await w.introspect(access_token)).body.active];
    },
    expected: ['400 invalid_request', true],
  },
  ...(['garbage', '', 'a.b.c', '__proto__', '\0'] as const).map(
    (token): Attack => ({
      id: 'L6',
      name: `revoking ${JSON.stringify(token)}`,
      unaudited: ANSWERED,
      run: async (w) =>
        (await w.post('/revoke', { token: token === '' ? 'none' : token }, HOST)).status,
      expected: 200,
    }),
  ),
  {
    id: 'L6',
    name: 'the owner revokes a delegated token: truthfully dead, and with it nothing else',
    unaudited: SERVED,
    run: async (w) => {
      const tokens = await w.ana.tokens();
      const { status } = await w.post('/revoke', { token: tokens.access_token }, HOST);
      return [
        status,
        (await w.introspect(tokens.access_token)).body,
        seen(await w.honestly(() => w.ana.refresh(tokens.refresh_token))),
      ];
    },
    expected: [200, { active: false }, '200 json'],
  },
  {
    id: 'L6',
    name: 'the owner revokes a refresh token: the authorization and all it gave is dead',
    refs: ['60'],
    run: async (w) => {
      const tokens = await w.ana.tokens();
      const { status } = await w.post('/revoke', { token: tokens.refresh_token }, HOST);
      return [
        status,
        (await w.introspect(tokens.access_token)).body,
        seen(await w.ana.refresh(tokens.refresh_token)),
      ];
    },
    expected: [200, { active: false }, GONE],
  },
  {
    id: 'L6',
    name: 'an actor token revoked by its agent proves nothing',
    run: async (w) => {
      const actor_token = await w.ana.actorToken();
      await w.post('/revoke', { token: actor_token }, w.ana.agent);
      const code = await w.ana.code();
      return [
        seen(await w.ana.redeem(code, { actor_token })),
        seen(await w.honestly(() => w.ana.redeem(code))),
      ];
    },
    expected: [GONE, '200 json'],
  },
];

const clocks: readonly Attack[] = [
  ...[60, -60, 290].map(
    (seconds): Attack => ({
      id: 'L10',
      name: `the process’s clock is ${seconds} s off: a fresh token is good`,
      unaudited: SERVED,
      run: async (w) => {
        const { access_token } = await w.ana.tokens();
        await w.setClock(seconds);
        const { body } = await w.introspect(access_token);
        await w.setClock(0);
        return body.active;
      },
      expected: true,
    }),
  ),
  {
    id: 'L10',
    name: 'a token past its end by the process’s clock',
    unaudited: ANSWERED,
    run: async (w) => {
      const { access_token } = await w.ana.tokens();
      await w.setClock(301);
      const { body } = await w.introspect(access_token);
      await w.setClock(0);
      return body;
    },
    expected: { active: false },
  },
  {
    id: 'L10',
    name: 'the process’s clock steps back an hour: an expired token does not revive',
    unaudited: ANSWERED,
    run: async (w) => {
      const party = await w.cast();
      // Two seconds of life, by the clock that stamps it.
      await w.db.run(
        `update grants set expires_at = clock_timestamp() + interval '2 seconds' where user_id = $1`,
        [party.user.id],
      );
      const code = await party.code();
      await w.db.run(
        `update grants set expires_at = clock_timestamp() + interval '2 seconds' where user_id = $1`,
        [party.user.id],
      );
      const { access_token } = await party.tokens(code);
      await new Promise((resolve) => setTimeout(resolve, 2600));
      await w.setClock(-3600);
      const { body } = await w.introspect(access_token);
      await w.setClock(0);
      return body;
    },
    expected: { active: false },
    legitimate: {
      kinds: ['token', 'refresh'],
      because: 'the ledger does not know the end of a token',
    },
  },
  {
    id: 'L10',
    name: 'the process’s clock steps back an hour: an expired actor token does not revive',
    run: async (w) => {
      const party = await w.cast();
      const actor_token = await party.actorToken();
      // The token is as old as its life, for whoever asks the database.
      const { resigned } = await import('../support/forge.js');
      const old = await resigned(w, actor_token, {
        claims: {
          iat: Math.floor(Date.now() / 1000) - 180,
          exp: Math.floor(Date.now() / 1000) - 60,
        },
      });
      const code = await party.code();
      await w.setClock(-3600);
      const tried = await party.redeem(code, { actor_token: old });
      await w.setClock(0);
      return seen(tried);
    },
    expected: GONE,
    legitimate: { kinds: ['code'], because: 'it was there before' },
  },
];

export const lifecycle: readonly Attack[] = [
  ...atIntrospection,
  ...atRedemption,
  ...atDecision,
  ...inSilence,
  ...pushed,
  ...own,
  ...revocations,
  ...clocks,
];
