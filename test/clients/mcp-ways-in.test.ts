// Unchanged MCP clients of both SDK generations, from a bare 401 at a protected server to what its tool
// says, by each way in there is (MCP authorization: client registration approaches): registered by an
// operator, by registering itself (RFC 7591), and by a document at its own URL (CIMD). Nearest: a broker
// that has the last two closed, and an agent that nobody proved.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless } from '../../examples/demo/walk-pages.js';
import { startToolServer } from '../../examples/tool-server.js';
import { clients } from '../../schema/index.js';
import { type Broker, createBroker } from '../../src/broker/app.js';
import type { Config } from '../../src/broker/config.js';
import { registrationDefaults } from '../../src/broker/registration-settings.js';
import { claimsOf, freePort, testConfig } from '../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import {
  createProvider,
  decide,
  errorName,
  GENERATIONS,
  LOOPBACK_CALLBACK,
  type WayIn,
} from '../support/mcp-host.js';
import { ROOT } from '../support/repository.js';
import { startWeb, type TestWeb } from '../support/web.js';

const READ = ['files:list', 'files:read'];

/** A broker with the example world, and two servers: one as they come, one that takes unproved actors. */
interface Site {
  readonly broker: Broker;
  readonly opened: OpenedDatabase;
  readonly secret: string;
  readonly files: string;
  readonly lenient: string;
  close(): Promise<void>;
}

let folder: string;
/** On 127.0.0.1, where the issuer is too: reached as it stands, but for who vouches for its certificate. */
let web: TestWeb;
let site: Site;
let closed: Site;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-ways-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  web = await startWeb(['127.0.0.1']);
  for (const name of ['desk', 'scribe']) {
    web.put(documentOf(name), {
      client_id: documentOf(name),
      client_name: `Example ${name}`,
      redirect_uris: [LOOPBACK_CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    });
  }
  site = await startSite();
  const registration = { ...registrationDefaults(), mode: 'off' } as const;
  closed = await startSite({ registration, clientDocuments: 'off' });
});
afterAll(async () => {
  await Promise.all([site?.close(), closed?.close()]);
  await web?.close();
  await rm(folder, { recursive: true, force: true });
});

const documentOf = (name: string): string => `https://127.0.0.1:${web.port}/${name}/client.json`;

/** The example world, with a second server, and a document that the operator binds to the agent. */
const worldOf = async (files: string, lenient: string): Promise<string> => {
  const example = await readFile(join(ROOT, 'examples/world.yaml'), 'utf8');
  return example
    .replaceAll('http://127.0.0.1:4100/mcp', files)
    .replace(
      'clients:\n',
      `  - identifier: ${lenient}
    name: Lenient Files
    scopes:
      files:list: { title: See which files you have, risk: read, base: true }
      files:read: { title: Read your files, risk: read, base: true }

clients:
  - { id: "${documentOf('scribe')}", name: Scribe’s Desk, kind: app, agent: agt_scribe }
`,
    )
    .replace('clients: [cli_desk]', `clients: [cli_desk, "${documentOf('scribe')}"]`)
    .concat(`  - principal: agt_scribe\n    resource: ${lenient}\n    scopes: [files:read]\n`);
};

async function startSite(more: Partial<Config> = {}): Promise<Site> {
  const opened = await openTestPostgres();
  const [port, filesPort, lenientPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const broker = await createBroker(testConfig(port, { logLevel: 'silent', ...more }), {
    db: opened.db,
    outbound: { ca: web.outbound.ca },
  });
  await broker.listen();
  const { issuer } = broker.config;
  const [files, lenient] = [
    `http://127.0.0.1:${filesPort}/mcp`,
    `http://127.0.0.1:${lenientPort}/mcp`,
  ];
  const { secrets } = await broker.applyWorld(await worldOf(files, lenient));
  const told = { issuer, resource: lenient, acceptUnprovedActors: true };
  const servers = [
    await startToolServer(filesPort, folder, { issuer, resource: files }),
    await startToolServer(lenientPort, folder, told),
  ];
  return {
    ...{ broker, opened, files, lenient },
    secret: secrets.cli_desk as string,
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      await broker.close();
      await opened.close();
    },
  };
}

const WAYS: Readonly<Record<string, { wayIn: () => WayIn; clientId: () => unknown }>> = {
  'registered by an operator': {
    wayIn: () => ({ registered: { client_id: 'cli_desk', client_secret: site.secret } }),
    clientId: () => 'cli_desk',
  },
  'registering itself': {
    wayIn: () => ({}),
    clientId: () => expect.stringMatching(/^cli_[\w-]{20}$/),
  },
  'by its document': {
    wayIn: () => ({ clientMetadataUrl: documentOf('desk') }),
    clientId: () => documentOf('desk'),
  },
};

