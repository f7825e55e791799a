/** One guard for one MCP server: the HTTP edge, and the check in process behind it. */
import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import { createCors } from './cors.js';
import type { Decided } from './decided.js';
import { createEdge, type EdgeDeps } from './edge.js';
import { type FetchHandler, type FetchMcpHandler, fetchHandler } from './fetch.js';
import { compareTools, listTools, publishTools } from './inventory.js';
import { createJudge } from './judge.js';
import { type NodeListener, type NodeMcpHandler, nodeListener } from './node.js';
import type { ToolPolicy } from './policy.js';
import { createOwnerStore, createOwners, type OwnerStore, type Owners } from './sessions.js';
import {
  type GuardedTransport,
  guardTransport,
  type TransportDeps,
  type TransportLike,
} from './transport.js';

/** What the MCP SDKs accept themselves. */
const BODY_MAX_BYTES = 4 * 1024 * 1024;

/** Bounds of a guard. */
export interface ProtectOptions {
  /** Longest request body; default 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Origins of the web pages that are served; default all. Requests of no page always are. */
  readonly origins?: readonly string[] | undefined;
  /**
   * Whose sessions and tasks are whose; default in memory, for one process. Processes of one server that
   * serve each other's sessions share a store. What the SDK keeps of a session is its own matter.
   */
  readonly owners?: OwnerStore | undefined;
}

/** Who calls, where the transport does not know. */
export interface TransportOptions {
  /** The caller, for a transport that authenticates nobody itself (stdio, in memory). */
  readonly context?: AuthContext | undefined;
}

/** An SDK's `McpServer` or `Server`. */
export interface ConnectableServer {
  connect(transport: GuardedTransport): Promise<void>;
  close(): Promise<void>;
}

/** How to make a server, as v2's `createMcpHandler` and `serveStdio` take it. */
export type ServerFactory<Context, Server> = (context: Context) => Server | Promise<Server>;

/**
 * A policy at work: at the HTTP edge, in process, or both. Answers, decides, filters lists, binds
 * sessions.
 */
