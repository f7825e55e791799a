// C: authorization codes and PKCE. "Survives" means the code still serves its owner afterwards: a
// thief's attempt must cost nobody anything.
import { createHash } from 'node:crypto';
import { endGrant } from '../../../src/broker/delegation/ends.js';
import { pkce } from '../../support/broker.js';
import { usedEarlier } from '../../support/used-earlier.js';
import {
  CALLBACK,
  DESKTOP,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  SERVICE,
} from '../../support/world.js';
import { type Attack, NO_SUCH_PLACE, SERVED, seen, seenAll, tallied } from '../support/attack.js';
import type { Fields } from '../support/http.js';
import type { Code } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const GONE = '400 invalid_grant';
const GOOD = '200 json';
const MALFORMED = '400 invalid_request';

interface Attempt {
  readonly id: string;
  readonly name: string;
  readonly refs?: readonly string[];
  change(code: Code, w: AttackWorld): Fields | Promise<Fields>;
  /** Another principal than the code's client; undefined for nobody. */
  readonly as?: string;
  readonly expected?: string;
  readonly unaudited?: string;
}

/** Redeems Ana's code with a change; then as it should be. */
const attempt = ({
  id,
  name,
  refs = [],
  change,
  as,
  expected = GONE,
  unaudited,
}: Attempt): Attack => ({
  id,
  name: `${name}; the code survives`,
  refs,
  ...(unaudited === undefined ? {} : { unaudited }),
  run: async (w) => {
    const code = await w.ana.code();
    const tried = await w.ana.redeem(code, await change(code, w), as ?? HOST);
    const after = await w.honestly(() => w.ana.redeem(code));
    return [seen(tried), seen(after)];
  },
  expected: [expected, GOOD],
});

const replays: readonly Attack[] = [
  {
    id: 'C1',
    name: 'a code is redeemed twice, one after the other: refused, and everything of the first is dead',
    refs: ['45', 'CVE-2026-47386'],
    run: async (w) => {
      const code = await w.ana.code();
      const first = await w.ana.tokens(code);
      await usedEarlier(w.db, first);
      const again = await w.ana.redeem(code);
      const { body } = await w.introspect(first.access_token);
      return [seen(again), body, seen(await w.ana.refresh(first.refresh_token))];
    },
    expected: [GONE, { active: false }, GONE],
    neighbour: (w) => w.ana.code().then((code) => w.ana.redeem(code)),
  },
  {
    id: 'C1',
    name: 'a code of another authorization is redeemed twice: the first authorization lives',
    run: async (w) => {
      const kept = await w.ana.tokens();
      const code = await w.ana.code();
      await usedEarlier(w.db, await w.ana.tokens(code));
      const again = await w.ana.redeem(code);
      return [seen(again), (await w.introspect(kept.access_token)).body.active];
    },
    expected: [GONE, true],
  },
  {
    id: 'C1',
    name: 'a used code is presented without an actor token: a replay all the same',
    run: async (w) => {
      const code = await w.ana.code();
      const first = await w.ana.tokens(code);
      await usedEarlier(w.db, first);
      const again = await w.ana.redeem(code, { actor_token: undefined });
      return [seen(again), (await w.introspect(first.access_token)).body];
    },
    expected: [GONE, { active: false }],
  },
  {
    id: 'C1',
    name: 'a used code is presented by another client: refused, and the family lives',
    refs: ['23'],
    run: async (w) => {
      const code = await w.ana.code();
      const first = await w.ana.tokens(code);
      const other = await w.cast();
      const again = await other.redeem(code);
      return [seen(again), (await w.introspect(first.access_token)).body.active];
    },
    expected: [GONE, true],
  },
  {
    id: 'C2',
    name: 'twenty parallel redemptions with one actor token: one wins',
    refs: ['45', '55', '57'],
    legitimate: { kinds: ['token', 'refresh'], because: 'one of the twenty is the client itself' },
    run: async (w) => {
      const fields = await w.ana.redemption(await w.ana.code());
      return tallied(await seenAll(Array.from({ length: 20 }, () => w.token(HOST, fields))));
    },
    expected: { [GOOD]: 1, [GONE]: 19 },
  },
  {
    id: 'C2',
    name: 'twenty parallel redemptions with an actor token each: one wins',
    refs: ['45', '55'],
    legitimate: { kinds: ['token', 'refresh'], because: 'one of the twenty is the client itself' },
    run: async (w) => {
      const code = await w.ana.code();
      const all = await Promise.all(Array.from({ length: 20 }, () => w.ana.redemption(code)));
      return tallied(await seenAll(all.map((fields) => w.token(HOST, fields))));
    },
    expected: { [GOOD]: 1, [GONE]: 19 },
  },
  {
    id: 'C2',
    name: 'twenty parallel redemptions of a plain code: one wins',
    refs: ['45', '55'],
    legitimate: { kinds: ['token', 'refresh'], because: 'one of the twenty is the client itself' },
    run: async (w) => {
      const fields = await w.plain.redemption(await w.plain.code());
      return tallied(await seenAll(Array.from({ length: 20 }, () => w.token(HOST, fields))));
    },
    expected: { [GOOD]: 1, [GONE]: 19 },
  },
  {
    id: 'C2',
    name: 'a replay after a race ends what the winner got',
    run: async (w) => {
      const code = await w.ana.code();
      const fields = await w.ana.redemption(code);
      await Promise.all(Array.from({ length: 5 }, () => w.token(HOST, fields)));
      return seen(await w.ana.redeem(code));
    },
    expected: GONE,
  },
  {
    id: 'C11',
    name: 'a client that lost the answer tries again: refused, and no second set of tokens lives',
    run: async (w) => {
      const fields = await w.ana.redemption(await w.ana.code());
      await w.honestly(() => w.token(HOST, fields));
      return seen(await w.token(HOST, fields));
    },
    expected: GONE,
  },
];

