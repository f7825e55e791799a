/** JSON-RPC 2.0 messages as MCP sends them, read with bounds. */

/** Deep enough for any tool's arguments; a deeper body is an attack on whoever walks it. */
const DEPTH_MAX = 64;
const BATCH_MAX = 50;

export type RequestId = string | number;

export interface JsonRpcMessage {
  readonly jsonrpc: '2.0';
  readonly id?: RequestId | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** JSON-RPC 2.0 §5.1, and MCP's own. */
export const RPC_ERROR = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  internal: -32603,
  refused: -32003,
  /** MCP 2026-07-28: headers that say something else than the body. */
  headerMismatch: -32020,
} as const;

export type ParsedBody =
  | { readonly messages: readonly JsonRpcMessage[]; readonly body: unknown }
  | { readonly problem: string; readonly code: number };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a value nests deeper than allowed. Walks by a list of its own, not by the stack. */
function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX) return true;
    level = level
      .filter((member): member is object => typeof member === 'object' && member !== null)
      .flatMap((member) => Object.values(member) as unknown[]);
  }
  return false;
}

/** Whether this is one request, notification or response, and plainly so. */
export function isMessage(value: unknown): value is JsonRpcMessage {
  if (!isObject(value) || value.jsonrpc !== '2.0') return false;
  const { id, method, params } = value;
  if (id !== undefined && id !== null && typeof id !== 'string' && typeof id !== 'number')
    return false;
  if (method === undefined) return 'result' in value || 'error' in value;
  // A message that is request and response at once means different things to different readers.
  if (typeof method !== 'string' || 'result' in value || 'error' in value) return false;
  return params === undefined || isObject(params);
}

/** Reads a parsed body: one message, or a batch (2025-03-26) that is not too long. */
export function readMessages(body: unknown): ParsedBody {
  if (isTooDeep(body)) return { problem: 'the body nests too deeply', code: RPC_ERROR.parse };
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  if (messages.length === 0 || messages.length > BATCH_MAX)
    return { problem: `a batch has 1 to ${BATCH_MAX} messages`, code: RPC_ERROR.invalidRequest };
  if (!messages.every(isMessage))
    return { problem: 'not a JSON-RPC 2.0 message', code: RPC_ERROR.invalidRequest };
  return { messages, body };
}

/** Reads the text of a body. */
export function parseBody(text: string): ParsedBody {
  try {
    return readMessages(JSON.parse(text));
  } catch {
    return { problem: 'the body is not JSON', code: RPC_ERROR.parse };
  }
}

/** A member of `params` that is text; `undefined` when it is not there. */
export function textParam({ params }: JsonRpcMessage, member: string): string | undefined {
  const value = params !== undefined && Object.hasOwn(params, member) ? params[member] : undefined;
  return typeof value === 'string' ? value : undefined;
}

export const rpcError = (id: RequestId | null, code: number, message: string, data?: unknown) => ({
  jsonrpc: '2.0' as const,
  id,
  error: { code, message, ...(data === undefined ? {} : { data }) },
});
