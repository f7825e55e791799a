// D: acting for a user, and the smuggling of tokens that prove an actor. The design burns nobody's
// code on a wrong proof (DESIGN §8a 5): each code must still serve afterwards.
import { sql } from 'drizzle-orm';
import * as tables from '../../../schema/index.js';
import { pkce } from '../../support/broker.js';
import {
  AGENT,
  ANA,
  FILES,
  FILES_CLIENT,
  HOST,
  NOTES,
  OTHER_AGENT,
  SERVICE,
  STRANGER,
} from '../../support/world.js';
import { type Attack, SERVED, seen, seenAll, tallied } from '../support/attack.js';
import { decodePart, macced, resigned, selfSigned } from '../support/forge.js';
import type { AttackWorld } from '../support/world.js';

const GONE = '400 invalid_grant';
const GOOD = '200 json';
const claimsOf = (token: string) => decodePart(token, 1);

const NO_ACTOR =
  'invalid_request: requested_actor is not an agent that this client may act through';
const NOT_A_WORD = 'invalid_request: requested_actor must not be empty';

/** Whom a request may not name; and that nobody can tell the difference (D1). */
const foreign: ReadonlyArray<readonly [string, string, string?]> = [
  ['an unknown agent', 'agt_nobody'],
  ['an agent of another client', 'FOREIGN'],
  ['a blocked agent', 'BLOCKED'],
  ['a retired agent', 'RETIRED'],
  ['the client itself', HOST],
  ['another client', STRANGER],
  ['a service', SERVICE],
  ['the user', ANA.id],
  ['another user', 'usr_ben'],
  ['a resource', FILES],
  ['a credential', 'crd_helper'],
  ['a role', 'role:admin'],
  ['an agent in upper case', AGENT.toUpperCase()],
  ['an agent with a space after', `${AGENT} `],
  ['an agent with a space before', ` ${AGENT}`],
  ['an agent with a NUL', `${AGENT}\0`, 'invalid_request: a parameter holds a NUL character'],
  ['an agent with a newline', `${AGENT}\n`],
  ['a prefix of an agent', AGENT.slice(0, -1)],
  ['an agent continued', `${AGENT}x`],
  ['an agent in full width', 'ａgt_helper'],
  ['an agent with a zero-width space', 'agt_\u200bhelper'],
  ['a homoglyph of an agent', 'аgt_helper'],
  ['two agents', `${AGENT} ${OTHER_AGENT}`],
  ['a list of agents', `${AGENT},${OTHER_AGENT}`],
  ['JSON', `["${AGENT}"]`],
  ['a wildcard', 'agt_*'],
  ['a LIKE pattern', 'agt_%'],
  ['SQL', "agt_helper' OR '1'='1"],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['nothing', '', NOT_A_WORD],
  ['half a character at the cut', `${'x'.repeat(199)}😀`],
  ['ten kilobytes', 'x'.repeat(10_000)],
];

const named = async (w: AttackWorld, name: string): Promise<string> => {
  if (name === 'FOREIGN') return (await w.cast()).agent;
  if (name !== 'BLOCKED' && name !== 'RETIRED') return name;
  const id = `agt_${name.toLowerCase()}_${Date.now()}`;
  await w.db.orm.insert(tables.agents).values({
    id,
    name: 'x',
    owner: 'x',
    clients: [HOST],
    auth: 'client_secret_basic',
    status: name.toLowerCase(),
  });
  await w.db.orm.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  return id;
};

const told = (w: AttackWorld, location = ''): string => {
  const { searchParams } = new URL(location);
  const frame = searchParams.get('state') === 'the-state' && searchParams.get('iss') === w.issuer;
  return `${searchParams.get('error')}: ${searchParams.get('error_description')}${frame ? '' : ' (unframed)'}`;
};

