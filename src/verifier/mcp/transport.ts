/**
 * A transport around a transport: judges every message again where it enters the server, and
 * filters lists where they leave. Uses the SDKs' public `Transport` interface only, so it serves v1
 * and v2 alike, and stdio or in-memory servers that have no HTTP edge.
 */

import { AuthError } from '../auth-error.js';
import type { AuthContext } from '../context.js';
import type { Decided } from './decided.js';
import type { AskServer } from './inventory.js';
import { isMessage, type JsonRpcMessage, RPC_ERROR, rpcError } from './json-rpc.js';
import { createListFilter, type ListDeps } from './list-filter.js';
import { principalKey } from './sessions.js';

/** The part of an SDK's `Transport` that is used; both generations have it. */
export interface TransportLike {
  start(): Promise<void>;
  send(message: object, options?: object): Promise<void>;
  close(): Promise<void>;
  // Written here and never called: any handler type fits.
  onclose?: ((...given: never[]) => void) | undefined;
  onerror?: ((...given: never[]) => void) | undefined;
  onmessage?: ((...given: never[]) => void) | undefined;
  sessionId?: string | undefined;
  setProtocolVersion?: ((version: string) => void) | undefined;
  setSupportedProtocolVersions?: ((versions: string[]) => void) | undefined;
}

/** What a server connects to. */
export interface GuardedTransport {
  start(): Promise<void>;
  send(message: object, options?: object): Promise<void>;
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: object, extra?: object) => void) | undefined;
  readonly sessionId: string | undefined;
  setProtocolVersion(version: string): void;
  setSupportedProtocolVersions(versions: string[]): void;
}

export interface TransportDeps extends ListDeps {
  /** The caller of a message, from what the transport tells beside it. */
  readonly contextOf: (extra: unknown) => AuthContext | undefined;
  /** What the HTTP edge has decided, and told, of the request a message came with. */
  readonly decidedOf: (extra: unknown) => Decided | undefined;
  /** The caller where the transport has no authentication of its own. */
  readonly fixed?: AuthContext | undefined;
  /** Looks the server over before anything reaches it; what it throws stops the start. */
  readonly beforeStart: (ask: AskServer) => Promise<void>;
}

/** Answers a refused request; a refused notification is dropped. */
function refuse(
  transport: TransportLike,
  { id, method }: JsonRpcMessage,
  error: AuthError,
): Promise<void> {
  if (id === undefined || id === null || method === undefined) return Promise.resolve();
  const data = { error: error.code, ...(error.scope === undefined ? {} : { scope: error.scope }) };
  return transport.send(rpcError(id, RPC_ERROR.refused, error.message, data));
}

/** Questions of the guard itself to the server, whose answers go no further. */
function createQuestions(deliver: (message: object) => void) {
  const open = new Map<unknown, (answer: JsonRpcMessage) => void>();
  let asked = 0;
  const ask: AskServer = (method, params = {}) =>
    new Promise((resolve) => {
      asked += 1;
      const id = `behalf-guard-${asked}`;
      open.set(id, resolve);
      deliver({ jsonrpc: '2.0', id, method, params });
    });
  return {
    ask,
    /** Whether this was the answer to one of them. */
    takes(message: JsonRpcMessage): boolean {
      const resolve = message.method === undefined ? open.get(message.id) : undefined;
      open.delete(message.id);
      resolve?.(message);
      return resolve !== undefined;
    },
  };
}

/** Wraps a transport. The server connects to the wrapper; HTTP requests still go to `inner`. */
export function guardTransport(inner: TransportLike, deps: TransportDeps): GuardedTransport {
  const lists = createListFilter(deps);
  const questions = createQuestions((message) => outer.onmessage?.(message));
  let owner: string | undefined;

  /** Why the message may not go on to the server; nothing when it may. */
  async function refusalOf(
    message: JsonRpcMessage,
    extra: unknown,
  ): Promise<AuthError | undefined> {
    const context = deps.contextOf(extra) ?? deps.fixed;
    if (context === undefined) return new AuthError('header_missing');
    // One connection, one principal: a session id is not a credential.
    owner ??= principalKey(context);
    if (owner !== principalKey(context)) return new AuthError('session_foreign');
    const decided = deps.decidedOf(extra);
    const edge = decided && { at: 'process' as const, decided };
    // What cannot be found out now is answered like what is refused: nobody waits for nothing.
    const refusal = await deps.judge
      .refusal(context, [message], edge)
      .catch((error: unknown) => (error instanceof AuthError ? error : Promise.reject(error)));
    if (refusal !== undefined) return refusal;
    return lists.expect(message, context, extra) ? undefined : new AuthError('method_refused');
  }

  async function judged(message: JsonRpcMessage, extra: unknown): Promise<void> {
    const refusal = await refusalOf(message, extra);
    if (refusal === undefined) outer.onmessage?.(message, extra as object | undefined);
    else await refuse(inner, message, refusal);
  }
  function receive(message: unknown, extra?: unknown): void {
    if (isMessage(message)) judged(message, extra).catch((error: Error) => outer.onerror?.(error));
  }

  const outer: GuardedTransport = {
    async start() {
      await deps.beforeStart(questions.ask);
      inner.onclose = () => outer.onclose?.();
      inner.onerror = (error: Error) => outer.onerror?.(error);
      inner.onmessage = receive;
      await inner.start();
    },
    send: async (message, options) => {
      if (questions.takes(message as JsonRpcMessage)) return;
      // At once where it can be: what is sent later must not overtake it.
      const shown = lists.apply(message);
      await inner.send(shown instanceof Promise ? await shown : shown, options);
    },
    close: () => inner.close(),
    get sessionId() {
      return inner.sessionId;
    },
    setProtocolVersion: (version) => inner.setProtocolVersion?.(version),
    setSupportedProtocolVersions: (versions) => inner.setSupportedProtocolVersions?.(versions),
  };
  return outer;
}
