// M: administration. Who has no standing gets nothing; who has some gets no more than it says.
import { ADMIN_TOKEN } from '../../support/broker.js';
import { AGENT, ANA, BEN, FILES, FILES_CLIENT, OTHER_AGENT, SERVICE } from '../../support/world.js';
import {
  type AdminCall,
  adminAt,
  adminCalls,
  administrators,
  forgiven,
} from '../support/admins.js';
import { type Attack, SERVED, seen, tallied } from '../support/attack.js';
import type { AttackWorld } from '../support/world.js';

/** One team a world: their ids are taken once. */
export const team = administrators();
export const call = adminCalls(team);
const at = encodeURIComponent;
const FAULT = 'an administrator’s mistake: nothing was decided about who may what';

/** A change that somebody with less may not make; the same made by `guard` goes through. */
type Try = readonly [name: string, method: string, path: string, body?: object];

/** `<admin>` in a path stands for the identifier of the admin API. */
const wherever = (w: AttackWorld, path: string): string => path.replace('<admin>', at(adminAt(w)));

const tries = (id: string, as: AdminCall['as'], told: number, list: readonly Try[]): Attack[] =>
  list.map(([name, method, path, body]) => ({
    id,
    name: `${as ?? 'nobody'}: ${name}`,
    ...(told === 403 || told === 401 ? {} : { unaudited: FAULT }),
    run: async (w) => {
      await forgiven(w);
      return (await call(w, method, wherever(w, path), { as, body })).status;
    },
    expected: told,
    ...(told === 403 ? { neighbour: (w: AttackWorld) => call(w, 'GET', '/agents', { as }) } : {}),
  }));

const DEFAULTS = ['admin', 'administrator', 'password', 'changeme', 'behalf', 'root', 'test'];

const bootstrap: readonly Attack[] = [
  ...DEFAULTS.flatMap((word): Attack[] => [
    {
      id: 'M1',
      name: `no default bearer: ${word}`,
      run: async (w) => {
        await forgiven(w);
        return (await call(w, 'GET', '/agents', { token: word })).status;
      },
      expected: 401,
    },
    {
      id: 'M1',
      name: `no default account: admin with ${word}, as Basic`,
      run: async (w) => {
        await forgiven(w);
        const authorization = `Basic ${btoa(`admin:${word}`)}`;
        return (await call(w, 'GET', '/agents', { headers: { authorization } })).status;
      },
      expected: 401,
    },
  ]),
  {
    id: 'M1',
    name: '20 calls at once that make the first administrator: one does',
    run: async (w) => {
      await forgiven(w);
      const ids = await w.honestly(async () => {
        const made = Array.from({ length: 20 }, (_, n) =>
          w.registry.agents.create('cli', { name: `Racer ${n}`, owner: 'Ops' }),
        );
        return (await Promise.all(made)).map(({ agent }) => agent.id);
      });
      const body = { scopes: ['admin:security'] };
      const answers = await Promise.all(
        ids.map((id) =>
          call(w, 'PUT', wherever(w, `/permissions/${id}/<admin>`), { token: ADMIN_TOKEN, body }),
        ),
      );
      return tallied(answers.map(({ status }) => String(status)));
    },
    expected: { 200: 1, 401: 19 },
  },
  ...(['GET', 'POST', 'PATCH'] as const).map(
    (method): Attack => ({
      id: 'M1',
      name: `the bootstrap token after the first administrator: ${method}`,
      run: async (w) => {
        await team(w);
        await forgiven(w);
        const path = method === 'PATCH' ? `/users/${ANA.id}` : '/roles';
        const body = method === 'GET' ? undefined : { name: 'mine' };
        return (await call(w, method, path, { token: ADMIN_TOKEN, body })).status;
      },
      expected: 401,
      neighbour: (w) => call(w, 'GET', '/roles', { as: 'reader' }),
    }),
  ),
  {
    id: 'M1',
    name: 'the bootstrap token as a client secret, an actor token, and at userinfo',
    run: async (w) => {
      const secret = { authorization: `Basic ${btoa(`${SERVICE}:${ADMIN_TOKEN}`)}` };
      const asked = { grant_type: 'client_credentials', resource: adminAt(w) };
      const code = await w.ana.code();
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      return [
        seen(await w.post('/token', asked, undefined, secret)),
        seen(await w.ana.redeem(code, { actor_token: ADMIN_TOKEN })),
        seen(await w.send('/userinfo', { headers })),
      ];
    },
    expected: ['401 invalid_client', '400 invalid_grant', '401 invalid_token'],
    legitimate: { kinds: ['code', 'grant'], because: 'the honest code was not spent on it' },
  },
];

