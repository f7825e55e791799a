/** What `tools/list` shows: remembers who asked, and filters the answer for that caller. */

import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import type { JsonRpcMessage, RequestId } from './json-rpc.js';
import type { Judge } from './judge.js';

export interface ListDeps {
  readonly verifier: Verifier;
  readonly judge: Judge;
  readonly hasPolicy: (tool: string) => boolean;
}

export interface ListFilter {
  /** Remembers a `tools/list` request; whether its id is free and there is room. */
  expect(message: JsonRpcMessage, context: AuthContext, extra: unknown): boolean;
  /** The message to send: filtered when it answers a remembered request. */
  apply(message: object): object;
}

/** First revision whose lists say who may share them. */
const CACHE_SCOPE_SINCE = '2026-07-28';
const VERSION_HEADER = 'mcp-protocol-version';
const VERSION_META = 'io.modelcontextprotocol/protocolVersion';
/** Lists that are asked for and not yet answered. */
const PENDING_MAX = 1_000;

interface PendingList {
  readonly context: AuthContext;
  readonly hasCacheScope: boolean;
}

/** The revision of one request: its own `_meta` (2026-07-28), or the header of earlier ones. */
function revisionOf({ params }: JsonRpcMessage, extra: unknown): string {
  const meta = params?._meta as Record<string, unknown> | undefined;
  const info = (extra as { requestInfo?: { headers?: unknown } } | undefined)?.requestInfo;
  const header = (info?.headers as Record<string, unknown> | undefined)?.[VERSION_HEADER];
  const revision = meta?.[VERSION_META] ?? header;
  return typeof revision === 'string' ? revision : '';
}

/** Leaves in a `tools/list` result what this caller is to see, in the server's own order. */
function filterList(message: object, list: PendingList, deps: ListDeps): object {
  const { result } = message as { result?: { tools?: unknown; cacheScope?: unknown } };
  if (typeof result !== 'object' || result === null || !Array.isArray(result.tools)) return message;
  const tools = result.tools.filter(({ name }: { name?: unknown }) => {
    if (typeof name !== 'string') return false;
    if (!deps.hasPolicy(name)) {
      const { verifier } = deps;
      verifier.emit({ type: 'tool_without_policy', atMs: verifier.now(), tool: name });
      return false;
    }
    return deps.judge.isListed(list.context, name);
  });
  // The list is this caller's: whoever keeps it must not show it to another (`cacheScope`).
  const isPrivate = list.hasCacheScope || result.cacheScope !== undefined;
  return {
    ...message,
    result: { ...result, tools, ...(isPrivate ? { cacheScope: 'private' } : {}) },
  };
}

/** Creates the filter of one connection. */
export function createListFilter(deps: ListDeps): ListFilter {
  const pending = new Map<RequestId, PendingList>();
  return {
    expect(message, context, extra) {
      const { id } = message;
      if (id === undefined || id === null) return true;
      if (pending.has(id) || pending.size >= PENDING_MAX) return false;
      pending.set(id, { context, hasCacheScope: revisionOf(message, extra) >= CACHE_SCOPE_SINCE });
      return true;
    },
    apply(message) {
      const { id, method } = message as JsonRpcMessage;
      if (method !== undefined || id === undefined || id === null) return message;
      const list = pending.get(id);
      pending.delete(id);
      return list === undefined ? message : filterList(message, list, deps);
    },
  };
}
