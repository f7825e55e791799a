// M7, M8, M9: what is written down. Secrets that went astray are in no log; a dump of the database
// opens nothing; and whoever writes the audit's tables behind the broker's back is found out.
import { FILES, FILES_CLIENT, HOST } from '../../support/world.js';
import { forgiven } from '../support/admins.js';
import { type Attack, SERVED, seen } from '../support/attack.js';
import { dump, eventsSince, lastEventId } from '../support/ledger.js';
import { exchangeAs } from '../support/team.js';
import type { AttackWorld } from '../support/world.js';
import { call, team } from './admin.js';

/** Places nobody should put a secret, and somebody will. */
const ASTRAY: ReadonlyArray<
  readonly [name: string, send: (w: AttackWorld, secret: string) => Promise<unknown>]
> = [
  ['the query of a page', (w, secret) => w.send(`/authorize?${w.encode({ code: secret })}`)],
  ['the query of an endpoint', (w, secret) => w.send(`/token?client_secret=${secret}`)],
  ['a path', (w, secret) => w.send(`/revocations/${secret}`)],
  ['a path of the admin API', (w, secret) => w.send(`/admin/v1/agents/${secret}`)],
  ['a path that is encoded', (w, secret) => w.send(`/%2f${encodeURIComponent(secret)}`)],
  ['the client’s id', (w, secret) => w.post('/token', { ...OWN, client_id: secret })],
  ['the grant type', (w, secret) => w.token(HOST, { grant_type: secret })],
  [
    'the scope of an exchange',
    async (w, secret) => {
      const subject_token = (await w.honestly(() => w.ana.tokens())).access_token;
      return exchangeAs(w, w.ana.agent, { subject_token, scope: secret });
    },
  ],
  ['the scope', (w, secret) => w.token(w.ana.agent, { ...OWN, scope: secret })],
  ['the actor', (w, secret) => w.ana.browser.get(w.ana.url({ requested_actor: secret }))],
  ['the resource', (w, secret) => w.token(HOST, { ...OWN, resource: `https://${secret}/` })],
  ['the state', (w, secret) => w.ana.browser.get(w.ana.url({ scope: 'none', state: secret }))],
  ['the Referer', (w, secret) => w.send('/none', { headers: { referer: `https://a/${secret}` } })],
  ['the User-Agent', (w, secret) => w.send('/none', { headers: { 'user-agent': secret } })],
  ['the request id', (w, secret) => w.send('/none', { headers: { 'x-request-id': secret } })],
  [
    'the method',
    (w, secret) => w.send('/none', { method: 'GET', headers: { 'x-http-method': secret } }),
  ],
];
const OWN = { grant_type: 'client_credentials', resource: FILES };

const astray: readonly Attack[] = [
  {
    id: 'M7',
    name: 'a live token and a secret are sent where they do not belong: no log line and no event has them',
    run: async (w) => {
      const { access_token } = await w.ana.tokens();
      const secrets = [access_token, w.secrets[HOST] as string];
      const told: string[] = [];
      for (const [name, send] of ASTRAY) {
        const since = [w.output().length, await lastEventId(w.db)] as const;
        for (const secret of secrets) await send(w, secret);
        const events = await eventsSince(w.db, since[1]);
        const texts = [w.output().slice(since[0]), ...events.map(({ text }) => text)];
        if (texts.some((text) => w.canaries.found(text).length > 0)) told.push(name);
      }
      return told;
    },
    expected: [],
    repeats: 'whoever sends a state gets it back: it is theirs (RFC 6749 §4.1.2)',
    neighbour: (w) => w.token(w.ana.agent, OWN),
  },
];

/** What the tables hold of something that opens a door. */
const columns = (w: AttackWorld, statement: string): Promise<string[]> =>
  w.db.run<{ value: string }>(statement).then((rows) => rows.map(({ value }) => value));