export interface McpGuard<Tool extends string = string> {
  /**
   * A request listener that answers metadata and preflights, authenticates, decides every message
   * of the body, and only then calls `handler` with `req.auth` and the parsed body.
   */
  node(handler: NodeMcpHandler): NodeListener;
  /** The same for `Request` and `Response`; `handler` gets `{ authInfo, parsedBody }` beside. */
  fetch(handler: FetchMcpHandler): FetchHandler;
  /** Whether a path is the resource's own or its metadata's: what an application hands over. */
  serves(pathname: string): boolean;
  /** A transport for the server to connect to; requests go to the inner one as before. */
  transport(inner: TransportLike, options?: TransportOptions): GuardedTransport;
  /** Connects a server through {@link McpGuard.transport}. */
  connect(
    server: ConnectableServer,
    inner: TransportLike,
    options?: TransportOptions,
  ): Promise<void>;
  /** A factory of servers that connect through {@link McpGuard.transport}, whoever connects them. */
  factory<Context, Server extends ConnectableServer>(
    make: ServerFactory<Context, Server>,
    options?: TransportOptions,
  ): (context: Context) => Promise<Server>;
  /**
   * Looks a server over before the first request: its tools against the policy, and their inventory
   * to the broker, if the verifier has a client. The first connection does the same.
   * @throws TypeError naming tools without policy and policies without tool
   */
  start<Context>(make: ServerFactory<Context, ConnectableServer>): Promise<void>;
  /**
   * Who is calling, inside a tool handler.
   * @param extra what the SDK hands to the handler beside the arguments
   * @throws TypeError when the call did not come through this guard
   */
  context(extra: unknown): AuthContext;
  /**
   * Compares the policy with the tools there are, for servers that cannot list them without a caller.
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

/** Who calls, by what an SDK hands on beside a message. */
function createCallers(verifier: Verifier) {
  const decidedByInfo = new WeakMap<object, Decided>();
  return {
    markDecided: (info: object, decided: Decided): void => void decidedByInfo.set(info, decided),
    decidedOf: (extra: unknown) => decidedByInfo.get(authInfoOf(extra) ?? {}),
    contextOf(extra: unknown): AuthContext | undefined {
      const info = authInfoOf(extra) as { extra?: { context?: unknown } } | undefined;
      const context = info?.extra?.context;
      return verifier.issued(context) ? context : undefined;
    },
  };
}

/** A transport nobody speaks through, to look a server over. */
const NOWHERE: TransportLike = {
  start: async () => {},
  send: async () => {},
  close: async () => {},
};

/** A broker that is away now answers later; what can never work stops the start. */
function unlessUnavailable(error: unknown): void {
  if (!(error instanceof AuthError)) throw error;
}

/** Looks the server over, once: every later connection goes by what the first has shown. */
function createStartCheck(verifier: Verifier, policy: ToolPolicy) {
  let checked: Promise<void> | undefined;
  let published: Promise<void> | undefined;
  async function check(ask: Parameters<TransportDeps['beforeStart']>[0]): Promise<void> {
    const tools = await listTools(ask);
    const names = tools.map(({ name }) => name);
    // What is kept at the broker may be behind the server: new tools are refused, and shown there.
    if (policy.load === undefined) compareTools(names, policy);
    else await policy.load().catch(unlessUnavailable);
    published = publishTools(verifier, tools);
  }
  return {
    beforeStart: (ask: Parameters<TransportDeps['beforeStart']>[0]): Promise<void> => {
      checked ??= check(ask).catch((error: unknown) => {
        checked = undefined;
        throw error;
      });
      return checked;
    },
    isUnderWay: () => checked !== undefined,
    /** Somebody has compared by hand. */
    done: () => {
      checked ??= Promise.resolve();
    },
    published: async () => published,
  };
}

/** Whose sessions, or tasks, of this resource are whose. */
function ownersOf(kind: 'session' | 'task', verifier: Verifier, store?: OwnerStore): Owners {
  const onError = (error: unknown) =>
    verifier.emit({ type: 'handler_error', atMs: verifier.now(), error });
  const prefix = `${kind}\n${verifier.resource}`;
  return createOwners({ store: store ?? createOwnerStore({ now: verifier.now }), prefix, onError });
}

/** The ways in over HTTP. */
function edges(
  deps: Omit<EdgeDeps, 'sessions' | 'cors'>,
  { maxBodyBytes: bodyMaxBytes = BODY_MAX_BYTES, origins, owners }: ProtectOptions,
): Pick<McpGuard, 'node' | 'fetch' | 'serves'> {
  if (!(bodyMaxBytes > 0)) throw new TypeError('maxBodyBytes is a positive number');
  const { verifier } = deps;
  const sessions = ownersOf('session', verifier, owners);
  const edge = createEdge({ ...deps, sessions, cors: createCors(origins) });
  const paths = new Set([...verifier.metadataPaths, new URL(verifier.resource).pathname]);
  return {
    node: (handler) => nodeListener({ verifier, edge, sessions, bodyMaxBytes }, handler),
    fetch: (handler) => fetchHandler({ verifier, edge, sessions, bodyMaxBytes }, handler),
    serves: (pathname) => paths.has(pathname),
  };
}

/**
 * Protects an MCP server by a policy. Nothing is allowed that the policy does not name.
 *
 * Does not look at tool arguments, nor at the `Host` of requests: a token is needed wherever they
 * come from. `Mcp-Method` and `Mcp-Name` decide nothing; what contradicts the body is refused. Throws
 * nothing itself: a server whose tools and policy differ is refused when it connects.
 */
export function protectMcpServer<Tool extends string>(
  verifier: Verifier,
  policy: ToolPolicy<Tool>,
  options: ProtectOptions = {},
): McpGuard<Tool> {
  const tasks = ownersOf('task', verifier, options.owners);
  const judge = createJudge({ verifier, policy, tasks });
  const callers = createCallers(verifier);
  const startCheck = createStartCheck(verifier, policy);
  const transport: McpGuard['transport'] = (inner, { context: fixed } = {}) => {
    const { beforeStart } = startCheck;
    return guardTransport(inner, {
      verifier,
      judge,
      policy,
      tasks,
      ...callers,
      fixed,
      beforeStart,
    });
  };
  async function lookOver<Context>(make: ServerFactory<Context, ConnectableServer>) {
    // As v2 makes the servers it only looks at.
    const server = await make({ era: 'legacy' } as Context);
    await server.connect(transport(NOWHERE));
    await server.close();
  }
  return Object.freeze<McpGuard<Tool>>({
    policy,
    ...edges({ verifier, policy, judge, markDecided: callers.markDecided }, options),
    transport,
    connect: (server, inner, given) => server.connect(transport(inner, given)),
    factory: (make, given) => async (context) => {
      // Here, since a server made for one request may answer nothing but that.
      if (!startCheck.isUnderWay()) await lookOver(make);
      const server = await make(context);
      const connect = server.connect.bind(server);
      // Whoever connects it, hands over a bare transport.
      server.connect = (inner: TransportLike) => connect(transport(inner, given));
      return server;
    },
    async start(make) {
      await lookOver(make);
      await startCheck.published();
    },
    context(extra) {
      const context = callers.contextOf(extra);
      if (context === undefined) throw new TypeError('this call did not come through the guard');
      return context;
    },
    checkTools(names) {
      compareTools(names, policy);
      startCheck.done();
    },
  });
}
