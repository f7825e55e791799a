/** The Node server around the application: its limits, its start, its end. */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Context } from 'koa';
import type { Config } from '../config.js';
import { stylesheet } from './style.css.js';

/** How long requests in flight may take to finish at shutdown. */
const DRAIN_MS = 10_000;
/** How long a connection that has not said a word may take to begin, once nobody else comes. */
const SILENT_MS = 250;

/** Slow or endless requests end themselves (P4). */
const SERVER_LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
};

export interface HttpServer {
  readonly server: Server;
  /** Every answer from now on ends its connection, those under way included. */
  endConnections(): void;
  /** Accepts nobody any more; who is inside has `DRAIN_MS` to finish. */
  close(): Promise<void>;
}

export function createHttpServer(listener: RequestListener): HttpServer {
  const underWay = new Set<ServerResponse>();
  const open = new Set<Socket>();
  let ending = false;
  const server = createServer(SERVER_LIMITS, (req, res) => {
    if (ending) res.setHeader('Connection', 'close');
    underWay.add(res);
    res.once('close', () => underWay.delete(res));
    listener(req, res);
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return {
    server,
    close: () => closeServer(server, open),
    endConnections: () => {
      ending = true;
      for (const res of underWay) if (!res.headersSent) res.setHeader('Connection', 'close');
    },
  };
}

export function serveStylesheet(
  ctx: Context,
  next: () => Promise<unknown>,
): Promise<unknown> | undefined {
  if (ctx.path !== stylesheet.path || ctx.method !== 'GET') return next();
  ctx.type = 'css';
  ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
  ctx.set('ETag', stylesheet.etag);
  ctx.body = stylesheet.body;
  return undefined;
}

export function listen(server: Server, config: Config): Promise<{ url: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: config.issuer, port });
    });
  });
}

async function closeServer(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Clients open connections in advance; to Node those are neither idle nor under way.
  const silent = setTimeout(() => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  }, SILENT_MS);
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(silent);
  clearTimeout(timer);
}
