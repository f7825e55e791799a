/** The edge for Node's own servers, and the frameworks that stand on them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import type { McpAuthInfo } from '../mcp-auth-info.js';
import { type Admitted, type Edge, type EdgeAnswer, EVENT_STREAM, SESSION_HEADER } from './edge.js';
import { parseBody, readMessages } from './json-rpc.js';
import type { Owners } from './sessions.js';

/** Gets the request with `auth` set, and the body that was decided on; the stream is used up. */
export type NodeMcpHandler = (
  req: IncomingMessage & { auth: McpAuthInfo },
  res: ServerResponse,
  parsedBody: unknown,
) => unknown;

/** A request listener of `node:http`. A handler that throws is answered, and not passed on. */
export type NodeListener = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export interface NodeDeps {
  readonly verifier: Verifier;
  readonly edge: Edge;
  readonly sessions: Owners;
  readonly bodyMaxBytes: number;
}

function send(res: ServerResponse, { status, headers, body }: EdgeAnswer): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  res.writeHead(status, {
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'cache-control': 'no-store' }),
    'content-length': String(new TextEncoder().encode(text).byteLength),
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

/** A stream ends with the token that opened it: at its expiry, or when it is revoked. */
function endWithToken(res: ServerResponse, context: AuthContext, verifier: Verifier): void {
  const release = verifier.onEnd(context, () => {
    const type = String(res.getHeader('content-type') ?? '');
    if (res.headersSent && type.startsWith(EVENT_STREAM)) res.end();
  });
  res.once('close', release);
}

/**
 * Learns the session a response opens, at the moment its head is written. A head cannot wait for a store:
 * a client that is faster than that, and comes to another process, is answered 404 and opens another.
 */
function watchSession(res: ServerResponse, context: AuthContext, sessions: Owners): void {
  const writeHead = res.writeHead.bind(res) as (...given: unknown[]) => ServerResponse;
  res.writeHead = ((...given: unknown[]) => {
    const written = writeHead(...given);
    const sessionId = res.getHeader(SESSION_HEADER);
    if (typeof sessionId === 'string') void sessions.bind(sessionId, context);
    return written;
  }) as typeof res.writeHead;
}

/** Where a request went, also inside a router that took a part of the path away (Express). */
export const pathnameOf = (req: IncomingMessage): string =>
  ((req as { originalUrl?: string }).originalUrl ?? req.url ?? '').split('?', 1)[0] ?? '';

/** Builds the listener for `http.createServer`, Express and their like. */
export function nodeListener(deps: NodeDeps, handler: NodeMcpHandler): NodeListener {
  const { verifier, edge, sessions, bodyMaxBytes } = deps;

  async function serve(
    req: IncomingMessage,
    res: ServerResponse,
    { context, info, parsedBody, sessionId }: Admitted,
  ): Promise<void> {
    watchSession(res, context, sessions);
    endWithToken(res, context, verifier);
    await handler(Object.assign(req, { auth: info }), res, parsedBody);
    if (req.method === 'DELETE' && sessionId !== undefined) await sessions.forget(sessionId);
  }

  return async function mcpGuard(req, res) {
    for (const [name, value] of Object.entries(edge.headers(req))) res.setHeader(name, value);
    const outcome = await edge.admit({
      input: req,
      method: req.method ?? '',
      pathname: pathnameOf(req),
      readBody: () => readBody(req, bodyMaxBytes),
    });
    if ('answer' in outcome) return send(res, outcome.answer);
    try {
      await serve(req, res, outcome.admitted);
    } catch (error) {
      const answer = edge.failure(error);
      if (res.headersSent) res.destroy();
      else send(res, answer);
    }
  };
}
