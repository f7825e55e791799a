// A5, K1, K7–K10, K12, K13: clients nobody asked for. What they say must run nowhere, widen nothing, hide behind
// no name, fill no disk, and give nobody power over another's registration.
import { createBrowserless } from '../../../examples/demo/walk-pages.js';
import { linesOf } from '../../pages/text.js';
import { authorizeUrl, pkce } from '../../support/broker.js';
import { AGENT, ANA, FILES, HOST } from '../../support/world.js';
import { type Attack, SERVED, seen, tallied } from '../support/attack.js';
import type { Answer } from '../support/http.js';
import { createParty } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const send = (w: AttackWorld, body: string | Buffer, headers: Record<string, string> = {}) =>
  w.send('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/html', ...headers },
    body,
  });

let n = 0;
const metadata = (more: object = {}): Record<string, unknown> => {
  n += 1;
  return {
    client_name: `Guest ${n}`,
    redirect_uris: [`https://guest${n}.example/cb`],
    token_endpoint_auth_method: 'client_secret_basic',
    ...more,
  };
};
const register = (w: AttackWorld, more: object = {}) => send(w, JSON.stringify(metadata(more)));

/** One that is there; its secrets are watched for. */
const guest = (w: AttackWorld, more: object = {}) =>
  w.honestly(async () => {
    const { status, body, text } = await register(w, more);
    if (status !== 201) throw new Error(`${status} ${text}`);
    w.canaries.add(`secret of ${body.client_id}`, body.client_secret);
    w.canaries.add(`registration token of ${body.client_id}`, body.registration_access_token);
    if (body.client_secret !== undefined) w.secrets[body.client_id] = body.client_secret;
    return body;
  });

const SCHEMES = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'javascript://host.example/%0aalert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://host.example/x',
  'about:blank',
  'filesystem:https://host.example/x',
  'view-source:https://host.example/',
  'intent://x#Intent;end',
  'ws://host.example/',
];
const URI_MEMBERS = ['client_uri', 'logo_uri', 'policy_uri', 'jwks_uri'] as const;

const uris: readonly Attack[] = SCHEMES.flatMap((uri): Attack[] => [
  {
    id: 'A5',
    name: `a client registers ${uri} as where it is answered`,
    refs: ['CVE-2026-22752'],
    run: async (w) => [
      seen(await register(w, { redirect_uris: [uri] })),
      seen(await register(w, { redirect_uris: ['https://fine.example/cb', uri] })),
    ],
    expected: ['400 invalid_redirect_uri', '400 invalid_redirect_uri'],
  },
  {
    id: 'A5',
    name: `a client registers ${uri} as one of its pages`,
    refs: ['CVE-2026-22752'],
    run: async (w) => {
      const answers: Answer[] = [];
      for (const member of URI_MEMBERS) answers.push(await register(w, { [member]: uri }));
      return tallied(answers.map(seen));
    },
    expected: { '400 invalid_client_metadata': URI_MEMBERS.length },
  },
]);

/** A client row without what is its own by right. */
async function rowOf(w: AttackWorld, id: string): Promise<string> {
  const [row] = await w.db.run<{ row: string }>(
    `select (to_jsonb(c) - 'id' - 'name' - 'redirect_uris' - 'created_at')::text as row
     from clients c where id = $1`,
    [id],
  );
  return row?.row ?? '';
}