/** A role that makes administrators, and a user who has it. */
async function makeRole(w: AttackWorld): Promise<void> {
  await w.honestly(async () => {
    if ((await w.registry.roles.list()).items.some(({ name }) => name === 'admins')) return;
    await w.registry.roles.create('cli', { name: 'admins' });
    const permission = { principal: 'role:admins', resource: adminAt(w), scopes: ['admin:read'] };
    await w.registry.permissions.set('cli', permission);
  });
}

const climbing: readonly Attack[] = tries('M2', 'writer', 403, [
  [
    'gives itself admin:security',
    'PUT',
    '/permissions/agt_writer/<admin>',
    { scopes: ['admin:security'] },
  ],
  [
    'gives a service admin:read',
    'PUT',
    `/permissions/${SERVICE}/<admin>`,
    { scopes: ['admin:read'] },
  ],
  ['takes it from another', 'DELETE', '/permissions/agt_guard/<admin>'],
  ['narrows another', 'PUT', '/permissions/agt_guard/<admin>', { scopes: ['admin:read'] }],
  [
    'makes a role administer',
    'PUT',
    '/permissions/role:admins/<admin>',
    { scopes: ['admin:write'] },
  ],
  ['puts a user into a role that administers', 'PATCH', `/users/${BEN.id}`, { roles: ['admins'] }],
  [
    'creates a user in a role that administers',
    'POST',
    '/users',
    { email: 'm@example.com', name: 'M', roles: ['admins'] },
  ],
  ['sets somebody’s password', 'PATCH', `/users/${ANA.id}`, { password: 'known to the attacker' }],
  ['sets somebody’s address', 'PATCH', `/users/${ANA.id}`, { email: 'attacker@example.com' }],
  ['disables a user', 'PUT', `/users/${ANA.id}/status`, { status: 'disabled', reason: 'x' }],
  ['retires a user', 'DELETE', `/users/${ANA.id}`],
  [
    'adds a secret to an administrator',
    'POST',
    '/agents/agt_guard/credentials',
    { kind: 'secret' },
  ],
  ['adds a secret to itself', 'POST', '/agents/agt_writer/credentials', { kind: 'secret' }],
  ['adds a secret to a service', 'POST', `/clients/${SERVICE}/credentials`, { kind: 'secret' }],
  ['removes a credential', 'DELETE', `/agents/${AGENT}/credentials/crd_helper`],
  [
    'blocks an administrator',
    'PUT',
    '/agents/agt_guard/status',
    { status: 'blocked', reason: 'x' },
  ],
  ['unblocks an agent', 'PUT', `/agents/${AGENT}/status`, { status: 'active' }],
  ['retires an agent', 'DELETE', `/agents/${AGENT}`],
  ['retires a client', 'DELETE', `/clients/${SERVICE}`],
  ['withdraws a user’s consent', 'DELETE', '/consents/cns_any'],
  ['ends an authorization', 'DELETE', '/grants/gnt_any'],
  ['rotates the signing keys', 'POST', '/keys/rotate', {}],
  ['retires a signing key', 'POST', '/keys/any/retire', { reason: 'x' }],
  ['applies a world file', 'POST', '/world', { text: 'roles: [{ name: sly }]' }],
  ['rehearses a world file', 'POST', '/world', { text: 'roles: [{ name: sly }]', dry_run: true }],
]).map((attack) => ({
  ...attack,
  run: async (w: AttackWorld) => {
    await makeRole(w);
    return attack.run(w);
  },
}));

