// A small web of its own: every name in it has a public address, and every connection to one of these
// ends at one https server on 127.0.0.1. What a broker fetches elsewhere, a test serves here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import type { OutboundDeps } from '../../src/broker/outbound/outbound.js';
import { createCertificate } from './certificates.js';
import { freePort } from './port.js';

export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export interface TestWeb {
  /** What a broker is handed, to be in this web. */
  readonly outbound: Required<Pick<OutboundDeps, 'resolve' | 'dial'>> & { readonly ca: string };
  /** Serves a JSON document, or whatever a handler does. */
  put(url: string, what: object | Handler, headers?: Readonly<Record<string, string>>): void;
  remove(url: string): void;
  /** Where its server listens, on 127.0.0.1. */
  readonly port: number;
  /** URLs that were asked for, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** The address of a site that has nothing to hide. */
export const PUBLIC_ADDRESS = '93.184.215.14';

export async function startWeb(hosts: readonly string[]): Promise<TestWeb> {
  const { key, cert } = createCertificate(hosts);
  const sites = new Map<string, Handler>();
  const asked: string[] = [];
  const server = createServer({ key, cert }, (req, res) => {
    const url = `https://${req.headers.host}${req.url}`;
    asked.push(url);
    const site = sites.get(url);
    if (site !== undefined) return site(req, res);
    res.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    asked,
    outbound: {
      ca: cert,
      resolve: async (name) => {
        if (!hosts.includes(name)) throw new Error(`${name} is not in the web of this test`);
        return [PUBLIC_ADDRESS];
      },
      dial: async () => {
        const socket = connect(port, '127.0.0.1');
        await new Promise<void>((resolve, reject) => {
          socket.once('connect', resolve).once('error', reject);
        });
        return socket;
      },
    },
    put: (url, what, headers = {}) =>
      void sites.set(
        url,
        typeof what === 'function' ? (what as Handler) : (_req, res) => answer(res, what, headers),
      ),
    remove: (url) => void sites.delete(url),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(res: ServerResponse, json: object, headers: Readonly<Record<string, string>>) {
  res.writeHead(200, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(json));
}