const unknown: readonly Attack[] = [
  ...foreign.map(
    ([name, value, expected = NO_ACTOR]): Attack => ({
      id: 'D1',
      name: `requested_actor is ${name}: one and the same answer, before any page`,
      refs: ['15'],
      run: async (w) => {
        const { headers } = await w
          .browser()
          .get(w.ana.url({ requested_actor: await named(w, value) }));
        return told(w, headers.location);
      },
      expected,
    }),
  ),
  ...foreign.slice(0, 12).map(
    ([name, value]): Attack => ({
      id: 'D1',
      name: `a pushed requested_actor is ${name}`,
      refs: ['15'],
      run: async (w) => {
        const { status, body } = await w.post(
          '/par',
          w.ana.query(pkce().challenge, { requested_actor: await named(w, value) }),
          HOST,
        );
        return `${status} ${body.error}: ${body.error_description}`;
      },
      expected: `400 ${NO_ACTOR}`,
    }),
  ),
];

const changed: readonly Attack[] = [
  ...(
    [
      ['added to a code that names none', 'plain', AGENT],
      ['changed to another agent', 'ana', OTHER_AGENT],
      ['emptied', 'ana', ''],
      ['changed to the user', 'ana', ANA.id],
    ] as const
  ).map(
    ([name, who, value]): Attack => ({
      id: 'D2',
      name: `requested_actor ${name} at the token endpoint: the code's own counts`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const { body } = await w[who].redeem(await w[who].code(), { requested_actor: value });
          return (claimsOf(body.access_token).act as { sub?: string } | undefined)?.sub;
        }),
      expected: who === 'plain' ? undefined : AGENT,
    }),
  ),
  {
    id: 'D2',
    name: 'requested_actor changed at a refresh: the grant’s own counts',
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const { refresh_token } = await w.ana.tokens();
        const { body } = await w.ana.refresh(refresh_token, { requested_actor: OTHER_AGENT });
        return (claimsOf(body.access_token).act as { sub: string }).sub;
      }),
    expected: AGENT,
  },
  {
    id: 'D2',
    name: 'an actor token sent with a code that names no agent; the code survives',
    run: async (w) => {
      const code = await w.plain.code();
      const tried = await w.plain.redeem(code, { actor_token: await w.actorToken(AGENT) });
      return [seen(tried), seen(await w.honestly(() => w.plain.redeem(code)))];
    },
    expected: [GONE, GOOD],
  },
  {
    id: 'D2',
    name: 'an actor token sent with a refresh token that names no agent',
    run: async (w) => {
      const { refresh_token } = await w.plain.tokens();
      const tried = await w.plain.refresh(refresh_token, {
        actor_token: await w.actorToken(AGENT),
      });
      return [seen(tried), seen(await w.honestly(() => w.plain.refresh(refresh_token)))];
    },
    expected: [GONE, GOOD],
  },
];

type Forged = readonly [string, (w: AttackWorld) => Promise<string | undefined>, string?];

const ofResource = async (w: AttackWorld, agent = AGENT): Promise<string> =>
  (await w.honestly(() => w.token(agent, { grant_type: 'client_credentials', resource: FILES })))
    .body.access_token;
const seconds = (): number => Math.floor(Date.now() / 1000);

/** The last character of 64 bytes in base64url has four bits that mean nothing. */
function respelled(token: string): string {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + ALPHABET[ALPHABET.indexOf(token.slice(-1)) ^ 1];
}

