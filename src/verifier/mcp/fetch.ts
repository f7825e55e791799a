/** The edge for runtimes and frameworks of Web APIs: `Request` in, `Response` out. */
import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import type { McpAuthInfo } from '../mcp-auth-info.js';
import { type Edge, type EdgeAnswer, EVENT_STREAM, SESSION_HEADER } from './edge.js';
import { parseBody } from './json-rpc.js';
import type { Owners } from './sessions.js';

/** What the SDKs' handlers of a `Request` take beside it; the request's own body is used up. */
export interface AdmittedRequest {
  readonly authInfo: McpAuthInfo;
  readonly parsedBody?: unknown;
}

/** A server behind the guard, for runtimes of Web APIs. Called for admitted requests only. */
export type FetchMcpHandler = (
  request: Request,
  admitted: AdmittedRequest,
) => Response | Promise<Response>;

/** What `guard.fetch` makes: every answer is decided before the server behind it is asked. */
export type FetchHandler = (request: Request) => Promise<Response>;

export interface FetchDeps {
  readonly verifier: Verifier;
  readonly edge: Edge;
  readonly sessions: Owners;
  readonly bodyMaxBytes: number;
}

/** The body as text; `undefined` when it is longer than allowed. */
async function readText(request: Request, bodyMaxBytes: number): Promise<string | undefined> {
  const reader = request.body?.getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.byteLength;
    if (bytes > bodyMaxBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

async function readBody(request: Request, bodyMaxBytes: number) {
  const text = await readText(request, bodyMaxBytes).catch(() => '');
  return text === undefined ? undefined : parseBody(text);
}

function toResponse({ status, headers, body }: EdgeAnswer, more: Readonly<Record<string, string>>) {
  const fixed =
    body === undefined ? {} : { 'content-type': 'application/json', 'cache-control': 'no-store' };
  const all = { ...fixed, ...more, ...headers };
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers: all });
}

/** A stream ends with the token that opened it: at its expiry, or when it is revoked. */
function endWithToken(
  body: ReadableStream<Uint8Array>,
  context: AuthContext,
  verifier: Verifier,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let hasEnded = false;
  let release = () => {};
  const end = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    if (!hasEnded) controller.close();
    hasEnded = true;
    release();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      release = verifier.onEnd(context, () => {
        end(controller);
        reader.cancel().catch(() => undefined);
      });
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) end(controller);
      else if (!hasEnded) controller.enqueue(value);
    },
    async cancel(reason) {
      hasEnded = true;
      release();
      await reader.cancel(reason);
    },
  });
}

/** The server's own answer, with the headers of the edge, its session known, its stream bounded. */
async function finish(
  response: Response,
  context: AuthContext,
  more: Readonly<Record<string, string>>,
  { verifier, sessions }: FetchDeps,
): Promise<Response> {
  const sessionId = response.headers.get(SESSION_HEADER);
  if (sessionId !== null) await sessions.bind(sessionId, context);
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
  const { status, statusText } = response;
  const isStream = headers.get('content-type')?.startsWith(EVENT_STREAM) === true;
  const body =
    response.body !== null && isStream
      ? endWithToken(response.body, context, verifier)
      : response.body;
  return new Response(body, { status, statusText, headers });
}

/** Builds the handler for Hono, Deno, Bun, Workers and their like. */
export function fetchHandler(deps: FetchDeps, handler: FetchMcpHandler): FetchHandler {
  const { edge, sessions, bodyMaxBytes } = deps;
  return async function mcpGuard(request) {
    const more = edge.headers(request);
    const outcome = await edge.admit({
      input: request,
      method: request.method,
      pathname: new URL(request.url).pathname,
      readBody: () => readBody(request, bodyMaxBytes),
    });
    if ('answer' in outcome) return toResponse(outcome.answer, more);
    const { context, info, parsedBody, sessionId } = outcome.admitted;
    try {
      const response = await handler(request, {
        authInfo: info,
        ...(parsedBody === undefined ? {} : { parsedBody }),
      });
      if (request.method === 'DELETE' && sessionId !== undefined) await sessions.forget(sessionId);
      return await finish(response, context, more, deps);
    } catch (error) {
      return toResponse(edge.failure(error), more);
    }
  };
}