const idsOf = async ({ opened }: Site): Promise<string[]> =>
  (await opened.db.orm.select({ id: clients.id }).from(clients)).map(({ id }) => id).sort();

describe.each(Object.entries(GENERATIONS))('SDK %s', (_name, generation) => {
  const host = (at: string, wayIn: WayIn) => {
    const { provider, sentTo, kept } = createProvider(wayIn);
    const client = generation.client();
    return {
      ...{ sentTo, kept, client },
      transport: generation.transport(at, provider),
      /** With another connection, as after a restart of the host. */
      again: () => {
        const next = generation.client();
        return { next, connecting: next.connect(generation.transport(at, provider)) };
      },
    };
  };
  const readNotes = { name: 'read_file', arguments: { name: 'notes.txt' } };
  const NOTES = { content: [{ type: 'text', text: 'hello' }] };

  it.each(
    Object.entries(WAYS),
  )('%s, gets in as its user, and stays in without asking again', async (_way, {
    wayIn,
    clientId,
  }) => {
    const { sentTo, kept, client, transport, again } = host(site.files, wayIn());
    expect(await errorName(client.connect(transport))).toBe('UnauthorizedError');
    expect(sentTo.map((url) => url.searchParams.get('client_id'))).toEqual([clientId()]);
    await decide(createBrowserless(site.broker.config.issuer), transport, sentTo[0], READ);
    const first = String(kept.tokens?.access_token);
    const claims = claimsOf(first);
    expect(claims).toMatchObject({ aud: site.files, client_id: clientId(), scope: READ.join(' ') });
    expect([claims.act, claims.actor_proof, claims.agent_scope]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const { next, connecting } = again();
    await connecting;
    expect(await next.callTool(readNotes)).toMatchObject(NOTES);
    await next.close();

    // Its token counts no more: it renews it by itself (RFC 6749 §6).
    kept.tokens = { ...kept.tokens, access_token: `${first.slice(0, -8)}AAAAAAAA` };
    const renewed = again();
    await renewed.connecting;
    expect(await renewed.next.callTool(readNotes)).toMatchObject(NOTES);
    await renewed.next.close();
    expect(claimsOf(String(kept.tokens?.access_token)).jti).not.toBe(claims.jti);
    expect(sentTo).toHaveLength(1);
  });

  it.each([
    'registering itself',
    'by its document',
  ])('%s, opens no browser where that way is closed, and leaves nothing behind', async (way) => {
    const before = await idsOf(closed);
    const { sentTo, kept, client, transport } = host(closed.files, WAYS[way]?.wayIn() ?? {});
    await expect(client.connect(transport)).rejects.toThrow(
      'Incompatible auth server: does not support dynamic client registration',
    );
    expect([sentTo, kept.client, await idsOf(closed)]).toEqual([[], undefined, before]);
  });

  it('by a document the operator bound to an agent, acts as it where unproved actors are taken (§8b)', async () => {
    const wayIn = { clientMetadataUrl: documentOf('scribe') };
    const { sentTo, kept, client, transport, again } = host(site.lenient, wayIn);
    expect(await errorName(client.connect(transport))).toBe('UnauthorizedError');
    await decide(createBrowserless(site.broker.config.issuer), transport, sentTo[0], READ);
    expect(claimsOf(String(kept.tokens?.access_token))).toMatchObject({
      aud: site.lenient,
      client_id: documentOf('scribe'),
      act: { sub: 'agt_scribe' },
      actor_proof: 'none',
    });
    const { next, connecting } = again();
    await connecting;
    expect(await next.callTool(readNotes)).toMatchObject(NOTES);
    await next.close();
    expect(sentTo).toHaveLength(1);
  });

  it('by the same document, is refused by a server as they come, and no page could help it', async () => {
    const wayIn = { clientMetadataUrl: documentOf('scribe') };
    const { sentTo, kept, client, transport, again } = host(site.files, wayIn);
    expect(await errorName(client.connect(transport))).toBe('UnauthorizedError');
    await decide(createBrowserless(site.broker.config.issuer), transport, sentTo[0], READ);
    expect(claimsOf(String(kept.tokens?.access_token))).toMatchObject({
      aud: site.files,
      act: { sub: 'agt_scribe' },
      actor_proof: 'none',
    });
    await expect(again().connecting).rejects.toThrow('"error":"actor_unauthorized"');
    expect(sentTo).toHaveLength(1);
  });
});
