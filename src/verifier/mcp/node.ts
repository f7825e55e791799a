/** The HTTP edge for Node: everything is decided here, before any MCP server sees the request. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import { type McpAuthInfo, toMcpAuthInfo } from '../mcp-auth-info.js';
import { CORS_HEADERS, PREFLIGHT_HEADERS } from './cors.js';
import { parseBody, readMessages, rpcError } from './json-rpc.js';
import type { Judge } from './judge.js';
import type { ToolPolicy } from './policy.js';
import type { SessionOwners } from './sessions.js';

const SESSION_HEADER = 'mcp-session-id';

/** Gets the request with `auth` set, and the body that was decided on; the stream is used up. */
export type NodeMcpHandler = (
  req: IncomingMessage & { auth: McpAuthInfo },
  res: ServerResponse,
  parsedBody: unknown,
) => unknown;

export interface NodeDeps {
  readonly verifier: Verifier;
  readonly policy: ToolPolicy;
  readonly judge: Judge;
  readonly sessions: SessionOwners;
  readonly bodyMaxBytes: number;
  /** Remembers that calls under this info were recorded at the edge. */
  readonly markRecorded: (info: McpAuthInfo) => void;
}

function sendJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  const length = String(new TextEncoder().encode(text).byteLength);
  res.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': length,
    ...headers,
  });
  res.end(text);
}

/** The body as text; `undefined` when it is longer than allowed. */
async function readText(req: IncomingMessage, bodyMaxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > bodyMaxBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Reads and parses the body, or the one a body parser has left in `req.body`. */
async function readBody(req: IncomingMessage, bodyMaxBytes: number) {
  const { body } = req as { body?: unknown };
  if (body !== undefined) return readMessages(body);
  const text = await readText(req, bodyMaxBytes).catch(() => '');
  return text === undefined ? undefined : parseBody(text);
}

function singleHeader(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** A stream ends with the token that opened it: at its expiry, or when it is revoked. */
function endWithToken(res: ServerResponse, context: AuthContext, verifier: Verifier): void {
  const release = verifier.onEnd(context, () => {
    const type = String(res.getHeader('content-type') ?? '');
    if (res.headersSent && type.startsWith('text/event-stream')) res.end();
  });
  res.once('close', release);
}

/** Learns the session a response opens, at the moment its head is written. */
function watchSession(res: ServerResponse, context: AuthContext, sessions: SessionOwners): void {
  const writeHead = res.writeHead.bind(res) as (...given: unknown[]) => ServerResponse;
  res.writeHead = ((...given: unknown[]) => {
    const written = writeHead(...given);
    const sessionId = res.getHeader(SESSION_HEADER);
    if (typeof sessionId === 'string') sessions.bind(sessionId, context);
    return written;
  }) as typeof res.writeHead;
}

/** Builds the listener for `http.createServer`, Express and their like. */
export function nodeListener(deps: NodeDeps, handler: NodeMcpHandler) {
  const { verifier, policy, judge, sessions } = deps;
  const hints = { scope: policy.base };

  function sendAuthError(res: ServerResponse, error: AuthError): void {
    const { status, headers, body } = verifier.challenge(error, hints);
    sendJson(res, status, body, headers);
  }

  async function guarded(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const context = await verifier.authenticate(req);
    if (!['GET', 'POST', 'DELETE'].includes(req.method ?? ''))
      return sendJson(res, 405, { error: 'method_not_allowed' }, { allow: 'GET, POST, DELETE' });
    // The answer for a session that does not exist: another caller's is none (MCP transports).
    const sessionId = singleHeader(req, SESSION_HEADER);
    if (sessionId !== undefined && !sessions.owns(sessionId, context))
      return sendJson(res, 404, rpcError(null, -32001, 'Session not found'));
    let parsedBody: unknown;
    if (req.method === 'POST') {
      const read = await readBody(req, deps.bodyMaxBytes);
      if (read === undefined)
        return sendJson(res, 413, rpcError(null, -32600, 'the body is too large'), {
          connection: 'close',
        });
      if ('problem' in read) return sendJson(res, 400, rpcError(null, read.code, read.problem));
      const refusal = await judge.refusal(context, read.messages);
      if (refusal !== undefined) throw refusal;
      parsedBody = read.body;
    }
    const info = toMcpAuthInfo(context);
    deps.markRecorded(info);
    watchSession(res, context, sessions);
    endWithToken(res, context, verifier);
    await handler(Object.assign(req, { auth: info }), res, parsedBody);
    if (req.method === 'DELETE' && sessionId !== undefined) sessions.forget(sessionId);
  }

  return async function mcpGuard(req: IncomingMessage, res: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(CORS_HEADERS)) res.setHeader(name, value);
    const pathname = (req.url ?? '').split('?', 1)[0] ?? '';
    try {
      if (req.method === 'OPTIONS') {
        res.writeHead(204, PREFLIGHT_HEADERS).end();
      } else if (req.method === 'GET' && verifier.metadataPaths.includes(pathname)) {
        sendJson(res, 200, verifier.protectedResourceMetadata(hints), {
          'cache-control': 'public, max-age=300',
        });
      } else await guarded(req, res);
    } catch (error) {
      if (error instanceof AuthError) return sendAuthError(res, error);
      verifier.emit({ type: 'handler_error', atMs: verifier.now(), error });
      if (res.headersSent) res.destroy();
      else sendJson(res, 500, rpcError(null, -32603, 'Internal error'));
    }
  };
}
