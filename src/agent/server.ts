/**
 * The authorization server as the agent host sees it: its metadata (RFC 8414), and form posts to
 * its endpoints. Credentials go to the issuer's own origin and nowhere else.
 */
import { isSecureUrl, urlBelow, wellKnownUrl } from '../protocol/index.js';
import { authenticateClient, type ClientIdentity } from './client-auth.js';
import { agentError } from './errors.js';

const METADATA_MAX_AGE_MS = 3_600_000;
const TIMEOUT_MS = 10_000;
const BODY_MAX_CHARS = 262_144;

export interface ServerMetadata {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly parEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
}

export interface AuthorizationServer {
  readonly issuer: string;
  metadata(): Promise<ServerMetadata>;
  /** An authenticated form post; the JSON object it answers. */
  post(
    endpoint: string,
    client: ClientIdentity,
    form: Readonly<Record<string, string | undefined>>,
  ): Promise<Record<string, unknown>>;
}

export interface ServerOptions {
  readonly issuer: string;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
}

type Json = Record<string, unknown>;

async function readJson(response: Response): Promise<Json | undefined> {
  const text = await response.text();
  if (text.length > BODY_MAX_CHARS) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function endpointAt(issuer: string, document: Json, name: string): string | undefined {
  const value = document[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !URL.canParse(value))
    throw agentError('metadata_invalid', `${name} is not a URL`);
  if (new URL(value).origin !== new URL(issuer).origin)
    throw agentError('metadata_invalid', `${name} is not at the issuer's origin`);
  return value;
}

/** Reads what is needed of RFC 8414 §2; a server without PKCE S256 is refused (OAuth 2.1 §4.1.1). */
function parseMetadata(issuer: string, document: Json): ServerMetadata {
  if (document.issuer !== issuer)
    throw agentError('metadata_invalid', 'the metadata names another issuer (RFC 8414 §3.3)');
  const authorize = document.authorization_endpoint;
  if (typeof authorize !== 'string' || !URL.canParse(authorize) || !isSecureUrl(new URL(authorize)))
    throw agentError('metadata_invalid', 'authorization_endpoint is not a secure URL');
  const methods = document.code_challenge_methods_supported;
  if (!Array.isArray(methods) || !methods.includes('S256'))
    throw agentError('metadata_invalid', 'the server does not offer PKCE with S256');
  const tokenEndpoint = endpointAt(issuer, document, 'token_endpoint');
  if (tokenEndpoint === undefined) throw agentError('metadata_invalid', 'no token_endpoint');
  return {
    authorizationEndpoint: authorize,
    tokenEndpoint,
    parEndpoint: endpointAt(issuer, document, 'pushed_authorization_request_endpoint'),
    revocationEndpoint: endpointAt(issuer, document, 'revocation_endpoint'),
  };
}

export function createAuthorizationServer(options: ServerOptions): AuthorizationServer {
  const { issuer, fetch, now } = options;
  let cached: { readonly value: Promise<ServerMetadata>; readonly atMs: number } | undefined;

  async function send(url: string, init: RequestInit): Promise<Response> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return await fetch(url, { ...init, redirect: 'error', signal });
    } catch (cause) {
      throw agentError('unreachable', `${new URL(url).pathname} cannot be reached`, { cause });
    }
  }

  async function readMetadata(): Promise<ServerMetadata> {
    const suffix = 'oauth-authorization-server';
    const urls = [wellKnownUrl(issuer, suffix), urlBelow(issuer, `.well-known/${suffix}`)];
    for (const url of new Set(urls)) {
      const response = await send(url, { headers: { accept: 'application/json' } });
      const document = await readJson(response);
      if (response.status === 200 && document !== undefined) return parseMetadata(issuer, document);
      if (response.status >= 500)
        throw agentError('unreachable', 'the metadata cannot be read', { status: response.status });
    }
    throw agentError('metadata_invalid', 'there is no authorization server metadata');
  }

  function metadata(): Promise<ServerMetadata> {
    if (cached !== undefined && now() - cached.atMs < METADATA_MAX_AGE_MS) return cached.value;
    const entry = { value: readMetadata(), atMs: now() };
    cached = entry;
    // A failure is not remembered.
    entry.value.catch(() => {
      if (cached === entry) cached = undefined;
    });
    return entry.value;
  }

  return {
    issuer,
    metadata,
    async post(endpoint, client, form) {
      const { headers, form: credentials } = await authenticateClient(client, issuer, now());
      const body = new URLSearchParams();
      for (const [name, value] of Object.entries({ ...form, ...credentials }))
        if (value !== undefined) body.append(name, value);
      const response = await send(endpoint, {
        method: 'POST',
        headers: { ...headers, accept: 'application/json' },
        body,
      });
      return readAnswer(new URL(endpoint).pathname, response);
    },
  };
}

async function readAnswer(path: string, response: Response): Promise<Json> {
  const { status } = response;
  const answer = await readJson(response);
  if (response.ok) return answer ?? {};
  if (typeof answer?.error !== 'string')
    throw agentError(status >= 500 ? 'unreachable' : 'response_invalid', `${path}: ${status}`, {
      status,
    });
  const description = answer.error_description;
  throw agentError(answer.error, `${path} answered ${answer.error}`, {
    status,
    ...(typeof description === 'string' ? { description } : {}),
  });
}
