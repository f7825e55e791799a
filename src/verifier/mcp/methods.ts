/**
 * Every JSON-RPC method a client may send, by what it takes (MCP 2025-06-18, 2025-11-25 and
 * 2026-07-28). What is not here is treated like `policy`: refused unless the policy offers it.
 */

export type MethodClass =
  /** A valid token is enough: the handshake, and what only concerns the connection. */
  | 'open'
  /** Decided by the tool's requirement. */
  | 'call'
  /** A valid token is enough; the answer is filtered. */
  | 'list'
  /** Refused unless the policy names the method. */
  | 'policy';

export const METHODS: ReadonlyMap<string, MethodClass> = new Map<string, MethodClass>([
  ['initialize', 'open'],
  ['ping', 'open'],
  ['server/discover', 'open'],
  ['notifications/initialized', 'open'],
  ['notifications/cancelled', 'open'],
  ['notifications/progress', 'open'],
  ['notifications/roots/list_changed', 'open'],
  ['notifications/elicitation/complete', 'open'],
  ['notifications/tasks/status', 'open'],
  ['tools/call', 'call'],
  ['tools/list', 'list'],
  ['completion/complete', 'policy'],
  ['logging/setLevel', 'policy'],
  ['prompts/get', 'policy'],
  ['prompts/list', 'policy'],
  ['resources/list', 'policy'],
  ['resources/read', 'policy'],
  ['resources/subscribe', 'policy'],
  ['resources/templates/list', 'policy'],
  ['resources/unsubscribe', 'policy'],
  ['subscriptions/listen', 'policy'],
  ['tasks/cancel', 'policy'],
  ['tasks/get', 'policy'],
  ['tasks/list', 'policy'],
  ['tasks/result', 'policy'],
  ['tasks/update', 'policy'],
]);

/** The class of a method; a notification nobody knows does nothing and is let through. */
export const methodClass = (method: string): MethodClass =>
  METHODS.get(method) ?? (method.startsWith('notifications/') ? 'open' : 'policy');
