// An MCP server and its authorization server that do everything right, on one port of 127.0.0.1; a test
// breaks one thing.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** JSON; absent: no body. */
  body?: Record<string, unknown>;
  html?: boolean;
}
type Handler = (query: URLSearchParams) => Answer;

export interface Site {
  readonly origin: string;
  readonly server: string;
  readonly issuer: string;
  /** By `METHOD /path`; a test replaces what it breaks. */
  readonly answers: Map<string, Handler>;
  /** Every request that came, by `METHOD /path`. */
  readonly asked: string[];
  /** Changes the JSON of one address. */
  change(key: string, members: Record<string, unknown>): void;
  close(): Promise<void>;
}

export const CLIENT = 'cli_known';

export async function startSite(): Promise<Site> {
  const answers = new Map<string, Handler>();
  const asked: string[] = [];
  const http = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://127.0.0.1');
    const key = `${req.method} ${url.pathname}`;
    asked.push(key);
    req.resume();
    const {
      status = 200,
      headers = {},
      body,
      html = false,
    } = answers.get(key)?.(url.searchParams) ?? { status: 404 };
    const type = html ? 'text/html' : 'application/json';
    res.writeHead(status, { ...(body || html ? { 'content-type': type } : {}), ...headers });
    res.end(html ? '<p>page</p>' : body === undefined ? '' : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  fill(answers, origin);
  return {
    origin,
    server: `${origin}/mcp`,
    issuer: `${origin}/as`,
    answers,
    asked,
    change: (key, members) => {
      const before = answers.get(key);
      answers.set(key, (query) => {
        const answer = before?.(query) ?? {};
        return { ...answer, body: { ...answer.body, ...members } };
      });
    },
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function fill(answers: Site['answers'], origin: string): void {
  const prm = '/.well-known/oauth-protected-resource/mcp';
  const metadata = '/.well-known/oauth-authorization-server/as';
  answers.set('POST /mcp', () => ({
    status: 401,
    headers: {
      'www-authenticate': `Bearer resource_metadata="${origin}${prm}", scope="files:read"`,
    },
    body: { error: 'invalid_token' },
  }));
  answers.set(`GET ${prm}`, () => ({
    body: {
      resource: `${origin}/mcp`,
      authorization_servers: [`${origin}/as`],
      scopes_supported: ['files:read'],
    },
  }));
  answers.set(`GET ${metadata}`, () => ({
    body: {
      issuer: `${origin}/as`,
      authorization_endpoint: `${origin}/as/authorize`,
      token_endpoint: `${origin}/as/token`,
      registration_endpoint: `${origin}/as/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
    },
  }));
  answers.set('POST /as/register', () => ({ status: 201, body: { client_id: 'cli_new' } }));
  answers.set('POST /as/token', () => ({ status: 400, body: { error: 'invalid_grant' } }));
  answers.set('GET /as/authorize', () => ({
    status: 303,
    headers: { location: `${origin}/as/interaction/x` },
  }));
  for (const path of ['/mcp', prm, metadata, '/as/token']) {
    answers.set(`OPTIONS ${path}`, () => ({
      status: 204,
      headers: { 'access-control-allow-origin': '*' },
    }));
  }
}