const reading: readonly Attack[] = tries('M2', 'reader', 403, [
  ['registers an agent', 'POST', '/agents', { name: 'Mine', owner: 'Me' }],
  ['registers a client', 'POST', '/clients', { name: 'Mine', kind: 'service' }],
  ['registers a user', 'POST', '/users', { email: 'r@example.com', name: 'R' }],
  [
    'registers a resource',
    'POST',
    '/resources',
    { identifier: 'https://r.example', name: 'R', scopes: {} },
  ],
  ['creates a role', 'POST', '/roles', { name: 'r' }],
  ['removes a role', 'DELETE', '/roles/admins'],
  ['renames an agent', 'PATCH', `/agents/${AGENT}`, { name: 'Trusted Helper' }],
  [
    'redirects a client',
    'PATCH',
    '/clients/cli_host',
    { redirect_uris: ['https://evil.example/cb'] },
  ],
  ['changes a resource', 'PATCH', `/resources/${at(FILES)}`, { name: 'Yours' }],
  ['retires a resource', 'DELETE', `/resources/${at(FILES)}`],
  [
    'permits an agent',
    'PUT',
    `/permissions/${OTHER_AGENT}/${at(FILES)}`,
    { scopes: ['files:delete'] },
  ],
  ['takes a permission', 'DELETE', `/permissions/${AGENT}/${at(FILES)}`],
  ['blocks an agent', 'PUT', `/agents/${AGENT}/status`, { status: 'blocked', reason: 'x' }],
]);

/** Security stops; it does not register. */
const guarding: readonly Attack[] = tries('M2', 'guard', 403, [
  ['registers an agent', 'POST', '/agents', { name: 'Mine', owner: 'Me' }],
  [
    'permits an agent at a tool server',
    'PUT',
    `/permissions/agt_guard/${at(FILES)}`,
    { scopes: ['files:delete'] },
  ],
  [
    'redirects a client',
    'PATCH',
    '/clients/cli_host',
    { redirect_uris: ['https://evil.example/cb'] },
  ],
  ['applies a world file', 'POST', '/world', { text: 'roles: [{ name: sly }]' }],
]);

/** The one resource that is nobody's to change, in every spelling. */
const builtIn: readonly Attack[] = [
  ...tries('M2', 'writer', 409, [
    ['opens the scopes of the admin API', 'PATCH', '/resources/<admin>', { name: 'Mine' }],
    ['retires the admin API', 'DELETE', '/resources/<admin>'],
  ]),
  ...(['/admin', '/admin/', '/admin/v1', '/ADMIN', '', '/'] as const).map(
    (path): Attack => ({
      id: 'M2',
      name: `writer: registers <issuer>${path} as a resource of its own`,
      unaudited: FAULT,
      run: async (w) => {
        const scopes = { 'admin:read': { title: 'x', risk: 'read' } };
        const body = { identifier: `${w.issuer}${path}`, name: 'Mine', scopes };
        return (await call(w, 'POST', '/resources', { as: 'writer', body })).status;
      },
      expected: 400,
    }),
  ),
  ...(['/admin/', '/Admin', '/admin?x', '/admin/v1', '/%61dmin'] as const).flatMap(
    (path): Attack[] => [
      {
        id: 'M2',
        name: `writer: a permission at <issuer>${path}, which is no resource`,
        unaudited: FAULT,
        run: async (w) => {
          const target = `/permissions/agt_writer/${at(`${w.issuer}${path}`)}`;
          const body = { scopes: ['admin:security'] };
          return (await call(w, 'PUT', target, { as: 'writer', body })).status;
        },
        expected: 400,
      },
      {
        id: 'M2',
        name: `a token for <issuer>${path}`,
        run: async (w) => {
          await team(w);
          const resource = `${w.issuer}${path}`;
          const asked = { grant_type: 'client_credentials', resource, scope: 'admin:write' };
          return seen(await w.token('agt_writer', asked));
        },
        expected: '400 invalid_target',
      },
    ],
  ),
];