/** D3, D5, J1–J12 in the slot of the actor token; the broker's own key signs where it says so. */
const forged: readonly Forged[] = [
  ['missing', async () => undefined],
  ['empty', async () => ''],
  ['garbage', async () => 'garbage'],
  ['three dots', async () => '...'],
  ['of 100 kB', async () => `${'a'.repeat(16_000)}.${'a'.repeat(16_000)}.a`],
  ['another agent’s', (w) => w.actorToken(OTHER_AGENT)],
  ['the agent’s own token for a resource', (w) => ofResource(w)],
  ['a delegated token that names the agent', async (w) => (await w.ana.tokens()).access_token],
  ['a user’s plain token', async (w) => (await w.plain.tokens()).access_token],
  ['an ID token', async (w) => (await w.ana.tokens()).id_token ?? ''],
  [
    'a service’s token',
    async (w) =>
      (
        await w.honestly(() =>
          w.token(SERVICE, { grant_type: 'client_credentials', resource: NOTES }),
        )
      ).body.access_token,
  ],
  [
    're-signed with alg none',
    async (w) =>
      `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${(await w.actorToken(AGENT)).split('.')[1]}.`,
  ],
  [
    'alg none under its signature',
    async (w) => {
      const t = (await w.actorToken(AGENT)).split('.');
      return `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${t[1]}.${t[2]}`;
    },
  ],
  [
    'alg nOnE',
    async (w) =>
      `${Buffer.from('{"alg":"nOnE","typ":"at+jwt"}').toString('base64url')}.${(await w.actorToken(AGENT)).split('.')[1]}.`,
  ],
  [
    'without a signature',
    async (w) => `${(await w.actorToken(AGENT)).split('.').slice(0, 2).join('.')}.`,
  ],
  [
    'with a signature of zeros',
    async (w) =>
      `${(await w.actorToken(AGENT)).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`,
  ],
  ['HS256 keyed by our JWK', async (w) => macced(w, await w.actorToken(AGENT), 'jwk')],
  ['HS256 keyed by our PEM', async (w) => macced(w, await w.actorToken(AGENT), 'pem')],
  ['HS256 keyed by our DER', async (w) => macced(w, await w.actorToken(AGENT), 'der')],
  ['HS256 keyed by our x', async (w) => macced(w, await w.actorToken(AGENT), 'x')],
  ['" HS256" keyed by our PEM', async (w) => macced(w, await w.actorToken(AGENT), 'pem', ' HS256')],
  ['signed by a key of the attacker', async (w) => selfSigned(await w.actorToken(AGENT), {})],
  [
    'with a jwk header',
    async (w) => selfSigned(await w.actorToken(AGENT), { header: { jwk: {}, kid: undefined } }),
  ],
  [
    'with a jku header',
    async (w) =>
      selfSigned(await w.actorToken(AGENT), {
        header: { jku: 'http://127.0.0.1:9/jwks', kid: 'x' },
      }),
  ],
  [
    'with an x5u header',
    async (w) =>
      selfSigned(await w.actorToken(AGENT), { header: { x5u: 'http://127.0.0.1:9/cert' } }),
  ],
  [
    'with an x5c header',
    async (w) => selfSigned(await w.actorToken(AGENT), { header: { x5c: ['MIIB'] } }),
  ],
  [
    'by our key without kid',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { kid: undefined } }),
  ],
  [
    'by our key with another kid',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { kid: 'other' } }),
  ],
  [
    'by our key with kid null',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { kid: null } }),
  ],
  [
    'by our key with kid as a list',
    async (w) => {
      const t = await w.actorToken(AGENT);
      return resigned(w, t, { header: { kid: [decodePart(t, 0).kid] } });
    },
  ],
  [
    'by our key with kid __proto__',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { kid: '__proto__' } }),
  ],
  [
    'by our key with kid ../../x',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { kid: '../../dev/null' } }),
  ],
  [
    'by our key as ES384',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { alg: 'ES384' } }),
  ],
  [
    'by our key as RS256',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { alg: 'RS256' } }),
  ],
  [
    'by our key with an unknown crit',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { crit: ['x'], x: 1 } }),
  ],
  [
    'by our key with an empty crit',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { crit: [] } }),
  ],
  [
    'by our key with b64 false',
    async (w) => resigned(w, await w.actorToken(AGENT), { header: { crit: ['b64'], b64: false } }),
  ],
  ...[
    'JWT',
    'jwt',
    'AT+JWT',
    'at+jwt ',
    'id_token+jwt',
    'logout+jwt',
    'dpop+jwt',
    'token-introspection+jwt',
    'oauth-authz-req+jwt',
    'client-authentication+jwt',
    'secevent+jwt',
    undefined,
  ].map(
    (typ): Forged => [
      `by our key with typ ${typ}`,
      async (w) => resigned(w, await w.actorToken(AGENT), { header: { typ } }),
    ],
  ),
  [
    'by our key for another issuer',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), { claims: { iss: 'https://evil.example' } }),
  ],
  [
    'by our key with a slash after iss',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { iss: `${w.issuer}/` } }),
  ],
  [
    'by our key with aud as a list',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { aud: [w.issuer] } }),
  ],
  [
    'by our key for two audiences',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { aud: [w.issuer, FILES] } }),
  ],
  [
    'by our key with a slash after aud',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { aud: `${w.issuer}/` } }),
  ],
  [
    'by our key for the token endpoint',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { aud: `${w.issuer}/token` } }),
  ],
  [
    'by our key without aud',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { aud: undefined } }),
  ],
  [
    'by our key with Aud for aud',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), { claims: { aud: undefined, Aud: w.issuer } }),
  ],
  [
    'by our key, expired',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { exp: seconds() - 1 } }),
  ],
  [
    'by our key with exp as text',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), { claims: { exp: String(seconds() + 60) } }),
  ],
  [
    'by our key with exp as a fraction',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { exp: seconds() + 60.5 } }),
  ],
  [
    'by our key without exp',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { exp: undefined } }),
  ],
  [
    'by our key without iat',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { iat: undefined } }),
  ],
  [
    'by our key, not yet valid',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { nbf: seconds() + 3600 } }),
  ],
  [
    'by our key, issued in an hour',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), {
        claims: { iat: seconds() + 3600, exp: seconds() + 3700 },
      }),
  ],
  [
    'by our key with an act inside',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), {
        claims: { act: { sub: OTHER_AGENT, iss: w.issuer }, agent_scope: '', actor_proof: 'token' },
      }),
  ],
  [
    'by our key for a user',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { sub: ANA.id } }),
  ],
  [
    'by our key as a service',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { sub_profile: 'service' } }),
  ],
  [
    'by our key with an id nobody recorded',
    async (w) =>
      resigned(w, await w.actorToken(AGENT), { claims: { jti: 'crd_helper.AAAAAAAAAAAAAAAA' } }),
  ],
  [
    'by our key with the recorded id of another agent',
    async (w) =>
      resigned(w, await w.actorToken(OTHER_AGENT), { claims: { sub: AGENT, client_id: AGENT } }),
  ],
  [
    'by our key made of the agent’s resource token',
    async (w) => resigned(w, await ofResource(w), { claims: { aud: w.issuer, scope: undefined } }),
  ],
  [
    'by our key with an id that is no path',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { jti: '../x' } }),
  ],
  [
    'by our key without jti',
    async (w) => resigned(w, await w.actorToken(AGENT), { claims: { jti: undefined } }),
  ],
  ['with a space before', async (w) => ` ${await w.actorToken(AGENT)}`],
  ['with padding after', async (w) => `${await w.actorToken(AGENT)}==`],
  ['with a newline after', async (w) => `${await w.actorToken(AGENT)}\n`],
  [
    'with the last character in another spelling',
    async (w) => respelled(await w.actorToken(AGENT)),
  ],
  [
    'with a space inside the signature',
    async (w) => {
      const t = await w.actorToken(AGENT);
      return `${t.slice(0, -10)} ${t.slice(-10)}`;
    },
  ],
  [
    'in base64 with + and /',
    async (w) => {
      // One signature in sixteen is spelled alike in both.
      let token = '';
      while (!/[-_]/.test(token)) token = await w.actorToken(AGENT);
      return token.replaceAll('-', '+').replaceAll('_', '/');
    },
  ],
  ['with a fourth part', async (w) => `${await w.actorToken(AGENT)}.AAAA`],
  ['with five parts', async (w) => `${await w.actorToken(AGENT)}.AAAA.AAAA`],
  [
    'as JSON serialisation',
    async (w) => {
      const [p, b, s] = (await w.actorToken(AGENT)).split('.');
      return JSON.stringify({ protected: p, payload: b, signature: s });
    },
  ],
  ['with a bearer prefix', async (w) => `Bearer ${await w.actorToken(AGENT)}`],
];

