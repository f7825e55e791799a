/**
 * What tools a server has: asked of the server itself, compared with the policy, and told to the
 * broker as names and hashes.
 */
import type { Verifier } from '../api.js';
import { type JsonRpcMessage, RPC_ERROR } from './json-rpc.js';
import type { ToolPolicy } from './policy.js';

/** A tool as `tools/list` shows it. */
export interface ToolDefinition {
  readonly name: string;
  readonly [member: string]: unknown;
}

/** Asks the server that is about to be connected. */
export type AskServer = (method: string, params?: object) => Promise<JsonRpcMessage>;

/** More pages than any server has. */
const PAGES_MAX = 100;

/** What a model or a client goes by when it calls a tool: a change of these is a change of the tool. */
const HASHED = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'];

/**
 * Every tool of a server, page by page.
 *
 * @throws TypeError when the server cannot say without knowing who asks
 */
export async function listTools(ask: AskServer): Promise<readonly ToolDefinition[]> {
  const tools: ToolDefinition[] = [];
  let cursor: unknown;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { result, error } = await ask('tools/list', cursor === undefined ? {} : { cursor });
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    if (code === RPC_ERROR.methodNotFound) return tools;
    if (error !== undefined)
      throw new TypeError(
        `the tools cannot be listed at start: ${String(message)}; name them with checkTools()`,
      );
    const listed = result as { tools?: readonly ToolDefinition[]; nextCursor?: unknown };
    tools.push(...(listed.tools ?? []));
    cursor = listed.nextCursor;
    if (cursor === undefined) break;
  }
  return tools;
}

/** @throws TypeError naming tools without policy and policies without tool */
export function compareTools(names: Iterable<string>, policy: ToolPolicy): void {
  const there = new Set(names);
  const bare = [...there].filter((name) => policy.requirementOf('tools', name) === undefined);
  const idle = policy.toolNames.filter((name) => !there.has(name));
  if (bare.length > 0) throw new TypeError(`tools without a policy: ${bare.join(', ')}`);
  if (idle.length > 0) throw new TypeError(`policies without a tool: ${idle.join(', ')}`);
}

/** JSON with the members of every object in one order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/**
 * SHA-256 of what a tool says of itself, as base64url. Says nothing of what the tool does.
 *
 * @throws TypeError for a schema that is no JSON
 */
export async function toolHash(tool: ToolDefinition): Promise<string> {
  const said = HASHED.map((member) => [member, tool[member]]).filter(([, value]) => value != null);
  const bytes = new TextEncoder().encode(canonical(Object.fromEntries(said)));
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * Tells the broker. A broker that is away, or does not know this server, stops nothing: the event
 * says so, and the next start tries again.
 */
export async function publishTools(
  verifier: Verifier,
  definitions: readonly ToolDefinition[],
): Promise<void> {
  const hashes = await Promise.all(
    definitions.map(async (tool) => [tool.name, await toolHash(tool)] as const),
  );
  const body = { resource: verifier.resource, tools: Object.fromEntries(hashes) };
  try {
    const response = await verifier.askBroker('tools', { method: 'POST', body });
    await response?.body?.cancel();
    if (response === undefined || response.ok) return;
    throw new Error(`the broker answered ${response.status}`);
  } catch (error) {
    verifier.emit({ type: 'inventory_error', atMs: verifier.now(), error });
  }
}
