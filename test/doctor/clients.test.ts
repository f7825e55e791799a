// `behalf doctor <server>`: a server that is right lets every known client in; broken in one way, it
// stops exactly the clients that mind, at exactly that step.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KNOWN_CLIENTS } from '../../src/broker/doctor/clients.js';
import { type RecordOptions, record } from '../../src/broker/doctor/record.js';
import { type Step, walk } from '../../src/broker/doctor/steps.js';
import { CLIENT, type Site, startSite } from './support.js';

let site: Site;
beforeEach(async () => {
  site = await startSite();
});
afterEach(() => site.close());

const EVERYBODY = KNOWN_CLIENTS.map(({ name }) => name);
const PRM = 'GET /.well-known/oauth-protected-resource/mcp';
const METADATA = 'GET /.well-known/oauth-authorization-server/as';

/** What stops each client: its step, or nothing. */
async function stopped(more: Partial<RecordOptions> = {}) {
  const recording = await record({ server: site.server, fetch, clientId: CLIENT, ...more });
  const walks = KNOWN_CLIENTS.map((client) => [client.name, walk(recording, client)] as const);
  return new Map(
    walks.map(([name, steps]) => [name, steps.find(({ outcome }) => outcome === 'failed')]),
  );
}

const namesOf = (found: ReadonlyMap<string, Step | undefined>) =>
  [...found].flatMap(([name, step]) => (step === undefined ? [] : [name]));

describe('a server that does everything right', () => {
  it('lets every known client in, and is asked nothing twice', async () => {
    expect(namesOf(await stopped())).toEqual([]);
    const once = site.asked.filter((key) => key !== 'GET /as/authorize');
    expect(once.length).toBe(new Set(once).size);
    expect(site.asked).not.toContain('POST /as/register');
  });

  it('registers nobody unless told to: then every client that would', async () => {
    const tried = await stopped({ clientId: undefined });
    expect(namesOf(tried)).toEqual([]);
    expect(site.asked).not.toContain('POST /as/register');
    expect(site.asked).not.toContain('GET /as/authorize');
    const recording = await record({ server: site.server, fetch });
    const steps = walk(recording, KNOWN_CLIENTS[0] as (typeof KNOWN_CLIENTS)[0]);
    expect(steps.find(({ step }) => step === 'authorize')?.outcome).toBe('not tried');
    expect(namesOf(await stopped({ clientId: undefined, register: true }))).toEqual([]);
    const count = (key: string) => site.asked.filter((one) => one === key).length;
    expect([count('POST /as/register'), count('GET /as/authorize')]).toEqual([6, 6]);
  });

  it('tries metadata documents where they are taken, and needs `none` for them (Claude)', async () => {
    const asked: string[] = [];
    site.answers.set('GET /as/authorize', (query) => {
      asked.push(query.get('client_id') ?? '');
      return { status: 200, html: true };
    });
    site.change(METADATA, { client_id_metadata_document_supported: true });
    expect(namesOf(await stopped({ clientId: undefined }))).toEqual([]);
    expect(asked).toEqual([
      'https://claude.ai/oauth/claude-code-client-metadata',
      'https://vscode.dev/oauth/client-metadata.json',
    ]);
    asked.length = 0;
    site.change(METADATA, { token_endpoint_auth_methods_supported: ['client_secret_basic'] });
    await stopped({ clientId: undefined });
    expect(asked).toEqual([]);
  });

  it('is found without resource_metadata in the challenge, at the inserted or the root address', async () => {
    site.answers.set('POST /mcp', () => ({
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
    }));
    expect(namesOf(await stopped())).toEqual([]);
    const document = site.answers.get(PRM);
    site.answers.delete(PRM);
    site.answers.set('GET /.well-known/oauth-protected-resource', document as never);
    site.answers.set('OPTIONS /.well-known/oauth-protected-resource', () => ({
      headers: { 'access-control-allow-origin': '*' },
    }));
    expect(namesOf(await stopped())).toEqual([]);
  });

  it('may have its metadata at OpenID Connect’s addresses alone, inserted or appended', async () => {
    const document = site.answers.get(METADATA) as never;
    for (const path of [
      '/.well-known/openid-configuration/as',
      '/as/.well-known/openid-configuration',
    ]) {
      site.answers.delete(METADATA);
      site.answers.set(`GET ${path}`, document);
      site.answers.set(`OPTIONS ${path}`, () => ({
        headers: { 'access-control-allow-origin': '*' },
      }));
      expect([path, namesOf(await stopped())]).toEqual([path, []]);
      site.answers.delete(`GET ${path}`);
    }
  });
});