const strangers: readonly Attack[] = [
  attempt({
    id: 'C3',
    name: 'another confidential client redeems the code',
    refs: ['23', '41'],
    change: () => ({}),
    as: FILES_CLIENT,
    expected: '400 unauthorized_client',
  }),
  attempt({
    id: 'C3',
    name: 'a service redeems the code',
    refs: ['23'],
    change: () => ({}),
    as: SERVICE,
    expected: '400 unauthorized_client',
  }),
  attempt({
    id: 'C3',
    name: 'a public client redeems the code',
    refs: ['23', '41'],
    change: () => ({}),
    as: DESKTOP,
  }),
  attempt({
    id: 'C3',
    name: 'the agent redeems the code itself',
    change: () => ({}),
    as: 'agt_helper',
    expected: '400 unauthorized_client',
  }),
  {
    id: 'C3',
    name: 'another app redeems the code with its own agent’s proof',
    refs: ['23', '41'],
    run: async (w) => {
      const [code, thief] = [await w.ana.code(), await w.cast()];
      const tried = await thief.redeem({ ...code });
      return [seen(tried), seen(await w.honestly(() => w.ana.redeem(code)))];
    },
    expected: [GONE, GOOD],
  },
  {
    id: 'C3',
    name: 'a stolen code and verifier with the thief’s client and redirect',
    run: async (w) => {
      const [code, thief] = [await w.ana.code(), await w.cast()];
      return seen(await thief.redeem({ ...code, redirectUri: thief.redirectUri }));
    },
    expected: GONE,
  },
  {
    id: 'C3',
    name: 'the confidential client’s code without its secret',
    run: async (w) => {
      const fields = await w.ana.redemption(await w.ana.code());
      const bare = await w.token(undefined, { ...fields, client_id: HOST });
      const post = await w.token(undefined, {
        ...fields,
        client_id: HOST,
        client_secret: 'x'.repeat(43),
      });
      return [seen(bare), seen(post), seen(await w.honestly(() => w.token(HOST, fields)))];
    },
    expected: ['401 invalid_client', '401 invalid_client', GOOD],
  },
  {
    id: 'C3',
    name: 'the right secret in the body although the client is registered for the header: the engine takes the two for one',
    unaudited: SERVED,
    legitimate: { kinds: ['token', 'refresh'], because: 'whoever has the secret is the client' },
    run: async (w) => {
      const fields = await w.ana.redemption(await w.ana.code());
      return seen(
        await w.token(undefined, { ...fields, client_id: HOST, client_secret: w.secrets[HOST] }),
      );
    },
    expected: GOOD,
  },
];

const wrongVerifiers: ReadonlyArray<
  readonly [string, (verifier: string) => string | undefined, string?]
