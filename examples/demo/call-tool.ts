/** One call of one tool, with the official SDK. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export type Outcome =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly status: number | undefined; readonly text: string };

/** The tool's text, or how the call was refused. */
export async function callTool(
  resource: string,
  token: string,
  name: string,
  args: Record<string, string> = {},
): Promise<Outcome> {
  const client = new Client({ name: 'demo', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(resource), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  try {
    await client.connect(transport as Parameters<Client['connect']>[0]);
    const { content, isError } = (await client.callTool({ name, arguments: args })) as {
      content: { text: string }[];
      isError?: boolean;
    };
    const text = content[0]?.text ?? '';
    return isError === true ? { ok: false, status: undefined, text } : { ok: true, text };
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    return { ok: false, status: code, text: message };
  } finally {
    await client.close();
  }
}

/** Calls until it is refused, or `withinMs` are over; how long that took, and how it was refused. */
export async function untilRefused(
  call: () => Promise<Outcome>,
  sinceMs: number,
  withinMs: number,
): Promise<{ readonly tookMs: number; readonly status: number | undefined }> {
  let outcome = await call();
  while (outcome.ok && Date.now() - sinceMs < withinMs) outcome = await call();
  return { tookMs: Date.now() - sinceMs, status: outcome.ok ? 200 : outcome.status };
}