const dumped: readonly Attack[] = [
  {
    id: 'M8',
    name: 'every value a dump has for a refresh token or a code is presented as one',
    legitimate: { kinds: ['code', 'refresh'], because: 'their rows were there before' },
    run: async (w) => {
      await w.ana.code();
      await w.ana.tokens();
      const values = await columns(
        w,
        `select id as value from artifacts where model in ('AuthorizationCode', 'RefreshToken')
           and consumed_at is null
         union select payload ->> 'jti' from artifacts where payload ? 'jti'
         union select uid from artifacts where uid is not null limit 40`,
      );
      const sights = new Set<string>();
      for (const value of values) {
        sights.add(seen(await w.ana.refresh(value)));
        const from = { code: value, verifier: 'v'.repeat(43), redirectUri: w.ana.redirectUri };
        const fields = await w.ana.redemption(from, { actor_token: undefined });
        sights.add(seen(await w.token(HOST, fields)));
      }
      return [values.length > 2, ...sights];
    },
    expected: [true, '400 invalid_grant'],
    neighbour: async (w) => w.ana.redeem(await w.ana.code()),
  },
  {
    id: 'M8',
    name: 'every hash of a dump is presented as the secret it is of',
    run: async (w) => {
      const rows = await w.db.run<{ principal: string; hash: string }>(
        'select principal, secret_hash as hash from credentials where secret_hash is not null limit 12',
      );
      const sights = new Set<string>();
      for (const { principal, hash } of rows) {
        const base64 = Buffer.from(hash, 'hex').toString('base64url');
        for (const secret of [hash, base64]) {
          const authorization = `Basic ${btoa(`${principal}:${secret}`)}`;
          sights.add(seen(await w.post('/token', OWN, undefined, { authorization })));
        }
      }
      return [rows.length > 4, ...sights];
    },
    expected: [true, '401 invalid_client'],
  },
  {
    id: 'M8',
    name: 'every session of a dump is put into a cookie',
    run: async (w) => {
      const ids = await columns(
        w,
        `select id as value from artifacts where model = 'Session'
         union select uid from artifacts where model = 'Session'
         union select payload ->> 'jti' from artifacts where model = 'Session'`,
      );
      const sights = new Set<string>();
      for (const id of ids.filter((one) => one !== null)) {
        const cookie = `behalf_session=${id}; __Host-behalf_session=${id}`;
        const { headers } = await w.send(
          new URL(w.ana.url({ prompt: 'none' })).href.slice(w.issuer.length),
          { headers: { cookie } },
        );
        sights.add(/[?&]code=/.test(headers.location ?? '') ? 'a code' : 'no code');
        const me = await w.send('/me', { headers: { cookie } });
        sights.add(me.text.includes('ana@example.com') ? 'her page' : 'no page');
      }
      return [ids.length > 0, ...sights];
    },
    expected: [true, 'no code', 'no page'],
  },
  {
    id: 'M8',
    name: 'a password’s hash and a signing key, as a dump has them',
    run: async (w) => {
      const [hash = ''] = await columns(w, `select password_hash as value from users limit 1`);
      await w.db.run('delete from sign_in_failures');
      const browser = w.browser();
      const { answer, url } = await browser.open(w.ana.url());
      const form = w.form(answer, '/sign-in', url);
      const fields = Object.fromEntries(form.fields);
      const { email } = w.ana.user;
      const tried = await browser.post(form.action, { ...fields, email, password: hash });
      const text = await dump(w.db);
      return [seen(tried), /BEGIN [A-Z ]*PRIVATE KEY|"d":\s*"[\w-]{20,}"/.test(text)];
    },
    expected: ['403 page sign-in', false],
  },
];

const LAST = '(select max(id) from audit_events)';

/** Done, looked at, undone: the audit of the cases after it is whole again. */
const TAMPERINGS: ReadonlyArray<readonly [name: string, doing: readonly string[]]> = [
  [
    'an event says somebody else did it',
    [`update audit_events set by = 'agt_mallory' where id = {id}`],
  ],
  [
    'an event says something else happened',
    [`update audit_events set type = 'tool.allowed' where id = {id}`],
  ],
  [
    'an event is about another user',
    [`update audit_events set sub = 'usr_mallory' where id = {id}`],
  ],
  [
    'an event happened at another time',
    [`update audit_events set at = at - interval '1 day' where id = {id}`],
  ],
  ['an event is gone', [`delete from audit_events where id = {id}`]],
  [
    'an event never happened, and is there',
    [
      `insert into audit_events (type, by, chain, seq, hash) select type, by, chain, seq + 500000, hash from audit_events where id = {id}`,
    ],
  ],
  [
    'two events change places',
    [
      `update audit_events set seq = seq + 900000 where id = {id}`,
      `update audit_events set seq = seq + 1 where id = {other}`,
    ],
  ],
  [
    'the newest events of a chain are cut off',
    [
      `delete from audit_events where (chain, seq) in (select chain, seq from audit_events where chain = (select chain from audit_events where id = {id}) order by seq desc limit 2)`,
    ],
  ],
  [
    'every event is gone but those of tokens',
    ["delete from audit_events where type <> 'token.issued'"],
  ],
];

