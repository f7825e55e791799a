/**
 * The headers in which MCP 2026-07-28 repeats parts of the body for whoever stands in between. They
 * decide nothing here; a request whose headers say something else than its body is refused, since
 * somebody on the way may have believed them.
 */
import { type HttpInput, headerValues } from '../http-input.js';
import { type JsonRpcMessage, textParam } from './json-rpc.js';
import { methodRule } from './methods.js';

export const VERSION_HEADER = 'mcp-protocol-version';
const VERSION_META = 'io.modelcontextprotocol/protocolVersion';

const SENTINEL = /^=\?base64\?([A-Za-z0-9+/]+={0,2})\?=$/;

/** A header value as it was meant: text that is no plain ASCII comes as base64. */
function decode(value: string): string | undefined {
  const [, encoded] = SENTINEL.exec(value) ?? [];
  if (encoded === undefined) return value;
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The revision a message names for itself (2026-07-28). */
export function revisionInBody({ params }: JsonRpcMessage): string | undefined {
  const meta = params?._meta;
  const own = typeof meta === 'object' && meta !== null ? Object.entries(meta) : [];
  const revision = own.find(([key]) => key === VERSION_META)?.[1];
  return typeof revision === 'string' ? revision : undefined;
}

/** What `Mcp-Name` repeats. */
function nameInBody(message: JsonRpcMessage): string | undefined {
  const rule = methodRule(message.method ?? '');
  if (rule?.kind === 'named') return textParam(message, rule.by);
  return rule?.kind === 'task' ? textParam(message, 'taskId') : undefined;
}

/** The header that contradicts the body; undefined: none does. */
export function contradiction(
  input: HttpInput,
  messages: readonly JsonRpcMessage[],
): string | undefined {
  const said = (name: string): readonly (string | undefined)[] =>
    headerValues(input, name).map((value) => decode(value.trim()));
  const [methods, names, versions] = [said('mcp-method'), said('mcp-name'), said(VERSION_HEADER)];
  for (const message of messages) {
    if (methods.some((method) => method !== message.method)) return 'Mcp-Method';
    if (names.some((name) => name !== nameInBody(message))) return 'Mcp-Name';
    const revision = revisionInBody(message);
    if (revision !== undefined && versions.some((version) => version !== revision))
      return 'MCP-Protocol-Version';
  }
  return undefined;
}
