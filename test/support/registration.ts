// Clients that register themselves: what real ones send (resource-servers §3), and short ways to do as
// they do.
import { expect } from 'vitest';
import { type Answer, authFor, authorize, postForm, type TestBroker } from './broker.js';
import { FILES } from './world.js';

// biome-ignore lint/suspicious/noExplicitAny: whatever anybody may send
export type Metadata = Record<string, any>;

export async function sendJson(
  url: string,
  method: string,
  given?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = method === 'GET' ? undefined : given;
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

export const bearer = (token: string): Record<string, string> => ({
  authorization: `Bearer ${token}`,
});

export const register = (
  t: Pick<TestBroker, 'issuer'>,
  body: unknown,
  headers?: Record<string, string>,
): Promise<Answer> => sendJson(`${t.issuer}/register`, 'POST', body, headers);

/** Registers, and keeps the secret for `authFor`. */
export async function registered(t: TestBroker, body: Metadata, headers?: Record<string, string>) {
  const { status, body: made } = await register(t, body, headers);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(made)}`);
  if (made.client_secret !== undefined) {
    (t.secrets as Record<string, string>)[made.client_id] = made.client_secret;
  }
  return made;
}

/** With the registration access token of `made`, or another one. */
export const manage = (
  method: string,
  made: Metadata,
  { token = made.registration_access_token, body }: { token?: string; body?: unknown } = {},
): Promise<Answer> => sendJson(made.registration_client_uri, method, body, bearer(token));

/** Ana lets a client act for her, answered at this redirect; its token answer. */
export async function tokensOf(
  t: TestBroker,
  { client_id: client, redirect_uris: [first] }: Metadata,
  more: { redirectUri?: string; scope?: string | undefined } = {},
): Promise<Answer> {
  const redirectUri = more.redirectUri ?? first;
  const { code, verifier } = await authorize(t, {
    params: {
      client_id: client,
      redirect_uri: redirectUri,
      requested_actor: undefined,
      scope: 'scope' in more ? more.scope : 'files:read',
    },
  });
  return postForm(
    `${t.issuer}/token`,
    {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
      resource: FILES,
      ...(t.secrets[client] === undefined ? { client_id: client } : {}),
    },
    authFor(t, client),
  );
}

export const refreshWith = (t: TestBroker, client: string, refreshToken: string): Promise<Answer> =>
  postForm(
    `${t.issuer}/token`,
    {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      ...(t.secrets[client] === undefined ? { client_id: client } : {}),
    },
    authFor(t, client),
  );

export interface RealClient {
  readonly sends: Metadata;
  /** Of the answer, besides ids and tokens: whole. */
  readonly isTold: Metadata;
  /** Where it is really answered: a port it did not know when it registered. */
  readonly answeredAt: string;
}

/** 256 bits. */
const SECRET = expect.stringMatching(/^[\w-]{43}$/);
const APP = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  id_token_signed_response_alg: 'ES256',
};
const PUBLIC_NATIVE = {
  ...APP,
  token_endpoint_auth_method: 'none',
  application_type: 'native',
};

export const REAL_CLIENTS: Readonly<Record<string, RealClient>> = {
  'MCP SDK v1, which says nothing of its type or method': {
    sends: {
      client_name: 'My MCP client',
      redirect_uris: ['http://localhost:8090/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'files:list files:read',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'My MCP client',
      redirect_uris: ['http://localhost:8090/callback'],
      scope: 'files:list files:read',
    },
    answeredAt: 'http://localhost:61000/callback',
  },
  'MCP SDK v1 of a host that asks for a secret': {
    sends: {
      client_name: 'Simple OAuth MCP Client',
      redirect_uris: ['http://localhost:8090/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'Simple OAuth MCP Client',
      redirect_uris: ['http://localhost:8090/callback'],
      token_endpoint_auth_method: 'client_secret_post',
      client_secret: SECRET,
      client_secret_expires_at: 0,
    },
    answeredAt: 'http://localhost:8090/callback',
  },
  'MCP SDK v2, which derives its type': {
    sends: {
      client_name: 'v2 client',
      redirect_uris: ['https://client.example/oauth/callback'],
      application_type: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      response_types: ['code'],
      scope: 'files:read offline_access',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      application_type: 'web',
      client_name: 'v2 client',
      redirect_uris: ['https://client.example/oauth/callback'],
      scope: 'files:read offline_access',
    },
    answeredAt: 'https://client.example/oauth/callback',
  },
  'Claude Code, without a scope': {
    sends: {
      client_name: 'Claude Code (files)',
      redirect_uris: ['http://localhost:54545/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'Claude Code (files)',
      redirect_uris: ['http://localhost:54545/callback'],
    },
    answeredAt: 'http://localhost:49152/callback',
  },
  'Claude on the web, for each connection': {
    sends: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'openid profile email',
      client_uri: '',
      logo_uri: '',
      contacts: null,
    },
    isTold: {
      ...PUBLIC_NATIVE,
      application_type: 'web',
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      scope: 'openid profile email',
    },
    answeredAt: 'https://claude.ai/api/mcp/auth_callback',
  },
  'VS Code, with a grant nobody offers': {
    sends: {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      response_types: ['code'],
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      scope: 'files:read',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com/',
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      scope: 'files:read',
    },
    answeredAt: 'http://127.0.0.1:33419/',
  },
  'Cursor, which calls a list with its own scheme web': {
    sends: {
      client_name: 'Cursor',
      application_type: 'web',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
    },
    answeredAt: 'cursor://anysphere.cursor-mcp/oauth/callback',
  },
  'MCP Inspector': {
    sends: {
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      redirect_uris: ['http://localhost:6274/oauth/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: '',
      software_id: 'mcp-inspector',
      software_version: '2.12.0',
    },
    isTold: {
      ...PUBLIC_NATIVE,
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      redirect_uris: ['http://localhost:6274/oauth/callback'],
      software_id: 'mcp-inspector',
      software_version: '2.12.0',
    },
    answeredAt: 'http://localhost:6274/oauth/callback',
  },
  'a web app without a name, which says how it authenticates': {
    sends: {
      redirect_uris: ['https://keyed.example/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
      tos_uri: 'https://keyed.example/tos',
    },
    isTold: {
      ...APP,
      application_type: 'web',
      redirect_uris: ['https://keyed.example/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
      client_secret: SECRET,
      client_secret_expires_at: 0,
    },
    answeredAt: 'https://keyed.example/cb',
  },
};