const tampered: readonly Attack[] = TAMPERINGS.map(([name, doing]) => ({
  id: 'M9',
  name: `behind the broker’s back, ${name}: it is told of`,
  unaudited: SERVED,
  run: async (w) => {
    await forgiven(w);
    await team(w);
    const verified = async () => {
      const { status, body } = await call(w, 'POST', '/audit/verify', { as: 'reader', body: {} });
      return [status, body.findings?.length > 0];
    };
    const before = await verified();
    await w.db.run('create table behalf_test_kept as select * from audit_events');
    const [row] = await w.db.run<{ id: string; other: string }>(
      `select id, (select id from audit_events o where o.chain = e.chain and o.seq < e.seq
         order by o.seq desc limit 1) as other
       from audit_events e where seq > 3 and id < ${LAST} order by id desc limit 1`,
    );
    for (const statement of doing) {
      await w.db.run(
        statement.replaceAll('{id}', String(row?.id)).replaceAll('{other}', String(row?.other)),
      );
    }
    const after = await verified();
    await w.db.run('delete from audit_events');
    await w.db.run(
      'insert into audit_events overriding system value select * from behalf_test_kept',
    );
    await w.db.run('drop table behalf_test_kept');
    return [before, after, await verified()];
  },
  expected: [
    [200, false],
    [200, true],
    [200, false],
  ],
}));

const DECISION = {
  at: 0,
  allowed: true,
  tool: 'read_file',
  jti: 'crd_x.t1',
  sub: 'usr_ana',
  act: null,
  client_id: HOST,
  resource: FILES,
  required: [],
  missing_user: [],
  missing_agent: [],
};

/** A report of one decision, with whatever is said differently. */
const reported = (w: AttackWorld, more: object) =>
  w.send('/decisions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...w.auth(FILES_CLIENT) },
    body: JSON.stringify({ decisions: [{ ...DECISION, ...more }] }).replace('{issuer}', w.issuer),
  });

/** What a resource server says is its word, and stays within what is its own. */
const told: readonly Attack[] = [
  ...(
    [
      ['of another resource', { resource: 'https://notes.example/api' }, 403],
      ['of the issuer', { resource: '{issuer}' }, 403],
      ['with a type of its own', { type: 'token.issued' }, 400],
      ['with an author', { by: 'agt_guard' }, 400],
      ['with a grant', { grant_id: 'gnt_x' }, 400],
      ['with a link', { hash: 'ff', chain: 1, seq: 1 }, 400],
    ] as const
  ).map(
    ([name, more, status]): Attack => ({
      id: 'M9',
      name: `a resource server reports a decision ${name}: refused, and nothing is written`,
      run: async (w) => {
        const { id } = (await w.db.run<{ id: number }>(`select ${LAST} as id`))[0] ?? {};
        const tried = await reported(w, more);
        const written = await w.db.run<{ by: string; type: string }>(
          'select by, type from audit_events where id > $1',
          [id],
        );
        return [tried.status, written];
      },
      expected: [status, [{ by: FILES_CLIENT, type: 'request.refused' }]],
      neighbour: async (w) => {
        const { status: answered } = await reported(w, {});
        if (answered !== 204) throw new Error(`a good report: ${answered}`);
      },
    }),
  ),
  {
    id: 'M9',
    name: 'a resource server says how far it has come for a resource that is not its own',
    run: async (w) => {
      const body = JSON.stringify({
        position: 0,
        resource: 'https://notes.example/api',
        instance: 'one',
      });
      const headers = { 'content-type': 'application/json', ...w.auth(FILES_CLIENT) };
      return seen(await w.send('/revocations/ack', { method: 'POST', headers, body }));
    },
    expected: '403 access_denied',
  },
  {
    id: 'M9',
    name: 'a resource server publishes tools for a resource that is not its own',
    run: async (w) => {
      const body = JSON.stringify({ resource: 'https://notes.example/api', tools: {} });
      const headers = { 'content-type': 'application/json', ...w.auth(FILES_CLIENT) };
      return seen(await w.send('/tools', { method: 'POST', headers, body }));
    },
    expected: '403 access_denied',
  },
  ...(
    [
      ['a NUL in its tool', { tool: 'a\0b' }],
      ['half a character in its tool', { tool: 'a\ud800b' }],
      ['a NUL in a scope', { required: ['a\0b'] }],
      ['a NUL as token id', { jti: '\0' }],
    ] as const
  ).map(
    ([name, more]): Attack => ({
      id: 'M6',
      name: `a resource server reports ${name}: written down without it`,
      unaudited: SERVED,
      run: async (w) => {
        const { status } = await reported(w, more);
        const [row] = await w.db.run<{ text: string }>(
          `select a::text as text from audit_events a where id = ${LAST}`,
        );
        return [status, row?.text.includes('\ufffd')];
      },
      expected: [204, true],
    }),
  ),
];

export const writtenDown: readonly Attack[] = [...astray, ...dumped, ...tampered, ...told];
