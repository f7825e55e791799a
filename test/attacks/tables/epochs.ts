// L8 and L9: everything a token hangs on counts at once, and a stolen key is worth nothing the moment
// it is known to be stolen.
import { ADMIN_TOKEN } from '../../support/broker.js';
import { FILES } from '../../support/world.js';
import { ANSWERED, type Attack, SERVED, seen } from '../support/attack.js';
import { resigned, signed } from '../support/forge.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

type Change = (w: AttackWorld, party: Party) => Promise<unknown>;

/** Stopped and let go again: what is older is dead, what is newer is not. */
const LIFTED: ReadonlyArray<readonly [name: string, lift: Change]> = [
  [
    'the agent was blocked and unblocked',
    async (w, { agent }) => {
      await w.registry.agents.block('admin', agent, 'test');
      await w.registry.agents.unblock('admin', agent);
    },
  ],
  [
    'the user was disabled and enabled',
    async (w, { user }) => {
      await w.registry.users.disable('admin', user.id, 'test');
      await w.registry.users.enable('admin', user.id);
    },
  ],
];

/** Later, about somebody else in the same story. */
const LATER: ReadonlyArray<readonly [name: string, stop: Change]> = [
  ['the user is disabled', (w, { user }) => w.registry.users.disable('admin', user.id, 'test')],
  ['the agent is blocked', (w, { agent }) => w.registry.agents.block('admin', agent, 'test')],
  ['the client is retired', (w, { client }) => w.registry.clients.retire('admin', client)],
];

/** A fact stops what is of its own second, too. */
const nextSecond = (w: AttackWorld) =>
  w.db.run(`select pg_sleep(1.01 - extract(epoch from clock_timestamp())::numeric % 1)`);

const activeOf = async (w: AttackWorld, token: string): Promise<boolean> =>
  (await w.introspect(token)).body.active;

const REFRESH = {
  kinds: ['refresh'] as const,
  because: 'the row was there before, and serves nobody',
};

const epochs: readonly Attack[] = LIFTED.map(([lifted, lift]) => ({
  id: 'L8',
  name: `${lifted}: that is over, and every other stop still counts`,
  refs: ['6', 'CVE-2026-8922'],
  unaudited: ANSWERED,
  legitimate: REFRESH,
  run: async (w) => {
    const parties = await Promise.all(LATER.map(() => castOne(w)));
    for (const party of parties) await lift(w, party);
    await nextSecond(w);
    const told: unknown[] = [];
    for (const [n, [name, stop]] of LATER.entries()) {
      const party = parties[n] as Party;
      await w.honestly(() => party.consent({ prompt: 'consent' }));
      const { access_token } = await party.tokens();
      const before = await activeOf(w, access_token);
      await stop(w, party);
      told.push([name, before, await activeOf(w, access_token)]);
    }
    return told;
  },
  expected: LATER.map(([name]) => [name, true, false]),
}));

/** One after the other: what is honest is told apart by when it happened. */
let casting: Promise<unknown> = Promise.resolve();
function castOne(w: AttackWorld): Promise<Party> {
  const party = casting.then(() => w.cast());
  casting = party.catch(() => undefined);
  return party;
}

const twice: readonly Attack[] = [
  {
    id: 'L8',
    name: 'agent and user are both stopped, and one is let go: the other still counts',
    refs: ['6'],
    unaudited: ANSWERED,
    legitimate: REFRESH,
    run: async (w) => {
      const [one, other] = [await w.cast(), await w.cast()];
      const tokens = [await one.tokens(), await other.tokens()];
      for (const { agent, user } of [one, other]) {
        await w.registry.agents.block('admin', agent, 'test');
        await w.registry.users.disable('admin', user.id, 'test');
      }
      await w.registry.agents.unblock('admin', one.agent);
      await w.registry.users.enable('admin', other.user.id);
      return Promise.all(tokens.map(({ access_token }) => activeOf(w, access_token)));
    },
    expected: [false, false],
  },
  {
    id: 'L8',
    name: 'a path is stopped, and its agent blocked and unblocked after it: the path stays stopped',
    refs: ['6'],
    unaudited: ANSWERED,
    legitimate: REFRESH,
    run: async (w) => {
      const party = await w.cast();
      const { access_token } = await party.tokens();
      await w.post('/revoke', { token: access_token }, party.client);
      await w.registry.agents.block('admin', party.agent, 'test');
      await w.registry.agents.unblock('admin', party.agent);
      await nextSecond(w);
      return activeOf(w, access_token);
    },
    expected: false,
  },
];