> = [
  ['missing', () => undefined],
  ['empty', () => ''],
  ['another', () => pkce().verifier],
  ['of 42 characters', (v) => v.slice(0, 42), MALFORMED],
  ['of 129 characters', () => 'v'.repeat(129), MALFORMED],
  ['with a space', (v) => `${v.slice(0, 20)} ${v.slice(21)}`, MALFORMED],
  ['with a character outside the set', (v) => `${v.slice(0, 42)}!`, MALFORMED],
  ['with a newline at the end', (v) => `${v}\n`, MALFORMED],
  ['in upper case', (v) => v.toUpperCase()],
  ['that is the challenge', (v) => createHash('sha256').update(v).digest('base64url')],
  ['as a list', (v) => `${v},${v}`, MALFORMED],
];

const proofs: readonly Attack[] = [
  ...wrongVerifiers.map(([name, change, expected = GONE]) =>
    attempt({
      id: 'C4',
      name: `a code_verifier ${name}`,
      refs: ['34', '59'],
      change: ({ verifier }) => ({ code_verifier: change(verifier) }),
      expected,
    }),
  ),
  ...(
    [
      ['no code_challenge', { code_challenge: undefined }, '303 to client invalid_request'],
      [
        'no code_challenge, nor a method',
        { code_challenge: undefined, code_challenge_method: undefined },
        '303 to client invalid_request',
      ],
      ['the method plain', { code_challenge_method: 'plain' }, '303 to client invalid_request'],
      [
        'no method (which means plain)',
        { code_challenge_method: undefined },
        '303 to client invalid_request',
      ],
      ['the method s256', { code_challenge_method: 's256' }, '303 to client invalid_request'],
      ['the method none', { code_challenge_method: 'none' }, '303 to client invalid_request'],
      [
        'a challenge of 42 characters',
        { code_challenge: 'c'.repeat(42) },
        '303 to client invalid_request',
      ],
      [
        'a challenge of 129 characters',
        { code_challenge: 'c'.repeat(129) },
        '303 to client invalid_request',
      ],
      [
        'a challenge with a space',
        { code_challenge: `${'c'.repeat(42)} ` },
        '303 to client invalid_request',
      ],
      ['an empty challenge', { code_challenge: '' }, '303 to client invalid_request'],
    ] as const
  ).map(
    ([name, change, expected]): Attack => ({
      id: 'C4',
      name: `a request with ${name}`,
      refs: ['34', '59'],
      run: async (w) => seen(await w.ana.browser.get(w.ana.url(change))),
      expected,
    }),
  ),
];

const elsewhere: readonly Attack[] = [
  ...(
    [
      ['missing', undefined, '400 invalid_request'],
      ['empty', '', '400 invalid_request'],
      ['with a slash', `${CALLBACK}/`, GONE],
      ['in upper case', CALLBACK.toUpperCase(), GONE],
      ['of the attacker', 'https://evil.example/callback', GONE],
      ['with a query', `${CALLBACK}?x=1`, GONE],
      ['percent-encoded', encodeURI(CALLBACK).replace('callback', '%63allback'), GONE],
    ] as const
  ).map(([name, uri, expected]) =>
    attempt({
      id: 'C5',
      name: `a redirect_uri ${name} at the token endpoint`,
      change: () => ({ redirect_uri: uri }),
      expected,
    }),
  ),
  {
    id: 'C6',
    name: 'a code one second too old',
    refs: ['41'],
    run: async (w) => {
      const fields = await w.ana.redemption(await w.ana.code());
      await w.setClock(61);
      const late = await w.token(HOST, fields);
      await w.setClock(0);
      return seen(late);
    },
    expected: GONE,
    // The code's minute is not over by the clock that counts for it: it was never anybody else's.
    legitimate: { kinds: ['code'], because: 'the process alone was late' },
  },
  {
    id: 'C9',
    name: 'a code of the attacker is injected into a victim’s session: the victim’s verifier does not fit',
    run: async (w) => {
      const attackers = await w.ben.code();
      const victims = await w.ana.code();
      return seen(await w.ana.redeem({ ...attackers, verifier: victims.verifier }));
    },
    expected: GONE,
  },
  {
    id: 'C9',
    name: 'a victim’s code is injected into the attacker’s session',
    run: async (w) => {
      const attackers = await w.ben.code();
      const victims = await w.ana.code();
      return seen(await w.ben.redeem({ ...victims, verifier: attackers.verifier }));
    },
    expected: GONE,
  },
];

