/**
 * Asks a server, and the authorization server it names, everything any known client would, and keeps
 * the answers. Signs nobody in, and registers nobody unless told to. The operator names the address,
 * so loopback and private networks are asked like any other.
 */
import { randomBytes } from 'node:crypto';
import { KNOWN_CLIENTS, type KnownClient } from './clients.js';
import {
  answerOf,
  firstFound,
  isSafeEndpoint,
  issuerIn,
  type Recording,
  resourceMetadataUrls,
  type Seen,
  scopeAsked,
  serverMetadataUrls,
  text,
  wayIn,
} from './policy.js';

export interface RecordOptions {
  readonly server: string;
  readonly fetch: typeof globalThis.fetch;
  readonly clientId?: string | undefined;
  readonly redirectUri?: string | undefined;
  /** Registers a client for each that would, where the server takes them. */
  readonly register?: boolean | undefined;
}

const ANSWER_MS = 10_000;
const BODY_CHARS_MAX = 512 * 1024;
const REDIRECTS_MAX = 3;
const PROTOCOL = { 'mcp-protocol-version': '2025-11-25' };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'behalf doctor', version: '1' },
  },
};

export async function record(options: RecordOptions): Promise<Recording> {
  const answers = new Map<string, Seen>();
  const recording: Recording = { ...options, answers };
  const ask = async (url: string, init: RequestInit = {}, key?: string): Promise<void> => {
    const { method = 'GET' } = init;
    const at = key ?? `${method} ${url}`;
    if (!answers.has(at)) answers.set(at, await see(options.fetch, url, init));
  };
  await ask(options.server, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(INITIALIZE),
  });
  const resourceUrls = resourceMetadataUrls(
    options.server,
    answerOf(recording, `POST ${options.server}`),
  );
  for (const url of resourceUrls) await ask(url, { headers: PROTOCOL });
  const issuers = resourceUrls.flatMap((url) => {
    const { json } = answerOf(recording, `GET ${url}`);
    return json === undefined ? [] : (issuerIn(json) ?? []);
  });
  for (const url of new Set(issuers.flatMap(serverMetadataUrls))) {
    await ask(url, { headers: PROTOCOL });
  }
  for (const client of KNOWN_CLIENTS) await probeAs(client, recording, ask, options);
  return recording;
}

type Ask = (url: string, init?: RequestInit, key?: string) => Promise<void>;

/** What only one client asks: its registration, its authorization request, its preflights. */
async function probeAs(
  client: KnownClient,
  recording: Recording,
  ask: Ask,
  { register = false }: RecordOptions,
): Promise<void> {
  const bare = answerOf(recording, `POST ${recording.server}`);
  const resource = firstFound(recording, resourceMetadataUrls(recording.server, bare), client);
  const issuer = 'stuckAt' in resource ? undefined : issuerIn(resource.document);
  if ('stuckAt' in resource || issuer === undefined) return;
  const metadata = firstFound(recording, serverMetadataUrls(issuer), client);
  if ('stuckAt' in metadata) return;
  const token = text(metadata.document, 'token_endpoint');
  if (isSafeEndpoint(token)) await ask(token, wrongCode(client));
  if (client.pageOrigin !== undefined) {
    for (const url of [recording.server, resource.url, metadata.url, token]) {
      if (url !== undefined) await ask(url, preflight(client.pageOrigin));
    }
  }
  const registration = text(metadata.document, 'registration_endpoint');
  const scope = scopeAsked(bare, resource.document);
  const way = wayIn(recording, client, metadata.document);
  if (register && way === 'dynamic registration' && registration !== undefined) {
    await ask(registration, registering(client, scope), `${client.name} register`);
  }
  const registered = answerOf(recording, `${client.name} register`).json ?? {};
  const known = {
    'registered beforehand': recording.clientId,
    'its metadata document': client.documentUrl,
    'dynamic registration': text(registered, 'client_id'),
  };
  const clientId = way === undefined ? undefined : known[way];
  const endpoint = text(metadata.document, 'authorization_endpoint');
  if (clientId === undefined || endpoint === undefined || !URL.canParse(endpoint)) return;
  const url = new URL(endpoint);
  const params = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: recording.redirectUri ?? client.redirectUri,
    // RFC 7636 §4.2: of a verifier that nobody has.
    code_challenge: randomBytes(32).toString('base64url'),
    code_challenge_method: 'S256',
    state: randomBytes(8).toString('base64url'),
    resource: text(resource.document, 'resource'),
    scope,
  };
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  await ask(url.href, { headers: { accept: 'text/html' } }, `${client.name} authorize`);
}

const wrongCode = ({ redirectUri }: KnownClient): RequestInit => ({
  method: 'POST',
  headers: { accept: 'application/json' },
  body: new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'behalf-doctor',
    code: 'none',
    code_verifier: 'x'.repeat(43),
    redirect_uri: redirectUri,
  }),
});

const preflight = (origin: string): RequestInit => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, content-type, mcp-protocol-version',
  },
});

const registering = (client: KnownClient, scope: string | undefined): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify({
    client_name: `${client.name} (behalf doctor)`,
    redirect_uris: [client.redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    ...(scope === undefined ? {} : { scope }),
  }),
});

/** One answer, kept: never throws. */
export async function see(
  fetch: typeof globalThis.fetch,
  url: string,
  init: RequestInit = {},
  redirects = REDIRECTS_MAX,
): Promise<Seen> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    const headers = Object.fromEntries(response.headers);
    const next = documentMovedTo(url, init, response);
    if (next !== undefined && redirects > 0) {
      await response.body?.cancel();
      return see(fetch, next, init, redirects - 1);
    }
    const isJson = /\bjson\b/.test(headers['content-type'] ?? '');
    const json = isJson ? parse(await readText(response)) : undefined;
    if (!isJson) await response.body?.cancel();
    return { status: response.status, headers, json };
  } catch (error) {
    const { cause, name } = error as { cause?: { code?: string; message?: string }; name: string };
    return { status: 0, headers: {}, failure: cause?.code ?? cause?.message ?? name };
  }
}

/** Clients follow a document that moved, at its own origin only; pages are for the browser. */
function documentMovedTo(url: string, init: RequestInit, response: Response): string | undefined {
  const location = response.headers.get('location');
  const isDocument = init.method === undefined && url.includes('/.well-known/');
  if (!isDocument || location === null || !URL.canParse(location, url)) return undefined;
  const next = new URL(location, url);
  return response.status >= 300 && response.status < 400 && next.origin === new URL(url).origin
    ? next.href
    : undefined;
}

async function readText(response: Response): Promise<string> {
  let body = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    body += decoder.decode(chunk, { stream: true });
    if (body.length > BODY_CHARS_MAX) return '';
  }
  return body;
}

function parse(body: string): Seen['json'] {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Seen['json'])
      : undefined;
  } catch {
    return undefined;
  }
}
