// A broker on a free port of 127.0.0.1, with the world of world.ts, and short ways to use it.
import { createHash, randomBytes } from 'node:crypto';
import { createBrowserless, type Visitor, walkPages } from '../../examples/demo/walk-pages.js';
import { type Broker, type BrokerDeps, createBroker } from '../../src/broker/app.js';
import type { Config } from '../../src/broker/config.js';
import { type OpenedDatabase, openTestPostgres } from './databases.js';
import { freePort } from './port.js';
import { AGENT, ANA, CALLBACK, FILES, HOST, type Secrets, seedWorld } from './world.js';

export { freePort };

export const ADMIN_TOKEN = 'admin-token-for-tests-0123456789abcdef';
export const ROOT_SECRET = 'root-secret-for-tests-0123456789abcdef';

export const testConfig = (port: number, more: Partial<Config> = {}): Config => ({
  issuer: `http://127.0.0.1:${port}`,
  host: '127.0.0.1',
  port,
  databaseUrl: undefined,
  dataDir: '/nonexistent',
  secret: ROOT_SECRET,
  previousSecret: undefined,
  adminToken: ADMIN_TOKEN,
  production: false,
  logLevel: 'info',
  // Tests look for the refusals they cause.
  refusalsPerMinute: 100_000,
  ...more,
});

export interface TestBroker {
  readonly broker: Broker;
  readonly issuer: string;
  readonly secrets: Secrets;
  readonly opened: OpenedDatabase;
  /** Every log line so far: nothing secret may ever be in it. */
  readonly logged: string[];
  close(): Promise<void>;
}

export async function startTestBroker(
  options: {
    readonly opened?: OpenedDatabase;
    readonly deps?: BrokerDeps;
    readonly config?: Partial<Config>;
  } = {},
): Promise<TestBroker> {
  const opened = options.opened ?? (await openTestPostgres());
  const secrets = await seedWorld(opened.db);
  const port = await freePort();
  const logged: string[] = [];
  const logTo = { write: (line: string) => void logged.push(line) };
  const broker = await createBroker(testConfig(port, options.config), {
    db: opened.db,
    logTo,
    ...options.deps,
  });
  await broker.listen();
  return {
    broker,
    issuer: broker.config.issuer,
    secrets,
    opened,
    logged,
    close: async () => {
      await broker.close();
      await opened.close();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared whole
  readonly body: any;
}

export const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

export async function postForm(
  url: string,
  fields: Record<string, string | readonly string[]>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) body.append(name, one);
  }
  const response = await fetch(url, { method: 'POST', body, headers, redirect: 'manual' });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    body: json ? JSON.parse(text) : text,
  };
}

export const postToken = (
  t: TestBroker,
  principal: string,
  fields: Record<string, string | readonly string[]>,
): Promise<Answer> => postForm(`${t.issuer}/token`, fields, authFor(t, principal));

export const authFor = (t: TestBroker, principal: string): Record<string, string> => {
  const secret = t.secrets[principal];
  return secret === undefined ? {} : { authorization: basic(principal, secret) };
};

/** An agent's actor token, fresh. */
export async function actorToken(t: TestBroker, agent = AGENT): Promise<string> {
  const answer = await postToken(t, agent, {
    grant_type: 'client_credentials',
    resource: t.issuer,
  });
  if (answer.status !== 200) throw new Error(`no actor token: ${JSON.stringify(answer.body)}`);
  return answer.body.access_token;
}

export const pkce = () => {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};

export interface AuthorizeOptions {
  readonly params?: Record<string, string | undefined>;
  readonly visitor?: Partial<Visitor>;
  readonly browser?: ReturnType<typeof createBrowserless>;
}

export function authorizeUrl(
  t: TestBroker,
  challenge: string,
  params: Record<string, string | undefined> = {},
): string {
  const query = {
    response_type: 'code',
    client_id: HOST,
    redirect_uri: CALLBACK,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'the-state',
    scope: 'files:write',
    resource: FILES,
    requested_actor: AGENT,
    ...params,
  };
  const present = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return `${t.issuer}/authorize?${new URLSearchParams(present)}`;
}

/** Walks the pages as Ana; the answer at the client's redirect. */
export async function authorize(t: TestBroker, options: AuthorizeOptions = {}) {
  const { verifier, challenge } = pkce();
  const browser = options.browser ?? createBrowserless(t.issuer);
  const url = authorizeUrl(t, challenge, options.params);
  const callback = await walkPages(browser, url, { ...ANA, ...options.visitor });
  return { callback, verifier, browser, code: callback.searchParams.get('code') ?? '' };
}

/** Redeems a code as a client with the agent's proof. */
export async function redeem(
  t: TestBroker,
  authorized: { readonly code: string; readonly verifier: string },
  more: Record<string, string | undefined> = {},
  client = HOST,
): Promise<Answer> {
  const fields = {
    grant_type: 'authorization_code',
    code: authorized.code,
    code_verifier: authorized.verifier,
    redirect_uri: CALLBACK,
    ...('actor_token' in more ? {} : { actor_token: await actorToken(t) }),
    ...more,
  };
  const present = Object.entries(fields).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return postToken(t, client, Object.fromEntries(present));
}

export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
export const headerOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