const manglings: ReadonlyArray<readonly [string, (code: string) => string, string?]> = [
  ['without its last character', (c) => c.slice(0, -1)],
  ['cut to half', (c) => c.slice(0, c.length / 2)],
  ['with a character more', (c) => `${c}A`],
  ['with padding', (c) => `${c}=`],
  ['with a space before', (c) => ` ${c}`],
  ['with a space after', (c) => `${c} `],
  ['with a newline after', (c) => `${c}\n`],
  ['with a NUL after', (c) => `${c}\0`],
  ['in upper case', (c) => c.toUpperCase()],
  ['in lower case', (c) => c.toLowerCase()],
  ['as base64 instead of base64url', (c) => Buffer.from(c).toString('base64')],
  ['of 100 kB', (c) => c.repeat(Math.ceil(50_000 / c.length))],
];

const guesses: readonly Attack[] = manglings.map(([name, mangle]) => ({
  id: 'C7',
  name: `a used code ${name}: refused, and the real family lives`,
  refs: ['24', '60'],
  run: async (w) => {
    const code = await w.ana.code();
    const { access_token } = await w.ana.tokens(code);
    const tried = await w.ana.redeem({ ...code, code: mangle(code.code) });
    return [seen(tried), (await w.introspect(access_token)).body.active];
  },
  expected: [GONE, true],
}));

const malformed: readonly Attack[] = [
  ...(
    [
      ['unknown', 'https://nowhere.example'],
      ['another of ours', NOTES],
      ['with a slash', `${FILES}/`],
      ['relative', '/mcp'],
      ['with a fragment', `${FILES}#x`],
      ['the issuer', 'ISSUER'],
    ] as const
  ).map(([name, resource]) =>
    attempt({
      id: 'C8',
      name: `a resource ${name} at the token endpoint`,
      refs: ['49'],
      change: (_code, w) => ({ resource: resource === 'ISSUER' ? w.issuer : resource }),
      expected: '400 invalid_target',
    }),
  ),
  attempt({
    id: 'C8',
    name: 'two resources at the token endpoint',
    refs: ['49'],
    change: () => ({ resource: [FILES, NOTES] }),
    expected: '400 invalid_target',
  }),
  attempt({
    id: 'C8',
    name: 'an unknown actor_token_type',
    change: () => ({ actor_token_type: 'urn:x' }),
    expected: '400 invalid_request',
  }),
];

/** Every kind of value the engine stores or signs, in the slots of others. */
const confusions: readonly Attack[] = (
  [
    [
      'a refresh token as code',
      'code',
      async (w: AttackWorld) => (await w.ana.tokens()).refresh_token,
      GONE,
    ],
    [
      'an access token as code',
      'code',
      async (w: AttackWorld) => (await w.ana.tokens()).access_token,
      GONE,
    ],
    ['an actor token as code', 'code', (w: AttackWorld) => w.ana.actorToken(), GONE],
    [
      'a session cookie as code',
      'code',
      async (w: AttackWorld) => w.ana.browser.cookie('behalf_session') ?? '',
      GONE,
    ],
    ['an interaction id as code', 'code', async (w: AttackWorld) => interactionId(w), GONE],
    ['a pushed request as code', 'code', async (w: AttackWorld) => pushedId(w), GONE],
    ['a grant id as code', 'code', async (w: AttackWorld) => jtiPart(w, 1), GONE],
    ['a token id as code', 'code', async (w: AttackWorld) => jtiPart(w), GONE],
    [
      'a code as refresh token',
      'refresh_token',
      async (w: AttackWorld) => (await w.ana.code()).code,
      GONE,
    ],
    [
      'an access token as refresh token',
      'refresh_token',
      async (w: AttackWorld) => (await w.ana.tokens()).access_token,
      GONE,
    ],
    [
      'a session cookie as refresh token',
      'refresh_token',
      async (w: AttackWorld) => w.ana.browser.cookie('behalf_session') ?? '',
      GONE,
    ],
    [
      'an interaction id as refresh token',
      'refresh_token',
      async (w: AttackWorld) => interactionId(w),
      GONE,
    ],
    ['a grant id as refresh token', 'refresh_token', async (w: AttackWorld) => jtiPart(w, 1), GONE],
    [
      'a refresh token as actor token',
      'actor_token',
      async (w: AttackWorld) => (await w.ana.tokens()).refresh_token,
      GONE,
    ],
    [
      'a code as actor token',
      'actor_token',
      async (w: AttackWorld) => (await w.ana.code()).code,
      GONE,
    ],
    [
      'a session cookie as actor token',
      'actor_token',
      async (w: AttackWorld) => w.ana.browser.cookie('behalf_session') ?? '',
      GONE,
    ],
    [
      'the agent’s secret as actor token',
      'actor_token',
      async (w: AttackWorld) => w.secrets.agt_helper ?? '',
      GONE,
    ],
  ] as const
).map(([name, slot, value, expected]) => ({
  id: 'C10',
  name,
  refs: ['4', '5'],
  run: async (w) => {
    const presented = await value(w);
    if (slot === 'refresh_token') return seen(await w.ana.refresh(presented));
    return seen(await w.ana.redeem(await w.ana.code(), { [slot]: presented }));
  },
  expected,
}));

