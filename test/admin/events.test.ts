import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import type { AuditType } from '../../src/broker/audit/store.js';
import { formTo, visit } from '../me/support.js';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { usedEarlier } from '../support/used-earlier.js';
import {
  AGENT,
  ANA,
  BEN,
  FILES,
  FILES_CLIENT,
  HOST,
  OTHER_AGENT,
  SERVICE,
} from '../support/world.js';

let t: TestBroker;
const admin = (method: string, path: string, body?: object) =>
  callAdmin(t, method, path, {
    authorization: `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });
/** An administrator's, which must succeed. */
const change = async (method: string, path: string, body?: object) => {
  const answer = await admin(method, path, body);
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const exchange = (caller: string, subject: string, more: Record<string, string> = {}) =>
  postToken(t, caller, {
    grant_type: EXCHANGE,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: subject,
    ...more,
  });
const refresh = (token: string) =>
  postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: token });

interface Tokens {
  readonly access: string;
  readonly refresh: string;
  readonly jti: string;
  readonly consent: string;
  readonly grant: string;
}
/** Ana's, for her agent; who may hand work to one helper. */
async function delegate(helpers = 1): Promise<Tokens> {
  const { body } = await redeem(
    t,
    await authorize(t, { params: { prompt: 'consent' }, visitor: { helpers } }),
  );
  const { jti } = claimsOf(body.access_token) as { jti: string };
  const [consent = '', grant = ''] = jti.split('.');
  return { access: body.access_token, refresh: body.refresh_token, jti, consent, grant };
}

const WRITE = 'files:list files:read files:write';
/** Columns of what a token of Ana's agent, through its host, is about. */
const ofAna = ({ grant, jti }: Tokens) => ({
  by: HOST,
  sub: ANA.id,
  agent_id: AGENT,
  client_id: HOST,
  resource: FILES,
  grant_id: grant,
  jti,
});
const IN_TIME = {
  iat: expect.any(Number),
  exp: expect.any(Number),
  kid: expect.stringMatching(/^[\w-]{16}$/),
  claims: expect.stringMatching(/^[\w-]{43}$/),
};
const HELPER = 'Helper, for Ana Example, through Agent Host,';
const post = (path: string, fields: Record<string, string>, caller: string) =>
  postForm(`${t.issuer}${path}`, fields, authFor(t, caller));
const report = async (decision: object) => {
  const { status } = await fetch(`${t.issuer}/decisions`, {
    method: 'POST',
    headers: { ...authFor(t, FILES_CLIENT), 'content-type': 'application/json' },
    body: JSON.stringify({ decisions: [decision] }),
  });
  expect(status).toBe(204);
};
const decision = (token: string, tool: object) => {
  const { jti, sub } = claimsOf(token);
  return {
    at: 1,
    jti,
    sub,
    act: AGENT,
    client_id: HOST,
    via: [],
    resource: FILES,
    missing_user: [],
    missing_agent: [],
    ...tool,
  };
};

/** What an event says; columns it does not name are empty. */
interface Told {
  readonly columns: Readonly<Record<string, unknown>>;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly says: string;
}
/** Of a stop: what it ended may stand beside it. */
const stop = (detail: object): Told['detail'] => expect.objectContaining(detail);

interface Row {
  readonly what: string;
  readonly makes: () => Promise<Told>;
}

const changed = (
  what: string,
  makes: () => Promise<unknown>,
  told: { columns?: object; detail: Record<string, unknown>; says: string },
): Row => ({
  what,
  makes: async () => {
    await makes();
    return { ...told, columns: { by: 'admin', ...told.columns } };
  },
});
const status = (verb: string, to: string): Row =>
  changed(
    `an agent is ${verb}`,
    () => change('PUT', '/agents/agt_e/status', { status: to, reason: 'a look' }),
    {
      columns: { agent_id: 'agt_e' },
      detail: stop({ noun: 'agent', id: 'agt_e', name: 'E', reason: 'a look' }),
      says: `E was ${verb} by admin: a look`,
    },
  );

/** In this order; what one leaves, later ones use. */
const ROWS: Readonly<Record<Exclude<AuditType, 'key.resealed'>, readonly Row[]>> = {
  'bootstrap.used': [
    changed('the bootstrap token', () => change('GET', '/agents'), {
      columns: { resource: expect.stringMatching(/\/admin$/) },
      detail: {},
      says: 'the bootstrap token is in use: nobody else could administer',
    }),
  ],
  'sign_in.succeeded': [
    {
      what: 'Ana signs in for the host',
      makes: async () => {
        await authorize(t);
        return {
          columns: { by: ANA.id, sub: ANA.id, client_id: HOST },
          detail: { session: expect.stringMatching(/^ses_/) },
          says: 'Ana Example signed in, through Agent Host',
        };
      },
    },
  ],
  'sign_in.failed': [
    {
      what: 'somebody tries Ben’s password',
      makes: async () => {
        await authorize(t, { visitor: { ...BEN, password: 'no' } }).catch(() => undefined);
        return {
          columns: { sub: BEN.id, client_id: HOST },
          detail: { problem: 'wrong', reason: 'wrong_password', failures: 1 },
          says: 'a sign-in failed for Ben Example, through Agent Host: wrong_password',
        };
      },
    },
  ],
  'session.ended': [
    {
      what: 'Ben signs out',
      makes: async () => {
        const { browser, page } = await visit(t, BEN);
        await browser.submit(formTo(page, '/end'));
        return {
          columns: { by: BEN.id, sub: BEN.id },
          detail: { session: expect.stringMatching(/^ses_/), reason: 'sign_out' },
          says: 'a session of Ben Example ended: sign_out',
        };
      },
    },
  ],
  'consent.granted': [
    {
      what: 'Ben leaves one of two unticked, and the agent may not hold the third',
      makes: async () => {
        await authorize(t, {
          params: { scope: 'files:read files:delete' },
          visitor: { ...BEN, scopes: ['files:list'] },
        });
        return {
          columns: {
            by: BEN.id,
            sub: BEN.id,
            agent_id: AGENT,
            client_id: HOST,
            resource: FILES,
          },
          detail: {
            consent: expect.stringMatching(/^cns_/),
            asked: 'files:delete files:list files:read',
            offered: ['files:list', 'files:read'],
            granted: ['files:list'],
            taken_away: [
              { scope: 'files:delete', by: ['agent'] },
              { scope: 'files:read', by: ['consent'] },
            ],
            helpers: 0,
          },
          says: 'Ben Example allowed Helper, through Agent Host at File server: files:list',
        };
      },
    },
  ],
  'consent.denied': [
    {
      what: 'Ana says no',
      makes: async () => {
        const params = { scope: 'files:read', prompt: 'consent' };
        await authorize(t, { params, visitor: { decision: 'deny' } });
        return {
          columns: { by: ANA.id, sub: ANA.id, agent_id: AGENT, client_id: HOST, resource: FILES },
          detail: { asked: 'files:list files:read', offered: ['files:list', 'files:read'] },
          says: 'Ana Example did not allow Helper, through Agent Host at File server',
        };
      },
    },
  ],
  'grant.created': [
    {
      what: 'an authorization begins',
      makes: async () => {
        const tokens = await delegate();
        const { jti: _jti, ...about } = ofAna(tokens);
        return {
          columns: { ...about, by: ANA.id },
          detail: { consent: tokens.consent, scope: WRITE },
          says: 'an authorization of Ana Example for Helper at File server began',
        };
      },
    },
  ],
  'token.issued': [
    {
      what: 'from a code',
      makes: async () => ({
        columns: ofAna(await delegate().then((tokens) => (last = tokens))),
        detail: { asked: WRITE, scope: WRITE, taken_away: [], actor_proof: 'token', ...IN_TIME },
        says: `${HELPER} got a token at File server for ${WRITE}`,
      }),
    },
    {
      what: 'an agent’s own',
      makes: async () => {
        const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:list' };
        const { body } = await postToken(t, OTHER_AGENT, fields);
        const { jti } = claimsOf(body.access_token);
        return {
          columns: {
            by: OTHER_AGENT,
            sub: OTHER_AGENT,
            agent_id: OTHER_AGENT,
            client_id: OTHER_AGENT,
            resource: FILES,
            jti,
          },
          detail: { asked: 'files:list', scope: 'files:list', taken_away: [], ...IN_TIME },
          says: 'Other got a token at File server for files:list',
        };
      },
    },
    {
      what: 'a helper takes the work over, and loses what it may not hold',
      makes: async () => {
        const { body } = await exchange(OTHER_AGENT, last.access);
        return {
          columns: {
            ...ofAna(last),
            by: OTHER_AGENT,
            agent_id: OTHER_AGENT,
            client_id: OTHER_AGENT,
            jti: claimsOf(body.access_token).jti,
          },
          detail: {
            exchange: 'take',
            parent: last.jti,
            asked: '',
            scope: 'files:list files:read',
            taken_away: [{ scope: 'files:write', by: ['agent'] }],
            earlier_actors: [AGENT],
            via: [HOST],
            ...IN_TIME,
          },
          says: 'Other, handed on by Helper, for Ana Example, through Agent Host, got a token at File server for files:list files:read',
        };
      },
    },
  ],
  'token.refused': [
    {
      what: 'a right the agent does not hold',
      makes: async () => {
        await postToken(t, AGENT, {
          grant_type: 'client_credentials',
          resource: FILES,
          scope: 'files:delete',
        });
        return {
          columns: {
            by: AGENT,
            sub: AGENT,
            agent_id: AGENT,
            client_id: AGENT,
            resource: FILES,
          },
          detail: {
            grant_type: 'client_credentials',
            asked: 'files:delete',
            code: 'invalid_scope',
            reason: 'files:delete (agent)',
            rule: 'not_held',
            taken_away: [{ scope: 'files:delete', by: ['agent'] }],
          },
          says: 'Helper was refused files:delete at File server: Helper does not hold it',
        };
      },
    },
    {
      what: 'a service that was not given the exchange grant',
      makes: async () => {
        await change('PATCH', `/clients/${SERVICE}`, { may_exchange: false });
        await exchange(SERVICE, last.access, { scope: 'files:read' });
        const { jti: _jti, ...about } = ofAna(last);
        return {
          columns: { ...about, by: SERVICE, agent_id: SERVICE, client_id: SERVICE },
          detail: {
            grant_type: EXCHANGE,
            parent: last.jti,
            asked: 'files:read',
            proof: 'client_auth',
            parent_actor: AGENT,
            earlier_actors: [AGENT],
            via: [HOST],
            code: 'unauthorized_client',
            reason: `may_not_exchange (caller ${SERVICE})`,
            rule: 'may_not_exchange',
          },
          says: 'Nightly, with a token of Helper, for Ana Example, through Agent Host, was refused files:read at File server: the client may not exchange tokens',
        };
      },
    },
    {
      what: 'a code that came to another client',
      makes: async () => {
        const authorized = await authorize(t);
        await change('PATCH', '/clients/cli_desktop', { auth: 'client_secret_basic' });
        const added = await change('POST', '/clients/cli_desktop/credentials', { kind: 'secret' });
        (t.secrets as Record<string, string>).cli_desktop = added.secret;
        await redeem(t, authorized, {}, 'cli_desktop');
        return {
          columns: {
            by: 'cli_desktop',
            sub: ANA.id,
            agent_id: AGENT,
            client_id: 'cli_desktop',
            resource: FILES,
            grant_id: expect.stringMatching(/^gnt_/),
          },
          detail: {
            grant_type: 'authorization_code',
            consent: expect.stringMatching(/^cns_/),
            asked: WRITE,
            code: 'invalid_grant',
            reason: 'client mismatch',
          },
          says: 'Helper, for Ana Example, through Desktop, was refused files:list files:read files:write at File server: client mismatch',
        };
      },
    },
  ],
  'refresh_token.repeated': [
    {
      what: 'a refresh whose answer was lost',
      makes: async () => {
        const first = await refresh(last.refresh);
        const again = await refresh(last.refresh);
        expect([first.status, again.status]).toEqual([200, 200]);
        next = first.body.refresh_token;
        return {
          columns: { ...ofAna(last), jti: null },
          detail: { consent: last.consent, asked: WRITE, time: 1 },
          says: `${HELPER} was given the answer to its last refresh again at File server (time 1)`,
        };
      },
    },
  ],
  'refresh_token.replayed': [
    {
      what: 'a refresh token whose successor was used',
      makes: async () => {
        const { status, body } = await refresh(next);
        expect(status).toBe(200);
        await usedEarlier(t.opened.db, body);
        expect((await refresh(last.refresh)).body.error).toBe('invalid_grant');
        return {
          columns: { ...ofAna(last), jti: null },
          detail: { consent: last.consent, asked: WRITE, ended: true },
          says: `${HELPER} used a refresh token that was used before at File server: the authorization ended`,
        };
      },
    },
  ],
  'code.replayed': [
    {
      what: 'a code used twice',
      makes: async () => {
        const authorized = await authorize(t);
        const { body } = await redeem(t, authorized);
        const [consent = '', grant = ''] = String(claimsOf(body.access_token).jti).split('.');
        await usedEarlier(t.opened.db, body);
        await redeem(t, authorized);
        return {
          columns: { ...ofAna(last), grant_id: grant, jti: null },
          detail: { consent, asked: WRITE, ended: true },
          says: `${HELPER} used a code that was used before at File server: the authorization ended`,
        };
      },
    },
  ],
  'token.revoked': [
    {
      what: 'a helper gives its token back',
      makes: async () => {
        last = await delegate();
        const taken = await exchange(OTHER_AGENT, last.access);
        const token = taken.body.access_token;
        await post('/revoke', { token }, OTHER_AGENT);
        return {
          columns: {
            ...ofAna(last),
            by: OTHER_AGENT,
            agent_id: OTHER_AGENT,
            client_id: OTHER_AGENT,
            jti: claimsOf(token).jti,
          },
          detail: stop({ earlier_actors: [AGENT], via: [HOST] }),
          says: 'Other revoked a token of Other, handed on by Helper, for Ana Example, through Agent Host, at File server; the stop ended 1 access token and 1 helper chain',
        };
      },
    },
  ],
  'request.refused': [
    {
      what: 'an authorization through an agent that does not accept the client',
      makes: async () => {
        const params = { client_id: 'cli_stranger', redirect_uri: 'https://stranger.example/cb' };
        const url = authorizeUrl(t, pkce().challenge, params);
        await fetch(url, { redirect: 'manual' });
        return {
          columns: {
            by: 'cli_stranger',
            agent_id: AGENT,
            client_id: 'cli_stranger',
            resource: FILES,
          },
          detail: {
            requested_actor: AGENT,
            asked: 'files:write',
            code: 'invalid_request',
            reason: 'client_may_not_front',
            rule: 'client_may_not_front',
          },
          says: 'Helper, through Stranger, was refused files:write at File server: the client may not act through this agent',
        };
      },
    },
    ...(['revocation', 'introspection'] as const).flatMap((endpoint): Row[] => {
      const path = endpoint === 'revocation' ? '/revoke' : '/introspect';
      const why = { code: 'access_denied', reason: 'foreign_token', rule: 'foreign_token' };
      const asks = async (token: string) => {
        const foreign = await post(path, { token }, SERVICE);
        const unknown = await post(path, { token: `${token.slice(0, -8)}AAAAAAAA` }, SERVICE);
        expect([foreign.status, foreign.body]).toEqual([unknown.status, unknown.body]);
      };
      const says =
        'Nightly was refused what concerns a token of Helper, for Ana Example at File server: the token is another client’s';
      const columns = () => ({ ...ofAna(last), by: SERVICE, client_id: SERVICE });
      return [
        {
          what: `${endpoint} of another client’s token, answered like one that is not ours`,
          makes: async () => {
            await asks(last.access);
            return { columns: columns(), detail: { endpoint, ...why }, says };
          },
        },
        {
          what: `${endpoint} of another client’s refresh token`,
          makes: async () => {
            await asks(last.refresh);
            return { columns: { ...columns(), jti: null }, detail: { endpoint, ...why }, says };
          },
        },
      ];
    }),
    {
      what: 'a form that is not the one we gave',
      makes: async () => {
        const browser = createBrowserless(t.issuer);
        const page = await browser.open(authorizeUrl(t, pkce().challenge));
        await browser.submit(formTo(page, '/sign-in'), { form: 'forged', ...ANA });
        return {
          columns: { agent_id: AGENT, client_id: HOST, resource: FILES },
          detail: {
            asked: WRITE,
            code: 'access_denied',
            reason: 'the form has expired: go back and try again',
          },
          says: `Helper, through Agent Host, was refused ${WRITE} at File server: the form has expired: go back and try again`,
        };
      },
    },
  ],
  'tool.allowed': [
    {
      what: 'a server let a call through',
      makes: async () => {
        const tool = { allowed: true, tool: 'read_file', required: ['files:read'] };
        await report(decision(last.access, tool));
        return {
          columns: { ...ofAna(last), by: FILES_CLIENT },
          detail: {
            at: 1,
            tool: 'read_file',
            required: ['files:read'],
            missing_user: [],
            missing_agent: [],
            via: [],
          },
          says: `${HELPER} was allowed read_file (files:read) at File server`,
        };
      },
    },
  ],
  'tool.refused': [
    {
      what: 'a server refused one',
      makes: async () => {
        const lacks = { required: ['files:delete'], missing_agent: ['files:delete'] };
        const tool = { allowed: false, tool: 'delete_file', code: 'insufficient_scope', ...lacks };
        await report(decision(last.access, tool));
        return {
          columns: { ...ofAna(last), by: FILES_CLIENT },
          detail: {
            at: 1,
            tool: 'delete_file',
            code: 'insufficient_scope',
            missing_user: [],
            via: [],
            ...lacks,
          },
          says: `${HELPER} was refused delete_file (files:delete) at File server: Helper does not hold files:delete`,
        };
      },
    },
  ],
  'grant.ended': [
    {
      what: 'an operator ends an authorization',
      makes: async () => {
        await change('DELETE', `/grants/${last.grant}?reason=enough`);
        return {
          columns: { ...ofAna(last), by: 'admin', jti: null },
          detail: stop({ reason: 'enough', consent: last.consent }),
          says: 'an authorization of Ana Example for Helper at File server ended: enough; the stop ended 1 authorization, 1 access token and 1 refresh token',
        };
      },
    },
  ],
  'consent.ended': [
    {
      what: 'an operator ends a consent',
      makes: async () => {
        await change('DELETE', `/consents/${last.consent}?reason=enough`);
        return {
          columns: { ...ofAna(last), by: 'admin', grant_id: null, jti: null },
          detail: stop({ reason: 'enough', consent: last.consent }),
          says: expect.stringMatching(
            /^the consent of Ana Example to Helper at File server ended: enough; the stop ended 1 consent, \d authorizations, 1 access token and 1 refresh token$/,
          ),
        };
      },
    },
  ],
  'registry.created': [
    changed(
      'an agent is registered',
      () => change('POST', '/agents', { id: 'agt_e', name: 'E', owner: 'Ops', status: 'draft' }),
      {
        columns: { agent_id: 'agt_e' },
        detail: { noun: 'agent', id: 'agt_e', name: 'E', owner: 'Ops' },
        says: 'admin registered agent agt_e',
      },
    ),
  ],
  'registry.changed': [
    changed(
      'an agent is described anew',
      () => change('PATCH', '/agents/agt_e', { purpose: 'sorts' }),
      {
        columns: { agent_id: 'agt_e' },
        detail: { noun: 'agent', id: 'agt_e', name: 'E', fields: ['purpose'] },
        says: 'admin changed agent agt_e: purpose',
      },
    ),
  ],
  'agent.activated': [status('activated', 'active')],
  'agent.paused': [status('paused', 'paused')],
  'agent.resumed': [status('resumed', 'active')],
  'agent.blocked': [status('blocked', 'blocked')],
  'agent.unblocked': [status('unblocked', 'active')],
  'user.disabled': [
    changed(
      'a user may not sign in any more',
      () => change('PUT', `/users/${BEN.id}/status`, { status: 'disabled', reason: 'left' }),
      {
        columns: { sub: BEN.id },
        detail: stop({ noun: 'user', id: BEN.id, name: 'Ben Example', reason: 'left' }),
        says: 'Ben Example was disabled by admin: left; the stop ended 1 authorization',
      },
    ),
  ],
  'user.enabled': [
    changed(
      'and may again',
      () => change('PUT', `/users/${BEN.id}/status`, { status: 'active', reason: 'back' }),
      {
        columns: { sub: BEN.id },
        detail: stop({ noun: 'user', id: BEN.id, name: 'Ben Example', reason: 'back' }),
        says: 'Ben Example was enabled by admin: back',
      },
    ),
  ],
  'credential.added': [
    {
      what: 'an agent is given a secret',
      makes: async () => {
        const { id } = await change('POST', '/agents/agt_e/credentials', { kind: 'secret' });
        credential = id;
        return {
          columns: { by: 'admin', agent_id: 'agt_e' },
          detail: expect.objectContaining({ noun: 'agent', id: 'agt_e', credential: id }),
          says: `admin added credential ${id} of agent agt_e`,
        };
      },
    },
  ],
  'credential.removed': [
    {
      what: 'and loses it',
      makes: async () => {
        await change('DELETE', `/agents/agt_e/credentials/${credential}`);
        return {
          columns: { by: 'admin', agent_id: 'agt_e' },
          detail: stop({ noun: 'agent', id: 'agt_e', credential }),
          says: `admin removed credential ${credential} of agent agt_e`,
        };
      },
    },
  ],
  'registry.retired': [
    changed('an agent is retired', () => change('DELETE', '/agents/agt_e'), {
      columns: { agent_id: 'agt_e' },
      detail: stop({ noun: 'agent', id: 'agt_e', name: 'E' }),
      says: 'admin retired agent agt_e',
    }),
  ],
  'world.applied': [
    changed('a world file', () => change('POST', '/world', { text: 'roles: [deck]' }), {
      detail: { noun: 'world', created: 1, changed: 0 },
      says: 'admin applied a world file: 1 created, 0 changed',
    }),
  ],
  'key.activated': [key('activated', 'let the signing key', 'take over')],
  'key.published': [key('published', 'published the next signing key', '')],
  'key.retired': [
    {
      what: 'a compromised key is retired',
      makes: async () => {
        const { items } = await change('GET', '/keys');
        const { kid } = items.find(
          (one: { alg: string; state: string }) => one.alg === 'ES256' && one.state === 'active',
        );
        await change('POST', `/keys/${kid}/retire`, { compromised: true, reason: 'lost' });
        return {
          columns: { by: 'admin' },
          detail: stop({ kid, alg: 'ES256', compromised: true, reason: 'lost' }),
          says: `admin retired the compromised signing key ${kid} (ES256): lost`,
        };
      },
    },
  ],
};
let last: Tokens = { access: '', refresh: '', jti: '', consent: '', grant: '' };
let next = '';
let credential = '';

function key(done: string, says: string, ending: string): Row {
  return {
    what: `a key is ${done} by a rotation`,
    makes: async () => {
      // Verifiers know the next one by now.
      await t.opened.db.run("update signing_keys set created_at = created_at - interval '1 day'");
      await change('POST', '/keys/rotate', { alg: 'ES256' });
      const told = `^admin ${says} \\S+ \\(ES256\\)${ending === '' ? '' : ` ${ending}`}$`;
      return {
        columns: { by: 'admin' },
        detail: stop({ kid: expect.any(String), alg: 'ES256' }),
        says: expect.stringMatching(new RegExp(told)),
      };
    },
  };
}

const newest = async (type: string) =>
  (await admin('GET', `/audit?type=${type}&limit=1`)).body.items[0];

beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
  await letTakeWork(t.opened.db);
});
afterAll(() => t.close());

describe('every kind of event, whole', () => {
  const rows = Object.entries(ROWS).flatMap(([type, some]) =>
    some.map((row) => [type, row.what, row] as const),
  );
  it.each(rows)('%s: %s', async (type, _what, { makes }) => {
    const before = (await newest(type))?.id ?? 0;
    const { columns, detail, says } = await makes();
    const event = await newest(type);
    expect(event).toEqual({
      id: expect.any(Number),
      at: expect.any(String),
      type,
      by: null,
      jti: null,
      sub: null,
      agent_id: null,
      client_id: null,
      resource: null,
      grant_id: null,
      request_id: expect.stringMatching(/^[\w-]{16}$/),
      ...columns,
      detail,
      sentence: says,
    });
    if (type !== 'bootstrap.used') expect(event.id).toBeGreaterThan(before);
  });
});