/** A credential that ends by itself ends what it obtained, as one that is removed does. */
const ending: readonly Attack[] = [
  {
    id: 'L1',
    name: 'an agent’s secret has a minute left: what it obtains has no more, alone or as a proof',
    refs: ['25'],
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      await w.db.run(
        `update credentials set expires_at = clock_timestamp() + interval '60 seconds' where principal = $1`,
        [party.agent],
      );
      await w.db.run('update policy_epoch set epoch = epoch + 1');
      const left: boolean[] = [];
      await w.honestly(async () => {
        for (const resource of [FILES, w.issuer]) {
          const { body } = await w.token(party.agent, { ...OWN, resource });
          left.push(body.expires_in > 0 && body.expires_in <= 60);
        }
      });
      return left;
    },
    expected: [true, true],
  },
];

/** As an operator who has learnt of it: over the admin API. */
async function declareStolen(w: AttackWorld): Promise<string> {
  const { kid } = await w.signingKey();
  const { status, text } = await w.send(`/admin/v1/keys/${kid}/retire`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ compromised: true, reason: 'the key was stolen' }),
  });
  if (status !== 200) throw new Error(`not retired: ${status} ${text}`);
  return kid;
}

const OWN = { grant_type: 'client_credentials', resource: FILES };
const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
};

/** Last in its suite: nothing that was signed before them is worth anything afterwards. */
const keys: readonly Attack[] = [
  {
    id: 'L9',
    name: 'the signing key was stolen and is retired: all it signed is dead in every slot, and all goes on',
    legitimate: { kinds: ['code'], because: 'it was there before, and was not spent' },
    run: async (w) => {
      const party = await w.cast();
      const tokens = await party.tokens();
      const { access_token, refresh_token } = tokens;
      const code = await party.code();
      const actor_token = await party.actorToken();
      const kid = await declareStolen(w);
      const { body } = await w.send('/.well-known/jwks.json');
      const subject = { ...EXCHANGE, subject_token: access_token };
      return {
        published: body.keys.some((key: { kid: string }) => key.kid === kid),
        introspected: (await w.introspect(access_token)).body,
        exchanged: seen(await w.token(party.agent, subject)),
        actor: seen(await party.redeem(code, { actor_token })),
        refreshed: seen(await w.honestly(() => party.refresh(refresh_token))),
      };
    },
    expected: {
      published: false,
      introspected: { active: false },
      exchanged: '400 invalid_request',
      actor: '400 invalid_grant',
      refreshed: '200 json',
    },
    neighbour: async (w) => w.token((await w.cast()).agent, OWN),
  },
  {
    id: 'L9',
    name: 'the thief goes on signing with it: recorded ids, new ids, later times, hints to sign out',
    run: async (w) => {
      const party = await w.cast();
      const { access_token, id_token = '' } = await party.tokens();
      const { kid, privateKey } = await w.signingKey();
      const iat = Math.floor(Date.now() / 1000) + 5;
      const forged = [
        await resigned(w, access_token, { claims: { iat, exp: iat + 300 } }),
        await resigned(w, access_token, { claims: { jti: 'crd_helper.t1', iat, exp: iat + 300 } }),
        await resigned(w, access_token, { claims: { scope: 'files:delete' } }),
      ];
      const hint = signed({ alg: 'ES256', kid }, { sub: party.user.id }, privateKey);
      await declareStolen(w);
      // The next key's id in the header, too: a key is not what it is called.
      const { kid: next } = await w.signingKey();
      const renamed = await Promise.all(
        [access_token].map(async (token) => {
          const [, payload = ''] = token.split('.');
          const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
          return signed({ alg: 'ES256', typ: 'at+jwt', kid: next }, claims, privateKey);
        }),
      );
      const tokens = [...forged, ...renamed];
      const answers = [];
      for (const token of tokens) answers.push((await w.introspect(token)).body);
      const exchanges = [];
      for (const subject_token of tokens)
        exchanges.push(seen(await w.token(party.agent, { ...EXCHANGE, subject_token })));
      const hints = [];
      for (const id_token_hint of [hint, id_token])
        hints.push(seen(await party.browser.get(`/logout?${w.encode({ id_token_hint })}`)));
      return [answers, exchanges, hints];
    },
    expected: [
      Array(4).fill({ active: false }),
      Array(4).fill('400 invalid_request'),
      ['400 page', '400 page'],
    ],
  },
];

/** Who is stopped, in the presence of other stops; and the key under all of them. */
export const sharedEnds: readonly Attack[] = [...epochs, ...twice, ...ending, ...keys];
