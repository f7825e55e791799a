/**
 * What answers show: remembers who asked for a list, and filters it for that caller; remembers whose
 * call created a task.
 */

import type { Verifier } from '../api.js';
import type { AuthContext } from '../context.js';
import { type Soon, soon } from '../soon.js';
import { revisionInBody, VERSION_HEADER } from './headers.js';
import type { JsonRpcMessage, RequestId } from './json-rpc.js';
import type { Judge } from './judge.js';
import { type MethodRule, methodRule } from './methods.js';
import type { ToolPolicy } from './policy.js';
import type { Owners } from './sessions.js';

export interface ListDeps {
  readonly verifier: Verifier;
  readonly judge: Judge;
  readonly policy: ToolPolicy;
  readonly tasks: Owners;
}

export interface ListFilter {
  /** Remembers a request whose answer matters; whether its id is free and there is room. */
  expect(message: JsonRpcMessage, context: AuthContext, extra: unknown): boolean;
  /** The message to send: filtered when it answers a remembered request. */
  apply(message: object): Soon<object>;
}

/** First revision whose lists say who may share them. */
const CACHE_SCOPE_SINCE = '2026-07-28';
/** Requests that are not yet answered. */
const PENDING_MAX = 1_000;

interface Pending {
  readonly context: AuthContext;
  readonly rule: MethodRule;
  readonly hasCacheScope: boolean;
}

type ListRule = Extract<MethodRule, { readonly kind: 'list' }>;

/** Headers as the SDKs hand them on: v1 as an object, v2 as `Request`. */
function headerOf(extra: unknown, name: string): unknown {
  const given = extra as
    | { requestInfo?: { headers?: unknown }; request?: { headers?: unknown } }
    | undefined;
  const headers = (given?.requestInfo ?? given?.request)?.headers as
    | { get?: (name: string) => string | null }
    | undefined;
  if (typeof headers?.get === 'function') return headers.get(name);
  return (headers as Record<string, unknown> | undefined)?.[name];
}

/** The revision of one request: its own `_meta` (2026-07-28), or the header of earlier ones. */
function revisionOf(message: JsonRpcMessage, extra: unknown): string {
  const revision = revisionInBody(message) ?? headerOf(extra, VERSION_HEADER);
  return typeof revision === 'string' ? revision : '';
}

type Result = Readonly<Record<string, unknown>>;

const resultOf = (message: object): Result | undefined => {
  const { result } = message as { result?: unknown };
  return typeof result === 'object' && result !== null ? (result as Result) : undefined;
};

/** Leaves in a list what this caller is to see, in the server's own order. */
function filterList(message: object, rule: ListRule, asked: Pending, deps: ListDeps): object {
  const result = resultOf(message);
  const items = result?.[rule.items];
  if (result === undefined || !Array.isArray(items)) return message;
  const { verifier, judge, policy } = deps;
  const shown = items.filter((item: Result | null) => {
    const name = item?.[rule.id];
    if (typeof name !== 'string') return false;
    if (rule.noun === 'tools' && policy.requirementOf('tools', name) === undefined)
      verifier.emit({ type: 'tool_without_policy', atMs: verifier.now(), tool: name });
    return judge.isListed(asked.context, rule.noun, name);
  });
  // The list is this caller's: whoever keeps it must not show it to another (`cacheScope`).
  const isPrivate = asked.hasCacheScope || result.cacheScope !== undefined;
  return {
    ...message,
    result: { ...result, [rule.items]: shown, ...(isPrivate ? { cacheScope: 'private' } : {}) },
  };
}

/** The task that an answer created: 2025-11-25 nests it, the extension of 2026-07-28 does not. */
function taskOf(message: object): unknown {
  const result = resultOf(message);
  const nested = result?.task as { taskId?: unknown } | undefined;
  return nested?.taskId ?? (result?.resultType === 'task' ? result.taskId : undefined);
}

/** Whether the answer to a request matters here. */
function isAwaited(rule: MethodRule | undefined, message: JsonRpcMessage, policy: ToolPolicy) {
  if (rule?.kind === 'list') return policy.rulesFor(rule.noun) !== undefined;
  if (!policy.methods.has('tasks/get') && !policy.methods.has('tasks/list')) return false;
  return message.method === 'tools/call' || message.method === 'tasks/list';
}

/** Creates the filter of one connection. */
export function createListFilter(deps: ListDeps): ListFilter {
  const pending = new Map<RequestId, Pending>();

  function answer(message: object, asked: Pending): Soon<object> {
    if (asked.rule.kind === 'list') return filterList(message, asked.rule, asked, deps);
    const created = taskOf(message);
    const bound = typeof created === 'string' ? deps.tasks.bind(created, asked.context) : undefined;
    const result = resultOf(message);
    // Not before its task is known: the next request may come to another process.
    if (asked.rule.kind !== 'task' || !Array.isArray(result?.tasks))
      return soon(bound, () => message);
    const owned = result.tasks.map(
      (task: Result | null): Soon<boolean> =>
        typeof task?.taskId === 'string' && deps.tasks.owns(task.taskId, asked.context),
    );
    const show = (isOwned: readonly boolean[]) => {
      const tasks = (result.tasks as unknown[]).filter((_, at) => isOwned[at]);
      return { ...message, result: { ...result, tasks } };
    };
    const isLater = owned.some((one) => one instanceof Promise);
    return isLater ? Promise.all(owned).then(show) : show(owned as boolean[]);
  }

  return {
    expect(message, context, extra) {
      const { id, method = '' } = message;
      const rule = methodRule(method);
      if (rule === undefined || !isAwaited(rule, message, deps.policy)) return true;
      if (id === undefined || id === null) return true;
      if (pending.has(id) || pending.size >= PENDING_MAX) return false;
      const hasCacheScope = revisionOf(message, extra) >= CACHE_SCOPE_SINCE;
      pending.set(id, { context, rule, hasCacheScope });
      return true;
    },
    apply(message) {
      const { id, method } = message as JsonRpcMessage;
      if (method !== undefined || id === undefined || id === null) return message;
      const asked = pending.get(id);
      pending.delete(id);
      return asked === undefined ? message : answer(message, asked);
    },
  };
}
