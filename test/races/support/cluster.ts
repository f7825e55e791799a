// Two broker processes on one PostgreSQL, one issuer between them, and a client fast enough to make
// them meet: keep-alive sockets, as many as there are requests in a round.
import { Agent, request as httpRequest } from 'node:http';
import type { Config } from '../../../src/broker/config.js';
import { type Child, startChild } from '../../store/support/child.js';
import { type Answer, basic, freePort, ROOT_SECRET } from '../../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../../support/databases.js';
import { type Secrets, seedWorld } from '../../support/world.js';

export interface Cluster {
  readonly issuer: string;
  /** Where each process listens; the first is the issuer itself. */
  readonly origins: readonly [string, string];
  readonly secrets: Secrets;
  readonly opened: OpenedDatabase;
  post(
    origin: string,
    path: string,
    fields: Readonly<Record<string, string>>,
    principal?: string,
  ): Promise<Answer>;
  get(url: string, cookie: string): Promise<{ status: number; location: string }>;
  close(): Promise<void>;
}

/** Greater than any round, so that no request waits for another's socket. */
const SOCKETS_MAX = 400;

/** @param more what of the configuration both processes have besides */
export async function startCluster(more: Partial<Config> = {}): Promise<Cluster> {
  const opened = await openTestPostgres();
  const secrets = await seedWorld(opened.db);
  const ports = [await freePort(), await freePort()] as const;
  const origins = [`http://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`] as const;
  const children: Child[] = ports.map((port) =>
    startChild(import.meta.url, './broker-process.ts', {
      issuer: origins[0],
      port,
      databaseUrl: opened.url,
      secret: ROOT_SECRET,
      more,
    }),
  );
  await Promise.all(children.map((child) => child.next()));
  const agent = new Agent({
    keepAlive: true,
    maxSockets: SOCKETS_MAX,
    maxFreeSockets: SOCKETS_MAX,
  });
  return {
    issuer: origins[0],
    origins,
    secrets,
    opened,
    post: (origin, path, fields, principal) =>
      send(agent, `${origin}${path}`, {
        body: new URLSearchParams(fields).toString(),
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(principal === undefined
            ? {}
            : { authorization: basic(principal, secrets[principal] as string) }),
        },
      }),
    get: async (url, cookie) => {
      const { status, headers } = await send(agent, url, {
        headers: { cookie, accept: 'text/html' },
      });
      return { status, location: headers.get('location') ?? '' };
    },
    close: async () => {
      agent.destroy();
      for (const child of children) child.kill();
      await Promise.all(children.map((child) => child.ended));
      await opened.close();
    },
  };
}

function send(
  agent: Agent,
  url: string,
  init: { readonly body?: string; readonly headers: Record<string, string> },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = init.body === undefined ? 'GET' : 'POST';
    const outgoing = httpRequest(url, { method, agent, headers: init.headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const json = incoming.headers['content-type']?.includes('json') === true;
        const headers = new Headers();
        for (const [name, value] of Object.entries(incoming.headers))
          headers.set(name, String(value));
        resolve({
          status: incoming.statusCode ?? 0,
          headers,
          body: json ? JSON.parse(text) : text,
        });
      });
    });
    outgoing.once('error', reject);
    outgoing.end(init.body);
  });
}

/** In order, a bounded number of units at once. */
export async function inBatches<T, R>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += size) {
    results.push(...(await Promise.all(items.slice(at, at + size).map(work))));
  }
  return results;
}