const INJECTED: ReadonlyArray<readonly [string, unknown]> = [
  ['act', { sub: AGENT }],
  ['sub', ANA.id],
  ['roles', ['staff']],
  ['tenant', 'other'],
  ['client_id', HOST],
  ['id', 'cli_mine'],
  ['client_secret', 'x'.repeat(43)],
  ['client_id_issued_at', 1],
  ['registration_access_token', 'x'.repeat(43)],
  ['registration_client_uri', 'https://evil.example/'],
  ['kind', 'service'],
  ['origin', 'operator'],
  ['status', 'retired'],
  ['agent_id', AGENT],
  ['agentId', AGENT],
  ['may_exchange', true],
  ['mayExchange', true],
  ['permissions', [{ resource: FILES, scopes: ['files:write'] }]],
  ['entity_profiles', ['ai_agent']],
  ['sub_profile', 'ai_agent'],
  ['not_before', '2000-01-01T00:00:00Z'],
  ['fapi', true],
  ['subject_type', 'pairwise'],
  ['request_uris', ['https://evil.example/r']],
  ['initiate_login_uri', 'https://evil.example/'],
  ['backchannel_logout_uri', 'http://169.254.169.254/'],
  ['sector_identifier_uri', 'http://127.0.0.1:1/'],
  ['id_token_signed_response_alg', 'none'],
  ['userinfo_signed_response_alg', 'HS256'],
  ['grant_types', ['authorization_code', 'client_credentials', 'password', 'implicit']],
  ['response_types', ['code', 'token', 'id_token']],
  ['scope', 'admin:security admin:write files:delete'],
  ['default_acr_values', ['urn:behalf:acr:mfa']],
  ['constructor', { prototype: {} }],
];
const ECHOED = ['scope'];

const injected: readonly Attack[] = [
  ...INJECTED.map(
    ([member, value]): Attack => ({
      id: 'K7',
      name: `a client registers with ${member} = ${JSON.stringify(value)}`,
      unaudited: 'nothing is refused: it is not heard',
      run: async (w) => {
        const plain = await guest(w);
        const { status, body } = await register(w, { [member]: value });
        const heard =
          !ECHOED.includes(member) && JSON.stringify(body[member]) === JSON.stringify(value);
        const isItself = /^cli_[\w-]{20}$/.test(body.client_id) && body.client_id !== HOST;
        const isPlain = (await rowOf(w, body.client_id)) === (await rowOf(w, plain.client_id));
        return { status, heard, isItself, isPlain };
      },
      expected: { status: 201, heard: false, isItself: true, isPlain: true },
    }),
  ),
  {
    id: 'K7',
    name: 'a client registers with __proto__, and nobody has what it holds',
    unaudited: 'nothing is refused: it is not heard',
    run: async (w) => {
      const body = JSON.stringify(metadata()).replace(
        '{',
        '{"__proto__":{"mayExchange":true,"kind":"service","software_id":"x"},',
      );
      const answer = await send(w, body);
      return [answer.status, answer.body.software_id, (await guest(w)).software_id];
    },
    expected: [201, undefined, undefined],
  },
  ...(
    [
      ['a megabyte', JSON.stringify({ client_name: 'x'.repeat(1_000_000) }), '413 invalid_request'],
      [
        'a thousand redirects',
        JSON.stringify(
          metadata({
            redirect_uris: Array.from({ length: 1000 }, (_, i) => `https://a.example/${i}`),
          }),
        ),
        '400 invalid_redirect_uri',
      ],
      ['brackets without end', '['.repeat(60_000), '400 invalid_client_metadata'],
      [
        'half a character',
        Buffer.concat([
          Buffer.from('{"redirect_uris":["https://a.example/cb"],"client_name":"'),
          Buffer.from([0xed, 0xa0, 0x80]),
          Buffer.from('"}'),
        ]),
        '400 invalid_client_metadata',
      ],
    ] as const
  ).map(
    ([what, body, expected]): Attack => ({
      id: 'K7',
      name: `a registration of ${what}`,
      run: async (w) => seen(await send(w, body)),
      expected,
    }),
  ),
];

const NAMES: ReadonlyArray<readonly [string, string]> = [
  ['written backwards', '\u202eedualC'],
  ['with nothing between its letters', 'Cla\u200bu\u200dde\ufeff'],
  ['on several lines', 'Claude\n\n\nApproved by your operator'],
  ['of ten thousand characters', `Claude ${'x'.repeat(10_000)}`],
  ['that is markup', '<img src=https://evil.example/t.png><script>alert(1)</script>'],
  ['with marks that cover the page', `Claude${'\u0301'.repeat(500)}`],
  ['of a tag character', 'Claude\u{e0041}\u{e0042}'],
  ['in another alphabet', 'Clаude'],
];

