/** One guard for one MCP server: the HTTP edge, and the check in process behind it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import { createJudge, type Judge } from './judge.js';
import { type NodeMcpHandler, nodeListener } from './node.js';
import type { ToolPolicy } from './policy.js';
import { createSessionOwners } from './sessions.js';
import { type GuardedTransport, guardTransport, type TransportLike } from './transport.js';

/** What the MCP SDKs accept themselves. */
const BODY_MAX_BYTES = 4 * 1024 * 1024;

export interface ProtectOptions {
  /** Longest request body; default 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
}

export interface TransportOptions {
  /** The caller, for a transport that authenticates nobody itself (stdio, in memory). */
  readonly context?: AuthContext | undefined;
}

/** An SDK's `McpServer` or `Server`. */
export interface ConnectableServer {
  connect(transport: GuardedTransport): Promise<void>;
}

export interface McpGuard<Tool extends string = string> {
  /**
   * A request listener that answers metadata and preflights, authenticates, decides every message
   * of the body, and only then calls `handler` with `req.auth` and the parsed body.
   */
  node(handler: NodeMcpHandler): (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** A transport for the server to connect to; requests go to the inner one as before. */
  transport(inner: TransportLike, options?: TransportOptions): GuardedTransport;
  /** Connects a server through {@link McpGuard.transport}. */
  connect(
    server: ConnectableServer,
    inner: TransportLike,
    options?: TransportOptions,
  ): Promise<void>;
  /**
   * Who is calling, inside a tool handler.
   * @param extra what the SDK hands to the handler beside the arguments
   * @throws TypeError when the call did not come through this guard
   */
  context(extra: unknown): AuthContext;
  /**
   * Compares the policy with the tools there are. Call it at start.
   * @throws TypeError naming tools without policy and policies without tool
   */
  checkTools(names: Iterable<string>): void;
  readonly policy: ToolPolicy<Tool>;
}

/** `authInfo` where v1 (`extra.authInfo`) or v2 (`ctx.http.authInfo`) puts it. */
function authInfoOf(extra: unknown): object | undefined {
  const given = extra as
    | { authInfo?: object | undefined; http?: { authInfo?: object | undefined } | undefined }
    | undefined;
  return given?.authInfo ?? given?.http?.authInfo;
}

/**
 * Protects an MCP server by a policy. Nothing is allowed that the policy does not name.
 *
 * Does not look at tool arguments, `Mcp-Method` or `Mcp-Name` headers (the body decides), and does
 * not check the `Host` or `Origin` of requests: a token is needed wherever they come from.
 */
export function protectMcpServer<Tool extends string>(
  verifier: Verifier,
  policy: ToolPolicy<Tool>,
  options: ProtectOptions = {},
): McpGuard<Tool> {
  const bodyMaxBytes = options.maxBodyBytes ?? BODY_MAX_BYTES;
  if (!(bodyMaxBytes > 0)) throw new TypeError('maxBodyBytes is a positive number');
  const judge: Judge = createJudge(verifier, policy);
  const sessions = createSessionOwners();
  const recorded = new WeakSet<object>();

  function contextOf(extra: unknown): AuthContext | undefined {
    const info = authInfoOf(extra) as { extra?: { context?: unknown } } | undefined;
    const context = info?.extra?.context;
    return verifier.issued(context) ? context : undefined;
  }
  function wasRecorded(extra: unknown): boolean {
    const info = authInfoOf(extra);
    return info !== undefined && recorded.has(info);
  }
  const transport: McpGuard['transport'] = (inner, { context } = {}) =>
    guardTransport(inner, {
      verifier,
      judge,
      contextOf,
      wasRecorded,
      hasPolicy: (tool) => policy.tools.has(tool),
      fixed: context,
    });

  return Object.freeze<McpGuard<Tool>>({
    policy,
    node: (handler) =>
      nodeListener(
        {
          verifier,
          policy,
          judge,
          sessions,
          bodyMaxBytes,
          markRecorded: (info) => void recorded.add(info),
        },
        handler,
      ),
    transport,
    connect: (server, inner, given) => server.connect(transport(inner, given)),
    context(extra) {
      const context = contextOf(extra);
      if (context === undefined) throw new TypeError('this call did not come through the guard');
      return context;
    },
    checkTools(names) {
      const there = new Set(names);
      const bare = [...there].filter((name) => !policy.tools.has(name));
      const idle = policy.toolNames.filter((name) => !there.has(name));
      if (bare.length > 0) throw new TypeError(`tools without a policy: ${bare.join(', ')}`);
      if (idle.length > 0) throw new TypeError(`policies without a tool: ${idle.join(', ')}`);
    },
  });
}