const proofs: readonly Attack[] = forged.map(([name, forge, expected = GONE]) => ({
  id: name.includes('another agent') ? 'D5' : 'D3',
  name: `an actor token ${name}; the code survives`,
  refs: ['16', '29'],
  run: async (w) => {
    const code = await w.ana.code();
    const tried = await w.ana.redeem(code, { actor_token: await forge(w) });
    return [seen(tried), seen(await w.honestly(() => w.ana.redeem(code)))];
  },
  expected: [expected, GOOD],
}));

const bindings: readonly Attack[] = [
  {
    id: 'D4',
    name: 'a client that may not front for the agent',
    run: async (w) => {
      const party = await w.cast();
      const { headers } = await party.browser.get(party.url({ requested_actor: AGENT }));
      return told(w, headers.location);
    },
    expected: NO_ACTOR,
  },
  {
    id: 'D4',
    name: 'the client is taken off the agent’s list between consent and redemption',
    run: async (w) => {
      const party = await w.cast();
      const code = await party.code();
      await w.registry.agents.patch('admin', party.agent, { clients: [] });
      await w.settle();
      return seen(await party.redeem(code));
    },
    expected: GONE,
    legitimate: {
      kinds: ['code'],
      because: 'a list is not an end: the code lives its minute and serves nobody',
    },
  },
  {
    id: 'D5',
    name: 'a code for one agent with the proof of another, through a client that fronts for both',
    run: async (w) =>
      seen(
        await w.ana.redeem(await w.ana.code(), { actor_token: await w.actorToken(OTHER_AGENT) }),
      ),
    expected: GONE,
  },
  {
    id: 'D6',
    name: 'an actor token is used twice',
    refs: ['57'],
    run: async (w) => {
      const actor_token = await w.actorToken(AGENT);
      await w.honestly(async () => w.ana.redeem(await w.ana.code(), { actor_token }));
      const code = await w.ana.code();
      return [
        seen(await w.ana.redeem(code, { actor_token })),
        seen(await w.honestly(() => w.ana.redeem(code))),
      ];
    },
    expected: [GONE, GOOD],
  },
  {
    id: 'D6',
    name: 'an actor token is used for twenty codes at once: one wins',
    refs: ['57'],
    legitimate: { kinds: ['token', 'refresh'], because: 'one of the twenty is as good as any' },
    run: async (w) => {
      const actor_token = await w.actorToken(AGENT);
      const codes = [];
      for (let n = 0; n < 20; n += 1) codes.push(await w.ana.code());
      return tallied(await seenAll(codes.map((code) => w.ana.redeem(code, { actor_token }))));
    },
    expected: { [GOOD]: 1, [GONE]: 19 },
  },
  {
    id: 'D6',
    name: 'an actor token used with a code is used again at a refresh',
    run: async (w) => {
      const actor_token = await w.actorToken(AGENT);
      const { body } = await w.honestly(async () =>
        w.ana.redeem(await w.ana.code(), { actor_token }),
      );
      return seen(await w.ana.refresh(body.refresh_token, { actor_token }));
    },
    expected: GONE,
  },
  {
    id: 'D7',
    name: 'the agent’s key is replaced between consent and redemption: a proof by the old key is refused',
    run: async (w) => {
      const party = await w.cast();
      const [code, actor_token] = [await party.code(), await party.actorToken()];
      const added = await w.registry.agents.addCredential('admin', party.agent, {
        kind: 'secret',
      } as never);
      await w.registry.agents.removeCredential('admin', party.agent, `crd_${party.agent}`);
      await w.settle();
      const tried = await party.redeem(code, { actor_token });
      w.secrets[party.agent] = added.secret ?? '';
      w.canaries.add('the new secret', added.secret);
      return [seen(tried), seen(await w.honestly(() => party.redeem(code)))];
    },
    expected: [GONE, GOOD],
  },
  {
    id: 'D7',
    name: 'the agent’s key is replaced after redemption: a refresh wants a fresh proof',
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token } = await party.tokens();
      const added = await w.registry.agents.addCredential('admin', party.agent, {
        kind: 'secret',
      } as never);
      await w.registry.agents.removeCredential('admin', party.agent, `crd_${party.agent}`);
      await w.settle();
      const tried = await party.refresh(refresh_token);
      w.secrets[party.agent] = added.secret ?? '';
      w.canaries.add('the new secret', added.secret);
      const proved = await w.honestly(async () =>
        party.refresh(refresh_token, { actor_token: await party.actorToken() }),
      );
      return [seen(tried), seen(proved)];
    },
    expected: [GONE, GOOD],
  },
];