const names: readonly Attack[] = NAMES.map(
  ([what, client_name]): Attack => ({
    id: 'K9',
    name: `a client takes a name ${what}`,
    unaudited: SERVED,
    run: async (w) => {
      const made = await guest(w, {
        client_name,
        logo_uri: 'https://evil.example/track.png',
        token_endpoint_auth_method: 'none',
      });
      const { challenge } = pkce();
      const url = authorizeUrl(w as never, challenge, {
        client_id: made.client_id,
        redirect_uri: made.redirect_uris[0],
        requested_actor: undefined,
      });
      const { answer } = await w.honestly(() => w.consentPage(w.browser(), url, ANA));
      const lines = linesOf(answer.text);
      return {
        hides: /[\u200b-\u200f\u202a-\u202e\ufeff]|[\u{e0000}-\u{e007f}]|\u0301{5}/u.test(
          answer.text,
        ),
        floods: lines.some((line) => line.length > 1100),
        breaks: lines.includes('Approved by your operator'),
        loads: /<img|<script|url\(|<link[^>]*evil/.test(answer.text),
        isMarked: lines[1]?.startsWith('Unverified '),
        showsHost: lines.includes(new URL(made.redirect_uris[0]).host),
      };
    },
    expected: {
      hides: false,
      floods: false,
      breaks: false,
      loads: false,
      isMarked: true,
      showsHost: true,
    },
  }),
);

const managing = (
  w: AttackWorld,
  method: string,
  client: string,
  token: string,
  body?: object,
): Promise<Answer> =>
  w.send(`/register/${client}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const TOKENS: ReadonlyArray<
  readonly [string, (w: AttackWorld) => Promise<readonly [string, string]>]
> = [
  [
    'of another client',
    async (w) => [(await guest(w)).client_id, (await guest(w)).registration_access_token],
  ],
  [
    'of itself at a client of the operator',
    async (w) => [HOST, (await guest(w)).registration_access_token],
  ],
  ['of itself at an agent', async (w) => [AGENT, (await guest(w)).registration_access_token]],
  [
    'that is its secret',
    async (w) => {
      const made = await guest(w);
      return [made.client_id, made.client_secret];
    },
  ],
  [
    'from before a change',
    async (w) => {
      const made = await guest(w);
      const { client_id, redirect_uris, registration_access_token: token } = made;
      await w.honestly(() => managing(w, 'PUT', client_id, token, { client_id, redirect_uris }));
      return [client_id, token];
    },
  ],
  [
    'of a client that is gone',
    async (w) => {
      const made = await guest(w);
      await w.honestly(() => managing(w, 'DELETE', made.client_id, made.registration_access_token));
      return [made.client_id, made.registration_access_token];
    },
  ],
  [
    'of one that is shared since',
    async (w) => {
      const said = metadata({ token_endpoint_auth_method: 'none' });
      return w.honestly(async () => {
        const { body: first } = await send(w, JSON.stringify(said));
        await send(w, JSON.stringify(said));
        return [first.client_id, first.registration_access_token] as const;
      });
    },
  ],
  [
    'that is an access token of its own',
    async (w) => {
      const made = await guest(w);
      return [made.client_id, await w.actorToken(AGENT)];
    },
  ],
];

const tokens: readonly Attack[] = TOKENS.map(
  ([what, make]): Attack => ({
    id: 'K10',
    name: `a registration is read, replaced and deleted with a token ${what}`,
    run: async (w) => {
      const [client, token] = await make(w);
      const before = await rowOf(w, client);
      const answers: Answer[] = [];
      for (const method of ['GET', 'PUT', 'DELETE']) {
        answers.push(await managing(w, method, client, token, { client_id: client }));
      }
      return [tallied(answers.map(seen)), (await rowOf(w, client)) === before];
    },
    expected: [{ '401 invalid_token': 3 }, true],
    neighbour: async (w) => {
      const made = await guest(w);
      return managing(w, 'GET', made.client_id, made.registration_access_token);
    },
  }),
);

/** Whoever came until now came hours ago: the network has its quota again. */
const hoursLater = (w: AttackWorld) =>
  w.db.run("update client_registrations set created_at = created_at - interval '2 hours'");

const stolen: readonly Attack[] = [
  {
    id: 'K1',
    name: 'every hash a dump has of a guest’s secret and tokens is presented as what it is of',
    run: async (w) => {
      await hoursLater(w);
      const made = await guest(w);
      await w.registry.initialTokens.create('cli', {});
      const [row] = await w.db.run<Record<'secret' | 'own' | 'initial', string>>(
        `select secret_hash as secret, r.token_hash as own,
           (select token_hash from initial_access_tokens where used_at is null limit 1) as initial
         from client_registrations r join credentials c on c.principal = r.client_id
         where r.client_id = $1`,
        [made.client_id],
      );
      const { secret, own, initial } = row as NonNullable<typeof row>;
      const spelled = (hash: string) => [hash, Buffer.from(hash, 'hex').toString('base64url')];
      const answers: Answer[] = [];
      for (const hash of spelled(secret)) {
        const authorization = `Basic ${btoa(`${made.client_id}:${hash}`)}`;
        const fields = { grant_type: 'refresh_token', refresh_token: 'x' };
        answers.push(await w.post('/token', fields, undefined, { authorization }));
      }
      for (const hash of spelled(own)) {
        answers.push(await managing(w, 'GET', made.client_id, hash));
      }
      for (const hash of spelled(initial)) {
        const authorization = `Bearer ${hash}`;
        answers.push(await send(w, JSON.stringify(metadata()), { authorization }));
      }
      return answers.map(seen);
    },
    expected: [
      ...['401 invalid_client', '401 invalid_client'],
      ...['401 invalid_token', '401 invalid_token', '401 invalid_token', '401 invalid_token'],
    ],
    neighbour: async (w) => {
      const made = await guest(w);
      return managing(w, 'GET', made.client_id, made.registration_access_token);
    },
  },
];

/** A program on Ana's device that calls itself what she knows, once she agreed to it. */
async function impostor(w: AttackWorld) {
  const redirectUri = 'http://127.0.0.1:7777/callback';
  const { client_id: client } = await guest(w, {
    client_name: 'Claude Code',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  const { user } = w.ana;
  const party = createParty(w, { user, client, redirectUri, agent: '', scope: 'files:read' });
  await w.honestly(() => party.consent());
  return party;
}

const impersonation: readonly Attack[] = [
  {
    id: 'K12',
    name: 'a program on loopback registers as a known app: the page, each time, with where it answers on it',
    unaudited: SERVED,
    run: async (w) => {
      const party = await impostor(w);
      const again = await party.browser.get(party.url());
      const { text } = await party.browser.get(again.headers.location ?? '');
      const lines = linesOf(text);
      return {
        again: seen(again),
        isMarked: lines[1]?.startsWith('Unverified Claude Code registered itself here.'),
        showsWhere: lines.includes(party.redirectUri),
        loads: /<img/.test(text),
      };
    },
    expected: { again: '303 to interaction', isMarked: true, showsWhere: true, loads: false },
  },
  {
    id: 'K12',
    name: 'a program on loopback registers as a known app, without a page (prompt=none)',
    run: async (w) => {
      const party = await impostor(w);
      return seen(await party.browser.get(party.url({ prompt: 'none' })));
    },
    expected: '303 to client consent_required',
  },
];

/** What a guest asks for that nobody gave it; the nearest is in `rfc/registration`. */
const beyond: readonly Attack[] = [
  {
    id: 'K13',
    name: 'a registered client asks for a token of its own, and to exchange one',
    run: async (w) => {
      const { client_id } = await guest(w);
      return [
        seen(await w.token(client_id, { grant_type: 'client_credentials', resource: FILES })),
        seen(
          await w.token(client_id, {
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            subject_token: await w.actorToken(AGENT),
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          }),
        ),
        seen(await w.token(client_id, { grant_type: 'password', username: 'a', password: 'b' })),
      ];
    },
    expected: ['400 unauthorized_client', '400 unauthorized_client', '400 unsupported_grant_type'],
  },
  ...(
    [
      ['an agent nobody lets it front for', { requested_actor: AGENT }, 'invalid_request'],
      ['a resource there is not', { resource: 'https://other.example/' }, 'invalid_target'],
      ['a scope the resource has not', { scope: 'mail:read' }, 'invalid_scope'],
    ] as const
  ).map(
    ([what, params, error]): Attack => ({
      id: 'K13',
      name: `a registered client asks for ${what}`,
      run: async (w) => {
        const made = await guest(w);
        const url = authorizeUrl(w as never, pkce().challenge, {
          client_id: made.client_id,
          redirect_uri: made.redirect_uris[0],
          requested_actor: undefined,
          ...params,
        });
        const response = await createBrowserless(w.issuer).request(url);
        return new URL(response.headers.get('location') ?? '').searchParams.get('error');
      },
      expected: error,
    }),
  ),
];

const FLOOD = 130;
const QUOTA = 100;

/** Last, for they leave nothing of the network's quota. */
const floods: readonly Attack[] = [
  {
    id: 'K8',
    name: `${FLOOD} clients at once from one network`,
    run: async (w) => {
      await hoursLater(w);
      const answers = await Promise.all(Array.from({ length: FLOOD }, () => register(w)));
      const told = answers.filter(({ status }) => status === 429);
      const waits = told.map(({ headers }) => Number(headers['retry-after']));
      return [tallied(answers.map(seen)), waits.every((wait) => wait > 0 && wait <= 3600)];
    },
    expected: [{ '201 json': QUOTA, '429 temporarily_unavailable': FLOOD - QUOTA }, true],
    neighbour: async (w) => {
      // Somebody an operator expects is let in all the same.
      const { token } = await w.registry.initialTokens.create('cli', {});
      const { status, body } = await send(w, JSON.stringify(metadata()), {
        authorization: `Bearer ${token}`,
      });
      if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
    },
  },
  {
    id: 'K8',
    name: 'one client changes itself without end, and has everybody’s decisions taken again',
    run: async (w) => {
      await w.db.run(
        "update client_registrations set created_at = created_at - interval '2 hours'",
      );
      const made = await guest(w);
      const { client_name, redirect_uris } = made;
      let [token, changed, told] = [made.registration_access_token, 0, ''];
      const epoch = async () =>
        Number((await w.db.run<{ epoch: number }>('select epoch from policy_epoch'))[0]?.epoch);
      const before = await epoch();
      for (let count = 0; count < QUOTA + 5; count += 1) {
        const answer = await w.send(`/register/${made.client_id}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
          body: JSON.stringify({ client_id: made.client_id, client_name, redirect_uris }),
        });
        told = seen(answer);
        if (answer.status !== 200) continue;
        changed += 1;
        token = answer.body.registration_access_token;
        w.canaries.add(`registration token ${count} of ${made.client_id}`, token);
      }
      return [changed <= QUOTA, (await epoch()) - before <= QUOTA, told];
    },
    expected: [true, true, '429 temporarily_unavailable'],
  },
  {
    id: 'K8',
    name: 'a flood of one and the same client, which needs no room',
    unaudited: SERVED,
    run: async (w) => {
      await hoursLater(w);
      const said = JSON.stringify(metadata({ token_endpoint_auth_method: 'none' }));
      const before = await rows(w);
      const answers = await Promise.all(Array.from({ length: FLOOD }, () => send(w, said)));
      return [tallied(answers.map(seen)), (await rows(w)) - before];
    },
    expected: [{ '201 json': FLOOD }, 1],
  },
];

const rows = async (w: AttackWorld): Promise<number> => {
  const [row] = await w.db.run<{ n: number }>(
    'select count(*)::int as n from client_registrations',
  );
  return row?.n ?? 0;
};

export const registration: readonly Attack[] = [
  ...uris,
  ...injected,
  ...names,
  ...tokens,
  ...stolen,
  ...impersonation,
  ...beyond,
  ...floods,
];
