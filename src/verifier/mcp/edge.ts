/**
 * The HTTP edge, whatever the framework: answers metadata and preflights, authenticates, and decides
 * every message of the body, before any MCP server sees the request.
 */
import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import { type HttpInput, headerValues } from '../http-input.js';
import { type McpAuthInfo, toMcpAuthInfo } from '../mcp-auth-info.js';
import type { Cors } from './cors.js';
import { createDecided, type Decided } from './decided.js';
import { contradiction } from './headers.js';
import { type ParsedBody, RPC_ERROR, rpcError } from './json-rpc.js';
import type { Judge } from './judge.js';
import type { ToolPolicy } from './policy.js';
import type { Owners } from './sessions.js';

export const SESSION_HEADER = 'mcp-session-id';
export const EVENT_STREAM = 'text/event-stream';

export interface EdgeDeps {
  readonly verifier: Verifier;
  readonly policy: ToolPolicy;
  readonly judge: Judge;
  readonly sessions: Owners;
  readonly cors: Cors;
  /** Remembers what was decided, and recorded, of the request with this info. */
  readonly markDecided: (info: McpAuthInfo, decided: Decided) => void;
}

export interface EdgeRequest {
  readonly input: HttpInput;
  readonly method: string;
  readonly pathname: string;
  /** Reads and parses the body; undefined: it is longer than allowed. */
  readonly readBody: () => Promise<ParsedBody | undefined>;
}

/** An answer of the edge itself. */
export interface EdgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** A request that may go on to the MCP server. */
export interface Admitted {
  readonly context: AuthContext;
  readonly info: McpAuthInfo;
  readonly parsedBody: unknown;
  readonly sessionId: string | undefined;
}

export type Admission = { readonly answer: EdgeAnswer } | { readonly admitted: Admitted };

export interface Edge {
  /** CORS headers, for the server's own answers too. */
  headers(input: HttpInput): Readonly<Record<string, string>>;
  /** Never rejects: what goes wrong is an answer. */
  admit(request: EdgeRequest): Promise<Admission>;
  /** The answer to an error thrown while the server was at work. */
  failure(error: unknown): EdgeAnswer;
}

const json = (
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Admission => ({ answer: { status, headers, body } });

/** What needs no token. */
function openAnswer(
  { verifier, policy, cors }: EdgeDeps,
  { input, method, pathname }: EdgeRequest,
): Admission | undefined {
  if (method === 'OPTIONS') return { answer: { status: 204, headers: cors.preflight(input) } };
  if (method === 'GET' && verifier.metadataPaths.includes(pathname))
    return json(200, verifier.protectedResourceMetadata({ scope: policy.base }), {
      'cache-control': 'public, max-age=300',
    });
  return cors.accepts(input) ? undefined : json(403, { error: 'origin_refused' });
}

/**
 * Decides the body; what may go on is what was decided on.
 *
 * @throws AuthError
 */
async function decideBody(
  judge: Judge,
  { input, readBody }: EdgeRequest,
  context: AuthContext,
  decided: Decided,
): Promise<Admission | { readonly body: unknown }> {
  const read = await readBody();
  if (read === undefined)
    return json(413, rpcError(null, RPC_ERROR.invalidRequest, 'the body is too large'), {
      connection: 'close',
    });
  if ('problem' in read) return json(400, rpcError(null, read.code, read.problem));
  const header = contradiction(input, read.messages);
  if (header !== undefined) {
    const says = `the header ${header} says something else than the body`;
    return json(400, rpcError(read.messages[0]?.id ?? null, RPC_ERROR.headerMismatch, says));
  }
  const refusal = await judge.refusal(context, read.messages, { at: 'edge', decided });
  if (refusal !== undefined) throw refusal;
  return { body: read.body };
}

export function createEdge(deps: EdgeDeps): Edge {
  const { verifier, policy, judge, sessions } = deps;

  function failure(error: unknown): EdgeAnswer {
    if (error instanceof AuthError) return verifier.challenge(error, { scope: policy.base });
    verifier.emit({ type: 'handler_error', atMs: verifier.now(), error });
    return { status: 500, headers: {}, body: rpcError(null, RPC_ERROR.internal, 'Internal error') };
  }

  async function guarded(request: EdgeRequest): Promise<Admission> {
    const { input, method } = request;
    const context = await verifier.authenticate(input);
    if (!['GET', 'POST', 'DELETE'].includes(method))
      return json(405, { error: 'method_not_allowed' }, { allow: 'GET, POST, DELETE, OPTIONS' });
    // The answer for a session that does not exist: another caller's is none (MCP transports).
    const [sessionId] = headerValues(input, SESSION_HEADER);
    if (sessionId !== undefined && !(await sessions.owns(sessionId, context)))
      return json(404, rpcError(null, -32001, 'Session not found'));
    const decided = createDecided(verifier.now);
    let parsedBody: unknown;
    if (method === 'POST') {
      const outcome = await decideBody(judge, request, context, decided);
      if (!('body' in outcome)) return outcome;
      parsedBody = outcome.body;
    }
    const info = toMcpAuthInfo(context);
    deps.markDecided(info, decided);
    return { admitted: { context, info, parsedBody, sessionId } };
  }

  return {
    headers: deps.cors.headers,
    admit: async (request) => {
      try {
        // What is advertised, and asked for at first, is part of a policy that is kept elsewhere.
        await policy.load?.().catch(() => undefined);
        return openAnswer(deps, request) ?? (await guarded(request));
      } catch (error) {
        return { answer: failure(error) };
      }
    },
    failure,
  };
}