const tokens: readonly Attack[] = [
  ...(
    ['admin:write', 'admin:security', 'admin:read admin:security', 'admin:*', 'admin'] as const
  ).map(
    (scope): Attack => ({
      id: 'M2',
      name: `reader: asks the token endpoint for ${scope}`,
      run: async (w) => {
        await team(w);
        const asked = { grant_type: 'client_credentials', resource: adminAt(w), scope };
        return seen(await w.token('agt_reader', asked));
      },
      expected: '400 invalid_scope',
    }),
  ),
  {
    id: 'M2',
    name: 'a user without permission asks for administration, with and without an agent',
    run: async (w) => {
      const asked = { resource: adminAt(w), scope: 'admin:read admin:security' };
      const direct = await w.plain.browser.get(w.plain.url(asked));
      return [seen(direct), seen(await w.ana.browser.get(w.ana.url(asked)))];
    },
    expected: ['303 to client invalid_scope', '303 to client invalid_scope'],
  },
  {
    id: 'M2',
    name: 'an administrator’s token as actor token, and at introspection by a tool server',
    run: async (w) => {
      const { guard } = await team(w);
      const code = await w.ana.code();
      return [
        seen(await w.ana.redeem(code, { actor_token: guard })),
        (await w.introspect(guard, FILES_CLIENT)).body,
      ];
    },
    expected: ['400 invalid_grant', { active: false }],
    legitimate: { kinds: ['code', 'grant'], because: 'the honest code was not spent on it' },
  },
  ...(['query', 'form', 'cookie', 'X-Access-Token', 'Proxy-Authorization'] as const).map(
    (place): Attack => ({
      id: 'M2',
      name: `a good token in a place that is none: ${place}`,
      run: async (w) => {
        const { guard } = await team(w);
        await forgiven(w);
        const headers: Record<string, string> = {};
        if (place === 'cookie') headers.cookie = `access_token=${guard}; token=${guard}`;
        if (place.includes('-')) headers[place.toLowerCase()] = `Bearer ${guard}`;
        const form = place === 'form';
        if (form) headers['content-type'] = 'application/x-www-form-urlencoded';
        const path = place === 'query' ? `/roles?access_token=${guard}` : '/roles';
        const text = form ? `access_token=${guard}` : undefined;
        const more = text === undefined ? {} : { text };
        return (await call(w, form ? 'POST' : 'GET', path, { headers, ...more })).status;
      },
      expected: 401,
    }),
  ),
];

const PATHS = [
  '/agents/',
  '//agents',
  '/./agents',
  '/roles/../agents',
  '/agents/..;/agents',
  '/%61gents',
  '/agents%2f',
  '/agents;x=y',
  '/agents%00',
  '/agents?x=%00',
  '/AGENTS',
] as const;

const paths: readonly Attack[] = [
  ...PATHS.map(
    (path): Attack => ({
      id: 'M2',
      name: `around the bearer by the path: ${path}`,
      run: async (w) => {
        await forgiven(w);
        return (await call(w, 'GET', path)).status;
      },
      expected: 401,
    }),
  ),
  ...(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'] as const).map(
    (header): Attack => ({
      id: 'M2',
      name: `reader: DELETE behind GET, by ${header}`,
      unaudited: SERVED,
      run: async (w) => {
        const headers = { [header]: 'DELETE' };
        const path = `/agents/${AGENT}`;
        const { status, body } = await call(w, 'GET', path, { as: 'reader', headers });
        return [status, body.status];
      },
      expected: [200, 'active'],
    }),
  ),
  ...(['X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Prefix'] as const).map(
    (header): Attack => ({
      id: 'M2',
      name: `reader: another path behind an allowed one, by ${header}`,
      run: async (w) => {
        const headers = { [header]: '/admin/v1/roles' };
        const body = { status: 'blocked', reason: 'x' };
        const path = `/agents/${AGENT}/status`;
        return (await call(w, 'PUT', path, { as: 'reader', headers, body })).status;
      },
      expected: 403,
    }),
  ),
];

