/**
 * Every JSON-RPC method a client may send, as data: MCP 2025-06-18, 2025-11-25 (with its tasks) and
 * 2026-07-28 (with its tasks extension). What is not in this table is refused, requests and
 * notifications alike, unless a policy names the request.
 */

/** What a method may name: decided name by name, and its list filtered. */
export type Noun = 'tools' | 'prompts' | 'resources';

export type MethodRule =
  /** A valid token is enough: the handshake, and what only concerns the connection. */
  | { readonly kind: 'open' }
  /** Decided by the requirement of the one thing that this member of `params` names. */
  | { readonly kind: 'named'; readonly noun: Noun; readonly by: 'name' | 'uri' }
  /** Shows things: the answer is filtered. `items` is the list's name, `id` what names an item. */
  | { readonly kind: 'list'; readonly noun: Noun; readonly items: string; readonly id: string }
  /** Refused unless the policy names the method; then only for whoever created the task. */
  | { readonly kind: 'task' }
  /** Refused unless the policy names the method. */
  | { readonly kind: 'policy' };

const OPEN: MethodRule = { kind: 'open' };
const POLICY: MethodRule = { kind: 'policy' };
const TASK: MethodRule = { kind: 'task' };
const list = (noun: Noun, items: string, id: string): MethodRule => ({
  kind: 'list',
  noun,
  items,
  id,
});
const resource: MethodRule = { kind: 'named', noun: 'resources', by: 'uri' };

export const METHODS: ReadonlyMap<string, MethodRule> = new Map([
  ['initialize', OPEN],
  ['ping', OPEN],
  ['server/discover', OPEN],
  ['notifications/initialized', OPEN],
  ['notifications/cancelled', OPEN],
  ['notifications/progress', OPEN],
  ['notifications/roots/list_changed', OPEN],
  ['notifications/tasks/status', OPEN],
  ['tools/call', { kind: 'named', noun: 'tools', by: 'name' }],
  ['tools/list', list('tools', 'tools', 'name')],
  ['prompts/get', { kind: 'named', noun: 'prompts', by: 'name' }],
  ['prompts/list', list('prompts', 'prompts', 'name')],
  ['resources/read', resource],
  ['resources/subscribe', resource],
  ['resources/unsubscribe', resource],
  ['resources/list', list('resources', 'resources', 'uri')],
  ['resources/templates/list', list('resources', 'resourceTemplates', 'uriTemplate')],
  // Completes arguments, and so tells names that a list would have hidden.
  ['completion/complete', POLICY],
  ['logging/setLevel', POLICY],
  ['subscriptions/listen', POLICY],
  ['tasks/cancel', TASK],
  ['tasks/get', TASK],
  ['tasks/list', TASK],
  ['tasks/result', TASK],
  ['tasks/update', TASK],
]);

/** The rule of a method; a request nobody knows is the policy's, a notification nobody's. */
export const methodRule = (method: string): MethodRule | undefined =>
  METHODS.get(method) ?? (method.startsWith('notifications/') ? undefined : POLICY);