const intersections: readonly Attack[] = [
  ...(
    [
      ['what the agent may not', 'files:delete'],
      ['what only permitted users may', 'admin:quota'],
      ['what nobody knows', 'files:fly'],
      ['everything', '*'],
      ['a wildcard', 'files:*'],
      ['a prefix', 'files:'],
      ['a longer name', 'files:reads'],
      ['another case', 'FILES:READ'],
      ['full width', 'ｆiles:read'],
      ['a homoglyph', 'files:reаd'],
      ['a comma list', 'files:read,files:list'],
      ['an inherited name', 'constructor'],
      ['__proto__', '__proto__'],
    ] as const
  ).map(
    ([name, scope]): Attack => ({
      id: 'D8',
      name: `nothing but ${name} is asked for: ends before any page`,
      run: async (w) =>
        new URL(
          (await w.ana.browser.get(w.ana.url({ scope }))).headers.location ?? '',
        ).searchParams.get('error'),
      expected: 'invalid_scope',
    }),
  ),
  ...(
    [
      'files:delete',
      'admin:quota',
      'files:fly',
      '*',
      'files:*',
      '__proto__',
      'files:reads',
    ] as const
  ).map(
    (scope): Attack => ({
      id: 'D9',
      name: `${scope} asked for beside what is allowed, and ticked by a hand-made form: never granted`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const party = await w.cast();
          const { verifier, challenge } = pkce();
          const url = party.url({ scope: `files:list ${scope}`, prompt: 'consent' }, challenge);
          const answer = await w.walk(party.browser, url, party.user, {
            scope: ['files:list', scope],
          });
          const code = new URL(answer.headers.location ?? '').searchParams.get('code') ?? '';
          return (await party.tokens({ code, verifier, redirectUri: party.redirectUri })).scope;
        }),
      expected: 'files:list',
    }),
  ),
  {
    id: 'D8',
    name: 'the agent loses a permission between consent and redemption: the token has what is left',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const code = await party.code();
      await w.registry.permissions.set('admin', {
        principal: party.agent,
        resource: FILES,
        scopes: ['files:list'],
      } as never);
      await w.settle();
      return (await party.tokens(code)).scope;
    },
    expected: 'files:list',
  },
  {
    id: 'D9',
    name: 'the agent loses all its permissions between consent and redemption',
    run: async (w) => {
      const party = await w.cast();
      const code = await party.code();
      await w.registry.permissions.remove('admin', party.agent, FILES);
      await w.settle();
      return seen(await party.redeem(code));
    },
    expected: GONE,
    legitimate: {
      kinds: ['code'],
      because: 'a permission is not an end: the code lives its minute and serves nobody',
    },
  },
];