/** Somebody else's thing under one's own name. */
const objects: readonly Attack[] = [
  ...tries('M2', 'guard', 404, [
    [
      'removes an agent’s credential under another agent',
      'DELETE',
      `/agents/${OTHER_AGENT}/credentials/crd_helper`,
    ],
    [
      'removes an agent’s credential as if it were a client',
      'DELETE',
      `/clients/${AGENT}/credentials/crd_helper`,
    ],
    [
      'removes a client’s credential as if it were an agent',
      'DELETE',
      `/agents/${SERVICE}/credentials/crd_nightly`,
    ],
    ['adds a secret to a user', 'POST', `/agents/${ANA.id}/credentials`, { kind: 'secret' }],
    [
      'blocks a client as an agent',
      'PUT',
      `/agents/${SERVICE}/status`,
      { status: 'blocked', reason: 'x' },
    ],
    ['ends a grant by its consent', 'DELETE', '/grants/cns_any'],
    ['retires a role as a user', 'DELETE', '/users/role:admins'],
  ]).map((attack) => ({
    ...attack,
    neighbour: (w: AttackWorld) => w.token(AGENT, ASKED(w)),
  })),
  {
    id: 'M2',
    name: 'reader: no secret, hash or key material in anything it may see',
    unaudited: SERVED,
    run: async (w) => {
      const lists = [
        '/agents',
        '/clients',
        '/users',
        '/keys',
        `/agents/${AGENT}/credentials`,
        '/audit?limit=200',
      ];
      const texts: string[] = [];
      for (const path of lists) texts.push((await call(w, 'GET', path, { as: 'reader' })).text);
      const names = /"(secret|secret_hash|password|password_hash|private_sealed|d|payload)":/;
      return texts.map((text) => [names.test(text), text.includes('$argon2')]);
    },
    expected: Array.from({ length: 6 }, () => [false, false]),
  },
];
const ASKED = (w: AttackWorld) => ({ grant_type: 'client_credentials', resource: w.issuer });

/** Fields that are the server's to set. */
const ASSIGNED: ReadonlyArray<readonly [noun: string, body: object, extra: readonly string[]]> = [
  [
    'agents',
    { name: 'Mass', owner: 'Ops' },
    [
      'not_before',
      'created_at',
      'status_by',
      'status_at',
      'secret_hash',
      'secret',
      'credential',
      'permissions',
      'scopes',
      'roles',
      'is_admin',
      'tenant_id',
      'statusBy',
      'takesWorkFrom',
      'constructor',
      '__proto__',
    ],
  ],
  [
    'clients',
    { name: 'Mass', kind: 'service' },
    [
      'not_before',
      'created_at',
      'status',
      'client_secret',
      'secret_hash',
      'scope',
      'trusted',
      'first_party',
      'skip_consent',
      'redirectUris',
      'grant_types',
    ],
  ],
  [
    'users',
    { email: 'mass@example.com', name: 'Mass' },
    [
      'id',
      'password_hash',
      'email_key',
      'email_verified',
      'verified',
      'status',
      'not_before',
      'role',
      'is_admin',
      'permissions',
      'passwordHash',
    ],
  ],
  ['roles', { name: 'mass' }, ['permissions', 'scopes', 'users', 'created_at']],
  [
    'resources',
    {
      identifier: 'https://mass.example/',
      name: 'Mass',
      scopes: { 'm:read': { title: 'x', risk: 'read' } },
    },
    ['status', 'created_at', 'built_in', 'tokenTtlSeconds', 'permissions'],
  ],
];

