/**
 * What the stories share: a server on a free port, one tool call, and a check that says what happened
 * and makes the program exit with 1 when it was not what should have.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';

export function check(what: string, got: unknown, wanted: unknown): void {
  const isSo = isDeepStrictEqual(got, wanted);
  console.log(`${isSo ? '✓' : '✗'} ${what}: ${JSON.stringify(got)}`);
  if (isSo) return;
  console.log(`  should have been ${JSON.stringify(wanted)}`);
  process.exitCode = 1;
}

/** Listens on a free port of 127.0.0.1 first, since a resource's name has to be known to protect it. */
export async function openServer(path = '/mcp') {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  return {
    url,
    serve: (listener: RequestListener) => void server.on('request', listener),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Calls a tool as any MCP client does; status, and the error of the challenge. */
export async function callTool(url: string, name: string, token?: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }),
  });
  const challenge = response.headers.get('www-authenticate') ?? '';
  const [, error] = /error="([a-z_]+)"/.exec(challenge) ?? [];
  const [, text] = /"text":"([^"]*)"/.exec(await response.text()) ?? [];
  return [response.status, error ?? text].filter((part) => part !== undefined).join(' ');
}