const slots: readonly Attack[] = (
  [
    [
      'a code as the address of an interaction',
      async (w) => `/interaction/${(await w.ana.code()).code}`,
      '400 page',
    ],
    [
      'a code as the address to resume',
      async (w) => `/authorize/${(await w.ana.code()).code}`,
      '400 page',
    ],
    [
      'a session id as the address of an interaction',
      async (w) => `/interaction/${w.ana.browser.cookie('behalf_session')}`,
      '400 page',
    ],
    [
      'a code as request_uri',
      async (w) =>
        `/authorize?${w.encode({ client_id: HOST, request_uri: `urn:ietf:params:oauth:request_uri:${(await w.ana.code()).code}` })}`,
      '400 page',
    ],
    [
      'a refresh token as request_uri',
      async (w) =>
        `/authorize?${w.encode({ client_id: HOST, request_uri: `urn:ietf:params:oauth:request_uri:${(await w.ana.tokens()).refresh_token}` })}`,
      '400 page',
    ],
  ] satisfies ReadonlyArray<readonly [string, (w: AttackWorld) => Promise<string>, string]>
).map(
  ([name, path, expected]): Attack => ({
    id: 'C10',
    name,
    refs: ['4', '5'],
    ...(name.includes('interaction') ? { unaudited: NO_SUCH_PLACE } : {}),
    run: async (w) => seen(await w.ana.browser.get(await path(w))),
    expected,
  }),
);

const carriers: readonly Attack[] = (
  [
    ['a code', async (w) => (await w.ana.code()).code],
    ['a refresh token', async (w) => (await w.ana.tokens()).refresh_token],
    ['a delegated access token', async (w) => (await w.ana.tokens()).access_token],
    ['an actor token', (w) => w.ana.actorToken()],
    ['a session cookie', async (w) => w.ana.browser.cookie('behalf_session') ?? ''],
    ['an ID token', async (w) => (await w.ana.tokens()).id_token ?? ''],
  ] satisfies ReadonlyArray<readonly [string, (w: AttackWorld) => Promise<string>]>
).map(
  ([name, value]): Attack => ({
    id: 'C10',
    name: `${name} as bearer at userinfo`,
    refs: ['4', '5'],
    run: async (w) =>
      seen(
        await w.send('/userinfo', {
          headers: { authorization: `Bearer ${await value(w)}`, accept: 'application/json' },
        }),
      ),
    expected: '401 invalid_token',
  }),
);

async function interactionId(w: AttackWorld): Promise<string> {
  const answer = await w.browser().get(w.ana.url());
  return (answer.headers.location ?? '').split('/').pop() ?? '';
}

async function pushedId(w: AttackWorld): Promise<string> {
  const answer = await w.post('/par', w.ana.query(pkce().challenge), HOST);
  return String(answer.body.request_uri).split(':').pop() ?? '';
}

async function jtiPart(w: AttackWorld, part?: number): Promise<string> {
  const { access_token } = await w.ana.tokens();
  const { jti } = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString());
  return part === undefined ? jti : jti.split('.')[part];
}

const ended: readonly Attack[] = [
  {
    id: 'C1',
    name: 'a code whose authorization has ended is refused before anything is used up',
    run: async (w) => {
      const party = await w.cast();
      const code = await party.code();
      const rows = await w.db.run<{ id: string }>(
        'select id from grants where user_id = $1 order by created_at desc',
        [party.user.id],
      );
      for (const { id } of rows) await endGrant(w.db, id, 'test', 'admin');
      return seen(await party.redeem(code));
    },
    expected: GONE,
  },
];

export const codes: readonly Attack[] = [
  ...replays,
  ...strangers,
  ...proofs,
  ...elsewhere,
  ...guesses,
  ...malformed,
  ...confusions,
  ...slots,
  ...carriers,
  ...ended,
];
