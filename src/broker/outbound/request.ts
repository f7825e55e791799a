/** One GET over a connection that stands: 200 and nothing else, as it is, up to a number of bytes. */
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { outboundError } from './errors.js';
import type { Target } from './target.js';

export interface Limits {
  readonly maxBytes: number;
  readonly accept?: string | undefined;
}

export interface Received {
  readonly contentType: string;
  readonly cacheControl: string;
  readonly body: Buffer;
}

const HEADER_BYTES_MAX = 8192;

export async function get(
  socket: Socket,
  target: Target,
  limits: Limits,
  signal: AbortSignal,
): Promise<Received> {
  try {
    const response = await answered(socket, target, limits, signal);
    const { statusCode, headers } = response;
    if (statusCode !== 200) throw outboundError('status', statusCode);
    // What unpacks to more than it says is not unpacked (S3).
    if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) throw outboundError('encoding');
    return {
      contentType: headers['content-type'] ?? '',
      cacheControl: headers['cache-control'] ?? '',
      body: await bodyOf(response, limits.maxBytes),
    };
  } finally {
    socket.destroy();
  }
}

const answered = (
  socket: Socket,
  target: Target,
  { accept = 'application/json' }: Limits,
  signal: AbortSignal,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request({
      createConnection: () => socket,
      signal,
      method: 'GET',
      path: target.path,
      headers: { host: target.authority, accept, 'accept-encoding': 'identity' },
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: HEADER_BYTES_MAX,
    })
      .once('response', resolve)
      .once('upgrade', () => reject(outboundError('status')))
      .on('error', reject)
      .end();
  });

async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw outboundError('size');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw outboundError('size');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