const themselves: readonly Attack[] = [
  {
    id: 'D10',
    name: 'an agent signs in as if it were a user',
    run: async (w) => {
      const browser = w.browser();
      const { answer, url } = await browser.open(w.ana.url());
      const form = w.form(answer, '/sign-in', url);
      const secret = w.secrets[AGENT] ?? '';
      return seen(
        await browser.post(form.action, {
          ...Object.fromEntries(form.fields),
          email: AGENT,
          password: secret,
        }),
      );
    },
    expected: '403 page sign-in',
  },
  {
    id: 'D10',
    name: 'an agent asks for authorization as the client, of itself as the actor',
    run: async (w) => seen(await w.ana.browser.get(w.ana.url({ client_id: AGENT }))),
    expected: '400 page',
  },
  ...(['authorization_code', 'refresh_token'] as const).map(
    (grant_type): Attack => ({
      id: 'D11',
      name: `an agent asks for ${grant_type} by itself`,
      run: async (w) => {
        const { refresh_token } = await w.ana.tokens();
        return seen(
          await w.token(AGENT, {
            grant_type,
            refresh_token,
            code: 'x',
            redirect_uri: 'x',
            code_verifier: 'v'.repeat(43),
          }),
        );
      },
      expected: '400 unauthorized_client',
    }),
  ),
  ...(
    [
      ['sub', ANA.id],
      ['subject', ANA.id],
      ['subject_token', 'TOKEN'],
      ['requested_actor', OTHER_AGENT],
      ['actor_token', 'ACTOR'],
      ['on_behalf_of', ANA.id],
      ['login_hint', ANA.email],
      ['assertion', 'TOKEN'],
    ] as const
  ).map(
    ([name, value]): Attack => ({
      id: 'D11',
      name: `an agent’s client_credentials with ${name}: it still speaks for itself alone`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const sent =
            value === 'TOKEN'
              ? (await w.ana.tokens()).access_token
              : value === 'ACTOR'
                ? await w.actorToken(OTHER_AGENT)
                : value;
          const { body } = await w.token(AGENT, {
            grant_type: 'client_credentials',
            resource: FILES,
            [name]: sent,
          });
          const { sub, act, agent_scope, sub_profile } = claimsOf(body.access_token);
          return [sub, act, agent_scope, sub_profile];
        }),
      expected: [AGENT, undefined, undefined, 'ai_agent'],
    }),
  ),
  ...[
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:device_code',
    'password',
    'implicit',
    'urn:openid:params:grant-type:ciba',
    '__proto__',
    'constructor',
  ].map(
    (grant_type): Attack => ({
      id: 'D11',
      name: `grant_type=${grant_type}, which is not on`,
      run: async (w) => {
        const { access_token } = await w.ana.tokens();
        return seen(
          await w.token(AGENT, {
            grant_type,
            subject_token: access_token,
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            assertion: access_token,
            username: ANA.email,
            password: 'x',
          }),
        );
      },
      expected: '400 unsupported_grant_type',
    }),
  ),
];