const assigned: readonly Attack[] = ASSIGNED.flatMap(([noun, body, extra]) =>
  extra.map(
    (field): Attack => ({
      id: 'M3',
      name: `writer: creates one of ${noun} with ${field}`,
      unaudited: FAULT,
      run: async (w) => {
        const text = `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(field)}:["admin"]}`;
        const { status, body: told } = await call(w, 'POST', `/${noun}`, { as: 'writer', text });
        return [status, told.errors?.some((one: { field: string }) => one.field === field)];
      },
      expected: [400, true],
    }),
  ),
);

const repeated: readonly Attack[] = [
  {
    id: 'M3',
    name: 'writer: a permission whose body names another principal and resource',
    unaudited: FAULT,
    run: async (w) => {
      const body = { scopes: ['files:read'], principal: 'agt_writer', resource: adminAt(w) };
      const path = `/permissions/${OTHER_AGENT}/${at(FILES)}`;
      return (await call(w, 'PUT', path, { as: 'writer', body })).status;
    },
    expected: 400,
  },
  {
    id: 'M3',
    name: 'writer: a password hidden behind the same field twice',
    run: async (w) => {
      const text = '{"password":"known to the attacker","name":"Ana","password":"known to both"}';
      return (await call(w, 'PATCH', `/users/${ANA.id}`, { as: 'writer', text })).status;
    },
    expected: 403,
  },
];

/** Nothing is counted or recorded as it was sent. */
const SPOKEN = [
  'x%0d%0aX-Evil:%201',
  'x%0a{"type":"token.issued"}',
  'x%1b[31mred%1b[0m',
  'x%e2%80%aeevil',
  'x%00y',
  '%3Cscript%3Ealert(1)%3C/script%3E',
] as const;

const words: readonly Attack[] = SPOKEN.flatMap((word): Attack[] => [
  {
    id: 'M6',
    name: `nobody: a path to be logged: ${word}`,
    run: async (w) => {
      await forgiven(w);
      const { status } = await call(w, 'GET', `/agents/${word}`);
      const raw = decodeURIComponent(word);
      return [status, w.output().includes(raw)];
    },
    expected: [401, false],
  },
  {
    id: 'M6',
    name: `writer: the same as a name: ${word}`,
    unaudited: SERVED,
    run: async (w) => {
      const body = { name: decodeURIComponent(word), owner: 'Ops' };
      const { status } = await call(w, 'POST', '/agents', { as: 'writer', body });
      return status;
    },
    // Markup is a name like any other: pages escape it.
    expected: word.startsWith('%3C') ? 201 : 400,
  },
]);

const SILENT_BODIES = [
  '',
  '[]',
  'null',
  '"x"',
  '1',
  '{',
  '{"name":',
  '{"name":1}',
  '{"name":{"$ne":""}}',
  '{"name":["a"]}',
  '{"name":"\\u0000","owner":"x"}',
  `{"name":"${'x'.repeat(5000)}","owner":"x"}`,
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
  '{"name":"x","owner":"x","clients":"cli_host"}',
  '{"name":"x","owner":"x","clients":[{"id":"cli_host"}]}',
] as const;

const broken: readonly Attack[] = SILENT_BODIES.map((text, n) => ({
  id: 'M11',
  name: `writer: a body nobody can use, ${n}: ${text.slice(0, 30).replace(/\0/g, '')}`,
  unaudited: FAULT,
  run: async (w: AttackWorld) => {
    const answer = await call(w, 'POST', '/agents', { as: 'writer', text });
    return [
      answer.status,
      answer.headers['content-type'],
      /node:|\.ts|select |zod/i.test(answer.text),
    ];
  },
  expected: [400, 'application/problem+json', false],
}));