interface Broken {
  readonly name: string;
  readonly step: string;
  readonly stops: readonly string[];
  readonly cure: RegExp;
  break(site: Site): void;
  readonly more?: Partial<RecordOptions>;
}
const only = (...names: string[]) => names;
const but = (...names: string[]) => EVERYBODY.filter((name) => !names.includes(name));

const BROKEN: readonly Broken[] = [
  {
    name: 'answers a request without a token',
    step: 'challenge',
    stops: EVERYBODY,
    cure: /401 and WWW-Authenticate/,
    break: ({ answers }) => answers.set('POST /mcp', () => ({ status: 200, body: {} })),
  },
  {
    name: 'answers 401 without WWW-Authenticate',
    step: 'challenge',
    stops: EVERYBODY,
    cure: /RFC 9728 §5.1/,
    break: ({ answers }) => answers.set('POST /mcp', () => ({ status: 401 })),
  },
  {
    name: 'is not there',
    step: 'challenge',
    stops: EVERYBODY,
    cure: /start the server/,
    break: () => undefined,
    more: { server: 'http://127.0.0.1:9/mcp' },
  },
  {
    name: 'names resource metadata that are not there',
    step: 'resource metadata',
    stops: EVERYBODY,
    cure: /RFC 9728/,
    break: ({ answers }) => answers.delete(PRM),
  },
  {
    name: 'answers a page where the metadata should be',
    step: 'resource metadata',
    stops: EVERYBODY,
    cure: /as JSON/,
    break: ({ answers }) => answers.set(PRM, () => ({ html: true })),
  },
  {
    name: 'redirects the metadata to another origin',
    step: 'resource metadata',
    stops: EVERYBODY,
    cure: /RFC 9728/,
    break: ({ answers }) =>
      answers.set(PRM, () => ({ status: 302, headers: { location: 'http://127.0.0.1:9/x' } })),
  },
  {
    name: 'names no authorization server',
    step: 'resource metadata',
    stops: EVERYBODY,
    cure: /authorization_servers/,
    break: ({ change }) => change(PRM, { authorization_servers: [] }),
  },
  {
    name: 'lists offline_access',
    step: 'resource metadata',
    stops: EVERYBODY,
    cure: /take offline_access out/,
    break: ({ change }) => change(PRM, { scopes_supported: ['files:read', 'offline_access'] }),
  },
  {
    name: 'names its origin as the resource',
    step: 'resource identifier',
    stops: only('Claude', 'VS Code'),
    cure: /letter by letter/,
    break: ({ change, origin }) => change(PRM, { resource: `${origin}/` }),
  },
  {
    name: 'names a resource with a slash more',
    step: 'resource identifier',
    stops: only('Claude', 'VS Code'),
    cure: /letter by letter/,
    break: ({ change, server }) => change(PRM, { resource: `${server}/` }),
  },
  {
    name: 'names a resource elsewhere',
    step: 'resource identifier',
    stops: EVERYBODY,
    cure: /letter by letter/,
    break: ({ change }) => change(PRM, { resource: 'https://files.example/mcp' }),
  },
  {
    name: 'has no metadata of its authorization server',
    step: 'server metadata',
    stops: EVERYBODY,
    cure: /RFC 8414 §3.1/,
    break: ({ answers }) => answers.delete(METADATA),
  },
  {
    name: 'answers 500 at the first metadata address, and has a good second one',
    step: 'server metadata',
    stops: but('VS Code'),
    cure: /never 5xx/,
    break: ({ answers }) => {
      const document = answers.get(METADATA) as never;
      answers.set('GET /.well-known/openid-configuration/as', document);
      answers.set(METADATA, () => ({ status: 500 }));
    },
  },
  {
    name: 'has metadata without an endpoint',
    step: 'server metadata',
    stops: EVERYBODY,
    cure: /complete metadata/,
    break: ({ change }) => change(METADATA, { token_endpoint: undefined }),
  },
  {
    name: 'has null in its metadata',
    step: 'server metadata',
    stops: EVERYBODY,
    cure: /instead of sending null/,
    break: ({ change }) => change(METADATA, { registration_endpoint: null }),
  },
  {
    name: 'names its issuer with a slash',
    step: 'issuer',
    stops: but('MCP SDK v1', 'Cursor'),
    cure: /one string for the issuer/,
    break: ({ change, issuer }) => change(METADATA, { issuer: `${issuer}/` }),
  },
  {
    name: 'does not say S256',
    step: 'PKCE',
    stops: but('MCP SDK v1'),
    cure: /S256/,
    break: ({ change }) => change(METADATA, { code_challenge_methods_supported: undefined }),
  },
  {
    name: 'says plain only',
    step: 'PKCE',
    stops: EVERYBODY,
    cure: /S256/,
    break: ({ change }) => change(METADATA, { code_challenge_methods_supported: ['plain'] }),
  },
  {
    name: 'takes nobody it does not know',
    step: 'registration',
    stops: EVERYBODY,
    cure: /behalf client create/,
    break: ({ change }) => change(METADATA, { registration_endpoint: undefined }),
    more: { clientId: undefined },
  },
  {
    name: 'refuses to register',
    step: 'registration',
    stops: EVERYBODY,
    cure: /redirect URIs/,
    break: ({ answers }) =>
      answers.set('POST /as/register', () => ({
        status: 400,
        body: { error: 'invalid_redirect_uri' },
      })),
    more: { clientId: undefined, register: true },
  },
  {
    name: 'does not know the redirect URI of one client',
    step: 'authorize',
    stops: only('Cursor'),
    cure: /cursor:\/\/anysphere/,
    break: ({ answers }) =>
      answers.set('GET /as/authorize', (query) =>
        query.get('redirect_uri')?.startsWith('cursor:')
          ? { status: 400, html: true }
          : { status: 200, html: true },
      ),
  },
  {
    name: 'refuses the resource at the redirect URI',
    step: 'authorize',
    stops: EVERYBODY,
    cure: /must be registered/,
    break: ({ answers }) =>
      answers.set('GET /as/authorize', (query) => ({
        status: 303,
        headers: { location: `${query.get('redirect_uri')}?error=invalid_target` },
      })),
  },
  {
    name: 'has a token endpoint behind a page',
    step: 'token',
    stops: EVERYBODY,
    cure: /RFC 6749 §5.2/,
    break: ({ answers }) => answers.set('POST /as/token', () => ({ status: 403, html: true })),
  },
  {
    name: 'has a token endpoint without TLS',
    step: 'token',
    stops: EVERYBODY,
    cure: /https/,
    break: ({ change }) => change(METADATA, { token_endpoint: 'http://as.invalid/token' }),
  },
  ...['/mcp', PRM.slice(4), METADATA.slice(4), '/as/token'].map(
    (path): Broken => ({
      name: `answers no preflight at ${path}`,
      step: 'other origins',
      stops: only('MCP Inspector'),
      cure: /CORS/,
      break: ({ answers }) => answers.delete(`OPTIONS ${path}`),
    }),
  ),
];

describe('a server that', () => {
  it.each(BROKEN)('$name stops who minds, at “$step”, and says what cures it', async (broken) => {
    broken.break(site);
    const found = await stopped(broken.more);
    expect(namesOf(found)).toEqual(broken.stops);
    for (const name of broken.stops) {
      const step = found.get(name);
      expect([name, step?.step]).toEqual([name, broken.step]);
      expect(step?.cure).toMatch(broken.cure);
      // One sentence: what to do, not a manual.
      expect(step?.cure).toMatch(/^[a-z][\s\S]*[^.]\.?$/);
    }
  });
});
