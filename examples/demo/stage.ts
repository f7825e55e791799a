/** What the demo plays on: a broker on a fresh database, two tool servers, three agents' hosts. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, createBroker } from 'behalf';
import { createAgentHost, createServiceHost } from 'behalf/agent';
import { startFilesServer, startIndexServer } from './servers.js';

export const USER = { email: 'ana@example.com', password: 'correct horse battery staple' };
export const AGENT = 'agt_scribe';
/** Takes work from the agent. */
export const HELPER = 'agt_checker';
/** Takes work from nobody. */
export const OUTSIDER = 'agt_courier';
export const FILES_SERVER = 'cli_files';

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });

export type Stage = Awaited<ReturnType<typeof setStage>>;

/** Everything is on loopback and in one temporary folder; `clear` leaves nothing behind. */
export async function setStage() {
  const folder = await mkdtemp(join(tmpdir(), 'behalf-demo-'));
  const [brokerPort = 0, toolPort = 0, indexPort = 0, callbackPort = 0] = await Promise.all(
    [1, 2, 3, 4].map(freePort),
  );
  const issuer = `http://localhost:${brokerPort}`;
  const resource = `http://127.0.0.1:${toolPort}/mcp`;
  const index = `http://127.0.0.1:${indexPort}/mcp`;
  const redirectUri = `http://127.0.0.1:${callbackPort}/callback`;

  const broker = await openBroker(issuer, brokerPort, join(folder, 'data'));
  const world = (await readFile(new URL('../team.yaml', import.meta.url), 'utf8'))
    .replaceAll('http://127.0.0.1:4100/mcp', resource)
    .replaceAll('http://127.0.0.1:4101/mcp', index)
    .replaceAll('http://127.0.0.1:4200/callback', redirectUri);
  const { secrets } = await broker.applyWorld(world);
  const secretOf = (id: string): string => {
    const secret = secrets[id];
    if (secret === undefined) throw new Error(`no secret was generated for ${id}`);
    return secret;
  };

  const files = await mkdtemp(join(folder, 'files-'));
  await writeFile(join(files, 'notes.txt'), 'Water the plants on Friday.');
  const verifierFor = (clientId: string, identifier: string) => ({
    issuer,
    resource: identifier,
    report: { clientId, clientSecret: secretOf(clientId) },
  });
  const hostOf = (id: string) =>
    createAgentHost({
      issuer,
      agent: { id, auth: { secret: secretOf(id) } },
      client: { id: 'cli_desk', auth: { secret: secretOf('cli_desk') }, redirectUri },
    });
  /** What the file server got by exchange, for the story to show. */
  const onward: string[] = [];
  const fileServer = await startFilesServer(toolPort, files, verifierFor(FILES_SERVER, resource), {
    service: createServiceHost({
      issuer,
      service: { id: FILES_SERVER, auth: { secret: secretOf(FILES_SERVER) } },
    }),
    index,
    onToken: (token) => void onward.push(token),
  });
  const indexServer = await startIndexServer(indexPort, verifierFor('cli_index', index));
  return {
    issuer,
    resource,
    index,
    callbackPort,
    host: hostOf(AGENT),
    helper: hostOf(HELPER),
    outsider: hostOf(OUTSIDER),
    onward,
    admin: createAdmin(broker),
    clear: async () => {
      await Promise.all([fileServer.close(), indexServer.close()]);
      await broker.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openBroker(issuer: string, port: number, dataDir: string): Promise<Broker> {
  const broker = await createBroker({
    issuer,
    host: '127.0.0.1',
    port,
    databaseUrl: undefined,
    dataDir,
    secret: undefined,
    previousSecret: undefined,
    adminToken: undefined,
    production: false,
    logLevel: 'error',
  });
  await broker.listen();
  return broker;
}

/** The admin API, as an operator's script would use it. */
function createAdmin(broker: Broker) {
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${broker.config.issuer}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${broker.adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  return {
    block: (agent: string, reason: string) =>
      call('PUT', `/agents/${agent}/status`, { status: 'blocked', reason }),
    /** The newest sentence of a kind, once it has arrived. */
    sentence: async (type: string, contains: string): Promise<string> => {
      for (let attempt = 0; attempt < 50; attempt += 1) {
        const { items } = (await call('GET', `/audit?type=${type}&limit=10`)) as {
          items: { sentence: string }[];
        };
        const found = items.find(({ sentence }) => sentence.includes(contains));
        if (found !== undefined) return found.sentence;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`the audit has no ${type} about ${contains}`);
    },
  };
}