/** What each change leaves in the audit: one event. */
const counted: readonly Attack[] = [
  {
    id: 'M10',
    name: 'guard and writer: every change has exactly one event, and names who made it',
    unaudited: SERVED,
    run: async (w) => {
      const told: string[] = [];
      const change = async (
        as: 'writer' | 'guard',
        method: string,
        path: string,
        body?: object,
      ) => {
        const [before] = await w.db.run<{ id: number }>(
          'select max(id)::int as id from audit_events',
        );
        const answer = await call(w, method, path, { as, body });
        const rows = await w.db.run<{ type: string; by: string }>(
          'select type, by from audit_events where id > $1',
          [before?.id],
        );
        told.push(`${answer.status} ${rows.map(({ type, by }) => `${type} ${by}`).join(', ')}`);
        return answer.body;
      };
      await change('writer', 'POST', '/roles', { name: 'counted' });
      await change('writer', 'PATCH', '/roles/counted', { description: 'x' });
      // Nothing changed: nothing to tell.
      await change('writer', 'PATCH', '/roles/counted', { description: 'x' });
      await change('writer', 'DELETE', '/roles/counted');
      const { id } = await change('writer', 'POST', '/users', {
        email: 'c@example.com',
        name: 'C',
      });
      await change('writer', 'PATCH', `/users/${id}`, { name: 'D' });
      await change('guard', 'PUT', `/users/${id}/status`, { status: 'disabled', reason: 'x' });
      await change('guard', 'DELETE', `/users/${id}`);
      const target = `/permissions/${OTHER_AGENT}/${at(FILES)}`;
      await change('writer', 'PUT', target, { scopes: ['files:read', 'files:list'] });
      await change('writer', 'PUT', target, { scopes: ['files:read'] });
      return told;
    },
    expected: [
      '201 registry.created agt_writer',
      '200 registry.changed agt_writer',
      '200 ',
      '204 registry.retired agt_writer',
      '201 registry.created agt_writer',
      '200 registry.changed agt_writer',
      '200 user.disabled agt_guard',
      '200 registry.retired agt_guard',
      '200 registry.changed agt_writer',
      '200 registry.changed agt_writer',
    ],
  },
];

/** After many more guesses: this address is to wait a minute. */
const exhausted = (w: AttackWorld) =>
  w.honestly(async () => {
    await forgiven(w);
    await call(w, 'GET', '/agents');
    await w.db.run(`update sign_in_failures
      set failures = 100, expires_at = clock_timestamp() + interval '3660 seconds'`);
  });

/** Last: they use up what one address may fail. */
const floods: readonly Attack[] = [
  {
    id: 'M4',
    name: 'guesses one after the other are told to wait, and lock no administrator out',
    run: async (w) => {
      await forgiven(w);
      const sights: string[] = [];
      for (let n = 0; n < 60; n += 1) {
        sights.push(String((await call(w, 'GET', '/agents', { token: `guess-${n}` })).status));
      }
      return [sights[0], sights.includes('429')];
    },
    expected: ['401', true],
    neighbour: (w) => call(w, 'GET', '/agents', { as: 'reader' }),
  },
  ...(['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'True-Client-IP'] as const).map(
    (header): Attack => ({
      id: 'M12',
      name: `guesses past the limit by ${header}`,
      unaudited: 'refused untried: only counted',
      run: async (w) => {
        await exhausted(w);
        const sights: string[] = [];
        for (let n = 0; n < 5; n += 1) {
          const value = header === 'Forwarded' ? `for=198.51.100.${n}` : `198.51.100.${n}`;
          const { status } = await call(w, 'GET', '/agents', { headers: { [header]: value } });
          sights.push(String(status));
        }
        return tallied(sights);
      },
      expected: { 429: 5 },
      neighbour: (w) => call(w, 'GET', '/agents', { as: 'reader' }),
    }),
  ),
];

export const admin: readonly Attack[] = [
  ...bootstrap,
  ...climbing,
  ...reading,
  ...guarding,
  ...builtIn,
  ...tokens,
  ...paths,
  ...objects,
  ...assigned,
  ...repeated,
  ...words,
  ...broken,
  ...counted,
  ...floods,
];