const smuggled: readonly Attack[] = [
  ...(
    [
      ['the file server', FILES_CLIENT],
      ['the agent host', HOST],
      ['another agent', OTHER_AGENT],
      ['a service', SERVICE],
    ] as const
  ).map(
    ([name, as]): Attack => ({
      id: 'D3',
      name: `an actor token introspected by ${name}`,
      run: async (w) => (await w.introspect(await w.actorToken(AGENT), as)).body,
      expected: { active: false },
    }),
  ),
  {
    id: 'D3',
    name: 'an actor token as bearer at userinfo',
    run: async (w) =>
      seen(
        await w.send('/userinfo', {
          headers: {
            authorization: `Bearer ${await w.actorToken(AGENT)}`,
            accept: 'application/json',
          },
        }),
      ),
    expected: '401 invalid_token',
  },
  {
    id: 'D3',
    name: 'an actor token as a client assertion',
    run: async (w) => {
      const client_assertion = await w.actorToken(AGENT);
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      return seen(
        await w.token(undefined, {
          grant_type: 'client_credentials',
          resource: FILES,
          client_assertion,
          client_assertion_type,
        }),
      );
    },
    expected: '401 invalid_client',
  },
  {
    id: 'D3',
    name: 'an actor token for a scope',
    run: async (w) =>
      seen(
        await w.token(AGENT, {
          grant_type: 'client_credentials',
          resource: w.issuer,
          scope: 'files:read',
        }),
      ),
    expected: '400 invalid_scope',
  },
  {
    id: 'D3',
    name: 'an actor token for a service',
    run: async (w) =>
      seen(await w.token(SERVICE, { grant_type: 'client_credentials', resource: w.issuer })),
    expected: '400 invalid_target',
  },
  ...['/', '/token', '/x', '//', '?', '#x', '/.', ' ', '\0'].map(
    (suffix): Attack => ({
      id: 'D3',
      name: `an actor token for the issuer followed by ${JSON.stringify(suffix)}`,
      run: async (w) =>
        seen(
          await w.token(AGENT, {
            grant_type: 'client_credentials',
            resource: `${w.issuer}${suffix}`,
          }),
        ),
      expected: '400 invalid_target',
    }),
  ),
  {
    id: 'D3',
    name: 'a resource is registered at the issuer, so that its owner could read actor tokens: refused',
    unaudited: 'a change of the registry that did not happen',
    run: async (w) =>
      w.registry.resources
        .create('admin', {
          identifier: w.issuer,
          name: 'x',
          scopes: { 'x:y': { title: 'x', risk: 'read' } },
        } as never)
        .then(
          () => 'created',
          () => 'refused',
        ),
    expected: 'refused',
  },
  {
    id: 'D3',
    name: 'stolen code, verifier and redirect, with the thief’s own agent, through the victim’s client',
    run: async (w) => {
      const code = await w.ana.code();
      const thief = await w.cast();
      return [
        seen(await w.ana.redeem(code, { actor_token: await thief.actorToken() })),
        seen(await w.honestly(() => w.ana.redeem(code))),
      ];
    },
    expected: [GONE, GOOD],
  },
];

export const actors: readonly Attack[] = [
  ...unknown,
  ...changed,
  ...proofs,
  ...bindings,
  ...intersections,
  ...themselves,
  ...smuggled,
];
