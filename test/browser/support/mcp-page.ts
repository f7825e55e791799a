// An MCP client that is a web page: the unmodified SDK, bundled for a browser, on an origin of its own.
// What it is to do stands in its address, what it keeps in the tab's storage, what came of it in its title.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

/** As far as this page uses a browser; the project compiles for Node. */
declare const location: { readonly href: string; assign(url: string): void };
declare const sessionStorage: {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
};
declare const document: { title: string };

const kept = {
  get: (key: string): unknown => JSON.parse(sessionStorage.getItem(key) ?? 'null') ?? undefined,
  set: (key: string, value: unknown): void => sessionStorage.setItem(key, JSON.stringify(value)),
};

interface Task {
  readonly generation: 'v1' | 'v2';
  readonly server: string;
  /** Registered by an operator. */
  readonly clientId?: string;
  /** Its document. With neither, it registers itself (RFC 7591). */
  readonly clientMetadataUrl?: string;
}

const here = new URL(location.href);
const callback = `${here.origin}/callback`;
const given = here.searchParams.get('task');
if (given !== null) kept.set('task', JSON.parse(given));
const task = kept.get('task') as Task;

const provider = {
  redirectUrl: callback,
  clientMetadata: {
    client_name: 'Web Desk',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  ...(task.clientId === undefined
    ? {
        clientInformation: () => kept.get('client'),
        saveClientInformation: (client: unknown) => kept.set('client', client),
        clientMetadataUrl: task.clientMetadataUrl,
      }
    : { clientInformation: () => ({ client_id: task.clientId }) }),
  tokens: () => kept.get('tokens'),
  saveTokens: (tokens: unknown) => kept.set('tokens', tokens),
  redirectToAuthorization: (url: URL) => location.assign(url.href),
  saveCodeVerifier: (verifier: string) => kept.set('verifier', verifier),
  codeVerifier: () => kept.get('verifier'),
  saveDiscoveryState: (state: unknown) => kept.set('discovered', state),
  discoveryState: () => kept.get('discovered'),
} as never;

async function run(): Promise<string> {
  const isV2 = task.generation === 'v2';
  const [Client, Transport] = isV2 ? [ClientV2, TransportV2] : [ClientV1, TransportV1];
  const open = () => new Transport(new URL(task.server), { authProvider: provider });
  const { searchParams: answer } = here;
  if (answer.has('error')) return `error: ${answer.get('error')}`;
  if (answer.has('code')) await open().finishAuth((isV2 ? answer : answer.get('code')) as never);
  const client = new Client({ name: 'web', version: '1.0.0' });
  await client.connect(open() as never);
  const called = await client.callTool({ name: 'read_file', arguments: { name: 'notes.txt' } });
  return `done: ${JSON.stringify(called.content)}`;
}

run().then(
  (said) => {
    document.title = said;
  },
  (error: Error) => {
    // The page is on its way to the broker.
    if (error.constructor.name === 'UnauthorizedError') return;
    document.title = `failed: ${error.constructor.name} ${error.message}`;
  },
);
