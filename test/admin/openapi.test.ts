// The OpenAPI document cannot lie: every operation in it is called over HTTP with a request the
// document describes, and the answer has the status and the shape that it says, to the last field.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { callAdmin } from '../support/admin.js';
import {
  ADMIN_TOKEN,
  authorize,
  claimsOf,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { createIdp, IDP } from '../support/idp.js';
import { AGENT, ANA, FILES, HOST } from '../support/world.js';

// biome-ignore lint/suspicious/noExplicitAny: the document as a reader finds it
type Document = any;

let t: TestBroker;
let document: Document;
/** Ids that earlier answers gave. */
const known: Record<string, string> = {};
beforeAll(async () => {
  t = await startTestBroker({ config: { trustedProxies: 1 } });
  document = (await admin('get', '/openapi.json')).body;
  for (const n of [1, 2]) {
    const { body } = await redeem(t, await authorize(t));
    const [consent, grant] = String(claimsOf(body.access_token).jti).split('.');
    Object.assign(known, { consent, [`grant${n}`]: grant });
  }
  const published = { see: { hash: TOOL_HASH, accepted: null, since: '2026-01-01T00:00:00.000Z' } };
  await t.opened.db.run(
    'insert into tool_inventories (resource, tools, published_at, published_by) values ($1, $2::text::jsonb, now(), $3)',
    [PLACE, JSON.stringify(published), 'cli_place'],
  );
});
afterAll(() => t.close());

const admin = (method: string, path: string, body?: unknown, authorization?: string) =>
  callAdmin(t, method, path, {
    authorization: authorization ?? `Bearer ${ADMIN_TOKEN}`,
    ...(body === undefined ? {} : { body }),
  });

const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const RULES = {
  resources: [{ resource: FILES, scopes: ['files:delete'] }],
  clients: [HOST],
  max_age_seconds: 120,
};
const PLACE = 'https://place.example/mcp';
const TOOL_HASH = 'h'.repeat(43);
const IN_A_WHILE = new Date(Date.now() + 864e5).toISOString();

interface Request {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly before?: () => Promise<unknown>;
  /** What the answer says that later requests need. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are checked against the document
  readonly keep?: (body: any) => Record<string, string>;
}

const agent = { params: { id: 'agt_told' } };
const client = { params: { id: 'cli_told' } };
const place = { params: { identifier: PLACE } };
const may = { params: { principal: 'agt_told', resource: PLACE } };
const person = () => ({ params: { id: known.user ?? '' } });
const page = { limit: '1' };
const secret = { body: { kind: 'secret', name: 'x', expires_at: IN_A_WHILE } };
const kept = (name: string) => (body: { id: string }) => ({ [name]: body.id });

/** The next keys may take over once everybody has had time to read them. */
const publishedLongAgo = () =>
  t.opened.db.run(`update signing_keys set created_at = created_at - interval '2 days'`);

/** One call for each operation, in an order in which they can be made. */
const REQUESTS: Readonly<Record<string, () => Request>> = {
  'post /agents': () => ({
    body: {
      id: 'agt_told',
      name: 'Told',
      owner: 'Ops',
      purpose: 'is told',
      tags: ['a'],
      clients: [HOST],
      takes_work_from: [AGENT],
    },
  }),
  'get /agents': () => ({ query: { ...page, status: 'active', owner: 'Ops' } }),
  'get /agents/{id}': () => agent,
  'patch /agents/{id}': () => ({ ...agent, body: { purpose: null, external_id: 'x-1' } }),
  'post /agents/{id}/credentials': () => ({ ...agent, ...secret, keep: kept('agentSecret') }),
  'get /agents/{id}/credentials': () => ({
    ...agent,
    query: { expiring_within_seconds: '9999999' },
  }),
  'post /clients': () => ({
    body: {
      id: 'cli_told',
      name: 'Told',
      kind: 'service',
      auth: 'private_key_jwt',
      jwks: { keys: [jwk] },
    },
  }),
  'get /clients': () => ({ query: { ...page, kind: 'service' } }),
  'get /clients/{id}': () => client,
  'patch /clients/{id}': () => ({
    ...client,
    body: { description: 'says so', auth: 'client_secret_basic' },
  }),
  'post /clients/{id}/credentials': () => ({ ...client, ...secret, keep: kept('clientSecret') }),
  'get /clients/{id}/credentials': () => client,
  'post /initial-access-tokens': () => ({
    body: { name: 'told', expires_at: IN_A_WHILE },
    keep: kept('initialToken'),
  }),
  'get /initial-access-tokens': () => ({ query: page }),
  'get /initial-access-tokens/{id}': () => ({ params: { id: known.initialToken ?? '' } }),
  'delete /initial-access-tokens/{id}': () => ({ params: { id: known.initialToken ?? '' } }),
  'post /users': () => ({
    body: { email: 'told@example.com', name: 'Told', password: 'a password that is long' },
    keep: kept('user'),
  }),
  'get /users': () => ({ query: { email: 'told@example.com' } }),
  'get /users/{id}': person,
  'patch /users/{id}': () => ({ ...person(), body: { name: 'Told again' } }),
  'put /users/{id}/status': () => ({ ...person(), body: { status: 'disabled', reason: 'left' } }),
  'delete /users/{id}': person,
  'post /trusted-issuers': () => ({
    body: {
      issuer: IDP,
      name: 'Told',
      purposes: ['id_jag'],
      jwks: createIdp(IDP).jwks,
      rules: { id_jag: { ...RULES, subject: 'email', email_domains: ['example.com'] } },
    },
  }),
  'get /trusted-issuers': () => ({ query: { ...page, purpose: 'id_jag' } }),
  'get /trusted-issuers/{issuer}': () => ({ params: { issuer: IDP } }),
  'patch /trusted-issuers/{issuer}': () => ({
    params: { issuer: IDP },
    body: { name: 'Told again', rules: { id_jag: RULES } },
  }),
  'post /users/{id}/identities': () => ({
    params: { id: ANA.id },
    body: { issuer: IDP, subject: 'ana' },
  }),
  'get /users/{id}/identities': () => ({ params: { id: ANA.id } }),
  'delete /users/{id}/identities/{issuer}/{subject}': () => ({
    params: { id: ANA.id, issuer: IDP, subject: 'ana' },
  }),
  'delete /trusted-issuers/{issuer}': () => ({ params: { issuer: IDP } }),
  'post /roles': () => ({ body: { name: 'told' } }),
  'get /roles': () => ({ query: page }),
  'get /roles/{id}': () => ({ params: { id: 'told' } }),
  'patch /roles/{id}': () => ({ params: { id: 'told' }, body: { description: 'who are told' } }),
  'delete /roles/{id}': () => ({ params: { id: 'told' } }),
  'post /resources': () => ({
    body: {
      identifier: PLACE,
      name: 'Place',
      scopes: { 'place:see': { title: 'See', risk: 'read', reauth_seconds: 600 } },
      tools: { see: ['place:see'] },
      downstream: [{ resource: FILES, scopes: { 'place:see': ['files:list'] } }],
    },
  }),
  'get /resources': () => ({ query: { ...page, downstream: FILES } }),
  'get /resources/{identifier}': () => place,
  'get /resources/{identifier}/tools': () => place,
  'post /resources/{identifier}/tools/accept': () => ({
    ...place,
    body: { tool: 'see', schema_hash: TOOL_HASH },
  }),
  'patch /resources/{identifier}': () => ({
    ...place,
    body: { require_user: true, clients: null },
  }),
  'put /permissions/{principal}/{resource}': () => ({ ...may, body: { scopes: ['place:see'] } }),
  'get /permissions': () => ({ query: { resource: PLACE } }),
  'get /permissions/{principal}/{resource}': () => may,
  'delete /permissions/{principal}/{resource}': () => may,
  'delete /resources/{identifier}': () => place,
  'get /consents': () => ({ query: { ...page, live: 'true', agent: AGENT } }),
  'get /consents/{id}': () => ({ params: { id: known.consent ?? '' } }),
  'get /grants': () => ({ query: { ...page, consent: known.consent ?? '' } }),
  'get /grants/{id}': () => ({ params: { id: known.grant1 ?? '' } }),
  'delete /grants/{id}': () => ({
    params: { id: known.grant1 ?? '' },
    query: { reason: 'told to' },
  }),
  'post /consents/end': () => ({ body: { agent: AGENT, dry_run: true } }),
  'delete /consents/{id}': () => ({ params: { id: known.consent ?? '' } }),
  'get /revocations': () => ({
    query: page,
    keep: ({ items }) => ({ fact: String(items[0].id) }),
  }),
  'get /revocations/{id}': () => ({ params: { id: known.fact ?? '' } }),
  'get /audit': () => ({
    query: { ...page, agent: AGENT, since: '2020-01-01T00:00:00Z' },
    keep: ({ items }) => ({ event: String(items[0].id) }),
  }),
  'post /explain': () => ({ body: { of: known.event ?? '' } }),
  'post /audit/verify': () => ({ body: {} }),
  'delete /agents/{id}/credentials/{credential}': () => ({
    params: { ...agent.params, credential: known.agentSecret ?? '' },
  }),
  'put /agents/{id}/status': () => ({ ...agent, body: { status: 'blocked', reason: 'told to' } }),
  'delete /agents/{id}': () => agent,
  'delete /clients/{id}/credentials/{credential}': () => ({
    params: { ...client.params, credential: known.clientSecret ?? '' },
  }),
  'delete /clients/{id}': () => client,
  'get /keys': () => ({
    keep: ({ items }: { items: { kid: string }[] }) => ({ kid: items.at(-1)?.kid ?? '' }),
  }),
  'post /keys/rotate': () => ({ before: publishedLongAgo, body: {} }),
  'post /keys/{kid}/retire': () => ({
    params: { kid: known.kid ?? '' },
    body: { reason: 'told to', compromised: true },
  }),
  'post /keys/reseal': () => ({}),
  'post /world': () => ({ body: { text: 'roles: [told]', dry_run: true } }),
};

const operationsOf = (): string[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );

/** Whether a value is what a schema of the document says, and nothing besides. */
const problemsOf = (schema: object, value: unknown): string[] =>
  z
    .fromJSONSchema(schema as never)
    .safeParse(value)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

const problemSchema = () => document.components.schemas.Problem;

it('names every operation, and the table below calls each', () => {
  expect(operationsOf().sort()).toEqual(Object.keys(REQUESTS).sort());
});

describe('every operation of the document', () => {
  it.each(Object.entries(REQUESTS))('%s answers as described', async (name, requestOf) => {
    const [method = '', path = ''] = name.split(' ');
    const described = document.paths[path]?.[method];
    const { params = {}, query = {}, body, keep, before } = requestOf();
    await before?.();
    const of = (place: string) =>
      described.parameters
        .filter((one: { in: string }) => one.in === place)
        .map((one: { name: string }) => one.name);
    expect(Object.keys(params).sort()).toEqual(of('path').sort());
    expect(of('query')).toEqual(expect.arrayContaining(Object.keys(query)));
    expect(described.requestBody !== undefined).toBe(body !== undefined);
    if (body !== undefined) {
      const { schema } = described.requestBody.content['application/json'];
      expect(problemsOf(schema, body)).toEqual([]);
    }
    const filled = path.replace(/\{(\w+)\}/g, (_all, one: string) =>
      encodeURIComponent(params[one] ?? ''),
    );
    const answer = await admin(method, `${filled}?${new URLSearchParams(query)}`, body);
    const [status] = Object.keys(described.responses);
    expect([String(answer.status), answer.body]).toEqual([status, answer.body]);
    const schema = described.responses[status ?? ''].content?.['application/json']?.schema;
    if (schema === undefined) expect(answer.body).toBeUndefined();
    else expect(problemsOf(schema, answer.body)).toEqual([]);
    Object.assign(known, keep?.(answer.body));
  });

  it.each(Object.keys(REQUESTS))('%s tells a stranger nothing but a problem', async (name) => {
    const [method = '', path = ''] = name.split(' ');
    const answer = await admin(method, path.replace(/\{\w+\}/g, 'x'), undefined, 'Bearer wrong');
    expect(answer.status).toBe(401);
    expect(problemsOf(problemSchema(), answer.body)).toEqual([]);
  });
});

it('RFC 9457: the examples of problems are what the server says', async () => {
  const { invalid, unauthenticated, unknown, conflict } = document.components.examples;
  const person = { name: 'X', owner: 'X' };
  const answers = [
    await admin('post', '/agents', { ...person, nmae: 'X' }),
    await callAdmin(t, 'get', '/agents'),
    await admin('get', '/agents/agt_nobody'),
    await admin('post', '/agents', { ...person, id: 'agt_helper' }),
  ];
  expect(answers.map(({ body }) => body)).toEqual(
    [invalid, unauthenticated, unknown, conflict].map(({ value }) => value),
  );
  for (const { body, status } of answers) {
    expect(status).toBe(body.status);
    expect(problemsOf(problemSchema(), body)).toEqual([]);
  }
});
